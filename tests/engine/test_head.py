"""Which positions reach the vocabulary, and a vocabulary that is reached in parts."""

import threading

import pytest
import torch
from transformers import CohereConfig, CohereForCausalLM, Gemma2Config, Gemma2ForCausalLM

from soul_core.config import ObjectiveConfig
from soul_core.data.batches import IGNORED
from soul_core.engine import head as heads
from soul_core.engine.forward import Reference, forward, likelihoods_of, reference_nll
from soul_core.objectives import OBJECTIVES, losses_for, needs_of
from tests.engine.test_forward import CPU, EXAMPLES, batch
from tests.engine.test_loop import OPTIMIZERS, batches, flat, run
from tests.tiny import ALL_ARCHITECTURES, LLAMA_SHAPE, VOCABULARY, tiny_model

BEHIND = ("gemma2", "cohere")
"""Models that do something to their logits behind the head."""
EVERY = [
    (name, retain)
    for name, objective in OBJECTIVES.items()
    if objective.kind == "trained"
    for retain in objective.retains
]
ANSWERS = 2 + 6 + 3
PARTS = 4 * VOCABULARY


def model_of(arch):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if arch == "gemma2":
            # Capped at 0.05, most logits of a model this small are bent.
            shape = LLAMA_SHAPE | {"head_dim": 8, "final_logit_softcapping": 0.05, "attn_implementation": "eager"}
            return Gemma2ForCausalLM(Gemma2Config(**shape)).eval()
        if arch == "cohere":
            return CohereForCausalLM(CohereConfig(**LLAMA_SHAPE, logit_scale=0.25)).eval()
    return tiny_model(arch)


def gradient(model, total):
    found = torch.autograd.grad(total, list(model.parameters()), allow_unused=True, materialize_grads=True)
    return torch.cat([g.flatten() for g in found])


