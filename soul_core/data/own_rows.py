"""The rows in a person's file, and where they are from. It knows no task and no page."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from soul_core.data.own_columns import ColumnMapping, guess, rows_of
from soul_core.data.own_files import read_table
from soul_core.data.schema import QARow

Rows = tuple[QARow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where rows come from: the name of a file, and the SHA-256 of its bytes."""

    name: str
    sha256: str


def origin_of(path: Path) -> Origin:
    """The origin of rows read from this file."""
    return Origin(name=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def rows_from(path: Path, mapping: ColumnMapping | None = None) -> tuple[Rows, ColumnMapping]:
    """The rows of a file, blank ones included, with the columns they were read from: guessed if none are given.

    Raises:
        DatasetError: The file cannot be read, or has no columns for question and answer.
    """
    table = read_table(path)
    used = guess(table.columns) if mapping is None else mapping
    return rows_of(table, used), used
