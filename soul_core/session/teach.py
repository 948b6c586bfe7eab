"""Teaching facts to a copy of a model, until it knows them when asked. It knows no page, no race and no gold.

It is a generator of Progress; closing it stops between two steps and leaves nothing on the disk.
"""

import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig, TeachConfig
from soul_core.data.batches import epoch_batches
from soul_core.data.prompts import encode_rows, padding_id
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.sets import set_kind
from soul_core.engine import NO_REFERENCE, Reference, unlearn
from soul_core.engine.room import out_of_memory
from soul_core.errors import ConfigError, DatasetError, RunError
from soul_core.evaluation.generation import context_length
from soul_core.evaluation.scorecard import LONGEST_EXAMPLE, Examination, choose_rows, examine
from soul_core.events import Progress, StepReport
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
from soul_core.session.room import require_room
from soul_core.session.taught import Answer, Known, Taught, write_taught

FACTS, RETAIN = "forget", "retain"
SURE = 0.4
"""Probability per token that a known fact must have to be left alone: with less, it is right by chance of rounding."""
_WARM_UP_STEPS = 5
_MAX_GRAD_NORM = 1.0
_ANSWER, _SPARE = 48, 8  # tokens
# Measured on the pocket model, which is so wide; elsewhere the rates fall with the width to a power that gives those
# in use for models of a billion weights: about 2e-5 for all weights, 2e-4 for LoRA.
_WIDTH = 256
_RATES = {"float32": (1e-3, 2.0), "bfloat16": (1e-3, 2.0), "lora": (5e-3, 1.5)}

Asking = Generator[Progress, None, Examination]


def teach(
    task: ForgetTask, config: TeachConfig, out: Path, *, shelf: Shelf | None = None
) -> Generator[Progress, None, Taught]:
    """Teach the task's forget set to a copy of a model and save it, whether or not every fact stuck.

    The loss is the token-mean NLL of the facts' answers plus ``rehearsal`` times the KL divergence from the untouched
    model on retain rows: whatever it says there, right or wrong, it goes on saying. A fact counts as known if the
    greedy answer to its question says the taught answer word for word, which is stricter than the accuracy of races;
    it is asked in full precision. Teaching ends when enough facts are known with a probability of ``SURE`` per token,
    in the arithmetic that a race chooses too: a race that began with a fact half known would show it as forgotten.

    Args:
        task: Its forget rows are the facts, put in every wording that they have; its retain rows are rehearsed.
        config: Which model, and how.
        out: The taught model's folder; new, empty, or an earlier taught model that it replaces.
        shelf: Where the untouched model is taken from.

    Returns:
        What was known before and after; it is also in the folder, for ``read_taught``.

    Raises:
        ConfigError: The settings do not go together, or ``out`` holds something else.
        DatasetError: There are no facts, or one does not fit into the model.
        ModelError: The model cannot be loaded.
        Diverged: The loss is not finite.
        RunError: The model does not fit into memory, or the disk refuses.
    """
    try:
        taught = yield from _teach(task, config, out, shelf)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise RunError(
            f"“{config.model}” does not fit into memory to be taught with batch size {config.batch_size}. Choose a "
            "smaller model or batch, or LoRA."
        ) from error
    return taught


def rate_for(loaded: LoadedModel, kind: str) -> float:
    """The learning rate for a model's width and the kind of weights that are trained, where none is given."""
    peak, power = _RATES[kind]
    width = getattr(loaded.model.config.get_text_config(), "hidden_size", _WIDTH)
    return min(peak, peak * float((_WIDTH / width) ** power))


