import math

import pytest
import torch
from fixed_likelihoods import NLL, RETAIN_MEAN, batch, gradient

from soul_core.objectives.preference import negative_preference, npo_loss

BETA = 0.1


def test_at_the_reference_npo_is_two_ln_two_over_beta_whatever_the_answers_are():
    losses = negative_preference(batch(ref=NLL)[0], gamma=0.0, beta=BETA)
    assert losses.forget.item() == losses.total.item() == pytest.approx(2 * math.log(2) / BETA)


def test_at_the_reference_npo_pushes_as_ascent_on_each_summed_answer():
    # 2 sigmoid(0) = 1, so d/dnll = -1/2 for two forget rows. With the NLL a mean over tokens (SOUL's NPO), the row of
    # three tokens would get a third of that.
    likelihoods, nll = batch(ref=NLL)
    loss = negative_preference(likelihoods, gamma=0.0, beta=BETA).total
    assert gradient(loss, nll) == pytest.approx([-0.5, -0.5, 0.0, 0.0])


def test_npo_away_from_the_reference_by_hand():
    # Row 0: nll - ref = 2 - 1 = 1; row 1: 10 - 14 = -4; beta = 1/2.
    # -(2/b) log sigmoid(b d) = 4 ln(1 + exp(-d/2)); gradient per row -2 sigmoid(-d/2) / 2 rows.
    likelihoods, nll = batch(ref=[1.0, 14.0, 0.0, 0.0])
    losses = negative_preference(likelihoods, gamma=2.0, beta=0.5)
    by_hand = (4 * math.log(1 + math.exp(-0.5)) + 4 * math.log(1 + math.exp(2.0))) / 2
    assert losses.forget.item() == pytest.approx(by_hand)
    assert losses.total.item() == pytest.approx(by_hand + 2 * RETAIN_MEAN)
    assert gradient(losses.forget, nll)[:2] == pytest.approx([-1 / (1 + math.exp(0.5)), -1 / (1 + math.exp(-2.0))])


def test_averaging_before_the_sigmoid_is_something_else():
    # One row far above the reference, one far below. Row by row: the forgotten one pushes with 0, the other with 2/2.
    # On the batch's mean (SOUL's NPO) both would push alike.
    likelihoods, nll = batch(ref=[-98.0, 110.0, 0.0, 0.0])
    forgotten, fresh = gradient(negative_preference(likelihoods, gamma=0.0, beta=1.0).total, nll)[:2]
    assert abs(forgotten) < 1e-12
    assert fresh == pytest.approx(-1.0)


def test_towards_beta_0_the_gradient_is_that_of_ascent_anywhere():
    likelihoods, nll = batch(ref=[0.0, 50.0, 0.0, 0.0])
    loss = negative_preference(likelihoods, gamma=0.0, beta=1e-8).total
    assert gradient(loss, nll) == pytest.approx([-0.5, -0.5, 0.0, 0.0], abs=1e-6)


def test_the_reference_receives_no_gradient():
    ref = torch.ones(2, requires_grad=True)
    npo_loss(torch.zeros(2, requires_grad=True), ref, torch.tensor([True, True]), beta=BETA).backward()
    assert ref.grad is None


def test_what_stands_in_the_reference_of_a_retain_row_does_not_matter():
    first, nll = batch(ref=[1.0, 2.0, 0.0, 0.0])
    second, other = batch(ref=[1.0, 2.0, math.inf, math.nan])
    for likelihoods, leaf in ((first, nll), (second, other)):
        losses = negative_preference(likelihoods, gamma=1.0, beta=BETA)
        losses.total.backward()
        assert losses.total.isfinite() and leaf.grad.isfinite().all()
    assert torch.equal(nll.grad, other.grad)


def test_npo_without_a_reference_says_so():
    with pytest.raises(ValueError, match="needs ref_nll_B"):
        negative_preference(batch()[0], gamma=1.0, beta=BETA)
