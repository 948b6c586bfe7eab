"""Membership inference attacks: from how likely texts are under a model, which of them it was trained on.

It knows no model, no tokenizer and no question set. Every score here is a member detector's: the higher, the more
likely a member. Shape suffix: T = tokens.
"""

import zlib
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq  # type: ignore[import-untyped]  # it ships no types
from scipy.stats import norm, rankdata  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from soul_core.evaluation.card import Measured
from soul_core.evaluation.evidence import Evidence, Floats, TextEvidence, TokenScores
from soul_core.evaluation.registry import Found, ModelMetric

SHARES = (10, 20, 30, 40, 50, 60)
"""Per cent of a text's least likely tokens that Min-k attacks look at."""

PRIVLEAK_SHARE = 40
"""The Min-k attack that PrivLeak is made of, as in MUSE and open-unlearning."""
PRIVLEAK_ATTACK = f"mia_min_k_{PRIVLEAK_SHARE}"
"""The metric whose AUC ``Gold.attacks`` needs for PrivLeak against the gold model."""

# open-unlearning clamps the variance at 1e-6: a token after which the model is sure of the next has none.
_LEAST_DEVIATION = 1e-3
_Z = float(norm.ppf(0.975))


def loss_score(nll_T: Floats) -> float:
    """Mean log-likelihood per token (Yeom et al. 2018, arXiv:1709.01604), in nats; at most 0."""
    return -float(np.mean(nll_T))


def zlib_score(nll_T: Floats, text: str) -> float:
    """Mean log-likelihood per token over the bytes that zlib needs for the text (Carlini et al. 2021)."""
    return loss_score(nll_T) / len(zlib.compress(text.encode("utf-8", "replace")))


def reference_score(loss: float, reference_loss: float) -> float:
    """How much more likely the text is than under a model never trained on it (Carlini et al. 2021), in nats."""
    return reference_loss - loss


def min_k(nll_T: Floats, share: int) -> float:
    """Mean log-likelihood of a text's least likely tokens (Min-k %, Shi et al. 2024, arXiv:2310.16789), in nats.

    Args:
        nll_T: NLL of the tokens.
        share: Per cent of the tokens, rounded down to a whole number of them, at least one.
    """
    return _lowest(-np.asarray(nll_T, dtype=np.float64), share)


def min_k_plus(nll_T: Floats, mean_T: Floats, deviation_T: Floats, share: int) -> float:
    """``min_k`` of each token's log-likelihood in units of the model's own spread (Min-k++, arXiv:2404.02936).

    Args:
        nll_T: NLL of the tokens.
        mean_T: Mean of log p over the vocabulary under the model itself.
        deviation_T: Its standard deviation; one below 1e-3 counts as 1e-3.
        share: As for ``min_k``.
    """
    z_T = (-np.asarray(nll_T) - mean_T) / np.maximum(deviation_T, _LEAST_DEVIATION)
    return _lowest(z_T, share)


def auc(member_scores: npt.ArrayLike, nonmember_scores: npt.ArrayLike) -> float:
    """Probability that a member scores higher than a nonmember, ties counted half: the AUC of a member detector.

    1: every member scores higher than every nonmember. 0.5: the scores tell nothing apart. Infinite scores have their
    place in the order.

    Raises:
        ValueError: There are no members or no nonmembers, or a score is NaN.
    """
    members, others = np.asarray(member_scores, dtype=np.float64), np.asarray(nonmember_scores, dtype=np.float64)
    if members.ndim != 1 or others.ndim != 1 or not len(members) or not len(others):
        raise ValueError(f"an AUC needs members and nonmembers, got {members.shape} and {others.shape} scores")
    both = np.concatenate([members, others])
    if np.isnan(both).any():
        raise ValueError(f"{int(np.isnan(both).sum())} of {len(both)} scores are NaN and have no place in an order")
    labels = np.repeat([1, 0], [len(members), len(others)])
    # Ranks order as the scores do, and scikit-learn takes no infinite scores.
    return float(roc_auc_score(labels, rankdata(both)))


