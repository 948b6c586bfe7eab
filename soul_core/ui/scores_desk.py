"""What the Scores tab can ask for: runs, their rows, scoring, imported logs, differences. It knows no component."""

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from soul_core.config import LaneConfig, ScoreConfig
from soul_core.errors import ConfigError, DatasetError, JobError, RunError, SoulError
from soul_core.evaluation.card import Scorecard
from soul_core.evaluation.intervals import paired_difference
from soul_core.evaluation.tables import Row, comparable, plain, scope_of
from soul_core.evaluation.tofu_log import read_tofu_log, scorecard_of_log
from soul_core.evaluation.views import column_of
from soul_core.events import Event, Progress
from soul_core.objectives import OBJECTIVES
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import owner_mark
from soul_core.runs.marks import read_marks
from soul_core.runs.scores import ScoreFolder, ScoresRead, imported_scores, scores_of
from soul_core.session.score import score_run
from soul_core.ui import text, text_runs, text_scores
from soul_core.ui.data_desk import task_label
from soul_core.ui.desk import Desk

SCORE = "score"
LISTED = 50
"""Runs looked at, newest first."""
MOST_IMPORTED = 40
REFERENCES = ("original", "gold")
_STAGES, _SLOW_STAGES = 2, 3  # the passes of one model, and those that slow metrics add


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRun:
    """One run that can be scored, as the list shows it."""

    id: str
    label: str
    scored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a table and what went wrong while they were read."""

    rows: tuple[Row, ...] = ()
    troubles: tuple[str, ...] = ()

    def find(self, row_id: str) -> Row | None:
        """A row by its id."""
        return next((row for row in self.rows if row.id == row_id), None)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is remembered of a job: the runs it scores, and what it could not do."""

    folders: Sequence[RunFolder]
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ScoresDesk:
    """The tab's one way to everything below it.

    ``owner`` is always the token of the browser that asks. On a shared host it sees its own runs and logs alone; on
    one's own machine everything below the root of the runs.
    """

    desk: Desk
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _jobs: dict[str, _Job] = field(default_factory=dict)

    def runs(self, owner: str) -> list[ScoredRun]:
        """Runs that have ended and left something to score, newest first."""
        return [
            ScoredRun(id=folder.path.name, label=_label(folder), scored=bool(_signature(scores_of(folder.path))))
            for folder in self._folders(owner)
        ]

    def rows(self, run_ids: Sequence[str], owner: str) -> Rows:
        """Original, gold and every method of these runs, then imported logs. Equal references are told once."""
        found: list[Row] = []
        mine = self._mine(run_ids, owner)
        troubles: list[str] = [text_runs.PICKED_GONE] if len(mine) < len(set(run_ids)) else []
        for folder in mine:
            read = _read(scores_of(folder.path))
            troubles += read.troubles
            found += _rows_of(folder, read.cards)
        found.sort(key=lambda row: REFERENCES.index(row.kind) if row.kind in REFERENCES else len(REFERENCES))
        logs = _read(self._imported(owner))
        found += [
            Row(
                id=_imported_id(name), label=plain(name), kind="imported", card=card, origin=text_scores.IMPORTED_BADGE
            )
            for name, card in logs.cards.items()
        ]
        return Rows(rows=tuple(_placed(list(_once(found)))), troubles=(*troubles, *logs.troubles))

    def start(self, run_ids: Sequence[str], config: ScoreConfig, *, owner: str) -> str:
        """Queue the scoring of these runs; return the job's id.

        Raises:
            ConfigError: No run is chosen, or this host does not do that much.
            JobError: This browser is scoring already, or the queue is full.
        """
        folders = self._mine(run_ids, owner)
        if not folders:
            raise ConfigError(text_scores.NOT_YOURS if run_ids else text_scores.NOTHING_CHOSEN)
        self.desk.host.check_scoring(config, runs=len(folders))
        for folder in folders:
            self.desk.host.check(folder.config, owner=owner)
        job = _Job(folders)
        with self._starting:  # two clicks at once must not both find nothing running
            if self.desk.jobs.busy(owner, kind=SCORE):
                raise JobError(text_scores.ALREADY_SCORING)
            job_id = self.desk.jobs.submit(
                SCORE, text_scores.job_label(len(folders)), lambda: self._score(job, config), owner
            )
        self._jobs[job_id] = job
        return job_id

    def written(self, job_id: str) -> int:
        """A number that changes whenever a scorecard of the job's runs is written."""
        job = self._jobs.get(job_id)
        return hash(tuple(_signature(scores_of(folder.path)) for folder in job.folders)) if job else 0

    def said(self, job_id: str) -> tuple[str, ...]:
        """Which models a job could not score, and why."""
        job = self._jobs.get(job_id)
        return tuple(job.said) if job else ()

    def import_log(self, path: Path, gold: Path | None, name: str, *, owner: str) -> str:
        """Make a row of a log in TOFU's layout and keep it; return its name.

        Raises:
            DatasetError: A file is no such log, or is larger than this host takes.
            ConfigError: There are too many imported rows.
        """
        for file in (path, gold):
            if file is not None:
                self.desk.host.check_log(file.stat().st_size)
        folder = self._imported(owner)
        taken = _read(folder).cards
        if len(taken) >= MOST_IMPORTED:
            raise ConfigError(text_scores.too_many_imports(MOST_IMPORTED))
        wanted = plain(name) or plain(path.stem) or "log"
        free = (wanted if at == 1 else f"{wanted} ({at})" for at in range(1, MOST_IMPORTED + 2))
        chosen = next(one for one in free if one not in taken)
        gold_log = read_tofu_log(gold) if gold is not None else None
        folder.write(scorecard_of_log(read_tofu_log(path), gold_log, name=chosen))
        return chosen

    def remove_log(self, name: str, *, owner: str) -> Scorecard:
        """Take an imported row away and return it, so that it can be put back.

        Raises:
            RunError: There is no such row.
        """
        folder = self._imported(owner)
        card = folder.read(name)
        folder.remove(name)
        return card

    def put_back(self, card: Scorecard, *, owner: str) -> None:
        """Keep a row again that was taken away."""
        self._imported(owner).write(card)

    def logs(self, owner: str) -> list[str]:
        """Names of the imported rows."""
        return list(_read(self._imported(owner)).cards)

    def _imported(self, owner: str) -> ScoreFolder:
        folder = imported_scores(self.desk.store.root)
        return ScoreFolder(folder.path / (owner_mark(owner)[:32] or "nobody")) if self.desk.host.public else folder

    def _mine(self, run_ids: Sequence[str], owner: str) -> list[RunFolder]:
        """These runs as far as this browser may see them: what it sends is a wish."""
        wanted = set(run_ids)
        return [folder for folder in self._folders(owner) if folder.path.name in wanted]

    def _folders(self, owner: str) -> list[RunFolder]:
        mark = owner_mark(owner)
        found = []
        for folder in self.desk.store.list()[:LISTED]:
            try:
                mine = not self.desk.host.public or (mark and folder.manifest().owner == mark)
                if mine and (folder.done or (_left_something(folder) and not self.desk.alive(folder.path.name))):
                    found.append(folder)
            except RunError:
                continue
        return found

    def _score(self, job: _Job, config: ScoreConfig) -> Generator[Event, None, None]:
        runs = len(job.folders)
        for place, folder in enumerate(job.folders):
            scoring = score_run(folder, config, shelf=self.desk.shelf)
            labels = {lane.name: lane_label(lane) for lane in folder.config.lanes}
            models = 1 + len(labels) + bool(folder.manifest().gold)
            stages = _STAGES + (_SLOW_STAGES if config.slow else 0)
            read = yield from _overall(
                scoring, labels, models=models, stages=stages, before=place / runs, share=1 / runs
            )
            job.said.extend(read.troubles)


