"""What the page can ask for: start, stop and watch jobs, estimate, tell the command. It knows no component."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from soul_core.config import RaceConfig
from soul_core.errors import JobError, RunError, SoulError
from soul_core.events import EpochReport, Event, LaneEnded, Progress, RaceEnded
from soul_core.jobs import Jobs, JobView
from soul_core.jobs.jobs import RACE
from soul_core.models.loading import load_model
from soul_core.models.presets import PRESETS
from soul_core.models.shelf import Shelf
from soul_core.runs.folder import CURVES, REPORT, RunFolder
from soul_core.runs.store import RunStore
from soul_core.session.ask import ask
from soul_core.session.command import command_of
from soul_core.session.estimate import estimate
from soul_core.session.pocket_make import GOLDS, can_train_gold, find_gold, train_gold
from soul_core.session.report import report_of
from soul_core.session.verdict import verdict
from soul_core.ui import text, text_host
from soul_core.ui.downloads import copy_of, place_for
from soul_core.ui.form import Form
from soul_core.ui.host import Host
from soul_core.ui.questions import task_of
from soul_core.ui.snapshot import Snapshot, status_of
from soul_core.ui.track import RaceTrack
from soul_core.ui.zero import lent_seconds

GOLD = "gold"
WARM_UP = "Who are you?"
JUDGED = (EpochReport, LaneEnded, RaceEnded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The page's one way to everything below it."""

    store: RunStore
    jobs: Jobs
    shelf: Shelf
    host: Host
    starting: threading.Lock = field(default_factory=threading.Lock)

    def model_choices(self) -> list[tuple[str, str]]:
        """Label and name of every model to unlearn; golds are not among them."""
        golds = {gold for preset in PRESETS.values() for gold in preset.golds.values()}
        return [(preset.label, name) for name, preset in PRESETS.items() if name not in golds]

    def command(self, config: RaceConfig) -> str:
        """The command line that runs the same race."""
        return command_of(config)

    def start(self, form: Form, *, owner: str, current: str) -> str:
        """Queue a race and return its job's id; a JobError while this browser's own race, in any tab, is not over."""
        config = form.config()
        with self.starting:  # two clicks at once must not both find nothing running
            if (current and self.alive(current)) or self.jobs.busy(owner, kind=RACE):
                raise JobError(text.ALREADY_RUNNING)
            return self.submit(config, owner=owner)

    def submit(self, config: RaceConfig, *, owner: str = "") -> str:
        """Queue a race that this host allows and whose forget set exists; return its job's id."""
        self.host.check(config, owner=owner)
        task_of(config.task)
        return self.jobs.submit_race(config, owner)

    def alive(self, job_id: str) -> bool:
        """Whether a job is still to end; a job that nobody knows is not."""
        try:
            return not self.jobs.status(job_id).ended
        except (JobError, RunError, SoulError):
            return False

    def config_of(self, job_id: str) -> RaceConfig | None:
        """The settings of a race that a browser remembers; None if nobody knows it any more."""
        try:
            return self.store.find(job_id).config
        except SoulError:
            return None

    def toggle_pause(self, job_id: str) -> bool:
        """Pause what runs, let go on what is paused or was cut off; whether the job has to be watched anew."""
        view = self.jobs.status(job_id)
        if view.kind == RACE:
            self.store.find(job_id)  # deleted in another tab: it says so
        if view.state == "paused":
            self.jobs.resume(job_id)
            return False
        if view.ended and view.can_resume:
            self.jobs.resume_race(job_id)
            return True
        self.jobs.pause(job_id)
        return False

    def watch(self, job_id: str) -> "Watch":
        """A look-out for one job."""
        return Watch(desk=self, job_id=job_id)

    def warm_up(self) -> None:
        """Load the model that Setup begins with, and let it say one word."""
        model = self.shelf.get("pocket", lambda: load_model("pocket"))
        for _ in ask({"original": model}, WARM_UP, max_new_tokens=1):
            pass

    def estimate(self, config: RaceConfig, *, owner: str = "") -> str:
        """Time and memory of a race in one line; later, if a job runs now, because it would be measured wrongly."""
        self.host.check(config, owner=owner)
        if self.host.place == "zerogpu":
            return text_host.lent_line(lent_seconds(config))
        if self.jobs.busy():
            return text.ESTIMATE_LATER
        found = estimate(config, shelf=self.shelf, has_gold=bool(self.gold_of(config)))
        return text.estimate_line(found.seconds, found.memory_mb, found.basis)

    def gold_can_be_trained(self, config: RaceConfig) -> bool:
        """Whether there is no gold for this forget set, but one could be trained here."""
        task = task_of(config.task)
        return not self.host.public and can_train_gold(config.model, task) and not self.gold_of(config)

    def gold_of(self, config: RaceConfig) -> str:
        """The gold of a model and a forget set: shipped, published or trained here; empty if there is none."""
        return find_gold(config.model, task_of(config.task), self.golds)

    @property
    def golds(self) -> Path:
        """Where golds that were trained from the page are kept."""
        return self.store.root / GOLDS

    def train_gold(self, config: RaceConfig, *, owner: str) -> str:
        """Queue the training of a gold for this forget set; return its job's id."""
        if not self.gold_can_be_trained(config):
            raise JobError(text.NO_GOLD_TO_TRAIN)
        task = task_of(config.task)
        return self.jobs.submit(
            GOLD, text.gold_label(task.subjects), lambda: _as_events(train_gold(task, self.golds)), owner
        )


