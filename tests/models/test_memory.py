from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from soul_core.config import WeightsConfig
from soul_core.errors import ConfigError
from soul_core.models.layers import linear_layers, sizes_of
from soul_core.models.loading import load_model
from soul_core.models.memory import (
    ModelShape,
    activation_bytes,
    adapter_parameters,
    estimate_memory,
    fila_parameters,
    lane_bytes,
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
    # fp32: weight, gradient and 2 states of 4 bytes. bf16: 2 + 2, and 2 states of 4. One state less: 4 bytes less.
    bf16, lora = WeightsConfig(kind="bfloat16"), WeightsConfig(kind="lora")
    assert lane_bytes(1000, WeightsConfig()) == 16_000
    assert lane_bytes(1000, bf16) == 12_000
    assert lane_bytes(1000, bf16, states=1) == 8_000
    # LoRA: nothing of the model, 16 bytes for each weight of the adapter.
    assert lane_bytes(1000, lora, adapter_params=10) == 160
    # FILA: the layers' weights again, and the start of 4 bytes beside 16; before that two Fishers, which are less
    # here (2 * 4 * 25 = 200 < 4 * 25 + 20 * 10 = 300) and more there (2 * 4 * 100 = 800 > 600).
    assert lane_bytes(1000, lora, adapter_params=10, fila_params=25) == 300
    assert lane_bytes(1000, lora, adapter_params=10, fila_params=100) == 800
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


def test_activations_by_hand():
    shape = ModelShape(parameters=1, hidden=10, inner=20, layers=2, vocabulary=100)
    # Per token: 2 layers * (12 * 10 + 4 * 20) + 3 * 100 = 700 floats; 5 tokens of 4 bytes.
    assert activation_bytes(shape, 5) == 700 * 5 * 4


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
def test_the_estimate_of_activations_is_just_above_what_autograd_keeps(arch: str, tiny_model_folder: Folders):
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
    assert 1.0 <= activation_bytes(shape, 256) / measured < 1.6
