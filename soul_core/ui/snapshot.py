"""A job at one moment as the page shows it, made from its view and its events. It knows no component and no disk."""

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from soul_core.events import Progress
from soul_core.jobs.view import JobView
from soul_core.ui import text
from soul_core.ui.html import notice
from soul_core.ui.track import RaceTrack

ALIVE = frozenset({"queued", "running", "paused", "stopping"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a job stands, as the page needs it.

    Attributes:
        state: A key of ``text.STATES``.
        kind: ``race`` or another kind of job.
        ahead: Jobs that go first, while queued.
        elapsed: Seconds since it began to run; None if unknown.
        left: A guess of the seconds left; None if nothing is known.
        fraction: Share of the work done.
        now: What is happening.
        can_resume: Whether it can go on from its last finished epoch.
    """

    state: str = "idle"
    kind: str = "race"
    ahead: int = 0
    elapsed: float | None = None
    left: float | None = None
    fraction: float = 0.0
    now: str = ""
    can_resume: bool = False

    @property
    def alive(self) -> bool:
        """Whether the job is still to end."""
        return self.state in ALIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the Race shows at one moment. ``csv`` and ``report`` are files to download, if they exist."""

    job_id: str = ""
    status: Status = field(default_factory=Status)
    track: RaceTrack = field(default_factory=RaceTrack)
    verdict: str = ""
    error: str = ""
    csv: Path | None = None
    report: Path | None = None
    folder: str = ""

    @property
    def notice(self) -> str:
        """What went wrong, as a banner."""
        return notice(self.error)

    @property
    def folder_html(self) -> str:
        """Where the run is kept."""
        return (
            f'<span class="soul-muted">{escape(text.FOLDER)} <code>{escape(self.folder)}</code></span>'
            if self.folder
            else ""
        )


def _doing(progress: Progress, track: RaceTrack) -> str:
    lane = track.lanes.get(progress.lane)
    epoch = text.of_epochs(lane.epoch, track.epochs) if lane and lane.epoch and not lane.once else ""
    share = progress.done / progress.total if progress.total > 1 else None
    return text.now_doing(track.label(progress.lane) if progress.lane else "", epoch, progress.what, share)


def status_of(view: JobView, track: RaceTrack, *, fraction: float, elapsed: float | None) -> Status:
    """The job's view in the page's words; ``fraction`` is the largest seen so far: the bar never falls back."""
    now = track.now
    if view.progress is not None and view.progress.what:
        now = _doing(view.progress, track)
    return Status(
        state=view.state,
        kind=view.kind,
        ahead=view.queue_position,
        elapsed=elapsed,
        left=view.seconds_left if view.state == "running" else None,
        fraction=max(fraction, view.fraction),
        now=now,
        can_resume=view.can_resume,
    )
