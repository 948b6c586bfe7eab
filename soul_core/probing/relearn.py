"""Teaching forgotten models a little of it again, and what else comes back with it. It knows no run and no page."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace

import torch

from soul_core.config import OptimizerConfig
from soul_core.data.batches import Batch, epoch_batches
from soul_core.data.prompts import encode_rows, padding_id
from soul_core.data.schema import QARow
from soul_core.engine import unlearn
from soul_core.errors import Diverged, ModelError
from soul_core.evaluation.generation import context_length
from soul_core.evaluation.scorecard import LONGEST_EXAMPLE, Examination, examine
from soul_core.events import Progress, StepReport
from soul_core.models.device import memory_mb
from soul_core.models.loading import LoadedModel, copy_of
from soul_core.objectives import Likelihoods, Losses
from soul_core.objectives.likelihoods import forget_nll
from soul_core.optim import build_optimizer
from soul_core.probing.relearn_rows import FORGET, RelearnRows
from soul_core.probing.results import Relearning, RelearnPoint
from soul_core.probing.settings import RelearnConfig

TRAINED = "trained"
_MAX_GRAD_NORM = 1.0
# Measured on the pocket model (forget10, seed 0, 30 steps on 12 rows), which is so wide. Gold then knows 92 % of the
# rows it is trained on and 5 % of the rest; at 1e-4 it knows 50 % of them, at 1e-3 no more (83 %), while forgotten
# models lose what had come back. Wider models get less: about 1e-5 for a billion weights, as usual in fine-tuning.
_WIDTH, _RATE, _POWER = 256, 3e-4, 1.5
# Shares of the bar, in steps: on the pocket model asking takes about as long as so many.
_LOADING, _EXAMINATION = 1, 8


def rate_for(width: int) -> float:
    """The learning rate for models of this width, where none is given."""
    return min(_RATE, _RATE * float((_WIDTH / width) ** _POWER))


class Relearner:
    """Fine-tunes a copy of every model on the same rows in the same order and asks the rest as it goes.

    AdamW at a constant rate on the token-mean NLL of the answers, through the loop that races use; nothing is
    rehearsed, and the models that are given stay as they are. What a model knows of the rest after some steps is what
    these rows give to any model, and what was still in its weights; gold, in which nothing was, shows the first.

    Args:
        models: By name, how each is loaded onto ``device``.
        rows: What it is trained on and asked.
        config: How much; its rate is above 0.
        device: Where copies are trained.
        autocast_dtype: Reduced precision of forwards, or None; weights are fp32.
        together: Whether all copies are held at once and take turns, so that their curves grow together; else one
            model is finished before the next is loaded.
        titles: What models are called in notes.
    """

    def __init__(
        self,
        models: Mapping[str, Callable[[], LoadedModel]],
        rows: RelearnRows,
        config: RelearnConfig,
        *,
        device: torch.device,
        autocast_dtype: torch.dtype | None = None,
        together: bool = True,
        titles: Mapping[str, str] | None = None,
    ) -> None:
        if not config.lr:
            raise ValueError("a rate of 0 teaches nothing; see rate_for")
        self._models = models
        self._rows = rows
        self._config = config
        self._device = device
        self._autocast_dtype = autocast_dtype
        self._together = together
        self._titles = titles or {}
        self._points: list[RelearnPoint] = []
        self._notes = list(rows.notes)
        self._started = time.perf_counter()
        self._turns = _turns(config)
        self._each = _LOADING + config.steps + _EXAMINATION * len(self._turns)
        self._done = 0

    @property
    def found(self) -> Relearning:
        """All that is measured so far. A model whose loss was no longer finite ended early, with a note."""
        return Relearning(
            on=self._config.on,
            trained_rows=len(self._rows.trained),
            asked_rows=len(self._rows.asked),
            points=tuple(self._points),
            settings=self._config.model_dump(mode="json"),
            notes=tuple(self._notes),
            seconds=time.perf_counter() - self._started,
        )

    def run(self) -> Generator[Progress | RelearnPoint, None, None]:
        """Take all steps; each point is yielded as soon as it is measured.

        Raises:
            DatasetError: A row does not fit into a model.
            ModelError: No model could be loaded.
        """
        self._started = time.perf_counter()
        names = list(self._models)
        for group in [names] if self._together else [[name] for name in names]:
            pupils = yield from self._pupils(group)
            for start, stop in self._turns:
                for name, pupil in list(pupils.items()):
                    try:
                        yield from self._turn(pupil, start, stop)
                    except Diverged as error:
                        self._note(name, f"its curve ends at step {start}. {error}")
                        del pupils[name]
            pupils.clear()  # before the next is loaded

    def _pupils(self, names: Sequence[str]) -> Generator[Progress, None, "dict[str, _Pupil]"]:
        """A copy of each model; one that cannot be loaded is a note, unless none can."""
        pupils: dict[str, _Pupil] = {}
        for name in names:
            yield self._progress("Loading the model", name)
            self._done += _LOADING
            try:
                loaded = self._models[name]()
            except ModelError as error:
                if len(self._models) == 1:
                    raise
                self._note(name, f"not relearned. {error}")
                continue
            pupils[name] = _Pupil(name, loaded, self._rows.trained, self._config, self._device, self._autocast_dtype)
        return pupils

    def _turn(self, pupil: "_Pupil", start: int, stop: int) -> Generator[Progress | RelearnPoint, None, None]:
        for report in pupil.train(start, stop):
            self._done += 1
            yield self._progress(f"Relearning, step {report.step} of {self._config.steps}", pupil.name)
        before, asking = self._done, pupil.ask(self._rows)
        while True:
            try:
                asked = next(asking)
            except StopIteration as stopped:
                point: RelearnPoint = stopped.value
                break
            if asked.what == "Asking questions":  # the longer part of it, and the first
                self._done = before + (_EXAMINATION - 1) * asked.done // asked.total
            yield self._progress(f"Asking the rest after step {stop}", pupil.name)
        self._done = before + _EXAMINATION
        self._points.append(point)
        yield point

    def _progress(self, what: str, name: str) -> Progress:
        return Progress(what=what, lane=name, done=self._done, total=self._each * len(self._models))

    def _note(self, name: str, words: str) -> None:
        self._notes.append(f"{self._titles.get(name, name)}: {words}")


def _turns(config: RelearnConfig) -> list[tuple[int, int]]:
    """From which step to which each turn goes: none first, then ``every`` at a time; the last may be shorter."""
    stops = [0, *range(config.every, config.steps, config.every), config.steps]
    return list(zip([0, *stops[:-1]], stops, strict=True))


class _Pupil:
    """The copy of one model that is trained."""

    def __init__(
        self,
        name: str,
        loaded: LoadedModel,
        trained: Sequence[QARow],
        config: RelearnConfig,
        device: torch.device,
        autocast_dtype: torch.dtype | None,
    ) -> None:
        self.name = name
        self._loaded = replace(loaded, model=copy_of(loaded))
        self._config = config
        self._device = device
        self._autocast_dtype = autocast_dtype
        self._optimizer = build_optimizer(self._loaded.model, OptimizerConfig(lr=config.lr))
        self._batches = _batches(self._loaded, trained, config)
        self._step = 0

    def train(self, start: int, stop: int) -> Iterator[StepReport]:
        """Take the steps after ``start``; raises ``Diverged``."""
        for report in unlearn(
            self._loaded.model,
            self._batches[start:stop],
            _loss,
            self._optimizer,
            lr_at=lambda _: self._config.lr,
            max_grad_norm=_MAX_GRAD_NORM,
            device=self._device,
            memory_mb=lambda: memory_mb(self._device),
            autocast_dtype=self._autocast_dtype,
            first_step=start + 1,
            seed=self._config.seed,
            own_logits=False,
        ):
            self._step = report.step
            yield report

    def ask(self, rows: RelearnRows) -> Generator[Progress, None, RelearnPoint]:
        """Put the questions to the copy as it is now."""
        found: Examination = yield from examine(
            self._loaded.model,
            self._loaded.tokenizer,
            self._loaded.template,
            {FORGET: rows.asked} | ({TRAINED: rows.again} if rows.again else {}),
            max_new_tokens=self._config.max_new_tokens,
            autocast_dtype=self._autocast_dtype,
        )
        scores = found.scores[FORGET]
        rest = [answered for answered in found.answered if answered.set_name == FORGET]
        return RelearnPoint(
            model=self.name,
            step=self._step,
            acc=scores.acc,
            low=scores.acc_low,
            high=scores.acc_high,
            probability=scores.probability,
            rouge_l=scores.rouge_l,
            trained_acc=found.scores[TRAINED].acc if TRAINED in found.scores else None,
            right=tuple(answered.correct for answered in rest),
            likely=tuple(answered.probability for answered in rest),
        )


def _batches(loaded: LoadedModel, rows: Sequence[QARow], config: RelearnConfig) -> list[Batch]:
    """As many batches as there are steps: the rows again and again, in an order of their own each time."""
    longest = min(LONGEST_EXAMPLE + loaded.template.context_tokens, context_length(loaded.model))
    examples = encode_rows(loaded.tokenizer, loaded.template, rows, max_length=longest)
    each = math.ceil(len(examples) / config.batch_size)
    batches: list[Batch] = []
    for epoch in range(1, math.ceil(config.steps / each) + 1):
        batches += epoch_batches(
            examples,
            [],
            batch_size=config.batch_size,
            seed=config.seed,
            epoch=epoch,
            pad_id=padding_id(loaded.tokenizer),
        )
    return batches[: config.steps]


def _loss(likelihoods: Likelihoods) -> Losses:
    nll = forget_nll(likelihoods)
    return Losses(nll, torch.zeros_like(nll), nll)
