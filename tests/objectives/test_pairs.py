import itertools
import math
from dataclasses import replace

import pytest
import torch
from fixed_likelihoods import gradient

from soul_core.objectives.likelihoods import Likelihoods
from soul_core.objectives.preference import direct_preference

# Question 7: refusal 6 nats, the original 5; forget answer 9, the original 8 1/2. Question 2: 4 and 4; 3 and 1.
# Gains ref - nll: question 7, -1 for the refusal and -1/2 for the answer; question 2, 0 and -2. A retain row
# whose index is also 7 is not part of any pair.
NLL = [6.0, 9.0, 4.0, 3.0, 5.0]
REF = [5.0, 8.5, 4.0, 1.0, 0.0]
TOKENS = [3, 2, 2, 1, 4]
IS_FORGET = [True, True, True, True, False]
IS_PREFERRED = [True, False, True, False, False]
ROW = [7, 7, 2, 2, 7]


def pairs(order=(0, 1, 2, 3, 4)):
    nll = torch.tensor([NLL[i] for i in order], dtype=torch.float64, requires_grad=True)
    ref = torch.tensor([REF[i] for i in order], dtype=torch.float64)
    return Likelihoods(
        nll,
        torch.tensor([TOKENS[i] for i in order]),
        torch.tensor([IS_FORGET[i] for i in order]),
        ref,
        is_preferred_B=torch.tensor([IS_PREFERRED[i] for i in order]),
        row_B=torch.tensor([ROW[i] for i in order]),
    ), nll


def test_two_pairs_by_hand():
    # Margins -1 + 1/2 = -1/2 and 0 + 2 = 2; -(2/b) log sigmoid(b m) = (2/b) ln(1 + exp(-b m)), b = 1/2.
    likelihoods, nll = pairs()
    loss = direct_preference(likelihoods, beta=0.5)
    assert loss.item() == pytest.approx((4 * math.log(1 + math.exp(0.25)) + 4 * math.log(1 + math.exp(-1.0))) / 2)
    # Each pair pushes with 2 sigmoid(-b m) / 2 pairs: the refusal's NLL down, the answer's up, retain not at all.
    first, second = 1 / (1 + math.exp(-0.25)), 1 / (1 + math.exp(1.0))
    assert gradient(loss, nll) == pytest.approx([first, -first, second, -second, 0.0])


def test_pairs_are_found_by_their_row_wherever_they_stand():
    likelihoods, nll = pairs()
    expected = direct_preference(likelihoods, beta=0.5)
    gradients = gradient(expected, nll)
    for order in itertools.permutations(range(5)):
        shuffled, leaf = pairs(order)
        loss = direct_preference(shuffled, beta=0.5)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
        assert gradient(loss, leaf) == pytest.approx([gradients[i] for i in order])


def test_at_the_reference_each_pair_costs_two_ln_two_over_beta_and_pushes_with_one():
    likelihoods, nll = pairs()
    at_reference = replace(likelihoods, ref_nll_B=nll.detach())
    loss = direct_preference(at_reference, beta=0.1)
    assert loss.item() == pytest.approx(2 * math.log(2) / 0.1)
    # 2 sigmoid(0) / 2 pairs.
    assert gradient(loss, nll) == pytest.approx([0.5, -0.5, 0.5, -0.5, 0.0])


def test_a_pair_that_is_far_apart_already_is_left_alone():
    likelihoods, nll = pairs()
    apart = replace(likelihoods, ref_nll_B=torch.tensor([600.0, 9, 400, 3, 0], dtype=torch.float64))
    assert gradient(direct_preference(apart, beta=1.0), nll) == pytest.approx([0.0] * 5, abs=1e-12)


def test_the_reference_receives_no_gradient():
    likelihoods, _ = pairs()
    ref = likelihoods.ref_nll_B.clone().requires_grad_()
    direct_preference(replace(likelihoods, ref_nll_B=ref), beta=0.5).backward()
    assert ref.grad is None


@pytest.mark.parametrize("missing", ["ref_nll_B", "is_preferred_B", "row_B"])
def test_dpo_without_its_inputs_says_so(missing):
    with pytest.raises(ValueError, match=f"DPO needs {missing}"):
        direct_preference(replace(pairs()[0], **{missing: None}))


def test_half_a_pair_is_not_compared_with_somebody_elses():
    with pytest.raises(ValueError, match=r"got rows \[2, 9\] and \[2, 7\]"):
        direct_preference(replace(pairs()[0], row_B=torch.tensor([9, 7, 2, 2, 7])))
