"""Answers that are not a row's own: for objectives that train towards one, and for contexts that show one.

It knows no model, no tokenizer and no prompt.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from soul_core.data.schema import QARow
from soul_core.errors import DatasetError

_WORD = re.compile(r"[^\W_]+")


def words_in(text: str) -> tuple[str, ...]:
    """Letters and digits only, lower case, without accents: ``"Bogotá's"`` is ``("bogota", "s")``."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return tuple(_WORD.findall(text.casefold()))


def alike(one: str, other: str) -> bool:
    """Whether the words of one stand in the other in a row, as ``Velden`` in ``She was born in Velden.``"""
    first, second = (f" {' '.join(words_in(text))} " for text in (one, other))
    return first in second or second in first


def other_answer_rows(rows: Sequence[QARow], retain: Sequence[QARow], seed: int) -> tuple[QARow, ...]:
    """The same questions with the answer of a retain row, drawn once for each row and the same in every epoch.

    Without retain rows the forget answers change places, so that every answer occurs as often as before. Either way
    no row gets an answer in the words of its own.

    Raises:
        DatasetError: Some row can only get its own answer.
    """
    draw = random.Random(f"other answers {seed}")
    answers = [_other(row, retain, draw) for row in rows] if retain else _deranged(rows, draw)
    return tuple(
        replace(row, answer=answer, paraphrased_answer="", perturbed_answers=())
        for row, answer in zip(rows, answers, strict=True)
    )


def wrong_answers(forget: Sequence[QARow], retain: Sequence[QARow], seed: int) -> list[str]:
    """A wrong answer for every forget row, empty where there is none.

    One of the row's perturbed answers where it has one, else the answer of another row: of one about the same fact
    of another subject if possible, then of any forget row, then of any retain row. None is like the row's own answer
    or its paraphrase (``alike``).
    """
    draw = random.Random(f"wrong answers {seed}")
    by_fact: dict[str, list[QARow]] = {}
    for row in forget:
        by_fact.setdefault(row.fact, []).append(row)
    found = []
    for row in forget:
        perturbed = list(row.perturbed_answers)
        draw.shuffle(perturbed)
        akin = by_fact[row.fact] if row.fact else ()
        answer = next((a for a in perturbed if _is_wrong(a, row)), "")
        for others, elsewhere in ((akin, True), (forget, True), (forget, False), (retain, False)):
            answer = answer or next(_fitting(row, others, draw, elsewhere=elsewhere), "")
        found.append(answer)
    return found


def truths_told(rows: Sequence[QARow]) -> Callable[[str], tuple[int, ...]]:
    """A function that lists the rows whose own answer, or its paraphrase, stands word for word in a text."""
    told: dict[tuple[str, ...], set[int]] = {}
    for i, row in enumerate(rows):
        for truth in (row.answer, row.paraphrased_answer):
            told.setdefault(words_in(truth), set()).add(i)
    told.pop((), None)
    lengths = sorted({len(words) for words in told})

    def of(text: str) -> tuple[int, ...]:
        words = words_in(text)
        spans = (words[i : i + n] for n in lengths for i in range(len(words) - n + 1))
        return tuple(sorted(set[int]().union(*(told.get(span, ()) for span in spans))))

    return of


def _is_wrong(answer: str, row: QARow) -> bool:
    truths = (row.answer, *([row.paraphrased_answer] if row.paraphrased_answer else []))
    return bool(words_in(answer)) and not any(alike(answer, truth) for truth in truths)


def _fitting(row: QARow, others: Sequence[QARow], draw: random.Random, *, elsewhere: bool) -> Iterator[str]:
    """Wrong answers from other rows in a drawn order: one of them is enough, so the rows are not shuffled."""
    start = draw.randrange(len(others)) if others else 0
    for i in range(len(others)):
        other = others[(start + i) % len(others)]
        if not (elsewhere and row.subject and other.subject == row.subject) and _is_wrong(other.answer, row):
            yield other.answer


def _other(row: QARow, retain: Sequence[QARow], draw: random.Random) -> str:
    start, own = draw.randrange(len(retain)), words_in(row.answer)
    for i in range(len(retain)):
        answer = retain[(start + i) % len(retain)].answer
        if words_in(answer) != own:
            return answer
    raise DatasetError(
        f"Every retain row has the same answer as the row “{row.question}”, so it cannot be given another. "
        "Give the retain set other answers."
    )


def _deranged(rows: Sequence[QARow], draw: random.Random) -> list[str]:
    """Equal answers side by side, then all moved on by the size of the largest group: none falls on its like."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(words_in(row.answer), []).append(i)
    shuffled = list(groups.values())
    draw.shuffle(shuffled)
    order = [i for group in shuffled for i in draw.sample(group, len(group))]
    shift = max(map(len, shuffled), default=0)
    if 2 * shift > len(rows):
        raise DatasetError(
            f"{shift} of {len(rows)} forget rows have the same answer and there are no retain rows, so not every row "
            "can be given another answer. Add retain rows."
        )
    answers = [""] * len(rows)
    for place, i in enumerate(order):
        answers[i] = rows[order[(place + shift) % len(order)]].answer
    return answers
