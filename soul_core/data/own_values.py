"""The value that an answer tells (a date, a number, a title, a name) and what its question asks for.

It knows one row at a time and reads English; of other languages it tells figures and names only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from soul_core.data.answers import words_in
from soul_core.data.own_overlap import STOP_WORDS, content_words
from soul_core.data.schema import QARow

Group = tuple[str, ...]

_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:1\d{3}|20\d{2})s?"
_NUMBER_WORDS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|hundred"
_PATTERNS = {
    "title": re.compile(r"“[^“”]+”|\"[^\"]+\"|‘[^‘’]+’"),
    "day of a month": re.compile(rf"\b{_DAY}(?: of)? {_MONTH},? \d{{4}}\b"),
    "month and day": re.compile(rf"\b{_MONTH} {_DAY},? \d{{4}}\b"),
    "date in figures": re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{4}\b"),
    "month": re.compile(rf"\b{_MONTH},? \d{{4}}\b"),
    "year": re.compile(rf"\b{_YEAR}\b"),
    "number": re.compile(rf"\b(?!{_YEAR}\b)\d+(?:[.,]\d+)*\b|\b(?:{_NUMBER_WORDS})\b"),
}
_DATES = ("day of a month", "month and day", "date in figures", "month", "year")
_WHOLE = "whole answer"
# Any year may stand for a year; but a name only for one that answers the same kind of question.
_ALWAYS = (*_DATES, "number")
_MOST_WORDS = 4
_ARTICLES = ("", "the", "a", "an")

_PEOPLE = ("who", "whom", "whose")
_WH = (*_PEOPLE, "where", "when", "how", "what", "which")
_DATE_WORDS = frozenset(("when", "year", "date", "day", "birthday"))
_AMOUNTS = frozenset(("many", "much", "old", "tall", "long", "far", "high", "big", "heavy"))

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_JOINTS = frozenset(words_in("of the de la le von van der den da del di du al bin upon"))
_NEVER = re.compile(rf"I|{_MONTH}")
_SENTENCE_ENDS = '.!?:;“"‘'


@dataclass(frozen=True, slots=True)
class Value:
    """What an answer tells.

    Attributes:
        text: The value, which may take another value's place.
        before: The answer in front of it.
        after: The answer behind it.
        groups: In which company it stands: what shares a group may change places, the nearest group first.
    """

    text: str
    before: str
    after: str
    groups: tuple[Group, ...]


def value_in(row: QARow) -> Value | None:
    """The value in ``said(row)``, or None: the first of the kind asked for that does not stand in the question.

    A short answer without such a value is a value as a whole.
    """
    text = said(row)
    whole = text.rstrip(" .!")
    is_short = bool(whole) and len(words_in(whole)) <= _MOST_WORDS and not stands_in(whole, row.question)
    for kind in _expected(row.question):
        for start, end in _spans(kind, text):
            if not stands_in(text[start:end], row.question):
                if is_short and kind == "name" and text[:start].strip().casefold() in _ARTICLES:
                    # “Crime and Punishment” and “The Hobbit” are one name.
                    start, end = 0, len(whole)
                return Value(text[start:end], text[:start], text[end:], _groups(row, kind))
    return Value(whole, "", text[len(whole) :], _groups(row, _WHOLE)) if is_short else None


def said(row: QARow) -> str:
    """The right answer in the wording that wrong ones must have."""
    return row.paraphrased_answer or row.answer


def shapes_of(row: QARow) -> tuple[Group, ...]:
    """The groups of rows that ask for the same about somebody else: by kind of fact, by the question without names."""
    by_fact = [("fact", row.fact)] if row.fact else []
    return (*by_fact, ("shape", *_masked(row.question)))


def names_of(text: str) -> list[str]:
    """Names as they stand in a text, in order: ``["Mara Quill", "Velden"]``."""
    return [text[start:end] for start, end in _names(text)]


def stands_in(value: str, question: str) -> bool:
    """Whether a question says every word of a value already, stop words apart."""
    return content_words(value) - {"s"} <= set(words_in(question))


def _groups(row: QARow, kind: str) -> tuple[Group, ...]:
    head = _head(row.question)
    return (
        *((kind, *shape) for shape in shapes_of(row)),
        *([(kind, "head", *head)] if head else []),
        *([(kind,)] if kind in _ALWAYS else []),
    )


def _expected(question: str) -> tuple[str, ...]:
    words = words_in(question)
    wh = next((word for word in words if word in _WH), "")
    if not _DATE_WORDS.isdisjoint(words) and wh not in (*_PEOPLE, "where"):
        return _DATES
    if (wh == "how" and not _AMOUNTS.isdisjoint(words)) or "number" in words:
        return ("number", "year")
    if wh in (*_PEOPLE, "where"):
        return ("name",)
    return ("title", "name", *_DATES, "number")


def _head(question: str) -> Group:
    """``("where",)``, ``("which", "city")``; empty where the beginning does not tell what is asked for."""
    words = words_in(question)
    place = next((i for i, word in enumerate(words) if word in _WH), None)
    if place is None:
        return ()
    if words[place] in _PEOPLE:
        return ("who",)
    if words[place] in ("where", "when"):
        return (words[place],)
    following = words[place + 1] if place + 1 < len(words) else ""
    telling = following and (following not in STOP_WORDS or following in _AMOUNTS)
    return (words[place], following) if telling else ()


def _masked(question: str) -> Group:
    """The words of a question with every name, title and number as ``_``."""
    for start, end in (span for kind in ("title", *_DATES, "name") for span in _spans(kind, question)):
        question = question[:start] + "_" * (end - start) + question[end:]
    words = ["_" if word[0] == "_" or word[0].isdigit() else word for word in re.findall(r"_+|[^\W_]+", question)]
    return tuple(w.casefold() for i, w in enumerate(words) if w != "_" or i == 0 or words[i - 1] != "_")


def _spans(kind: str, text: str) -> Iterator[tuple[int, int]]:
    return _names(text) if kind == "name" else (found.span() for found in _PATTERNS[kind].finditer(text))


def _names(text: str) -> Iterator[tuple[int, int]]:
    """Runs of capitalised words, with ``of the`` and the like between them; a sentence's first word may be none."""
    start, last = -1, None
    for word in _WORD.finditer(text):
        if word[0] in _JOINTS:
            continue
        capital = word[0][0].isupper() and not _NEVER.fullmatch(word[0])
        if not (last and capital and _joins(last[0], text[last.end() : word.start()])):
            if last:
                yield start, _bare(last)
            start = word.start()
            first = text[:start].rstrip()[-1:] in ("", *_SENTENCE_ENDS)
            capital &= not (first and word[0].casefold() in STOP_WORDS)
        last = word if capital else None
    if last:
        yield start, _bare(last)


def _joins(word: str, between: str) -> bool:
    """Whether what stands between two capitalised words keeps them one name; a full stop does behind an initial."""
    abbreviated = between.startswith(".") and (len(word) == 1 or word in ("St", "Dr", "Mr", "Mrs"))
    between = between[1:] if abbreviated else between
    return between[:1] == between[-1:] == " " and set(between.split()) <= _JOINTS


def _bare(word: re.Match[str]) -> int:
    """Where a word ends without its possessive."""
    return word.end() - 2 if word[0].endswith(("'s", "’s")) else word.end()
