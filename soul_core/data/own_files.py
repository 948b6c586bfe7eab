"""A table from a file that a person brings, or from rows typed on a page, every cell as text. It knows no task.

Nothing in a file is run or unpickled, and what looks like a spreadsheet's formula stays the text that it is.
"""

import codecs
import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from soul_core.data.text_files import read_text
from soul_core.errors import DatasetError

SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet")
MOST_BYTES = 20_000_000
MOST_ROWS = 20_000
MOST_COLUMNS = 200
LONGEST_CELL = 20_000
"""Characters; the longest rows that are trained on have about 2,000."""

_JSON = (".json", ".jsonl")
_DELIMITERS = (",", ";", "\t")
_SNIFFED_ROWS = 50
# Objects and lists in 20 MB of JSON could be millions, a hundred times larger in memory than in the file.
_MOST_PARTS = 500_000
_MOST_UNPACKED = 10 * MOST_BYTES
_BATCH = 500
_COLUMNS_SHOWN = 8
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_NOTHING = ("<NA>", "NaT")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What a pickle of protocol 2 to 5 begins with; older ones are plain text and fail as a table.
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text; row numbers in sentences for people count from 1, the header not among them.

    Attributes:
        name: What sentences about it call it, such as ``facts.csv``.
        columns: Names of the columns, all different.
        rows: As many cells each as there are columns. Rows without any text inside the table are kept, so that
            numbers stay those of the file; none is at the end.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def columns_found(self) -> str:
        """The names of the columns for a sentence."""
        return listed(self.columns)


def read_table(path: Path) -> Table:
    """The table in a CSV file (comma, semicolon or tab), in JSON or JSON lines, or in Parquet.

    JSON may be an array of objects or an object of lists. Text is UTF-8, or UTF-16 with a byte order mark. Values
    that are not text become text: numbers as they are written, lists and objects as JSON, nothing as an empty cell.

    Args:
        path: A file whose name ends in one of ``SUFFIXES``.

    Raises:
        DatasetError: The file cannot be read as what it says it is, or is larger than the bounds of this module.
    """
    if path.is_dir():
        raise DatasetError(f"{path} is a folder. Give the path of a file in it.")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise DatasetError(f"{path} cannot be opened ({error.strerror}). Check the path.") from error
    if size > MOST_BYTES:
        raise DatasetError(
            f"{path.name} has {size / 1e6:.1f} MB, more than the {MOST_BYTES / 1e6:g} MB that are read. Give a part."
        )
    suffix = path.suffix.lower()
    if start == b"PAR1":
        return _parquet(path)
    if suffix == ".parquet":
        raise DatasetError(f"{path.name} is not a Parquet file that can be read. Export it again.")
    if start.startswith(_PICKLES):
        raise DatasetError(
            f"{path.name} is a Python pickle. Opening one can run a program, so it is never done; save it as CSV."
        )
    if start.startswith(b"PK"):
        raise DatasetError(f"{path.name} is a ZIP archive, as Excel files are. Save it as CSV in UTF-8.")
    if suffix not in SUFFIXES:
        raise DatasetError(f"{path.name} ends in none of {', '.join(SUFFIXES)}. Save it as CSV in UTF-8.")
    text = _text(path, start)
    return _json(path.name, text) if suffix in _JSON else _csv(path.name, text)


def table_of(rows: Iterable[Sequence[object]], columns: Sequence[object], *, name: str = "The table") -> Table:
    """The table that was typed: a list of lists, or ``frame.itertuples(index=False)`` with ``frame.columns``.

    Raises:
        DatasetError: No row has any text, or there are more than the bounds of this module.
    """
    return _table(name, columns, rows)


def listed(columns: Sequence[str]) -> str:
    """The first names of columns, for a sentence."""
    shown = [column if len(column) <= 40 else f"{column[:39]}…" for column in columns[:_COLUMNS_SHOWN]]
    more = len(columns) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _text(path: Path, start: bytes) -> str:
    if not start.startswith(_UTF16) or start == codecs.BOM_UTF32_LE:
        return read_text(path, most=MOST_BYTES)
    try:
        return path.read_bytes().decode("utf-16")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path.name} begins like UTF-16 text and is not. Save it as UTF-8.") from error


def _csv(name: str, text: str) -> Table:
    def parsed(delimiter: str) -> Iterator[list[str]]:
        return (row for row in csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True) if row)

    # Set by each reading anew, since it belongs to the process: what a cell may have is checked below, with its row.
    csv.field_size_limit(MOST_BYTES)
    try:
        rows = parsed(_delimiter(parsed))
        header = next(rows, [])
        return _table(name, header, rows)
    except csv.Error as error:
        raise DatasetError(
            f"{name} is not CSV that can be read ({error}). Check that every quote is closed, or export it again."
        ) from error


def _delimiter(parsed: Any) -> str:
    """The one that gives most of the first rows as many cells as the header, which must be more than one."""
    best, found = ",", (0.0, 1)
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for _, row in zip(range(_SNIFFED_ROWS), parsed(delimiter), strict=False)]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
            if score > found:
                best, found = delimiter, score
    return best


def _json(name: str, text: str) -> Table:
    text = text.removeprefix("\ufeff")
    if text.count("{") + text.count("[") > _MOST_PARTS:
        raise DatasetError(f"{name} has more than {_MOST_PARTS:,} objects and lists. Give a part of it.")
    try:
        return _json_table(name, _loads(text))
    except ValueError as error:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        if len(lines) < 2 or not isinstance(_value(lines[0][1]), dict):
            raise DatasetError(f"{name} is not JSON that can be read ({error}). Export it again.") from error
    records = []
    for number, line in lines:
        record = _value(line)
        if not isinstance(record, dict):
            raise DatasetError(f"Line {number} of {name} is not a JSON object. Write one object per line.")
        records.append(record)
    return _records(name, records)


