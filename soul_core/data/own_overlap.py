"""Which rows ask for the same fact as others, in the same words or in similar ones; it knows no file and no task.

Everything is looked up rather than compared pair by pair, so 20,000 rows take seconds.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from soul_core.data.answers import words_in
from soul_core.data.schema import QARow

SIMILAR = 0.5
"""Share of their common content words among all of both, from which on two questions with one answer are similar."""

Words = tuple[str, ...]

# Of rows with the same answer about the same names only so many are compared: “yes” may be the answer of thousands.
_MOST_COMPARED = 64
_WORD = re.compile(r"[^\W_]+")
# Words that do not say what a question is about.
_STOP = """
    a about according after all also am an and any are as at be because been before being both but by called can could
    did do does done during for from give had has have he her him his how i if in into is it its kind known list many
    may me more most much my name named no nor not of on one or other our over say she should so some such tell than
    that the their them then there these they this those to too under up us was we were what when where which while
    who whom whose why will with would you your
"""
STOP_WORDS = frozenset(words_in(_STOP))


class Facts:
    """Rows that were seen, to be asked whether another row asks for the same; places count from 0."""

    def __init__(self, rows: Iterable[QARow] = ()) -> None:
        self._by_question: dict[Words, int] = {}
        self._by_fact: dict[tuple[Words, Words], list[tuple[frozenset[str], int]]] = {}
        for place, row in enumerate(rows):
            self.add(row, place)

    def add(self, row: QARow, place: int) -> None:
        """Remember a row with every phrasing that it has."""
        answers = {words_in(answer) for answer in (row.answer, row.paraphrased_answer or row.answer)}
        for question in phrasings_of(row):
            self._by_question.setdefault(words_in(question), place)
            names, content = names_in(question), content_words(question)
            for answer in answers:
                group = self._by_fact.setdefault((answer, names), [])
                if len(group) < _MOST_COMPARED:
                    group.append((content, place))

    def same_question(self, row: QARow) -> int | None:
        """The first row with the same question, apart from case, accents and punctuation."""
        return self._by_question.get(words_in(row.question)) if words_in(row.question) else None

    def same_fact(self, row: QARow) -> int | None:
        """The first row with the same answer to a similar question about the same names and numbers."""
        content = content_words(row.question)
        group = self._by_fact.get((words_in(row.answer), names_in(row.question)), ())
        return next((place for other, place in group if _similar(content, other)), None)


@lru_cache(maxsize=4)
def facts_of(rows: tuple[QARow, ...]) -> Facts:
    """What is known of rows that are asked about again and again, such as the built-in ones; not to be added to."""
    return Facts(rows)


def repeated_in(rows: Sequence[QARow], others: Sequence[QARow]) -> Iterator[tuple[int, int, bool]]:
    """Which of ``rows`` ask for what one of ``others`` asks for: both places, and whether the question is the same."""
    facts = facts_of(tuple(others))
    for place, row in enumerate(rows):
        same = facts.same_question(row)
        found = facts.same_fact(row) if same is None else same
        if found is not None:
            yield place, found, same is not None


def phrasings_of(row: QARow) -> tuple[str, ...]:
    """All questions that a row is known by, its own first."""
    known = (row.question, row.paraphrased_question, *row.question_variants, *row.heldback_questions)
    return tuple(dict.fromkeys(question for question in known if question))


def content_words(text: str) -> frozenset[str]:
    """The words that say what a question is about; all words where there are no others."""
    words = words_in(text)
    return frozenset(word for word in words if word not in STOP_WORDS) or frozenset(words)


def names_in(text: str) -> Words:
    """Capitalised words and those with a digit, sorted: questions that differ in these are not about the same."""
    found = (word for word in _WORD.findall(text) if word[0].isupper() or not word.isalpha())
    words = {part for word in found for part in words_in(word)}
    return tuple(sorted(words - STOP_WORDS))


def _similar(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one) and len(one & other) >= SIMILAR * len(one | other)
