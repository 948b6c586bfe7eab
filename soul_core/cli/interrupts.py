"""Ctrl-C as a wish that a loop can obey when it is ready. It knows no loop."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted:
    """Called, it says whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self._pressed = False

    def __call__(self) -> bool:
        return self._pressed

    def note(self, number: int, frame: FrameType | None) -> None:
        """Remember the first Ctrl-C; leave at once on the second."""
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
        sys.stderr.write("\nStopping after this step; press Ctrl-C again to leave at once.\n")


@contextmanager
def interrupts() -> Iterator[Interrupted]:
    """Within the block Ctrl-C raises nothing the first time; afterwards it is as before."""
    interrupted = Interrupted()
    before = signal.signal(signal.SIGINT, interrupted.note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
