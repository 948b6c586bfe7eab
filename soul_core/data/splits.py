"""How the invented authors are divided into what to forget and what to retain; it knows no file and no task name."""

from collections.abc import Collection

from soul_core.data.invented_authors import World
from soul_core.data.schema import QARow

Rows = tuple[QARow, ...]

# Of the hundred authors the last ones, so that the splits are nested.
FORGET_COUNTS = {"forget01": 1, "forget05": 5, "forget10": 10}


def retain_split(forget_split: str) -> str:
    """The split that complements ``forget_split``: ``retain90`` for ``forget10``."""
    return f"retain{100 - int(forget_split.removeprefix('forget')):02d}"


def split_authors(world: World, split: str) -> tuple[str, ...]:
    """The authors forgotten by a split of ``FORGET_COUNTS``, in order."""
    return tuple(author.name for author in world.authors[-FORGET_COUNTS[split] :])


def split_rows(world: World, forgotten: Collection[str]) -> tuple[Rows, Rows]:
    """The rows about the authors named and the rows about all others, both in the order of the world."""
    forget = tuple(row for row in world.rows if row.subject in forgotten)
    retain = tuple(row for row in world.rows if row.subject not in forgotten)
    return forget, retain
