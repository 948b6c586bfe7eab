"""TOFU's numbers worked out by hand on two or three rows, what leaves them unchanged, and the edges."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import ks_2samp

from soul_core.data.sets import SETS
from soul_core.evaluation.evidence import Evidence
from soul_core.evaluation.registry import ModelMetric, SetMetric
from soul_core.evaluation.tofu_metrics import METRICS, OF_MODEL, OF_SET
from soul_core.evaluation.tofu_numbers import (
    UTILITY_KEYS,
    forget_quality,
    log10_tail,
    model_utility,
    normalised_probability,
    same_model_ks,
    truth_ratio,
    truth_ratio_score,
)
from soul_core.evaluation.tofu_sets import gold_of_evidence
from tests.evaluation.tofu_evidence import asked, scores, tofu_evidence

BY_NAME = {metric.name: metric for metric in METRICS}


def losses(*probabilities: float) -> np.ndarray:
    return -np.log(np.array(probabilities))


def of_set(evidence: Evidence, set_name: str, metric: str) -> float | None:
    found = BY_NAME[metric].of(evidence.sets[set_name])
    return found and found.measured.value


def test_truth_ratio_by_hand():
    # P(right) = 1/2; P(wrong) = 1/2 and 1/8: arithmetic mean 5/16 -> 0.625, geometric mean 1/4 -> 0.5.
    right, wrong = losses(0.5), [losses(0.5, 0.125)]
    assert truth_ratio(right, wrong, convention="geometric") == pytest.approx([0.5])
    assert truth_ratio(right, wrong, convention="arithmetic") == pytest.approx([0.625])


def test_rows_may_have_different_numbers_of_wrong_answers():
    # One wrong answer: both means are its own probability, 0.2 / 0.4. Three: (0.4 0.1 0.1)^(1/3) = 0.158740 and 0.2.
    right, wrong = losses(0.4, 0.2), [losses(0.2), losses(0.4, 0.1, 0.1)]
    assert truth_ratio(right, wrong, convention="geometric") == pytest.approx([0.5, 0.793701], abs=1e-6)
    assert truth_ratio(right, wrong, convention="arithmetic") == pytest.approx([0.5, 1.0])


def test_the_geometric_ratio_is_never_above_the_arithmetic_one_and_equal_for_equal_losses():
    draw = np.random.default_rng(0)
    right, wrong = draw.exponential(2, 50), draw.exponential(2, (50, 5))
    geometric, arithmetic = (truth_ratio(right, wrong, convention=c) for c in ("geometric", "arithmetic"))
    assert (geometric < arithmetic).all()
    same = np.repeat(wrong[:, :1], 5, axis=1)
    np.testing.assert_allclose(*(truth_ratio(right, same, convention=c) for c in ("geometric", "arithmetic")))


@pytest.mark.parametrize("convention", ["geometric", "arithmetic"])
def test_the_ratio_depends_on_differences_of_losses_alone(convention: str):
    draw = np.random.default_rng(0)
    right, wrong = draw.exponential(2, 20), draw.exponential(2, (20, 3))
    np.testing.assert_allclose(
        truth_ratio(right + 1.5, wrong + 1.5, convention=convention), truth_ratio(right, wrong, convention=convention)
    )


@pytest.mark.parametrize("convention", ["geometric", "arithmetic"])
def test_a_broken_models_ratio_is_finite_and_1_where_nothing_is_likely(convention: str):
    right = [math.nan, math.inf, 1.0, 0.0]
    wrong = [[math.nan, math.inf], [1.0, 1.0], [math.inf, math.inf], [0.0, 0.0]]
    ratio = truth_ratio(right, wrong, convention=convention)
    assert np.isfinite(ratio).all() and (ratio > 0).all()
    assert ratio[0] == pytest.approx(1.0) and ratio[3] == 1.0
    assert ratio[1] > 1e300 and ratio[2] < 1e-300
    assert truth_ratio_score(ratio, forget=True) == pytest.approx([1, 0, 0, 1])
    assert truth_ratio_score(ratio, forget=False) == pytest.approx([0, 0, 1, 0])


@pytest.mark.parametrize(("right", "wrong"), [([1.0], []), ([1.0, 2.0], [[1.0]]), ([1.0], [[]]), ([[1.0]], [[1.0]])])
def test_rows_without_wrong_answers_have_no_ratio(right: list[float], wrong: list[list[float]]):
    for function in (truth_ratio, normalised_probability):
        with pytest.raises(ValueError, match="do not match"):
            function(right, wrong)


def test_scores_by_hand():
    ratio = np.array([0.25, 1.0, 4.0])
    assert truth_ratio_score(ratio, forget=True).tolist() == [0.25, 1.0, 0.25]
    assert truth_ratio_score(ratio, forget=False).tolist() == [0.75, 0.0, 0.0]


def test_on_the_forget_set_a_ratio_and_its_inverse_score_alike():
    ratio = np.exp(np.random.default_rng(0).normal(size=30))
    np.testing.assert_allclose(truth_ratio_score(ratio, forget=True), truth_ratio_score(1 / ratio, forget=True))


def test_normalised_probability_by_hand():
    # 0.5 of 0.5 + 0.25 + 0.25; 0.2 of 0.2 + 0.6; a broken right answer; nothing likely at all: 1 of 4 choices.
    right = [*losses(0.5, 0.2), math.inf, math.nan]
    wrong = [losses(0.25, 0.25), losses(0.6), losses(0.5), [math.nan] * 3]
    assert normalised_probability(right, wrong) == pytest.approx([0.5, 0.25, 0.0, 0.25])


def test_normalised_probability_does_not_change_when_all_choices_become_less_likely():
    # Probabilities of e^-600 add up to 0 in the plain formula of some releases, which then needs 1e-10.
    assert normalised_probability([601.0], [[600.0, 602.0]]) == pytest.approx(
        normalised_probability([1.0], [[0.0, 2.0]])
    )


def test_ks_by_hand():
    # Three against three, entirely apart: of C(6, 3) = 20 orders two are as extreme.
    test = forget_quality([1, 2, 3], [4, 5, 6])
    assert test.p == pytest.approx(2 / 20) and test.d == 1.0
    # 1 and 2 before all others, then 4 against 3, 5, 6: D = 2/3, and 2 C(6, 1) of 20 orders reach it.
    test = forget_quality([1, 2, 4], [3, 5, 6])
    assert test.p == pytest.approx(12 / 20) and test.d == pytest.approx(2 / 3)
    assert test.log10_p == pytest.approx(math.log10(0.6))


def test_a_model_is_as_good_as_gold_when_it_is_gold():
    ratio = np.random.default_rng(0).random(40)
    assert forget_quality(ratio, ratio[::-1]) == (1.0, 0.0, 0.0, False)


def test_one_row_can_never_be_told_apart():
    assert forget_quality([1.0], [2.0]) == (1.0, 0.0, 1.0, False)


def test_p_is_the_same_for_ratios_their_inverses_and_their_logarithms_and_does_not_care_who_is_first():
    draw = np.random.default_rng(0)
    first, second = np.exp(draw.normal(size=60)), np.exp(draw.normal(0.5, size=50))
    test = forget_quality(first, second)
    assert 1e-6 < test.p < 0.5
    for other in (
        forget_quality(1 / first, 1 / second),
        forget_quality(np.log(first), np.log(second)),
        forget_quality(second, first),
    ):
        assert (other.p, other.d) == pytest.approx((test.p, test.d), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(300, 300), (399, 399), (1000, 1000), (5, 5), (40, 36), (20, 19)])
def test_samples_as_near_as_can_be_have_p_1_without_a_warning(n: int, m: int):
    # For 300 and 300 rows scipy's exact sum comes to 1.0000000000000002 and it warns; every warning fails a test.
    near = forget_quality((np.arange(n) + 0.5) / n, (np.arange(m) + 0.5 + 1e-6) / m)
    assert near.p == pytest.approx(1.0, abs=1e-9) and near.log10_p == pytest.approx(0.0, abs=1e-9)
    assert near.d <= 2 / min(n, m)


def test_p_and_d_are_scipys():
    draw = np.random.default_rng(0)
    for n, m, shift in ((30, 30, 0.2), (30, 30, 1.0), (50, 40, 0.1), (50, 40, 1.5), (2, 3, 0.5), (400, 400, 0.05)):
        first, second = draw.normal(size=n), draw.normal(size=m) + shift
        exact, test = ks_2samp(first, second, method="exact"), forget_quality(first, second)
        assert (test.p, test.d) == pytest.approx((exact.pvalue, exact.statistic), rel=1e-12, abs=0)


@pytest.mark.parametrize(("n", "shift"), [(400, 100.0), (400, 2.0), (300, 1.5)])
def test_the_tail_of_equal_samples_agrees_with_the_exact_test(n: int, shift: float):
    draw = np.random.default_rng(0)
    exact = ks_2samp(draw.normal(size=n), draw.normal(size=n) + shift, method="exact")
    assert exact.pvalue > 0
    assert log10_tail(exact.statistic, n, n) == pytest.approx(math.log10(exact.pvalue), rel=1e-9)


def test_the_tail_of_unequal_samples_is_exact_where_they_are_apart_and_too_large_elsewhere():
    exact = ks_2samp(np.arange(600.0), np.arange(400.0) + 1000, method="exact")
    assert log10_tail(1.0, 600, 400) == pytest.approx(math.log10(exact.pvalue), rel=1e-9)
    draw = np.random.default_rng(0)
    near = ks_2samp(draw.normal(size=600), draw.normal(size=400) + 1.5, method="exact")
    assert math.log10(near.pvalue) < log10_tail(near.statistic, 600, 400) < 0.6 * math.log10(near.pvalue)


def test_a_p_too_small_for_a_float_still_has_a_logarithm_and_says_so():
    test = forget_quality(np.arange(1000.0), np.arange(1000.0) + 5000)
    assert test.p == 0 and test.underflow
    # 2 / C(2000, 1000); C(2n, n) = 4^n / sqrt(pi n) (1 - 1/8n): 601.3115 orders of magnitude.
    expected = math.log10(2) - (1000 * math.log10(4) - 0.5 * math.log10(math.pi * 1000) + math.log10(1 - 1 / 8000))
    assert test.log10_p == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("first", "second"), [([], [1.0]), ([1.0], []), ([math.nan], [1.0]), ([1.0], [math.inf])])
def test_a_test_of_nothing_or_of_no_number_is_refused(first: list[float], second: list[float]):
    for function in (forget_quality, same_model_ks):
        with pytest.raises(ValueError, match="finite numbers"):
            function(first, second)


def test_model_utility_by_hand():
    # 9 / (8 / 1 + 1 / 0.5) = 0.9.
    members = dict.fromkeys(UTILITY_KEYS, 1.0)
    assert model_utility(members) == pytest.approx(1.0)
    assert model_utility(members | {"retain.rouge_l": 0.5}) == pytest.approx(0.9)


def test_one_lost_ability_makes_utility_0():
    assert model_utility(dict.fromkeys(UTILITY_KEYS, 1.0) | {"world_facts.truth_ratio": 0.0}) == 0.0


def test_utility_of_other_than_the_nine_is_refused():
    with pytest.raises(ValueError, match=r"expected retain\.rouge_l"):
        model_utility({"retain.rouge_l": 1.0})
    with pytest.raises(ValueError, match=r"got .*forget\.rouge_l"):
        model_utility(dict.fromkeys(UTILITY_KEYS, 1.0) | {"forget.rouge_l": 1.0})


@pytest.mark.parametrize(
    ("set_name", "expected"),
    [
        # R geometric 0.5 and 2, arithmetic 0.625 and 2.5.
        ("forget", {"probability": 0.375, "rouge_l": 0.5, "truth_ratio": 0.5, "truth_ratio_arithmetic": 0.5125}),
        # 0.5 and 0.25; 0.625 and 0.25.
        ("retain", {"probability": 0.75, "rouge_l": 0.75, "truth_ratio": 0.625, "truth_ratio_arithmetic": 0.5625}),
        # 0.5 and 0.793701 (the cube root of 0.4 0.1 0.1, over 0.2); 0.5 and 1. Among choices 0.5/1 and 0.2/0.8.
        (
            "real_authors",
            {
                "probability": 0.35,
                "probability_normalised": 0.375,
                "rouge_l": 0.5,
                "truth_ratio": 0.3531497,
                "truth_ratio_arithmetic": 0.25,
            },
        ),
        # 0.25 and 0.5 either way; 0.8/1 and 0.6/1.2.
        (
            "world_facts",
            {
                "probability": 0.7,
                "probability_normalised": 0.65,
                "rouge_l": 1.0,
                "truth_ratio": 0.625,
                "truth_ratio_arithmetic": 0.625,
            },
        ),
    ],
)
def test_every_number_of_a_set_by_hand(set_name: str, expected: dict[str, float]):
    evidence = tofu_evidence()
    role = SETS[set_name].role
    found = {m.name: m.of(evidence.sets[set_name]) for m in METRICS if isinstance(m, SetMetric) and role in m.roles}
    assert {name: each.measured.value for name, each in found.items()} == pytest.approx(expected, abs=1e-7)
    for each in found.values():
        assert len(each.per_row) == each.measured.rows == 2
        assert np.mean(each.per_row) == pytest.approx(each.measured.value)
        assert each.measured.low <= each.measured.value <= each.measured.high
        assert each.measured.note == ""


def test_the_whole_models_numbers_by_hand():
    evidence = tofu_evidence(gold={"geometric": [3.0, 4.0], "arithmetic": [0.5, 0.6]})
    found = {m.name: m.of(evidence) for m in METRICS if isinstance(m, ModelMetric)}
    values = {name: each.measured.value for name, each in found.items() if each is not None}
    # Geometric R 0.5 and 2 lie below gold's 3 and 4: two of C(4, 2) = 6 orders. Arithmetic 0.625 and 2.5 above.
    # Nine members, arithmetic: 3/4, 3/4, 9/16; 1/2, 3/8, 1/4; 1, 13/20, 5/8. Forget 0.625 and 2.5 against retain
    # 0.625 and 0.25: D = 1/2, which every order reaches, so p = 1.
    inverses = sum(map(Fraction, ("4/3", "4/3", "16/9", "2", "8/3", "4", "1", "20/13", "8/5")))
    geometric = float(inverses - Fraction("16/9") - 4) + 1 / 0.625 + 1 / 0.35314974
    assert values == pytest.approx(
        {
            "forget_quality": 1 / 3,
            "forget_quality_log10": math.log10(1 / 3),
            "forget_quality_d": 1.0,
            "forget_quality_arithmetic": 1 / 3,
            "model_utility": 9 / geometric,
            "model_utility_arithmetic": float(9 / inverses),
            "same_model_ks": 0.0,
        },
        abs=1e-7,
    )
    utility = found["model_utility"].measured
    assert 0 < utility.low < utility.value < utility.high < 1 and utility.rows == 6
    assert found["same_model_ks"].measured.note == "p = 1, D = 0.500."


def test_a_models_own_ratios_make_it_its_own_gold():
    evidence = tofu_evidence()
    gold = gold_of_evidence(evidence, "itself")
    assert gold.truth_ratio_N["geometric"] == pytest.approx([0.5, 2.0])
    assert gold.truth_ratio_N["arithmetic"] == pytest.approx([0.625, 2.5])
    itself = dataclasses.replace(evidence, gold=gold)
    for name, expected in (("forget_quality", 1.0), ("forget_quality_d", 0.0), ("forget_quality_log10", 0.0)):
        assert BY_NAME[name].of(itself).measured.value == expected


def test_without_gold_forget_quality_has_no_value_and_says_what_it_needs():
    for name in ("forget_quality", "forget_quality_log10", "forget_quality_d", "forget_quality_arithmetic"):
        measured = BY_NAME[name].of(tofu_evidence()).measured
        assert measured.value is None and measured.note.startswith("Needs a gold model")


def test_utility_names_what_it_misses():
    evidence = tofu_evidence()
    sets = {name: of for name, of in evidence.sets.items() if name != "world_facts"}
    sets["retain"] = asked("retain", ["red"], truth=[0.5])
    measured = BY_NAME["model_utility"].of(Evidence(sets=sets)).measured
    assert measured.value is None
    assert measured.note == (
        "Needs nine numbers and has 5. Missing: truth ratio on Retain, ROUGE-L recall on World facts, probability on "
        "World facts, truth ratio on World facts."
    )


def test_a_task_without_sets_of_facts_has_no_utility_and_without_wrong_answers_no_ratios():
    evidence = Evidence(sets={name: asked(name, ["red"], truth=[0.5]) for name in ("forget", "retain")})
    assert [name for name, metric in BY_NAME.items() if isinstance(metric, ModelMetric) and metric.of(evidence)] == []
    assert gold_of_evidence(evidence, "gold") is None
    assert of_set(evidence, "forget", "truth_ratio") is None
    assert of_set(evidence, "forget", "probability") == pytest.approx(0.5)
    assert of_set(evidence, "forget", "rouge_l") == 0.25


def test_rows_without_wrong_answers_are_left_out_and_counted():
    evidence = asked("retain", ["red"] * 3, truth=[0.5] * 3, wrong=[[0.25], [], [0.125]])
    found = BY_NAME["truth_ratio"].of(evidence)
    assert found.per_row == pytest.approx((0.5, 0.75))
    assert found.measured.note == "1 of 3 rows have no wrong answers and are left out."


def test_a_broken_models_numbers_are_the_worst_and_say_why():
    evidence = dataclasses.replace(
        asked("retain", [""], truth=[0.5], wrong=[[0.5]]), truth=(scores(math.nan),), wrong=((scores(math.inf),),)
    )
    note = "losses are not finite and count as probability 0: the model is broken."
    probability, ratio, rouge = (BY_NAME[name].of(evidence) for name in ("probability", "truth_ratio", "rouge_l"))
    assert (probability.measured.value, probability.measured.note) == (0.0, f"1 {note}")
    assert (ratio.measured.value, ratio.measured.note) == (0.0, f"2 {note}")
    assert (rouge.measured.value, rouge.measured.low) == (0.0, None)


def test_a_number_of_the_first_300_rows_is_there_only_where_there_are_more():
    many = asked("forget", [""] * 301, truth=[0.5] * 301, wrong=[[0.25]] * 300 + [[0.5]])
    gold = gold_of_evidence(
        Evidence(sets={"forget": asked("forget", [], truth=[0.5] * 301, wrong=[[0.25]] * 301)}), ""
    )
    evidence = Evidence(sets={"forget": many}, gold=gold)
    assert BY_NAME["forget_quality_first300"].of(evidence).measured.rows == 300
    assert BY_NAME["forget_quality_d"].of(evidence).measured.value == pytest.approx(1 / 301)
    assert BY_NAME["forget_quality_first300"].of(tofu_evidence(gold={"geometric": [1.0]})) is None


def test_every_metric_explains_itself_and_has_a_number_behind_it():
    assert list(BY_NAME) == [*OF_SET, *OF_MODEL]
    assert len({metric.title for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        for said in (metric.meaning, metric.convention, metric.formula, metric.source):
            assert said.strip() == said != ""
        assert metric.meaning.endswith(".") and metric.convention.endswith(".")