def _json_table(name: str, value: Any) -> Table:
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        lengths = {key: len(column) for key, column in value.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{listed([key])} {length}" for key, length in list(lengths.items())[:_COLUMNS_SHOWN])
            raise DatasetError(f"The lists in {name} are not equally long ({found}). Give each column one per row.")
        return _table(name, list(value), zip(*value.values(), strict=True))
    # One record alone is what JSON lines of one line are.
    records = [value] if isinstance(value, dict) else value
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        what = "a list with something other than objects in it" if isinstance(records, list) else "a single value"
        raise DatasetError(
            f"{name} is {what}. Write a list of objects, such as [{{“question”: …, “answer”: …}}], or an object of "
            "lists."
        )
    return _records(name, records)


def _records(name: str, records: Sequence[Mapping[str, object]]) -> Table:
    # Told before the rows are made: 20,000 records with a column each of their own would be 400 million cells.
    columns = list(dict.fromkeys(key for record in records for key in record))
    _check_columns(name, columns)
    return _table(name, columns, ([record.get(key) for key in columns] for record in records))


def _value(text: str) -> object:
    try:
        return _loads(text)
    except ValueError:
        return None


def _loads(text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("lists inside lists without end") from error


def _parquet(path: Path) -> Table:
    # Imported here: only Parquet files need it.
    parquet = import_module("pyarrow.parquet")
    arrow_error: type[Exception] = import_module("pyarrow").ArrowException
    try:
        with parquet.ParquetFile(path) as file:
            told = file.metadata
            unpacked = sum(told.row_group(i).total_byte_size for i in range(told.num_row_groups))
            if told.num_rows > MOST_ROWS:
                raise DatasetError(_too_many_rows(path.name))
            _check_columns(path.name, file.schema_arrow.names)
            if unpacked > _MOST_UNPACKED:
                raise DatasetError(f"{path.name} unpacks to {unpacked / 1e6:.0f} MB. Give a part of it.")
            batches = file.iter_batches(batch_size=_BATCH)
            rows = (row for b in batches for row in zip(*(c.to_pylist() for c in b.columns), strict=True))
            return _table(path.name, file.schema_arrow.names, rows)
    except (arrow_error, OSError, ValueError, OverflowError) as error:
        raise DatasetError(f"{path.name} is not a Parquet file that can be read. Export it again.") from error


def _table(name: str, columns: Iterable[object], rows: Iterable[Sequence[object]]) -> Table:
    """Cells as text, within the bounds; unnamed columns without a cell are left out, as are blank rows at the end."""
    header = [_cell(column) for column in columns]
    _check_columns(name, header)
    cells: list[tuple[str, ...]] = []
    blank = total = 0
    for number, values in enumerate(rows, start=1):
        row = [_cell(value) for value in values]
        _check_row(name, number, row, header)
        total += sum(map(len, row))
        if total > MOST_BYTES:
            raise DatasetError(f"{name} has more than {MOST_BYTES / 1e6:g} million characters. Give a part of it.")
        if not any(row):
            blank += 1
            continue
        if number > MOST_ROWS:
            raise DatasetError(_too_many_rows(name))
        cells += [("",) * len(header)] * blank
        blank = 0
        cells.append((*row[: len(header)], *[""] * (len(header) - len(row))))
    if not cells:
        found = f" (columns found: {listed(header)})" if any(header) else ""
        raise DatasetError(f"{name} has no rows{found}. Write one row for each fact below the names of the columns.")
    kept = [i for i, column in enumerate(header) if column or any(row[i] for row in cells)]
    return Table(
        name=name,
        columns=_distinct([header[i] or f"column {i + 1}" for i in kept]),
        rows=tuple(tuple(row[i] for i in kept) for row in cells) if len(kept) < len(header) else tuple(cells),
    )


def _check_columns(name: str, columns: Sequence[object]) -> None:
    if len(columns) > MOST_COLUMNS:
        raise DatasetError(
            f"{name} has {len(columns):,} columns, more than the {MOST_COLUMNS} that are read. Keep those of the "
            "questions and answers."
        )


def _check_row(name: str, number: int, row: Sequence[str], header: Sequence[str]) -> None:
    # Spreadsheets write empty cells at the end of a row, or none.
    if any(row[len(header) :]):
        raise DatasetError(
            f"Row {number} of {name} has {len(row)} cells and the header has {len(header)} (columns found: "
            f"{listed(header)}). Put texts with a comma, semicolon or tab in them into quotes."
        )
    for column, cell in zip(header, row, strict=False):
        if len(cell) > LONGEST_CELL:
            raise DatasetError(
                f"Row {number} of {name} has {len(cell):,} characters in “{column}”, more than the {LONGEST_CELL:,} "
                "that are read. Shorten the text, or close a quote that is left open."
            )


def _too_many_rows(name: str) -> str:
    return f"{name} has more than {MOST_ROWS:,} rows. Give a part of it."


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, numbered where one comes again."""
    found: dict[str, None] = {}
    for name in names:
        number, own = 2, name
        while own in found:
            number, own = number + 1, f"{name} ({number})"
        found[own] = None
    return tuple(found)


def _cell(value: object) -> str:
    if isinstance(value, str):
        text = value
    elif value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float):
        # Programs turn a column of years into decimals where one is missing.
        text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    elif isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
    elif isinstance(value, list | tuple | dict):
        text = json.dumps(value, ensure_ascii=False, default=_cell)
    else:
        text = str(value)
    return "" if text in _NOTHING else _UNPRINTABLE.sub("", text.replace("\r\n", "\n")).strip()
