import math

import pytest
import torch

from soul_core.objectives.likelihoods import (
    Likelihoods,
    answer_likelihoods,
    answer_logits,
    answer_tokens,
    forget_nll,
    forget_tokens,
    given,
    mean_of,
    retain_nll,
    token_nll,
)


def logits_giving(probabilities):
    """Logits of a (B, T, V) nested list of probabilities, in double precision."""
    return torch.tensor(probabilities, dtype=torch.float64).log()


UNIFORM = [0.25, 0.25, 0.25, 0.25]
HALF_ON_1 = [0.125, 0.5, 0.25, 0.125]
EIGHTH_ON_3 = [0.25, 0.5, 0.125, 0.125]


def test_a_position_is_scored_by_the_logits_before_it():
    # Tokens: prompt, prompt, 1, 3. The logits at 1 give token 1 a half, those at 2 give token 3 an eighth:
    # NLL = ln 2 + ln 8 = 4 ln 2 over two tokens. Unshifted it would be 3 ln 2 + 2 ln 2.
    logits = logits_giving([[UNIFORM, HALF_ON_1, EIGHTH_ON_3, UNIFORM]])
    nll, tokens = answer_likelihoods(logits, torch.tensor([[-100, -100, 1, 3]]))
    assert nll.tolist() == pytest.approx([4 * math.log(2)])
    assert tokens.tolist() == [2]


def test_one_more_label_of_the_prompt_changes_the_likelihood_by_that_token():
    # The off-by-one mask of the field: the last prompt token (2) is scored too, by the uniform logits before it.
    logits = logits_giving([[UNIFORM, HALF_ON_1, EIGHTH_ON_3, UNIFORM]])
    exact, _ = answer_likelihoods(logits, torch.tensor([[-100, -100, 1, 3]]))
    one_early, tokens = answer_likelihoods(logits, torch.tensor([[-100, 2, 1, 3]]))
    assert (one_early - exact).item() == pytest.approx(math.log(4))
    assert tokens.item() == 3


def test_padding_columns_change_neither_value_nor_gradient():
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 7, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[-100, 3, 2, 6], [-100, -100, 1, 5]])
    padding = torch.full((2, 3), -100)
    nll, tokens = answer_likelihoods(logits, labels)
    wide, wide_tokens = answer_likelihoods(
        torch.cat([logits, torch.randn(2, 3, 7, dtype=torch.float64)], dim=1), torch.cat([labels, padding], dim=1)
    )
    torch.testing.assert_close(wide, nll)
    assert torch.equal(wide_tokens, tokens)
    torch.testing.assert_close(torch.autograd.grad(wide.sum(), logits)[0], torch.autograd.grad(nll.sum(), logits)[0])


def test_the_first_label_of_all_is_never_scored_as_nothing_predicts_it():
    _, tokens = answer_likelihoods(torch.zeros(1, 3, 4), torch.tensor([[2, 1, 3]]))
    assert tokens.tolist() == [2]


def test_half_precision_logits_are_summed_in_single_precision():
    # 400 tokens of NLL ln 4 = 1.386...: in bf16 a sum near 554 moves in steps of 4.
    nll, _ = answer_likelihoods(torch.zeros(1, 401, 4, dtype=torch.bfloat16), torch.ones(1, 401, dtype=torch.long))
    assert nll.dtype == torch.float32
    assert nll.item() == pytest.approx(400 * math.log(4), rel=1e-6)


def test_only_answer_positions_are_looked_at_and_scored_in_single_precision():
    labels = torch.full((2, 50), -100)
    labels[0, 40:43] = 1
    logits = torch.arange(100, dtype=torch.float64).view(2, 50, 1).expand(2, 50, 11)
    rows, targets = answer_logits(logits, labels)
    assert rows[:, 0].tolist() == [39, 40, 41] and rows.shape == (3, 11)
    assert targets.tolist() == [1, 1, 1]
    assert token_nll(rows.bfloat16(), targets).dtype == torch.float32


def test_a_row_without_an_answer_has_nll_0_and_0_tokens():
    nll, tokens = answer_likelihoods(torch.zeros(2, 3, 4), torch.tensor([[-100, -100, 1], [-100, -100, -100]]))
    assert nll.tolist() == pytest.approx([math.log(4), 0.0])
    assert tokens.tolist() == [1, 0]


def test_every_token_weighs_the_same_in_a_mean_and_the_two_sets_do_not_mix():
    # Forget: (2 + 10) / (1 + 3) = 3, not the mean of the rows' means (2 + 10/3) / 2. Retain: 7 / 2.
    likelihoods = Likelihoods(
        torch.tensor([2.0, 7.0, 10.0]), torch.tensor([1, 2, 3]), torch.tensor([True, False, True])
    )
    assert forget_nll(likelihoods).item() == 3.0
    assert retain_nll(likelihoods).item() == 3.5


def test_a_mean_over_no_rows_is_0():
    likelihoods = Likelihoods(torch.tensor([2.0]), torch.tensor([1]), torch.tensor([True]))
    assert retain_nll(likelihoods).item() == 0.0


def test_tokens_know_their_row_and_their_place_in_the_answer():
    labels = torch.tensor([[-100, -100, 1, 3, -100], [-100, 2, 0, 1, -100]])
    tokens, nll, count = answer_tokens(labels, torch.arange(1.0, 6.0))
    assert nll.tolist() == [1 + 2, 3 + 4 + 5] and count.tolist() == [2, 3]
    assert tokens.labels_N.tolist() == [1, 3, 2, 0, 1]
    assert tokens.row_N.tolist() == [0, 0, 1, 1, 1]
    assert tokens.position_N.tolist() == [0, 1, 0, 1, 2]
    likelihoods = Likelihoods(nll, count, torch.tensor([False, True]), answers=tokens)
    assert forget_tokens(likelihoods).tolist() == [False, False, True, True, True]


def test_likelihoods_without_tokens_say_so():
    with pytest.raises(ValueError, match="come without"):
        _ = Likelihoods(torch.zeros(1), torch.ones(1), torch.ones(1, dtype=torch.bool)).tokens


def test_a_mean_of_nothing_is_0_with_a_gradient_of_0():
    leaf = torch.ones(3, requires_grad=True)
    loss = mean_of(leaf[torch.zeros(3, dtype=torch.bool)])
    assert loss.item() == 0.0
    assert torch.autograd.grad(loss, leaf)[0].tolist() == [0.0, 0.0, 0.0]
    assert mean_of(torch.tensor([1.0, 4.0])).item() == 2.5


def test_what_is_left_out_is_named():
    assert given(torch.ones(1), "ref_nll_B", to="NPO").item() == 1.0
    with pytest.raises(ValueError, match="NPO needs ref_nll_B"):
        given(None, "ref_nll_B", to="NPO")
