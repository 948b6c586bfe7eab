"""LoRA adapters on a model that shares its weights with the original; it knows no optimizer, no rows and no folder.

LoRA is Hu et al. 2021 (arXiv:2106.09685): a layer's weight ``W`` (O, I) becomes ``W + scale * B @ A`` with ``A``
(R, I), ``B`` (O, R) and ``scale = alpha / rank``. Shape suffixes: O = a layer's outputs, I = its inputs, R = rank.
"""

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from soul_core.config import WeightsConfig
from soul_core.errors import ConfigError, RunError
from soul_core.models.fila import fila_factors, residual
from soul_core.models.layers import Linear, chosen_layers, oriented, replace_weight, weight_of
from soul_core.models.loading import LoadedModel

ADAPTER_STATE_FILE = "adapter_state.safetensors"
"""What a checkpoint calls the file of ``adapter_state``."""

_NAME = "default"
_START_A, _START_B = "start_A", "start_B"


class Factors(NamedTuple):
    """An adapter in one layer. ``start`` is what FILA took out of the weight as ``scale * B @ A``, if it did."""

    a_RI: Tensor
    b_OR: Tensor
    start: tuple[Tensor, Tensor] | None


def shared_copy(loaded: LoadedModel) -> PreTrainedModel:
    """A frozen copy that has the original's tensors as its own: it costs no memory, and both see every change.

    Parameters are objects of its own on the same memory, so that neither what requires a gradient nor a gradient is
    shared. Weights tied in the model stay tied.

    Raises:
        ConfigError: The model is itself an adapter or a prompt on another, and an adapter on top cannot be saved.
    """
    if loaded.base:
        raise ConfigError(
            f"“{loaded.name}” is itself made of “{loaded.base}” by an adapter or a prompt, and no second adapter can "
            "be put on top. Choose its base as the model, or train all weights."
        )
    model = loaded.model
    memo: dict[int, Any] = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()}
    memo |= {id(buffer): buffer for buffer in model.buffers()}
    copied: PreTrainedModel = copy.deepcopy(model, memo)
    return copied


def attach_lora(
    model: PreTrainedModel, weights: WeightsConfig, *, seed: int, importances: Mapping[str, Tensor] | None = None
) -> None:
    """Add an adapter to the model; only its matrices require a gradient, and they are fp32.

    With ``zero`` A is uniform in ±1/sqrt(I), as in peft and drawn from the seed alone, and B is zero: the model
    answers as before. With ``fila`` A and B are ``fila_factors`` of each weight and the weight is replaced by what
    they leave, so that it answers as before but for rounding; the original's tensors are not touched.

    Args:
        model: What ``shared_copy`` gave.
        weights: Rank, alpha, layers and start.
        seed: Decides A; ``fila`` needs none.
        importances: With ``fila`` and only then, by layer, what ``relative_importances`` gave.

    Raises:
        ConfigError: The layers do not exist or are too small, or nothing in one matters to the forget rows.
    """
    if (importances is not None) != (weights.init == "fila"):
        raise ValueError(
            f"init is {weights.init}, so importances must {'' if weights.init == 'fila' else 'not '}be given"
        )
    layers = chosen_layers(model, weights.targets, rank=weights.rank)
    scale = scale_of(weights)
    generator = torch.Generator().manual_seed(seed)
    made: dict[str, Factors] = {}
    for name, layer in layers.items():
        weight_OI = weight_of(layer).detach()
        if importances is None:
            a_RI = torch.empty(weights.rank, weight_OI.shape[1])
            nn.init.kaiming_uniform_(a_RI, a=math.sqrt(5), generator=generator)
            made[name] = Factors(a_RI, torch.zeros(weight_OI.shape[0], weights.rank), None)
            continue
        importance = importances[name]
        if not importance.any():
            raise ConfigError(
                f"No weight of the layer {name} matters to the forget rows, so FILA cannot start there. "
                "Leave that layer out, or start LoRA at zero."
            )
        importance_OI = oriented(layer, importance).to(weight_OI)
        a_RI, b_OR = fila_factors(weight_OI, importance_OI, rank=weights.rank, scale=scale)
        made[name] = Factors(a_RI, b_OR, (a_RI, b_OR))
    _inject(model, layers, made, weights)


