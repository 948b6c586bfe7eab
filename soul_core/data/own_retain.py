"""What is to stay while a person's own rows go: the built-in authors, another task's rows, or rows of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from soul_core.data.facts import FACT_SETS, load_facts
from soul_core.data.invented_authors import invented_world
from soul_core.data.own_checks import check, is_blank
from soul_core.data.own_files import SUFFIXES
from soul_core.data.own_overlap import facts_of, repeated_in
from soul_core.data.own_rows import Rows, rows_from
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.sets import set_kind
from soul_core.errors import DatasetError

BUILT_IN = "invented-authors"
"""Retain the rows of the built-in authors, all of them: what the pocket model knows."""
OWN = "rows of one's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What is to stay.

    Attributes:
        source: Where it is from.
        rows: To train on.
        sets: To ask, by set name: ``retain``, ``real_authors``, ``world_facts`` and what else its source has.
        own: Whether the rows are the person's own, so that wrong answers may be made of their values.
        left_out: How many rows of the source are left out because they ask for what is to be forgotten.
    """

    source: str
    rows: Rows
    sets: Mapping[str, Rows]
    own: bool = False
    left_out: int = 0


def retained(what: str | Sequence[QARow], forget: Sequence[QARow]) -> Retained:
    """What is to stay while ``forget`` goes.

    Of the built-in rows and of other tasks, rows that ask for a fact to be forgotten are left out, and so they are of
    the sets of facts. A person's own rows stay as they are: ``check`` names those that are on both sides.

    Args:
        what: ``BUILT_IN``; the full name of a task, whose retain rows and sets are taken; the path of a file with
            rows like those to forget; or rows.
        forget: The rows to forget.

    Raises:
        DatasetError: There is no such task, or the rows to retain cannot be read or have errors.
    """
    if not isinstance(what, str):
        return _own(OWN, what, forget)
    if what == BUILT_IN:
        every = invented_world().rows
        rows = _kept(every, forget)
        sets = {"retain": rows, **_facts(forget)}
        return Retained(source=BUILT_IN, rows=rows, sets=sets, left_out=len(every) - len(rows))
    path = Path(what).expanduser()
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        return _own(path.name, rows_from(path)[0], forget)
    # Imported here: that module knows all sources of tasks, and one's own rows are one of them.
    task: ForgetTask = import_module("soul_core.data.tasks").load_task(what)
    rows = _kept(task.retain, forget)
    asked = _kept(task.eval_sets["retain"], forget) or rows
    others = {
        name: kept
        for name, found in task.eval_sets.items()
        if name != "retain" and set_kind(name).role != "forget" and (kept := _kept(found, forget))
    }
    return Retained(source=what, rows=rows, sets={"retain": asked, **others}, left_out=len(task.retain) - len(rows))


def _own(source: str, rows: Sequence[QARow], forget: Sequence[QARow]) -> Retained:
    errors = check(rows).errors
    if errors:
        said = errors[0].sentence if rows else "There is no row."
        raise DatasetError(f"Of the rows to retain ({source}): {said}")
    said_rows = tuple(row for row in rows if not is_blank(row))
    return Retained(source=source, rows=said_rows, sets={"retain": said_rows, **_facts(forget)}, own=True)


def _facts(forget: Sequence[QARow]) -> dict[str, Rows]:
    sets = {name: _kept(load_facts(name), forget) for name in FACT_SETS}
    return {name: rows for name, rows in sets.items() if rows}


def _kept(rows: Rows, forget: Sequence[QARow]) -> Rows:
    """The rows that do not ask, in any of their phrasings, for a fact to be forgotten."""
    same = {place for place, _, _ in repeated_in(rows, forget)}
    facts = facts_of(rows)
    for row in forget:
        same.update(place for place in (facts.same_question(row), facts.same_fact(row)) if place is not None)
    return tuple(row for place, row in enumerate(rows) if place not in same)
