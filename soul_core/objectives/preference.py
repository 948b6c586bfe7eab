"""Forgetting relative to a reference. It knows likelihoods only: where the reference's come from, the caller knows.

Shape suffix: B = sequences in the batch.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from soul_core.objectives.likelihoods import Likelihoods


def npo_loss(nll_B: Tensor, ref_nll_B: Tensor, chosen_B: Tensor, *, beta: float) -> Tensor:
    """Mean over the chosen sequences of ``-(2/beta) log sigmoid(beta (nll - ref_nll))`` (arXiv:2404.05868).

    A sequence's gradient is that of ascent on its summed NLL times ``2 sigmoid(-beta (nll - ref_nll))``: 1 at the
    reference, going to 0 as the sequence is forgotten, which is what keeps the model from breaking.

    Args:
        nll_B: NLL of each answer, summed over its tokens. A mean over tokens would make ``beta`` as much smaller
            as the answer is long, and the bound would never act.
        ref_nll_B: The same under the model before unlearning. Receives no gradient.
        chosen_B: Which sequences count.
        beta: Inverse temperature, above 0; towards 0 the gradient becomes that of ascent.

    Returns:
        Scalar >= 0, ``2 ln 2 / beta`` where model and reference agree; 0 where no sequence is chosen.
    """
    forgotten_B = torch.where(chosen_B, nll_B - ref_nll_B.detach(), 0.0)
    loss_B = -2.0 / beta * F.logsigmoid(beta * forgotten_B)
    return torch.where(chosen_B, loss_B, 0.0).sum() / chosen_B.sum().clamp_min(1)


def negative_preference(
    likelihoods: Likelihoods,
    *,
    beta: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            title="β",
            description="Inverse temperature; towards 0 it becomes gradient ascent.",
            json_schema_extra={"source": "NPO paper, TOFU"},
        ),
    ] = 0.1,
) -> Tensor:
    """Negative preference optimization on the forget rows, see ``npo_loss``.

    Raises:
        ValueError: The likelihoods come without a reference.
    """
    if likelihoods.ref_nll_B is None:
        raise ValueError("NPO needs ref_nll_B, the NLL of the forget rows before unlearning; got None")
    return npo_loss(likelihoods.nll_B, likelihoods.ref_nll_B, likelihoods.is_forget_B, beta=beta)
