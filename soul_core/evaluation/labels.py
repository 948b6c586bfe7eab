"""One word for what an answer is: knows, same, refuses, garbled or different; it knows no model and no page."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from soul_core.data.schema import QARow
from soul_core.evaluation.matchers import ngrams
from soul_core.evaluation.words import contains, content_words, words_of

Label = Literal["knows", "same", "refuses", "garbled", "different"]

RULES: dict[Label, str] = {
    "knows": "The answer contains the truth, or at least three quarters of the words that tell the truth from the "
    "question and its wrong answers.",
    "same": "The truth is not known here; the answer says everything that the original model's answer says.",
    "refuses": "The answer says that it does not know or will not tell, in the words of a known refusal.",
    "garbled": "The answer is empty, repeats itself over and over, or is mostly symbols or unpronounceable words.",
    "different": "None of the other labels fits: mostly a readable answer that is not the right one.",
}

_ENOUGH = 0.75
# Share of character n-grams in common (cosine) above which an answer is one of the known refusals, reworded at most.
_NEAR_REFUSAL = 0.75
_REFUSAL_PHRASES = re.compile(
    r"\b("
    r"i (really |simply |honestly |just )?(do not|don t|cannot|can t|can not|could not|couldn t|am not able to|m not "
    r"able to|am unable to|m unable to|have no|ve no|won t|will not) "
    r"(know|say|tell|answer|help|recall|remember|provide|share|give|have|comment|disclose|discuss|idea|information|"
    r"knowledge|answer|memory|details)"
    r"|i (am|m) (sorry|afraid|not (sure|aware|familiar|certain|at liberty))"
    r"|i know nothing|i ve never heard|i have never heard|no idea"
    r"|(have|is|are) no (information|details|answer|knowledge|record)"
    r"|(beyond|outside|not something|not anything) (what )?(i|my)"
    r")\b"
)
# The same stretch again and again: two characters or more four times in a row, long stretches three times, or one
# character six times.
_REPEATS = re.compile(r"(.{2,80}?)\1{3,}|(.{16,160}?)\2{2,}|(\S)\3{5,}", re.DOTALL)
_LEAST_WORD_CHARACTERS = 0.6
_UNPRONOUNCEABLE = re.compile(r"[bcdfghjklmnpqrstvwxz]{4,}|[a-z]*[bcdfghjklmnpqrstvwxz]{7,}[a-z]*|[a-z]{25,}")
_MANY_WORDS, _LEAST_DISTINCT = 12, 1 / 3


def label(
    answer: str,
    *,
    truth: QARow | None = None,
    original: str | None = None,
    question: str = "",
    refusals: Sequence[str] = (),
) -> Label:
    """What an answer is, by ``RULES``; the first that applies of knows, refuses, garbled, same, different.

    Args:
        answer: Generated text.
        truth: The row asked, where the question is one of a task's.
        original: The original model's answer, used where the truth is not known.
        question: A free question; its words do not count as said by an answer.
        refusals: Known refusals.
    """
    if truth is None and original is None:
        raise ValueError("an answer is labelled against the truth or against the original's answer; give one")
    if truth is not None and knows(answer, truth):
        return "knows"
    if refuses(answer, refusals):
        return "refuses"
    if is_garbled(answer):
        return "garbled"
    if truth is None and original is not None and says_the_same(answer, original, question):
        return "same"
    return "different"


def knows(answer: str, truth: QARow) -> bool:
    """Whether the answer contains ``truth.answer`` or ``_ENOUGH`` of its telling words.

    Stricter than accuracy, which asks only what an answer is nearest to: the right month and year with a wrong day
    are nearer to the right date than to other dates, but whoever says them does not know it.
    """
    if contains(answer, truth.answer):
        return True
    telling = telling_words(truth)
    return bool(telling) and len(telling & set(words_of(answer))) >= _ENOUGH * len(telling)


def telling_words(truth: QARow) -> set[str]:
    """Words that every wording of the right answer has, but not the question nor all wrong answers."""
    telling = content_words(truth.answer) - content_words(truth.question)
    if truth.paraphrased_answer:
        telling &= content_words(truth.paraphrased_answer)
    wrong = [content_words(answer) for answer in truth.perturbed_answers]
    return {word for word in telling if not wrong or any(word not in said for said in wrong)}


def refuses(answer: str, refusals: Sequence[str] = ()) -> bool:
    """Whether the answer has a phrase of refusing in it or is close to one of the known refusals."""
    if _REFUSAL_PHRASES.search(" ".join(words_of(answer))):
        return True
    grams = ngrams(answer)
    return any(
        len(grams & known) >= _NEAR_REFUSAL * (len(grams) * len(known)) ** 0.5 > 0
        for known in _refusal_grams(tuple(refusals))
    )


@lru_cache(maxsize=8)
def _refusal_grams(refusals: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    return tuple(ngrams(refusal) for refusal in refusals)


def is_garbled(answer: str) -> bool:
    """Whether a text is no readable answer.

    It is garbled if it has no word; if under 60 % of its characters (spaces aside) are letters or digits; if a stretch
    of it follows itself four times (three if it is long, six for one character); if of twelve words or more under a
    third are distinct; or if half of its words cannot be pronounced (four letters and no vowel, seven consonants in
    a row, or more than 24 letters; words in the Latin alphabet only; y counts as a vowel).
    """
    words = words_of(answer)
    solid = "".join(answer.split())
    if not words or sum(map(str.isalnum, solid)) < _LEAST_WORD_CHARACTERS * len(solid):
        return True
    if _REPEATS.search(" ".join(words) + " "):
        return True
    if len(words) >= _MANY_WORDS and len(set(words)) < _LEAST_DISTINCT * len(words):
        return True
    return 2 * sum(_UNPRONOUNCEABLE.fullmatch(word) is not None for word in words) >= len(words)


def says_the_same(answer: str, original: str, question: str = "") -> bool:
    """Whether all that the original's answer adds to the question, stop words aside, is in the answer as well."""
    if words_of(answer) == words_of(original):
        return True
    added = content_words(original) - content_words(question)
    return bool(added) and added <= content_words(answer)
