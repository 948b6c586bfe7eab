"""The mistakes of the field's released code, each run on the batch of ``fixed_tokens``: none of them gives the value
or the gradient that was worked out by hand, so a slip of the same kind cannot pass here unseen."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from fixed_tokens import BY_HAND, DIRECTION, FORGET, HIDDEN, LN2, ONE_HOT, OPTIONS, RETAIN_BY_HAND, P, case

from soul_core.objectives.divergence import kl_from_reference
from soul_core.objectives.preference import npo_loss

FIXED = case()
ROWS = FIXED.likelihoods
TOKENS = ROWS.answers
REFERENCE_BTV = FIXED.references["logits"]
NEXT_BT = FIXED.labels[:, 1:]
ANSWERED_BT = NEXT_BT != -100
IS_FORGET_N = ROWS.is_forget_B[TOKENS.row_N]


def log_sigmoid_loss(inside, beta=1.0):
    return (-2 / beta * F.logsigmoid(beta * inside)).mean()


def npo_on_token_means():
    """SOUL, Unlearn-Simple (WMDP): the NLL of a token in place of the sequence's."""
    mean, ref_mean = ROWS.nll_B / ROWS.tokens_B, ROWS.ref_nll_B / ROWS.tokens_B
    return log_sigmoid_loss((mean - ref_mean)[:2])


def npo_on_the_batch_mean():
    """SOUL: one mean over all tokens before the sigmoid."""
    return log_sigmoid_loss((ROWS.nll_B - ROWS.ref_nll_B)[:2].sum() / 3)


def npo_on_raw_logits():
    """Unlearn-Simple (MUSE): logits are no likelihoods, and what they share moves the loss."""
    at = TOKENS.labels_N[:, None]
    difference_N = (TOKENS.ref_logits_NV.gather(1, at) - TOKENS.logits_NV.gather(1, at))[:, 0]
    return log_sigmoid_loss(difference_N[IS_FORGET_N])


def simnpo_on_sums():
    inside_B = 2 * (ROWS.nll_B[:2] - LN2)
    return (-F.logsigmoid(inside_B)).mean()


def dpo_without_two_over_beta():
    """TOFU. At β 1 it is off by the factor 2 alone."""
    gain_B = ROWS.ref_nll_B - ROWS.nll_B
    return -F.logsigmoid(gain_B[1] - gain_B[0])


def dpo_on_token_means():
    gain_B = (ROWS.ref_nll_B - ROWS.nll_B) / ROWS.tokens_B
    return log_sigmoid_loss(gain_B[1] - gain_B[0])


def dpo_the_wrong_way_round():
    gain_B = ROWS.ref_nll_B - ROWS.nll_B
    return log_sigmoid_loss(gain_B[0] - gain_B[1])


def cross_entropy_for_kl(chosen_N):
    """SOUL: H(current, ref), which is not 0 where the two agree."""
    p, log_ref = TOKENS.logits_NV.softmax(-1), TOKENS.ref_logits_NV.log_softmax(-1)
    return -(p * log_ref).sum(-1)[chosen_N].mean()


def kl_of_raw_logits():
    """Unlearn-Simple (MUSE): ``kl_div`` on logits that are not normalised."""
    pointwise = F.kl_div(TOKENS.logits_NV, TOKENS.ref_logits_NV, reduction="none", log_target=True)
    return pointwise.sum(-1)[~IS_FORGET_N].mean()


def kl_the_wrong_way_round():
    return kl_from_reference(TOKENS.ref_logits_NV, TOKENS.logits_NV)[~IS_FORGET_N].mean()


def kl_over_prompt_and_padding():
    """TOFU and open-unlearning."""
    return kl_from_reference(FIXED.logits[2:], REFERENCE_BTV[2:]).mean()


def kl_over_the_vocabulary_too():
    return kl_from_reference(TOKENS.logits_NV, TOKENS.ref_logits_NV)[~IS_FORGET_N].mean() / 4


def nll_unshifted():
    """Each label scored by the logits that have read it already."""
    return -F.cross_entropy(FIXED.logits[:2].flatten(0, 1), FIXED.labels[:2].flatten())


def nll_over_padding():
    nll_BT = F.cross_entropy(FIXED.logits[:2, :-1].mT, NEXT_BT[:2].clamp_min(0), reduction="none")
    return -nll_BT.mean()


def nll_as_mean_of_row_means():
    return -(ROWS.nll_B / ROWS.tokens_B)[:2].mean()


