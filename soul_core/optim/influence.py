"""The mathematics of one calculated step, ``H^-1 g``: solvers, curvature products, a line search. It knows no model.

Influence functions (Koh & Liang 2017, arXiv:1703.04730) estimate what training would have led to without some rows:
with H the Hessian of the loss over the other rows, ``theta + H^-1 * gradient of the removed rows' loss``, to first
order (Izzo et al. 2021, arXiv:2002.10077). SOUL's authors start from this step and make it iterative.

Vectors are lists of tensors, one for each parameter. Shape suffixes: V = vocabulary, N = answer tokens.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def mean_of(vector: Sequence[Tensor]) -> float:
    """Mean over the coordinates of all tensors: the scale that damping is a share of."""
    return sum(float(x.sum(dtype=torch.float64)) for x in vector) / sum(x.numel() for x in vector)


def dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Inner product of two vectors."""
    return sum(float((x * y).sum(dtype=torch.float64)) for x, y in zip(a, b, strict=True))


@torch.no_grad()
def diagonal_solve(gradients: Sequence[Tensor], diagonal: Sequence[Tensor], *, damping: float) -> list[Tensor]:
    """``g / (d + damping)``: solves ``(D + damping) x = g``, exactly so where the matrix is diagonal.

    Args:
        gradients: g.
        diagonal: d, not negative.
        damping: In the units of the diagonal. At 0 a coordinate without curvature becomes infinite or NaN.
    """
    return [g / (d + damping) for g, d in zip(gradients, diagonal, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What conjugate gradient found.

    Attributes:
        x: The solution.
        residual: ``|(A + damping) x - b| / |b|``, as the recurrence tracks it.
        iterations: How many products with A it took.
    """

    x: list[Tensor]
    residual: float
    iterations: int


def conjugate_gradient(
    matvec: Callable[[list[Tensor]], list[Tensor]],
    b: Sequence[Tensor],
    *,
    iterations: int,
    tolerance: float,
    damping: float,
) -> Generator[int, None, Solution]:
    """Solve ``(A + damping) x = b`` for a symmetric A without negative eigenvalues, starting at 0.

    Exact after as many iterations as A has different eigenvalues, rounding apart (Hestenes & Stiefel 1952). Stopped
    early it has solved the directions of large curvature and b's first; what is left has moved less, as if damped.

    Args:
        matvec: ``A v``; new tensors.
        b: The right-hand side.
        iterations: At most this many products.
        tolerance: End once the residual is at most this share of ``|b|``.
        damping: Added to the diagonal, in A's units; not negative.

    Yields:
        The number of products so far.
    """
    x = [torch.zeros_like(part) for part in b]
    r = [part.clone() for part in b]
    p = [part.clone() for part in b]
    norm2 = first = dot(r, r)
    done = 0
    while done < iterations and norm2 > tolerance**2 * first:
        raw = matvec(p)
        with torch.no_grad():
            product = [a.add(v, alpha=damping) for a, v in zip(raw, p, strict=True)]
            bend = dot(p, product)
            done += 1
            if not bend > 0:  # no curvature left along p, or none that is a number
                break
            length = norm2 / bend
            torch._foreach_add_(x, p, alpha=length)
            torch._foreach_add_(r, product, alpha=-length)
            before, norm2 = norm2, dot(r, r)
            p = [left.add(v, alpha=norm2 / before) for left, v in zip(r, p, strict=True)]
        yield done
    return Solution(x=x, residual=(norm2 / first) ** 0.5 if first else 0.0, iterations=done)


def gauss_newton_product(logits_NV: Tensor, parameters: Sequence[Tensor], v: Sequence[Tensor]) -> list[Tensor]:
    """``G v`` for the Gauss-Newton matrix G of the mean NLL over the tokens, whatever their labels are.

    ``G = 1/N sum_n J_n^T (diag(p_n) - p_n p_n^T) J_n`` with J the derivative of a token's logits and p its
    probabilities: the part of the Hessian that has no negative eigenvalues, and the Fisher matrix of the model
    (Martens 2020, arXiv:1412.1193). ``J v`` is the derivative of ``J^T w`` by w, where w is of no account (the
    double backward of Townsend 2017), so the forward must be differentiable twice: no fused attention.

    Args:
        logits_NV: With their graph, which is freed.
        parameters: Of which some may not be used; those get zeros.
        v: One tensor for each parameter, in its shape; converted to its precision.

    Returns:
        One tensor for each parameter, in its precision.
    """
    inputs = list(parameters)
    w_NV = torch.zeros_like(logits_NV, requires_grad=True)
    back = torch.autograd.grad(logits_NV, inputs, w_NV, create_graph=True, allow_unused=True)
    used = [(slope, x.to(slope.dtype)) for slope, x in zip(back, v, strict=True) if slope is not None]
    (jv_NV,) = torch.autograd.grad([slope for slope, _ in used], [w_NV], [x for _, x in used], retain_graph=True)
    p_NV = logits_NV.detach().softmax(dim=-1)
    hjv_NV = p_NV * (jv_NV - (p_NV * jv_NV).sum(dim=-1, keepdim=True)) / len(logits_NV)
    return list(torch.autograd.grad(logits_NV, inputs, hjv_NV, allow_unused=True, materialize_grads=True))


def line_search(
    evaluate: Callable[[float], float],
    *,
    start: float,
    largest: float,
    retain_rise: float,
    shrink: float = 0.5,
    tries: int = 30,
) -> Generator[int, None, tuple[float, float]]:
    """The largest scale of a falling sequence at which the retain loss is at most ``start + retain_rise``.

    The scales are ``largest * shrink ** k``. What was evaluated last is what is returned, unless nothing fits. A
    loss that is not a number does not fit.

    Args:
        evaluate: Retain loss at a scale, in nats.
        start: Retain loss at scale 0.
        largest: Where to begin.
        retain_rise: How much worse the retain loss may become, in nats.
        shrink: Between 0 and 1.
        tries: At most this many scales.

    Yields:
        How many scales were tried.

    Returns:
        Scale and loss; ``(0, start)`` where no scale fits.
    """
    if not (0 < shrink < 1 and largest > 0 and retain_rise >= 0):
        raise ValueError(f"cannot search from {largest} by {shrink} for a rise of at most {retain_rise}")
    for k in range(tries):
        scale = largest * shrink**k
        loss = evaluate(scale)
        yield k + 1
        if loss - start <= retain_rise:
            return scale, loss
    return 0.0, start
