"""Forgetting by learning another distribution at the same words. It knows likelihoods only.

Shape suffixes: N = forget tokens, V = vocabulary.
"""

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from soul_core.objectives.entry import Objective
from soul_core.objectives.likelihoods import Likelihoods, forget_tokens, given, mean_of


def self_distillation(
    likelihoods: Likelihoods,
    *,
    beta: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            title="β",
            description="How much the original's logit of the true word is lowered before it is learnt from.",
            json_schema_extra={"source": "open-unlearning, configs/trainer/UNDIAL.yaml"},
        ),
    ] = 10.0,
) -> Tensor:
    """UNDIAL: token-mean cross-entropy to ``softmax(ref_logits - beta onehot(y))`` (arXiv:2402.10052).

    The original is the teacher, its other words in the proportions it gives them. ``beta = 0`` teaches what is known
    already: a gradient of 0 at the start.

    Raises:
        ValueError: The likelihoods come without the original's logits.
    """
    tokens, chosen_N = likelihoods.tokens, forget_tokens(likelihoods)
    teacher_NV = given(tokens.ref_logits_NV, "ref_logits_NV", to="UNDIAL").detach()[chosen_N]
    logits_NV = given(tokens.logits_NV, "logits_NV", to="UNDIAL")[chosen_N]
    labels_N1 = tokens.labels_N[chosen_N][:, None]
    lowered_NV = teacher_NV.scatter(-1, labels_N1, teacher_NV.gather(-1, labels_N1) - beta)
    return mean_of(F.cross_entropy(logits_NV, lowered_NV.softmax(dim=-1), reduction="none"))


def cross_entropy_unlearning(
    likelihoods: Likelihoods,
    *,
    spared: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            title="Words spared",
            description="How many tokens at the beginning of each answer are left alone: they say how an answer "
            "begins, not what is known.",
            json_schema_extra={"source": "CE-U paper, a footnote of its training settings"},
        ),
    ] = 1,
) -> Tensor:
    """CE-U: token-mean cross-entropy to the model's own distribution without the true word (arXiv:2503.01224).

    The target is a constant to the gradient, which is therefore ``p(y)`` at the true word and never more than 1:
    a forgotten word is no longer pushed.
    """
    tokens = likelihoods.tokens
    chosen_N = forget_tokens(likelihoods) & (tokens.position_N >= spared)
    logits_NV = given(tokens.logits_NV, "logits_NV", to="CE-U")[chosen_N]
    without_NV = logits_NV.detach().scatter(-1, tokens.labels_N[chosen_N][:, None], float("-inf"))
    return mean_of(F.cross_entropy(logits_NV, without_NV.softmax(dim=-1), reduction="none"))


def flat_logits(likelihoods: Likelihoods) -> Tensor:
    """PDU's forget term: token mean of ``(max_v z - mean_v z)^2``, in squared nats (arXiv:2506.05314).

    0 where every word is as likely as any other. open-unlearning's code has prompt and padding in the mean.
    """
    logits_NV = given(likelihoods.tokens.logits_NV, "logits_NV", to="PDU")[forget_tokens(likelihoods)]
    return mean_of((logits_NV.amax(dim=-1) - logits_NV.mean(dim=-1)).square())


def dual_ascent(
    weight: float,
    retain: float,
    *,
    budget: Annotated[
        float,
        Field(
            ge=0,
            le=20,
            title="ε",
            description="Retain loss, in nats per token, above which the weight of the retain term grows and below "
            "which it shrinks. Choose it somewhat above the original's.",
            json_schema_extra={"source": "ours; the PDU authors choose it for each model"},
        ),
    ] = 0.1,
    dual_rate: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            title="Dual rate",
            description="How much the weight of the retain term moves for each nat and step; 0 leaves it at γ.",
            json_schema_extra={"source": "open-unlearning, PDU"},
        ),
    ] = 1.0,
) -> float:
    """The retain term's weight after a step at this retain loss: ``max(0, weight + dual_rate (retain - budget))``."""
    return max(0.0, weight + dual_rate * (retain - budget))


UNDIAL = Objective(
    name="undial",
    label="UNDIAL",
    idea="targets",
    sentence="Learn from the original model with the true word of each forget answer turned down.",
    formula=r"\frac{1}{|y_f|}\sum_t \mathrm{H}\!\left(\operatorname{softmax}(z^\text{ref}_t - \beta e_{y_t}),\,"
    r"\pi_\theta(\cdot \mid y_{f,\lt t})\right)",
    paper="Dong et al. 2024, arXiv:2402.10052",
    forget=self_distillation,
    retains=("none", "nll", "kl"),
    reference="logits",
)
CEU = Objective(
    name="ceu",
    label="CE-U",
    idea="targets",
    sentence="Spread each word's probability over the other words the model thinks of, from the second word on.",
    formula=r"\frac{1}{|y_f|}\sum_t \mathrm{H}\!\left("
    r"\operatorname{sg}[\pi_\theta(\cdot \mid y_{f,\lt t},\, v \neq y_t)],\,\pi_\theta(\cdot \mid y_{f,\lt t})\right)",
    paper="Yang 2025, arXiv:2503.01224",
    forget=cross_entropy_unlearning,
    retains=("none", "nll", "kl"),
)
PDU = Objective(
    name="pdu",
    label="PDU",
    idea="targets",
    sentence="Make all words equally likely on the forget answers, and weigh what should stay by how much it suffers.",
    formula=r"\frac{1}{|y_f|}\sum_t \left(\max_v z_{t,v} - \tfrac{1}{V}\textstyle\sum_v z_{t,v}\right)^2",
    paper="Entesari et al. 2025, arXiv:2506.05314",
    forget=flat_logits,
    retains=("nll",),
    dual=dual_ascent,
)
