"""What the Runs tab can ask for: find, mark, delete, restore, export, import, compare, push. It knows no component."""

import re
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from soul_core.errors import ConfigError, JobError, RunError
from soul_core.events import Progress
from soul_core.jobs.jobs import RACE
from soul_core.jobs.view import JobView
from soul_core.runs.bundle import export_lane, export_run
from soul_core.runs.compare import RunComparison, compare_runs, comparison_csv
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import owner_mark
from soul_core.runs.marks import read_marks, write_marks
from soul_core.runs.summary import curves_csv, summarise
from soul_core.runs.trash import Trash, Trashed
from soul_core.runs.unbundle import import_run
from soul_core.session.hub_push import push_run
from soul_core.session.report import report_of
from soul_core.ui import text, text_runs
from soul_core.ui.desk import Desk
from soul_core.ui.downloads import place_for
from soul_core.ui.runs_lines import RunLine, in_order, line_of, manifest_of
from soul_core.ui.scores_desk import lane_label

LISTED = 200
MAX_IMPORT_MB, MAX_IMPORT_MB_SHARED = 200, 48
MAX_RUNS_SHARED = 30
LANE = "lane:"
"""Begins the name of an export of one lane's weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The list: what is shown of how many there are, and what can be restored."""

    lines: tuple[RunLine, ...] = ()
    there: int = 0
    trash: tuple[Trashed, ...] = ()

    def find(self, run_id: str) -> RunLine | None:
        """A run's line by its id."""
        return next((line for line in self.lines if line.id == run_id), None)


