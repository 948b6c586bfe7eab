"""A configured objective as one function of likelihoods: forget term plus weighted retain term. It knows no model."""

from dataclasses import dataclass
from typing import Any

from soul_core.config import ObjectiveConfig
from soul_core.errors import ConfigError
from soul_core.objectives.entry import Objective
from soul_core.objectives.likelihoods import Likelihoods, Losses, retain_nll
from soul_core.objectives.registry import find_objective
from soul_core.objectives.retain import RETAINS


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a configured objective needs of the model before unlearning: the likelihood of the forget answers
    (scored once), its distributions, its hidden states (each at every step). ``own_logits``: the distributions of
    the model that is trained, beyond the likelihood of the answers."""

    nll: bool
    logits: bool
    hidden: bool
    own_logits: bool

    @property
    def model(self) -> bool:
        """Whether the original must be at hand while training."""
        return self.logits or self.hidden


def options_of(config: ObjectiveConfig) -> dict[str, Any]:
    """The objective's own settings, checked, with its defaults for those that are not given.

    Raises:
        ConfigError: There is no such objective, it has no such setting, or a value is out of bounds.
    """
    return find_objective(config.name).settings(**config.options).model_dump()


def retain_name(config: ObjectiveConfig) -> str:
    """Which retain term is meant.

    Raises:
        ConfigError: The objective cannot have that one.
    """
    objective = find_objective(config.name)
    if config.retain == "default":
        return objective.retains[0]
    if config.retain not in objective.retains:
        raise ConfigError(
            f"{objective.label} cannot have the retain term “{config.retain}”. Choose {', '.join(objective.retains)}."
        )
    return config.retain


def needs_of(config: ObjectiveConfig) -> Needs:
    """What the objective and its retain term need together."""
    objective, retain = find_objective(config.name), RETAINS[retain_name(config)]
    return Needs(
        nll=objective.reference == "nll",
        logits=objective.reference == "logits" or retain.needs_logits,
        hidden=objective.reference == "hidden" or retain.needs_hidden,
        own_logits=objective.own_logits or retain.own_logits,
    )


class Criterion:
    """The configured objective: call it with likelihoods.

    Attributes:
        weight: What the retain term is multiplied by: γ, or where γ has moved to for an objective with ``dual``.

    Raises:
        ConfigError: See ``options_of`` and ``retain_name``; or it is not an objective that is trained.
    """

    def __init__(self, config: ObjectiveConfig, *, weight: float | None = None) -> None:
        self._objective: Objective = find_objective(config.name)
        self._options = options_of(config)
        if self._objective.forget is None:
            raise ConfigError(f"{self._objective.label} is not trained step by step and has no loss.")
        self._forget = self._objective.forget
        self._retain = RETAINS[retain_name(config)].term
        self._has_retain = retain_name(config) != "none"
        self.weight = config.gamma if weight is None else weight

    def __call__(self, likelihoods: Likelihoods) -> Losses:
        """Forget term, watched retain NLL, and what is differentiated."""
        forget = self._forget(likelihoods, **self._objective.own(self._forget, self._options))
        watched = retain_nll(likelihoods)
        if not self._has_retain:
            return Losses(forget=forget, retain=watched.detach(), total=forget)
        term = self._retain(likelihoods)
        kept = watched if self._retain is retain_nll else watched.detach()
        return Losses(forget=forget, retain=kept, total=forget + self.weight * term)

    def stepped(self, retain: float) -> None:
        """A step was taken at this retain NLL: an objective with ``dual`` moves its weight."""
        if self._objective.dual is not None:
            own = self._objective.own(self._objective.dual, self._options)
            self.weight = self._objective.dual(self.weight, retain, **own)


def losses_for(config: ObjectiveConfig) -> Criterion:
    """The configured objective as a function of likelihoods alone: what the engine takes."""
    return Criterion(config)
