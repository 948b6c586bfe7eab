"""Gradio's stray event loops, closed: it opens one for every lock it makes outside a loop (gradio/utils.py)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def closed_afterwards() -> Iterator[None]:
    """Close every loop that was opened through ``asyncio.new_event_loop`` meanwhile, so that warnings stay errors."""
    opened: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        opened.append(make())
        return opened[-1]

    with patch.object(asyncio, "new_event_loop", remembered):
        yield
    for loop in opened:
        if not loop.is_running() and not loop.is_closed():
            loop.close()
    asyncio.set_event_loop(None)
