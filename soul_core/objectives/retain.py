"""What protects the retain rows, by name. It knows likelihoods only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from soul_core.objectives.divergence import retain_kl
from soul_core.objectives.likelihoods import Likelihoods, retain_nll
from soul_core.objectives.representation import retain_hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Retain:
    """One retain term.

    Attributes:
        label: How the page calls it.
        sentence: What it does.
        formula: LaTeX, without delimiters; empty for none.
        needs_logits: Whether it looks at the original's distribution.
        needs_hidden: Whether it looks at the original's hidden states.
        own_logits: Whether it looks at the model's own distribution, beyond the likelihood of the answers.
        term: The term, a scalar.
    """

    label: str
    sentence: str
    formula: str
    needs_logits: bool = False
    needs_hidden: bool = False
    own_logits: bool = False
    term: Callable[[Likelihoods], Tensor]


RETAINS: Mapping[str, Retain] = {
    "nll": Retain(
        label="NLL",
        sentence="Goes on learning the answers that should stay.",
        formula=r"\frac{1}{|y_r|}\sum_t \ell_t(y_r)",
        term=retain_nll,
    ),
    "kl": Retain(
        label="KL",
        sentence="Keeps the original's whole distribution on the answers that should stay.",
        formula=r"\frac{1}{|y_r|}\sum_t \mathrm{KL}\!\left(\pi_\text{ref}(\cdot \mid y_{r,\lt t})\,\middle\|\,"
        r"\pi_\theta(\cdot \mid y_{r,\lt t})\right)",
        needs_logits=True,
        own_logits=True,
        term=retain_kl,
    ),
    "hidden": Retain(
        label="Hidden states",
        sentence="Keeps the original's hidden states, at the layer that is steered, on the answers that should stay.",
        formula=r"\mathbb{E}_r\!\left[\frac{1}{|y_r|}\sum_t \tfrac{1}{H}\left\|h_t - h^\text{ref}_t\right\|^2\right]",
        needs_hidden=True,
        term=retain_hidden,
    ),
    "none": Retain(
        label="None",
        sentence="Leaves the retain rows alone; they are only watched.",
        formula="",
        term=lambda likelihoods: retain_nll(likelihoods).detach() * 0.0,
    ),
}
"""All retain terms; ``default`` of ``ObjectiveConfig.retain`` is the objective's first."""