def adapter_state(model: PreTrainedModel) -> dict[str, Tensor]:
    """Everything of an adapter that ``restore_adapter`` needs, by name: A and B, and with FILA those of the start."""
    state: dict[str, Tensor] = {}
    for name, factors in attached(model).items():
        state |= {f"{name}.A": factors.a_RI, f"{name}.B": factors.b_OR}
        if factors.start is not None:
            state |= {f"{name}.{_START_A}": factors.start[0], f"{name}.{_START_B}": factors.start[1]}
    return state


def restore_adapter(model: PreTrainedModel, weights: WeightsConfig, state: Mapping[str, Tensor]) -> None:
    """Add the adapter of ``adapter_state`` to a model; on the same machine it is the same to the bit.

    Args:
        model: What ``shared_copy`` gave, of the original that the adapter was made for.
        weights: As it was attached.
        state: On any device.

    Raises:
        ConfigError: As ``attach_lora``.
        RunError: The state is another model's, or of other settings.
    """
    layers = chosen_layers(model, weights.targets, rank=weights.rank)
    expected: dict[str, tuple[int, ...]] = {}
    for name, layer in layers.items():
        outputs, inputs = weight_of(layer).shape
        shapes = ((weights.rank, inputs), (outputs, weights.rank))
        expected |= dict(zip((f"{name}.A", f"{name}.B"), shapes, strict=True))
        if weights.init == "fila":
            expected |= dict(zip((f"{name}.{_START_A}", f"{name}.{_START_B}"), shapes, strict=True))
    if {name: tuple(tensor.shape) for name, tensor in state.items()} != expected:
        raise RunError(
            "The saved adapter belongs to another model or was made with other LoRA settings. "
            "Start the race again instead of resuming it."
        )
    made = {
        name: Factors(
            state[f"{name}.A"],
            state[f"{name}.B"],
            (state[f"{name}.{_START_A}"], state[f"{name}.{_START_B}"]) if weights.init == "fila" else None,
        )
        for name in layers
    }
    _inject(model, layers, made, weights)


def attached(model: PreTrainedModel) -> dict[str, Factors]:
    """The adapter in each layer, by the layer's name, detached but on the memory of the weights that train."""
    found: dict[str, Factors] = {}
    for name, module in model.named_modules():
        if isinstance(module, LoraLinear):
            a: Any = module.lora_A[_NAME]
            b: Any = module.lora_B[_NAME]
            buffers = dict(module.named_buffers(recurse=False))
            start = (buffers[_START_A], buffers[_START_B]) if _START_A in buffers else None
            found[name] = Factors(a.weight.detach(), b.weight.detach(), start)
    return found


def lora_config(model: PreTrainedModel) -> LoraConfig:
    """The settings that peft holds for the attached adapter."""
    configs: Any = model.peft_config
    config: LoraConfig = configs[_NAME]
    return config


def scale_of(weights: WeightsConfig) -> float:
    """How often ``B @ A`` counts."""
    return weights.alpha / weights.rank


def _inject(
    model: PreTrainedModel, layers: Mapping[str, Linear], made: Mapping[str, Factors], weights: WeightsConfig
) -> None:
    config = LoraConfig(
        r=weights.rank,
        lora_alpha=weights.alpha,  # type: ignore[arg-type]  # declared int, divided by the rank
        target_modules=list(layers),
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in layers.values()),
        task_type="CAUSAL_LM",
    )
    # On this device peft draws no random numbers; its own way (low_cpu_mem_usage) patches torch for all threads.
    with torch.device("meta"):
        inject_adapter_in_model(config, model, adapter_name=_NAME)
    for name, (a_RI, b_OR, start) in made.items():
        module = model.get_submodule(name)
        if not isinstance(module, LoraLinear):
            raise TypeError(f"peft made a {type(module).__name__} of {name}")
        base: Any = module.get_base_layer()
        # A model without memory has its adapter where the adapter came from.
        device: torch.device = a_RI.device if base.weight.is_meta else base.weight.device
        if start is not None:
            start_a, start_b = (tensor.detach().to(device, torch.float32, copy=True) for tensor in start)
            replace_weight(base, residual(weight_of(base).detach(), start_a, start_b, scale=scale_of(weights)))
            module.register_buffer(_START_A, start_a, persistent=False)
            module.register_buffer(_START_B, start_b, persistent=False)
        module.lora_A[_NAME].weight = nn.Parameter(a_RI.detach().to(device, torch.float32, copy=True))
        module.lora_B[_NAME].weight = nn.Parameter(b_OR.detach().to(device, torch.float32, copy=True))
