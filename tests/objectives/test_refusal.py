import pytest
from fixed_likelihoods import FORGET_MEAN, RETAIN_MEAN, batch, gradient

from soul_core.objectives.refusal import refusal_training


def test_refusals_are_learnt_not_unlearnt():
    likelihoods, nll = batch()
    losses = refusal_training(likelihoods, gamma=3.0)
    assert losses.total.item() == FORGET_MEAN + 3 * RETAIN_MEAN
    assert (losses.forget.item(), losses.retain.item()) == (FORGET_MEAN, RETAIN_MEAN)
    assert gradient(losses.total, nll) == pytest.approx([0.25, 0.25, 0.5, 0.5])
