"""The registry of metrics: what each means, which way is better, by which convention. It knows no model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from soul_core.data.sets import Role
from soul_core.evaluation.card import Measured
from soul_core.evaluation.evidence import Evidence, SetEvidence

Group = Literal["SOUL", "TOFU", "LoKU", "RWKU", "MUSE", "Memorization", "Membership", "Fluency", "Text"]
Direction = Literal["higher", "lower", "gold", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A number and, where it is a mean over rows, the rows' values in order."""

    measured: Measured
    per_row: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What a reader is told about a number.

    Attributes:
        name: Its key.
        title: The header of its column.
        group: Whose metric it is.
        meaning: One plain sentence for a reader who knows nothing.
        convention: By which of the literature's definitions it is computed, and how that differs from the others.
        formula: As one line of text.
        source: Paper or code it is from.
        digits: Decimals shown in a table.
    """

    name: str
    title: str
    group: Group
    meaning: str
    convention: str
    formula: str
    source: str
    digits: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMetric(Explained):
    """A metric of one question set; its key on a scorecard is ``set.name``.

    Attributes:
        better: Which way is better, by what the set stands for.
        of: Computes it; None where the set has not what it needs (then it is left out of the scorecard).
        roles: For sets of which roles it is computed.
    """

    of: Callable[[SetEvidence], Found | None]
    better: Mapping[Role, Direction] = field(
        default_factory=lambda: {"forget": "lower", "retain": "higher", "facts": "higher"}
    )
    roles: tuple[Role, ...] = ("forget", "retain", "facts")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetric(Explained):
    """A metric of a whole model; its key on a scorecard is its name.

    Attributes:
        better: Which way is better; ``gold`` means nearer to the gold model's value, ``none`` that neither is.
        of: Computes it; None where it cannot be computed from this evidence (then it is left out).
    """

    of: Callable[[Evidence], Found | None]
    better: Direction


SET_METRICS: dict[str, SetMetric] = {}
MODEL_METRICS: dict[str, ModelMetric] = {}


def register(*metrics: SetMetric | ModelMetric) -> None:
    """Add metrics, each under its own name.

    Raises:
        ValueError: The name is taken.
    """
    for metric in metrics:
        if metric.name in SET_METRICS or metric.name in MODEL_METRICS:
            raise ValueError(f"there is a metric “{metric.name}” already")
        if isinstance(metric, SetMetric):
            SET_METRICS[metric.name] = metric
        else:
            MODEL_METRICS[metric.name] = metric


def explained(key: str) -> SetMetric | ModelMetric | None:
    """The metric behind a scorecard's key, ``forget.rouge_l`` or ``model_utility``; None if nobody registered it."""
    return MODEL_METRICS.get(key) or SET_METRICS.get(key.partition(".")[2])
