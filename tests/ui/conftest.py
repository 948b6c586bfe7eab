"""What every test of the page needs."""

from collections.abc import Iterator

import pytest

from tests.ui.loops import closed_afterwards


@pytest.fixture(autouse=True)
def closed_event_loops() -> Iterator[None]:
    """No loop of Gradio's outlives its test."""
    with closed_afterwards():
        yield
