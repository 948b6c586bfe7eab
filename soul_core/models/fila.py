"""Where FILA starts a LoRA adapter: the directions that matter to the forget rows. It knows no adapter and no loss.

From LoKU, Cha et al. 2025 (arXiv:2408.06621), with the constants of the authors' code. Shape suffixes: O = a layer's
outputs, I = its inputs, R = rank, P = columns of a sketch.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from soul_core.errors import RunError
from soul_core.models.layers import Linear

EPSILON = 1e-5
"""Added to the retain Fisher and to a row's weight before dividing by them; the authors' value for both."""

EXACT_SIZE = 512
"""Up to this smaller side the decomposition is exact; at 2048 it would take seconds a layer on a CPU."""

# Halko, Martinsson & Tropp 2011 (arXiv:0909.4061): more columns than asked for, and power iterations, since the
# singular values of weights fall slowly. torch.svd_lowrank takes neither a generator nor leaves the global one alone.
_OVERSAMPLING, _POWER_ITERATIONS, _SEED = 16, 4, 0

Batch = TypeVar("Batch")


def fila_factors(weight_OI: Tensor, importance_OI: Tensor, *, rank: int, scale: float) -> tuple[Tensor, Tensor]:
    """The rank-R part of a weight that matters most: ``A``, ``B`` with ``scale * B @ A`` close to ``weight``.

    With the row weights ``s = sqrt(sum_I importance)`` and ``U S V^T`` the R largest singular triplets of
    ``diag(s) W``: ``A = (V sqrt(S / scale))^T`` and ``B = diag(1 / (s + 1e-5)) U sqrt(S / scale)``. That minimises
    the error of each row weighted by ``s^2``; with equal rows it is the plain truncated SVD of ``W``. Rows of no
    importance get a ``B`` of zero, and components beyond the rank of ``diag(s) W`` are zero in both and never train.

    The SVD is exact where the smaller side is at most 512, and else a sketch with a fixed seed that leaves the global
    random numbers alone.

    Args:
        weight_OI: The layer's weight.
        importance_OI: What ``relative_importance`` gave for it: finite, >= 0, not all zero.
        rank: R, at most the smaller side.
        scale: What the adapter counts, alpha / rank; > 0.

    Returns:
        A (R, I) and B (O, R), contiguous.
    """
    if weight_OI.ndim != 2 or weight_OI.shape != importance_OI.shape:
        raise ValueError(f"expected two (O, I), got {tuple(weight_OI.shape)} and {tuple(importance_OI.shape)}")
    if not 1 <= rank <= min(weight_OI.shape):
        raise ValueError(f"rank must be 1 to {min(weight_OI.shape)}, got {rank}")
    if not scale > 0:
        raise ValueError(f"scale must be > 0, got {scale}")
    s_O = importance_OI.to(weight_OI.dtype).sum(1).sqrt()
    if not s_O.isfinite().all() or (importance_OI < 0).any() or not s_O.any():
        raise ValueError("the importance must be finite, not negative and not all zero")
    values_R, v_IR = _largest_singular(s_O[:, None] * weight_OI, rank)
    noise = values_R[0] * torch.finfo(values_R.dtype).eps * max(weight_OI.shape)
    root_R = torch.where(values_R > noise, values_R / scale, 0.0).sqrt()
    # U S is diag(s) W V: written so, a row of no importance has no part in B, where U's has its rounding error / 1e-5.
    part_OR = weight_OI @ v_IR * (s_O / (s_O + EPSILON))[:, None]
    b_OR = torch.where(root_R > 0, part_OR / (scale * root_R), 0.0)
    return (v_IR * root_R).T.contiguous(), b_OR.contiguous()


def residual(weight_OI: Tensor, a_RI: Tensor, b_OR: Tensor, *, scale: float) -> Tensor:
    """``weight - scale * B @ A``: what stays in the model. From the same tensors it is the same to the bit."""
    return weight_OI - scale * (b_OR.contiguous() @ a_RI.contiguous())


def relative_importance(forget_fisher: Tensor, retain_fisher: Tensor) -> Tensor:
    """How much more a weight matters to the forget rows than to the retain rows: ``F_f / (1e-5 + F_r)``.

    Both as ``fisher_of`` returns them: per token, of the same shape, which the result has too.
    """
    return forget_fisher / (retain_fisher + EPSILON)


def relative_importances(forget: dict[str, Tensor], retain: dict[str, Tensor]) -> dict[str, Tensor]:
    """``relative_importance`` of each layer. It empties both, so that no third copy of the weights' size stays."""
    if forget.keys() != retain.keys():
        raise ValueError("expected the same layers twice")
    return {name: relative_importance(forget.pop(name), retain.pop(name)) for name in tuple(forget)}


