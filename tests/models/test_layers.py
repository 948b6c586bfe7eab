import pytest
import torch
from torch import nn

from soul_core.errors import ConfigError
from soul_core.models.layers import chosen_layers, linear_layers, replace_weight, sizes_of, weight_of
from tests.tiny import ALL_ARCHITECTURES, tiny_model

SELF = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
LLAMA = (*SELF, "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
NEO = tuple(f"attn.attention.{name}_proj" for name in ("k", "v", "q", "out"))
IN_A_BLOCK = {
    "llama": ("model.layers", LLAMA),
    "qwen2": ("model.layers", LLAMA),
    "phi": ("model.layers", (*SELF, "self_attn.dense", "mlp.fc1", "mlp.fc2")),
    "gpt2": ("transformer.h", ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")),
    "gpt_neo": ("transformer.h", (*NEO, "mlp.c_fc", "mlp.c_proj")),
}


def refused(arch: str, targets: str, *, rank: int = 1) -> str:
    with pytest.raises(ConfigError) as caught:
        chosen_layers(tiny_model(arch), targets, rank=rank)
    return str(caught.value)


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
def test_all_linear_layers_of_the_blocks_are_found_and_neither_embeddings_nor_the_output_layer(arch: str):
    blocks, names = IN_A_BLOCK[arch]
    model = tiny_model(arch)
    assert set(linear_layers(model)) == {f"{blocks}.{block}.{name}" for block in (0, 1) for name in names}
    assert list(chosen_layers(model, " all-linear ")) == list(linear_layers(model))


def test_names_choose_layers_by_their_ending_behind_a_dot():
    gpt2 = tiny_model("gpt2")
    assert list(chosen_layers(gpt2, "attn.c_proj")) == ["transformer.h.0.attn.c_proj", "transformer.h.1.attn.c_proj"]
    assert len(chosen_layers(gpt2, "c_proj, c_fc,")) == 6
    assert list(chosen_layers(gpt2, "transformer.h.1.mlp.c_fc")) == ["transformer.h.1.mlp.c_fc"]


@pytest.mark.parametrize("targets", ["q_proj,query", "query"])
def test_an_unknown_layer_is_named_and_so_is_what_there_is(targets: str):
    assert refused("llama", targets) == (
        "LoRA layers: this model has no layer “query”. Choose all-linear, or of these: "
        "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj."
    )


def test_what_is_no_layer_s_name_is_refused():
    # An ending of letters alone, the output layer and the embedding, a whole block, nothing at all.
    for targets in ("proj", "lm_head", "wte", "transformer.h.0"):
        assert f"no layer “{targets}”" in refused("gpt2", targets)
    assert refused("gpt2", ", ").startswith("LoRA layers: “, ” names none. Choose all-linear")


def test_a_rank_above_the_smaller_side_is_refused_with_the_layer_s_size():
    # Outputs × inputs: GPT-2 stores this weight as 32×128.
    assert refused("gpt2", "c_fc", rank=33) == (
        "LoRA rank is 33, but the layer transformer.h.0.mlp.c_fc is 128×32. Choose at most 32, or other layers."
    )
    assert len(chosen_layers(tiny_model("gpt2"), "c_fc", rank=32)) == 2


def test_a_transposed_layer_s_weight_is_seen_as_outputs_by_inputs_and_replaced_alike():
    layer = linear_layers(tiny_model("gpt2"))["transformer.h.0.mlp.c_fc"]
    x = torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    before = layer.weight
    torch.testing.assert_close(layer(x), x @ weight_of(layer).T + layer.bias)
    replace_weight(layer, 2 * weight_of(layer))
    torch.testing.assert_close(layer.weight, 2 * before)
    assert layer.weight.is_contiguous()
    assert not layer.weight.requires_grad


def test_sizes_are_known_without_weights():
    with torch.device("meta"):
        layers = {"a": nn.Linear(3, 5)}
    assert sizes_of(layers) == (("a", 5, 3),)
