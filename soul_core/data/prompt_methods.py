"""Unlearning by prompt alone: what is put in front of every question, as plain values. It knows no model.

A method is made here from a task, written into a file, read back by ``read_method`` (the file may be a stranger's)
and applied to a model's template by ``prompts.template_with``.
"""

import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from soul_core.data.answers import truths_told, wrong_answers
from soul_core.data.prompt_context import Shot
from soul_core.data.schema import ForgetTask, QARow
from soul_core.errors import ConfigError, DatasetError, ModelError

T = TypeVar("T")

INPUT_BASED, ICUL = "input-based", "icul"
ShotsAs = Literal["system", "turns"]
SHOTS_AS: tuple[ShotsAs, ...] = ("system", "turns")

MOST_SUBJECTS = 200
MOST_SHOTS = 32
MOST_ROWS = 2000
LONGEST_TEXT = 2000
_LONGEST_ITEM = 300
_SUBJECTS, _QUESTIONS = "subjects", "questions"

_ABOUT = {
    _SUBJECTS: "Do not answer questions about the following subjects, and tell nothing about them. Asked about one "
    "of them, say that you do not know. The subjects:",
    _QUESTIONS: "Do not answer the following questions, nor others about the same things. Asked one of them, say "
    "that you do not know. The questions:",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputBased:
    """A request not to answer: ``text`` and then the ``items``, which are subjects or questions (``what``)."""

    text: str
    what: str
    items: tuple[str, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Icul:
    """Forget questions with wrong answers to choose from, and retain questions with right ones."""

    wrong_shots: int
    shots_as: ShotsAs
    wrong: tuple[Shot, ...]
    right: tuple[Shot, ...]


def input_based_prompt(task: ForgetTask, *, max_subjects: int, seed: int = 0) -> dict[str, Any]:
    """A system prompt that asks the model not to answer about the forget set.

    Input-based unlearning: Thaker et al. 2024 (arXiv:2403.03329) and ``sys`` of SOUL's release; the words are ours.

    Args:
        task: Its subjects are named; where it has none, questions of its forget set are quoted.
        max_subjects: At most so many of either.
        seed: Decides which, if there are more; they stay in the task's order.

    Raises:
        ConfigError: ``max_subjects`` is out of bounds.
        DatasetError: The forget set is empty.
    """
    _within("max_subjects", max_subjects, 1, MOST_SUBJECTS)
    subjects = _distinct(task.subjects)
    questions = _distinct([row.question for row in task.forget])
    if not subjects and not questions:
        raise DatasetError(
            f"The forget set of “{task.name}” is empty, so there is nothing to ask the model not to tell."
        )
    found = subjects or questions
    chosen = _drawn(found, max_subjects, f"input-based {seed}")
    items = [_cut(text) for text in chosen] if subjects else [f'"{_cut(text)}"' for text in chosen]
    what = _SUBJECTS if subjects else _QUESTIONS
    return {"kind": INPUT_BASED, "text": _ABOUT[what], "what": what, "items": items, "total": len(found)}


def icul_prompt(
    task: ForgetTask, *, wrong_shots: int, right_shots: int, seed: int, shots_as: ShotsAs = "system"
) -> dict[str, Any]:
    """Examples in front of the question: forget questions answered wrongly, retain questions answered rightly.

    In-context unlearning, Pawelczyk et al. 2023 (arXiv:2310.07579), which flips the label of the forget points in
    classification; with free answers, a wrong answer takes the label's place. The wrong examples are chosen for each
    question, so the result holds all forget rows (a drawn 2000 of more); the right ones are drawn once. No example
    shows a retain answer that tells a forget row's answer word for word, unless there are no others.

    Args:
        task: Gives the rows.
        wrong_shots: Wrong examples in front of a question.
        right_shots: Right examples, of different subjects where possible.
        seed: Decides the wrong answers and the right examples.
        shots_as: What a chat model gets them as: one system message, or earlier turns of the conversation.

    Raises:
        ConfigError: A number is out of bounds.
        DatasetError: There is no wrong answer for any forget row.
    """
    _within("wrong_shots", wrong_shots, 1, MOST_SHOTS)
    _within("right_shots", right_shots, 0, MOST_SHOTS)
    if shots_as not in SHOTS_AS:
        raise ConfigError(f"shots_as is “{shots_as}”. Choose {' or '.join(SHOTS_AS)}.")
    forget = _drawn(_usable(task.forget), MOST_ROWS, f"icul forget {seed}")
    asked = {row.question for row in task.forget}
    retain = [row for row in _usable(task.retain) if row.question not in asked]
    told = truths_told(forget)
    wrong = [
        {"question": row.question, "answer": answer, "row": i, "reveals": list(told(answer))}
        for i, (row, answer) in enumerate(zip(forget, wrong_answers(forget, retain, seed), strict=True))
        if answer
    ]
    if not wrong:
        raise DatasetError(
            f"The forget set of “{task.name}” has no row for which a wrong answer can be found. Give its rows "
            "perturbed answers, or add rows with other answers."
        )
    right = [
        {"question": row.question, "answer": row.answer, "reveals": list(told(row.answer))}
        for row in _spread(retain, right_shots, told, random.Random(f"icul retain {seed}"))
    ]
    return {"kind": ICUL, "wrong_shots": wrong_shots, "shots_as": shots_as, "forget": wrong, "retain": right}


def read_method(prompt: Mapping[str, Any]) -> InputBased | Icul:
    """Check a method that comes from a file.

    Raises:
        ModelError: It is none, or larger than this module makes them.
    """
    kind = prompt.get("kind")
    if kind == INPUT_BASED:
        items = _listed(prompt, "items", 1, MOST_SUBJECTS)
        return InputBased(
            text=_text(prompt.get("text"), "text", LONGEST_TEXT),
            what=_one_of(prompt, "what", tuple(_ABOUT)),
            items=tuple(_text(item, "items", _LONGEST_ITEM) for item in items),
            total=_number(prompt.get("total"), "total", len(items), 1 << 31),
        )
    if kind == ICUL:
        return Icul(
            wrong_shots=_number(prompt.get("wrong_shots"), "wrong_shots", 1, MOST_SHOTS),
            shots_as="turns" if _one_of(prompt, "shots_as", SHOTS_AS) == "turns" else "system",
            wrong=tuple(_shot(entry, "forget") for entry in _listed(prompt, "forget", 1, MOST_ROWS)),
            right=tuple(_shot(entry, "retain") for entry in _listed(prompt, "retain", 0, MOST_SHOTS)),
        )
    raise _bad("kind", f"is neither “{INPUT_BASED}” nor “{ICUL}”")


def _shot(entry: Any, what: str) -> Shot:
    if not isinstance(entry, dict):
        raise _bad(what, "holds an entry that is no question with an answer")
    reveals = _listed(entry, "reveals", 0, MOST_ROWS)
    return Shot(
        question=_text(entry.get("question"), f"{what}: question", LONGEST_TEXT),
        answer=_text(entry.get("answer"), f"{what}: answer", LONGEST_TEXT),
        truth=_number(entry.get("row"), f"{what}: row", 0, MOST_ROWS) if what == "forget" else -1,
        reveals=tuple(_number(row, f"{what}: reveals", 0, MOST_ROWS) for row in reveals),
    )


def _text(value: Any, what: str, longest: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _bad(what, "holds no text")
    if len(value) > longest:
        raise _bad(what, f"holds a text of {len(value)} characters, at most {longest} are allowed")
    if value != _clean(value):
        raise _bad(what, "holds a text with line breaks, double spaces or characters that cannot be shown")
    return value


def _number(value: Any, what: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _bad(what, f"is not a whole number from {least} to {most}")
    return value


def _listed(values: Mapping[str, Any], what: str, least: int, most: int) -> list[Any]:
    found = values.get(what)
    if not isinstance(found, list) or not least <= len(found) <= most:
        raise _bad(what, f"is not a list of {least} to {most} entries")
    return found


def _one_of(values: Mapping[str, Any], what: str, names: Sequence[str]) -> str:
    found = values.get(what)
    if not isinstance(found, str) or found not in names:
        raise _bad(what, f"is neither {' nor '.join(f'“{name}”' for name in names)}")
    return found


def _bad(what: str, said: str) -> ModelError:
    return ModelError(f"The prompt of this run cannot be used: its “{what}” {said}. Make the run again.")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ConfigError(f"{name} is {value}. Choose {least} to {most}.")


def _clean(text: str) -> str:
    """One line in single spaces, without control characters and halves of surrogate pairs, which cannot be encoded."""
    kept = (c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs"))
    return " ".join("".join(kept).split())


def _distinct(texts: Sequence[str]) -> list[str]:
    return [text for text in dict.fromkeys(map(_clean, texts)) if text]


def _cut(text: str) -> str:
    longest = _LONGEST_ITEM - 2
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _usable(rows: Sequence[QARow]) -> list[QARow]:
    """The rows with clean texts, without those that are empty or too long to be shown."""
    cleaned = [
        QARow(
            question=_clean(row.question),
            answer=_clean(row.answer),
            paraphrased_answer=_clean(row.paraphrased_answer),
            perturbed_answers=tuple(_clean(answer) for answer in row.perturbed_answers if len(answer) <= LONGEST_TEXT),
            subject=row.subject,
            fact=row.fact,
        )
        for row in rows
    ]
    return [row for row in cleaned if 0 < len(row.question) <= LONGEST_TEXT and 0 < len(row.answer) <= LONGEST_TEXT]


def _drawn(values: Sequence[T], most: int, seed: str) -> list[T]:
    if len(values) <= most:
        return list(values)
    return [values[i] for i in sorted(random.Random(seed).sample(range(len(values)), most))]


def _spread(
    retain: Sequence[QARow], count: int, told: Callable[[str], tuple[int, ...]], draw: random.Random
) -> list[QARow]:
    """Drawn rows: those that tell nothing of the forget set first, and no subject twice before all had their turn."""
    shuffled = draw.sample(retain, len(retain))
    turns: dict[str, int] = {}
    ranked = []
    for row in shuffled:
        turns[row.subject] = turns.get(row.subject, 0) + 1
        ranked.append((bool(told(row.answer)), turns[row.subject], row))
    return [row for _, _, row in sorted(ranked, key=lambda entry: entry[:2])[:count]]