@dataclass(frozen=True, slots=True)
class RunsDesk:
    """The tab's one way to everything below it.

    ``owner`` is always the token of the browser that asks. On a shared host it sees its own runs alone; on one's own
    machine everything below the root of the runs.
    """

    desk: Desk
    _changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def trash(self) -> Trash:
        """Where deleted runs are."""
        return Trash(self.desk.store)

    def listed(self, owner: str) -> Listed:
        """Pinned runs first, then the newest; runs that cannot be read are passed over."""
        mine = self._mine(owner)
        pinned = [folder for folder in mine[LISTED:] if read_marks(folder).pinned]
        live = {view.id: view for view in self._live(owner)}
        lines = []
        for folder in [*mine[:LISTED], *pinned]:
            try:
                lines.append(line_of(folder, live.get(folder.path.name)))
            except RunError:
                continue
        mark = owner_mark(owner)
        gone = [one for one in self.trash.list() if not self.desk.host.public or (mark and one.owner == mark)]
        return Listed(lines=tuple(in_order(lines)), there=len(mine), trash=tuple(gone))

    def find(self, run_id: str, owner: str) -> RunFolder:
        """A run by its id, as far as this browser may see it.

        Raises:
            RunError: There is no such run, or it is somebody else's.
        """
        folder = self.desk.store.find(run_id)
        if self.desk.host.public and folder.manifest().owner != (owner_mark(owner) or "nobody"):
            raise RunError(text_runs.NOT_YOURS)
        return folder

    def line(self, run_id: str, owner: str) -> RunLine:
        """One run's line.

        Raises:
            RunError: As of ``find``.
        """
        folder = self.find(run_id, owner)
        return line_of(folder, next((view for view in self._live(owner) if view.id == run_id), None))

    def rename(self, run_id: str, name: str, owner: str) -> None:
        """Give a run a name; an empty one takes it away."""
        folder = self.find(run_id, owner)
        with self._changing:
            write_marks(folder, replace(read_marks(folder), name=name))

    def toggle_pin(self, run_id: str, owner: str) -> None:
        """Pin a run, or let go of it."""
        folder = self.find(run_id, owner)
        with self._changing:
            marks = read_marks(folder)
            write_marks(folder, replace(marks, pinned=not marks.pinned))

    def write_note(self, run_id: str, note: str, owner: str) -> None:
        """Replace a run's note."""
        folder = self.find(run_id, owner)
        with self._changing:
            write_marks(folder, replace(read_marks(folder), note=note))

    def delete(self, run_id: str, owner: str) -> str:
        """Move a run to the trash and return what it was called.

        Raises:
            JobError: It is running, or something else of this browser may be using it.
            RunError: There is no such run.
        """
        line = self.line(run_id, owner)
        if line.alive:
            raise JobError(text_runs.STILL_RUNNING.format(name=line.title))
        # Scoring or probing writes into a run's folder, and would bring half of it back.
        other = next((view for view in self._live(owner) if not view.ended and view.kind != RACE), None)
        if other is not None:
            raise JobError(text_runs.STILL_USED.format(name=line.title, job=other.label))
        self.trash.delete(run_id)
        return line.title

    def restore(self, run_id: str, owner: str) -> str:
        """Bring a deleted run back and return what it is called.

        Raises:
            RunError: It is not in the trash any more, or is somebody else's.
        """
        if self.desk.host.public and run_id not in {one.run_id for one in self.listed(owner).trash}:
            raise RunError(text_runs.NOT_YOURS)
        self.trash.restore(run_id)
        return self.line(run_id, owner).title

    def resume(self, run_id: str, owner: str) -> None:
        """Queue an interrupted or stopped race again.

        Raises:
            JobError: It has ended, lives, or another race of this browser does.
        """
        folder = self.find(run_id, owner)
        self.desk.host.check(folder.config, owner=owner)
        with self.desk.starting:  # two clicks at once must not both find nothing running
            if self.desk.jobs.busy(owner, kind=RACE):
                raise JobError(text.ALREADY_RUNNING)
            self.desk.jobs.resume_race(run_id)

    def exports(self, run_id: str, owner: str) -> list[tuple[str, str]]:
        """Title and name of everything that can be exported of a run."""
        folder = self.find(run_id, owner)
        kinds = [(title, kind) for kind, title in text_runs.EXPORTS.items()]
        return [*kinds, *((text_runs.LANE_EXPORT.format(label=label), LANE + lane) for label, lane in lanes(folder))]

    def export(self, run_id: str, kind: str, owner: str) -> Path:
        """Make a file of a run for the browser to fetch.

        Raises:
            RunError: There is nothing of that kind, or it cannot be read.
        """
        folder = self.find(run_id, owner)
        stem = file_stem(read_marks(folder).name or run_id)
        if kind == "report":
            return _written(f"{stem}.html", report_of(folder))
        if kind == "csv":
            summary = summarise(folder.events())
            if not summary.reports:
                raise RunError(text_runs.NO_CURVES)
            return _written(f"{stem}-curves.csv", curves_csv(summary))
        if kind.startswith(LANE):
            lane = kind.removeprefix(LANE)
            if lane not in [name for _, name in lanes(folder)]:
                raise RunError(text_runs.NO_WEIGHTS)
            return export_lane(folder, lane, place_for(f"{stem}-{lane}.zip"))
        # A run of which nothing was measured has no report and is exported all the same.
        report = report_of if summarise(folder.events()).reports else None
        return export_run(folder, place_for(f"{stem}.zip"), weights=kind != "light", report=report)

    def import_zip(self, path: Path, owner: str) -> str:
        """Make a run of an exported one and return its id.

        Raises:
            RunError: It is no such file, is damaged or too large, or there are too many runs.
        """
        limit = MAX_IMPORT_MB_SHARED if self.desk.host.public else MAX_IMPORT_MB
        if path.suffix.lower() != ".zip":
            raise RunError(text_runs.NO_ZIP.format(name=path.name[:80]))
        if (found := path.stat().st_size) > limit * 2**20:
            raise RunError(text_runs.too_large(found / 2**20, limit))
        with self._changing:
            if self.desk.host.public and len(self._mine(owner)) >= MAX_RUNS_SHARED:
                raise RunError(text_runs.too_many_runs(MAX_RUNS_SHARED))
            # Weights hardly shrink in a zip: what unpacks to much more is no run.
            made = import_run(
                self.desk.store,
                path,
                owner=owner,
                max_bytes=4 * limit * 2**20,
                local=not self.desk.host.public,
                report=report_of,
            )
            return made.path.name

    def compare(self, first: str, second: str, owner: str) -> RunComparison:
        """Two runs side by side.

        Raises:
            RunError: One of them is not there or cannot be read.
        """
        found = compare_runs(self.find(first, owner), self.find(second, owner))
        return replace(found, names=(self.line(first, owner).title, self.line(second, owner).title))

    def export_comparison(self, first: str, second: str, owner: str) -> Path:
        """The comparison as a file for the browser to fetch."""
        comparison = self.compare(first, second, owner)
        stem = file_stem("-".join(comparison.names))
        return _written(f"{stem}.csv", comparison_csv(comparison))

    def push(
        self, run_id: str, lane: str, repo: str, token: str, *, private: bool, owner: str
    ) -> Generator[Progress, None, str]:
        """Upload a lane's weights; the token is used for this alone, and there is none but the one given.

        Raises:
            ConfigError: Something is missing.
            RunError: The Hub refuses, or cannot be reached.
        """
        folder = self.find(run_id, owner)
        if lane not in [name for _, name in lanes(folder)]:
            raise ConfigError(text_runs.NO_LANE if lanes(folder) else text_runs.NO_WEIGHTS)
        if not repo.strip():
            raise ConfigError(text_runs.NO_REPO)
        if not token.strip():
            raise ConfigError(text_runs.TOKEN_MISSING)
        return push_run(folder, lane, repo.strip(), token.strip(), private=private)

    def _mine(self, owner: str) -> Sequence[RunFolder]:
        if not self.desk.host.public:
            return self.desk.store.list()
        mark = owner_mark(owner)
        mine = []
        for folder in self.desk.store.list() if mark else ():
            try:
                if manifest_of(folder).owner == mark:
                    mine.append(folder)
            except RunError:
                continue
        return mine

    def _live(self, owner: str) -> Sequence[JobView]:
        return self.desk.jobs.in_memory(owner if self.desk.host.public else None)


def lanes(folder: RunFolder) -> list[tuple[str, str]]:
    """Label and name of every lane that left weights."""
    return [(lane_label(lane), lane.name) for lane in folder.config.lanes if folder.weights(lane.name) is not None]


def file_stem(name: str) -> str:
    """A name that every disk takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "run"


def _written(name: str, content: str) -> Path:
    path = place_for(name)
    path.write_text(content, encoding="utf-8")
    return path
