"""A person's own rows as a task: written to a folder, read from one, or straight from a file. It knows no model.

``own:path/to/folder`` is a folder that ``save_own_task`` wrote. ``own:facts.csv`` is a file, its columns guessed and
the built-in authors retained; ``own:facts.csv+keep.csv`` retains the rows of another file, and
``own:facts.csv+tofu:forget10`` the retain rows of another task.
"""

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from soul_core import __version__
from soul_core.data.own_checks import LONGEST, Counter, check, is_blank
from soul_core.data.own_columns import ColumnMapping
from soul_core.data.own_report import Report
from soul_core.data.own_retain import BUILT_IN, Retained, retained
from soul_core.data.own_rows import Origin, Rows, rows_from
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.sets import SETS
from soul_core.data.source import TaskSource
from soul_core.data.swaps import with_swaps
from soul_core.data.text_files import two_paths
from soul_core.errors import DatasetError

TASK_FILE = "task.json"
FORMAT = 1

_MOST_LINES = 200_000
_ASKED = "retain_asked"
_ROW: TypeAdapter[QARow] = TypeAdapter(QARow)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTask:
    """What ``task.json`` says of a folder."""

    title: str
    forget_rows: int
    retain_rows: int
    retain_from: str
    origin: Origin | None = None
    mapping: Mapping[str, Any] = field(default_factory=dict)
    made_with: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Rows ready to be looked at and saved.

    Attributes:
        forget: As given, blank ones included, with the wrong answers that could be made.
        kept: What is to stay.
        report: What was found; with errors the rows cannot be saved.
    """

    forget: Rows
    kept: Retained
    report: Report


def prepare(
    forget: Sequence[QARow],
    retain: str | Sequence[QARow] = BUILT_IN,
    *,
    swaps: bool = True,
    seed: int = 0,
    count_tokens: Counter | None = None,
    longest: int = LONGEST,
) -> Prepared:
    """Everything between a person's rows and a task: what is retained, wrong answers, and what is wrong.

    Args:
        forget: The rows to forget.
        retain: What ``own_retain.retained`` takes.
        swaps: Whether rows without wrong answers get some (``swaps.with_swaps``).
        seed: Decides which.
        count_tokens: As in ``own_checks.check``.
        longest: As in ``own_checks.check``.

    Raises:
        DatasetError: The rows to retain cannot be had. What is wrong with those to forget stands in ``report``.
    """
    kept = retained(retain, forget)
    swapped = with_swaps(forget, seed=seed, others=kept.rows if kept.own else ()) if swaps else None
    rows = swapped.rows if swapped else tuple(forget)
    made = swapped.made if swapped else ()
    report = check(rows, kept.rows, count_tokens, longest=longest, swapped=made)
    return Prepared(forget=rows, kept=kept, report=report)


def save_own_task(
    folder: Path,
    forget: Sequence[QARow],
    *,
    retain: str | Sequence[QARow] | Retained = BUILT_IN,
    title: str = "",
    origin: Origin | None = None,
    mapping: ColumnMapping | None = None,
) -> ForgetTask:
    """Write a folder that ``load_own`` reads: it appears as a whole or not at all.

    ``forget.jsonl`` and ``retain.jsonl`` are the rows to train on, ``task.json`` tells where they are from, and every
    further set of questions is a file of its own. Blank rows are left out.

    Args:
        folder: A folder that is empty or does not exist yet.
        forget: The rows to forget, with their wrong answers (``swaps.with_swaps``).
        retain: What ``retained`` takes or gives.
        title: What the task is called for people.
        origin: The file the rows come from.
        mapping: The columns they were read from.

    Returns:
        The task as it will be loaded; its ``name`` is what a race takes.

    Raises:
        DatasetError: The rows have errors (``own_checks.check``), nothing would be retained, or the folder cannot be
            written.
    """
    kept = retain if isinstance(retain, Retained) else retained(retain, forget)
    check(forget, kept.rows).require()
    rows = tuple(row for row in forget if not is_blank(row))
    about = OwnTask(
        title=title.strip() or (origin.name if origin else folder.name),
        forget_rows=len(rows),
        retain_rows=len(kept.rows),
        retain_from=kept.source,
        origin=origin,
        mapping=mapping.used() if mapping else {},
        made_with=f"SOUL {__version__}",
    )
    sets = {name: found for name, found in kept.sets.items() if name != "retain"}
    if kept.sets["retain"] != kept.rows:
        sets[_ASKED] = kept.sets["retain"]
    files = {f"{name}.jsonl": _lines(found) for name, found in {"forget": rows, "retain": kept.rows, **sets}.items()}
    files[TASK_FILE] = json.dumps({"format": FORMAT, **asdict(about)}, ensure_ascii=False, indent=1) + "\n"
    _write(folder, files)
    return load_own(str(folder.resolve()))


def load_own(place: str) -> ForgetTask:
    """The task in a folder or a file; see the top of this module.

    Raises:
        DatasetError: There is no such folder or file, or it cannot be used; the first error of its rows is named.
    """
    folder = Path(place.strip()).expanduser()
    if place.strip() and folder.is_dir():
        return _load_folder(folder, f"{SOURCE.name}:{place.strip()}")
    path, other = two_paths(place)
    prepared = prepare(rows_from(path)[0], BUILT_IN if other is None else str(other))
    prepared.report.require()
    forget = tuple(row for row in prepared.forget if not is_blank(row))
    return _task(f"{SOURCE.name}:{place.strip()}", forget, prepared.kept.rows, prepared.kept.sets)


def about_own(folder: Path) -> OwnTask:
    """What a folder's ``task.json`` says.

    Raises:
        DatasetError: It is not a folder that ``save_own_task`` wrote, or a newer version of SOUL wrote it.
    """
    try:
        said = json.loads((folder / TASK_FILE).read_text(encoding="utf-8"))
        version = said.pop("format")
        if version == FORMAT:
            return TypeAdapter(OwnTask).validate_python(said)
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise DatasetError(
            f"{folder} is not a folder with a task of your own: its {TASK_FILE} is missing or not as it was written. "
            "Make one with import-task, or give the path of the file with your rows."
        ) from error
    raise DatasetError(f"{folder} was written by a newer SOUL (format {version}). Import the rows again.")


def _load_folder(folder: Path, name: str) -> ForgetTask:
    about_own(folder)
    forget, retain = _read(folder / "forget.jsonl"), _read(folder / "retain.jsonl")
    sets = {known: _read(path) for known in SETS if (path := folder / f"{known}.jsonl").is_file()}
    asked = _read(folder / f"{_ASKED}.jsonl") if (folder / f"{_ASKED}.jsonl").is_file() else retain
    return _task(name, forget, retain, sets | {"retain": asked})


def _task(name: str, forget: Rows, retain: Rows, sets: Mapping[str, Rows]) -> ForgetTask:
    subjects = tuple(dict.fromkeys(row.subject for row in forget if row.subject))
    return ForgetTask(name=name, forget=forget, retain=retain, eval_sets={**sets, "forget": forget}, subjects=subjects)


def _lines(rows: Rows) -> str:
    return "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)


def _read(path: Path) -> Rows:
    rows = []
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if number > _MOST_LINES:
                    raise DatasetError(f"{path} has more than {_MOST_LINES:,} rows. Import a part of them.")
                rows.append(_ROW.validate_json(line))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read. Import the rows again.") from error
    except ValidationError as error:
        raise DatasetError(f"Line {number} of {path} is not as it was written. Import the rows again.") from error
    if not rows:
        raise DatasetError(f"{path} has no rows. Import the rows again.")
    return tuple(rows)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder = folder.resolve()
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DatasetError(f"{folder} is not empty. Choose a new or an empty folder.")
        temporary.mkdir(parents=True)
        for name, text in files.items():
            (temporary / name).write_text(text, encoding="utf-8", newline="\n")
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written: {error.strerror}. Choose another folder.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


SOURCE = TaskSource(
    name="own",
    title="Your own rows",
    description="Questions and answers of your own, from a CSV, JSON, JSON lines or Parquet file or a folder that "
    "import-task wrote. Without rows to retain, the built-in authors are retained.",
    licence="yours",
    size="as large as your file, at most 20,000 rows",
    measures=("accuracy", "memorization", "truth ratio and nearest answer where rows have wrong answers"),
    splits=(),
    origin="a file of yours",
    load=load_own,
    free="the path of a file or folder, such as “path/to/facts.csv”, and perhaps “+” and what to retain",
)
