import pytest
import torch
from fixed_likelihoods import FORGET_MEAN, batch, gradient
from fixed_tokens import FORGET, LN2, ONE_HOT, P, case

from soul_core.objectives.ascent import gradient_ascent, saturation_importance, weighted_ascent


def test_gradient_ascent_is_minus_the_token_mean_of_the_forget_rows():
    likelihoods, nll = batch()
    loss = gradient_ascent(likelihoods)
    assert loss.item() == -FORGET_MEAN
    # Every forget token pushes with 1/4, whichever row it is in; retain rows do not push.
    assert gradient(loss, nll) == [-0.25, -0.25, 0.0, 0.0]


def test_a_token_of_weighted_ascent_pushes_with_its_own_probability():
    # d nll/d logits = p - onehot; the weights 1/4, 1/8, 1/2 are constants, so nothing else is added.
    fixed = case()
    found = fixed.gradient(weighted_ascent(fixed.likelihoods, beta=1.0))
    weights = torch.tensor([1 / 4, 1 / 8, 1 / 2, 0, 0, 0], dtype=torch.float64)[:, None]
    torch.testing.assert_close(found, -weights * (P - ONE_HOT) / 3)


def test_weighted_ascent_with_beta_0_is_gradient_ascent():
    fixed = case()
    loss = weighted_ascent(fixed.likelihoods, beta=0.0)
    assert loss.item() == pytest.approx(-2 * LN2)
    torch.testing.assert_close(fixed.gradient(loss), -FORGET * (P - ONE_HOT) / 3)


def test_a_token_of_satimp_pushes_most_between_known_and_forgotten():
    # p^2 (1 - p): 1/16 * 3/4, 1/64 * 7/8, 1/4 * 1/2.
    fixed = case()
    found = fixed.gradient(saturation_importance(fixed.likelihoods, saturation=2.0, importance=1.0))
    weights = torch.tensor([3 / 64, 7 / 512, 1 / 8, 0, 0, 0], dtype=torch.float64)[:, None]
    torch.testing.assert_close(found, -weights * (P - ONE_HOT) / 3)


@pytest.mark.parametrize("saturation", [0.0, 1.0, 3.0])
def test_satimp_without_importance_is_weighted_ascent(saturation):
    fixed = case()
    satimp = saturation_importance(fixed.likelihoods, saturation=saturation, importance=0.0)
    wga = weighted_ascent(fixed.likelihoods, beta=saturation)
    assert satimp.item() == pytest.approx(wga.item())
    torch.testing.assert_close(fixed.gradient(satimp), fixed.gradient(wga))


def test_a_word_that_is_certain_has_no_importance_and_a_finite_gradient():
    # p = 1 in floating point: 1 - p = 0, and 0 to the power of 0 is 1.
    certain = torch.tensor([[200.0, 0, 0, 0]] * 6, dtype=torch.float64, requires_grad=True)
    nll = torch.nn.functional.cross_entropy(certain, torch.zeros(6, dtype=torch.long), reduction="none")
    fixed = case(nll_N=nll)
    for importance in (0.0, 1.0):
        loss = saturation_importance(fixed.likelihoods, saturation=5.0, importance=importance)
        assert loss.item() == 0.0
        assert torch.autograd.grad(loss, certain, retain_graph=True)[0].isfinite().all()
