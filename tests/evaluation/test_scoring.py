"""The NLL of an answer is that of its own tokens, whatever it is batched with."""

import math

import numpy as np
import pytest
import torch

from soul_core.data.prompts import Example
from soul_core.evaluation import scoring
from soul_core.evaluation.generation import Count
from soul_core.evaluation.scoring import answer_nll
from tests.evaluation.helpers import lively_model, prompts, run_out
from tests.tiny import ARCHITECTURES, tiny_model


def examples(count: int) -> list[Example]:
    return [Example(tuple(ids), 1 + i % (len(ids) - 1)) for i, ids in enumerate(prompts(count, shortest=3))]


def score(model, rows, **options):
    counts, (nll, tokens) = run_out(answer_nll(model, rows, **options))
    return nll, tokens, counts


def by_definition(model, example: Example) -> float:
    """Sum of -log p(token | all before it) over the answer, one example and one token at a time, in float64."""
    total = 0.0
    for t in range(example.prompt_length, len(example.input_ids)):
        with torch.no_grad():
            logits = model(torch.tensor([example.input_ids[:t]])).logits[0, -1].double()
        total -= float(logits.log_softmax(-1)[example.input_ids[t]])
    return total


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_nll_is_its_definition(arch: str):
    model, rows = lively_model(arch), examples(9)
    nll, tokens, _ = score(model, rows, batch_size=4)
    assert nll == pytest.approx([by_definition(model, row) for row in rows], rel=1e-5)
    assert tokens.tolist() == [len(row.input_ids) - row.prompt_length for row in rows]
    assert np.ptp(nll / tokens) > 0.2  # the model tells the rows apart


def test_a_model_with_equal_logits_gives_the_logarithm_of_the_vocabulary():
    model = tiny_model("llama")
    with torch.no_grad():
        model.lm_head.weight.zero_()
    nll, _, _ = score(model, [Example((1, 2, 3, 4), 2)])
    assert nll == pytest.approx([2 * math.log(300)])


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_batch_size_and_padding_do_not_matter(arch: str):
    model, rows = lively_model(arch), examples(20)
    alone, _, _ = score(model, rows, batch_size=1)
    together, _, _ = score(model, rows, batch_size=20)
    assert together == pytest.approx(alone, rel=1e-5, abs=1e-5)


def test_scores_come_back_in_the_order_asked():
    model, rows = lively_model("llama"), examples(12)
    forward, _, _ = score(model, rows, batch_size=5)
    backward, _, _ = score(model, rows[::-1], batch_size=5)
    assert backward[::-1] == pytest.approx(forward, rel=1e-5)


def test_counts_reach_the_total():
    _, _, counts = score(lively_model("llama"), examples(7), batch_size=3)
    assert counts == [Count(3, 7), Count(6, 7), Count(7, 7)]


def test_a_large_vocabulary_makes_smaller_batches_with_the_same_scores(monkeypatch):
    model, rows = lively_model("llama"), examples(8)
    expected, _, _ = score(model, rows, batch_size=8)
    monkeypatch.setattr(scoring, "_MOST_LOGITS", 24 * 300 * 2)  # two of the longest rows at a time
    nll, _, counts = score(model, rows, batch_size=8)
    assert len(counts) >= 3
    assert nll == pytest.approx(expected, rel=1e-5)


def test_the_softmax_is_fp32_under_reduced_precision():
    # In bf16, log(300) of equal logits would come out at a multiple of 1/32.
    model = tiny_model("llama")
    with torch.no_grad():
        model.lm_head.weight.zero_()
    for reduced, options in ((model, {"autocast_dtype": torch.bfloat16}), (model.to(torch.bfloat16), {})):
        nll, _, _ = score(reduced, [Example((1, 2), 1)], **options)
        assert nll == pytest.approx([math.log(300)], abs=1e-5)


def test_nothing_to_score_gives_empty_arrays_and_a_batch_of_nothing_is_refused():
    nll, tokens, counts = score(lively_model("llama"), [])
    assert len(nll) == len(tokens) == len(counts) == 0
    with pytest.raises(ValueError, match="batch_size 0"):
        score(lively_model("llama"), [], batch_size=0)


def test_gradients_are_on_between_batches():
    model = lively_model("llama")
    for _ in answer_nll(model, examples(4), batch_size=2):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