def auc_interval(value: float, members: int, nonmembers: int) -> tuple[float, float]:
    """95 % interval of an AUC that stays inside 0 to 1 and has a width at its ends too.

    The AUCs whose own standard error, by Newcombe's modification of Hanley and McNeil's, explains the one found
    (Newcombe 2006, Statistics in Medicine 25:559, method 5).
    """
    if not 0 <= value <= 1 or members < 1 or nonmembers < 1:
        raise ValueError(f"{value} is no AUC of {members} members and {nonmembers} nonmembers")
    spare = (members + nonmembers) / 2 - 1

    def too_far(a: float) -> float:
        variance = a * (1 - a) * (1 + spare * ((1 - a) / (2 - a) + a / (1 + a))) / (members * nonmembers)
        return float((value - a) ** 2 - _Z * _Z * variance)

    # At 0 and 1 the standard error is 0: a root there is none of ours.
    edge = 1e-12
    low = brentq(too_far, edge, min(value, 1 - edge)) if value > edge and too_far(edge) > 0 else 0.0
    high = brentq(too_far, max(value, edge), 1 - edge) if value < 1 - edge and too_far(1 - edge) > 0 else 1.0
    return float(low), float(high)


def privleak(value: float, reference: float = 0.5) -> float:
    """How far an attack's AUC is from a reference's, in per cent of the reference: open-unlearning's PrivLeak.

    ``((1 - AUC) - (1 - AUC_ref)) / ((1 - AUC_ref) + 1e-10) * 100`` with member-detector AUCs. 0: as little leaks as
    from the reference. Below 0: members can still be told. Above 0: they are *less* likely than texts never seen.

    Args:
        value: Member-detector AUC of the model.
        reference: That of a model that never saw the members; 0.5 where there is none.

    Raises:
        ValueError: The reference is 1: it tells members apart without having seen them, which leaves no scale.
    """
    if not 0 <= value <= 1 or not 0 <= reference < 1:
        raise ValueError(f"PrivLeak needs AUCs, the reference's below 1, got {value} and {reference}")
    return ((1 - value) - (1 - reference)) / ((1 - reference) + 1e-10) * 100


def privleak_muse(value: float, retrained: float) -> float:
    """MUSE's PrivLeak (Shi et al. 2024, arXiv:2407.06460): ``(AUC - AUC_retrain) / AUC_retrain * 100``.

    MUSE labels the *holdout* 1, so its AUCs are 1 minus a member detector's; put in so, both conventions give the same
    number up to rounding. With a member detector's AUCs the sign would turn round.

    Args:
        value: MUSE's AUC of the model: ``1 - auc(members, nonmembers)``.
        retrained: That of a model retrained without the members, above 0.
    """
    if not 0 <= value <= 1 or not 0 < retrained <= 1:
        raise ValueError(f"PrivLeak needs AUCs, the retrained model's above 0, got {value} and {retrained}")
    return (value - retrained) / retrained * 100


def attacked(member_scores: npt.ArrayLike, nonmember_scores: npt.ArrayLike, *, note: str = "") -> Found:
    """``auc`` and its interval as a scorecard keeps them; without a value, and with a note, where a score is NaN."""
    members, others = np.asarray(member_scores, dtype=np.float64), np.asarray(nonmember_scores, dtype=np.float64)
    rows = len(members) + len(others)
    broken = int(np.isnan(members).sum() + np.isnan(others).sum())
    if broken or not len(members) or not len(others):
        why = f"{broken} of {rows} texts have no finite likelihood" if broken else "There are no texts on one side"
        return Found(measured=Measured(value=None, rows=rows, note=f"{why}, so there is no AUC."))
    value = auc(members, others)
    low, high = auc_interval(value, len(members), len(others))
    return Found(measured=Measured(value=value, low=low, high=high, rows=rows, note=note))


def without_end(scores: TokenScores, values_T: Floats, start: int = 0) -> Floats:
    """A text's values from ``start`` on, without that of an appended end of sequence, unless it is the only one."""
    stop = len(values_T) - scores.ends
    return values_T[start:stop] if stop > start else values_T[start:]


