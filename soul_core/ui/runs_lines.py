"""What the list of runs shows of each: its name, what ran, how it stands, its last accuracies. It knows no page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from soul_core.config import LaneConfig, RaceConfig
from soul_core.errors import RunError
from soul_core.events import EpochReport, Event, RaceEnded, from_json
from soul_core.jobs.view import JobView
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.runs.folder import EVENTS, MANIFEST, RunFolder
from soul_core.runs.manifest import Manifest
from soul_core.runs.marks import Marks, read_marks
from soul_core.runs.trash import size_of
from soul_core.ui import text, text_runs
from soul_core.ui.data_desk import label_of, task_label
from soul_core.ui.scores_desk import lane_label
from soul_core.ui.track import kind_of

_STEP = '"kind":"step"'
_PARTS = ("", EVENTS, "lanes", "scores", "probes")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLine:
    """One method of a run with its last accuracies; None where nothing was measured."""

    lane: str
    label: str
    position: int
    once: bool
    forget: float | None = None
    retain: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run as the list shows it.

    Attributes:
        state: A key of ``text.STATES``.
        nbytes: What it takes on the disk.
    """

    id: str
    marks: Marks
    when: datetime
    model: str
    task: str
    lanes: tuple[LaneLine, ...]
    state: str
    can_resume: bool
    nbytes: int

    @property
    def title(self) -> str:
        """The person's name for it, else when it was."""
        return self.marks.name or text_runs.unnamed(self.when)

    @property
    def alive(self) -> bool:
        """Whether it is still to end."""
        return self.state in ("queued", "running", "paused", "stopping")

    @property
    def words(self) -> str:
        """Everything that it is found by."""
        lanes = " ".join(f"{lane.label} {lane.lane}" for lane in self.lanes)
        state = text_runs.STATES.get(self.state, self.state)
        parts = (self.title, self.marks.note, self.id, self.model, self.task, lanes, state, text_runs.day(self.when))
        return " ".join(" ".join(parts).split()).casefold()


def line_of(folder: RunFolder, view: JobView | None) -> RunLine:
    """A run's line.

    Args:
        folder: The run.
        view: How its job stands, where one lives; None for a run that only the disk knows.

    Raises:
        RunError: Its manifest cannot be read.
    """
    manifest = manifest_of(folder)
    reports, ended = _measured(folder)
    last = {report.lane: report for report in reports}
    state = view.state if view else _state(folder, ended)
    config = manifest.config
    return RunLine(
        id=folder.path.name,
        marks=read_marks(folder),
        when=datetime.fromisoformat(manifest.created),
        model=label_of(config.model),
        task=task_label(config.task),
        lanes=tuple(_lane(at, lane, last.get(lane.name)) for at, lane in enumerate(config.lanes)),
        state=state,
        can_resume=view.can_resume if view else _can_resume(folder, config, state),
        nbytes=_size(folder.path, _stamp(folder.path)),
    )


def manifest_of(folder: RunFolder) -> Manifest:
    """A run's manifest, read again only when its file has changed: lists read those of everybody."""
    path = folder.path / MANIFEST
    with disk_errors_as_sentences(folder.path):
        stamp = path.stat().st_mtime_ns if path.is_file() else 0
    return _manifest(folder.path, stamp)


def in_order(lines: Sequence[RunLine]) -> list[RunLine]:
    """Pinned runs first, the newest first among them and among the others."""
    newest = sorted(lines, key=lambda line: line.id, reverse=True)
    return sorted(newest, key=lambda line: not line.marks.pinned)


def _lane(at: int, lane: LaneConfig, report: EpochReport | None) -> LaneLine:
    forget, retain = (report.scores.get(name) if report else None for name in ("forget", "retain"))
    return LaneLine(
        lane=lane.name,
        label=lane_label(lane),
        position=at,
        once=kind_of(lane) != "trained",
        forget=forget.acc if forget else None,
        retain=retain.acc if retain else None,
    )


def _state(folder: RunFolder, ended: RaceEnded | None) -> str:
    if ended is not None:
        return ended.status
    return "finished" if folder.done else "interrupted"


def _can_resume(folder: RunFolder, config: RaceConfig, state: str) -> bool:
    if folder.done:
        return False
    return state in ("interrupted", "stopped") or any(folder.checkpoint(lane.name).is_dir() for lane in config.lanes)


def _measured(folder: RunFolder) -> tuple[tuple[EpochReport, ...], RaceEnded | None]:
    path = folder.path / EVENTS
    with disk_errors_as_sentences(folder.path):
        try:
            found = path.stat()
        except FileNotFoundError:
            return (), None
    return _read(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=512)
def _read(path: Path, _changed: int, _size: int) -> tuple[tuple[EpochReport, ...], RaceEnded | None]:
    """The evaluations of a log and its end; its steps, of which there are thousands, are not even parsed."""
    with disk_errors_as_sentences(path.parent):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    events: list[Event] = []
    for line in lines:
        if line.strip() and _STEP not in line[:40]:
            try:
                events.append(from_json(line))
            except ValueError:
                continue
    last = events[-1] if events else None
    steps_after = bool(lines) and _STEP in lines[-1][:40]
    ended = last if isinstance(last, RaceEnded) and not steps_after else None
    return tuple(event for event in events if isinstance(event, EpochReport)), ended


@lru_cache(maxsize=4096)
def _manifest(path: Path, _changed: int) -> Manifest:
    return RunFolder(path).manifest()


def _stamp(path: Path) -> tuple[int, ...]:
    """Something that changes when the run grows."""
    found = []
    for part in _PARTS:
        try:
            found.append((path / part).stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)


@lru_cache(maxsize=512)
def _size(path: Path, _changed: tuple[int, ...]) -> int:
    try:
        return size_of(path)
    except (OSError, RunError):  # it is being deleted
        return 0


def accuracy(share: float | None) -> str:
    """An accuracy as the list writes it."""
    return "–" if share is None else text.percent(share)
