"""How often each of many watching browsers is told something: the more of them, the less often. It knows no job."""

from collections.abc import Iterator
from contextlib import contextmanager

EACH = 0.04
"""Seconds that each browser adds to the time between two tellings. Telling one takes some 20 ms of a core
(docs/hosting.md), so any number of them together takes half a core at most and leaves the rest to the race."""


class Crowd:
    """Everybody who watches something grow."""

    def __init__(self) -> None:
        self._watching: set[object] = set()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """One more watches."""
        me = object()
        self._watching.add(me)
        try:
            yield
        finally:
            self._watching.discard(me)

    def wait(self, seconds: float) -> float:
        """How long to wait in place of the ``seconds`` that one alone waits."""
        return max(seconds, EACH * len(self._watching))


CROWD = Crowd()
"""All browsers of this process."""
