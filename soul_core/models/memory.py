"""How much memory training and asking take, from a model's shape alone; it loads no weights and measures nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

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

# Floats that autograd keeps per token and layer, counted with fused attention: 10 times the width and 4 times the
# inner width on Llama, Mistral and Qwen2, 8 and 5 on GPT-2, 7 and 5 on Phi (a test repeats it).
_PER_WIDTH, _PER_INNER = 10, 4
# Of an answer token's logits: their softmax, the gradient of the loss by it, and the one by the logits themselves.
_LOGITS = 3
# With autocast to bf16 what matrix products read is halved; norms, activations and the residual stream stay fp32.
# Counted on Llama; in a model whose weights are bf16 too, only the inside of norms is fp32.
_AUTOCAST_SHARE, _BF16_SHARE = 0.7, 0.6

# A prompt may be for an adapter, and that for a whole model.
_BASES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes that decide how much memory a model takes. ``parameters`` counts tied weights once.

    ``cached`` are the keys and values of a token in one layer; 0 for twice the width. ``linear`` are the layers that
    LoRA can be put to.
    """

    parameters: int
    hidden: int
    inner: int
    layers: int
    vocabulary: int
    cached: int = field(default=0, compare=False)
    linear: tuple[LayerSize, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """What is forwarded at a time: ``tokens`` with padding, and how many of them are an answer's."""

    rows: int
    tokens: int
    answers: int

    def at_most(self, rows: int) -> "Forwarded":
        """A part of so many rows; 0 for all."""
        share = min(rows, self.rows) / self.rows if rows else 1.0
        return Forwarded(
            rows=min(rows or self.rows, self.rows),
            tokens=int(self.tokens * share),
            answers=int(self.answers * share),
        )


class LaneBytes(NamedTuple):
    """Bytes of a trained model beside the original.

    Attributes:
        weights: Held from the start of a race to its end.
        states: Held while it trains.
        gradients: Held during a step.
        start: Needed once, before the first step.
    """

    weights: int
    states: int
    gradients: int
    start: int = 0

    @property
    def most(self) -> int:
        """All that is ever held at once."""
        return max(self.weights + self.states + self.gradients, self.start)


def estimate_memory(
    n_params: int, *, lanes: int | Sequence[int], untrained: int = 1, states: int = 2, activations: int = 0
) -> int:
    """Bytes of models that are trained side by side, in step.

    Args:
        n_params: Weights of one model.
        lanes: What ``lane_bytes`` says of each; or how many there are, if all of them train all weights in fp32.
        untrained: Models that are only asked, in fp32.
        states: Tensors per weight that the optimizer keeps, where ``lanes`` is a number; 2 for AdamW and Sophia.
        activations: What ``activation_bytes`` says.
    """
    if isinstance(lanes, int):
        lanes = [lane_bytes(n_params, WeightsConfig(), states=states).most] * lanes
    return FP32 * n_params * untrained + sum(lanes) + activations


def lane_bytes(
    n_params: int,
    weights: WeightsConfig,
    *,
    adapter_params: int = 0,
    fila_params: int = 0,
    states: float = 2,
) -> LaneBytes:
    """What a trained model takes beside the original.

    In bf16, weights and gradients take 2 bytes each. With LoRA the weights are the original's, and only the adapter
    is trained; FILA adds copies of the layers' weights, and before the first step two Fishers of them.

    Args:
        n_params: Weights of one model.
        weights: Which of them are trained, and how they are stored.
        adapter_params: What ``adapter_parameters`` says; read with LoRA alone.
        fila_params: What ``fila_parameters`` says; read with LoRA alone.
        states: fp32 numbers per trained weight that the optimizer keeps; 2 for AdamW and Sophia.
    """
    if weights.kind == "lora":
        # A of the start and B of the start stay beside the trained ones.
        held = FP32 * (fila_params + adapter_params * (1 + bool(fila_params)))
        state, gradients = int(FP32 * adapter_params * states), FP32 * adapter_params
        return LaneBytes(held, state, gradients, 2 * FP32 * fila_params)
    each = BF16 if weights.kind == "bfloat16" else FP32
    return LaneBytes(each * n_params, int(FP32 * n_params * states), each * n_params)


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


def activation_bytes(
    shape: ModelShape,
    tokens: int,
    *,
    autocast: bool = False,
    weights: WeightsConfig | None = None,
    checkpointing: bool = False,
) -> int:
    """Bytes that the layers keep for the backward pass of so many tokens, padding included; see ``logit_bytes``.

    On a GPU without fused attention it is more.

    Args:
        shape: The model's.
        tokens: Forwarded together.
        autocast: Whether the arithmetic is bf16 with other weights; each matrix is then also kept in bf16.
        weights: Which are trained; all of them in fp32 if None.
        checkpointing: Whether one activation a layer is kept, and the others of one layer at a time.
    """
    weights = weights or WeightsConfig()
    share = _BF16_SHARE if weights.kind == "bfloat16" else _AUTOCAST_SHARE if autocast else 1.0
    # Of each adapter its own output as well: autograd does not keep it, but its place stays taken (measured).
    adapters = sum(layer.outputs + weights.rank for layer in _chosen(shape, weights)) / shape.layers
    per_layer = share * (_PER_WIDTH * shape.hidden + _PER_INNER * shape.inner + adapters)
    copies = BF16 * shape.parameters if autocast and weights.kind != "bfloat16" else 0
    if checkpointing:
        return round(FP32 * tokens * (shape.layers * shape.hidden + per_layer)) + copies // shape.layers
    return round(FP32 * tokens * shape.layers * per_layer) + copies


def logit_bytes(shape: ModelShape, answers: int, *, copies: int = _LOGITS, most: int = 0) -> int:
    """Bytes of the answer tokens' logits and what the loss keeps of them, in fp32.

    Args:
        shape: The model's.
        answers: Answer tokens.
        copies: Tensors of that size.
        most: Logits that are made at a time, where the loss can do with parts; 0 for all.
    """
    logits = answers * shape.vocabulary
    return FP32 * copies * (min(logits, most) if most else logits)


def asking_bytes(shape: ModelShape, *, rows: int, tokens: int, bf16: bool) -> int:
    """Bytes of the keys and values of so many rows of so many tokens each, question and answer."""
    each = BF16 if bf16 else FP32
    return each * rows * tokens * shape.layers * (shape.cached or 2 * shape.hidden)


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
    heads = text.num_attention_heads
    return ModelShape(
        linear=sizes_of(linear_layers(model)),
        parameters=sum(p.numel() for p in model.parameters()),
        hidden=text.hidden_size,
        # GPT-2 writes its inner width only where it is not four times the width.
        inner=getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * text.hidden_size,
        layers=text.num_hidden_layers,
        vocabulary=text.vocab_size,
        # Heads may be wider than their share of the width, and keys and values fewer than the queries.
        cached=2
        * (getattr(text, "num_key_value_heads", None) or heads)
        * (getattr(text, "head_dim", None) or text.hidden_size // heads),
    )


def _chosen(shape: ModelShape, weights: WeightsConfig) -> list[LayerSize]:
    if weights.kind != "lora":
        return []
    names = set(chosen_names(shape.linear, weights.targets, rank=weights.rank))
    return [layer for layer in shape.linear if layer.name in names]
