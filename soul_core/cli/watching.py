"""Long work on the command line: its progress shown, Ctrl-C obeyed. It knows no command."""

from collections.abc import Generator
from contextlib import closing
from typing import TypeVar

from soul_core.cli.interrupts import interrupts
from soul_core.cli.screen import Screen
from soul_core.events import Progress

Result = TypeVar("Result")


def watched(work: Generator[Progress, None, Result], screen: Screen, *, stopped: str) -> Result | None:
    """What the work returns, its progress shown meanwhile; None where Ctrl-C ended it, ``stopped`` being said."""
    with interrupts() as interrupted, screen.bar() as bar, closing(work):
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
            bar.show(progress.what, progress.done, progress.total)
            if interrupted():
                screen.say(stopped)
                return None
