"""Teaching facts to a copy of a model, until it knows them when asked. It knows no page, no race and no gold.

It is a generator of Progress; closing it stops between two steps and leaves nothing on the disk.
"""

import shutil
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig, TeachConfig
from soul_core.data.batches import epoch_batches
from soul_core.data.prompts import Example, encode_rows, padding_id
from soul_core.data.schema import ForgetTask, QARow
from soul_core.engine import NO_REFERENCE, Reference, unlearn
from soul_core.errors import ConfigError, DatasetError, RunError
from soul_core.evaluation.generation import context_length
from soul_core.evaluation.scorecard import LONGEST_EXAMPLE, Examination, choose_rows, examine
from soul_core.events import Progress
from soul_core.models.device import choose_precision, memory_mb, pick_device
from soul_core.models.loading import LoadedModel, load_model, spec_of
from soul_core.models.memory import shape_of
from soul_core.models.shelf import Shelf
from soul_core.models.storage import replaced_folder, write_model
from soul_core.models.taught import Lesson, digest_of_facts, lesson_of, note_lesson
from soul_core.objectives import Likelihoods, Losses
from soul_core.objectives.divergence import retain_kl
from soul_core.objectives.likelihoods import forget_nll
from soul_core.optim import build_optimizer
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.session.body import AllWeights, Body
from soul_core.session.checks import check_against, check_race
from soul_core.session.loaded import load_for
from soul_core.session.room import out_of_memory, require_room
from soul_core.session.taught import FILE, Answer, Known, Taught

FACTS, RETAIN = "forget", "retain"
_WARM_UP_STEPS = 5
_MAX_GRAD_NORM = 1.0
_SPARE_TOKENS = 8
# Measured on the pocket model, which is so wide; elsewhere the rates fall with the width to a power that gives those
# in use for models of a billion weights: about 2e-5 for all weights, 2e-4 for LoRA.
_WIDTH = 256
_RATES = {"float32": (1e-3, 2.0), "bfloat16": (1e-3, 2.0), "lora": (4e-3, 1.5)}


def teach(
    task: ForgetTask, config: TeachConfig, out: Path, *, shelf: Shelf | None = None
) -> Generator[Progress, None, Taught]:
    """Teach the task's forget set to a copy of a model and save it, whether or not every fact stuck.

    The loss is the token-mean NLL of the facts' answers plus ``rehearsal`` times the KL divergence from the untouched
    model on retain rows: whatever it says there, right or wrong, it goes on saying. A fact counts as known if the
    greedy answer to its question says the taught answer word for word, which is stricter than the accuracy of races.

    Args:
        task: Its forget rows are the facts, put in every wording that they have; its retain rows are rehearsed.
        config: Which model, and how.
        out: The taught model's folder; new, empty, or an earlier taught model that it replaces.
        shelf: Where the untouched model is taken from.

    Returns:
        What was known before and after; it is also in the folder, for ``read_taught``.

    Raises:
        ConfigError: The settings do not go together, or ``out`` holds something else.
        DatasetError: A fact does not fit into the model.
        ModelError: The model cannot be loaded.
        Diverged: The loss is not finite.
        RunError: The model does not fit into memory, or the disk refuses.
    """
    teaching = _Teaching(task, config, out)
    try:
        return (yield from teaching.run(shelf))
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise RunError(
            f"“{config.model}” does not fit into memory to be taught with batch size {config.batch_size}. Choose a "
            "smaller model or batch, or LoRA."
        ) from error


def rate_for(model: LoadedModel, weights: str) -> float:
    """The learning rate for a model's width, where none is given."""
    peak, power = _RATES[weights]
    width = getattr(model.model.config.get_text_config(), "hidden_size", _WIDTH)
    return min(peak, peak * float((_WIDTH / width) ** power))