def _as_events(training: Iterator[Progress]) -> Generator[Event, None, None]:
    """A training's progress as a job's events."""
    yield from training


@dataclass(slots=True, kw_only=True)
class Watch:
    """Follows one job: each look folds in what is new."""

    desk: Desk
    job_id: str
    track: RaceTrack = field(default_factory=RaceTrack)
    _next: int = 0
    _events: list[Event] = field(default_factory=list)
    _verdict: str = ""
    _fraction: float = 0.0
    _copies: dict[str, Path] = field(default_factory=dict)

    def look(self) -> Snapshot:
        """The job as it is now."""
        view = self.desk.jobs.status(self.job_id)
        events, self._next = self.desk.jobs.events(self.job_id, self._next)
        self.track.take(events)
        self._events += events
        if any(isinstance(event, JUDGED) for event in events):
            self._verdict = verdict(self._events)
        self._fraction = max(self._fraction, view.fraction)
        status = status_of(view, self.track, fraction=self._fraction, elapsed=self._elapsed(view))
        folder = self._folder(view.kind)
        over = folder is not None and not status.alive
        return Snapshot(
            job_id=self.job_id,
            status=status,
            track=self.track,
            verdict=self._verdict,
            error=view.error,
            csv=self._copy(folder.path / CURVES) if folder and over else None,
            report=self._report(folder) if folder and over else None,
            folder=str(folder.path) if folder and not self.desk.host.public else "",
        )

    def _folder(self, kind: str) -> RunFolder | None:
        """The run's folder; a job that is no race has none."""
        return self.desk.store.find(self.job_id) if kind == RACE else None

    def _elapsed(self, view: JobView) -> float | None:
        if self.track.ended:
            return self.track.ended.seconds
        return view.seconds

    def _copy(self, path: Path) -> Path | None:
        """A copy that the browser may fetch: run folders themselves are not served."""
        if not path.is_file():
            return None
        if path.name not in self._copies:
            self._copies[path.name] = copy_of(path, f"{self.job_id}-{path.name}")
        return self._copies[path.name]

    def _report(self, folder: RunFolder) -> Path | None:
        """The report as of now: the run may have been scored or probed since its end. None if nothing was measured."""
        if REPORT not in self._copies:
            try:
                html = report_of(folder)
            except SoulError:
                return self._copy(folder.path / REPORT)
            self._copies[REPORT] = place_for(f"{self.job_id}-{REPORT}")
            self._copies[REPORT].write_text(html, encoding="utf-8")
        return self._copies[REPORT]
