"""Forgetting by climbing the forget loss, token by token. It knows likelihoods only: no model, no optimizer."""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from soul_core.objectives.entry import Objective
from soul_core.objectives.likelihoods import Likelihoods, forget_nll, forget_tokens, mean_of


def gradient_ascent(likelihoods: Likelihoods) -> Tensor:
    """Gradient ascent: minus the token-mean NLL of the forget rows (Jang et al. 2022, arXiv:2210.01504).

    It has no lower bound, so without a retain term it breaks a model that is trained long enough.
    """
    return -forget_nll(likelihoods)


def weighted_ascent(
    likelihoods: Likelihoods,
    *,
    beta: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            title="β",
            description="How much a token counts that is still likely, against one already forgotten; "
            "0 is gradient ascent.",
            json_schema_extra={"source": "open-unlearning, configs/trainer/WGA.yaml"},
        ),
    ] = 1.0,
) -> Tensor:
    """Weighted gradient ascent: ``-mean_t(p_t^beta nll_t)`` over forget tokens (arXiv:2502.19301).

    ``p_t = exp(-nll_t)`` is a constant to the gradient. A token that is forgotten weighs nothing, so the ascent ends
    by itself; ``beta = 0`` is gradient ascent.
    """
    nll_N = likelihoods.tokens.nll_N[forget_tokens(likelihoods)]
    return -mean_of((-beta * nll_N.detach()).exp() * nll_N)


def saturation_importance(
    likelihoods: Likelihoods,
    *,
    saturation: Annotated[
        float,
        Field(
            ge=0,
            le=20,
            title="Saturation β₁",
            description="How much less a token counts once it has become unlikely.",
            json_schema_extra={"source": "open-unlearning, configs/trainer/SatImp.yaml"},
        ),
    ] = 5.0,
    importance: Annotated[
        float,
        Field(
            ge=0,
            le=20,
            title="Importance β₂",
            description="How much less a token counts that is nearly certain, as common words are.",
            json_schema_extra={"source": "open-unlearning, configs/trainer/SatImp.yaml"},
        ),
    ] = 1.0,
) -> Tensor:
    """SatImp: ``-mean_t(p_t^saturation (1 - p_t)^importance nll_t)`` over forget tokens (arXiv:2505.11953).

    The paper's β₁ and β₂, which are an optimizer's names here. The weight is a constant to the gradient.
    ``importance = 0`` is weighted ascent, both 0 is gradient ascent.
    """
    nll_N = likelihoods.tokens.nll_N[forget_tokens(likelihoods)]
    fixed_N = nll_N.detach()
    weight_N = (-saturation * fixed_N).exp() * (-(-fixed_N).expm1()).pow(importance)
    return -mean_of(weight_N * nll_N)


GA = Objective(
    name="ga",
    label="GA",
    idea="ascent",
    sentence="Make the true answers to the forget questions less likely, and look at nothing else.",
    formula=r"-\frac{1}{|y_f|}\sum_t \ell_t(y_f)",
    paper="Jang et al. 2022, arXiv:2210.01504",
    forget=gradient_ascent,
    own_logits=False,
    retains=("none",),
)
GRADDIFF = Objective(
    name="graddiff",
    label="GradDiff",
    idea="ascent",
    sentence="Make the forget answers less likely while still learning the answers that should stay.",
    formula=r"-\frac{1}{|y_f|}\sum_t \ell_t(y_f)",
    paper="Liu et al. 2022, arXiv:2203.12817",
    forget=gradient_ascent,
    own_logits=False,
)
GA_KL = Objective(
    name="ga-kl",
    label="GA+KL",
    idea="ascent",
    sentence="Make the forget answers less likely while the original's every prediction on the rest is kept.",
    formula=r"-\frac{1}{|y_f|}\sum_t \ell_t(y_f)",
    paper="Maini et al. 2024, arXiv:2401.06121",
    forget=gradient_ascent,
    own_logits=False,
    retains=("kl", "nll", "none"),
)
WGA = Objective(
    name="wga",
    label="WGA",
    idea="ascent",
    sentence="Make the forget answers less likely word by word, and leave a word alone once it is forgotten.",
    formula=r"-\frac{1}{|y_f|}\sum_t p_t^{\beta}\,\ell_t(y_f), \quad p_t = \operatorname{sg}[e^{-\ell_t}]",
    paper="Wang et al. 2025, arXiv:2502.19301",
    forget=weighted_ascent,
    own_logits=False,
)
SATIMP = Objective(
    name="satimp",
    label="SatImp",
    idea="ascent",
    sentence="Make the forget answers less likely, and aim at the words that carry the knowledge.",
    formula=r"-\frac{1}{|y_f|}\sum_t p_t^{\beta_1}(1-p_t)^{\beta_2}\,\ell_t(y_f), "
    r"\quad p_t = \operatorname{sg}[e^{-\ell_t}]",
    paper="Yang et al. 2025, arXiv:2505.11953",
    forget=saturation_importance,
    own_logits=False,
)
