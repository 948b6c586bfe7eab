"""Membership attacks: scores by hand, the AUC's direction, its limits, and what other code gets wrong."""

import math
import zlib

import numpy as np
import pytest

from soul_core.evaluation import membership
from soul_core.evaluation.evidence import Gold
from soul_core.evaluation.membership import (
    PRIVLEAK_ATTACK,
    attacked,
    auc,
    auc_interval,
    loss_score,
    min_k,
    min_k_plus,
    privleak,
    privleak_muse,
    reference_score,
    without_end,
    zlib_score,
)
from tests.evaluation.evidence_of import by_name, evidence_of, scores_of, texts_of

METRICS = by_name(membership.METRICS)
NLL = np.array([0.5, 4.0, 1.0, 2.0, 0.1, 0.2, 0.3, 3.0, 0.4, 0.6])


# --- scores of one text


def test_loss_zlib_and_reference_by_hand():
    assert loss_score(NLL) == pytest.approx(-1.21)
    text = "a text, a text, a text"
    assert zlib_score(NLL, text) == pytest.approx(-1.21 / len(zlib.compress(text.encode())))
    assert reference_score(1.21, 3.0) == pytest.approx(1.79)


def test_a_compressible_text_must_be_likelier_for_the_same_zlib_score():
    assert zlib_score(NLL, "a" * 400) < zlib_score(NLL, "".join(map(chr, range(33, 433)))) < 0
    assert math.isfinite(zlib_score(NLL, "")) and math.isfinite(zlib_score(NLL, "\ud800"))


def test_min_k_by_hand():
    assert min_k(NLL, 10) == -4
    assert min_k(NLL, 20) == -3.5
    assert min_k(NLL, 30) == -3
    assert min_k(NLL, 100) == loss_score(NLL)


def test_min_k_rounds_down_but_keeps_one_token_of_a_short_text():
    # SOUL and MUSE take int(n * k) tokens, and of none the mean is NaN.
    assert min_k(np.array([2.0]), 10) == min_k(np.array([2.0]), 60) == -2
    assert min_k(np.array([2.0, 5.0, 1.0]), 60) == -5  # 1.8 tokens: one
    assert min_k(np.array([2.0, 5.0, 1.0]), 70) == -3.5


def test_min_k_plus_by_hand():
    # z = (-nll - mu) / sigma: (-1 + 2)/2 = 0.5, (-3 + 2)/0.5 = -2, (-2 + 2)/1 = 0; the lowest of three at 40 %: -2.
    nll, mean, deviation = np.array([1.0, 3.0, 2.0]), np.array([-2.0, -2.0, -2.0]), np.array([2.0, 0.5, 1.0])
    assert min_k_plus(nll, mean, deviation, 40) == -2
    assert min_k_plus(nll, mean, deviation, 70) == -1
    assert min_k_plus(nll, mean, deviation, 100) == pytest.approx(-0.5)


def test_min_k_plus_of_a_model_without_doubt_is_finite():
    # All probability on one token: mu = 0, sigma = 0, and the token itself has log p = 0.
    assert min_k_plus(np.zeros(3), np.zeros(3), np.zeros(3), 20) == 0
    assert min_k_plus(np.array([1e-3]), np.zeros(1), np.zeros(1), 20) == pytest.approx(-1)


def test_the_order_of_tokens_does_not_matter():
    turned = np.arange(10)[::-1]
    mean, deviation = np.linspace(-3, -1, 10), np.linspace(1, 2, 10)
    for share in (10, 40, 60):
        assert min_k(NLL[turned], share) == min_k(NLL, share)
        expected = min_k_plus(NLL, mean, deviation, share)
        assert min_k_plus(NLL[turned], mean[turned], deviation[turned], share) == pytest.approx(expected)


def test_a_broken_token_breaks_the_score_and_no_token_or_share_is_refused():
    assert math.isnan(min_k(np.array([1.0, math.nan]), 60))
    assert min_k(np.array([1.0, math.inf]), 10) == -math.inf
    for nll, share in ((np.array([]), 20), (NLL, 0), (NLL, 101)):
        with pytest.raises(ValueError, match=f"lowest {share} %"):
            min_k(nll, share)


