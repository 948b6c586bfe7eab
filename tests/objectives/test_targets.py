import math

import pytest
import torch
from fixed_tokens import FORGET, LN2, ONE_HOT, REF_P, P, case

from soul_core.objectives.targets import cross_entropy_unlearning, dual_ascent, flat_logits, self_distillation


def test_undial_pulls_to_the_reference_with_the_true_word_turned_down():
    # Cross-entropy to a fixed target: d/d logits = p - target. Halving the label's share leaves 3/4, 7/8, 3/4.
    fixed = case()
    target = torch.tensor([[2, 2, 1, 1], [6 / 7, 6 / 7, 6 / 7, 24 / 7], [2, 2, 1, 1]], dtype=torch.float64) / 6
    found = fixed.gradient(self_distillation(fixed.likelihoods, beta=LN2))
    torch.testing.assert_close(found[:3], (P[:3] - target) / 3)
    assert not found[3:].any()


def test_undial_with_beta_0_is_cross_entropy_to_the_reference():
    # In bits: flat against anything 2; (1/8,1/8,1/4,1/2) against 1, 2, 3, 3: 21/8; H(1/2,1/4,1/8,1/8) = 7/4.
    fixed = case()
    loss = self_distillation(fixed.likelihoods, beta=0.0)
    assert loss.item() == pytest.approx((2 + 21 / 8 + 7 / 4) / 3 * LN2)
    torch.testing.assert_close(fixed.gradient(loss), FORGET * (P - REF_P) / 3)


def test_at_the_reference_undial_with_beta_0_has_a_gradient_of_0():
    fixed = case(at_reference=True)
    assert fixed.gradient(self_distillation(fixed.likelihoods, beta=0.0)).abs().max() < 1e-14


def test_undial_with_a_large_beta_rules_the_true_word_out():
    # What is left of the target of A0: (0, 2, 1, 1) / 4, so the true word is pushed down with its whole p.
    fixed = case()
    found = fixed.gradient(self_distillation(fixed.likelihoods, beta=100.0))
    torch.testing.assert_close(found[0], (P[0] - torch.tensor([0, 0.5, 0.25, 0.25])) / 3)


def test_ceu_pushes_the_true_word_with_its_probability_and_spreads_that_over_the_others():
    # p - (4, 2, 0, 1)/7 at A1, the only token that is not an answer's first.
    fixed = case()
    found = fixed.gradient(cross_entropy_unlearning(fixed.likelihoods))
    by_hand = torch.zeros(6, 4, dtype=torch.float64)
    by_hand[1] = torch.tensor([-4, -2, 7, -1]) / 56
    torch.testing.assert_close(found, by_hand, rtol=0, atol=1e-8)


def test_ceu_can_spare_no_word():
    # A0: a third each against 2 bits; A1 11/7; B0: (2, 0, 1, 1)/4 against 2, 1, 3, 3: 5/2.
    fixed = case()
    loss = cross_entropy_unlearning(fixed.likelihoods, spared=0)
    assert loss.item() == pytest.approx((2 + 11 / 7 + 5 / 2) / 3 * LN2)
    pushed = (fixed.gradient(loss) * ONE_HOT).sum(dim=1)
    torch.testing.assert_close(pushed, torch.tensor([1 / 4, 1 / 8, 1 / 2, 0, 0, 0], dtype=torch.float64) / 3)


def test_ceu_leaves_a_forgotten_word_alone():
    forgotten = torch.tensor([[0.0, 0.0, -400.0, 0.0]] * 6, dtype=torch.float64, requires_grad=True)
    loss = cross_entropy_unlearning(case(logits_NV=forgotten).likelihoods)
    assert loss.item() == pytest.approx(math.log(3))
    assert torch.autograd.grad(loss, forgotten)[0].abs().max() < 1e-14


def test_ceu_on_answers_of_one_word_is_0():
    assert cross_entropy_unlearning(case().likelihoods, spared=2).item() == 0.0


def test_pdu_lowers_the_largest_logit_and_raises_all():
    # 2 * 5/4 ln 2 * (onehot_max - 1/4), a third for each token; nothing where all logits are equal.
    fixed = case()
    found = fixed.gradient(flat_logits(fixed.likelihoods))
    by_hand = torch.zeros(6, 4, dtype=torch.float64)
    by_hand[1] = torch.tensor([3.0, -1, -1, -1]) / 4
    by_hand[2] = torch.tensor([-1.0, 3, -1, -1]) / 4
    torch.testing.assert_close(found, 5 / 2 * LN2 * by_hand / 3)


def test_pdu_of_flat_logits_is_0_with_a_gradient_of_0():
    flat = torch.full((6, 4), 7.0, dtype=torch.float64, requires_grad=True)
    loss = flat_logits(case(logits_NV=flat).likelihoods)
    assert loss.item() == 0.0
    assert not torch.autograd.grad(loss, flat)[0].any()


def test_the_dual_grows_above_the_budget_shrinks_below_it_and_ends_at_0():
    assert dual_ascent(2.0, 0.75, budget=0.25, dual_rate=3.0) == 3.5
    assert dual_ascent(2.0, 0.0, budget=0.25, dual_rate=3.0) == 1.25
    assert dual_ascent(0.5, 0.0, budget=0.25, dual_rate=3.0) == 0.0
    assert dual_ascent(2.0, 9.0, budget=0.25, dual_rate=0.0) == 2.0


def test_undial_without_the_reference_says_so():
    with pytest.raises(ValueError, match="UNDIAL needs ref_logits_NV"):
        self_distillation(case(ref_logits_NV=None).likelihoods)