def wga_weighing_by_the_surprise():
    return -((1 - (-TOKENS.nll_N).exp()) * TOKENS.nll_N)[IS_FORGET_N].mean()


def satimp_with_its_powers_exchanged():
    p_N = (-TOKENS.nll_N).exp()
    return -(p_N * (1 - p_N) ** 2 * TOKENS.nll_N)[IS_FORGET_N].mean()


def hinge_with_the_word_among_its_rivals():
    p_NV = TOKENS.logits_NV.softmax(-1)
    return (1 + p_NV.gather(1, TOKENS.labels_N[:, None])[:, 0] - p_NV.amax(-1))[IS_FORGET_N].mean()


def hinge_on_logits():
    """LoKU guesses from the values whether they are probabilities yet."""
    logits_NV, at = TOKENS.logits_NV, TOKENS.labels_N[:, None]
    rival_N = logits_NV.scatter(1, at, -math.inf).amax(-1)
    return (1 + logits_NV.gather(1, at)[:, 0] - rival_N).clamp_min(0)[IS_FORGET_N].mean()


def undial_with_ignored_labels_wrapped_around(over_all_positions):
    """open-unlearning: -100 indexes the vocabulary from its end (here -100 = 0 mod 4); prompt and padding count."""
    logits, teacher = FIXED.logits[:2, :-1], REFERENCE_BTV[:2, :-1]
    one_hot = F.one_hot(NEXT_BT[:2] % 4, 4)
    soft = (teacher - OPTIONS["undial"]["beta"] * one_hot).softmax(-1)
    loss_BT = F.cross_entropy(logits.mT, soft.mT, reduction="none")
    return loss_BT.mean() if over_all_positions else loss_BT.sum() / ANSWERED_BT[:2].sum()


def undial_lowering_the_students_own_logits():
    at = TOKENS.labels_N[IS_FORGET_N]
    soft = (TOKENS.logits_NV.detach()[IS_FORGET_N] - LN2 * F.one_hot(at, 4)).softmax(-1)
    return F.cross_entropy(TOKENS.logits_NV[IS_FORGET_N], soft)


def ceu_from_the_first_word_on():
    logits_NV = TOKENS.logits_NV[IS_FORGET_N]
    target = logits_NV.detach().scatter(1, TOKENS.labels_N[IS_FORGET_N][:, None], -math.inf).softmax(-1)
    return F.cross_entropy(logits_NV, target)


def pdu_over_prompt_and_padding():
    """open-unlearning."""
    return (FIXED.logits[:2].amax(-1) - FIXED.logits[:2].mean(-1)).square().mean()


def rmu_over_all_tokens_alike():
    return (HIDDEN[:3] - 5 * DIRECTION).square().mean()


def rmu_summed_over_the_width():
    square_N = (HIDDEN[:3] - 5 * DIRECTION).square().sum(-1)
    return (square_N[:2].mean() + square_N[2]) / 2


def rmu_at_the_position_before():
    """The hidden state that predicts the token in place of the token's own."""
    at = torch.tensor(FIXED.place[:3])
    before = FIXED.hidden[at[:, 0], at[:, 1] - 1]
    square_N = (before - 5 * DIRECTION).square().mean(-1)
    return (square_N[:2].mean() + square_N[2]) / 2


WRONG: list[tuple[Callable[[], torch.Tensor], float]] = [
    (npo_on_token_means, BY_HAND["npo"]),
    (npo_on_the_batch_mean, BY_HAND["npo"]),
    (npo_on_raw_logits, BY_HAND["npo"]),
    (simnpo_on_sums, BY_HAND["simnpo"]),
    (dpo_without_two_over_beta, BY_HAND["dpo"]),
    (dpo_on_token_means, BY_HAND["dpo"]),
    (dpo_the_wrong_way_round, BY_HAND["dpo"]),
    (lambda: -cross_entropy_for_kl(IS_FORGET_N), BY_HAND["kl"]),
    (lambda: cross_entropy_for_kl(~IS_FORGET_N), RETAIN_BY_HAND["kl"]),
    (kl_of_raw_logits, RETAIN_BY_HAND["kl"]),
    (kl_the_wrong_way_round, RETAIN_BY_HAND["kl"]),
    (kl_over_prompt_and_padding, RETAIN_BY_HAND["kl"]),
    (kl_over_the_vocabulary_too, RETAIN_BY_HAND["kl"]),
    (nll_unshifted, BY_HAND["ga"]),
    (nll_over_padding, BY_HAND["ga"]),
    (nll_as_mean_of_row_means, BY_HAND["ga"]),
    (wga_weighing_by_the_surprise, BY_HAND["wga"]),
    (satimp_with_its_powers_exchanged, BY_HAND["satimp"]),
    (hinge_with_the_word_among_its_rivals, BY_HAND["ihl"]),
    (hinge_on_logits, BY_HAND["ihl"]),
    (lambda: undial_with_ignored_labels_wrapped_around(over_all_positions=True), BY_HAND["undial"]),
    (lambda: undial_with_ignored_labels_wrapped_around(over_all_positions=False), BY_HAND["undial"]),
    (undial_lowering_the_students_own_logits, BY_HAND["undial"]),
    (ceu_from_the_first_word_on, BY_HAND["ceu"]),
    (pdu_over_prompt_and_padding, BY_HAND["pdu"]),
    (rmu_over_all_tokens_alike, BY_HAND["rmu"]),
    (rmu_summed_over_the_width, BY_HAND["rmu"]),
    (rmu_at_the_position_before, BY_HAND["rmu"]),
]