def test_an_end_is_left_out_only_where_one_was_put_and_another_token_remains():
    values = np.array([1.0, 2.0, 9.0])
    assert without_end(scores_of([1, 2, 9], ends=True), values).tolist() == [1, 2]
    assert without_end(scores_of([1, 2, 9]), values).tolist() == [1, 2, 9]
    assert without_end(scores_of([1, 2, 9], ends=True), values, 1).tolist() == [2]
    assert without_end(scores_of([1, 2, 9], ends=True), values, 2).tolist() == [9]


# --- AUC


def test_auc_by_hand_with_ties_counted_half():
    # Pairs: 3>1, 3>2, 2>1, 2=2 -> 3.5 of 4.
    assert auc([3, 2], [1, 2]) == 3.5 / 4
    assert auc([1, 2], [3, 2]) == 0.5 / 4
    assert auc([1], [1]) == auc([2, 2, 2], [2, 2]) == 0.5
    assert auc([5], [1, 2, 3]) == 1 and auc([0], [1, 2, 3]) == 0


def test_auc_is_the_share_of_pairs_and_depends_on_order_alone():
    draw = np.random.default_rng(0)
    members, others = np.round(draw.normal(0.5, 1, 30), 1), np.round(draw.normal(0, 1, 40), 1)
    pairs = np.sign(members[:, None] - others[None]) / 2 + 0.5
    assert auc(members, others) == pytest.approx(pairs.mean())
    assert auc(np.exp(members), np.exp(others)) == pytest.approx(pairs.mean())
    assert auc(members[::-1], others) == pytest.approx(pairs.mean())
    assert [auc(-members, -others), auc(others, members)] == pytest.approx([1 - pairs.mean()] * 2)


def test_infinite_scores_have_their_place_in_the_order():
    assert auc([math.inf, 1], [-math.inf, 1]) == 3.5 / 4


@pytest.mark.parametrize(("members", "others"), [([], [1.0]), ([1.0], []), ([[1.0]], [1.0])])
def test_an_auc_needs_both_sides(members: list, others: list):
    with pytest.raises(ValueError, match="needs members and nonmembers"):
        auc(members, others)


def test_nan_has_no_place_in_an_order():
    with pytest.raises(ValueError, match="1 of 3 scores are NaN"):
        auc([1, math.nan], [1])
    found = attacked([1, math.nan], [1]).measured
    assert (found.value, found.rows) == (None, 3)
    assert found.note == "1 of 3 texts have no finite likelihood, so there is no AUC."
    assert attacked([], [1]).measured.value is None


@pytest.mark.parametrize("value", [0, 0.02, 0.3, 0.5, 0.77, 0.98, 1])
@pytest.mark.parametrize(("members", "others"), [(1, 1), (3, 50), (400, 400)])
def test_the_interval_holds_the_auc_stays_within_zero_and_one_and_mirrors(value: float, members: int, others: int):
    low, high = auc_interval(value, members, others)
    assert 0 <= low <= value <= high <= 1 and high - low > 0.001
    assert auc_interval(1 - value, members, others) == pytest.approx((1 - high, 1 - low), abs=1e-6)
    if members > 1:
        wider = auc_interval(value, members - 1, others)
        assert wider[1] - wider[0] > high - low


def test_the_interval_holds_the_true_auc_about_95_times_of_100():
    # Two normal distributions one apart: AUC = Phi(1/sqrt 2) = 0.7602.
    draw = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = auc_interval(auc(draw.normal(1, 1, 25), draw.normal(0, 1, 25)), 25, 25)
        held += low <= 0.7602 <= high
    assert 0.91 <= held / 200 <= 0.99


