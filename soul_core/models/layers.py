"""The linear layers inside a model's blocks, found by structure; it knows no architecture by name and no adapter.

Shape suffixes: O = a layer's outputs, I = its inputs.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from soul_core.errors import ConfigError

ALL_LINEAR = "all-linear"

Linear = nn.Linear | Conv1D
"""GPT-2's ``Conv1D`` is a linear layer whose weight is stored as (inputs, outputs)."""


class LayerSize(NamedTuple):
    """One linear layer, without its weights."""

    name: str
    outputs: int
    inputs: int


def linear_layers(model: PreTrainedModel) -> dict[str, Linear]:
    """The linear layers of the blocks by name, in the model's order; neither embeddings nor the output layer.

    Blocks are what the model keeps in lists. Call it before an adapter is attached.
    """
    lists = tuple(f"{name}." for name, module in model.named_modules() if isinstance(module, nn.ModuleList))
    outside = (model.get_input_embeddings(), model.get_output_embeddings())
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, Linear) and name.startswith(lists) and all(module is not layer for layer in outside)
    }


def chosen_layers(model: PreTrainedModel, targets: str, *, rank: int = 1) -> dict[str, Linear]:
    """The linear layers that a person meant, by name, in the model's order.

    Args:
        model: Without an adapter; it may have no weights yet (be on the meta device).
        targets: ``all-linear``, or endings of layer names with commas: ``q_proj,v_proj`` or ``attn.c_proj``.
        rank: Of the matrices that are to be added.

    Raises:
        ConfigError: An ending fits no layer, or a layer is too small for the rank.
    """
    layers = linear_layers(model)
    names = chosen_names(sizes_of(layers), targets, rank=rank)
    return {name: layers[name] for name in names}


def chosen_names(sizes: Iterable[LayerSize], targets: str, *, rank: int = 1) -> list[str]:
    """As ``chosen_layers``, of layers given by their sizes."""
    by_name = {size.name: size for size in sizes}
    if not by_name:
        raise ConfigError(
            "This model has no linear layers in its blocks, so LoRA has nowhere to go. Train all weights."
        )
    if targets.strip() == ALL_LINEAR:
        names = list(by_name)
    else:
        endings = endings_of(targets)
        _require_known(endings, by_name, targets)
        names = [name for name in by_name if any(ends_with(name, ending) for ending in endings)]
    for name in names:
        smaller = min(by_name[name].outputs, by_name[name].inputs)
        if rank > smaller:
            raise ConfigError(
                f"LoRA rank is {rank}, but the layer {name} is {by_name[name].outputs}×{by_name[name].inputs}. "
                f"Choose at most {smaller}, or other layers."
            )
    return names


def sizes_of(layers: Mapping[str, Linear]) -> tuple[LayerSize, ...]:
    """Names and sizes of layers."""
    return tuple(LayerSize(name, *weight_of(layer).shape) for name, layer in layers.items())


def weight_of(layer: Linear) -> Tensor:
    """The layer's weight as (O, I), sharing its memory."""
    weight: Tensor = layer.weight
    return oriented(layer, weight)


def oriented(layer: Linear, stored: Tensor) -> Tensor:
    """A tensor laid out as the layer's weight, as (O, I); and one that is (O, I), as the weight is stored."""
    return stored.T if isinstance(layer, Conv1D) else stored


def replace_weight(layer: Linear, weight_OI: Tensor) -> None:
    """Give the layer a frozen weight tensor of its own; the one it had stays as it is, for whoever shares it."""
    layer.weight = nn.Parameter(oriented(layer, weight_OI).detach().contiguous(), requires_grad=False)


def endings_of(targets: str) -> list[str]:
    """The names of a comma list."""
    return [ending for ending in (part.strip() for part in targets.split(",")) if ending]


def ends_with(name: str, ending: str) -> bool:
    """Whether a layer's name is that ending or has it behind a dot, as peft matches names."""
    return name == ending or name.endswith(f".{ending}")


def _require_known(endings: list[str], known: Iterable[str], targets: str) -> None:
    unknown = [ending for ending in endings if not any(ends_with(name, ending) for name in known)]
    if endings and not unknown:
        return
    said = f"this model has no layer “{unknown[0]}”" if unknown else f"“{targets}” names none"
    there = ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in known))
    raise ConfigError(f"LoRA layers: {said}. Choose {ALL_LINEAR}, or of these: {there}.")
