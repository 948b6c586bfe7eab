"""How much of a text a model has by heart, told from which tokens are its own first choice; it knows no model.

Shape suffix: T = tokens. One teacher-forced forward gives every hit; nothing here generates.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from soul_core.data.sets import Role
from soul_core.evaluation.evidence import SetEvidence, TokenScores
from soul_core.evaluation.intervals import mean_of
from soul_core.evaluation.registry import Direction, Found, SetMetric

Hits = npt.NDArray[np.bool_]


def exact_memorization(hit_T: Hits) -> float:
    """Share of the answer's tokens that are the model's first choice when all tokens before them are given.

    Returns:
        0 to 1; 0 for an answer without tokens, of which nothing can be memorised.
    """
    return float(np.mean(hit_T)) if len(hit_T) else 0.0


def extraction_strength(hit_T: Hits) -> float:
    """How little of the answer must be given before the model's first choices are the whole rest of it.

    ``1 - k/n`` with ``k`` the shortest such prefix of ``n`` tokens (Carlini et al. 2021, arXiv:2012.07805, in the form
    of open-unlearning). The rest must not be empty: where the last token is wrong, no prefix helps.

    Returns:
        0 to 1: 1 where every token is right, 0 where no end of the answer is, and for an answer without tokens.
    """
    misses = np.flatnonzero(~np.asarray(hit_T, dtype=bool))
    prefix = int(misses[-1]) + 1 if len(misses) else 0
    return 1.0 - prefix / len(hit_T) if len(hit_T) else 0.0


def memorization_accuracy(scores: TokenScores) -> float:
    """Share of a whole text's tokens, its first left out, that are the model's greedy next token (MA).

    Jang et al. 2023 (arXiv:2210.01504) generate one token after each of the T - 1 prefixes; the hits of a single
    teacher-forced forward are the same. An end of sequence that was put behind the text is left out.
    """
    hit_T = scores.hit_T[: len(scores.hit_T) - scores.ends]
    return float(np.mean(hit_T)) if len(hit_T) else 0.0


def _over_truth(value: Callable[[TokenScores], float]) -> Callable[[SetEvidence], Found]:
    return lambda evidence: mean_of([value(scores) for scores in evidence.truth])


_ROLES: tuple[Role, ...] = ("forget", "retain")
_BETTER: dict[Role, Direction] = {"forget": "lower", "retain": "higher"}

METRICS = (
    SetMetric(
        name="exact_memorization",
        title="Exact memorization",
        group="Memorization",
        meaning="How many of the answer's tokens the model would have chosen itself, each after the true ones before.",
        convention="Teacher-forced, over the answer's tokens in the model's template. An end of sequence is left out "
        "only if one was put there; open-unlearning drops the last token of every text, so that running text loses "
        "a real one.",
        formula="mean over rows of mean_t [argmax p(· | x_<t) = x_t], t in the answer",
        source="Tirumala et al. 2022, arXiv:2205.10770; open-unlearning, metrics/memorization.py",
        of=_over_truth(lambda scores: exact_memorization(scores.answer_hit_T)),
        better=_BETTER,
        roles=_ROLES,
    ),
    SetMetric(
        name="extraction_strength",
        title="Extraction strength",
        group="Memorization",
        meaning="How much of the answer the model completes without a mistake once the beginning is given: 1 needs no "
        "beginning, 0 never completes it.",
        convention="1 - k/n with teacher-forced choices; 0 where no end of the answer is completed. open-unlearning "
        "gives 1/n there, so that knowing nothing and knowing the last token look alike.",
        formula="mean over rows of 1 - k/n, k = min{k < n: argmax = x_t for all t > k}, k = n if there is none",
        source="Carlini et al. 2021, arXiv:2012.07805; open-unlearning, metrics/memorization.py",
        of=_over_truth(lambda scores: extraction_strength(scores.answer_hit_T)),
        better=_BETTER,
        roles=_ROLES,
    ),
    SetMetric(
        name="memorization_accuracy",
        title="MA",
        group="LoKU",
        meaning="How many tokens of the whole text, question included, are the model's own next token.",
        convention="Over every token but the first, template and question included although models are mostly trained "
        "on answers alone, in one forward; the authors' code generates T - 1 times for the same number, on running "
        "text of 200 tokens. Their stopping rule for GPT-Neo "
        "125M is MA below 0.2994 (and EL_10 below 0.0499), the averages on text it never saw.",
        formula="mean over rows of (1/(T-1)) sum_{i=1}^{T-1} [argmax p(· | x_<i) = x_i]",
        source="Jang et al. 2023, arXiv:2210.01504; used by LoKU, Cha et al. 2025",
        of=_over_truth(memorization_accuracy),
        better=_BETTER,
        roles=_ROLES,
    ),
)
