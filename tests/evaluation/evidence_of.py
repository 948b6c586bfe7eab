"""Evidence made up from a few numbers, for metrics that are functions of it; it knows no metric."""

from collections.abc import Sequence

import numpy as np

from soul_core.data.schema import QARow
from soul_core.evaluation.evidence import Evidence, SetEvidence, TextEvidence, TokenScores


def scores_of(
    nll: Sequence[float],
    *,
    hits: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    deviation: Sequence[float] | None = None,
    answer_from: int = 0,
    ends: bool = False,
) -> TokenScores:
    """Scores of one text: hits are all wrong, means 0 and deviations 1 unless given."""
    return TokenScores(
        np.array(nll, dtype=np.float64),
        np.array(hits if hits is not None else [0] * len(nll), dtype=bool),
        np.array(mean if mean is not None else [0] * len(nll), dtype=np.float64),
        np.array(deviation if deviation is not None else [1] * len(nll), dtype=np.float64),
        answer_from,
        ends,
    )


def hits_of(*hits: int, answer_from: int = 0, ends: bool = False) -> TokenScores:
    """Scores of one text of which only the hits matter."""
    return scores_of([1.0] * len(hits), hits=hits, answer_from=answer_from, ends=ends)


def asked(name: str, truth: Sequence[TokenScores] = (), answers: Sequence[str] = (), **fields: object) -> SetEvidence:
    """One question set; its rows' answers are “the truth”."""
    rows = tuple(QARow(question="Who?", answer="the truth") for _ in truth or answers)
    return SetEvidence(name=name, rows=rows, truth=tuple(truth), answers=tuple(answers), **fields)  # type: ignore[arg-type]


def texts_of(*scores: TokenScores, texts: Sequence[str] = ()) -> TextEvidence:
    """Texts that are scored; what they say is the same unless given."""
    return TextEvidence(texts=tuple(texts or ["a text"] * len(scores)), scores=scores)


def evidence_of(*sets: SetEvidence, **fields: object) -> Evidence:
    """Everything about one model, with these sets."""
    return Evidence(sets={one.name: one for one in sets}, **fields)  # type: ignore[arg-type]


def by_name(metrics: Sequence[object]) -> dict[str, object]:
    """Metrics by their names, each once."""
    named = {metric.name: metric for metric in metrics}  # type: ignore[attr-defined]
    assert len(named) == len(metrics)
    return named
