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
        source: Where the settings it starts from come from.
    """

    name: OptimizerName
    label: str
    sentence: str
    formula: str
    paper: str
    order: Literal["first", "second", "control"]
    settings: tuple[str, ...]
    source: str


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
            source="β1 and β2 of torch.optim.AdamW; no decay, since unlearning takes tens of steps",
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
                "state",
            ),
            source="β1, β2 and ρ of the SOUL release; curvature every 10 steps as in Sophia; no decay",
        ),
        OptimizerInfo(
            name="soul-release",
            label="SophiaG as released",
            sentence="The SOUL release's optimizer with its quirks: the squared training gradient stands in for "
            "curvature, times 5120 whatever the batch, and momentum is averaged twice a step. Most weights end up "
            "moving by the full learning rate.",
            formula=r"\theta \leftarrow \theta - \eta\,\operatorname{sign}(m)\,\min\!\left("
            r"\frac{|m|}{\rho \cdot 5120\,h + \epsilon}, 1\right),\quad "
            r"h \leftarrow \beta_2 h + (1 - \beta_2) g^2,\quad m \leftarrow \beta_1^2 m + (1 - \beta_1^2) g",
            paper="Jia et al. 2024, arXiv:2404.18239; github.com/OPTML-Group/SOUL",
            order="second",
            settings=("lr", "beta1", "beta2", "weight_decay", "rho", "batch_factor"),
            source="The release's configuration for TOFU; a batch factor of 0 means its 5120",
        ),
        OptimizerInfo(
            name="sign-momentum",
            label="Sign momentum",
            sentence="Moves every weight by the learning rate, against the sign of its averaged gradient: "
            "Sophia with every weight clipped, to see what curvature adds.",
            formula=r"\theta \leftarrow \theta - \eta\,\operatorname{sign}(m)",
            paper="Bernstein et al. 2018, arXiv:1802.04434",
            order="control",
            settings=("lr", "beta1", "weight_decay", "state"),
            source="β1 of the SOUL release, as Sophia's beside it; no decay",
        ),
        OptimizerInfo(
            name="sgd",
            label="SGD",
            sentence="Moves each weight by its gradient times the learning rate, and nothing else: no average, no "
            "rescaling, no curvature.",
            formula=r"\theta \leftarrow \theta - \eta\,g",
            paper="Robbins & Monro 1951, doi:10.1214/aoms/1177729586",
            order="control",
            settings=("lr", "weight_decay"),
            source="A rate to begin a search with: it multiplies the gradient itself, unlike the others'; no decay",
        ),
    )
}

_DEFAULTS: dict[str, OptimizerConfig] = {
    "adamw": OptimizerConfig(name="adamw", beta1=0.9, beta2=0.999),
    # As the SOUL release sets them; the Sophia paper has (0.965, 0.99), for pre-training runs of 100k steps, where
    # an average over 100 estimates is short. Unlearning takes tens of steps.
    "sophia": OptimizerConfig(name="sophia", beta1=0.9, beta2=0.95),
    # Decay and the rate as the release's TOFU configuration for GradDiff has them (5 epochs of 100 steps).
    "soul-release": OptimizerConfig(
        name="soul-release", lr=5e-6, beta1=0.9, beta2=0.95, rho=0.04, weight_decay=0.1, batch_factor=5120
    ),
    "sign-momentum": OptimizerConfig(name="sign-momentum", beta1=0.9),
    # With the gradient's norm clipped at 1, the whole step then has a norm of at most 0.1.
    "sgd": OptimizerConfig(name="sgd", lr=0.1),
}


def default_optimizer(name: OptimizerName) -> OptimizerConfig:
    """The settings an optimizer starts from, before any sweep."""
    return _DEFAULTS[name]
