"""Whether answers read like language, told from the answers alone; it knows no model, no truth and no page."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from soul_core.evaluation.card import Measured
from soul_core.evaluation.evidence import Evidence, SetEvidence
from soul_core.evaluation.intervals import mean_of
from soul_core.evaluation.labels import is_garbled
from soul_core.evaluation.metrics import acc
from soul_core.evaluation.registry import Found, ModelMetric, SetMetric

_TOKEN = re.compile(r"\w+|[^\w\s]")


def tokens_of(text: str) -> list[str]:
    """Words as they are written, and every other visible character by itself: ``"{{"`` is two tokens."""
    return _TOKEN.findall(text)


def ngram_entropy(tokens: Sequence[str], n: int) -> float:
    """Shannon entropy of the distribution of n-grams, in bits.

    Returns:
        0 where all n-grams are the same and where there are none; log2 of their number where all differ.
    """
    counts = Counter(_ngrams(tokens, n))
    total = counts.total()
    return float(sum(-c / total * math.log2(c / total) for c in counts.values()))


def fluency(text: str) -> float:
    """Weighted n-gram entropy in bits: ``(2/3 H_2 + 4/3 H_3) / 2`` (RWKU; first by Zhang et al. 2018).

    Returns:
        0 or more: 0 for an empty text and for one symbol again and again. It grows with the text's length, so bare
        values score low, and so does nothing else about random symbols: they repeat no n-gram.
    """
    tokens = tokens_of(text)
    return (2 / 3 * ngram_entropy(tokens, 2) + 4 / 3 * ngram_entropy(tokens, 3)) / 2


def repetition(text: str, n: int = 3) -> float:
    """Share of n-grams that were there before: 1 - distinct / all (rep-n, Welleck et al. 2020, arXiv:1908.04319).

    Returns:
        0 to below 1; 0 for a text of fewer than n tokens, which repeats nothing.
    """
    grams = _ngrams(tokens_of(text), n)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    if n < 1:
        raise ValueError(f"n-grams of {n} tokens")
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def _over_answers(value: Callable[[str], float]) -> Callable[[SetEvidence], Found | None]:
    return lambda evidence: mean_of([value(text) for text in evidence.answers]) if evidence.answers else None


def _readable(evidence: SetEvidence) -> Found | None:
    if not evidence.answers:
        return None
    readable_N = [not is_garbled(text) for text in evidence.answers]
    share = acc(readable_N)
    measured = Measured(value=share.value, low=share.low, high=share.high, rows=len(readable_N))
    return Found(measured=measured, per_row=tuple(float(one) for one in readable_N))


def _all_answers(evidence: Evidence) -> Found | None:
    values = [fluency(text) for of_set in evidence.sets.values() for text in of_set.answers]
    return mean_of(values) if values else None


_ENTROPY = (
    "RWKU's: n-gram entropy in bits, n = 2 and 3, mean over answers. Tokens are words as written and single "
    "punctuation marks; RWKU splits with NLTK, which differs in contractions. It grows with an answer's length, so "
    "compare answers to the same questions; random symbols score high, and “Readable” shows those."
)
_SOURCE = "RWKU, Jin et al. 2024, arXiv:2406.10890; Meng et al. 2022, arXiv:2202.05262"

METRICS = (
    SetMetric(
        name="fluency",
        title="Fluency",
        group="RWKU",
        meaning="How varied the answers' wording is; near 0 where the same symbol comes again and again.",
        convention=_ENTROPY,
        formula="mean over answers of (2/3 H_2 + 4/3 H_3) / 2, H_n = -sum_g f(g) log2 f(g) over n-grams g",
        source=_SOURCE,
        of=_over_answers(fluency),
        better={"forget": "higher", "retain": "higher", "facts": "higher"},
        digits=2,
    ),
    SetMetric(
        name="repetition",
        title="Repetition",
        group="Fluency",
        meaning="How much of the answers was said before in the same answer, in runs of three tokens.",
        convention="rep-3 of each answer, then the mean; an answer of fewer than three tokens, or an empty "
        "one, repeats nothing.",
        formula="mean over answers of 1 - |distinct 3-grams| / |3-grams|",
        source="Welleck et al. 2020, arXiv:1908.04319",
        of=_over_answers(repetition),
        better={"forget": "lower", "retain": "lower", "facts": "lower"},
    ),
    SetMetric(
        name="readable",
        title="Readable",
        group="Fluency",
        meaning="How many answers are readable at all: not empty, not one thing again and again, not mostly symbols "
        "or unpronounceable words.",
        convention="By this project's own rule for the label “garbled”, without a model; open-unlearning asks a "
        "classifier about the first 32 tokens. A refusal is readable. Wilson interval.",
        formula="readable answers / answers",
        source="this project; compare open-unlearning, metrics/utility.py",
        of=_readable,
        better={"forget": "higher", "retain": "higher", "facts": "higher"},
    ),
    ModelMetric(
        name="fluency_all",
        title="Fluency, all answers",
        group="RWKU",
        meaning="How varied the wording of all answers is, over every question set.",
        convention=f"{_ENTROPY} Every answer counts the same, so large sets count more.",
        formula="mean over all answers of (2/3 H_2 + 4/3 H_3) / 2",
        source=_SOURCE,
        of=_all_answers,
        better="higher",
        digits=2,
    ),
)
