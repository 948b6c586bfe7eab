"""How a job looks from outside. It knows no threads."""

from dataclasses import dataclass
from typing import Literal

from soul_core.events import Progress

State = Literal["queued", "running", "paused", "stopping", "finished", "stopped", "failed", "interrupted"]
ENDED: tuple[State, ...] = ("finished", "stopped", "failed", "interrupted")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A picture of a job at one moment.

    Attributes:
        kind: ``race``, or what the caller of ``submit`` named it.
        label: The job in a few words.
        state: ``interrupted`` is a race that a killed server left without an end.
        queue_position: 1 is next; 0 when it does not wait.
        behind_paused: It waits and the job before it is paused: somebody has to press Resume or Stop there.
        seconds_to_start: Guess of when a queued job begins, None where nothing is known.
        seconds_left: Guess of the work that is left, None where nothing is known.
        fraction: Share of the work done, 0 to 1.
        progress: What is under way.
        error: One sentence where the job failed, else empty.
        events: How many events there are so far.
        can_resume: ``resume_race`` would continue it.
        created: Seconds since 1970.
        seconds: How long it has run, pauses left out; None while it waits, when it has ended, or where nobody knows.
    """

    id: str
    kind: str
    label: str
    state: State
    queue_position: int = 0
    behind_paused: bool = False
    seconds_to_start: float | None = None
    seconds_left: float | None = None
    fraction: float = 0.0
    progress: Progress | None = None
    error: str = ""
    events: int = 0
    can_resume: bool = False
    created: float = 0.0
    seconds: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in ENDED
