"""Forgetting inside the model: hidden states steered, hidden states kept. It knows likelihoods only, no layer.

Shape suffixes: B = sequences in the batch, N = answer tokens, H = width of the hidden states.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from soul_core.objectives.entry import Objective
from soul_core.objectives.likelihoods import Likelihoods, given


def misdirection(
    likelihoods: Likelihoods,
    *,
    steering: Annotated[
        float,
        Field(
            gt=0,
            le=1000,
            title="c",
            description="How long the random vector is that hidden states are pushed to.",
            json_schema_extra={"source": "open-unlearning, configs/trainer/RMU.yaml"},
        ),
    ] = 2.0,
    layer: Annotated[
        int,
        Field(
            ge=-1,
            le=200,
            title="Layer",
            description="Whose output is steered, 0 for the first; -1 for the middle one.",
            json_schema_extra={"source": "ours, for models of any depth; the WMDP authors steer layer 7 of 32"},
        ),
    ] = -1,
) -> Tensor:
    """RMU's forget term: hidden states of the forget answers towards ``c u``, u a fixed random unit vector
    (WMDP, Li et al. 2024, arXiv:2403.03218). See ``distance_of_rows`` for the mean.

    Args:
        likelihoods: With the hidden states and ``direction_H``.
        steering: c.
        layer: Read by whoever makes the likelihoods, since the hidden states are that layer's; the term itself is
            the same for every layer. It stands here because it is one of the objective's settings.

    Raises:
        ValueError: The likelihoods come without hidden states or direction.
    """
    hidden_NH = given(likelihoods.tokens.hidden_NH, "hidden_NH", to="RMU")
    direction_H = given(likelihoods.tokens.direction_H, "direction_H", to="RMU").detach()
    return distance_of_rows(likelihoods, hidden_NH - steering * direction_H, likelihoods.is_forget_B)


def retain_hidden(likelihoods: Likelihoods) -> Tensor:
    """RMU's retain term: hidden states of the retain answers kept at the original's.

    Raises:
        ValueError: The likelihoods come without hidden states.
    """
    hidden_NH = given(likelihoods.tokens.hidden_NH, "hidden_NH", to="the retain term “hidden”")
    ref_hidden_NH = given(likelihoods.tokens.ref_hidden_NH, "ref_hidden_NH", to="the retain term “hidden”").detach()
    return distance_of_rows(likelihoods, hidden_NH - ref_hidden_NH, ~likelihoods.is_forget_B)


def distance_of_rows(likelihoods: Likelihoods, difference_NH: Tensor, chosen_B: Tensor) -> Tensor:
    """Mean over the chosen sequences of the mean over their tokens of the mean square over H; 0 without sequences.

    A short answer weighs as much as a long one, as in open-unlearning.
    """
    row_N = likelihoods.tokens.row_N
    counted_B = chosen_B & (likelihoods.tokens_B > 0)
    square_N = difference_NH.square().mean(dim=-1) / likelihoods.tokens_B[row_N]
    return torch.where(counted_B[row_N], square_N, 0.0).sum() / counted_B.sum().clamp_min(1)


RMU = Objective(
    name="rmu",
    label="RMU",
    idea="representation",
    sentence="Turn the model's inner state on the forget answers into noise, and keep it as it was on the rest.",
    formula=r"\mathbb{E}_f\!\left[\frac{1}{|y_f|}\sum_t \tfrac{1}{H}\left\|h_t - c\,u\right\|^2\right]",
    paper="Li et al. 2024, arXiv:2403.03218",
    forget=misdirection,
    own_logits=False,
    retains=("hidden", "nll", "kl", "none"),
    reference="hidden",
)
