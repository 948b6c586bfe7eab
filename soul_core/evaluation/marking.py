"""Which words of an answer repeat the truth and which differ from the original's answer; it knows no page."""

import difflib
from dataclasses import dataclass

from soul_core.evaluation.words import STOP_WORDS, content_words, words_of


@dataclass(frozen=True, slots=True)
class MarkedWord:
    """One word with its punctuation, as it stands between two spaces.

    Attributes:
        text: The word.
        repeats_truth: It is a word of the truth that the question did not give away.
        differs_from_original: It is not where it stands in the original's answer.
    """

    text: str
    repeats_truth: bool
    differs_from_original: bool


def mark_words(answer: str, truth: str, original: str | None = None, *, question: str = "") -> list[MarkedWord]:
    """Mark an answer word by word.

    Stop words and words of the question do not repeat the truth, except between two words that do and that stand
    in the truth with the same words between them ("The Needle *and the* Meadow").

    Args:
        answer: Generated text.
        truth: The right answer; empty if not known.
        original: The original model's answer; None marks no difference.
        question: What was asked.
    """
    texts = answer.split()
    keys = [words_of(text) for text in texts]
    repeats = _repeats(keys, truth, question)
    differs = _differences(keys, original)
    return [MarkedWord(*word) for word in zip(texts, repeats, differs, strict=True)]


def _repeats(keys: list[list[str]], truth: str, question: str) -> list[bool]:
    telling = content_words(truth) - content_words(question)
    marked = [bool(own := set(key) - STOP_WORDS) and own <= telling for key in keys]
    in_truth = f" {' '.join(words_of(truth))} "
    last = None
    for i, on in enumerate(list(marked)):
        if not on:
            continue
        if last is not None and i - last > 1:
            stretch = " ".join(word for key in keys[last : i + 1] for word in key)
            if f" {stretch} " in in_truth:
                marked[last : i + 1] = [True] * (i + 1 - last)
        last = i
    return marked


def _differences(keys: list[list[str]], original: str | None) -> list[bool]:
    if original is None:
        return [False] * len(keys)
    before = [" ".join(words_of(text)) for text in original.split()]
    after = [" ".join(key) for key in keys]
    differs = [True] * len(after)
    for block in difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        differs[block.b : block.b + block.size] = [False] * block.size
    return differs