@pytest.mark.parametrize(("wrong", "by_hand"), WRONG)
def test_the_mistake_is_far_from_the_value_worked_out_by_hand(wrong, by_hand):
    assert abs(wrong().item() - by_hand) > 0.02


def test_cross_entropy_in_place_of_kl_pushes_even_at_the_reference():
    # KL there is 0 with a gradient of 0, see test_divergence; this is H(ref) = 7/4 bits a token and a push.
    logits = P[1].log().requires_grad_()
    loss = -(logits.softmax(-1) * P[1].log()).sum()
    assert loss.item() == pytest.approx(7 / 4 * LN2)
    assert torch.autograd.grad(loss, logits)[0].abs().max() > 0.1


def test_a_reference_that_is_not_detached_would_be_pushed():
    # What test_the_references_receive_no_gradient would find: the reference moves the other way.
    fixed = case()
    leaf = fixed.references["nll"]
    leaking = (-2.0 * F.logsigmoid(fixed.likelihoods.nll_B - leaf))[:2].mean()
    assert torch.autograd.grad(leaking, leaf, retain_graph=True)[0].abs().max() > 0.1
    detached = npo_loss(fixed.likelihoods.nll_B, leaf, fixed.likelihoods.is_forget_B, beta=1.0)
    assert detached.item() == pytest.approx(leaking.item())  # the values agree: only the gradient tells


@pytest.mark.parametrize("name", ["wga", "satimp"])
def test_a_weight_that_is_not_detached_has_the_right_value_and_another_gradient(name):
    fixed = case()
    p_N, nll_N = (-fixed.likelihoods.answers.nll_N).exp(), fixed.likelihoods.answers.nll_N
    weight_N = p_N if name == "wga" else p_N**2 * (1 - p_N)
    leaking = -(weight_N * nll_N)[:3].sum() / 3
    assert leaking.item() == pytest.approx(BY_HAND[name])
    right = -FORGET * weight_N.detach()[:, None] * (P - ONE_HOT) / 3
    assert (fixed.gradient(leaking) - right).abs().max() > 0.02


def test_a_target_that_is_not_detached_changes_the_gradient_of_ceu():
    # With the target moving along, the true word is no longer pushed with exactly p = 1/8.
    fixed = case()
    logits = fixed.likelihoods.answers.logits_NV[1]
    without = logits.masked_fill(ONE_HOT[1].bool(), -math.inf).softmax(-1)
    leaking = -(without * logits.log_softmax(-1)).sum()
    assert leaking.item() == pytest.approx(BY_HAND["ceu"])
    found = fixed.gradient(leaking)[1]
    assert (found - torch.tensor([-4, -2, 7, -1]) / 56).abs().max() > 0.02


def test_pairs_matched_by_their_place_in_the_batch_are_wrong_as_soon_as_it_is_shuffled():
    # Two pairs, the refusals in the other order: r_preferred - r_forget is -1/2 and 2, by place it is 1 and 1/2.
    gain = torch.tensor([-1.0, 0.0, -2.0, -0.5])
    by_place = log_sigmoid_loss(gain[:2] - gain[2:], beta=0.5)
    by_row = log_sigmoid_loss(gain[:2] - gain[[3, 2]], beta=0.5)
    assert abs(by_place.item() - by_row.item()) > 0.02