def fisher_of(
    model: PreTrainedModel,
    layers: Mapping[str, Linear],
    batches: Iterable[Batch],
    nll_of: Callable[[Batch], tuple[Tensor, int]],
) -> Generator[int, None, dict[str, Tensor]]:
    """The diagonal empirical Fisher of layers' weights, per token: ``sum_batches tokens * g^2 / sum_batches tokens``.

    ``g`` is the gradient of a batch's mean NLL. Squaring it per batch and not per token is what LoKU's code does. The
    result depends on how rows are batched, so both sets must be batched alike.

    Memory: one fp32 tensor of each weight's size, and the gradient of one layer at a time.

    Args:
        model: What ``shared_copy`` gave, or one that nobody else uses meanwhile: only the layers' weights require a
            gradient until the generator ends, then none of the model's do.
        layers: Of the model, by name.
        batches: Of one set of rows.
        nll_of: A batch's mean NLL over its answer tokens, in nats, with its graph, and how many tokens that is.

    Yields:
        How many batches are done.

    Returns:
        By layer, a tensor of the weight's own shape (for ``Conv1D`` that is (I, O)).

    Raises:
        RunError: A gradient is not finite, or there are no answer tokens.
    """
    totals = {name: torch.zeros_like(layer.weight, dtype=torch.float32) for name, layer in layers.items()}
    tokens = [0, 0]  # of this batch, of all
    handles: list[RemovableHandle] = []
    model.requires_grad_(False)
    try:
        for name, layer in layers.items():
            layer.weight.requires_grad_(True)
            handles.append(layer.weight.register_post_accumulate_grad_hook(partial(_add_square, totals[name], tokens)))
        for done, batch in enumerate(batches, start=1):
            with torch.enable_grad():
                nll, tokens[0] = nll_of(batch)
                if tokens[0]:  # the mean over none is not a number
                    nll.backward()
            tokens[1] += tokens[0]
            yield done
    finally:
        for handle in handles:
            handle.remove()
        for layer in layers.values():
            layer.weight.grad = None
        model.requires_grad_(False)
    if not tokens[1]:
        raise RunError("FILA found no answer tokens to measure the layers with. Choose rows with answers.")
    for name, total in totals.items():
        if not total.div_(tokens[1]).isfinite().all():
            raise RunError(
                f"The gradient of the layer {name} is not finite, so FILA cannot measure it. "
                "Start LoRA at zero, or choose fp32 precision."
            )
    return totals


def _add_square(total: Tensor, tokens: list[int], weight: Any) -> None:
    """Called by autograd once a batch's gradient is complete; it goes at once."""
    gradient = weight.grad.float()
    total.addcmul_(gradient, gradient, value=tokens[0])
    weight.grad = None


def _largest_singular(matrix_OI: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The largest singular values (R,), and V (I, R)."""
    columns = rank + _OVERSAMPLING
    if min(matrix_OI.shape) <= max(EXACT_SIZE, columns):
        _, values, vh = torch.linalg.svd(matrix_OI, full_matrices=False)
        return values[:rank], vh[:rank].T
    generator = torch.Generator().manual_seed(_SEED)
    sketch_IP = torch.randn(matrix_OI.shape[1], columns, generator=generator).to(matrix_OI)
    basis_OP = torch.linalg.qr(matrix_OI @ sketch_IP).Q
    for _ in range(_POWER_ITERATIONS):
        basis_IP = torch.linalg.qr(matrix_OI.T @ basis_OP).Q
        basis_OP = torch.linalg.qr(matrix_OI @ basis_IP).Q
    _, values, vh = torch.linalg.svd(basis_OP.T @ matrix_OI, full_matrices=False)
    return values[:rank], vh[:rank].T
