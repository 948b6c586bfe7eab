import pytest
import torch
import torch.nn.functional as F

from soul_core.data.batches import collate
from soul_core.data.prompts import Example
from soul_core.engine.forward import Reference, forward, likelihoods_of, reference_nll
from tests.tiny import tiny_model

CPU = torch.device("cpu")
EXAMPLES = (
    Example((5, 6, 7, 8, 9, 0), prompt_length=4),
    Example((11, 12, 13, 14, 15, 16, 17, 18, 0), prompt_length=3),
    Example((21, 22, 23, 24, 25, 26, 27, 0), prompt_length=5),
)


def batch(rows=(0, 1, 2), *, forget=(True, True, True), pad_id=0):
    return collate([EXAMPLES[row] for row in rows], list(forget)[: len(rows)], list(rows), pad_id=pad_id)


def by_hand(model, example):
    """Summed NLL of the answer from one unpadded forward with all its logits."""
    ids = torch.tensor([example.input_ids])
    with torch.no_grad():
        log_probabilities = F.log_softmax(model(ids).logits[0], dim=-1)
    return -sum(
        log_probabilities[t - 1, example.input_ids[t]].item()
        for t in range(example.prompt_length, len(example.input_ids))
    )


@pytest.mark.parametrize("arch", ["gpt2", "llama", "qwen2", "phi"])
def test_a_padded_batch_scores_each_row_as_if_it_were_alone(arch):
    model = tiny_model(arch)
    likelihoods = likelihoods_of(model, batch(), device=CPU, autocast_dtype=None)
    assert likelihoods.nll_B.tolist() == pytest.approx([by_hand(model, x) for x in EXAMPLES], rel=1e-5)
    assert likelihoods.tokens_B.tolist() == [2, 6, 3]


def test_the_pad_token_does_not_matter():
    model = tiny_model("llama")
    first, second = (
        likelihoods_of(model, batch(pad_id=pad), device=CPU, autocast_dtype=None).nll_B for pad in (0, 44)
    )
    torch.testing.assert_close(first, second)


def test_a_model_that_cannot_skip_columns_gives_the_same_likelihoods():
    model = tiny_model("llama")

    class Plain(torch.nn.Module):
        def forward(self, input_ids, attention_mask, use_cache):
            return model(input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache)

    expected = likelihoods_of(model, batch(), device=CPU, autocast_dtype=None)
    torch.testing.assert_close(likelihoods_of(Plain(), batch(), device=CPU, autocast_dtype=None).nll_B, expected.nll_B)


def test_each_forget_row_finds_its_own_reference_and_retain_rows_need_none():
    # Rows in the order 2 (forget), 1 (retain, beyond the end of a table of the forget set), 0 (forget).
    mixed = collate([EXAMPLES[2], EXAMPLES[1], EXAMPLES[0]], [True, False, True], [1, 250, 0], pad_id=0)
    likelihoods = likelihoods_of(
        tiny_model("llama"),
        mixed,
        device=CPU,
        autocast_dtype=None,
        reference=Reference(nll_N=torch.tensor([10.0, 20.0])),
    )
    assert likelihoods.ref_nll_B.tolist() == [20.0, 0.0, 10.0]
    assert likelihoods.is_forget_B.tolist() == [True, False, True]


def test_a_forget_row_outside_the_reference_table_is_an_error_not_a_zero():
    with pytest.raises(IndexError):
        likelihoods_of(
            tiny_model("llama"),
            batch(),
            device=CPU,
            autocast_dtype=None,
            reference=Reference(nll_N=torch.tensor([10.0])),
        )


def test_the_reference_is_each_answers_nll_in_the_examples_order_and_says_how_far_it_is():
    model, done = tiny_model("llama"), []
    scoring = reference_nll(model, EXAMPLES, batch_size=2, pad_id=0, device=CPU)
    try:
        while True:
            done.append(next(scoring))
    except StopIteration as end:
        nll = end.value
    assert done == [2, 3]
    assert nll.tolist() == pytest.approx([by_hand(model, x) for x in EXAMPLES], rel=1e-5)
    assert not nll.requires_grad


def test_choosing_rows_keeps_every_field_of_them():
    chosen = batch(forget=(True, False, True)).rows(torch.tensor([False, True, True]))
    expected = batch(rows=(1, 2), forget=(False, True))
    assert torch.equal(chosen.input_ids_BT, expected.input_ids_BT)
    assert torch.equal(chosen.labels_BT, expected.labels_BT)
    assert torch.equal(chosen.attention_mask_BT, expected.attention_mask_BT)
    assert chosen.is_forget_B.tolist() == [False, True] and chosen.row_B.tolist() == [1, 2]


def test_autocast_computes_in_the_given_type_and_scores_in_single_precision():
    model = tiny_model("llama")
    out = forward(model, batch(), device=CPU, autocast_dtype=torch.bfloat16)
    assert out.logits_NV.dtype == torch.bfloat16
    likelihoods = likelihoods_of(model, batch(), device=CPU, autocast_dtype=torch.bfloat16)
    assert likelihoods.nll_B.dtype == torch.float32
    assert likelihoods.nll_B.tolist() == pytest.approx([by_hand(model, x) for x in EXAMPLES], rel=0.02)
