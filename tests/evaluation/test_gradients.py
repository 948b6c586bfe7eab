"""The norm of the loss's gradient against finite differences, and a model that is left as it was."""

import math

import numpy as np
import pytest
import torch

from soul_core.data.prompts import Example
from soul_core.evaluation.generation import Count
from soul_core.evaluation.gradients import gradient_norms
from tests.evaluation.helpers import lively_model, prompts, run_out
from tests.tiny import tiny_model

EXAMPLES = [Example(tuple(ids), 1 + i % (len(ids) - 1)) for i, ids in enumerate(prompts(5, shortest=3))]


def norms(model, examples=EXAMPLES, **options) -> np.ndarray:
    return run_out(gradient_norms(model, examples, **options))[1]


def mean_nll(model, example: Example) -> float:
    with torch.no_grad():
        log_p = model(input_ids=torch.tensor([example.input_ids])).logits[0].log_softmax(-1)
    return -float(np.mean([log_p[t - 1, example.input_ids[t]] for t in answer_places(example)]))


def answer_places(example: Example) -> range:
    return range(example.prompt_length, len(example.input_ids))


def test_it_is_how_fast_the_loss_falls_along_its_own_gradient():
    # d/ds loss(w + s g/|g|) at 0 is |g|: measured as a central difference (norms inside Llama stay fp32).
    model = tiny_model("llama").double()
    for example in EXAMPLES[:3]:
        expected = norms(model, [example])[0]
        weights = list(model.parameters())
        ids = torch.tensor([example.input_ids])
        labels = ids.clone()
        labels[:, : example.prompt_length] = -100
        gradients = torch.autograd.grad(model(input_ids=ids, labels=labels).loss, weights)
        losses = []
        for way in (1e-3, -2e-3):
            with torch.no_grad():
                for p, g in zip(weights, gradients, strict=True):
                    p.add_(g, alpha=way / expected)
            losses.append(mean_nll(model, example))
        with torch.no_grad():
            for p, g in zip(weights, gradients, strict=True):
                p.add_(g, alpha=1e-3 / expected)
        assert (losses[0] - losses[1]) / 2e-3 == pytest.approx(expected, rel=1e-3)


def test_a_model_with_equal_logits_has_the_closed_form_norm():
    # lm_head = 0: logits 0, p = 1/V. d loss / d lm_head[v] = (p_v - [v = y]) h; everything below gets no gradient,
    # as lm_head is 0. So |g|^2 = |h|^2 ((1 - 1/V)^2 + (V - 1)/V^2) = |h|^2 (V - 1)/V for one answer token.
    model = tiny_model("llama")
    with torch.no_grad():
        model.lm_head.weight.zero_()
        ids = torch.tensor([[5, 6, 7]])
        hidden = model.model(ids).last_hidden_state[0, 1]
    expected = float(hidden.norm()) * math.sqrt(299 / 300)
    assert norms(model, [Example((5, 6, 7), 2)]) == pytest.approx([expected], rel=1e-5)


def test_the_model_is_left_as_it_was():
    model = lively_model("gpt2")
    model.train()
    frozen = next(model.parameters())
    frozen.requires_grad_(False)
    model.transformer.ln_f.weight.grad = torch.full_like(model.transformer.ln_f.weight, 3.0)
    before = {name: p.clone() for name, p in model.named_parameters()}
    for _ in gradient_norms(model, EXAMPLES):
        assert model.training and not frozen.requires_grad
        assert torch.is_grad_enabled()
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    grads = {name for name, p in model.named_parameters() if p.grad is not None}
    assert grads == {"transformer.ln_f.weight"}
    assert (model.transformer.ln_f.weight.grad == 3).all()


def test_freezing_dropout_and_the_callers_mode_change_nothing():
    model = lively_model("gpt2")
    expected = norms(model)
    for p in model.parameters():
        p.requires_grad_(False)
    model.train()  # GPT-2 drops a tenth of its activations in training
    with torch.no_grad():
        assert norms(model) == pytest.approx(expected)


def test_examples_are_alone_and_in_order():
    model = lively_model("qwen2")
    together, turned = norms(model), norms(model, EXAMPLES[::-1])
    assert turned[::-1] == pytest.approx(together)
    assert norms(model, EXAMPLES[2:3]) == pytest.approx(together[2:3])
    assert np.ptp(together) > 0.1 and (together > 0).all()


def test_a_model_taught_a_text_changes_less_for_it():
    model, example = tiny_model("llama"), EXAMPLES[0]
    before = norms(model, [example])[0]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    ids = torch.tensor([example.input_ids])
    for _ in range(40):
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    assert norms(model, [example])[0] < before / 3


def test_counts_no_examples_and_a_broken_model():
    model = lively_model("llama")
    counts, _ = run_out(gradient_norms(model, EXAMPLES[:2]))
    assert counts == [Count(1, 2), Count(2, 2)]
    assert norms(model, []).shape == (0,)
    with torch.no_grad():
        model.lm_head.weight.fill_(math.nan)
    assert math.isnan(norms(model, EXAMPLES[:1])[0])


def test_reduced_precision_is_near():
    model = lively_model("llama")
    assert norms(model, EXAMPLES[:2], autocast_dtype=torch.bfloat16) == pytest.approx(norms(model)[:2], rel=0.1)
