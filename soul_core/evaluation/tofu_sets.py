"""TOFU's numbers of question sets, whether a model was scored here or a log was read. It knows no model and no file.

Shape suffixes: N = rows, K = wrong answers of a row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import hmean  # type: ignore[import-untyped]  # it ships no types

from soul_core.data.sets import Role, set_kind
from soul_core.evaluation.card import Measured
from soul_core.evaluation.evidence import Evidence, Floats, Gold, SetEvidence
from soul_core.evaluation.intervals import ENDS, mean_of, resampled_means
from soul_core.evaluation.metrics import probability, rouge_l_recall
from soul_core.evaluation.registry import Found
from soul_core.evaluation.tofu_numbers import (
    CONVENTIONS,
    KS,
    UTILITY_KEYS,
    UTILITY_SETS,
    Convention,
    forget_quality,
    model_utility,
    normalised_probability,
    same_model_ks,
    truth_ratio,
    truth_ratio_score,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNumbers:
    """What TOFU's metrics read of one question set; an array is None where it was not measured.

    Attributes:
        role: What the set stands for.
        answer_loss_N: Mean NLL per token of each row's answer.
        paraphrase_loss_N: Of its paraphrased answer; of its answer where it has none.
        wrong_loss_NK: Of its wrong answers; an empty array for a row that has none.
        rouge_l_N: ROUGE-L recall of the greedy answer.
    """

    role: Role
    answer_loss_N: Floats | None = None
    paraphrase_loss_N: Floats | None = None
    wrong_loss_NK: tuple[Floats, ...] | None = None
    rouge_l_N: Floats | None = None


def numbers_of(evidence: SetEvidence) -> SetNumbers:
    """The losses and ROUGE-L recalls in what was found out about a model on one set."""
    has_wrong = any(evidence.wrong)
    truths = tuple(row.answer for row in evidence.rows)
    return SetNumbers(
        role=set_kind(evidence.name).role,
        answer_loss_N=np.array([scores.loss for scores in evidence.truth]),
        paraphrase_loss_N=np.array([scores.loss for scores in evidence.paraphrase or evidence.truth]),
        wrong_loss_NK=tuple(np.array([scores.loss for scores in row]) for row in evidence.wrong)
        if has_wrong
        else None,
        rouge_l_N=_rouge_l(evidence.answers, truths) if evidence.answers else None,
    )


def sets_of(evidence: Evidence) -> dict[str, SetNumbers]:
    """``numbers_of`` for every set of a model."""
    return {name: numbers_of(of) for name, of in evidence.sets.items()}


def gold_of(sets: Mapping[str, SetNumbers], name: str) -> Gold | None:
    """What forget quality needs of a gold model whose sets these are; None if it was not asked for wrong answers."""
    found: dict[str, Floats] = {}
    for convention in CONVENTIONS:
        ratio_N = ratios_of(sets.get("forget"), convention)
        if ratio_N is not None:
            found[convention] = ratio_N
    return Gold(name=name, truth_ratio_N=found) if found else None


def gold_of_evidence(evidence: Evidence, name: str) -> Gold | None:
    """``gold_of`` for a model that was scored here."""
    return gold_of(sets_of(evidence), name)


def ratios_of(numbers: SetNumbers | None, convention: Convention) -> Floats | None:
    """Truth ratio of every row that has wrong answers; None if none has, or if their losses were not measured."""
    if numbers is None or numbers.paraphrase_loss_N is None or not numbers.wrong_loss_NK:
        return None
    right_N, wrong = numbers.paraphrase_loss_N, numbers.wrong_loss_NK
    with_wrong = [i for i, row_K in enumerate(wrong) if len(row_K)]
    if not with_wrong:
        return None
    return truth_ratio(right_N[with_wrong], [wrong[i] for i in with_wrong], convention=convention)


def probability_of(numbers: SetNumbers) -> Found | None:
    """Mean length-normalised probability of the answers."""
    loss_N = numbers.answer_loss_N
    if loss_N is None or not len(loss_N):
        return None
    return mean_of(probability(loss_N, np.ones(len(loss_N))), note=_broken(loss_N))


def normalised_of(numbers: SetNumbers) -> Found | None:
    """Mean probability of the answers among their rows' choices."""
    loss_N, wrong = numbers.answer_loss_N, numbers.wrong_loss_NK
    with_wrong = [i for i, row_K in enumerate(wrong or ()) if len(row_K)]
    if loss_N is None or wrong is None or not with_wrong:
        return None
    values_N = normalised_probability(loss_N[with_wrong], [wrong[i] for i in with_wrong])
    return mean_of(values_N, note=_notes(_broken(loss_N, *wrong), _left_out(wrong)))


def rouge_l_of(numbers: SetNumbers) -> Found | None:
    """Mean ROUGE-L recall of the greedy answers."""
    return mean_of(numbers.rouge_l_N) if numbers.rouge_l_N is not None and len(numbers.rouge_l_N) else None


def truth_ratio_of(numbers: SetNumbers, convention: Convention) -> Found | None:
    """Mean truth ratio score."""
    ratio_N = ratios_of(numbers, convention)
    if ratio_N is None or numbers.paraphrase_loss_N is None or numbers.wrong_loss_NK is None:
        return None
    note = _notes(_broken(numbers.paraphrase_loss_N, *numbers.wrong_loss_NK), _left_out(numbers.wrong_loss_NK))
    return mean_of(truth_ratio_score(ratio_N, forget=numbers.role == "forget"), note=note)


