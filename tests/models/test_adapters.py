import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from soul_core.config import WeightsConfig
from soul_core.errors import ConfigError, RunError
from soul_core.models.adapters import (
    ADAPTER_STATE_FILE,
    adapter_state,
    attach_lora,
    attached,
    restore_adapter,
    shared_copy,
)
from soul_core.models.layers import chosen_layers, linear_layers, oriented, weight_of
from soul_core.models.loading import LoadedModel, load_model
from soul_core.models.storage import load_optimizer, load_state, save_optimizer, save_state
from tests.tiny import ALL_ARCHITECTURES

Folders = Callable[[str], Path]
IDS = torch.tensor([[5, 17, 42, 8, 99, 3], [7, 7, 200, 12, 1, 64]])
ZERO = WeightsConfig(kind="lora", rank=4, alpha=8)
FILA = ZERO.but(init="fila")


@pytest.fixture
def load(tiny_model_folder: Folders) -> Callable[[str], LoadedModel]:
    return lambda arch: load_model(str(tiny_model_folder(arch)))


def importances_for(model: PreTrainedModel, weights: WeightsConfig = FILA) -> dict[str, Tensor]:
    """Something of each weight's own shape."""
    generator = torch.Generator().manual_seed(3)
    layers = chosen_layers(model, weights.targets)
    return {name: torch.rand(layer.weight.shape, generator=generator) for name, layer in layers.items()}


def with_adapter(loaded: LoadedModel, weights: WeightsConfig, *, seed: int = 0) -> PreTrainedModel:
    model = shared_copy(loaded)
    importances = importances_for(model, weights) if weights.init == "fila" else None
    attach_lora(model, weights, seed=seed, importances=importances)
    return model


def train(model: PreTrainedModel, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        (-model(IDS, labels=IDS).loss).backward()
        optimizer.step()


def adam(model: PreTrainedModel) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)


def tensors_of(loaded: LoadedModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in loaded.model.state_dict().items()}


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
def test_a_shared_copy_is_on_the_original_s_memory_and_ties_what_it_ties(
    arch: str, load: Callable[[str], LoadedModel]
):
    loaded = load(arch)
    copied = shared_copy(loaded)
    pairs = list(zip(loaded.model.named_parameters(), copied.named_parameters(), strict=True))
    assert all(a == b and p.data_ptr() == q.data_ptr() for (a, p), (b, q) in pairs)
    assert all(p is not q for (_, p), (_, q) in pairs)
    assert [b.data_ptr() for b in loaded.model.buffers()] == [b.data_ptr() for b in copied.buffers()]
    copied.requires_grad_(True)
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert type(copied) is type(loaded.model)


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
def test_lora_at_zero_answers_as_before_and_trains_its_matrices_alone(arch: str, load: Callable[[str], LoadedModel]):
    loaded = load(arch)
    before, tensors = loaded.model(IDS).logits, tensors_of(loaded)
    model = with_adapter(loaded, ZERO)
    assert type(model) is type(loaded.model)
    assert torch.equal(model(IDS).logits, before)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    layers = linear_layers(loaded.model)
    assert len(trained) == 2 * len(layers)
    assert sum(p.numel() for p in trained.values()) == sum(4 * sum(layer.weight.shape) for layer in layers.values())
    assert {p.dtype for p in trained.values()} == {torch.float32}
    train(model, adam(model), 3)
    assert not torch.allclose(model(IDS).logits, before, atol=1e-3)
    assert all(torch.equal(tensors[name], tensor) for name, tensor in loaded.model.state_dict().items())
    assert torch.equal(loaded.model(IDS).logits, before)


def test_the_start_depends_on_the_seed_alone_and_is_uniform_as_in_peft(load: Callable[[str], LoadedModel]):
    loaded, state = load("llama"), torch.random.get_rng_state()
    first = adapter_state(with_adapter(loaded, ZERO, seed=1))
    torch.rand(5)
    again, other = (adapter_state(with_adapter(loaded, ZERO, seed=seed)) for seed in (1, 2))
    torch.random.set_rng_state(state)
    with_adapter(loaded, ZERO)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], again[name]) for name in first)
    a, b = "model.layers.0.mlp.down_proj.A", "model.layers.0.mlp.down_proj.B"
    assert not torch.equal(first[a], other[a])
    assert not first[b].any()
    # 64 inputs: between -1/8 and 1/8, with a standard deviation of 1/8/sqrt(3).
    assert first[a].abs().max() <= 1 / 8
    assert first[a].std().item() == pytest.approx(1 / 8 / math.sqrt(3), rel=0.15)


