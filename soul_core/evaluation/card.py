"""A scorecard: every number measured on one model, each with its interval. It knows no model and no metric."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from soul_core.errors import RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number.

    Attributes:
        value: The number itself; None where it is not defined for this model and task, and ``note`` says why.
        low: Lower end of its 95 % interval, where it has one.
        high: Upper end.
        rows: How many rows it is of.
        note: What a reader must know about this one number.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    rows: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """What was measured on one model.

    Attributes:
        model: Its name: ``original``, ``gold``, a lane such as ``so``, or what a stranger's model is called.
        spec: What was loaded: preset, hub id or folder; empty for an imported log.
        fingerprint: SHA-256 of its weights, empty for an imported log.
        task: The task's full name.
        measured: By key: ``forget.rouge_l`` for a metric of a set, ``model_utility`` for one of the whole model.
        per_row: By the same keys, the value of every row in order, where a number is a mean over rows; what paired
            differences are made of.
        settings: How it was measured.
        facts: Seconds, device, counts of forwards and generations, versions: printed as they are.
        notes: What a reader must know about all of it.
    """

    model: str
    spec: str = ""
    fingerprint: str = ""
    task: str = ""
    measured: Mapping[str, Measured] = field(default_factory=dict)
    per_row: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def value(self, key: str) -> float | None:
        """The number of that key; None if it was not measured or is not defined."""
        found = self.measured.get(key)
        return found.value if found is not None else None

    def to_json(self) -> str:
        """As it is kept on disk."""
        return _CARD.dump_json(self, indent=1).decode()

    @classmethod
    def from_json(cls, text: str, *, what: str = "scorecard") -> Self:
        """Read back what :meth:`to_json` wrote.

        Raises:
            RunError: It is something else.
        """
        try:
            return _CARD.validate_json(text)  # type: ignore[return-value]
        except ValidationError as error:
            raise RunError(f"The {what} cannot be read as a scorecard. Score the model again.") from error


_CARD: TypeAdapter[Scorecard] = TypeAdapter(Scorecard)
