"""A runner that changes no weights: the original behind a prompt that asks it to forget. It trains nothing."""

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from soul_core.config import LaneConfig, RaceConfig
from soul_core.data.prompt_methods import icul_prompt, input_based_prompt
from soul_core.data.prompts import encode_rows, template_with
from soul_core.data.schema import ForgetTask
from soul_core.errors import ConfigError
from soul_core.evaluation.generation import context_length
from soul_core.events import StepReport
from soul_core.models.loading import ORIGIN_FILE, LoadedModel, spec_of
from soul_core.models.storage import replaced_folder
from soul_core.models.world import ALONE, World
from soul_core.objectives import find_objective, options_of
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.session.recovery import STATE_FILE, Saved

_MOST_QUESTIONS = 400
_LONGEST_PROMPT = 1024


class PromptLane:
    """The original with a longer prompt. Its one epoch takes no step, so that it is one point of the curves.

    Attributes:
        notes: What did not fit into the prompt, in sentences.

    Args:
        task: Whose subjects or rows the prompt is made of.
        world: All processes of the race.

    Raises:
        ConfigError: The model's context has no room for any such prompt.
    """

    epochs = 1
    checkpoint_bytes = 0
    final_bytes = 1 << 20

    def __init__(
        self,
        config: LaneConfig,
        race: RaceConfig,
        task: ForgetTask,
        original: LoadedModel,
        *,
        saved: Saved | None = None,
        world: World = ALONE,
    ) -> None:
        self._world = world
        self.config = config
        self.epoch = saved.epoch if saved is not None else 0
        self.ended = False
        self._original = original
        self._prompt = _prompt_of(config, task, race.seed)
        self._room = _room(race, task, original)
        if self._room < 1:
            label = find_objective(config.objective.name).label
            raise ConfigError(
                f"“{original.name}” reads at most {context_length(original.model)} tokens at once, and question and "
                f"answer leave no room for {label}'s prompt. Choose a model with a longer context."
            )
        self._template = template_with(original.template, self._prompt, tokenizer=original.tokenizer, room=self._room)
        context = self._template.context
        self.notes: tuple[str, ...] = context.notes if context is not None else ()

    @property
    def loaded(self) -> LoadedModel:
        """The original, prompted otherwise."""
        return replace(self._original, name=self.config.label, template=self._template, fingerprint="", notes=())

    def train_epoch(self) -> Generator[StepReport, None, None]:
        """Nothing is trained."""
        self.epoch = 1
        yield from ()

    def save_checkpoint(self, folder: Path) -> None:
        """There is nothing to go on from."""

    def save_final(self, folder: Path, *, diverged: str = "") -> None:
        """Write the prompt and whose weights it is put to; the weights themselves stay where they are."""
        origin = {
            "known_as": self._original.known_as,
            "base": spec_of(self._original),
            "prompt": {"method": self._prompt, "room": self._room},
        }
        saved = Saved(folder=folder, epoch=self.epoch, final=True, diverged=diverged)

        def write() -> None:
            with disk_errors_as_sentences(folder), replaced_folder(folder) as new:
                (new / ORIGIN_FILE).write_text(json.dumps(origin, ensure_ascii=False), encoding="utf-8")
                (new / STATE_FILE).write_text(saved.state(), encoding="utf-8")

        self._world.from_main(write)

    def end(self) -> LoadedModel:
        """The model to ask."""
        self.ended = True
        return self.loaded


def _prompt_of(config: LaneConfig, task: ForgetTask, seed: int) -> dict[str, Any]:
    options = options_of(config.objective)
    if config.objective.name == "input-based":
        return input_based_prompt(task, seed=seed, **options)
    return icul_prompt(task, seed=seed, **options)


def _room(race: RaceConfig, task: ForgetTask, original: LoadedModel) -> int:
    """Tokens that the longest question and its answer leave of the model's context."""
    asked = [row for rows in task.eval_sets.values() for row in rows[:_MOST_QUESTIONS]]
    longest = context_length(original.model)
    examples = encode_rows(original.tokenizer, original.template, asked, max_length=longest)
    taken = max(max(len(e.input_ids), e.prompt_length + race.max_new_tokens) for e in examples)
    return min(_LONGEST_PROMPT, longest - taken)
