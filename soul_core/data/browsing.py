"""A task's rows, to be looked at before they are used: one set, searched, a part at a time. It knows no model."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from soul_core.data.picking import Rows, rows_of, subjects_in
from soul_core.data.schema import ForgetTask, QARow
from soul_core.errors import DatasetError

TRAINED = "rows"
MOST_SHOWN = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One row with what a list says about it.

    Attributes:
        number: What it is picked by in ``#rows=``, counted from 1 over the rows to forget and to retain; 0 for a row
            that is asked or scored and never trained on.
        side: ``forget`` or ``retain``; empty for such a row.
        row: The row itself.
        question_words: Words in its question, as white space divides them.
        answer_words: Words in its answer.
    """

    number: int
    side: str
    row: QARow
    question_words: int
    answer_words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A page of a set.

    Attributes:
        set: The set's name.
        rows: The rows on this page.
        found: How many rows match, on all pages.
        offset: How many of them come before this page.
        of: How many rows the set has.
        lengths: Fewest, median and most words of the answers found; zeros if none was.
        subjects: The subjects in the whole set, in order.
    """

    set: str
    rows: tuple[Seen, ...]
    found: int
    offset: int
    of: int
    lengths: tuple[int, float, int]
    subjects: tuple[str, ...]


def sets_of(task: ForgetTask) -> Mapping[str, Rows]:
    """Everything that can be looked at: ``rows``, those trained on, forget first; then the sets asked and scored."""
    return {TRAINED: rows_of(task), **task.eval_sets, **task.texts}


def look(
    task: ForgetTask, *, set_name: str = TRAINED, search: str = "", subject: str = "", offset: int = 0, limit: int = 20
) -> Look:
    """A page of the rows of one set.

    Args:
        task: The task.
        set_name: One of ``sets_of``.
        search: Only rows with this text in question, answer or subject; capitals do not matter.
        subject: Only rows about this subject.
        offset: How many matching rows to pass over.
        limit: How many to show, at most ``MOST_SHOWN``.

    Raises:
        DatasetError: The task has no such set, or the set nothing about such a subject.
    """
    sets = sets_of(task)
    if set_name not in sets:
        raise DatasetError(f"“{task.name}” has no set “{set_name}”. Choose {_listed(sets)}.")
    rows = sets[set_name]
    subjects = subjects_in(rows)
    if subject and subject not in subjects:
        near = difflib.get_close_matches(subject, subjects, n=3, cutoff=0.0)
        nearest = f"The nearest names are {_listed(near)}." if near else "Its rows name no subjects."
        raise DatasetError(f"“{set_name}” of “{task.name}” has nothing about “{subject}”. {nearest}")
    wanted = search.casefold().strip()
    places = {(row.question, row.answer): number for number, row in enumerate(rows_of(task), start=1)}
    found = [
        (number if set_name == TRAINED else places.get((row.question, row.answer), 0), row)
        for number, row in enumerate(rows, start=1)
        if (not subject or row.subject == subject)
        and (not wanted or wanted in f"{row.question}\n{row.answer}\n{row.subject}".casefold())
    ]
    lengths = [len(row.answer.split()) for _, row in found]
    page = found[max(offset, 0) :][: max(0, min(limit, MOST_SHOWN))]
    return Look(
        set=set_name,
        rows=tuple(_seen(number, row, len(task.forget)) for number, row in page),
        found=len(found),
        offset=max(offset, 0),
        of=len(rows),
        lengths=(min(lengths), median(lengths), max(lengths)) if lengths else (0, 0.0, 0),
        subjects=subjects,
    )


def _seen(number: int, row: QARow, forget: int) -> Seen:
    side = ("forget" if number <= forget else "retain") if number else ""
    return Seen(
        number=number,
        side=side,
        row=row,
        question_words=len(row.question.split()),
        answer_words=len(row.answer.split()),
    )


def _listed(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)