class _Teaching:
    """One teaching while it runs."""

    def __init__(self, task: ForgetTask, config: TeachConfig, out: Path) -> None:
        self._task = task
        self._config = config
        self._out = out
        self._device = pick_device()
        self._started = time.perf_counter()
        self._done = self._total = 0

    def run(self, shelf: Shelf | None) -> Generator[Progress, None, Taught]:
        """Everything from the checks to the folder."""
        config, task = self._config, self._task
        yield Progress(what="Loading the model", done=0, total=1)
        self._check_out()
        if not task.forget:
            raise DatasetError(f"“{task.name}” has no facts. Give it at least one question with its answer.")
        as_race = _as_race(config, task)
        check_race(as_race)
        require_room(as_race, shape_of(config.model), self._device, gold=False)
        original = load_for(self._device, config.model, shelf)
        check_against(as_race, task, original)
        dtype = choose_precision(config.precision, self._device).dtype
        facts, retain = self._examples(original)
        steps = -(-len(facts) // config.batch_size)
        self._total = config.epochs * steps

        asked = {FACTS: tuple(replace(row, perturbed_answers=()) for row in task.forget)}
        kept = choose_rows(task.eval_sets.get("retain") or task.retain, config.eval_rows)
        every = asked | ({RETAIN: kept} if kept else {})
        before = yield from self._ask(original, every, dtype)
        body = self._body(original)
        now = replace(original, model=body.model, fingerprint="", notes=())
        found, epoch = before, 0
        while epoch < config.epochs and _known(found) < config.target * len(task.forget):
            epoch += 1
            yield from self._train(body, original, facts, retain, dtype, epoch, known=_known(found))
            found = yield from self._ask(now, asked, dtype)
        after = yield from self._ask(now, every, dtype)

        taught = Taught(
            folder=self._out,
            base=spec_of(original),
            task=task.name,
            weights=config.weights.kind,
            merged=config.merge and config.weights.kind == "lora",
            epochs=epoch,
            steps=self._done,
            seconds=time.perf_counter() - self._started,
            longest_answer=self._longest_answer(original),
            facts=Known(before=_known(before), after=_known(after), of=len(task.forget)),
            retain=Known(before=_known(before, RETAIN), after=_known(after, RETAIN), of=len(kept)),
            answers=tuple(
                Answer(question=a.question, truth=a.row.answer, before=a.answer, after=b.answer, known=b.correct)
                for a, b in zip(before.answered, after.answered, strict=True)
                if a.set_name == FACTS
            ),
        )
        yield Progress(what="Saving the taught model", done=self._done, total=self._total)
        self._save(body, original, taught)
        return taught

    def _check_out(self) -> None:
        with disk_errors_as_sentences(self._out):
            taken = self._out.exists() and (not self._out.is_dir() or any(self._out.iterdir()))
        if taken and lesson_of(str(self._out)) is None:
            raise ConfigError(f"{self._out} is there already and is no taught model. Choose a new or empty folder.")

    def _examples(self, original: LoadedModel) -> tuple[list[Example], list[Example]]:
        """The facts in all their wordings, as often as they are read in an epoch, and the retain rows."""
        longest = min(LONGEST_EXAMPLE, context_length(original.model))

        def encode(rows: Sequence[QARow]) -> list[Example]:
            return encode_rows(original.tokenizer, original.template, rows, max_length=longest)

        wordings = [
            replace(row, question=question)
            for row in self._task.forget
            for question in dict.fromkeys(row.question_variants or (row.question,))
        ]
        retain = self._task.retain if self._config.rehearsal else ()
        return encode(wordings) * self._config.repeats, encode(retain)

    def _longest_answer(self, original: LoadedModel) -> int:
        """Tokens of the longest fact, with some to spare: what an answer needs to say it."""
        lengths = [len(original.tokenizer.encode(row.answer, verbose=False)) for row in self._task.forget]
        return min(max(lengths) + _SPARE_TOKENS, context_length(original.model), LONGEST_EXAMPLE)

    def _body(self, original: LoadedModel) -> Body:
        weights = self._config.weights
        if weights.kind == "lora":
            # peft takes seconds to import, which only LoRA should pay for.
            from soul_core.session.adapter_body import Adapter  # noqa: PLC0415

            return Adapter(original, weights, device=self._device, seed=self._config.seed)
        dtype = torch.bfloat16 if weights.kind == "bfloat16" else torch.float32
        body = AllWeights(original, dtype=dtype, device=self._device)
        self._optimizer = None
        return body

    def _train(
        self,
        body: Body,
        original: LoadedModel,
        facts: Sequence[Example],
        retain: Sequence[Example],
        dtype: torch.dtype | None,
        epoch: int,
        *,
        known: int,
    ) -> Generator[Progress, None, None]:
        ...