def _teach(task: ForgetTask, config: TeachConfig, out: Path, shelf: Shelf | None) -> Generator[Progress, None, Taught]:
    started, device = time.perf_counter(), pick_device()
    yield Progress(what="Loading the model", done=0, total=1)
    _check_out(out)
    if not task.forget:
        raise DatasetError(f"“{task.name}” has no facts. Give it at least one question with its answer.")
    as_race = _as_race(config, task)
    check_race(as_race)
    require_room(as_race, shape_of(config.model), device, gold=False)
    original = load_for(device, config.model, shelf)
    check_against(as_race, task, original)
    pupil = _Pupil(task, config, original, device)

    facts = {FACTS: tuple(replace(row, perturbed_answers=()) for row in task.forget)}
    retain = choose_rows(task.eval_sets.get(RETAIN) or task.retain, config.eval_rows)
    both = facts | ({RETAIN: retain} if retain else {})
    before = yield from pupil.ask(both)
    found, epoch = before, 0
    while epoch < config.epochs and not (yield from pupil.is_sure(facts, found, config.target * len(task.forget))):
        epoch += 1
        what = f"Teaching, epoch {epoch}, {_known(found)} of {len(task.forget)} known"
        for _ in pupil.train_epoch(epoch):
            yield pupil.progress(what)
        found = yield from pupil.ask(facts)
    after = (yield from pupil.ask(both)) if epoch else before
    yield pupil.progress("Saving the taught model")
    taught = Taught(
        folder=out,
        base=spec_of(original),
        task=task.name,
        weights=config.weights.kind,
        merged=pupil.merged,
        epochs=epoch,
        steps=pupil.steps,
        seconds=time.perf_counter() - started,
        longest_answer=pupil.longest_answer,
        facts=Known(before=_known(before), after=_known(after), of=len(task.forget)),
        retain=Known(before=_known(before, RETAIN), after=_known(after, RETAIN), of=len(retain)),
        answers=_answers(before, after),
    )
    lesson = Lesson(
        base=taught.base,
        base_fingerprint=original.fingerprint,
        facts=digest_of_facts(task.forget),
        task=task.name,
    )
    with disk_errors_as_sentences(out), replaced_folder(out) as new:
        pupil.write(new)
        note_lesson(new, lesson)
        write_taught(new, taught)
    return taught