def test_an_interval_of_no_auc_is_refused():
    for value, members, others in ((1.1, 3, 3), (0.5, 0, 3), (0.5, 3, 0), (math.nan, 3, 3)):
        with pytest.raises(ValueError, match="is no AUC"):
            auc_interval(value, members, others)


# --- PrivLeak


def test_privleak_by_hand():
    assert privleak(1.0) == pytest.approx(-100)  # all members told
    assert privleak(0.5) == 0
    assert privleak(0.0) == pytest.approx(100)  # all members look less seen than others
    assert privleak(0.8, 0.6) == pytest.approx(-50)  # (0.2 - 0.4) / 0.4


def test_open_unlearnings_and_muses_privleak_are_one_number_in_two_directions():
    for value, reference in ((0.9, 0.5), (0.2, 0.6), (0.55, 0.48)):
        assert privleak_muse(1 - value, 1 - reference) == pytest.approx(privleak(value, reference))
    # A member detector's AUCs in MUSE's formula turn the sign round.
    assert privleak_muse(0.9, 0.5) > 0 > privleak(0.9, 0.5)


def test_a_reference_without_a_scale_is_refused():
    with pytest.raises(ValueError, match="below 1"):
        privleak(0.5, 1.0)
    with pytest.raises(ValueError, match="above 0"):
        privleak_muse(0.5, 0.0)


# --- metrics


def evidence(*, seen: bool = True, **fields: object):
    """Three forget texts, more likely than three others if ``seen``; questions are equally unlikely everywhere."""
    shift = 0.0 if seen else 4.0
    members = [scores_of([9, 9, 1 + shift, 1 + i / 10, 0.1], answer_from=2, ends=True) for i in range(3)]
    others = [scores_of([9, 9, 3, 2 + i / 10, 0.1], answer_from=2, ends=True) for i in range(3)]
    known = {"members": texts_of(*members), "nonmembers": texts_of(*others)}
    return evidence_of(**(known | fields))


ATTACKS = [name for name in METRICS if name.startswith("mia_") and name not in ("mia_reference", "mia_gradient_norm")]


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_finds_members_by_their_likelihood_and_loses_them_when_they_become_unlikely(name: str):
    found = METRICS[name].of(evidence()).measured
    assert (found.value, found.rows) == (1.0, 6)
    assert found.low < 0.9 and found.high == 1
    assert METRICS[name].of(evidence(seen=False)).measured.value == 0.0
    assert METRICS[name].better == "gold"


@pytest.mark.parametrize("name", METRICS)
def test_without_nonmembers_or_what_it_needs_an_attack_is_left_out(name: str):
    assert METRICS[name].of(evidence_of(members=texts_of(scores_of([1.0])))) is None
    assert METRICS[name].of(evidence_of()) is None


@pytest.mark.parametrize("name", ATTACKS)
def test_the_order_of_texts_does_not_matter_and_equal_ones_are_told_by_chance(name: str):
    texts = [scores_of([float(i), 2.0 * i, 1.0], answer_from=1) for i in range(1, 6)]
    mixed = METRICS[name].of(evidence_of(members=texts_of(*texts[1:4]), nonmembers=texts_of(*texts))).measured
    turned = METRICS[name].of(evidence_of(members=texts_of(*texts[1:4][::-1]), nonmembers=texts_of(*texts[::-1])))
    assert mixed == turned.measured
    equal = METRICS[name].of(evidence_of(members=texts_of(*texts), nonmembers=texts_of(*texts))).measured
    assert equal.value == 0.5 and equal.low < 0.5 < equal.high


def test_min_k_looks_at_the_answer_without_its_end_and_zlib_at_the_whole_text():
    def differing(place: int):
        """Members are likelier at this one place: question, answer, end."""
        values = [[1.0, 1.0, 1.0] for _ in range(2)]
        values[0][place] = 0.0
        member, other = (scores_of(v, answer_from=1, ends=True) for v in values)
        return evidence_of(members=texts_of(member), nonmembers=texts_of(other))

    def value(name: str, place: int):
        return METRICS[name].of(differing(place)).measured.value

    assert [value("mia_min_k_60", place) for place in range(3)] == [0.5, 1, 0.5]
    assert [value("mia_loss", place) for place in range(3)] == [0.5, 1, 1]
    assert [value("mia_zlib", place) for place in range(3)] == [1, 1, 0.5]


