"""Who is ahead: beyond the spread and at a comparable retain Acc, by hand."""

import pytest

from soul_core.session.standing import Scores, ahead, verdict
from soul_core.session.trials import LaneResult


def result(forget: float, retain: float = 1.0, diverged: str = "") -> LaneResult:
    return LaneResult(
        epoch=5, forget_acc=forget, retain_acc=retain, forget_rouge_l=0.5, retain_rouge_l=0.5,
        forget_probability=0.5, retain_probability=0.5, forget_rows=120, retain_rows=400, diverged=diverged,
    )  # fmt: skip


def scores(*forget: float, retain: float = 1.0) -> Scores:
    return Scores(tuple(result(value, retain) for value in forget))


def test_ahead_is_a_difference_of_means_beyond_the_spread_of_two_runs():
    # 0.1, 0.2, 0.3 has mean 0.2 and s = 0.1; so has any shift of it. sqrt(0.1^2 + 0.1^2) = 0.141.
    so = scores(0.1, 0.2, 0.3)
    assert ahead(so, scores(0.25, 0.35, 0.45))  # 0.15 apart
    assert not ahead(so, scores(0.23, 0.33, 0.43))  # 0.13 apart
    assert not ahead(scores(0.25, 0.35, 0.45), so)


def test_who_pays_with_more_than_two_points_of_retain_is_not_ahead():
    fo = scores(0.8, 0.81, retain=0.98)
    assert ahead(scores(0.1, 0.11, retain=0.96), fo)
    assert not ahead(scores(0.1, 0.11, retain=0.9575), fo)


def test_with_one_seed_or_after_a_divergence_nobody_is_ahead():
    assert not ahead(scores(0.1), scores(0.9, 0.9))
    assert not ahead(scores(0.1, 0.1), scores(0.9))
    assert not ahead(Scores((result(0.1), result(0.1, diverged="too fast"))), scores(0.9, 0.9))


def test_equal_runs_without_spread_are_undecided():
    assert not ahead(scores(0.5, 0.5), scores(0.5, 0.5))


def test_the_sentence_counts_both_ways():
    rows = {
        "a": {"so": scores(0.1, 0.1), "fo": scores(0.5, 0.5), "sign": scores(0.1, 0.1)},
        "b": {"so": scores(0.5, 0.5), "fo": scores(0.1, 0.1), "sign": scores(0.1, 0.1)},
        "c": {"so": scores(0.5, 0.5), "fo": scores(0.5, 0.5), "sign": scores(0.9, 0.9)},
        "d": {"fo": scores(0.1, 0.1)},
    }
    said = verdict(rows)
    assert "SO forgets more than FO for 1 of 3 objectives and less for 1; 1 are undecided." in said
    assert "than the control (sign momentum) for 1 of 3 objectives and less for 1; 1 are undecided." in said
    assert "2 points" in said


def test_one_seed_says_nothing_and_no_pairs_no_sentence():
    assert "One seed has no spread" in verdict({"a": {"so": scores(0.1), "fo": scores(0.5)}})
    assert verdict({"a": {"fo": scores(0.5)}}) == ""


@pytest.mark.parametrize("shares", [(), (0.5, None)])
def test_clip_shares_are_of_those_that_clip(shares: tuple[float | None, ...]):
    found = Scores(tuple(result(0.1).model_copy(update={"clip_share": share}) for share in shares))
    assert found.clip_shares == tuple(share for share in shares if share is not None)
