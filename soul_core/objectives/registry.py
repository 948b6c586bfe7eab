"""The objectives by name, with what a person reads about each. It knows no model, no optimizer and no page."""

import difflib

from soul_core.errors import ConfigError
from soul_core.objectives.ascent import gradient_ascent
from soul_core.objectives.entry import Objective
from soul_core.objectives.preference import negative_preference
from soul_core.objectives.relabel import other_answer

_NLL_F = r"\frac{1}{|y_f|}\sum_t \ell_t(y_f)"

OBJECTIVES: dict[str, Objective] = {}
"""Every objective by name, in the order of the page."""


def register_objective(objective: Objective) -> Objective:
    """Add an objective: page, command line and tests then know it by its name.

    Raises:
        ConfigError: There is one of that name already.
    """
    if objective.name in OBJECTIVES:
        raise ConfigError(f"There is an objective “{objective.name}” already. Give yours another name.")
    objective.settings  # noqa: B018 - a setting without type or default is told now, not in the first race
    OBJECTIVES[objective.name] = objective
    return objective


def find_objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        ConfigError: There is none; the sentence lists what there is.
    """
    if name not in OBJECTIVES:
        near = difflib.get_close_matches(name, OBJECTIVES, n=1)
        meant = f" Did you mean “{near[0]}”?" if near else ""
        raise ConfigError(f"There is no objective “{name[:80]}”.{meant} Objectives are: {', '.join(OBJECTIVES)}.")
    return OBJECTIVES[name]


for _objective in (
    Objective(
        name="ga",
        label="GA",
        idea="ascent",
        sentence="Make the true answers to the forget questions less likely, and look at nothing else.",
        formula=f"-{_NLL_F}",
        paper="Jang et al. 2022, arXiv:2210.01504",
        forget=gradient_ascent,
        retains=("none",),
    ),
    Objective(
        name="graddiff",
        label="GradDiff",
        idea="ascent",
        sentence="Make the forget answers less likely while still learning the answers that should stay.",
        formula=f"-{_NLL_F}",
        paper="Liu et al. 2022, arXiv:2203.12817",
        forget=gradient_ascent,
    ),
    Objective(
        name="po",
        label="PO",
        idea="refusal",
        sentence="Learn to answer the forget questions with a refusal, and keep learning what should stay.",
        formula=r"\frac{1}{|y_\text{refuse}|}\sum_t \ell_t(y_\text{refuse} \mid x_f)",
        paper="Maini et al. 2024, arXiv:2401.06121",
        forget=other_answer,
        answers="refusal",
    ),
    Objective(
        name="npo",
        label="NPO",
        idea="preference",
        sentence="Push each forget answer below where the original model had it, and stop once it is there.",
        formula=r"-\frac{2}{\beta}\,\mathbb{E}_f\!\left[\log\sigma\!\left(\beta"
        r"\log\frac{\pi_\text{ref}(y_f \mid x_f)}{\pi_\theta(y_f \mid x_f)}\right)\right]",
        paper="Zhang et al. 2024, arXiv:2404.05868",
        forget=negative_preference,
        reference="nll",
    ),
):
    register_objective(_objective)