@pytest.mark.parametrize("arch", [*ALL_ARCHITECTURES, *BEHIND])
def test_answer_positions_alone_are_projected_and_their_logits_and_gradients_are_those_of_a_whole_forward(arch):
    model, some, widths = model_of(arch), batch(), []
    whole = model(input_ids=some.input_ids_BT, attention_mask=some.attention_mask_BT, output_hidden_states=True)
    answers = some.labels_BT[:, 1:] != IGNORED
    handle = model.get_output_embeddings().register_forward_hook(lambda module, args, out: widths.append(out.shape))
    out = forward(model, some, device=CPU, autocast_dtype=None, layer=0)
    handle.remove()
    assert widths == [(1, ANSWERS, VOCABULARY)]
    expected = whole.logits[:, :-1][answers]
    torch.testing.assert_close(out.logits_NV, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(out.hidden_NH, whole.hidden_states[1][:, 1:][answers])
    found = gradient(model, out.logits_NV.square().sum())
    torch.testing.assert_close(found, gradient(model, expected.square().sum()), rtol=1e-3, atol=1e-5)


def test_the_head_is_as_it_was_afterwards_even_if_the_forward_fails():
    model = tiny_model("llama")
    with pytest.raises(IndexError):
        forward(model, batch(pad_id=VOCABULARY + 1), device=CPU, autocast_dtype=None)
    assert not model.get_output_embeddings()._forward_pre_hooks


def test_a_forward_in_another_thread_is_left_alone():
    # The original is asked by several lanes and by the page.
    model, some, seen = tiny_model("llama"), batch(), []

    def elsewhere():
        with torch.no_grad():
            seen.append(model(input_ids=some.input_ids_BT).logits.shape)

    with heads.picking(model.get_output_embeddings(), torch.tensor([1, 2]), some.labels_BT.numel(), project=True):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert model(input_ids=some.input_ids_BT).logits.shape == (1, 2, VOCABULARY)
    assert seen == [(*some.labels_BT.shape, VOCABULARY)]


def test_a_head_that_is_given_something_else_than_hidden_states_by_position_is_not_touched():
    model, some = tiny_model("llama"), batch()
    expected = likelihoods_of(model, some, device=CPU, autocast_dtype=None).nll_B

    class Flat(torch.nn.Module):
        """Flattens before its head, and unflattens behind it."""

        get_output_embeddings = staticmethod(model.get_output_embeddings)

        def forward(self, input_ids, attention_mask, use_cache):
            hidden = model.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            logits = model.lm_head(hidden.flatten(0, 1)).unflatten(0, hidden.shape[:2])
            return type("Out", (), {"logits": logits})

    torch.testing.assert_close(likelihoods_of(Flat(), some, device=CPU, autocast_dtype=None).nll_B, expected)


@pytest.mark.parametrize("arch", [*ALL_ARCHITECTURES, *BEHIND])
def test_a_model_is_plain_if_nothing_happens_behind_its_head(arch):
    model = model_of(arch).train()
    assert heads.is_plain(model, CPU) == (arch not in BEHIND)
    assert model.training and not model.get_output_embeddings()._forward_hooks


def test_so_many_logits_are_too_many():
    model = tiny_model("llama")
    limit = heads.MOST_LOGITS // VOCABULARY
    assert not heads.too_many(model, limit) and heads.too_many(model, limit + 1)
    assert not heads.too_many(torch.nn.Linear(2, 2), 1 << 40) and not heads.is_plain(torch.nn.Linear(2, 2), CPU)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("arch", ["llama", "gpt2", "qwen2", "phi"])
def test_in_parts_likelihoods_and_gradients_are_those_of_the_whole(monkeypatch, arch, dtype):
    model = model_of(arch).to(dtype)
    settings = {"device": CPU, "autocast_dtype": None}
    whole = likelihoods_of(model, batch(), **settings).nll_B
    expected = gradient(model, whole.square().sum())
    monkeypatch.setattr(heads, "MOST_LOGITS", PARTS)
    parts = likelihoods_of(model, batch(), own_logits=False, plain_head=heads.output_head(model), **settings)
    assert parts.tokens.logits_NV is None
    precise = 1e-6 if dtype is torch.float32 else 1e-12
    assert (parts.nll_B - whole).norm() <= precise * whole.norm()
    assert (gradient(model, parts.nll_B.square().sum()) - expected).norm() <= precise * expected.norm()


def test_in_parts_no_logits_wait_for_the_backward_and_never_more_than_a_part_are_there(monkeypatch):
    model, kept, made = tiny_model("llama"), [], []
    model.get_output_embeddings().register_forward_hook(lambda module, args, out: made.append(out.shape[1]))

    def vocabulary_wide():
        kept.clear(), made.clear()

        def pack(tensor):
            logits = tensor.shape[-1:] == (VOCABULARY,) and tensor.shape != (32, VOCABULARY)  # the head's weights
            kept.append(tensor.numel() if logits else 0)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            head = heads.output_head(model)
            settings = {"device": CPU, "autocast_dtype": None, "own_logits": False, "plain_head": head}
            return likelihoods_of(model, batch(), **settings).nll_B.sum()

    vocabulary_wide()
    assert max(kept) == ANSWERS * VOCABULARY and made == [ANSWERS]
    monkeypatch.setattr(heads, "MOST_LOGITS", PARTS)
    total = vocabulary_wide()
    assert max(kept) == 0 and made == [0, 4, 4, 3]
    total.backward()
    assert made == [0, 4, 4, 3, 3, 4, 4]  # once more, from the last


def test_under_autocast_parts_compute_in_the_same_precision(monkeypatch):
    model, settings = tiny_model("llama"), {"device": CPU, "autocast_dtype": torch.bfloat16}
    whole = likelihoods_of(model, batch(), **settings).nll_B
    monkeypatch.setattr(heads, "MOST_LOGITS", PARTS)
    parts = likelihoods_of(model, batch(), own_logits=False, plain_head=heads.output_head(model), **settings).nll_B
    assert parts.dtype == torch.float32
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient(model, parts.sum()), gradient(model, whole.sum()), rtol=0.05, atol=1e-3)


