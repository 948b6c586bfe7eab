"""The optimizers by name, with what a person reads about each. It knows no model, no loss and no page."""

from dataclasses import dataclass
from typing import Literal

from soul_core.config import OptimizerConfig, OptimizerName


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerInfo:
    """One update rule.

    Attributes:
        name: As in ``OptimizerConfig.name``.
        label: As the papers call it.
        sentence: What it does, for a person who does not know the field.
        formula: LaTeX of the update, without delimiters and weight decay.
        paper: Author, year, arXiv id.
        order: Whether it looks at gradients, at curvature too, or is there to tell the two apart.
        settings: Fields of ``OptimizerConfig`` that it reads.
    """

    name: OptimizerName
    label: str
    sentence: str
    formula: str
    paper: str
    order: Literal["first", "second", "control"]
    settings: tuple[str, ...]


OPTIMIZERS: dict[str, OptimizerInfo] = {
    info.name: info
    for info in (
        OptimizerInfo(
            name="adamw",
            label="AdamW",
            sentence="Divides each weight's averaged gradient by its recent size, so that all weights move alike.",
            formula=r"\theta \leftarrow \theta - \eta\,\frac{\hat m}{\sqrt{\hat v} + \epsilon}",
            paper="Loshchilov & Hutter 2019, arXiv:1711.05101",
            order="first",
            settings=("lr", "beta1", "beta2", "weight_decay"),
        ),
        OptimizerInfo(
            name="sophia",
            label="Sophia",
            sentence="Divides each weight's averaged gradient by how sharply the loss bends there, "
            "and never moves it further than the learning rate.",
            formula=r"\theta \leftarrow \theta - \eta\,\operatorname{clip}\!\left("
            r"\frac{m}{\max(\rho h, \epsilon)}, -1, 1\right)",
            paper="Liu et al. 2023, arXiv:2305.14342; for unlearning Jia et al. 2024, arXiv:2404.18239",
            order="second",
            settings=(
                "lr",
                "beta1",
                "beta2",
                "weight_decay",
                "curvature",
                "rho",
                "curvature_every",
                "curvature_rows",
                "batch_factor",
            ),
        ),
        OptimizerInfo(
            name="sign-momentum",
            label="Sign momentum",
            sentence="Moves every weight by the learning rate, against the sign of its averaged gradient: "
            "Sophia with every weight clipped, to see what curvature adds.",
            formula=r"\theta \leftarrow \theta - \eta\,\operatorname{sign}(m)",
            paper="Bernstein et al. 2018, arXiv:1802.04434",
            order="control",
            settings=("lr", "beta1", "weight_decay"),
        ),
    )
}

_DEFAULTS: dict[str, OptimizerConfig] = {
    "adamw": OptimizerConfig(name="adamw", beta1=0.9, beta2=0.999),
    # As the SOUL release sets them; the Sophia paper has (0.965, 0.99), for pre-training runs of 100k steps, where
    # an average over 100 estimates is short. Unlearning takes tens of steps.
    "sophia": OptimizerConfig(name="sophia", beta1=0.9, beta2=0.95),
    "sign-momentum": OptimizerConfig(name="sign-momentum", beta1=0.9),
}


def default_optimizer(name: OptimizerName) -> OptimizerConfig:
    """The settings an optimizer starts from, before any sweep."""
    return _DEFAULTS[name]
