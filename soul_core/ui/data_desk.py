"""What the Data tab can ask for: rows of tasks, a person's own facts, teaching them. It knows no component."""

import re
import secrets
import shutil
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from soul_core.config import RaceConfig, TeachConfig
from soul_core.data.browsing import Look, look
from soul_core.data.own_checks import LONGEST
from soul_core.data.own_columns import ColumnMapping, rows_of
from soul_core.data.own_files import Table, read_table, table_of
from soul_core.data.own_retain import BUILT_IN
from soul_core.data.own_task import Prepared, prepare, save_own_task
from soul_core.data.preview import Preview, as_the_model_sees
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.tasks import TASKS
from soul_core.errors import ConfigError, DatasetError, JobError, ModelError, RunError
from soul_core.events import Event, Progress
from soul_core.models.loading import LoadedModel, load_model
from soul_core.models.presets import PRESETS
from soul_core.models.taught import lesson_of
from soul_core.session.estimate import is_here
from soul_core.session.known import Known, measure_known, token_counter
from soul_core.session.taught import Taught, read_taught
from soul_core.session.teach import teach
from soul_core.ui import text, text_data
from soul_core.ui.desk import Desk
from soul_core.ui.host import MAX_EVAL_ROWS, MAX_NEW_TOKENS, OWN, own_folder
from soul_core.ui.questions import task_of

KNOWN, TEACH = "known", "teach"
PAGE = 20
MOST_ROWS, MOST_ROWS_SHARED = 2000, 200
MOST_EPOCHS_SHARED = 20
KEPT_SHARED = 3
"""Facts of one browser that a shared host keeps, newest first; a taught model lies beside them."""
FACTS, MODEL = "facts", "model"
_FOLDERS = re.compile(r"(?<![^:#;=])(?:[/~.][^:#;=]*|[^:#;=/]+/[^:#;=]*)/")
_KEPT_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A table of facts as it stands on the page.

    Attributes:
        columns: The names of its columns.
        rows: Its cells; rows without any text are no facts.
        parts: The column of each part of a row, by the part's name in ``ColumnMapping``.
        retain: What should stay: ``BUILT_IN`` or a task's full name.
    """

    columns: tuple[str, ...] = ("question", "answer")
    rows: tuple[tuple[str, ...], ...] = ()
    parts: Mapping[str, Any] = field(default_factory=lambda: {"question": "question", "answer": "answer"})
    retain: str = BUILT_IN

    @property
    def mapping(self) -> ColumnMapping:
        """The columns as the rows are read from them."""
        return ColumnMapping(**{part: column for part, column in self.parts.items() if column})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Facts that were kept: the id that a browser remembers, and the task."""

    id: str
    task: ForgetTask


