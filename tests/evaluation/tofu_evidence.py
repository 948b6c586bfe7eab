"""Evidence made of chosen losses, for tests that work numbers out by hand."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from soul_core.data.schema import QARow
from soul_core.evaluation.evidence import Evidence, Gold, SetEvidence, TokenScores


def scores(*token_nll: float) -> TokenScores:
    """One prompt token at 9 nats, which no metric may count, then the answer's tokens, the last one its end."""
    nll_T = np.array([9.0, *token_nll])
    return TokenScores(nll_T, np.ones(len(nll_T), bool), nll_T, nll_T, answer_from=1, ends=True)


def likely(p: float) -> TokenScores:
    """An answer of two tokens with length-normalised probability ``p``: nll halves and doubles around the mean."""
    loss = -math.log(p)
    return scores(0.5 * loss, 1.5 * loss)


def asked(
    name: str,
    answers: Sequence[str],
    *,
    truth: Sequence[float],
    paraphrase: Sequence[float] = (),
    wrong: Sequence[Sequence[float]] = (),
) -> SetEvidence:
    """A set of probabilities; row i asks ``Q<i>?`` and its answer is ``red green blue grey``."""
    return SetEvidence(
        name=name,
        rows=tuple(QARow(question=f"Q{i}?", answer="red green blue grey") for i in range(len(truth))),
        truth=tuple(map(likely, truth)),
        paraphrase=tuple(map(likely, paraphrase)),
        wrong=tuple(tuple(map(likely, row)) for row in wrong),
        answers=tuple(answers),
    )


def tofu_evidence(gold: Mapping[str, Sequence[float]] | None = None) -> Evidence:
    """TOFU's four sets, two rows each, with every number simple."""
    half, all_of_it = "red blue", "red green blue grey"
    return Evidence(
        sets={
            "forget": asked(
                "forget", [half, half], truth=[0.5, 0.25], paraphrase=[0.5, 0.1], wrong=[[0.5, 0.125], [0.4, 0.1]]
            ),
            "retain": asked(
                "retain", [all_of_it, half], truth=[0.5, 1.0], paraphrase=[0.5, 0.8], wrong=[[0.5, 0.125], [0.2, 0.2]]
            ),
            "real_authors": asked(
                "real_authors", [half, half], truth=[0.5, 0.2], wrong=[[0.25, 0.25], [0.4, 0.1, 0.1]]
            ),
            "world_facts": asked("world_facts", [all_of_it] * 2, truth=[0.8, 0.6], wrong=[[0.2], [0.3, 0.3]]),
        },
        gold=Gold(name="gold", truth_ratio_N={k: np.array(v) for k, v in gold.items()}) if gold else None,
    )
