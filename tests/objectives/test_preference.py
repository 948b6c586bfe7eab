import math
from dataclasses import replace

import pytest
import torch
from fixed_likelihoods import NLL, batch, gradient

from soul_core.objectives.preference import negative_preference, npo_loss, simple_negative_preference

BETA = 0.1


def test_at_the_reference_npo_is_two_ln_two_over_beta_whatever_the_answers_are():
    loss = negative_preference(batch(ref=NLL)[0], beta=BETA)
    assert loss.item() == pytest.approx(2 * math.log(2) / BETA)


def test_at_the_reference_npo_pushes_as_ascent_on_each_summed_answer():
    # 2 sigmoid(0) = 1, so d/dnll = -1/2 for two forget rows. With the NLL a mean over tokens (SOUL's NPO), the row of
    # three tokens would get a third of that.
    likelihoods, nll = batch(ref=NLL)
    assert gradient(negative_preference(likelihoods, beta=BETA), nll) == pytest.approx([-0.5, -0.5, 0.0, 0.0])


def test_npo_away_from_the_reference_by_hand():
    # Row 0: nll - ref = 2 - 1 = 1; row 1: 10 - 14 = -4; beta = 1/2.
    # -(2/b) log sigmoid(b d) = 4 ln(1 + exp(-d/2)); gradient per row -2 sigmoid(-d/2) / 2 rows.
    likelihoods, nll = batch(ref=[1.0, 14.0, 0.0, 0.0])
    loss = negative_preference(likelihoods, beta=0.5)
    assert loss.item() == pytest.approx((4 * math.log(1 + math.exp(-0.5)) + 4 * math.log(1 + math.exp(2.0))) / 2)
    assert gradient(loss, nll)[:2] == pytest.approx([-1 / (1 + math.exp(0.5)), -1 / (1 + math.exp(-2.0))])


def test_averaging_before_the_sigmoid_is_something_else():
    # One row far above the reference, one far below. Row by row: the forgotten one pushes with 0, the other with 2/2.
    # On the batch's mean (SOUL's NPO) both would push alike.
    likelihoods, nll = batch(ref=[-98.0, 110.0, 0.0, 0.0])
    forgotten, fresh = gradient(negative_preference(likelihoods, beta=1.0), nll)[:2]
    assert abs(forgotten) < 1e-12
    assert fresh == pytest.approx(-1.0)


def test_towards_beta_0_the_gradient_is_that_of_ascent_anywhere():
    likelihoods, nll = batch(ref=[0.0, 50.0, 0.0, 0.0])
    loss = negative_preference(likelihoods, beta=1e-8)
    assert gradient(loss, nll) == pytest.approx([-0.5, -0.5, 0.0, 0.0], abs=1e-6)


def test_the_reference_receives_no_gradient():
    ref = torch.ones(2, requires_grad=True)
    npo_loss(torch.zeros(2, requires_grad=True), ref, torch.tensor([True, True]), beta=BETA).backward()
    assert ref.grad is None


def test_what_stands_in_the_reference_of_a_retain_row_does_not_matter():
    first, nll = batch(ref=[1.0, 2.0, 0.0, 0.0])
    second, other = batch(ref=[1.0, 2.0, math.inf, math.nan])
    for likelihoods, leaf in ((first, nll), (second, other)):
        loss = negative_preference(likelihoods, beta=BETA)
        loss.backward()
        assert loss.isfinite() and leaf.grad.isfinite().all()
    assert torch.equal(nll.grad, other.grad)


def test_npo_without_a_reference_says_so():
    with pytest.raises(ValueError, match="NPO needs ref_nll_B"):
        negative_preference(batch()[0], beta=BETA)


def test_simnpo_by_hand():
    # Per token: row 0 2/1, row 1 10/3 nats; delta = 1, beta = 3: 3 and 7 inside the sigmoid.
    likelihoods, nll = batch()
    loss = simple_negative_preference(likelihoods, beta=3.0, delta=1.0)
    assert loss.item() == pytest.approx((math.log(1 + math.exp(-3)) + math.log(1 + math.exp(-7))) * 2 / 3 / 2)
    # -2 sigmoid(-x) / |y| / 2 rows: the longer answer's sum is pushed a third as much.
    by_hand = [-1 / (1 + math.exp(3)), -1 / (1 + math.exp(7)) / 3, 0.0, 0.0]
    assert gradient(loss, nll) == pytest.approx(by_hand)


def test_simnpo_of_answers_that_are_certain_is_two_ln_two_over_beta():
    certain = replace(batch()[0], nll_B=torch.zeros(4, dtype=torch.float64))
    assert simple_negative_preference(certain, beta=4.5, delta=0.0).item() == pytest.approx(2 * math.log(2) / 4.5)


def test_delta_moves_the_point_at_which_simnpo_pushes_half():
    # At nll = |y| delta: 2 sigmoid(0) = 1, so -1 / |y| / 2 rows, whatever beta.
    likelihoods, nll = batch()
    at_delta = replace(likelihoods, nll_B=nll * 0 + 0.7 * likelihoods.tokens_B)
    (pushed,) = torch.autograd.grad(simple_negative_preference(at_delta, beta=9.0, delta=0.7), at_delta.nll_B)
    assert pushed.tolist() == pytest.approx([-1 / 2, -1 / 6, 0.0, 0.0])


def test_towards_beta_0_simnpo_is_ascent_on_the_mean_of_each_answer():
    likelihoods, nll = batch()
    loss = simple_negative_preference(likelihoods, beta=1e-8, delta=0.0)
    assert gradient(loss, nll) == pytest.approx([-1 / 2, -1 / 6, 0.0, 0.0], abs=1e-6)
