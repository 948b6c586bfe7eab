"""How much memory a race will take, from a model's shape alone; it loads no weights and measures nothing."""

from dataclasses import dataclass

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from soul_core.errors import ModelError
from soul_core.models.checks import check_config
from soul_core.models.loading import LOADING
from soul_core.models.quiet import quiet
from soul_core.models.source import locate

FP32 = 4

# Floats that autograd keeps per token, counted on Llama, GPT-2 and Phi with fused attention (a test repeats it):
# per layer 9 to 13 times the width and 4 times the inner width; behind the last layer the logits, their softmax and
# the gradient of one of them.
_PER_WIDTH, _PER_INNER, _PER_TOKEN_OF_VOCABULARY = 12, 4, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes that decide how much memory a model takes. ``parameters`` counts tied weights once."""

    parameters: int
    hidden: int
    inner: int
    layers: int
    vocabulary: int


def estimate_memory(n_params: int, *, lanes: int, untrained: int = 1, states: int = 2, activations: int = 0) -> int:
    """Bytes that a race needs: all weights, gradients and optimizer states are fp32.

    Args:
        n_params: Weights of one model.
        lanes: Models trained side by side, each with weights, gradients and optimizer states of its own.
        untrained: Models that are only asked: the original, and gold if there is one.
        states: Tensors per weight that the optimizer keeps; 2 for AdamW and Sophia.
        activations: What ``activation_bytes`` says. Once, since the lanes take turns.
    """
    return FP32 * n_params * (untrained + lanes * (2 + states)) + activations


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
        parameters=sum(p.numel() for p in model.parameters()),
        hidden=text.hidden_size,
        # GPT-2 writes its inner width only where it is not four times the width.
        inner=getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * text.hidden_size,
        layers=text.num_hidden_layers,
        vocabulary=text.vocab_size,
    )
