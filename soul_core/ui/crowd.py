"""How often each of many watching browsers is told something: the more of them, the less often. It knows no job."""

from collections.abc import Iterator
from contextlib import contextmanager

AT_FULL_SPEED = 5
"""So many browsers are told as often as one alone. Telling one takes some 20 ms of a core (docs/hosting.md), so that
any number of them together takes about half a core and leaves the rest to the race they watch."""


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
        return seconds * max(1.0, len(self._watching) / AT_FULL_SPEED)


CROWD = Crowd()
"""All browsers of this process."""
