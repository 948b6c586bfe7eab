"""What stands in front of a question: a fixed text, or shots chosen for the question. It knows no tokenizer.

A shot is a question with an answer. Its costs in tokens are counted once, by a function that is handed in, so that a
context is a value: it decides by itself, without a tokenizer, what fits in front of a question.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from soul_core.data.answers import words_in
from soul_core.errors import ModelError

# How much longer than without it a prompt is with this in front, in tokens.
Added = Callable[[str], int]

_GRAM = 3
# Tokens that the joint between two shots may differ by from the one that was counted.
_SLACK = 1
# Of how many questions the note says how many shots fit.
_TRIED = 40


@dataclass(frozen=True, slots=True)
class Shot:
    """One question with an answer.

    Attributes:
        question: The question.
        answer: The answer shown with it.
        truth: Which forget row it is; -1 for a retain row.
        reveals: Forget rows whose own answer stands in ``answer``.
        tokens: What it adds to a prompt.
    """

    question: str
    answer: str
    truth: int = -1
    reveals: tuple[int, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """The text around a context and around its shots.

    Attributes:
        opening: In front of the context.
        closing: Between the context and the question.
        head: In front of a shot's question.
        middle: Between a shot's question and answer.
        joint: Between two shots.
    """

    opening: str
    closing: str
    head: str = ""
    middle: str = ""
    joint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptContext:
    """What a template puts in front of every question: ``text``, or else shots.

    Attributes:
        slot: The text around it.
        tokens: Most tokens that it adds to a prompt.
        text: The same for every question.
        wrong: Forget questions with wrong answers, to choose from.
        right: Retain questions with their right answers.
        wrong_shots: How many of ``wrong`` are shown.
        overhead: Tokens that the slot adds around any number of shots.
        notes: What did not fit, in sentences for a person.
    """

    slot: Slot
    tokens: int
    text: str = ""
    wrong: tuple[Shot, ...] = ()
    right: tuple[Shot, ...] = ()
    wrong_shots: int = 0
    overhead: int = 0
    notes: tuple[str, ...] = ()

    def lead(self, question: str) -> str:
        """All text in front of the question; empty if no shot fits."""
        text = self.text or shown(self.slot, self.shots(question))
        return f"{self.slot.opening}{text}{self.slot.closing}" if text else ""

    def shots(self, question: str) -> tuple[Shot, ...]:
        """The shots for a question in the order of the prompt: the nearest forget rows, nearest last, then retain.

        A shot that reveals the answer of the forget row nearest to the question is passed over. While they do not
        fit, the first of the more numerous kind is left out, of equally many the first retain row: the nearest wrong
        answer is what the method lives on.
        """
        order, hidden = _ranked(self.wrong, question)
        wrong = [shot for shot in order if hidden.isdisjoint(shot.reveals)][: self.wrong_shots][::-1]
        right = [shot for shot in self.right if hidden.isdisjoint(shot.reveals)]
        while (wrong or right) and self.overhead + sum(s.tokens for s in (*wrong, *right)) > self.tokens:
            (right if len(right) >= len(wrong) else wrong).pop(0)
        return (*wrong, *right)


def shown(slot: Slot, shots: Sequence[Shot]) -> str:
    """The shots as text."""
    return slot.joint.join(f"{slot.head}{shot.question}{slot.middle}{shot.answer}" for shot in shots)


def text_context(
    slot: Slot, text: str, items: Sequence[str], *, total: int, what: str, added: Added, room: int
) -> PromptContext:
    """The text with as many of the items, from the first, as fit into ``room`` tokens.

    Raises:
        ModelError: Not one of them fits.
    """

    def naming(count: int) -> str:
        return f"{text} {'; '.join(items[:count])}."

    def cost(count: int) -> int:
        return added(f"{slot.opening}{naming(count)}{slot.closing}")

    fits = len(items)
    if cost(fits) > room:
        fits, too_many = 0, fits
        while too_many - fits > 1:
            tried = (fits + too_many) // 2
            fits, too_many = (tried, too_many) if cost(tried) <= room else (fits, tried)
    if not fits:
        raise ModelError(
            f"The prompt that asks the model not to answer needs {cost(1)} tokens, but this model has room for {room} "
            "beside question and answer. Choose a model with a longer context."
        )
    why = "more do not fit into this model's context" if fits < len(items) else "more are not asked for"
    notes = (f"The prompt names {fits} of {total} {what}; {why}.",) if fits < total else ()
    return PromptContext(slot=slot, tokens=cost(fits), text=naming(fits), notes=notes)


def shot_context(
    slot: Slot, wrong: Sequence[Shot], right: Sequence[Shot], wrong_shots: int, *, added: Added, room: int
) -> PromptContext:
    """The shots with their costs counted; for a question, as many as fit into ``room`` tokens are shown.

    Raises:
        ModelError: Not even the shortest wrong answer fits.
    """
    probe = Shot("Who is it?", "It is nobody.")

    def around(*shots: Shot) -> int:
        return added(f"{slot.opening}{shown(slot, shots)}{slot.closing}")

    alone = around(probe)
    overhead = max(0, alone - (around(probe, probe) - alone))

    def counted(shots: Sequence[Shot]) -> tuple[Shot, ...]:
        return tuple(replace(shot, tokens=max(1, around(probe, shot) - alone) + _SLACK) for shot in shots)

    wrong, right = counted(wrong), counted(right)
    least = overhead + min((shot.tokens for shot in wrong), default=0)
    if least > room:
        raise ModelError(
            f"The shortest wrong example needs {least} tokens, but this model has room for {room} beside question and "
            "answer. Choose a model with a longer context."
        )
    asked_for = min(wrong_shots, len(wrong)) + len(right)
    most = sum(sorted(shot.tokens for shot in wrong)[-wrong_shots:]) + sum(shot.tokens for shot in right)
    context = PromptContext(
        slot=slot,
        tokens=min(room, overhead + most),
        wrong=wrong,
        right=right,
        wrong_shots=wrong_shots,
        overhead=overhead,
    )
    if overhead + most <= room:
        return context
    step = max(1, len(wrong) // _TRIED)
    fitting = sorted({len(context.shots(shot.question)) for shot in wrong[::step]})
    if fitting[0] >= asked_for:
        return context
    some = str(fitting[0]) if len(fitting) == 1 else f"{fitting[0]} to {fitting[-1]}"
    return replace(context, notes=(f"Of {asked_for} examples, {some} fit into this model's context.",))


@dataclass(frozen=True, slots=True)
class _Index:
    """For every letter sequence the rows that have it and its squared weight; and every row's norm."""

    rows: dict[str, tuple[npt.NDArray[np.int64], float]]
    norm_N: npt.NDArray[np.float64]


