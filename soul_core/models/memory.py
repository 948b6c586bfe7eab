"""How much memory a race will take, from a model's shape alone; it loads no weights and measures nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from soul_core.config import WeightsConfig
from soul_core.errors import ModelError
from soul_core.models.adapter_files import base_of
from soul_core.models.checks import check_config
from soul_core.models.layers import LayerSize, chosen_names, linear_layers, sizes_of
from soul_core.models.loading import LOADING
from soul_core.models.quiet import quiet
from soul_core.models.source import locate

FP32, BF16 = 4, 2

# Floats that autograd keeps per token, counted on Llama, GPT-2 and Phi with fused attention (a test repeats it):
# per layer 9 to 13 times the width and 4 times the inner width; behind the last layer the logits, their softmax and
# the gradient of one of them.
_PER_WIDTH, _PER_INNER, _PER_TOKEN_OF_VOCABULARY = 12, 4, 3


# A prompt may be for an adapter, and that for a whole model.
_BASES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes that decide how much memory a model takes. ``parameters`` counts tied weights once.

    ``linear`` are the layers that LoRA can be put to.
    """

    parameters: int
    hidden: int
    inner: int
    layers: int
    vocabulary: int
    linear: tuple[LayerSize, ...] = field(default=(), compare=False, repr=False)


def estimate_memory(
    n_params: int, *, lanes: int | Sequence[int], untrained: int = 1, states: int = 2, activations: int = 0
) -> int:
    """Bytes that a race needs.

    Args:
        n_params: Weights of one model.
        lanes: What ``lane_bytes`` says of each model trained side by side; or how many there are, if all of them train
            all weights in fp32.
        untrained: Models that are only asked, in fp32: the original, and gold if there is one.
        states: Tensors per weight that the optimizer keeps, where ``lanes`` is a number; 2 for AdamW and Sophia.
        activations: What ``activation_bytes`` says. Once, since the lanes take turns.
    """
    if isinstance(lanes, int):
        lanes = [lane_bytes(n_params, WeightsConfig(), states=states)] * lanes
    return FP32 * n_params * untrained + sum(lanes) + activations


def lane_bytes(
    n_params: int, weights: WeightsConfig, *, adapter_params: int = 0, fila_params: int = 0, states: int = 2
) -> int:
    """Bytes of a trained model beside the original: weights of its own, gradients and optimizer states.

    States are fp32. In bf16, weights and gradients take 2 bytes each. With LoRA the weights are the original's, and
    only the adapter is trained; FILA adds copies of the layers' weights, and, before the first step and instead of
    what training takes, two Fishers of them.

    Args:
        n_params: Weights of one model.
        weights: Which of them are trained, and how they are stored.
        adapter_params: What ``adapter_parameters`` says; read with LoRA alone.
        fila_params: What ``fila_parameters`` says; read with LoRA alone.
        states: Tensors per trained weight that the optimizer keeps; 2 for AdamW and Sophia.
    """
    if weights.kind == "float32":
        return n_params * FP32 * (2 + states)
    if weights.kind == "bfloat16":
        return n_params * (2 * BF16 + FP32 * states)
    # A of the start and B of the start stay beside the trained ones.
    trained = FP32 * adapter_params * (2 + states + bool(fila_params))
    return max(FP32 * fila_params + trained, 2 * FP32 * fila_params)


def adapter_parameters(shape: ModelShape, weights: WeightsConfig) -> int:
    """How many weights LoRA adds: rank times inputs and outputs of each layer; 0 without LoRA.

    Raises:
        ConfigError: A layer does not exist or is smaller than the rank.
    """
    return sum(weights.rank * (layer.outputs + layer.inputs) for layer in _chosen(shape, weights))


def fila_parameters(shape: ModelShape, weights: WeightsConfig) -> int:
    """How many of the model's weights FILA changes, so that they cannot be the original's; 0 without FILA.

    Raises:
        ConfigError: As ``adapter_parameters``.
    """
    return sum(layer.outputs * layer.inputs for layer in _chosen(shape, weights)) if weights.init == "fila" else 0


def activation_bytes(shape: ModelShape, batch_tokens: int) -> int:
    """Bytes kept for the backward pass of a batch of that many tokens, padding included.

    An upper estimate: in bf16 it is less, and on a GPU without fused attention it is more.
    """
    per_layer = _PER_WIDTH * shape.hidden + _PER_INNER * shape.inner
    return FP32 * batch_tokens * (shape.layers * per_layer + _PER_TOKEN_OF_VOCABULARY * shape.vocabulary)


def shape_of(spec: str, *, allow_local: bool = True) -> ModelShape:
    """Read a model's sizes from its config, without its weights; of a hub model only small files are fetched.

    Raises:
        ModelError: As ``load_model`` for what can be told without the weights.
    """
    source = locate(spec, allow_local=allow_local, weights=False)
    for _ in range(_BASES):
        base = base_of(source.folder)
        if base:
            source = locate(base, allow_local=allow_local, weights=False)
    check_config(source.folder, spec)
    with LOADING, quiet():
        try:
            config = AutoConfig.from_pretrained(source.folder, trust_remote_code=False, local_files_only=True)
            # On this device tensors have a shape and no memory.
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        # A stranger's values can fail anywhere inside the architecture's code.
        except Exception as error:  # noqa: BLE001
            raise ModelError(
                f"config.json of “{spec}” cannot be used ({type(error).__name__}). Choose another model."
            ) from None
    text = config.get_text_config()
    return ModelShape(
        linear=sizes_of(linear_layers(model)),
        parameters=sum(p.numel() for p in model.parameters()),
        hidden=text.hidden_size,
        # GPT-2 writes its inner width only where it is not four times the width.
        inner=getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * text.hidden_size,
        layers=text.num_hidden_layers,
        vocabulary=text.vocab_size,
    )


def _chosen(shape: ModelShape, weights: WeightsConfig) -> list[LayerSize]:
    if weights.kind != "lora":
        return []
    names = set(chosen_names(shape.linear, weights.targets, rank=weights.rank))
    return [layer for layer in shape.linear if layer.name in names]
