from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from soul_core.config import WeightsConfig
from soul_core.errors import ConfigError
from soul_core.models.layers import LayerSize, linear_layers, sizes_of
from soul_core.models.loading import load_model
from soul_core.models.memory import (
    Forwarded,
    ModelShape,
    activation_bytes,
    adapter_parameters,
    asking_bytes,
    estimate_memory,
    fila_parameters,
    lane_bytes,
    logit_bytes,
    shape_of,
)
from soul_core.models.presets import PRESETS
from tests.tiny import ALL_ARCHITECTURES, ARCHITECTURES, tiny_model

Folders = Callable[[str], Path]


def test_memory_of_a_race_by_hand():
    # Original 4 bytes a weight; each of two lanes weights + gradients + 2 states = 16. (4 + 2 * 16) * 1000 = 36 000.
    assert estimate_memory(1000, lanes=2) == 36_000
    # Gold too: 4 more. One lane with a single state: 8 + 12. Activations are added once.
    assert estimate_memory(1000, lanes=1, untrained=2, states=1, activations=7) == 20_007
    assert estimate_memory(1000, lanes=0) == 4_000


def test_memory_of_a_lane_by_hand():
    # fp32: weight, 2 states and gradient of 4 bytes. bf16: 2, 2 states of 4, and 2. One state less: 4 bytes less.
    bf16, lora = WeightsConfig(kind="bfloat16"), WeightsConfig(kind="lora")
    assert lane_bytes(1000, WeightsConfig()) == (4_000, 8_000, 4_000, 0)
    assert lane_bytes(1000, bf16) == (2_000, 8_000, 2_000, 0)
    assert lane_bytes(1000, bf16, states=1).states == 4_000
    # Two states of a byte a number.
    assert lane_bytes(1000, WeightsConfig(), states=0.5).states == 2_000
    # LoRA: nothing of the model, 16 bytes for each weight of the adapter.
    assert lane_bytes(1000, lora, adapter_params=10) == (40, 80, 40, 0)
    # FILA: the layers' weights again, and the start of 4 bytes beside 16; before that two Fishers, which are less
    # here (2 * 4 * 25 = 200 < 4 * 25 + 20 * 10 = 300) and more there (2 * 4 * 100 = 800 > 600).
    assert lane_bytes(1000, lora, adapter_params=10, fila_params=25).most == 300
    assert lane_bytes(1000, lora, adapter_params=10, fila_params=100).most == 800
    # Beside the original's 4000.
    assert estimate_memory(1000, lanes=[16_000, 160], activations=7) == 20_167


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
def test_the_sizes_of_an_adapter_are_told_from_the_shape_alone(arch: str, tiny_model_folder: Folders):
    shape = shape_of(str(tiny_model_folder(arch)))
    layers = linear_layers(tiny_model(arch))
    lora = WeightsConfig(kind="lora", rank=3)
    assert shape.linear == sizes_of(layers)
    assert adapter_parameters(shape, lora) == 3 * sum(sum(layer.weight.shape) for layer in layers.values())
    assert fila_parameters(shape, lora) == 0
    assert fila_parameters(shape, lora.but(init="fila")) == sum(layer.weight.numel() for layer in layers.values())
    assert adapter_parameters(shape, WeightsConfig()) == fila_parameters(shape, WeightsConfig(init="fila")) == 0


def test_an_adapter_s_size_depends_on_its_layers_and_unknown_ones_are_refused(tiny_model_folder: Folders):
    shape = shape_of(str(tiny_model_folder("llama")))
    # Two layers of 32 → 64.
    assert adapter_parameters(shape, WeightsConfig(kind="lora", rank=3, targets="up_proj")) == 2 * 3 * (32 + 64)
    for wrong in ({"targets": "c_attn"}, {"rank": 17}):  # the keys have 16 outputs
        with pytest.raises(ConfigError, match=r"no layer “c_attn”|LoRA rank is 17, but the layer .*k_proj is 16×32"):
            adapter_parameters(shape, WeightsConfig(kind="lora", **wrong))


