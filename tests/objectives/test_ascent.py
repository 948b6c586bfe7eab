import pytest
from fixed_likelihoods import FORGET_MEAN, RETAIN_MEAN, batch, gradient

from soul_core.objectives.ascent import gradient_ascent, gradient_difference


def test_gradient_ascent_is_minus_the_token_mean_of_the_forget_rows():
    likelihoods, nll = batch()
    losses = gradient_ascent(likelihoods)
    assert losses.total.item() == losses.forget.item() == -FORGET_MEAN
    # Every forget token pushes with 1/4, whichever row it is in; retain rows do not push.
    assert gradient(losses.total, nll) == [-0.25, -0.25, 0.0, 0.0]


def test_gradient_ascent_watches_the_retain_loss_without_using_it():
    losses = gradient_ascent(batch()[0])
    assert losses.retain.item() == RETAIN_MEAN
    assert not losses.retain.requires_grad


def test_gradient_difference_adds_gamma_times_the_retain_mean():
    likelihoods, nll = batch()
    losses = gradient_difference(likelihoods, gamma=2.0)
    assert losses.total.item() == -FORGET_MEAN + 2 * RETAIN_MEAN
    assert (losses.forget.item(), losses.retain.item()) == (-FORGET_MEAN, RETAIN_MEAN)  # unweighted
    assert gradient(losses.total, nll) == pytest.approx([-0.25, -0.25, 2 / 6, 2 / 6])


def test_gradient_difference_without_retain_weight_is_gradient_ascent():
    likelihoods, nll = batch()
    assert gradient(gradient_difference(likelihoods, gamma=0.0).total, nll) == [-0.25, -0.25, 0.0, 0.0]


def test_a_long_retain_row_does_not_weaken_the_forget_term():
    # One mean over all tokens of the batch would make each forget token push with 1/10.
    likelihoods, nll = batch()
    assert gradient(gradient_difference(likelihoods, gamma=1.0).total, nll)[0] == -0.25