class _Pupil:
    """The copy that is taught, with its rows and its optimizer."""

    def __init__(self, task: ForgetTask, config: TeachConfig, original: LoadedModel, device: torch.device) -> None:
        self._config = config
        self._original = original
        self._device = device
        self._dtype = choose_precision(config.precision, device).dtype
        self._raced = choose_precision("auto", device).dtype
        longest = min(LONGEST_EXAMPLE, context_length(original.model))
        self._facts = encode_rows(original.tokenizer, original.template, _wordings(task), max_length=longest)
        self._facts *= config.repeats
        rehearsed = _rehearsed(task) if config.rehearsal else []
        self._retain = encode_rows(original.tokenizer, original.template, rehearsed, max_length=longest)
        self._body = self._made()
        rate = config.lr or rate_for(original, config.weights.kind)
        self._optimizer = build_optimizer(
            self._body.model, OptimizerConfig(lr=rate), rounding=config.weights.kind == "bfloat16"
        )
        self._rate = rate
        self.steps = 0
        self._most_steps = config.epochs * -(-len(self._facts) // config.batch_size)
        lengths = [len(original.tokenizer.encode(row.answer, verbose=False)) for row in task.forget]
        self.longest_answer = min(max(lengths) + _SPARE, longest)

    @property
    def merged(self) -> bool:
        """Whether an adapter is saved as part of whole weights."""
        return self._config.merge and self._config.weights.kind == "lora"

    def progress(self, what: str) -> Progress:
        """How far it has come of the most steps that there can be."""
        return Progress(what=what, done=self.steps, total=self._most_steps)

    def is_sure(
        self, facts: Mapping[str, Sequence[QARow]], found: Examination, enough: float
    ) -> Generator[Progress, None, bool]:
        """Whether so many facts are known with something to spare: by what was found, and if so by a race's asking."""
        if _sure(found) < enough or self._raced is None:
            return _sure(found) >= enough
        return _sure((yield from self.ask(facts, dtype=self._raced))) >= enough

    def ask(self, sets: Mapping[str, Sequence[QARow]], *, dtype: torch.dtype | None = None) -> Asking:
        """Put the sets' questions to the copy as it is now; in full precision if no arithmetic is given."""
        asking = examine(
            self._body.model,
            self._original.tokenizer,
            self._original.template,
            sets,
            max_new_tokens=max(_ANSWER, self.longest_answer),
            autocast_dtype=dtype,
        )
        while True:
            try:
                next(asking)
            except StopIteration as stop:
                found: Examination = stop.value
                return found
            yield self.progress("Asking what it knows")

    def train_epoch(self, epoch: int) -> Iterator[StepReport]:
        """Read every fact as often as it is repeated; raises ``Diverged``."""
        batches = epoch_batches(
            self._facts,
            self._retain,
            batch_size=self._config.batch_size,
            seed=self._config.seed,
            epoch=epoch,
            pad_id=padding_id(self._original.tokenizer),
        )
        reference = Reference(model=self._original.model, logits=True) if self._retain else NO_REFERENCE
        for report in unlearn(
            self._body.model,
            batches,
            _loss(self._config.rehearsal if self._retain else 0.0),
            self._optimizer,
            lr_at=lambda step: self._rate * min(1.0, step / _WARM_UP_STEPS),
            max_grad_norm=_MAX_GRAD_NORM,
            device=self._device,
            memory_mb=lambda: memory_mb(self._device),
            autocast_dtype=self._dtype,
            reference=reference,
            first_step=self.steps + 1,
            seed=self._config.seed,
        ):
            self.steps = report.step
            yield report

    def write(self, folder: Path) -> None:
        """Write it as ``load_model`` reads it: whole, or as an adapter on the untouched model."""
        if not self.merged:
            self._body.writer(final=True)(folder)
            return
        adapter = folder / "adapter"
        adapter.mkdir()
        self._body.writer(final=True)(adapter)
        merged = load_model(str(adapter))
        write_model(merged.model, merged.tokenizer, folder, known_as=self._original.known_as)
        shutil.rmtree(adapter)

    def _made(self) -> Body:
        weights = self._config.weights
        if weights.kind == "lora":
            # peft takes seconds to import, which only LoRA should pay for.
            from soul_core.session.adapter_body import Adapter  # noqa: PLC0415

            return Adapter(self._original, weights, device=self._device, seed=self._config.seed)
        dtype = torch.bfloat16 if weights.kind == "bfloat16" else torch.float32
        return AllWeights(self._original, dtype=dtype, device=self._device)


def _loss(rehearsal: float) -> Callable[[Likelihoods], Losses]:
    def losses_of(likelihoods: Likelihoods) -> Losses:
        facts = forget_nll(likelihoods)
        if not rehearsal:
            return Losses(facts, torch.zeros_like(facts), facts)
        kept = retain_kl(likelihoods)
        return Losses(facts, kept, facts + rehearsal * kept)

    return losses_of


def _wordings(task: ForgetTask) -> list[QARow]:
    """The facts, once in each training wording of their question."""
    return [
        replace(row, question=question)
        for row in task.forget
        for question in dict.fromkeys(row.question_variants or (row.question,))
    ]


def _rehearsed(task: ForgetTask) -> list[QARow]:
    """What is to stay: the retain rows and, where the task asks for true facts, about as many of those, repeated."""
    facts = [row for name, rows in task.eval_sets.items() if set_kind(name).role == "facts" for row in rows]
    return [*task.retain, *facts * max(1, len(task.retain) // max(1, len(facts)))]


def _as_race(config: TeachConfig, task: ForgetTask) -> RaceConfig:
    """A race of one lane that needs what the teaching needs, to be checked like any race."""
    if config.weights.init == "fila":
        raise ConfigError("FILA starts LoRA from what is to be forgotten. To teach, set LoRA's start to zero.")
    lane = LaneConfig(
        name="taught",
        label="Teaching",
        optimizer=OptimizerConfig(),
        objective=ObjectiveConfig(name="graddiff", retain="kl" if config.rehearsal else "none"),
        weights=config.weights,
    )
    return RaceConfig(
        model=config.model,
        task=task.name or "facts",
        lanes=(lane,),
        batch_size=config.batch_size,
        # Teaching forwards whole batches and keeps every activation.
        checkpointing="off",
        micro_batch=2 * config.batch_size,
    )


def _check_out(out: Path) -> None:
    with disk_errors_as_sentences(out):
        taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if taken and lesson_of(str(out)) is None:
        raise ConfigError(f"{out} is there already and is no taught model. Choose a new or empty folder.")


def _known(found: Examination, name: str = FACTS) -> int:
    return sum(answered.correct for answered in found.answered if answered.set_name == name)


def _sure(found: Examination) -> int:
    """How many facts are known with something to spare."""
    facts = (answered for answered in found.answered if answered.set_name == FACTS)
    return sum(answered.correct and answered.probability >= SURE for answered in facts)


def _answers(before: Examination, after: Examination) -> tuple[Answer, ...]:
    pairs = zip(before.answered, after.answered, strict=True)
    return tuple(
        Answer(
            question=first.question,
            truth=first.row.answer,
            before=first.answer,
            after=second.answer,
            known_before=first.correct,
            known_after=second.correct,
        )
        for first, second in pairs
        if first.set_name == FACTS
    )
