"""Norm of the loss's gradient at each text, for the gradient-norm attack; it knows no attack and no question set.

Shape suffix: N = texts.
"""

from collections.abc import Generator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from soul_core.data.prompts import Example
from soul_core.evaluation.evidence import Floats
from soul_core.evaluation.forward import device_of
from soul_core.evaluation.generation import Count


def gradient_norms(
    model: PreTrainedModel,
    examples: Sequence[Example],
    *,
    autocast_dtype: torch.dtype | None = None,
) -> Generator[Count, None, Floats]:
    """L2 norm of the gradient of each example's mean answer NLL by all weights; yields after each example.

    One backward per example, without dropout. All floating-point weights count, whether or not they are set to be
    trained, so that a model held frozen gives the same numbers. The model's own ``grad`` fields, ``requires_grad``
    flags and mode stay as they were.

    Args:
        model: Any causal language model.
        examples: Question and answer; the loss is that of the answer's tokens, end of sequence included.
        autocast_dtype: Reduced precision of the forward, or None.

    Returns:
        (N,) norms, 0 or positive; not finite where the loss is not.
    """
    norms_N = np.zeros(len(examples))
    for i, example in enumerate(examples):
        norms_N[i] = _norm(model, example, autocast_dtype)
        yield Count(i + 1, len(examples))
    return norms_N


def _norm(model: PreTrainedModel, example: Example, autocast_dtype: torch.dtype | None) -> float:
    """The modes are changed within this call alone: a generator must not yield inside them."""
    device = device_of(model)
    weights = [p for p in model.parameters() if p.is_floating_point()]
    frozen = [p for p in weights if not p.requires_grad]
    training = model.training
    try:
        model.eval()
        for p in frozen:
            p.requires_grad_(True)
        with torch.enable_grad():
            with torch.autocast(device.type, dtype=autocast_dtype, enabled=autocast_dtype is not None):
                ids_1T = torch.tensor([example.input_ids], device=device)
                logits_TV = model(input_ids=ids_1T, use_cache=False).logits[0]
            first = example.prompt_length
            loss = F.cross_entropy(logits_TV[first - 1 : -1].float(), ids_1T[0, first:])
            gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        return _length([g for g in gradients if g is not None])
    finally:
        for p in frozen:
            p.requires_grad_(False)
        model.train(training)


def _length(gradients: Sequence[Tensor]) -> float:
    norms = [torch.linalg.vector_norm(g.float()).cpu() for g in gradients]
    return float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0
