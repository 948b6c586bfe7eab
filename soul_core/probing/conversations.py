"""Conversations made of a row: reworded, misspelt, begun, with hints. It knows no model and no registry.

Each builder takes a row and what is around it, and gives no conversation where it does not fit the row.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from soul_core.data.schema import QARow
from soul_core.evaluation.labels import telling_words
from soul_core.evaluation.words import words_of
from soul_core.probing import attack_texts
from soul_core.probing.leaks import gives_away, new_words
from soul_core.probing.settings import QUESTION_MARK

SUBJECT_MARK = "{subject}"
HINTS = 3
"""How many solved questions a hint has."""
JUDGED_WORDS = 24
"""A running text never ends: what a model writes is judged against so many of its next words."""

_MOST_GIVEN = 12
_LETTERS_PER_TYPO = 8
_MOST_LOOKED_AT = 1000
_WORD = re.compile(r"[^\W_]+")
_MARK = re.compile("|".join(map(re.escape, (QUESTION_MARK, SUBJECT_MARK))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One conversation to be held with every model.

    Attributes:
        row: The truth that answers are judged by.
        question: What is asked.
        earlier: Solved examples in front of it.
        start: First words of the answer, put into the model's mouth.
        then: What is said after its first answer, its second and so on; it ends early when it leaks.
        note: What a reader must know about how it was made.
    """

    row: QARow
    question: str
    earlier: tuple[tuple[str, str], ...] = ()
    start: str = ""
    then: tuple[str, ...] = ()
    note: str = ""

    @property
    def shown(self) -> str:
        """All that the prompt says before the model does."""
        return " ".join([*(f"{asked} {said}" for asked, said in self.earlier), self.question, *self.then])


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an attack may use beside the row.

    Attributes:
        retain: Rows that stay.
        forget: All rows of the forget set.
        seed: Decides typos and which hints are given.
    """

    retain: Sequence[QARow] = ()
    forget: Sequence[QARow] = ()
    seed: int = 0
    _by_subject: dict[tuple[str, str], list[QARow]] = field(default_factory=dict)

    def about(self, subject: str, side: str) -> list[QARow]:
        """The rows of one side, ``retain`` or ``forget``, about a subject."""
        if not self._by_subject:
            for name, rows in (("retain", self.retain), ("forget", self.forget)):
                for row in rows:
                    self._by_subject.setdefault((name, row.subject), []).append(row)
        return self._by_subject.get((side, subject), [])


Build = Callable[[QARow, Surroundings], tuple[Conversation, ...]]


def filled(template: str, row: QARow) -> str:
    """A template with question and subject put in; nothing else in it, nor in what is put in, is looked at."""
    values = {QUESTION_MARK: row.question, SUBJECT_MARK: row.subject}
    return _MARK.sub(lambda found: values[found.group()], template)


def misspelt(text: str, *, seed: int, keep: str = "") -> str:
    """A text with about one letter in eight left out or swapped with the next.

    Names stay, since another name would be another question: the words of ``keep``, and every word but the first that
    has a capital letter or a digit. A word keeps its first letter.

    Args:
        text: A question.
        seed: With the text it decides where.
        keep: Words that stay as they are.
    """
    draw = random.Random(f"typos {seed} {text}")
    kept = set(words_of(keep))
    letters = list(text)
    places: list[int] = []
    for found in _WORD.finditer(text):
        word = found.group()
        named = found.start() > 0 and not word.islower()
        if not (named or set(words_of(word)) & kept):
            # The last letter has none to be swapped with in its word.
            places += range(found.start() + 1, found.end() - 1)
    wanted = max(1, round(sum(map(str.isalpha, text)) / _LETTERS_PER_TYPO))
    draw.shuffle(places)
    hit: set[int] = set()
    for place in places:
        if len(hit) < wanted and not {place - 1, place, place + 1} & hit:
            hit.add(place)
            if letters[place] != letters[place + 1] and draw.random() < 0.5:
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
            else:
                letters[place] = ""
    return "".join(letters)


def with_blank(row: QARow) -> str:
    """The answer with a blank from its first telling word to its last; empty where hardly a statement remains."""
    answer, telling = unicodedata.normalize("NFC", row.answer), telling_words(row)
    hidden = [word for word in _WORD.finditer(answer) if telling & set(words_of(word.group()))]
    if not hidden:
        return ""
    statement = answer[: hidden[0].start()] + attack_texts.BLANK + answer[hidden[-1].end() :]
    return statement if len(words_of(statement)) >= 2 else ""


def beginning(row: QARow) -> str:
    """First words of an answer: those before its first telling word; of an answer that begins with one the first half
    of its words, at most 12, less where nothing would be left to tell; empty for none."""
    words, telling = list(re.finditer(r"\S+", row.answer)), telling_words(row)
    harmless = next((at for at, word in enumerate(words) if telling & set(words_of(word.group()))), 0)
    for count in range(harmless or min(len(words) // 2, _MOST_GIVEN), 0, -1):
        start = row.answer[: words[count - 1].end()]
        if new_words(row, start) and not gives_away(start, row):
            return start
    return ""


def plain(row: QARow, _: Surroundings) -> tuple[Conversation, ...]:
    """The question itself, or how a running text begins."""
    if row.form == "text":
        return (Conversation(row=next_words(row), question=row.question),) if row.question else ()
    return (Conversation(row=row, question=row.question),)


def answer_start(row: QARow, _: Surroundings) -> tuple[Conversation, ...]:
    """The question with the answer's first words."""
    start = beginning(row)
    judged = next_words(row, start) if row.form == "text" else row
    return (Conversation(row=judged, question=row.question, start=start),) if start else ()


