"""What the Probe tab can ask for: runs, what was found about one, and probing it. It knows no component."""

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from soul_core.config import RaceConfig
from soul_core.errors import JobError, RunError, SoulError
from soul_core.evaluation.tables import plain
from soul_core.events import Event, Progress
from soul_core.probing.results import Bench, Inspection, ProbeVerdict, Relearning, Rounding
from soul_core.probing.settings import AttackConfig, RelearnConfig, RoundingConfig
from soul_core.runs.folder import EVENTS, RunFolder
from soul_core.runs.manifest import owner_mark
from soul_core.runs.marks import read_marks
from soul_core.runs.probes import ProbesRead, probes_of
from soul_core.session.inspection import inspect_run
from soul_core.session.probe import attack_run
from soul_core.session.probe_verdict import verdicts_of_run
from soul_core.session.relearning import relearn_run
from soul_core.session.rounding import round_run
from soul_core.ui import text, text_probe
from soul_core.ui.data_desk import task_label
from soul_core.ui.desk import Desk
from soul_core.ui.scores_desk import LISTED, lane_label
from soul_core.ui.track import RaceTrack, kind_of

PROBE = "probe"
Work = AttackConfig | RelearnConfig | RoundingConfig | None
"""What is done to a run; None measures where its weights changed."""
TITLES: Mapping[type, str] = {
    AttackConfig: text_probe.BENCH_TITLE,
    RelearnConfig: text_probe.RELEARN_TITLE,
    RoundingConfig: text_probe.ROUNDING_TITLE,
}
REFERENCES = ("original", "gold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """One model of a run as the page draws it; ``position`` is its place in the race, ``once`` that it acts once."""

    name: str
    label: str
    position: int = 0
    once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedRun:
    """One run that can be probed, as the list shows it."""

    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that is known of a run, read from its folder.

    Attributes:
        who: Original, every lane, gold where there was one.
        track: The race, folded.
        probes: What the probes found.
        verdicts: One for each model that can be judged.
        troubles: What could not be read, as sentences.
    """

    folder: RunFolder
    who: tuple[Who, ...]
    track: RaceTrack
    probes: ProbesRead
    verdicts: tuple[ProbeVerdict, ...]
    troubles: tuple[str, ...]

    @property
    def bench(self) -> Bench | None:
        """The last attack bench."""
        found = self.probes.found.get("bench")
        return found if isinstance(found, Bench) else None

    def relearning(self, on: str) -> Relearning | None:
        """The last relearning from that part."""
        found = self.probes.found.get(f"relearn-{on}")
        return found if isinstance(found, Relearning) else None

    @property
    def rounding(self) -> Rounding | None:
        """The last rounding."""
        found = self.probes.found.get("rounding")
        return found if isinstance(found, Rounding) else None

    @property
    def inspection(self) -> Inspection | None:
        """The last look at the weights."""
        found = self.probes.found.get("inspection")
        return found if isinstance(found, Inspection) else None


@dataclass(frozen=True, slots=True)
class ProbeDesk:
    """The tab's one way to everything below it; ``owner`` is always the token of the browser that asks.

    On a shared host it sees its own runs alone; on one's own machine everything below the root of the runs.
    """

    desk: Desk
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _jobs: dict[str, tuple[RunFolder, Work]] = field(default_factory=dict)

    def runs(self, owner: str) -> list[ProbedRun]:
        """Runs that have ended and left weights, newest first."""
        found = []
        for folder in self.desk.store.list()[:LISTED]:
            try:
                if self._may_see(folder, owner) and not self.desk.alive(folder.path.name) and _has_weights(folder):
                    found.append(ProbedRun(id=folder.path.name, label=_label(folder)))
            except SoulError:
                continue
        return found

    def folder(self, run_id: str, owner: str) -> RunFolder:
        """A run by its id.

        Raises:
            RunError: There is no such run, it is another browser's, or it still runs.
        """
        if not run_id:
            raise RunError(text_probe.NO_RUN_CHOSEN)
        try:
            folder = self.desk.store.find(run_id)
            mine = self._may_see(folder, owner)
        except RunError as error:
            raise RunError(text_probe.NOT_YOURS) from error
        if not mine:
            raise RunError(text_probe.NOT_YOURS)
        if self.desk.alive(run_id):
            raise RunError(text_probe.STILL_RUNNING)
        return folder

    def found(self, run_id: str, owner: str) -> Found:
        """Everything that is known of a run. A result that cannot be read hides no other.

        Raises:
            RunError: As ``folder``.
        """
        folder = self.folder(run_id, owner)
        place = probes_of(folder.path)
        read = _read(place.path, place.signature())
        troubles = [*read.troubles]
        try:
            verdicts = _verdicts(folder.path, place.signature())
        except SoulError as error:
            verdicts = ()
            troubles.append(str(error))
        return Found(
            folder=folder,
            who=who_of(folder.config, gold=bool(folder.manifest().gold)),
            track=track_of(folder),
            probes=read,
            verdicts=verdicts,
            troubles=tuple(troubles),
        )

    def start(self, run_id: str, work: Work, *, owner: str) -> str:
        """Queue a probe of a run; return the job's id.

        Raises:
            ConfigError: This host does not do that much.
            JobError: This browser is probing already, or the queue is full.
            RunError: As ``folder``.
        """
        folder = self.folder(run_id, owner)
        if work is not None:
            self.desk.host.check_probe(work)
        title = TITLES.get(type(work), text_probe.WHERE_TITLE)
        with self._starting:  # two clicks at once must not both find nothing running
            if self.desk.jobs.busy(owner, kind=PROBE):
                raise JobError(text_probe.ALREADY_PROBING)
            job_id = self.desk.jobs.submit(
                PROBE, text_probe.job_label(title), lambda: self._probe(folder, work), owner
            )
        self._jobs[job_id] = (folder, work)
        return job_id

    def written(self, job_id: str) -> int:
        """A number that changes whenever the job's run has a further finding."""
        known = self._jobs.get(job_id)
        return hash(probes_of(known[0].path).signature()) if known else 0

    def work_of(self, job_id: str, run_id: str) -> tuple[Work, ...]:
        """What a job does to this run; empty where it is another's or nobody knows."""
        known = self._jobs.get(job_id)
        return (known[1],) if known and known[0].path.name == run_id else ()

    def now(self, job_id: str, progress: Progress) -> str:
        """What a job is doing, in the page's words."""
        known = self._jobs.get(job_id)
        labels = {one.name: one.label for one in who_of(known[0].config, gold=True)} if known else {}
        return text_probe.now_probing(labels.get(progress.lane, ""), progress.what)

    def _probe(self, folder: RunFolder, work: Work) -> Generator[Event, None, None]:
        probing: Generator[Any, None, Any]
        shelf = self.desk.shelf
        if isinstance(work, AttackConfig):
            probing = attack_run(folder, work, shelf=shelf)
        elif isinstance(work, RelearnConfig):
            probing = relearn_run(folder, work, shelf=shelf)
        elif isinstance(work, RoundingConfig):
            probing = round_run(folder, work, shelf=shelf)
        else:
            probing = inspect_run(folder, shelf=shelf)
        try:
            for step in probing:
                if isinstance(step, Progress):
                    yield step
        finally:
            probing.close()

    def _may_see(self, folder: RunFolder, owner: str) -> bool:
        mark = owner_mark(owner)
        return not self.desk.host.public or (bool(mark) and folder.manifest().owner == mark)


def who_of(config: RaceConfig, *, gold: bool) -> tuple[Who, ...]:
    """The models of a run in the order of every table."""
    lanes = [
        Who(name=lane.name, label=lane_label(lane), position=at, once=kind_of(lane) != "trained")
        for at, lane in enumerate(config.lanes)
    ]
    last = [Who(name="gold", label=text.LANE_LABELS["gold"])] if gold else []
    return (Who(name="original", label=text.LANE_LABELS["original"]), *lanes, *last)


def track_of(folder: RunFolder) -> RaceTrack:
    """A run's events, folded; read again only when there are more."""
    return _track(folder.path, _moment(folder.path / EVENTS))


def moment_of(folder: RunFolder) -> int:
    """Something that changes when a run went on."""
    return _moment(folder.path / EVENTS)


def _label(folder: RunFolder) -> str:
    config = folder.config
    moment = datetime.fromisoformat(folder.manifest().created)
    return text_probe.run_label(
        f"{moment.day} {moment:%b %H:%M}",
        plain(task_label(config.task)),
        plain(", ".join(lane_label(lane) for lane in config.lanes)),
        name=plain(read_marks(folder).name),
        probed=bool(probes_of(folder.path).signature()),
    )


def _has_weights(folder: RunFolder) -> bool:
    return any(folder.weights(lane.name) for lane in folder.config.lanes)


def _moment(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=16)
def _track(path: Path, _moment: int) -> RaceTrack:
    track = RaceTrack()
    track.take(RunFolder(path).events())
    return track


@lru_cache(maxsize=8)
def _read(path: Path, _signature: object) -> ProbesRead:
    return probes_of(path.parent).read_all()


@lru_cache(maxsize=8)
def _verdicts(path: Path, _signature: object) -> tuple[ProbeVerdict, ...]:
    return verdicts_of_run(RunFolder(path))