def test_zlib_compares_texts_of_unequal_compressibility():
    one = scores_of([2.0, 2.0])
    plain, varied = "aaaa " * 50, "".join(map(chr, range(33, 283)))
    found = METRICS["mia_zlib"].of(
        evidence_of(members=texts_of(one, texts=[varied]), nonmembers=texts_of(one, texts=[plain]))
    )
    assert found.measured.value == 1.0


def test_the_reference_attack_compares_with_the_other_model_text_by_text():
    # Losses 1, 2 under the model; the reference finds member 1 hard (3) and member 2 as easy (2).
    members, others = texts_of(scores_of([1.0]), scores_of([2.0])), texts_of(scores_of([1.0]), scores_of([1.5]))
    known = {"members": np.array([3.0, 2.0]), "nonmembers": np.array([1.5, 1.0])}
    found = METRICS["mia_reference"].of(evidence_of(members=members, nonmembers=others, reference_loss=known))
    # Scores 2, 0 against 0.5, -0.5: three of four pairs.
    assert found.measured.value == 0.75


def test_the_gradient_attack_takes_small_norms_for_members():
    norms = {"members": np.array([1.0, 4.0]), "nonmembers": np.array([3.0, 5.0])}
    assert METRICS["mia_gradient_norm"].of(evidence_of(gradient_norms=norms)).measured.value == 0.75
    broken = {"members": np.array([math.nan]), "nonmembers": np.array([3.0])}
    assert METRICS["mia_gradient_norm"].of(evidence_of(gradient_norms=broken)).measured.value is None


def test_privleak_has_the_turned_interval_of_its_attack():
    attack = METRICS[PRIVLEAK_ATTACK].of(evidence()).measured
    found = METRICS["privleak"].of(evidence()).measured
    assert found.value == pytest.approx(-100)
    assert found.low == pytest.approx(privleak(attack.high)) and found.high == pytest.approx(privleak(attack.low))
    assert found.low <= found.value <= found.high
    assert METRICS["privleak"].of(evidence(seen=False)).measured.value == pytest.approx(100)


def test_privleak_against_gold_takes_golds_own_auc():
    def of_gold(value: float):
        gold = Gold(name="gold", truth_ratio_N={}, attacks={PRIVLEAK_ATTACK: value})
        return METRICS["privleak_gold"].of(evidence(seen=False, gold=gold)).measured

    assert of_gold(0.6).value == pytest.approx(150)  # (1 - 0.4) / 0.4
    assert of_gold(0.0).value == 0  # no different from the gold model
    assert of_gold(1.0).value is None and "gold model tells all members apart" in of_gold(1.0).note
    without = Gold(name="gold", truth_ratio_N={})
    assert METRICS["privleak_gold"].of(evidence(gold=without)) is None


def test_where_nonmembers_come_from_is_said_beside_every_auc():
    told = evidence(nonmember_kind="real authors: another domain")
    for name in (*ATTACKS, "privleak"):
        note = METRICS[name].of(told).measured.note
        assert note.startswith("Nonmembers are real authors: another domain.") and "not membership" in note
        assert METRICS[name].of(evidence()).measured.note == ""


def test_a_broken_model_has_no_auc_and_says_why():
    broken = texts_of(scores_of([math.nan, 1.0]), scores_of([1.0, 1.0]))
    found = METRICS["mia_loss"].of(evidence_of(members=broken, nonmembers=texts_of(scores_of([1.0])))).measured
    assert found.value is None and found.note.startswith("1 of 3 texts")
    leaked = METRICS["privleak"].of(evidence_of(members=broken, nonmembers=texts_of(scores_of([1.0])))).measured
    assert leaked.value is None and leaked.note.startswith("1 of 3 texts")