def forget_quality_of(
    sets: Mapping[str, SetNumbers],
    gold: Gold | None,
    part: Callable[[KS], float],
    *,
    convention: Convention = "geometric",
    first: int | None = None,
) -> Found | None:
    """One number of the KS test between this model and gold; of the ``first`` rows alone where there are more."""
    ratio_N = ratios_of(sets.get("forget"), convention)
    if ratio_N is None or (first is not None and len(ratio_N) <= first):
        return None
    gold_N = gold.truth_ratio_N.get(convention) if gold is not None else None
    if gold_N is None or not len(gold_N):
        note = "Needs a gold model: one trained on the same data without the forget set."
        return Found(measured=Measured(value=None, rows=len(ratio_N), note=note))
    ratio_N, gold_N = ratio_N[:first], gold_N[:first]
    test = forget_quality(ratio_N, gold_N)
    uneven = f"This model has {len(ratio_N)} rows and gold {len(gold_N)}." if len(ratio_N) != len(gold_N) else ""
    return Found(measured=Measured(value=part(test), rows=len(ratio_N), note=_notes(uneven, _underflow(test))))


def model_utility_of(sets: Mapping[str, SetNumbers], convention: Convention) -> Found | None:
    """Harmonic mean of the nine, with an interval from drawing the rows of each set again."""
    if not any(name in sets for name in UTILITY_SETS if name != "retain"):
        return None
    found = {f"{name}.{part}": of for name in UTILITY_SETS for part, of in _utility_parts(sets.get(name), convention)}
    values = {key: of.measured.value for key, of in found.items() if of is not None and of.measured.value is not None}
    missing = [key for key in UTILITY_KEYS if key not in values]
    if missing:
        named = ", ".join(_in_words(key) for key in missing)
        return Found(
            measured=Measured(value=None, note=f"Needs nine numbers and has {len(values)}. Missing: {named}.")
        )
    low, high = _utility_interval(found)
    rows = sum(of.measured.rows for key, of in found.items() if of is not None and key.endswith(".rouge_l"))
    return Found(measured=Measured(value=model_utility(values), low=low, high=high, rows=rows))


def same_model_ks_of(sets: Mapping[str, SetNumbers]) -> Found | None:
    """``1 - p`` of the KS test between this model's truth ratios on the forget and on the retain set."""
    forget_N, retain_N = (ratios_of(sets.get(name), "arithmetic") for name in ("forget", "retain"))
    if forget_N is None or retain_N is None:
        return None
    test = same_model_ks(forget_N, retain_N)
    note = _notes(f"p = {test.p:.5g}, D = {test.d:.3f}.", _underflow(test))
    return Found(measured=Measured(value=1 - test.p, rows=len(forget_N) + len(retain_N), note=note))


def _utility_parts(numbers: SetNumbers | None, convention: Convention) -> tuple[tuple[str, Found | None], ...]:
    if numbers is None:
        return ()
    likely = normalised_of(numbers) if numbers.role == "facts" else probability_of(numbers)
    return (
        ("rouge_l", rouge_l_of(numbers)),
        ("probability", likely),
        ("truth_ratio", truth_ratio_of(numbers, convention)),
    )


def _utility_interval(found: Mapping[str, Found | None]) -> tuple[float, float] | tuple[None, None]:
    """Ends of the 95 % interval; none where a set has one row, or where its three numbers are of different rows."""
    means = []
    for number, name in enumerate(UTILITY_SETS):
        rows = [of.per_row for key, of in found.items() if of is not None and key.startswith(f"{name}.")]
        if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
            return None, None
        means.append(resampled_means(np.array(rows).T, seed=(0, number)))
    low, high = np.quantile(hmean(np.concatenate(means, axis=1), axis=1), ENDS)
    return float(low), float(high)


@lru_cache(maxsize=16)
def _rouge_l(answers: tuple[str, ...], truths: tuple[str, ...]) -> Floats:
    """Remembered: four metrics read the same recalls."""
    found = rouge_l_recall(answers, truths)
    found.flags.writeable = False
    return found


def _in_words(key: str) -> str:
    name, _, part = key.partition(".")
    words = {"rouge_l": "ROUGE-L recall", "probability": "probability", "truth_ratio": "truth ratio"}[part]
    return f"{words} on {set_kind(name).title}"


def _broken(*losses: Floats) -> str:
    broken = sum(int((~np.isfinite(loss)).sum()) for loss in losses)
    return f"{broken} losses are not finite and count as probability 0: the model is broken." if broken else ""


def _left_out(wrong_loss_NK: tuple[Floats, ...]) -> str:
    without = sum(not len(row_K) for row_K in wrong_loss_NK)
    return f"{without} of {len(wrong_loss_NK)} rows have no wrong answers and are left out." if without else ""


def _underflow(test: KS) -> str:
    return "p is too small for a float; log10 p is computed from D and the number of rows." if test.underflow else ""


def _notes(*notes: str) -> str:
    return " ".join(note for note in notes if note)
