"""Numbers that papers report, with their source: rows to show beside ours, always of another model. It knows no page.

The files are copies of what was published, accuracies as fractions. ``sources.json`` beside them says where each is
from and which of our keys a column stands for; a column under a convention of its own keeps a key of its own.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from soul_core.errors import DatasetError
from soul_core.paths import ASSETS

PUBLISHED = ASSETS / "published"
SOURCES = "sources.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """One method as a paper reports it.

    Attributes:
        method: As the paper calls it.
        values: By scorecard key where the convention is ours, else by a key of its own.
        model: The model it was measured on, which is never the reader's.
        task: What was forgotten.
        table: Which table it is from.
        source: Paper and where to find it.
        note: What its numbers mean where that is not plain.
    """

    method: str
    values: Mapping[str, float] = field(default_factory=dict)
    model: str = ""
    task: str = ""
    table: str = ""
    source: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNumber:
    """One number that stands for itself: its task, what it is called, and its value as listed."""

    task: str
    metric: str
    value: float
    source: str = ""
    note: str = ""


@lru_cache(maxsize=4)
def published_rows(folder: Path = PUBLISHED) -> tuple[PublishedRow, ...]:
    """Every method of every published table, in the papers' order.

    Raises:
        DatasetError: The files that ship with the project are missing or not as they should be.
    """
    found = []
    for about in _sources(folder).values():
        if "keys" not in about:
            continue
        keys: Mapping[str, str] = about["keys"]
        for line in _lines(folder / about["file"], ("method", *keys)):
            values = {key: _number(line[column], folder / about["file"]) for column, key in keys.items()}
            found.append(
                PublishedRow(
                    method=line["method"],
                    values=values,
                    model=about["model"],
                    task=about["task"],
                    table=about["title"],
                    source=about["source"],
                    note=about["note"],
                )
            )
    return tuple(found)


@lru_cache(maxsize=4)
def published_numbers(folder: Path = PUBLISHED) -> tuple[PublishedNumber, ...]:
    """The numbers that are in no table because each has a task, a model and a definition of its own.

    Raises:
        DatasetError: As :func:`published_rows`.
    """
    found = []
    for about in _sources(folder).values():
        if "keys" in about:
            continue
        path = folder / about["file"]
        for line in _lines(path, ("task", "metric", "value")):
            value = _number(line["value"], path)
            found.append(
                PublishedNumber(
                    task=line["task"],
                    metric=line["metric"],
                    value=value,
                    source=about["source"],
                    note=about["note"],
                )
            )
    return tuple(found)


def _sources(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = json.loads((folder / SOURCES).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{folder / SOURCES} cannot be read. Put back the file that ships with SOUL.") from error
    return found


def _lines(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read. Put back the file that ships with SOUL.") from error
    if set(reader.fieldnames or ()) != set(columns):
        raise DatasetError(f"{path} has not the columns {', '.join(columns)}. Put back the file that ships with SOUL.")
    return lines


def _number(text: str | None, path: Path) -> float:
    try:
        return float(text or "")
    except ValueError as error:
        raise DatasetError(f"{path} has “{text}” where a number should be. Put back the file as shipped.") from error
