"""The training data extraction challenge: a table of prefixes and suffixes to forget. It knows no model.

What it measures is memorization accuracy and extraction likelihood (Jang et al. 2022, arXiv:2210.01504), of each
prefix and suffix as one running text. Verified from joeljang/knowledge-unlearning: its tables are CSV files with the
columns ``doc_id``, ``corpus`` and ``text``, and a text of which the whole is learned and forgotten.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from soul_core.data.files import SUFFIXES, Columns, read_rows
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.source import TaskSource
from soul_core.data.text_files import read_text, two_paths
from soul_core.data.text_task import RETAIN_NOTE, text_task
from soul_core.errors import DatasetError

FORMATS = (*SUFFIXES, ".tsv")

_COUNT = "#"


def load_tdec(paths: str) -> ForgetTask:
    """The task that forgets a table: ``table.csv``, ``table.csv+retain.csv`` or ``table.csv#100``.

    Args:
        paths: Path of a CSV, TSV, JSON, JSON lines or Parquet file; perhaps a “+” and that of a second one to retain,
            or else a “#” and how many rows from the first are forgotten, the others being retained.

    Raises:
        DatasetError: A table cannot be read or lacks columns, a row lacks its text, or nothing is left to retain.
    """
    spec, count = _counted(paths)
    table, other = two_paths(spec)
    forget = table_rows(read_table(table), table.name)
    retain: tuple[QARow, ...] = ()
    if other is not None:
        if count is not None:
            raise DatasetError(f"“{paths}” has both a “+” and a “{_COUNT}”. Give a second file or a number of rows.")
        retain = table_rows(read_table(other), other.name)
    elif count is not None:
        if not 0 < count < len(forget):
            raise DatasetError(
                f"{table.name} has {len(forget)} rows, of which {count} cannot be forgotten and the others retained. "
                f"Write a smaller number, at least 1, behind “{_COUNT}”, or leave it out."
            )
        forget, retain = forget[:count], forget[count:]
    subjects = tuple(dict.fromkeys(row.subject for row in forget if row.subject))
    return text_task(f"{SOURCE.name}:{paths.strip()}", forget, retain, subjects=subjects)


def read_table(path: Path) -> list[Columns]:
    """The rows of a CSV, TSV, JSON, JSON lines or Parquet file, each by the names of its columns.

    Raises:
        DatasetError: The file cannot be read or is none of these.
    """
    if path.suffix not in FORMATS:
        raise DatasetError(f"{path.name} is no table that is read here. Choose one of {', '.join(FORMATS)}.")
    if path.suffix == ".tsv":
        return _tabbed(path)
    if path.suffix != ".parquet":
        # It says more clearly than a parser what is wrong with a file that is no text.
        read_text(path)
    return read_rows(path)


def table_rows(table: Iterable[Columns], name: str) -> tuple[QARow, ...]:
    """The rows of a table as running texts: prefix and suffix, or else a text without a prefix.

    Args:
        table: Rows with ``prefix`` and ``suffix``, or with ``text``; ``corpus`` becomes the subject and ``doc_id``
            the fact. Other columns are passed over, and capitals in their names do not matter.
        name: What the table is called in messages.

    Raises:
        DatasetError: The columns are not there, a row lacks its text, or there is no row.
    """
    rows = [_row(columns, name, number) for number, columns in enumerate(table, start=1)]
    if not rows:
        raise DatasetError(f"{name} has no rows. Add some, or choose another table.")
    return tuple(rows)


def _row(columns: Columns, name: str, number: int) -> QARow:
    # The csv module puts what a row has beyond its header under None.
    fields = {key.strip().lower(): value for key, value in columns.items() if isinstance(key, str)}
    paired = "prefix" in fields and "suffix" in fields
    if not paired and "text" not in fields:
        found = ", ".join(key for key in columns if isinstance(key, str)) or "none"
        raise DatasetError(
            f"{name} has neither the columns “prefix” and “suffix” nor the column “text” (columns found: {found}). "
            "Rename its columns."
        )
    required = "suffix" if paired else "text"
    for column in ("prefix", "suffix") if paired else ("text",):
        value = fields[column]
        if (value is not None and not isinstance(value, str)) or (column == required and not (value or "").strip()):
            raise DatasetError(f"Row {number} of {name} has no text as “{column}”. Write one, or remove the row.")
    return QARow(
        question=(fields["prefix"] or "") if paired else "",
        answer=fields[required],
        subject=_label(fields.get("corpus")),
        fact=_label(fields.get("doc_id")),
        form="text",
    )


def _label(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""


def _counted(paths: str) -> tuple[str, int | None]:
    """The path or paths, and the number behind a last “#”; a “#” that no number follows belongs to a name."""
    spec, sign, number = paths.strip().rpartition(_COUNT)
    if sign and number.isdecimal() and not Path(paths.strip()).expanduser().is_file():
        return spec, int(number)
    return paths, None


def _tabbed(path: Path) -> list[Columns]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), delimiter="\t", strict=True)
    try:
        return list(reader)
    except csv.Error as error:
        raise DatasetError(
            f"Line {reader.line_num} of {path.name} is not in columns separated by tabs ({error}). Export it again."
        ) from error


SOURCE = TaskSource(
    name="tdec",
    title="Training data extraction",
    description="A table of prefixes and suffixes that a model can say by heart, after Google's Training Data "
    f"Extraction Challenge. {RETAIN_NOTE}",
    licence="yours",
    size="as large as your file",
    measures=("memorization accuracy (MA)", "extraction likelihood (EL)", "extraction strength", "perplexity"),
    splits=(),
    origin="a table of yours with the columns prefix and suffix, or text",
    load=load_tdec,
    free="the path of a table, such as “path/to/table.csv”, and perhaps “+” and one to retain, or “#100” to forget "
    "its first 100 rows and retain the others",
)