def _ranked(shots: tuple[Shot, ...], question: str) -> tuple[list[Shot], frozenset[int]]:
    """The shots, nearest to the question first, and which forget rows are nearest to it.

    Nearness is the TF-IDF cosine of letter sequences (three letters within a word): rare ones, which make up names,
    weigh most. Ties go to the earlier row.
    """
    if not shots:
        return [], frozenset()
    index = _index(shots)
    dot_N = np.zeros(len(shots))
    # Sorted, since the order of a set differs from process to process and with it the last digit of a sum.
    for gram in sorted(_grams(question)):
        if gram in index.rows:
            rows, weight = index.rows[gram]
            dot_N[rows] += weight
    near_N = np.round(dot_N / index.norm_N, 9)
    order = np.argsort(-near_N, kind="stable")
    best = near_N[order[0]]
    hidden = frozenset(shots[i].truth for i in order if near_N[i] == best) if best > 0 else frozenset()
    return [shots[i] for i in order], hidden


@lru_cache(maxsize=8)
def _index(shots: tuple[Shot, ...]) -> _Index:
    found: dict[str, list[int]] = {}
    for i, shot in enumerate(shots):
        for gram in sorted(_grams(shot.question)):
            found.setdefault(gram, []).append(i)
    rows = {gram: (np.array(own), math.log(1 + len(shots) / len(own)) ** 2) for gram, own in found.items()}
    square_N = np.zeros(len(shots))
    for own_N, weight in rows.values():
        square_N[own_N] += weight
    return _Index(rows, np.sqrt(np.maximum(square_N, 1e-12)))


def _grams(text: str) -> set[str]:
    padded = (f" {word} " for word in words_in(text))
    return {word[i : i + _GRAM] for word in padded for i in range(max(1, len(word) - _GRAM + 1))}
