"""The recordings that ship, and when each event of one is due in a replay. It knows no page and runs no model."""

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

from soul_core.errors import RunError
from soul_core.events import EpochReport, Event, StepReport
from soul_core.paths import ASSETS
from soul_core.runs.recording import About, Recording, list_recordings, read_recording

RECORDED = ASSETS / "recorded"
SPEEDS = (1.0, 4.0, 0.0)
"""How many times its own pace a replay may have; 0 is at once."""


def recordings(root: Path = RECORDED) -> tuple[About, ...]:
    """What ships, by name."""
    return tuple(list_recordings(root))


@lru_cache(maxsize=8)
def recording(name: str, root: Path = RECORDED) -> Recording:
    """One of them, whole; a RunError where there is none of that name."""
    if all(name != about.name for about in recordings(root)):
        raise RunError(f"There is no recording “{name[:80]}”. Choose one from the list.")
    return read_recording(root / name)


def pace(events: Iterable[Event]) -> list[float]:
    """Seconds that passed before each event: a step's own, an evaluation's own; nothing for the rest.

    Loading models and writing files have no event, so these seconds add up to less than the race took.
    A second report on the same lane and epoch counts what was added to the first.
    """
    waits: list[float] = []
    told: dict[tuple[str, int], float] = {}
    for event in events:
        wait = 0.0
        if isinstance(event, StepReport):
            wait = event.seconds
        elif isinstance(event, EpochReport):
            place = (event.lane, event.epoch)
            wait = max(0.0, event.eval_seconds - told.get(place, 0.0))
            told[place] = event.eval_seconds
        waits.append(wait)
    return waits


class Replay:
    """Which events of a recording are to be seen by now.

    Args:
        recording: What is replayed.
        speed: Times its own pace; 0 shows all at once.
        at: How many events have been seen already.
    """

    def __init__(self, recording: Recording, *, speed: float, at: int = 0) -> None:
        if speed not in SPEEDS:
            raise RunError(f"Speed is {speed!r}; choose one of {', '.join(f'{known:g}' for known in SPEEDS)}.")
        self.recording = recording
        self._moments = list(accumulate(pace(recording.events)))
        self._speed = speed
        self._at = min(max(at, 0), len(self._moments))
        self._began = self.recorded_seconds(self._at)

    @property
    def length(self) -> int:
        """How many events there are."""
        return len(self._moments)

    @property
    def seconds(self) -> float:
        """How long the replay takes at its own pace."""
        return self._moments[-1]

    def recorded_seconds(self, at: int) -> float:
        """Where the recording's own clock stands after so many events."""
        return self._moments[at - 1] if at > 0 else 0.0

    def seen(self, elapsed: float) -> int:
        """How many events are seen ``elapsed`` seconds after the replay began; never fewer than before."""
        if not self._speed:
            return self.length
        return max(self._at, bisect_right(self._moments, self._began + elapsed * self._speed))