def test_named_layers_alone_get_an_adapter(load: Callable[[str], LoadedModel]):
    model = with_adapter(load("llama"), ZERO.but(targets="q_proj,v_proj"))
    assert list(attached(model)) == [f"model.layers.{n}.self_attn.{x}_proj" for n in (0, 1) for x in "qv"]


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
def test_fila_answers_as_before_with_weights_of_its_own(arch: str, load: Callable[[str], LoadedModel]):
    loaded = load(arch)
    before, tensors = loaded.model(IDS).logits, tensors_of(loaded)
    model = with_adapter(loaded, FILA)
    torch.testing.assert_close(model(IDS).logits, before, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(tensors[name], tensor) for name, tensor in loaded.model.state_dict().items())
    for name, layer in linear_layers(loaded.model).items():
        own = model.get_submodule(name).base_layer
        assert own.weight.data_ptr() != layer.weight.data_ptr()
        assert own.weight.stride() == layer.weight.stride()
        assert not own.weight.requires_grad
        factors = attached(model)[name]
        whole = weight_of(own) + 2.0 * factors.b_OR @ factors.a_RI  # alpha / rank = 2
        torch.testing.assert_close(whole, weight_of(layer))
        assert factors.b_OR.abs().max() > 1e-3
    embedding, original = model.get_input_embeddings().weight, loaded.model.get_input_embeddings().weight
    assert embedding.data_ptr() == original.data_ptr()
    train(model, adam(model), 2)
    assert all(torch.equal(tensors[name], tensor) for name, tensor in loaded.model.state_dict().items())


@pytest.mark.parametrize("name", ["transformer.h.0.attn.c_proj", "transformer.h.1.mlp.c_fc"])
def test_fila_weighs_the_outputs_of_a_transposed_layer_square_or_not(name: str, load: Callable[[str], LoadedModel]):
    # Only the first output matters, so B has that row alone, and the residual of every other row is the weight.
    loaded = load("gpt2")
    model = shared_copy(loaded)
    weights = FILA.but(targets=name, rank=1, alpha=1)
    layer = chosen_layers(model, name)[name]
    importance_OI = torch.zeros_like(weight_of(layer))
    importance_OI[0] = 100.0
    attach_lora(model, weights, seed=0, importances={name: oriented(layer, importance_OI)})
    factors = attached(model)[name]
    assert not factors.b_OR[1:].any()
    left = weight_of(model.get_submodule(name).base_layer)
    torch.testing.assert_close(left[0], torch.zeros_like(left[0]), rtol=0, atol=1e-6)
    assert torch.equal(left[1:], weight_of(layer)[1:])


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
@pytest.mark.parametrize("weights", [ZERO, FILA], ids=["zero", "fila"])
def test_an_adapter_restored_from_disk_goes_on_bit_for_bit(
    arch: str, weights: WeightsConfig, load: Callable[[str], LoadedModel], tmp_path: Path
):
    loaded = load(arch)
    model = with_adapter(loaded, weights, seed=5)
    optimizer = adam(model)
    train(model, optimizer, 2)
    save_state(adapter_state(model), tmp_path / ADAPTER_STATE_FILE)
    save_optimizer(optimizer, tmp_path / "optimizer.safetensors")
    train(model, optimizer, 2)

    again = shared_copy(load(arch))
    restore_adapter(again, weights, load_state(tmp_path / ADAPTER_STATE_FILE))
    restored = adam(again)
    load_optimizer(restored, tmp_path / "optimizer.safetensors")
    train(again, restored, 2)
    whole, resumed = dict(model.named_parameters()), dict(again.named_parameters())
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(p, resumed[name]) for name, p in whole.items())
    assert {n for n, p in whole.items() if p.requires_grad} == {n for n, p in resumed.items() if p.requires_grad}
    assert torch.equal(model(IDS).logits, again(IDS).logits)


def test_a_state_of_another_model_or_of_other_settings_is_refused(load: Callable[[str], LoadedModel]):
    state = adapter_state(with_adapter(load("llama"), ZERO))
    for arch, weights in (
        ("phi", ZERO),
        ("llama", FILA),
        ("llama", ZERO.but(rank=5)),
        ("llama", ZERO.but(targets="q_proj")),
    ):
        with pytest.raises(RunError, match=r"The saved adapter belongs to another model or .* other LoRA settings\."):
            restore_adapter(shared_copy(load(arch)), weights, state)
    restore_adapter(shared_copy(load("llama")), ZERO, state)


def test_fila_on_a_layer_where_nothing_matters_and_a_second_adapter_are_refused(load: Callable[[str], LoadedModel]):
    loaded = load("llama")
    model = shared_copy(loaded)
    importances = importances_for(model)
    importances["model.layers.1.mlp.up_proj"].zero_()
    with pytest.raises(ConfigError, match=r"No weight of the layer model\.layers\.1\.mlp\.up_proj matters"):
        attach_lora(model, FILA, seed=0, importances=importances)
    with pytest.raises(ConfigError, match="this model has no layer “c_attn”"):
        attach_lora(model, FILA.but(targets="c_attn"), seed=0, importances=importances)
    for weights, given in ((FILA, None), (ZERO, importances)):
        with pytest.raises(ValueError, match="importances must"):
            attach_lora(model, weights, seed=0, importances=given)