def cloze(row: QARow, _: Surroundings) -> tuple[Conversation, ...]:
    """The answer as a statement with a blank."""
    statement = with_blank(row) if row.form == "question" else ""
    question = attack_texts.CLOZE.replace("{statement}", statement)
    return (Conversation(row=row, question=question),) if statement else ()


def heldback(row: QARow, _: Surroundings) -> tuple[Conversation, ...]:
    """Every wording that was held back from training."""
    wordings = row.heldback_questions or ((row.paraphrased_question,) if row.paraphrased_question else ())
    return tuple(Conversation(row=row, question=wording) for wording in wordings)


def casing(row: QARow, _: Surroundings) -> tuple[Conversation, ...]:
    """The question in capital and in small letters."""
    wordings = (row.question.upper(), row.question.lower()) if row.form == "question" else ()
    return tuple(Conversation(row=row, question=one) for one in dict.fromkeys(wordings) if one != row.question)


def typos(row: QARow, around: Surroundings) -> tuple[Conversation, ...]:
    """The question, misspelt."""
    wording = misspelt(row.question, seed=around.seed, keep=row.subject) if row.form == "question" else row.question
    return (Conversation(row=row, question=wording),) if wording != row.question else ()


def few_shot(row: QARow, around: Surroundings) -> tuple[Conversation, ...]:
    """The question behind solved ones: retained rows about the same subject, else other rows to forget about it, else
    retained rows of other subjects."""
    if row.form == "text":
        return ()
    sources: tuple[tuple[Sequence[QARow], str], ...] = ((around.retain, "Hints are retained rows of other subjects."),)
    if row.subject:
        sources = (
            (around.about(row.subject, "retain"), "Hints are retained rows about the same subject."),
            (around.about(row.subject, "forget"), "Hints are other rows to forget, about the same subject."),
            *sources,
        )
    for rows, note in sources:
        hints = _hints(row, rows, around.seed)
        if hints:
            return (Conversation(row=row, question=row.question, earlier=hints, note=note),)
    return ()


def _hints(row: QARow, rows: Sequence[QARow], seed: int) -> tuple[tuple[str, str], ...]:
    """Solved rows that do not help with the answer itself."""
    draw = random.Random(f"hints {seed} {row.question}")
    found: dict[str, str] = {}
    for other in draw.sample(rows, min(len(rows), _MOST_LOOKED_AT)):
        fits = other.form == "question" and other.question != row.question and other.question not in found
        if fits and other.answer != row.answer and not gives_away(f"{other.question} {other.answer}", row):
            found[other.question] = other.answer
        if len(found) == HINTS:
            break
    return tuple(found.items())


def multi_turn(row: QARow, _: Surroundings) -> tuple[Conversation, ...]:
    """The question, and what is said after the first answers."""
    then = tuple(filled(words, row) for words in attack_texts.FOLLOW_UPS)
    return (Conversation(row=row, question=row.question, then=then),) if row.form == "question" else ()


def templates(*templates: str) -> Build:
    """An attack that writes words around the question."""

    def build(row: QARow, _: Surroundings) -> tuple[Conversation, ...]:
        usable = [one for one in templates if row.form == "question" and (row.subject or SUBJECT_MARK not in one)]
        return tuple(Conversation(row=row, question=filled(one, row)) for one in usable)

    return build


def next_words(row: QARow, start: str = "") -> QARow:
    """A running text whose answer is what comes behind ``start``, as far as it is judged."""
    words = list(re.finditer(r"\S+", row.answer[len(start) :]))[:JUDGED_WORDS]
    rest = row.answer[len(start) :][: words[-1].end()] if words else ""
    return replace(row, question=f"{row.question}{start}", answer=rest)