SHAPE = ModelShape(
    parameters=1000, hidden=10, inner=20, layers=2, vocabulary=100, linear=(LayerSize("a", 10, 10),) * 2
)


def test_activations_by_hand():
    # Per token: 2 layers * (10 * 10 + 4 * 20) = 360 floats; 5 tokens of 4 bytes.
    assert activation_bytes(SHAPE, 5) == 360 * 5 * 4
    # One activation a layer, and all of one layer: 2 * 10 + 180.
    assert activation_bytes(SHAPE, 5, checkpointing=True) == 200 * 5 * 4
    # Autocast: 0.7 of it, and every weight once more in 2 bytes; of bf16 weights there is no copy.
    assert activation_bytes(SHAPE, 5, autocast=True) == round(0.7 * 360 * 5 * 4) + 2000
    bf16 = WeightsConfig(kind="bfloat16")
    assert activation_bytes(SHAPE, 5, autocast=True, weights=bf16) == activation_bytes(SHAPE, 5, weights=bf16)
    # LoRA of rank 2 on two layers of 10 outputs: 10 + 2 each.
    lora = WeightsConfig(kind="lora", rank=2)
    assert activation_bytes(SHAPE, 5, weights=lora) == (360 + 2 * 12) * 5 * 4


def test_logits_by_hand_whole_and_in_parts():
    # 3 tensors of 4 bytes for 7 answer tokens of 100 logits; in parts, no more than 200 of the 700 at a time.
    assert logit_bytes(SHAPE, 7) == 3 * 4 * 700
    assert logit_bytes(SHAPE, 7, most=200) == 3 * 4 * 200
    assert logit_bytes(SHAPE, 1, most=200) == 3 * 4 * 100


def test_a_part_of_a_batch_has_its_share_of_the_tokens():
    batch = Forwarded(rows=8, tokens=80, answers=24)
    assert batch.at_most(2) == Forwarded(rows=2, tokens=20, answers=6)
    assert batch.at_most(0) == batch.at_most(9) == batch


def test_keys_and_values_by_hand():
    # 3 rows of 5 tokens, 2 layers, keys and values of the whole width: 2 * 10 floats.
    assert asking_bytes(SHAPE, rows=3, tokens=5, bf16=False) == 3 * 5 * 2 * 20 * 4
    assert asking_bytes(SHAPE, rows=3, tokens=5, bf16=True) == 3 * 5 * 2 * 20 * 2


def test_grouped_keys_and_values_are_fewer(tiny_model_folder: Folders):
    # 2 of 4 heads of width 8, keys and values: 2 * 2 * 8.
    assert shape_of(str(tiny_model_folder("llama"))).cached == 32
    assert shape_of(str(tiny_model_folder("gpt2"))).cached == 2 * 32


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_shape_read_without_weights_is_that_of_the_loaded_model(arch: str, tiny_model_folder: Folders):
    shape = shape_of(str(tiny_model_folder(arch)))
    inner = 128 if arch == "gpt2" else 64
    loaded = load_model(str(tiny_model_folder(arch)))
    assert shape == ModelShape(parameters=loaded.parameters, hidden=32, inner=inner, layers=2, vocabulary=300)


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.source == "shipped"])
def test_a_shipped_model_has_as_many_weights_as_its_preset_says(name: str):
    assert shape_of(name).parameters == PRESETS[name].parameters


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_estimate_of_activations_is_about_what_autograd_keeps(arch: str, tiny_model_folder: Folders):
    model = tiny_model(arch).train()
    shape = shape_of(str(tiny_model_folder(arch)))
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that no address is used twice
        return tensor

    ids_BT = torch.arange(256).view(8, 32)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        F.cross_entropy(model(ids_BT, use_cache=False).logits.flatten(0, 1), ids_BT.flatten())
    measured = sum(size for size, _ in kept.values())
    # Each token is asked about here. Keys and values are shared by two heads in two of them, which is not counted.
    assert 0.9 < (activation_bytes(shape, 256) + logit_bytes(shape, 256, copies=1)) / measured < 1.25