def _lowest(values_T: Floats, share: int) -> float:
    if not 0 < share <= 100 or not len(values_T):
        raise ValueError(f"the lowest {share} % of {len(values_T)} values")
    if np.isnan(values_T).any():
        return float("nan")  # sorting would put it last, where nobody looks
    # A text too short for a whole token still has a least likely one.
    count = max(1, len(values_T) * share // 100)
    return float(np.sort(values_T)[:count].mean())


def _answer(scores: TokenScores, values_T: Floats) -> Floats:
    return without_end(scores, values_T, scores.answer_from)


def _min_k_of(scores: TokenScores, share: int) -> float:
    return min_k(_answer(scores, scores.nll_T), share)


def _min_k_plus_of(scores: TokenScores, share: int) -> float:
    nll, mean, deviation = (_answer(scores, of_T) for of_T in (scores.nll_T, scores.mean_T, scores.deviation_T))
    return min_k_plus(nll, mean, deviation, share)


def _attack(score: Callable[[TokenScores, str], float]) -> Callable[[Evidence], Found | None]:
    """The AUC of an attack that looks at each text by itself."""

    def of_all(texts: TextEvidence) -> list[float]:
        return [score(scores, text) for scores, text in zip(texts.scores, texts.texts, strict=True)]

    def found(evidence: Evidence) -> Found | None:
        if evidence.members is None or evidence.nonmembers is None:
            return None
        return attacked(of_all(evidence.members), of_all(evidence.nonmembers), note=_origin(evidence))

    return found


def _reference(evidence: Evidence) -> Found | None:
    known = evidence.reference_loss
    if evidence.members is None or evidence.nonmembers is None or not {"members", "nonmembers"} <= known.keys():
        return None
    scores = [
        [reference_score(s.loss, float(loss)) for s, loss in zip(texts.scores, known[name], strict=True)]
        for name, texts in (("members", evidence.members), ("nonmembers", evidence.nonmembers))
    ]
    return attacked(*scores, note=_origin(evidence))


def _gradient_norm(evidence: Evidence) -> Found | None:
    norms: Mapping[str, Floats] = evidence.gradient_norms
    if not {"members", "nonmembers"} <= norms.keys():
        return None
    return attacked(-norms["members"], -norms["nonmembers"], note=_origin(evidence))


def _privleak(evidence: Evidence) -> Found | None:
    return _leaked(_MIN_K[PRIVLEAK_SHARE](evidence), 0.5)


def _privleak_gold(evidence: Evidence) -> Found | None:
    gold = evidence.gold.attacks if evidence.gold is not None else {}
    return _leaked(_MIN_K[PRIVLEAK_SHARE](evidence), gold[PRIVLEAK_ATTACK]) if PRIVLEAK_ATTACK in gold else None


def _leaked(found: Found | None, reference: float) -> Found | None:
    if found is None or found.measured.value is None:
        return found
    low, value, high = found.measured.low or 0.0, found.measured.value, found.measured.high or 0.0
    if reference >= 1:
        note = "The gold model tells all members apart without having seen them: there is no scale to compare on."
        return Found(measured=Measured(value=None, rows=found.measured.rows, note=note))
    # PrivLeak falls where the AUC rises, so the ends of the interval change places.
    low, value, high = (privleak(a, reference) for a in (high, value, low))
    return Found(
        measured=Measured(value=value, low=low, high=high, rows=found.measured.rows, note=found.measured.note)
    )


def _origin(evidence: Evidence) -> str:
    if not evidence.nonmember_kind:
        return ""
    return (
        f"Nonmembers are {evidence.nonmember_kind}. As far as they are of another kind than the members, the AUC "
        "measures that, not membership."
    )


_MIN_K = {share: _attack(lambda scores, _, share=share: _min_k_of(scores, share)) for share in SHARES}  # type: ignore[misc]  # share is bound, not given


def _entry(
    name: str,
    title: str,
    of: Callable[[Evidence], Found | None],
    *,
    meaning: str,
    convention: str,
    formula: str,
    source: str,
    digits: int = 3,
) -> ModelMetric:
    return ModelMetric(
        name=name,
        title=title,
        group="Membership",
        meaning=meaning,
        convention=convention,
        formula=formula,
        source=source,
        of=of,
        better="gold",
        digits=digits,
    )


_AUC = "AUC of a member detector: 1 tells all members apart, 0.5 none; below 0.5 members look less seen than others."
_ANSWER = "Over the answer's tokens, as open-unlearning; MUSE, RWKU and SOUL take the whole text."
_FORMULA = "AUC(score of members, score of nonmembers), score ="
_MEANING = "How well an attacker tells forget texts from texts the model never saw,"

METRICS: tuple[ModelMetric, ...] = (
    _entry(
        "mia_loss",
        "MIA loss",
        _attack(lambda scores, _: loss_score(scores.answer_nll_T)),
        meaning=f"{_MEANING} by how likely the model finds them.",
        convention=f"{_AUC} {_ANSWER} An end of sequence counts.",
        formula=f"{_FORMULA} mean_t log p(x_t)",
        source="Yeom et al. 2018, arXiv:1709.01604; open-unlearning, metrics/mia/loss.py",
    ),
    _entry(
        "mia_zlib",
        "MIA zlib",
        _attack(lambda scores, text: zlib_score(without_end(scores, scores.nll_T), text)),
        meaning=f"{_MEANING} by how likely they are for how compressible they are.",
        convention=f"{_AUC} Over the whole text, template and question included, and the bytes zlib needs for it, as "
        "MUSE and RWKU; open-unlearning takes the answer alone for both.",
        formula=f"{_FORMULA} mean_t log p(x_t) / len(zlib(text))",
        source="Carlini et al. 2021, arXiv:2012.07805; MUSE, metrics/privleak.py",
    ),
    _entry(
        "mia_reference",
        "MIA reference",
        _reference,
        meaning=f"{_MEANING} by how much more likely they are than under a reference model.",
        convention=f"{_AUC} {_ANSWER} An end of sequence counts. The number depends on the reference, which "
        "should be a model never trained on the texts.",
        formula=f"{_FORMULA} loss under the reference - loss, loss = -mean_t log p(x_t)",
        source="Carlini et al. 2021, arXiv:2012.07805; open-unlearning, metrics/mia/reference.py",
    ),
    *(
        _entry(
            f"mia_min_k_{share}",
            f"Min-{share} %",
            _MIN_K[share],
            meaning=f"{_MEANING} by the {share} % of tokens the model finds least likely.",
            convention=f"{_AUC} {_ANSWER} An appended end of sequence is left out, and of a short answer at least one "
            "token counts; MUSE's and SOUL's code take the mean of none there, which is not a number.",
            formula=f"{_FORMULA} mean of the lowest max(1, floor({share / 100:g} T)) log p(x_t)",
            source="Shi et al. 2024, arXiv:2310.16789; open-unlearning, metrics/mia/min_k.py",
        )
        for share in SHARES
    ),
    *(
        _entry(
            f"mia_min_k_plus_{share}",
            f"Min-{share} %++",
            _attack(lambda scores, _, share=share: _min_k_plus_of(scores, share)),  # type: ignore[misc]
            meaning=f"{_MEANING} by the {share} % of tokens least likely for how sure the model is there.",
            convention=f"{_AUC} {_ANSWER} An appended end of sequence is left out. A spread below 0.001 counts as "
            "0.001, as in open-unlearning; the authors' code and RWKU divide by what may be 0.",
            formula=f"{_FORMULA} mean of the lowest {share} % of (log p(x_t) - mu_t) / sigma_t, mu and sigma of "
            "log p(v) under the model",
            source="Zhang et al. 2024, arXiv:2404.02936; open-unlearning, metrics/mia/min_k_plus_plus.py",
        )
        for share in (20, 40)
    ),
    _entry(
        "mia_gradient_norm",
        "MIA gradient norm",
        _gradient_norm,
        meaning=f"{_MEANING} by how little the model would change to fit them better.",
        convention=f"{_AUC} One L2 norm over all weights, without dropout; open-unlearning takes the mean of one norm "
        "per weight tensor with dropout on.",
        formula=f"{_FORMULA} -||gradient of -mean_t log p(x_t) by the weights||_2",
        source="Wang et al. 2024, arXiv:2402.17012; open-unlearning, metrics/mia/gradnorm.py",
    ),
    _entry(
        "privleak",
        "PrivLeak",
        _privleak,
        meaning="How far the attack's AUC is from chance, in per cent: below 0 members can be told, above 0 they look "
        "less seen than texts never seen.",
        convention="Min-40 % over the answer's tokens against a reference AUC of 0.5, open-unlearning's default. MUSE "
        "compares with a retrained model: see PrivLeak (gold).",
        formula="((1 - AUC) - (1 - 0.5)) / ((1 - 0.5) + 1e-10) * 100",
        source="Shi et al. 2024, arXiv:2407.06460; open-unlearning, metrics/privacy.py",
        digits=1,
    ),
    _entry(
        "privleak_gold",
        "PrivLeak (gold)",
        _privleak_gold,
        meaning="How far the attack's AUC is from what it is on the gold model, in per cent: below 0 members can "
        "still be told, above 0 they look less seen than to the gold model.",
        convention="Min-40 % against the gold model's own AUC, as MUSE, whose AUCs label the holdout 1 and are 1 "
        "minus these. Its interval takes the gold model's AUC as exact.",
        formula="((1 - AUC) - (1 - AUC_gold)) / ((1 - AUC_gold) + 1e-10) * 100",
        source="Shi et al. 2024, arXiv:2407.06460; open-unlearning, metrics/privacy.py",
        digits=1,
    ),
)
