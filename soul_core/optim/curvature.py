"""Diagonal curvature estimates for Sophia. It knows logits, gradients and parameters, but no model and no batch.

Shape suffixes: V = vocabulary, N = answer tokens, n = a part of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from soul_core.config import Curvature, CurvatureRows
from soul_core.objectives.likelihoods import wide

_AT_A_TIME = 1 << 22
"""Probabilities that are cumulated together, in double precision: 32 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvaturePlan:
    """When and from what curvature is estimated.

    Attributes:
        method: ``gnb``, ``hutchinson`` or ``squared-gradient``.
        every: Steps between two estimates; the first is at step 1.
        rows: Rows of the batch that ``gnb`` looks at. The other two are always of the whole loss.
        batch_factor: What a squared mean gradient is multiplied by; 0 means the number of answer tokens. Nothing is
            squared by ``hutchinson``, which does not read it.
    """

    method: Curvature
    every: int
    rows: CurvatureRows = "batch"
    batch_factor: float = 0.0

    def __post_init__(self) -> None:
        """A plan that could not be followed is refused."""
        if self.every < 1 or self.batch_factor < 0:
            raise ValueError(f"every starts at 1 and batch_factor at 0; got {self.every} and {self.batch_factor}")

    def due(self, step: int) -> bool:
        """Whether this step, counted from 1, begins with an estimate."""
        return (step - 1) % self.every == 0


def drawn_nll(logits_NV: Tensor, uniform_N: Tensor) -> Tensor:
    """(N,) NLL of labels drawn from the model's own distribution, which is a constant to the gradient.

    The label is the one whose stretch of the cumulated distribution ``uniform_N`` falls into, so the draw belongs to
    the token: it is the same in whatever company the token is forwarded, up to rounding where two stretches meet.

    Args:
        logits_NV: With their graph.
        uniform_N: Between 0 and 1, 1 excluded, in double precision; on the logits' device.
    """
    wide_NV = wide(logits_NV)
    return F.cross_entropy(wide_NV, _drawn(wide_NV.detach(), uniform_N), reduction="none")


def _drawn(logits_NV: Tensor, uniform_N: Tensor) -> Tensor:
    # In double precision, or words of a large vocabulary that are less likely than 1e-7 would never come; by parts,
    # so that it takes little room.
    size = max(_AT_A_TIME // logits_NV.shape[1], 1)
    drawn = [uniform_N.new_empty(0, dtype=torch.long)]
    for logits_nV, uniform_n in zip(logits_NV.split(size), uniform_N.split(size), strict=True):
        below_nV = logits_nV.double().softmax(dim=-1).cumsum(dim=-1)
        point_n1 = (uniform_n * below_nV[:, -1])[:, None]
        drawn.append(torch.searchsorted(below_nV, point_n1, right=True)[:, 0].clamp_max(logits_nV.shape[1] - 1))
    return torch.cat(drawn)


def gnb_curvature(
    logits_NV: Tensor, parameters: Sequence[Tensor], *, batch_factor: float, uniform_N: Tensor
) -> list[Tensor]:
    """Gauss-Newton-Bartlett estimate: squared gradient of the NLL of labels drawn from the model's own distribution.

    ``batch_factor * g^2`` with g the gradient of the mean NLL over the answer tokens (Sophia, arXiv:2305.14342,
    Algorithm 2). The scores of labels so drawn have mean 0 and are uncorrelated, so with the number of
    tokens as the factor the expectation is the diagonal of the Gauss-Newton matrix of the mean NLL.
    ``.grad`` is neither read nor written.

    Args:
        logits_NV: Of at least one answer token, with their graph, which is freed.
        parameters: What the estimates are of, in this order. One that the logits do not depend on gets zeros.
        batch_factor: 0 for the number of answer tokens.
        uniform_N: Draws the labels, see ``drawn_nll``.
    """
    loss = drawn_nll(logits_NV, uniform_N).mean()
    gradients = torch.autograd.grad(loss, list(parameters), allow_unused=True, materialize_grads=True)
    return squared_gradient_curvature(gradients, batch_factor=batch_factor or len(logits_NV), overwrite=True)


def hutchinson_curvature(loss: Tensor, parameters: Sequence[Tensor], *, generator: torch.Generator) -> list[Tensor]:
    """Hutchinson's estimate of the diagonal of the loss's own Hessian H: ``z * (H z)`` for random signs z.

    ``E[z_i (H z)_i] = H_ii``, since signs are uncorrelated and square to 1; the variance of a coordinate is the sum
    of the squares of the rest of its row. Signs as in AdaHessian (Yao et al. 2021, arXiv:2006.00719): of all z with
    uncorrelated entries they vary least, the normal ones of Sophia-H (arXiv:2305.14342, Algorithm 1) vary more.
    Unlike a Gauss-Newton diagonal it may be negative: always in parts for an objective that pushes a likelihood
    down. ``.grad`` is neither read nor written.

    Args:
        loss: A scalar with its graph, which is freed. What it is made of must be differentiable twice: fused
            attention is not, so the forward has to run under ``sdpa_kernel(SDPBackend.MATH)``.
        parameters: What the estimates are of, in this order. One that is frozen, or that the loss does not depend
            on or only linearly, gets zeros.
        generator: Draws the signs; on the parameters' device.
    """
    estimates = [torch.zeros_like(p) for p in parameters]
    trained = [i for i, p in enumerate(parameters) if p.requires_grad]
    if not trained or not loss.requires_grad:
        return estimates
    slopes = torch.autograd.grad(loss, [parameters[i] for i in trained], create_graph=True, allow_unused=True)
    # A gradient without a graph is constant, and its parameter has neither row nor column in H.
    curved = [(i, g) for i, g in zip(trained, slopes, strict=True) if g is not None and g.requires_grad]
    if not curved:
        return estimates
    signs = [random_signs(parameters[i], generator) for i, _ in curved]
    products = torch.autograd.grad(
        [g for _, g in curved], [parameters[i] for i, _ in curved], signs, allow_unused=True, materialize_grads=True
    )
    for (i, _), z, product in zip(curved, signs, products, strict=True):
        estimates[i] = product.detach() * z
    return estimates


def random_signs(like: Tensor, generator: torch.Generator) -> Tensor:
    """-1 or 1 with equal chance, in the shape and type of a tensor on the generator's device."""
    return torch.empty_like(like).bernoulli_(0.5, generator=generator).mul_(2).sub_(1).detach()


@torch.no_grad()
def squared_gradient_curvature(
    gradients: Sequence[Tensor], *, batch_factor: float, overwrite: bool = False
) -> list[Tensor]:
    """``batch_factor * g^2``, for the training gradient: what the SOUL release puts in curvature's place.

    With the true labels, and forget and retain terms added before squaring, its mean is no Gauss-Newton diagonal.

    Args:
        gradients: One per parameter.
        batch_factor: Above 0.
        overwrite: Put the result where the gradients are.
    """
    squares = list(gradients) if overwrite else [g.clone() for g in gradients]
    torch._foreach_mul_(squares, squares)
    torch._foreach_mul_(squares, batch_factor)
    return squares