def lane_label(lane: LaneConfig) -> str:
    """A lane as a table calls it: with its objective, as papers do, where its own name is only its optimizer's."""
    if lane.label != text.LANE_LABELS.get(lane.name):
        return lane.label
    entry = OBJECTIVES.get(lane.objective.name)
    return f"{lane.label}-{entry.label if entry else lane.objective.name}"


def difference_of(first: Row, second: Row, key: str) -> str:
    """The paired difference of two rows in sentences.

    Raises:
        ConfigError: They are one row, or were not asked the same rows.
        DatasetError: That number has no rows to compare.
    """
    if first.id == second.id:
        raise ConfigError(text_scores.SAME_ROW)
    if not comparable(first, second):
        raise ConfigError(text_scores.OTHER_ROWS.format(first=first.label, second=second.label))
    column = column_of(key)
    if column is None:
        raise DatasetError(text_scores.COMPARE_EMPTY)
    found = paired_difference(first.card.per_row.get(key, ()), second.card.per_row.get(key, ()))
    return text_scores.difference(
        first.label,
        second.label,
        column.full_title,
        mean=found.mean,
        low=found.low,
        high=found.high,
        rows=found.rows,
        digits=column.about.digits,
        better=column.better,
    )


def pairable_keys(first: Row, second: Row) -> list[str]:
    """Numbers that both rows have for every row asked."""
    return [key for key in first.card.per_row if key in second.card.per_row and column_of(key) is not None]


