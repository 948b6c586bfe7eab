"""What came of a teaching: what was known before and after, kept in the taught model's folder. It trains nothing."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from soul_core.config import PresetName, RaceConfig, WeightsConfig
from soul_core.errors import RunError
from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.session.presets import ALL_WEIGHTS, lanes_for

TAUGHT_FILE = "taught.json"
OBJECTIVE = "graddiff"
# A handful of facts is one batch, and one step an epoch forgets nothing: three or more do in five epochs (measured).
_EPOCHS, _STEPS, _LARGEST_BATCH = 5, 3, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How many rows of a set a model knew before and after."""

    before: int
    after: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one fact's question was answered before and after; a model's words, never to be trusted as markup."""

    question: str
    truth: str
    before: str
    after: str
    known_before: bool
    known_after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """A taught model and how well it was taught.

    Attributes:
        folder: Where it lies.
        base: The untouched model, which is its gold.
        task: The task whose forget set it was taught.
        weights: Which weights were trained: a ``WeightKind``.
        merged: Whether a LoRA adapter was put into whole weights.
        epochs: How many were needed.
        steps: Optimizer steps.
        seconds: From the call to the folder.
        longest_answer: Tokens that an answer needs to say the longest fact.
        facts: Of the facts, each known if the answer says it word for word.
        retain: Of the retain rows asked, by the accuracy of races.
        answers: Every fact's.
    """

    folder: Path
    base: str
    task: str
    weights: str
    merged: bool
    epochs: int
    steps: int
    seconds: float
    longest_answer: int
    facts: Known
    retain: Known
    answers: tuple[Answer, ...]

    @property
    def sentence(self) -> str:
        """What came of it, for a person."""
        facts, retain = self.facts, self.retain
        said = f"Of {facts.of} facts it knew {facts.before} before and knows {facts.after} now"
        if retain.of:
            said += (
                f"; of {retain.of} other questions it answered {retain.before} rightly before and {retain.after} now"
            )
        return f"{said} ({self.epochs} epochs, {self.seconds:.0f} s)."

    @property
    def forgettable(self) -> bool:
        """Whether there is anything to forget."""
        return self.facts.after > 0

    def race(self, *, preset: PresetName = "same-settings") -> RaceConfig:
        """A race in which FO and SO forget the facts again; its gold is the untouched model.

        What was taught with LoRA and merged is forgotten with LoRA too; on an adapter no second one can be put.
        """
        default = RaceConfig.model_fields["max_new_tokens"].default
        weights = WeightsConfig(kind="lora") if self.merged else ALL_WEIGHTS
        return RaceConfig(
            model=str(self.folder),
            task=self.task,
            preset=preset,
            lanes=lanes_for(preset, OBJECTIVE, weights=weights),
            epochs=_EPOCHS,
            batch_size=min(_LARGEST_BATCH, math.ceil(self.facts.of / _STEPS)),
            max_new_tokens=max(default, min(self.longest_answer, 512)),
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {**asdict(self), "folder": str(self.folder)}


_TAUGHT: TypeAdapter[Taught] = TypeAdapter(Taught)


def write_taught(folder: Path, taught: Taught) -> None:
    """Keep it in a folder, which may be a new one that the caller makes appear later.

    Raises:
        RunError: The disk refuses.
    """
    with disk_errors_as_sentences(folder):
        write_text(folder / TAUGHT_FILE, json.dumps(taught.to_json(), ensure_ascii=False, indent=1))


def read_taught(folder: Path) -> Taught:
    """Read it back; the folder may have been moved.

    Raises:
        RunError: The folder holds no taught model, or what is noted there cannot be read.
    """
    try:
        values = json.loads((folder / TAUGHT_FILE).read_text(encoding="utf-8"))
        return _TAUGHT.validate_python({**values, "folder": folder})
    except (OSError, ValueError, TypeError, ValidationError):
        raise RunError(f"{folder} holds no taught model that can be read. Teach it again.") from None