@dataclass(frozen=True, slots=True)
class DataDesk:
    """The tab's one way to everything below it.

    ``owner`` is always the token of the browser that asks; its facts and taught models lie in a folder of its own.
    """

    desk: Desk
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[str, Known] = field(default_factory=dict)

    # The rows of tasks

    def task(self, spec: str, *, owner: str) -> ForgetTask:
        """A task by its full name, where this host allows it."""
        self.desk.host.check_task(spec, owner=owner)
        return task_of(spec)

    def look(self, spec: str, *, owner: str, **wanted: Any) -> Look:
        """A page of one of its sets; ``wanted`` are the arguments of ``browsing.look``."""
        return look(self.task(spec, owner=owner), limit=PAGE, **wanted)

    def found(self, spec: str, *, owner: str, **wanted: Any) -> list[int]:
        """The numbers of all rows that match and can be picked."""
        task = self.task(spec, owner=owner)
        numbers: list[int] = []
        while True:
            part = look(task, offset=len(numbers), limit=1000, **wanted)
            numbers += [seen.number for seen in part.rows]
            if not part.rows:
                return [number for number in numbers if number]

    def preview(self, row: QARow, model: str, *, owner: str) -> Preview:
        """A row as a model sees it.

        Raises:
            ModelError: The model is not on this machine, or cannot be used.
        """
        self.desk.host.check_model(model, owner=owner)
        if not is_here(model):
            raise ModelError(text_data.not_here(model))
        loaded = self.desk.shelf.get(model, lambda: load_model(model))
        return as_the_model_sees(loaded.tokenizer, loaded.template, row)

    # A person's own facts

    def read(self, path: Path) -> Table:
        """The table in a file, if it is not too large for the page."""
        table = read_table(path)
        self._check_size(len(table.rows))
        return table

    def prepared(self, typed: Typed, model: str = "") -> Prepared:
        """The facts with everything that was found about them; lengths only by a model that is in memory.

        Raises:
            DatasetError: There are none, too many, or what should stay cannot be had.
        """
        rows = self._rows(typed)
        count, longest = None, LONGEST
        if model in self.desk.shelf.keys():  # noqa: SIM118 - a shelf is no mapping
            count, longest = token_counter(self._loaded(model))
        self._check_retain(typed.retain)
        return prepare(rows, typed.retain, count_tokens=count, longest=longest)

    def keep(self, typed: Typed, *, owner: str) -> Kept:
        """Keep the facts as a task of this browser's own.

        Raises:
            DatasetError: They have errors, or the folder cannot be written.
        """
        prepared = self.prepared(typed)
        prepared.report.require()
        self._make_room(owner)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        kept_id = f"{stamp}-{secrets.token_hex(4)}"
        folder = self._mine(owner) / kept_id / FACTS
        title = f"{prepared.report.rows} facts"
        return Kept(id=kept_id, task=save_own_task(folder, prepared.forget, retain=prepared.kept, title=title))

    def ask(self, typed: Typed, model: str, *, owner: str) -> str:
        """Queue the question whether a model knows these; return the job's id."""
        rows = self.prepared(typed).forget
        self.desk.host.check_model(model, owner=owner)

        def work(job: list[str]) -> Generator[Event, None, None]:
            yield Progress(what="Loading the model", done=0, total=1)
            found = yield from measure_known(self._loaded(model), rows)
            self._known[job[0]] = found

        return self._submit(KNOWN, len(rows), work, owner)

    def known(self, job_id: str) -> Known | None:
        """What a job found out; None before its end, and after a restart."""
        return self._known.get(job_id)

    def teach(self, typed: Typed, config: TeachConfig, *, owner: str) -> tuple[str, str]:
        """Keep the facts and queue their teaching; return the job's id and that of the facts.

        Raises:
            ConfigError: This host does not do that much, or does not read that model.
            DatasetError: The facts have errors.
            JobError: This browser has facts taught or asked already, or the queue is full.
        """
        self.desk.host.check_model(config.model, owner=owner)
        if self.desk.host.public:
            config = config.but(eval_rows=min(config.eval_rows or MAX_EVAL_ROWS, MAX_EVAL_ROWS))
            if config.epochs > MOST_EPOCHS_SHARED:
                raise ConfigError(text.too_much_for_shared("Epochs", config.epochs, MOST_EPOCHS_SHARED))
        self._require_idle(owner)
        kept = self.keep(typed, owner=owner)
        folder = self._mine(owner) / kept.id / MODEL

        def work(job: list[str]) -> Generator[Event, None, None]:
            yield from teach(kept.task, config, folder, shelf=self.desk.shelf)

        return self._submit(TEACH, len(kept.task.forget), work, owner), kept.id

    def taught(self, kept_id: str, *, owner: str) -> Taught | None:
        """What came of a teaching; None if it did not end well, or is no longer kept."""
        folder = self._kept(kept_id, owner)
        try:
            return read_taught(folder / MODEL) if folder is not None else None
        except RunError:
            return None

    def facts(self, kept_id: str, *, owner: str) -> Typed | None:
        """The facts that were kept, as a table of questions and answers."""
        folder = self._kept(kept_id, owner)
        if folder is None or not (folder / FACTS).is_dir():
            return None
        try:
            task = task_of(f"own:{(folder / FACTS).resolve()}")
        except DatasetError:
            return None
        return Typed(rows=tuple((row.question, row.answer) for row in task.forget))

    def race_of(self, taught: Taught) -> RaceConfig:
        """The race that forgets what was taught, within the bounds of this host."""
        race = taught.race()
        return race.but(max_new_tokens=min(race.max_new_tokens, MAX_NEW_TOKENS)) if self.desk.host.public else race

    def base_of(self, model: str, *, owner: str) -> tuple[str, bool]:
        """The untouched model of a taught one, and whether it is one; of any other, the model itself."""
        lesson = lesson_of(model) if model and self.desk.host.reads(model, owner=owner) else None
        return (lesson.base, True) if lesson is not None else (model, False)

    def label(self, model: str, *, owner: str) -> str:
        """How the page calls a model; on a shared host no folder but the owner's is looked into for that."""
        return label_of(model) if model in PRESETS or self.desk.host.reads(model, owner=owner) else model

    def _rows(self, typed: Typed) -> tuple[QARow, ...]:
        if not any(cell.strip() for row in typed.rows for cell in row):
            raise DatasetError(text_data.NO_FACTS)
        table = table_of(typed.rows, typed.columns)
        self._check_size(len(table.rows))
        return rows_of(table, typed.mapping)

    def _check_size(self, rows: int) -> None:
        public = self.desk.host.public
        most = MOST_ROWS_SHARED if public else MOST_ROWS
        if rows > most:
            raise DatasetError(text_data.too_many_rows(rows, most, public=public))

    def _check_retain(self, retain: str) -> None:
        """On a shared host only what has a name there: anything else may be the path of a file."""
        if not self.desk.host.public or retain == BUILT_IN:
            return
        place, _, split = retain.rpartition(":")
        if place not in TASKS or split not in TASKS[place].splits:
            raise ConfigError(text.local_on_shared("retain set", retain))

    def _loaded(self, model: str) -> LoadedModel:
        return self.desk.shelf.get(model, lambda: load_model(model))

    def _submit(
        self, kind: str, rows: int, work: Callable[[list[str]], Generator[Event, None, None]], owner: str
    ) -> str:
        job: list[str] = []  # its id is known only when it is queued, and needed only when it runs
        with self._starting:  # two clicks at once must not both find nothing running
            self._require_idle(owner)
            job.append(self.desk.jobs.submit(kind, text_data.job_label(kind, rows), lambda: work(job), owner))
        return job[0]

    def _require_idle(self, owner: str) -> None:
        if any(self.desk.jobs.busy(owner, kind=kind) for kind in (KNOWN, TEACH)):
            raise JobError(text_data.ALREADY)

    def _mine(self, owner: str) -> Path:
        return self.desk.store.root / OWN / own_folder(owner)

    def _kept(self, kept_id: str, owner: str) -> Path | None:
        """The folder of that id; what comes from a browser never becomes a path."""
        if not owner or not _KEPT_ID.fullmatch(kept_id):
            return None
        folder = self._mine(owner) / kept_id
        return folder if folder.is_dir() else None

    def _make_room(self, owner: str) -> None:
        """On a shared host the oldest facts go, with what was taught."""
        mine = self._mine(owner)
        if self.desk.host.public and mine.is_dir():
            for folder in sorted(mine.iterdir(), reverse=True)[KEPT_SHARED - 1 :]:
                shutil.rmtree(folder, ignore_errors=True)


def label_of(model: str) -> str:
    """How the page calls a model: a taught one by what it was taught from."""
    if model in PRESETS:
        return PRESETS[model].label
    if lesson_of(model) is None:
        return model
    try:
        taught = read_taught(Path(model).expanduser())
    except RunError:
        return model
    return text_data.taught_label(label_of(taught.base), taught.facts.of)


def task_label(spec: str) -> str:
    """How the page's lists call a task: a path in its name by its last part."""
    return _FOLDERS.sub("…/", spec)


def typed_from(value: Any, parts: Mapping[str, Any] | None = None, retain: str = BUILT_IN) -> Typed:
    """From what a table component sends: headers and rows; anything in it may be missing."""
    value = value if isinstance(value, dict) else {}
    columns: Sequence[Any] = value.get("headers") or Typed().columns
    rows: Sequence[Sequence[Any]] = value.get("data") or ()
    cells = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in rows)
    return Typed(
        columns=tuple(str(column) for column in columns),
        rows=cells,
        parts=parts if parts is not None else Typed().parts,
        retain=retain or BUILT_IN,
    )
