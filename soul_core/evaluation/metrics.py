"""Scores as pure functions of arrays and strings; it knows no model and no question set.

Shape suffix: N = rows. Every function raises ``ValueError`` for no rows: a mean of nothing is not a score.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rouge_score import rouge_scorer, tokenizers  # type: ignore[import-untyped]  # it ships no types

Floats = npt.NDArray[np.float64]
# 97.5 % quantile of the normal distribution: two-sided 95 %.
_Z = 1.959963984540054


class Share(NamedTuple):
    """A proportion with its 95 % interval, all in 0 to 1."""

    value: float
    low: float
    high: float


def probability(nll_sum_N: npt.ArrayLike, tokens_N: npt.ArrayLike) -> Floats:
    """Length-normalised probability of each answer, ``exp(-nll / tokens)`` (TOFU's Probability, before the mean).

    Args:
        nll_sum_N: NLL summed over the answer's tokens, in nats.
        tokens_N: Number of those tokens, end of sequence included.

    Returns:
        (N,) in 0 to 1; 0 where the NLL is not finite, as a broken model gives the answer no probability.
    """
    nll, tokens = np.asarray(nll_sum_N, dtype=np.float64), np.asarray(tokens_N, dtype=np.float64)
    if nll.shape != tokens.shape or nll.ndim != 1 or not len(nll) or (tokens < 1).any():
        raise ValueError(f"expected two (N,) arrays with N > 0 and tokens > 0, got {nll.shape} and {tokens.shape}")
    finite = np.isfinite(nll)
    return np.where(finite, np.exp(-np.where(finite, nll, 0.0) / tokens), 0.0)


def rouge_l_recall(answers: Sequence[str], truths: Sequence[str]) -> Floats:
    """ROUGE-L recall of each answer: longest common word subsequence over the truth's words, stemmed.

    Returns:
        (N,) in 0 to 1; 0 for an empty answer or truth.
    """
    if len(answers) != len(truths) or not answers:
        raise ValueError(f"{len(answers)} answers do not match {len(truths)} truths")
    scorer = _scorer()
    return np.array(
        [scorer.score(truth, answer)["rougeL"].recall for answer, truth in zip(answers, truths, strict=True)]
    )


def acc(correct_N: npt.ArrayLike) -> Share:
    """Share of correct answers with its Wilson interval."""
    correct = np.asarray(correct_N, dtype=bool)
    if correct.ndim != 1:
        raise ValueError(f"expected (N,), got {correct.shape}")
    return wilson(int(correct.sum()), len(correct))


def wilson(successes: int, rows: int) -> Share:
    """Wilson's score interval for a proportion at 95 %, which stays inside 0 to 1 (Wilson 1927)."""
    if not 0 <= successes <= rows or not rows:
        raise ValueError(f"{successes} of {rows} is not a proportion")
    share, z2 = successes / rows, _Z * _Z / rows
    middle = (share + z2 / 2) / (1 + z2)
    half = _Z / (1 + z2) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows))
    return Share(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


class _RememberingTokenizer(tokenizers.Tokenizer):  # type: ignore[misc]
    """rouge_score's own tokenizer and stemmer, each text once: the truths come back after every epoch."""

    def __init__(self) -> None:
        self._tokenize = lru_cache(maxsize=20_000)(tokenizers.DefaultTokenizer(use_stemmer=True).tokenize)

    def tokenize(self, text: str) -> list[str]:
        return list(self._tokenize(text))


@lru_cache(maxsize=1)
def _scorer() -> rouge_scorer.RougeScorer:
    return rouge_scorer.RougeScorer(["rougeL"], tokenizer=_RememberingTokenizer())
