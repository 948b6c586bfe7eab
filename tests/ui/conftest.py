"""What every test of the page needs: Gradio's stray event loops are closed, so that warnings stay errors."""

import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def closed_event_loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Gradio opens a loop for every lock it makes outside one and never closes it (gradio/utils.py, safe_get_lock)."""
    opened: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        opened.append(make())
        return opened[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remembered)
    yield
    for loop in opened:
        if not loop.is_running() and not loop.is_closed():
            loop.close()
    asyncio.set_event_loop(None)
