"""TOFU's metrics as entries of the registry, each with its convention; and SOUL's test on one model beside them.

It knows no model and no file: an imported log is read by the same functions as a model scored here.
"""

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter

from soul_core.data.sets import Role
from soul_core.evaluation.evidence import Evidence, Gold, SetEvidence
from soul_core.evaluation.registry import Direction, Found, ModelMetric, SetMetric
from soul_core.evaluation.tofu_sets import (
    SetNumbers,
    forget_quality_of,
    model_utility_of,
    normalised_of,
    numbers_of,
    probability_of,
    rouge_l_of,
    same_model_ks_of,
    sets_of,
    truth_ratio_of,
)

OfSet = Callable[[SetNumbers], Found | None]
OfModel = Callable[[Mapping[str, SetNumbers], Gold | None], Found | None]

# TOFU's evaluation reads at most this many rows of a set (``ds_size``), of which forget10 has 400.
FIRST = 300

_P, _LOG10_P, _D = attrgetter("p"), attrgetter("log10_p"), attrgetter("d")

OF_SET: dict[str, OfSet] = {
    "probability": probability_of,
    "probability_normalised": normalised_of,
    "rouge_l": rouge_l_of,
    "truth_ratio": partial(truth_ratio_of, convention="geometric"),
    "truth_ratio_arithmetic": partial(truth_ratio_of, convention="arithmetic"),
}
OF_MODEL: dict[str, OfModel] = {
    "forget_quality": partial(forget_quality_of, part=_P),
    "forget_quality_log10": partial(forget_quality_of, part=_LOG10_P),
    "forget_quality_d": partial(forget_quality_of, part=_D),
    "forget_quality_arithmetic": partial(forget_quality_of, part=_P, convention="arithmetic"),
    "forget_quality_first300": partial(forget_quality_of, part=_P, first=FIRST),
    "model_utility": lambda sets, _: model_utility_of(sets, "geometric"),
    "model_utility_arithmetic": lambda sets, _: model_utility_of(sets, "arithmetic"),
    "same_model_ks": lambda sets, _: same_model_ks_of(sets),
}

_TOFU = "TOFU, Maini et al. 2024 (arXiv:2401.06121)"
_LOSS = (
    "A loss is the mean NLL per answer token, end of sequence included, behind the question the model was trained on."
)
_SCORE = "on the forget set mean of min(R, 1/R), elsewhere mean of max(0, 1 − R)"
_HIGHER: dict[Role, Direction] = {"forget": "higher", "retain": "higher", "facts": "higher"}
_ALL_ROWS = (
    "All rows of the forget set count, as in open-unlearning; TOFU's own evaluation reads the first 300, which leaves "
    "out 100 of forget10's 400."
)
_NINE = (
    "Probability on real authors and world facts is the normalised one. ROUGE-L is recall. The forget set has no part "
    "in it."
)


def _set(name: str) -> Callable[[SetEvidence], Found | None]:
    return lambda evidence: OF_SET[name](numbers_of(evidence))


def _model(name: str) -> Callable[[Evidence], Found | None]:
    return lambda evidence: OF_MODEL[name](sets_of(evidence), evidence.gold)


