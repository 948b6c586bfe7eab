"""Wrong answers made by swapping values of the same kind between rows: years for years, places for places.

It knows no file and no model. TOFU's wrong answers were written by a language model; here nothing is invented, so a
row gets one only where another row has a value of the same kind.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from soul_core.data.answers import alike, words_in
from soul_core.data.own_values import Group, Value, names_of, said, shapes_of, stands_in, value_in
from soul_core.data.schema import QARow

MOST = 5
"""Wrong answers of a row, as many as TOFU has."""

# Values tried before a row is given up: some are like the right one or stand in the question.
_TRIES = 40
_ROWS_SHOWN = 5

Item = TypeVar("Item")
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """Rows with the wrong answers that could be made.

    Attributes:
        rows: As given; those without wrong answers have them now where possible.
        made: Numbers of the rows that got some, from 1.
        without: Numbers of the rows that have an answer and no wrong ones.
        sentence: How many, and what is not measured on the others.
    """

    rows: tuple[QARow, ...]
    made: tuple[int, ...]
    without: tuple[int, ...]
    sentence: str


def with_swaps(rows: Sequence[QARow], *, seed: int = 0, others: Sequence[QARow] = ()) -> Swapped:
    """Give every row without wrong answers up to five, in the words of its own (paraphrased) answer.

    The value that an answer tells (a date, a number, a title, a name, or the whole answer if it is short) is replaced
    by that of another row: of one about the same ``fact`` if possible, then of one whose question differs in names
    only, then of one that begins alike (“Where …?”). Where that gives nothing, the other row's whole answer is taken
    with its names exchanged. None is like the right answer (``data.answers.alike``), stands in the question, or
    answers the same question elsewhere.

    Args:
        rows: Rows to forget.
        seed: Decides which values are taken.
        others: Further rows whose values may be taken, such as those to retain.
    """
    stock = _Stock((*rows, *others))
    found = [row if row.perturbed_answers else _swapped(row, stock, seed) for row in rows]
    pairs = enumerate(zip(rows, found, strict=True), start=1)
    made = tuple(number for number, (old, new) in pairs if new.perturbed_answers and not old.perturbed_answers)
    asked = [(number, row) for number, row in enumerate(found, start=1) if words_in(row.answer)]
    without = tuple(number for number, row in asked if not row.perturbed_answers)
    return Swapped(rows=tuple(found), made=made, without=without, sentence=sentence_of(len(asked), made, without))


def sentence_of(rows: int, made: Sequence[int], without: Sequence[int]) -> str:
    """How many rows have wrong answers, and what that means for what can be measured."""
    here = f", {len(made)} of them made by swapping values between rows" if made else ""
    words = (
        f"{rows - len(without)} of {rows} rows {'has' if rows - len(without) == 1 else 'have'} wrong answers{here}."
    )
    if without:
        words += (
            f" {numbered(without)} {'has' if len(without) == 1 else 'have'} none: truth ratio and forget quality "
            "leave those out, and accuracy asks that their answer is said word for word instead of being nearest."
        )
    return words


def numbered(numbers: Sequence[int]) -> str:
    """``Row 3``, ``Rows 3 and 7``, or the first five and how many more."""
    shown = [str(number) for number in numbers[:_ROWS_SHOWN]]
    more = len(numbers) - len(shown)
    last = f"{more} more" if more else shown.pop()
    return f"Row{'s' if len(numbers) > 1 else ''} {', '.join(shown)}{' and ' if shown else ''}{last}"


class _Stock:
    """Everything that may change places, by the groups that share it."""

    def __init__(self, rows: Iterable[QARow]) -> None:
        values: dict[Group, dict[str, None]] = {}
        self.rows: dict[Group, list[tuple[QARow, Value | None]]] = {}
        self.truths: dict[Words, set[Words]] = {}
        for row in rows:
            if row.form != "question" or not words_in(row.answer):
                continue
            value = value_in(row)
            for group in value.groups if value else ():
                values.setdefault(group, {}).setdefault(value.text if value else "")
            for shape in shapes_of(row):
                self.rows.setdefault(shape, []).append((row, value))
            told = {words_in(row.answer)} | ({words_in(value.text)} if value else set())
            self.truths.setdefault(words_in(row.question), set()).update(told)
        self.values = {group: list(texts) for group, texts in values.items()}


def _swapped(row: QARow, stock: _Stock, seed: int) -> QARow:
    if row.form != "question" or not words_in(row.answer):
        return row
    # Drawn for each row by itself, so that a row more or less leaves the others as they are.
    draw = random.Random(f"swaps {seed} {row.question}")
    truths = stock.truths[words_in(row.question)]
    found: dict[Words, str] = {}

    def take(answers: Iterable[str]) -> None:
        for answer in answers:
            if len(found) == MOST:
                return
            if words_in(answer) not in found and not _is_right(answer, row):
                found[words_in(answer)] = answer

    value = value_in(row)
    if value is not None:
        for group in value.groups:
            take(_with_values(row, value, _drawn(stock.values[group], draw), truths))
    if not found:
        for shape in shapes_of(row):
            take(_with_answers(row, value, _drawn(stock.rows[shape], draw), truths))
    return replace(row, perturbed_answers=tuple(found.values()))


def _with_values(row: QARow, value: Value, others: Iterable[str], truths: set[Words]) -> Iterable[str]:
    """The answer with each of these values in place of its own."""
    for other in others:
        if words_in(other) not in truths and not alike(other, value.text) and not stands_in(other, row.question):
            yield f"{value.before}{_as_begun(other, value)}{value.after}"


def _with_answers(
    row: QARow, value: Value | None, others: Iterable[tuple[QARow, Value | None]], truths: set[Words]
) -> Iterable[str]:
    """Other rows' answers with this row's names in place of theirs."""
    own = names_of(row.question)
    for other, told in others:
        theirs = names_of(other.question)
        same = value is not None and told is not None and alike(value.text, told.text)
        if len(own) == len(theirs) and not same and words_in(other.answer) not in truths:
            names = dict(zip(theirs, own, strict=True))
            answer = _renamed(said(other), names) if names else said(other)
            foreign = {word for name in theirs for word in words_in(name)} - set(words_in(row.question))
            # Somebody who is also called otherwise there cannot be told from whom the answer is about.
            if foreign.isdisjoint(words_in(answer)):
                yield answer


def _renamed(text: str, names: dict[str, str]) -> str:
    longest_first = sorted(names, key=len, reverse=True)
    pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"
    return re.sub(pattern, lambda found: names[found[0]], text)


def _is_right(answer: str, row: QARow) -> bool:
    truths = (row.answer, *([row.paraphrased_answer] if row.paraphrased_answer else []))
    return any(alike(answer, truth) for truth in truths)


def _as_begun(other: str, value: Value) -> str:
    """The other value with a capital at the beginning of the answer only where this row's has one."""
    if value.before or not value.text[0].isupper() or not other[0].islower():
        return other
    return other[0].upper() + other[1:]


def _drawn(pool: Sequence[Item], draw: random.Random) -> Sequence[Item]:
    return draw.sample(pool, min(len(pool), _TRIES))
