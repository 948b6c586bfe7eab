import pytest
import torch
from fixed_tokens import DIRECTION, HIDDEN, case

from soul_core.objectives.representation import distance_of_rows, misdirection, retain_hidden


def test_each_forget_row_is_pulled_to_the_target_with_the_same_force_however_long_it_is():
    # d/dh of |h - (3, 4)|^2 / 2 is h - (3, 4); A's two tokens count a half each, and each row a half.
    fixed = case()
    by_hand = torch.zeros(6, 2, dtype=torch.float64)
    by_hand[0] = torch.tensor([-2.0, -4.0]) / 4
    by_hand[1] = torch.tensor([0.0, -2.0]) / 4
    by_hand[2] = torch.tensor([-3.0, -4.0]) / 2
    torch.testing.assert_close(fixed.gradient(misdirection(fixed.likelihoods, steering=5.0), "hidden"), by_hand)


def test_at_the_target_rmu_is_0_with_a_gradient_of_0():
    target = (2.0 * DIRECTION).expand(6, 2).clone().requires_grad_()
    loss = misdirection(case(hidden_NH=target).likelihoods, steering=2.0)
    assert loss.item() == 0.0
    assert not torch.autograd.grad(loss, target)[0].any()


def test_the_layer_is_for_whoever_makes_the_hidden_states():
    likelihoods = case().likelihoods
    assert misdirection(likelihoods, layer=0).item() == misdirection(likelihoods, layer=7).item()


def test_the_retain_rows_are_held_at_the_references_hidden_states():
    # h - h_ref: C (1, 0) and (0, 2), D (0, 3); C's tokens count a half each, and each row a half.
    fixed = case()
    by_hand = torch.zeros(6, 2, dtype=torch.float64)
    by_hand[3] = torch.tensor([1.0, 0.0]) / 4
    by_hand[4] = torch.tensor([0.0, 2.0]) / 4
    by_hand[5] = torch.tensor([0.0, 3.0]) / 2
    torch.testing.assert_close(fixed.gradient(retain_hidden(fixed.likelihoods), "hidden"), by_hand)


def test_at_the_reference_the_retain_term_is_0_with_a_gradient_of_0():
    here = HIDDEN.clone().requires_grad_()
    loss = retain_hidden(case(hidden_NH=here, ref_hidden_NH=HIDDEN).likelihoods)
    assert loss.item() == 0.0
    assert not torch.autograd.grad(loss, here)[0].any()


def test_a_row_without_an_answer_does_not_weigh():
    # B's token has lost its label: A alone, (10 + 2) / 2, and not half of it.
    assert misdirection(case(labels_kept=2).likelihoods, steering=5.0).item() == pytest.approx(6.0)


def test_a_distance_over_no_rows_is_0():
    likelihoods = case().likelihoods
    assert distance_of_rows(likelihoods, HIDDEN, torch.zeros(4, dtype=torch.bool)).item() == 0.0


@pytest.mark.parametrize("missing", ["hidden_NH", "direction_H"])
def test_rmu_without_its_inputs_says_so(missing):
    with pytest.raises(ValueError, match=f"RMU needs {missing}"):
        misdirection(case(**{missing: None}).likelihoods)


@pytest.mark.parametrize("missing", ["hidden_NH", "ref_hidden_NH"])
def test_the_retain_term_without_its_inputs_says_so(missing):
    with pytest.raises(ValueError, match=f"needs {missing}"):
        retain_hidden(case(**{missing: None}).likelihoods)