def _overall(
    scoring: Generator[Progress | Scorecard, None, ScoresRead],
    labels: Mapping[str, str],
    *,
    models: int,
    stages: int,
    before: float,
    share: float,
) -> Generator[Event, None, ScoresRead]:
    """The scoring of one run as parts of the whole job, so that its bar never falls back."""
    done: list[str] = []
    seen: list[str] = []
    while True:
        try:
            step = next(scoring)
        except StopIteration as stop:
            read: ScoresRead = stop.value
            return read
        if isinstance(step, Scorecard):
            continue
        if step.lane not in done:
            done.append(step.lane)
            seen = []
        if step.total > 1 and step.what not in seen:
            seen.append(step.what)
        within = (len(seen) - 1 + step.done / step.total) / stages if seen else 0.0
        part = min(1.0, (len(done) - 1 + min(1.0, within)) / models)
        label = labels.get(step.lane) or text.LANE_LABELS.get(step.lane, step.lane)
        yield replace(step, lane=label, done=round(1000 * (before + share * part)), total=1000)


def _rows_of(folder: RunFolder, cards: Mapping[str, Scorecard]) -> Iterator[Row]:
    config = folder.config
    where = _when(folder)
    run = folder.path.name
    for name in REFERENCES:
        if name in cards:
            label = text.LANE_LABELS[name]
            yield Row(id=f"{run}-{name}", label=label, kind=name, card=cards[name])  # type: ignore[arg-type]
    for lane in config.lanes:
        if lane.name in cards:
            label = plain(lane_label(lane))
            yield Row(id=f"{run}-{lane.name}", label=label, kind="method", card=cards[lane.name], origin=where)


def _once(rows: Sequence[Row]) -> Iterator[Row]:
    """Rows without the references that an earlier run has as well: the same weights asked the same rows."""
    told: set[tuple[str, str, str]] = set()
    for row in rows:
        same = (row.kind, row.card.fingerprint, scope_of(row.card))
        if row.kind not in REFERENCES or not row.card.fingerprint or same not in told:
            yield row
        told.add(same)


def _placed(rows: Sequence[Row]) -> Iterator[Row]:
    """Rows with their looks: a lane keeps the one it has in its race, unless another run's lane has it too."""
    lanes = [row.card.model for row in rows if row.kind != "imported"]
    place = 0
    for row in rows:
        if row.kind == "imported":
            yield row
            continue
        yield replace(
            row,
            lane=row.card.model if row.kind in REFERENCES or lanes.count(row.card.model) == 1 else "",
            position=place,
        )
        place += row.kind == "method"


def _label(folder: RunFolder) -> str:
    config = folder.config
    lanes = ", ".join(lane_label(lane) for lane in config.lanes)
    return text_scores.run_label(
        _when(folder), plain(task_label(config.task)), plain(lanes), scored=bool(_signature(scores_of(folder.path)))
    )


def _when(folder: RunFolder) -> str:
    moment = datetime.fromisoformat(folder.manifest().created)
    when, name = f"{moment.day} {moment:%b %H:%M}", plain(read_marks(folder).name)
    return f"{name} · {when}" if name else when


def _left_something(folder: RunFolder) -> bool:
    return any(folder.weights(lane.name) for lane in folder.config.lanes)


def _imported_id(name: str) -> str:
    return f"imported-{name}"


def _signature(folder: ScoreFolder) -> tuple[tuple[str, int], ...]:
    """What is there, in a form that changes with it; empty where nothing is."""
    try:
        return tuple((str(path), path.stat().st_mtime_ns) for path in sorted(folder.path.glob("*.json")))
    except OSError:
        return ()


def _read(folder: ScoreFolder) -> ScoresRead:
    try:
        return _read_once(folder.path, _signature(folder))
    except SoulError as error:
        return ScoresRead(troubles=(str(error),))


@lru_cache(maxsize=128)
def _read_once(path: Path, _signature: tuple[tuple[str, int], ...]) -> ScoresRead:
    """Scorecards are read again only when a file has changed: the table is drawn at every click."""
    return ScoreFolder(path).read_all()
