"""Some rows or subjects of any task as its forget set, all its other rows retained. It knows no source of tasks."""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.sets import SETS, TEXTS, set_kind
from soul_core.errors import DatasetError

ROWS, SUBJECTS = "#rows=", "#subjects="
_SUFFIX = re.compile(rf"(.*)({ROWS}|{SUBJECTS})(.*)", re.DOTALL)
_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:[-–]\s*(\d{1,9})\s*)?")
_SHOWN = 3

Rows = tuple[QARow, ...]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Pick:
    """What stands behind a task's name: ``#rows=1-20,33`` or ``#subjects=A;B``."""

    by: str
    what: str


def divided(spec: str) -> tuple[str, Pick | None]:
    """A task's full name without what is picked of it, and that; None where nothing is."""
    found = _SUFFIX.fullmatch(spec)
    if found is None:
        return spec, None
    return found[1], Pick(found[2], found[3])


def rows_of(task: ForgetTask) -> Rows:
    """All rows that can be picked, in the order in which they are numbered from 1: forget, then retain."""
    return task.forget + task.retain


def subjects_in(rows: Iterable[QARow]) -> tuple[str, ...]:
    """The subjects that rows name, each once, in order."""
    return tuple(dict.fromkeys(row.subject for row in rows if row.subject))


def rows_suffix(numbers: Iterable[int]) -> str:
    """``#rows=1-20,33`` for these row numbers."""
    ordered = sorted(set(numbers))
    ends = [0, *(i for i, (a, b) in enumerate(pairwise(ordered), start=1) if b != a + 1), len(ordered)]
    runs = [(ordered[i], ordered[j - 1]) for i, j in pairwise(ends) if j > i]
    return ROWS + ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def subjects_suffix(subjects: Iterable[str]) -> str:
    """``#subjects=A;B`` for these subjects."""
    return SUBJECTS + ";".join(subjects)


def picked(task: ForgetTask, pick: Pick) -> ForgetTask:
    """The task with what was picked as its forget set and every other row retained.

    The question sets follow: rows that ask for a picked row, or are about a subject picked whole, move to the forget
    sets and all others that were there to the retain sets. What belongs to no row that can be told, such as questions
    about a whole corpus, is not asked of a part. Facts stay. There is no gold any more, and ``subjects`` are named
    only if each is picked whole.

    Raises:
        DatasetError: The pick cannot be understood, or picks nothing, everything or what is not there.
    """
    rows = rows_of(task)
    numbers, suffix = _by_number(task, rows, pick.what) if pick.by == ROWS else _by_subject(task, rows, pick.what)
    if not numbers:
        raise DatasetError(
            f"Nothing of “{task.name}” is picked, so the forget set is empty. Pick at least one, such as {ROWS}1-20."
        )
    if len(numbers) == len(rows):
        raise DatasetError(
            f"All {len(rows):,} rows of “{task.name}” are picked: nothing would be retained. Leave some out."
        )
    forget = tuple(row for number, row in enumerate(rows, start=1) if number in numbers)
    retain = tuple(row for number, row in enumerate(rows, start=1) if number not in numbers)
    named = subjects_in(forget)
    return ForgetTask(
        name=task.name + suffix,
        forget=forget,
        retain=retain,
        eval_sets=_following(task, forget, retain),
        texts=_sorted(task.texts, _text_role, _sides(forget, retain), TEXTS),
        subjects=named if task.subjects and not set(named) & set(subjects_in(retain)) else (),
    )


def _by_number(task: ForgetTask, rows: Rows, what: str) -> tuple[Collection[int], str]:
    numbers: set[int] = set()
    for part in what.split(","):
        if not part.strip():
            continue
        found = _RANGE.fullmatch(part)
        if found is None:
            raise DatasetError(
                f"“{part.strip()}” is neither a row's number nor a range of them. Write such as {ROWS}1-20,33."
            )
        first, last = int(found[1]), int(found[2] or found[1])
        if not 1 <= first <= last <= len(rows):
            raise DatasetError(
                f"There are no rows {part.strip()}: “{task.name}” has rows 1 to {len(rows):,}, the smaller number "
                "comes first."
            )
        numbers.update(range(first, last + 1))
    return numbers, rows_suffix(numbers)


def _by_subject(task: ForgetTask, rows: Rows, what: str) -> tuple[Collection[int], str]:
    subjects = subjects_in(rows)
    wanted = {name.strip() for name in what.split(";") if name.strip()}
    if wanted and not subjects:
        raise DatasetError(f"The rows of “{task.name}” name no subjects. Pick them by number, such as {ROWS}1-20.")
    for name in sorted(wanted.difference(subjects)):
        near = difflib.get_close_matches(name, subjects, n=_SHOWN, cutoff=0.0)
        raise DatasetError(
            f"“{task.name}” has nothing about “{name}”. The nearest names are {', '.join(f'“{n}”' for n in near)}."
        )
    numbers = {number for number, row in enumerate(rows, start=1) if row.subject in wanted}
    return numbers, subjects_suffix(name for name in subjects if name in wanted)


def _following(task: ForgetTask, forget: Rows, retain: Rows) -> dict[str, Rows]:
    side_of = _sides(forget, retain)
    sets = _sorted(task.eval_sets, lambda name: set_kind(name).role, side_of, SETS)
    if {_key(row) for row in task.eval_sets["forget"]} <= {_key(row) for row in rows_of(task)}:
        # The training rows themselves are asked; of those picked also the ones that were not asked before.
        sets["forget"] = forget
    return {**sets, "forget": sets.get("forget", forget), "retain": sets.get("retain", retain)}


def _sorted(
    sets: Mapping[str, Rows], role_of: Callable[[str], str], side_of: Callable[[QARow], str], known: Collection[str]
) -> dict[str, Rows]:
    """The rows of every set, each in that set or, where it is now on the other side, in that set's counterpart."""
    found: dict[str, list[QARow]] = {}
    for name, rows in sets.items():
        role = role_of(name)
        for row in rows:
            side = side_of(row) if role in ("forget", "retain") else role
            target = name if side in (role, "") else _counterpart(name, known)
            # What belongs to no row in particular stays with what stays, but is not asked of a part of what is lost.
            if target and (side or role != "forget"):
                found.setdefault(target, []).append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def _sides(forget: Rows, retain: Rows) -> Callable[[QARow], str]:
    """Tells of a row whether it is about what is forgotten or what is retained; empty if that cannot be told."""
    keys = {_key(row): "retain" for row in retain} | {_key(row): "forget" for row in forget}
    lost, kept = set(subjects_in(forget)), set(subjects_in(retain))
    subjects = dict.fromkeys(lost - kept, "forget") | dict.fromkeys(kept - lost, "retain")
    return lambda row: keys.get(_key(row)) or subjects.get(row.subject, "")


def _text_role(name: str) -> str:
    return next((role for role in ("forget", "retain") if name.startswith(role)), "")


def _counterpart(name: str, known: Collection[str]) -> str:
    """``retain_fb`` for ``forget_fb`` and the other way round; empty where there is no such set."""
    one, other = ("forget", "retain") if name.startswith("forget") else ("retain", "forget")
    turned = other + name.removeprefix(one)
    return turned if turned in known else ""


def _key(row: QARow) -> Key:
    return row.question, row.answer
