import pytest
import torch
from fixed_tokens import FORGET, LN2, REF_P, P, case

from soul_core.objectives.divergence import kl_from_reference, leave_distribution, retain_kl


def test_kl_of_a_token_by_hand():
    # In bits: KL((1/2,1/4,1/8,1/8) || flat) = 2 - 7/4;
    # KL((1/8,1/8,1/4,1/2) || (1/2,1/4,1/8,1/8)) = -2/8 - 1/8 + 1/4 + 2/2 = 7/8. Constants on logits change nothing.
    found = kl_from_reference(P[:2].log() + 5.0, REF_P[:2].log() - 3.0)
    assert found.tolist() == pytest.approx([LN2 / 4, 7 / 8 * LN2])


def test_kl_is_taken_from_the_reference_and_not_towards_it():
    # The reference all but rules out token 1, which the model gives a half: that costs ln 2, not infinity.
    ref = torch.tensor([[0.0, -800.0]], dtype=torch.float64)
    assert kl_from_reference(torch.zeros(1, 2, dtype=torch.float64), ref).item() == pytest.approx(LN2)


@pytest.mark.parametrize("term", [retain_kl, leave_distribution])
def test_at_the_reference_kl_is_0_with_a_gradient_of_0(term):
    fixed = case(at_reference=True)
    loss = term(fixed.likelihoods)
    assert loss.item() == pytest.approx(0.0, abs=1e-14)
    assert fixed.gradient(loss).abs().max() < 1e-14


def test_the_retain_term_pulls_each_distribution_to_the_reference():
    # d KL(ref || p)/d logits = p - ref, a third for each of the three retain tokens.
    fixed = case()
    torch.testing.assert_close(fixed.gradient(retain_kl(fixed.likelihoods)), (1 - FORGET) * (P - REF_P) / 3)


def test_the_forget_term_pushes_each_distribution_from_the_reference():
    fixed = case()
    torch.testing.assert_close(fixed.gradient(leave_distribution(fixed.likelihoods)), -FORGET * (P - REF_P) / 3)


@pytest.mark.parametrize("term", [retain_kl, leave_distribution])
def test_kl_without_the_reference_says_so(term):
    with pytest.raises(ValueError, match="KL needs ref_logits_NV"):
        term(case(ref_logits_NV=None).likelihoods)
