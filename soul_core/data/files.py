"""Rows from one file: JSON lines, a JSON array, CSV or Parquet. It knows no data set and no task."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

from soul_core.errors import DatasetError

SUFFIXES = (".json", ".jsonl", ".csv", ".parquet")
MOST_BYTES = 2 * 1024**3
MOST_ROWS = 200_000
_LONGEST_CELL = 64 * 1024**2
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

Columns = Mapping[str, Any]


def read_rows(path: Path, limit: int | None = None) -> list[Columns]:
    """The rows of a file, told apart by its ending.

    Args:
        path: A file that ends in one of ``SUFFIXES``.
        limit: Only so many rows from the top; all of them without it.

    Raises:
        DatasetError: The file cannot be read as what its name says, or is larger than ``MOST_BYTES``.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be opened ({error.strerror}). Check the path.") from error
    if size > MOST_BYTES:
        raise DatasetError(
            f"{path.name} has {size / 1024**3:.1f} GB and at most {MOST_BYTES // 1024**3} are read. Divide it."
        )
    kinds = {".parquet": _parquet, ".csv": _csv}
    return bounded(kinds.get(path.suffix, _json)(path), path.name, limit)


def bounded(rows: Iterable[Columns], name: str, limit: int | None = None) -> list[Columns]:
    """The first ``limit`` rows, or all of them where that is not set.

    Raises:
        DatasetError: All were wanted and they are more than ``MOST_ROWS``.
    """
    kept = list(islice(rows, MOST_ROWS + 1 if limit is None else limit))
    if limit is None and len(kept) > MOST_ROWS:
        raise DatasetError(f"{name} has more than {MOST_ROWS:,} rows. Give a part of it.")
    return kept


def _json(path: Path) -> Iterator[Columns]:
    text = _text(path)
    rows = _json_array(text)
    yield from _json_lines(path.name, text) if rows is None else rows


def _json_array(text: str) -> list[Columns] | None:
    """The objects of an array; None where the text is something else, which reading line by line then names."""
    if not text.lstrip().startswith("["):
        return None
    try:
        rows = _loads(text)
    except ValueError:
        return None
    return rows if all(isinstance(row, dict) for row in rows) else None


def _json_lines(name: str, text: str) -> Iterator[Columns]:
    # Not splitlines: a text may hold a line separator of its own (U+2028), unescaped.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                fields = _loads(line)
            except ValueError:
                fields = None
            if not isinstance(fields, dict):
                raise DatasetError(
                    f"Line {number} of {name} is not a JSON object. Write one object per line, as TOFU does."
                )
            yield fields


def _loads(text: str) -> Any:
    """The value of a JSON text, half a surrogate pair replaced by “?”: no tokenizer takes one."""
    try:
        value = json.loads(text)
        if _SURROGATE.search(text):
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError as error:
        raise ValueError("lists inside lists without end") from error
    return value


def _csv(path: Path) -> Iterator[Columns]:
    # Articles and books stand in one cell; Python's own limit is 128 KB, and its being raised harms nobody.
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.DictReader(StringIO(_text(path), newline=""), strict=True)
    try:
        for number, fields in enumerate(reader, start=1):
            if None in fields or None in fields.values():
                raise DatasetError(
                    f"Row {number} of {path.name} has not as many cells as the header. "
                    "Put texts with a comma or a line break into quotes."
                )
            yield fields
    except csv.Error as error:
        raise DatasetError(f"Line {reader.line_num} of {path.name} is not CSV ({error}). Export it again.") from error


def _parquet(path: Path) -> Iterator[Columns]:
    # Imported here: only Parquet files need it.
    parquet = import_module("pyarrow.parquet")
    arrow_error: type[Exception] = import_module("pyarrow").ArrowException
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                yield from batch.to_pylist()
    # Damage inside a column is an OSError, a date or text that Python cannot hold one of the others.
    except (arrow_error, OSError, ValueError, OverflowError) as error:
        raise DatasetError(f"{path.name} is not a Parquet file that can be read. Export it again.") from error


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path.name} cannot be read as UTF-8 text. Save it as {_NAMES[path.suffix]} in UTF-8."
        ) from error


_NAMES = {".json": "JSON lines", ".jsonl": "JSON lines", ".csv": "CSV"}