METRICS: tuple[SetMetric | ModelMetric, ...] = (
    SetMetric(
        name="probability",
        title="Probability",
        group="TOFU",
        meaning="How likely the model finds the true answer, word for word, on a scale from 0 to 1.",
        convention=f"{_LOSS} The probability is normalised by length: a geometric mean over tokens.",
        formula="mean over rows of exp(−loss(answer))",
        source=f"{_TOFU}; its utils.py",
        of=_set("probability"),
    ),
    SetMetric(
        name="probability_normalised",
        title="Probability among choices",
        group="TOFU",
        meaning="How likely the model finds the true answer when it may only choose between it and the wrong ones.",
        convention="As TOFU does on real authors and world facts. SOUL's tables show the plain probability there "
        "instead; open-unlearning adds 1e-10 to the denominator.",
        formula="mean of p / (p + Σⱼ pⱼ), p = exp(−loss(answer)), pⱼ = exp(−loss(wrongⱼ))",
        source=f"{_TOFU}; its utils.py",
        of=_set("probability_normalised"),
        roles=("facts",),
    ),
    SetMetric(
        name="rouge_l",
        title="ROUGE-L",
        group="TOFU",
        meaning="How much of the true answer, in its order, is in what the model answers.",
        convention="Recall with stemming, of the greedy answer to the question, as TOFU and SOUL compute it. MUSE "
        "uses the F1 score without stemming. Saying more than the truth costs nothing.",
        formula="mean of (words of the longest common subsequence) / (words of the true answer)",
        source=f"{_TOFU}; ROUGE is Lin 2004",
        of=_set("rouge_l"),
    ),
    SetMetric(
        name="truth_ratio",
        title="Truth ratio",
        group="TOFU",
        meaning="On the forget set, how far the model finds wrong answers as likely as the right one; on other sets, "
        "how far it prefers the right one.",
        convention="Geometric: the wrong answers' losses are averaged, as in TOFU's evaluate_util.py and "
        "open-unlearning. The paper's formula averages their probabilities; the two differ by more than most methods "
        "do. SOUL puts the reworded question; here it is the trained one, as in TOFU.",
        formula=f"R = exp(−meanⱼ loss(wrongⱼ)) / exp(−loss(paraphrase)); {_SCORE}",
        source="TOFU's evaluate_util.py and aggregate_eval_stat.py; open-unlearning",
        of=_set("truth_ratio"),
        better=_HIGHER,
    ),
    SetMetric(
        name="truth_ratio_arithmetic",
        title="Truth ratio, arithmetic",
        group="TOFU",
        meaning="The truth ratio by the formula printed in the TOFU paper.",
        convention="Arithmetic: the wrong answers' probabilities are averaged, as in the paper and in TOFU's "
        "utils.py. Its R is never below the geometric one.",
        formula=f"R = meanⱼ exp(−loss(wrongⱼ)) / exp(−loss(paraphrase)); {_SCORE}",
        source=f"{_TOFU}; its utils.py",
        of=_set("truth_ratio_arithmetic"),
        better=_HIGHER,
    ),
    ModelMetric(
        name="forget_quality",
        title="Forget quality",
        group="TOFU",
        meaning="Whether the model can be told apart from gold by how it takes right and wrong answers on the forget "
        "set: near 1 it cannot; below 0.05, at the usual level, it can.",
        convention=f"The p-value itself, from geometric truth ratios; exact test. {_ALL_ROWS} It is the same for R "
        "and 1/R. Not SOUL's number of that name, which needs no gold model.",
        formula="p of the two-sample Kolmogorov-Smirnov test, R of the model against R of gold, forget rows",
        source=f"{_TOFU}; its utils.py",
        of=_model("forget_quality"),
        better="higher",
    ),
    ModelMetric(
        name="forget_quality_log10",
        title="Forget quality, log₁₀ p",
        group="TOFU",
        meaning="The same p-value as a power of ten, in which models that are far from gold can be compared.",
        convention=f"log₁₀ of the p-value from geometric truth ratios. {_ALL_ROWS} Where p is too small for a float, "
        "from D and the number of rows.",
        formula="log₁₀ p",
        source=_TOFU,
        of=_model("forget_quality_log10"),
        better="higher",
        digits=2,
    ),
    ModelMetric(
        name="forget_quality_d",
        title="Distance from gold, D",
        group="TOFU",
        meaning="The largest gap between the two models' cumulative distributions of the truth ratio: 0 for equal, 1 "
        "for entirely apart. Unlike p it does not depend on the number of rows.",
        convention=f"The statistic of the same test, from geometric truth ratios. {_ALL_ROWS}",
        formula="D = max over r of |F_model(r) − F_gold(r)|",
        source=f"{_TOFU}; its utils.py",
        of=_model("forget_quality_d"),
        better="lower",
    ),
    ModelMetric(
        name="forget_quality_arithmetic",
        title="Forget quality, arithmetic",
        group="TOFU",
        meaning="Forget quality from the truth ratio by the formula printed in the TOFU paper.",
        convention=f"As forget quality, from arithmetic truth ratios. {_ALL_ROWS}",
        formula="p of the two-sample Kolmogorov-Smirnov test, arithmetic R of the model against that of gold",
        source=_TOFU,
        of=_model("forget_quality_arithmetic"),
        better="higher",
    ),
    ModelMetric(
        name="forget_quality_first300",
        title="Forget quality, first 300 rows",
        group="TOFU",
        meaning="Forget quality as TOFU's own evaluation reports it for forget sets of more than 300 rows.",
        convention="The first 300 rows alone (TOFU's ds_size), geometric truth ratios. To compare with numbers from "
        "TOFU's code; fewer rows make p larger.",
        formula="p of the two-sample Kolmogorov-Smirnov test, first 300 forget rows",
        source="TOFU's config/eval_everything.yaml",
        of=_model("forget_quality_first300"),
        better="higher",
    ),
    ModelMetric(
        name="model_utility",
        title="Model utility",
        group="TOFU",
        meaning="How much of what should stay is still there, in one number from 0 to 1; a single loss of everything "
        "anywhere makes it 0.",
        convention=f"With the geometric truth ratio, as TOFU's aggregate_eval_stat.py and open-unlearning. {_NINE}",
        formula="harmonic mean of {retain, real authors, world facts} × {ROUGE-L, probability, truth ratio}",
        source=f"{_TOFU}, its aggregate_eval_stat.py",
        of=_model("model_utility"),
        better="higher",
    ),
    ModelMetric(
        name="model_utility_arithmetic",
        title="Model utility, arithmetic",
        group="TOFU",
        meaning="Model utility with the truth ratio by the formula printed in the TOFU paper.",
        convention=f"With the arithmetic truth ratio, as TOFU's utils.py: a few hundredths below the other. {_NINE}",
        formula="harmonic mean of {retain, real authors, world facts} × {ROUGE-L, probability, truth ratio}",
        source=f"{_TOFU}; its utils.py",
        of=_model("model_utility_arithmetic"),
        better="higher",
    ),
    ModelMetric(
        name="same_model_ks",
        title="Forget differs from retain, 1 − p",
        group="SOUL",
        meaning="Whether this one model takes right and wrong answers differently on the forget set and on the retain "
        "set: near 1 it does. Gibberish can score 1 as well, so read it beside a fluency score.",
        convention="SOUL calls this forget quality; it is not TOFU's, as no gold model takes part. Arithmetic truth "
        "ratio as in SOUL's code, but on the trained question instead of the reworded one.",
        formula="1 − p of the two-sample Kolmogorov-Smirnov test, R on the forget rows against R on the retain rows",
        source="SOUL, Jia et al. 2024 (arXiv:2404.18239); its metrics/Tofu.py stores p",
        of=_model("same_model_ks"),
        better="higher",
    ),
)
