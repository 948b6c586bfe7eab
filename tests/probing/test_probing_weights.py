"""Where weights moved: every parameter in one cell, and each cell's number by hand."""

from collections.abc import Callable

import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel

from soul_core.errors import ModelError
from soul_core.probing.results import WeightChange
from soul_core.probing.weights import layout_of, weight_change
from tests.tiny import tiny_model

LLAMA = ("q", "k", "v", "o", "gate", "up", "down", "norms", "embedding", "head")


def neox() -> PreTrainedModel:
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=300)
    )


@pytest.mark.parametrize(
    ("arch", "modules"),
    [
        ("llama", LLAMA),
        ("qwen2", tuple(name for name in LLAMA if name != "head")),  # its head is its embedding
        ("gpt2", ("qkv", "o", "up", "down", "norms", "embedding")),
        ("phi", ("q", "k", "v", "o", "up", "down", "norms", "embedding", "head")),
        ("gpt_neo", ("q", "k", "v", "o", "up", "down", "norms", "embedding")),
        ("neox", ("qkv", "o", "up", "down", "norms", "embedding", "head")),
    ],
)
def test_every_weight_of_every_architecture_is_in_one_cell(arch: str, modules: tuple[str, ...]):
    model = neox() if arch == "neox" else tiny_model(arch)
    layout = layout_of(model)
    assert layout.modules == modules
    assert layout.layers == ("Input", "1", "2", "Output")
    names = [name for of in layout.cells.values() for name in of]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    within = {part.module for part in layout.cells if part.layer == "2"}
    assert within == set(modules) - {"embedding", "head"}
    assert {part.module for part in layout.cells if part.layer == "Input"} == {"embedding"}
    assert {part.module for part in layout.cells if part.layer == "Output"} == {"norms"} | ({"head"} & set(modules))


def changed(change: Callable[[PreTrainedModel], None], arch: str = "llama") -> tuple[PreTrainedModel, WeightChange]:
    before, after = tiny_model(arch), tiny_model(arch)
    with torch.no_grad():
        change(after)
    return before, weight_change("fo", before, after, layout_of(before))


def norm(*tensors: torch.Tensor) -> float:
    return float(sum(tensor.detach().double().square().sum() for tensor in tensors) ** 0.5)


def test_a_layer_made_a_tenth_larger_changed_by_a_tenth_and_no_other_did():
    def larger(model: PreTrainedModel) -> None:
        model.model.layers[1].self_attn.q_proj.weight.mul_(1.1)

    before, found = changed(larger)
    row, column = 2, LLAMA.index("q")  # Input, 1, 2
    assert found.values[row][column] == pytest.approx(0.1)
    others = [v for i, of in enumerate(found.values) for j, v in enumerate(of) if (i, j) != (row, column)]
    assert {v for v in others if v is not None} == {0.0}
    # Input and output have neither attention nor MLP; blocks neither embedding nor head.
    assert [v is None for v in found.values[0]] == [*[True] * 8, False, True]
    assert [v is None for v in found.values[1]] == [*[False] * 8, True, True]
    assert [v is None for v in found.values[3]] == [*[True] * 7, False, True, False]
    moved = 0.1 * norm(before.model.layers[1].self_attn.q_proj.weight)
    assert found.whole == pytest.approx(moved / norm(*before.parameters()), rel=1e-5)


def test_a_bias_belongs_to_its_layer_and_norms_of_a_block_are_one():
    # Weight and bias of a norm: 32 ones and 32 zeros; two of them in a block of GPT-2, so the norm is sqrt(64) = 8.
    # A bias moved by 1 in one place changes that by 1, so by 1/8.
    def bias(model: PreTrainedModel) -> None:
        model.transformer.h[0].ln_2.bias[5] += 1.0

    _, found = changed(bias, "gpt2")
    assert found.values[1][4] == pytest.approx(1 / 8)


def test_tied_weights_count_once():
    def larger(model: PreTrainedModel) -> None:
        model.get_input_embeddings().weight.mul_(2.0)

    before, found = changed(larger, "qwen2")
    assert found.values[0][-1] == pytest.approx(1.0)
    embedding = norm(before.get_input_embeddings().weight)
    assert found.whole == pytest.approx(embedding / norm(*before.parameters()))


def test_what_was_zero_before_has_no_relative_change_once_it_moves():
    def zero(model: PreTrainedModel) -> None:
        model.model.norm.weight.zero_()

    before, after = tiny_model("llama"), tiny_model("llama")
    with torch.no_grad():
        zero(before)
        zero(after)
        column = LLAMA.index("norms")
        assert weight_change("fo", before, after, layout_of(before)).values[3][column] == 0.0
        after.model.norm.weight[0] = 1.0
        assert weight_change("fo", before, after, layout_of(before)).values[3][column] is None


def test_models_with_other_layers_are_not_compared():
    before = tiny_model("llama")
    with pytest.raises(ModelError, match="“fo” has other layers"):
        weight_change("fo", before, tiny_model("phi"), layout_of(before))
