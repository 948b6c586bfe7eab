"""The objectives by name, with what a person reads about each. It knows no model, no optimizer and no page."""

from collections.abc import Callable
from dataclasses import dataclass

from soul_core.config import ObjectiveConfig, ObjectiveName
from soul_core.objectives.ascent import gradient_ascent, gradient_difference
from soul_core.objectives.likelihoods import Likelihoods, Losses
from soul_core.objectives.preference import negative_preference
from soul_core.objectives.refusal import refusal_training


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One way to state what forgetting is.

    Attributes:
        name: As in ``ObjectiveConfig.name``.
        label: As the papers abbreviate it.
        sentence: What it does, for a person who does not know the field.
        formula: LaTeX, without delimiters.
        paper: Author, year, arXiv id.
        needs_reference: Whether ``Likelihoods.ref_nll_B`` must be given.
        needs_refusals: Whether the caller must put refusals in place of the forget rows' answers.
        settings: Fields of ``ObjectiveConfig`` that it reads.
        loss: The loss itself.
    """

    name: ObjectiveName
    label: str
    sentence: str
    formula: str
    paper: str
    needs_reference: bool = False
    needs_refusals: bool = False
    settings: tuple[str, ...]
    loss: Callable[[Likelihoods, ObjectiveConfig], Losses]


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective(
            name="ga",
            label="GA",
            sentence="Make the true answers to the forget questions less likely, and look at nothing else.",
            formula=r"\mathcal{L} = -\frac{1}{|y_f|}\sum_t \ell_t(y_f)",
            paper="Jang et al. 2022, arXiv:2210.01504",
            settings=(),
            loss=lambda likelihoods, _: gradient_ascent(likelihoods),
        ),
        Objective(
            name="graddiff",
            label="GradDiff",
            sentence="Make the forget answers less likely while still learning the answers that should stay.",
            formula=r"\mathcal{L} = -\frac{1}{|y_f|}\sum_t \ell_t(y_f)"
            r" + \gamma\,\frac{1}{|y_r|}\sum_t \ell_t(y_r)",
            paper="Liu et al. 2022, arXiv:2203.12817",
            settings=("gamma",),
            loss=lambda likelihoods, cfg: gradient_difference(likelihoods, gamma=cfg.gamma),
        ),
        Objective(
            name="po",
            label="PO",
            sentence="Learn to answer the forget questions with a refusal, and keep learning what should stay.",
            formula=r"\mathcal{L} = \frac{1}{|y_\text{refuse}|}\sum_t \ell_t(y_\text{refuse} \mid x_f)"
            r" + \gamma\,\frac{1}{|y_r|}\sum_t \ell_t(y_r)",
            paper="Maini et al. 2024, arXiv:2401.06121",
            needs_refusals=True,
            settings=("gamma",),
            loss=lambda likelihoods, cfg: refusal_training(likelihoods, gamma=cfg.gamma),
        ),
        Objective(
            name="npo",
            label="NPO",
            sentence="Push each forget answer below where the original model had it, and stop once it is there.",
            formula=r"\mathcal{L} = -\frac{2}{\beta}\,\mathbb{E}_f\!\left[\log\sigma\!\left(\beta"
            r"\log\frac{\pi_\text{ref}(y_f \mid x_f)}{\pi_\theta(y_f \mid x_f)}\right)\right]"
            r" + \gamma\,\frac{1}{|y_r|}\sum_t \ell_t(y_r)",
            paper="Zhang et al. 2024, arXiv:2404.05868",
            needs_reference=True,
            settings=("gamma", "beta"),
            loss=lambda likelihoods, cfg: negative_preference(likelihoods, gamma=cfg.gamma, beta=cfg.beta),
        ),
    )
}


def losses_for(config: ObjectiveConfig) -> Callable[[Likelihoods], Losses]:
    """The configured objective as a function of likelihoods alone: what the engine takes."""
    objective = OBJECTIVES[config.name]
    return lambda likelihoods: objective.loss(likelihoods, config)
