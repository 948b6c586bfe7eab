import pytest
import torch
from fixed_tokens import case

from soul_core.objectives.hinge import inverted_hinge


def with_forget_probabilities(*rows):
    """The fixed batch with these probabilities at the forget tokens (labels 0, 2, 1), and the logits' leaf."""
    p = torch.cat([torch.tensor(rows, dtype=torch.float64), torch.full((3, 4), 0.25, dtype=torch.float64)])
    logits = p.log().requires_grad_()
    return case(logits_NV=logits).likelihoods, logits


def test_the_gradient_lowers_the_word_and_raises_the_runner_up():
    # d p(v)/d logits = p(v) (onehot_v - p). Token by token, before the mean over three:
    # flat, y = 0: three words share the second place, 1/4 e0 - 1/12 (e1 + e2 + e3);
    # (1/2,1/4,1/8,1/8), y = 2, ahead of it 0: 1/8 e2 - 1/2 e0 + 3/8 p;
    # (1/4,1/2,1/8,1/8), y = 1, next best 0: 1/2 e1 - 1/4 e0 - 1/4 p.
    fixed = case()
    by_hand = torch.zeros(6, 4, dtype=torch.float64)
    by_hand[0] = torch.tensor([1 / 4, -1 / 12, -1 / 12, -1 / 12])
    by_hand[1] = torch.tensor([-20 / 64, 6 / 64, 11 / 64, 3 / 64])
    by_hand[2] = torch.tensor([-10 / 32, 12 / 32, -1 / 32, -1 / 32])
    found = fixed.gradient(inverted_hinge(fixed.likelihoods))
    torch.testing.assert_close(found, by_hand / 3, rtol=0, atol=1e-8)


def test_a_tie_with_the_runner_up_costs_exactly_1():
    tie = with_forget_probabilities([0.4, 0.4, 0.1, 0.1], [0.1, 0.3, 0.3, 0.3], [0.05, 0.45, 0.45, 0.05])
    assert inverted_hinge(tie[0]).item() == pytest.approx(1.0)


def test_certainty_costs_2_and_certainty_of_another_word_0():
    most, least = 1 - 3e-12, 1e-12
    known = with_forget_probabilities([most, *[least] * 3], [least, least, most, least], [least, most, least, least])
    other = with_forget_probabilities([least, most, least, least], [most, *[least] * 3], [most, *[least] * 3])
    assert inverted_hinge(known[0]).item() == pytest.approx(2.0)
    assert inverted_hinge(other[0]).item() == pytest.approx(0.0, abs=1e-10)


def test_the_hinge_stays_between_0_and_2_wherever_the_logits_are():
    generator = torch.Generator().manual_seed(0)
    for scale in (0.1, 1.0, 10.0, 100.0):
        logits = scale * torch.randn(6, 4, dtype=torch.float64, generator=generator)
        assert 0.0 <= inverted_hinge(case(logits_NV=logits).likelihoods).item() <= 2.0
