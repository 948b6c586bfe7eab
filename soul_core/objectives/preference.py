"""Forgetting as a preference, with a bound. It knows likelihoods only: where the reference's come from, the caller
knows.

Shape suffixes: B = sequences in the batch, P = pairs of them.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from soul_core.objectives.entry import Objective
from soul_core.objectives.likelihoods import Likelihoods, given, mean_of


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
    ref_nll_B = given(likelihoods.ref_nll_B, "ref_nll_B", to="NPO")
    return npo_loss(likelihoods.nll_B, ref_nll_B, likelihoods.is_forget_B, beta=beta)


def simple_negative_preference(
    likelihoods: Likelihoods,
    *,
    beta: Annotated[
        float,
        Field(
            gt=0,
            le=50,
            title="β",
            description="Inverse temperature on the NLL per token; larger stops sooner.",
            json_schema_extra={"source": "SimNPO release, TOFU forget10"},
        ),
    ] = 4.5,
    delta: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            title="δ",
            description="NLL per token, in nats, up to which an answer is pushed with more than half the force.",
            json_schema_extra={"source": "SimNPO release, TOFU"},
        ),
    ] = 0.0,
) -> Tensor:
    """SimNPO: mean over forget sequences of ``-(2/beta) log sigmoid(beta (nll/|y| - delta))`` (arXiv:2410.07163).

    NPO with a constant in place of the reference and lengths divided out. ``delta`` is the release's, inside the
    product with ``beta``; the paper writes a margin ``γ = beta delta`` outside of it.
    """
    chosen_B = likelihoods.is_forget_B
    nll_B = likelihoods.nll_B[chosen_B] / likelihoods.tokens_B[chosen_B].clamp_min(1)
    return mean_of(-2.0 / beta * F.logsigmoid(beta * (nll_B - delta)))


def direct_preference(
    likelihoods: Likelihoods,
    *,
    beta: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            title="β",
            description="Inverse temperature; smaller lets the model go further from the original.",
            json_schema_extra={"source": "TOFU; open-unlearning, DPO"},
        ),
    ] = 0.1,
) -> Tensor:
    """Direct preference optimization of a refusal over the forget answer (Rafailov et al. 2023, arXiv:2305.18290).

    Mean over pairs of ``-(2/beta) log sigmoid(beta (r_preferred - r_forget))`` with ``r = ref_nll - nll``, summed
    over tokens. The factor ``2/beta`` is open-unlearning's, which makes it NPO where there is no preferred answer;
    TOFU's code is without. ``2 ln 2 / beta`` where model and reference agree.

    Raises:
        ValueError: The likelihoods come without a reference or without pairs, or half of a pair is missing.
    """
    gain_B = given(likelihoods.ref_nll_B, "ref_nll_B", to="DPO").detach() - likelihoods.nll_B
    preferred_B = given(likelihoods.is_preferred_B, "is_preferred_B", to="DPO")
    row_B = given(likelihoods.row_B, "row_B", to="DPO")
    rows_P, better_P = _by_row(gain_B, row_B, likelihoods.is_forget_B & preferred_B)
    other_rows_P, worse_P = _by_row(gain_B, row_B, likelihoods.is_forget_B & ~preferred_B)
    if not torch.equal(rows_P, other_rows_P):
        raise ValueError(f"DPO compares pairs, but got rows {rows_P.tolist()} and {other_rows_P.tolist()}")
    return mean_of(-2.0 / beta * F.logsigmoid(beta * (better_P - worse_P)))


def _by_row(values_B: Tensor, row_B: Tensor, chosen_B: Tensor) -> tuple[Tensor, Tensor]:
    """The chosen rows in their order, and their values."""
    rows_P, order_P = row_B[chosen_B].sort()
    return rows_P, values_B[chosen_B][order_P]


NPO = Objective(
    name="npo",
    label="NPO",
    idea="preference",
    sentence="Push each forget answer below where the original model had it, and stop once it is there.",
    formula=r"-\frac{2}{\beta}\,\mathbb{E}_f\!\left[\log\sigma\!\left(\beta"
    r"\log\frac{\pi_\text{ref}(y_f \mid x_f)}{\pi_\theta(y_f \mid x_f)}\right)\right]",
    paper="Zhang et al. 2024, arXiv:2404.05868",
    forget=negative_preference,
    own_logits=False,
    reference="nll",
)
SIMNPO = Objective(
    name="simnpo",
    label="SimNPO",
    idea="preference",
    sentence="Push each forget answer down until its words are unlikely, whatever the original model thought of it.",
    formula=r"-\frac{2}{\beta}\,\mathbb{E}_f\!\left[\log\sigma\!\left(\beta\left("
    r"\tfrac{1}{|y_f|}\textstyle\sum_t \ell_t(y_f) - \delta\right)\right)\right]",
    paper="Fan et al. 2024, arXiv:2410.07163",
    forget=simple_negative_preference,
    own_logits=False,
)
DPO = Objective(
    name="dpo",
    label="DPO",
    idea="preference",
    sentence="Make a refusal more likely and the true answer less likely, side by side for each forget question.",
    formula=r"-\frac{2}{\beta}\,\mathbb{E}_f\!\left[\log\sigma\!\left(\beta"
    r"\log\frac{\pi_\theta(y_\text{refuse} \mid x_f)}{\pi_\text{ref}(y_\text{refuse} \mid x_f)}"
    r"-\beta\log\frac{\pi_\theta(y_f \mid x_f)}{\pi_\text{ref}(y_f \mid x_f)}\right)\right]",
    paper="Rafailov et al. 2023, arXiv:2305.18290",
    forget=direct_preference,
    own_logits=False,
    answers="pair",
    reference="nll",
)
