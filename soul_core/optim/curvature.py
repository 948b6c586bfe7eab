"""Diagonal curvature estimates for Sophia. It knows logits, gradients and parameters, but no model and no batch.

Shape suffixes: B = sequences, T = tokens, V = vocabulary, N = answer tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from soul_core.config import Curvature, CurvatureRows
from soul_core.objectives.likelihoods import answer_logits


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvaturePlan:
    """When and from what curvature is estimated.

    Attributes:
        method: ``gnb`` or ``squared-gradient``.
        every: Steps between two estimates; the first is at step 1.
        rows: Rows of the batch that ``gnb`` looks at. The squared gradient is always that of the whole loss.
        batch_factor: What the squared mean gradient is multiplied by; 0 means the number of answer tokens.
    """

    method: Curvature
    every: int
    rows: CurvatureRows = "batch"
    batch_factor: float = 0.0

    def due(self, step: int) -> bool:
        """Whether this step, counted from 1, begins with an estimate."""
        return (step - 1) % self.every == 0


def gnb_curvature(
    logits_BTV: Tensor,
    labels_BT: Tensor,
    parameters: Sequence[Tensor],
    *,
    batch_factor: float,
    generator: torch.Generator,
) -> list[Tensor]:
    """Gauss-Newton-Bartlett estimate: squared gradient of the NLL of labels drawn from the model's own distribution.

    ``batch_factor * g^2`` with g the gradient of the mean NLL over the answer tokens (Sophia, arXiv:2305.14342,
    Algorithm 2). The scores of labels so drawn have mean 0 and are uncorrelated, so with the number of
    tokens as the factor the expectation is the diagonal of the Gauss-Newton matrix of the mean NLL.
    ``.grad`` is neither read nor written.

    Args:
        logits_BTV: With their graph, which is freed.
        labels_BT: Only where they are not -100 matters; what they are does not.
        parameters: What the estimates are of, in this order. One that the logits do not depend on gets zeros.
        batch_factor: 0 for the number of answer tokens.
        generator: Draws the labels; on the logits' device.
    """
    logits_NV, _, _ = answer_logits(logits_BTV, labels_BT)
    if not len(logits_NV):
        raise ValueError("curvature needs at least one answer token, got none")
    with torch.no_grad():
        drawn_N = torch.multinomial(logits_NV.softmax(dim=-1), 1, generator=generator).squeeze(1)
    loss = F.cross_entropy(logits_NV, drawn_N)
    gradients = torch.autograd.grad(loss, list(parameters), allow_unused=True, materialize_grads=True)
    return squared_gradient_curvature(gradients, batch_factor=batch_factor or len(drawn_N), overwrite=True)


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