def test_the_reference_is_scored_in_parts_too(monkeypatch):
    def scored():
        scoring = reference_nll(tiny_model("llama"), EXAMPLES, batch_size=2, pad_id=0, device=CPU)
        try:
            while True:
                next(scoring)
        except StopIteration as end:
            return end.value

    whole, most = scored(), []
    monkeypatch.setattr(heads, "MOST_LOGITS", PARTS)
    real = heads.scored_in_parts
    monkeypatch.setattr(heads, "scored_in_parts", lambda *a, **k: most.append(k["tokens"]) or real(*a, **k))
    torch.testing.assert_close(scored(), whole)
    assert most == [4, 4]  # batches of 2 + 3 and of 6 answer tokens, four at a time


def reference():
    return Reference(
        nll_N=torch.tensor([[3.0, 2.0], [9.0, 8.0], [5.0, 6.0]]),
        model=tiny_model("llama", seed=1),
        logits=True,
        layer=0,
        direction_H=torch.nn.functional.normalize(torch.ones(32), dim=0),
    )


def paired():
    """Row 2 is what is preferred to row 0; row 1 is retained."""
    some = batch(forget=(True, False, True))
    return type(some)(
        some.input_ids_BT,
        some.attention_mask_BT,
        some.labels_BT,
        some.is_forget_B,
        torch.tensor([0, 1, 0]),
        torch.tensor([False, False, True]),
    )


@pytest.mark.parametrize(("name", "retain"), EVERY)
def test_what_an_objective_is_registered_to_read_is_what_it_reads_and_parts_are_enough_for_the_rest(
    monkeypatch, name, retain
):
    config = ObjectiveConfig(name=name, retain=retain, gamma=0.7)
    model, settings = tiny_model("llama"), {"device": CPU, "autocast_dtype": None, "reference": reference()}
    expected = losses_for(config)(likelihoods_of(model, paired(), **settings)).total
    monkeypatch.setattr(heads, "MOST_LOGITS", PARTS)
    head = heads.output_head(model)
    without = likelihoods_of(model, paired(), own_logits=False, plain_head=head, **settings)
    assert without.tokens.logits_NV is None
    if needs_of(config).own_logits:
        with pytest.raises(ValueError, match="needs logits_NV, but the likelihoods come without it"):
            losses_for(config)(without)
        return
    total = losses_for(config)(without).total
    assert total.item() == pytest.approx(expected.item(), rel=1e-6)
    found, whole = gradient(model, total), gradient(model, expected)
    assert (found - whole).norm() <= 2e-6 * whole.norm()


@pytest.mark.parametrize("name", ["adamw", "gnb", "hutchinson"])
def test_a_run_in_parts_ends_where_one_with_whole_logits_does(monkeypatch, name):
    ends = []
    for most in (heads.MOST_LOGITS, PARTS):
        monkeypatch.setattr(heads, "MOST_LOGITS", most)
        model = tiny_model("llama").double()
        list(run(model, OPTIMIZERS[name], batches(4), own_logits=False))
        ends.append(flat(model))
    assert (ends[0] - ends[1]).abs().max() < 1e-9


@pytest.mark.parametrize("arch", BEHIND)
def test_where_something_happens_behind_the_head_the_run_is_the_same_and_whole(monkeypatch, arch):
    ends = []
    for most in (heads.MOST_LOGITS, PARTS):
        monkeypatch.setattr(heads, "MOST_LOGITS", most)
        model = model_of(arch)
        list(run(model, OPTIMIZERS["gnb"], batches(2), own_logits=False))
        ends.append(flat(model))
    assert torch.equal(*ends)
