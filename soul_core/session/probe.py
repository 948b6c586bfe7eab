"""Looking into a run's models and attacking them, with what was found kept in its folder. It knows no page."""

import threading
from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import replace

import torch

from soul_core.data.prompts import encode_prompt, template_of
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.tasks import load_task
from soul_core.data.typed import clean_question
from soul_core.engine.room import out_of_memory
from soul_core.errors import ConfigError, RunError
from soul_core.evaluation.forward import device_of
from soul_core.evaluation.generation import greedy_answers
from soul_core.evaluation.scorecard import choose_rows
from soul_core.events import Progress, RaceEnded
from soul_core.models.device import choose_precision, pick_device
from soul_core.models.loading import LoadedModel, copy_of
from soul_core.models.shelf import Shelf
from soul_core.probing.attacks import chosen
from soul_core.probing.bench import Attacking
from soul_core.probing.conversations import Surroundings, next_words
from soul_core.probing.lens import lens_of
from soul_core.probing.results import AttackResult, Bench, Lens
from soul_core.probing.settings import AttackConfig
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import ProbeFolder, probes_of
from soul_core.session.epochs import models_at
from soul_core.session.runmodels import models_of_run

_ANSWERS_KEPT = 512
ORIGINAL, GOLD = "original", "gold"


def lens_of_run(
    folder: RunFolder,
    question: str,
    answer: str = "",
    *,
    epoch: int | None = None,
    top: int = 10,
    shelf: Shelf | None = None,
) -> Lens:
    """Read the true answer to a question under original, lanes and gold, token by token.

    Args:
        folder: The run.
        question: One of the task's, in any phrasing, or any other with its ``answer``.
        answer: The true answer; empty takes the task's, of a running text its next words.
        epoch: Lanes as they were after it; None takes their newest weights.
        top: How many of the likeliest tokens are listed at each place.
        shelf: Where loaded models are kept between calls.

    Raises:
        ConfigError: Question or answer cannot be used, or the task knows no answer and none is given.
        RunError: The run has no weights, or the epoch was not kept.
        ModelError: A model can no longer be loaded, or gives no probabilities.
        DatasetError: The question does not fit into a model, or the task's rows can no longer be read.
    """
    row = _row_asked(load_task(folder.config.task), question)
    form = row.form if row is not None else "question"
    if form == "question":
        question = clean_question(question)
    if row is not None and not answer.strip():
        answer = row.answer if form == "question" else next_words(row).answer
    if not answer.strip():
        raise ConfigError("The task knows no answer to this question. Give the true answer too, or pick one it knows.")
    return lens_of(_models(folder, epoch, shelf), question, answer, top=top, form=form)


def attack_run(
    folder: RunFolder,
    config: AttackConfig | None = None,
    *,
    models: Sequence[str] = (),
    epoch: int | None = None,
    shelf: Shelf | None = None,
) -> Generator[Progress | AttackResult, None, Bench]:
    """Attack original, lanes and gold of a run; what was found is in the run's folder after every cell.

    Closing it stops between two decode steps and keeps every cell that is done. A cell of the bench that is there is
    not made again if it is of the same epoch, the same conversations (so of the same rows, templates and seed), the
    same settings of the answers, and the same weights (by SHA-256) and prompt template; it is yielded at once.

    Args:
        folder: The run; it must have ended, unless an epoch is given.
        config: Which attacks, on how many rows, how hard.
        models: Of these alone, by name; none means all that have weights.
        epoch: Lanes as they were after it; None takes their last weights.
        shelf: Where loaded models are kept between calls.

    Returns:
        The whole bench, with the cells that were kept.

    Raises:
        ConfigError: There is no such attack or model, or an own template cannot be used.
        RunError: The run still trains or has no weights, the epoch was not kept, the memory is full, or the disk
            refuses.
        ModelError: A model can no longer be loaded.
        DatasetError: The task's rows can no longer be read.
    """
    config = config or AttackConfig()
    chosen(config)
    names = (ORIGINAL, *(lane.name for lane in folder.config.lanes), GOLD)
    unknown = [name for name in models if name not in names]
    if unknown:
        raise ConfigError(f"There is no model “{unknown[0][:80]}” in this run. Choose among {', '.join(names)}.")
    if epoch is None:
        _require_ended(folder)
    return _attacked(folder, config, tuple(models), epoch, shelf)


def answers_at(
    folder: RunFolder,
    question: str,
    *,
    epoch: int,
    max_new_tokens: int = 48,
    shelf: Shelf | None = None,
) -> dict[str, str]:
    """What original, every lane as it was after an epoch, and gold answer; a model's words, never to be trusted.

    An answer is remembered by the weights that gave it, so moving back and forth between epochs asks nothing twice.

    Args:
        folder: The run.
        question: Any question.
        epoch: 0 for the start.
        max_new_tokens: Longest answer.
        shelf: Where loaded models are kept between calls.

    Raises:
        ConfigError: The question is empty or too long.
        RunError: The epoch was not kept.
        ModelError: A model can no longer be loaded.
        DatasetError: The question does not fit into a model.
    """
    row = _row_asked(load_task(folder.config.task), question)
    if row is None or row.form == "question":
        question, row = clean_question(question), None
    found = {}
    for name, loaded in _models(folder, epoch, shelf).items():
        template = template_of(row, loaded.template) if row is not None else loaded.template
        key = (loaded.fingerprint, repr(template), question, max_new_tokens)
        answer = _ANSWERS.get(key)
        if answer is None:
            prompt = encode_prompt(loaded.tokenizer, template, question)
            work = greedy_answers(loaded.model, loaded.tokenizer, [prompt], max_new_tokens=max_new_tokens)
            answer = _result(work)[0]
            _ANSWERS.put(key, answer)
        found[name] = answer
    return found


def _attacked(
    folder: RunFolder, config: AttackConfig, names: tuple[str, ...], epoch: int | None, shelf: Shelf | None
) -> Generator[Progress | AttackResult, None, Bench]:
    yield Progress(what="Loading the models", done=0, total=1)
    task, device, place = load_task(folder.config.task), pick_device(), probes_of(folder.path)
    found = {name: _on(device, loaded) for name, loaded in _models(folder, epoch, shelf).items()}
    missing = [name for name in names if name not in found]
    if missing:
        raise RunError(f"“{missing[0]}” has no weights on disk, so it cannot be attacked. Choose another model.")
    # On a CPU fp32, whatever a measurement finds faster there: the same bench comes out the same another day.
    precision = choose_precision("auto" if device.type == "cuda" else "float32", device)
    try:
        attacking = Attacking(
            found,
            choose_rows(task.eval_sets["forget"], config.rows, config.seed),
            config,
            around=Surroundings(retain=task.retain, forget=task.eval_sets["forget"], seed=config.seed),
            epoch=epoch,
            autocast_dtype=precision.dtype,
            before=_bench_of(place),
        )
        for step in attacking.run(names):
            if isinstance(step, AttackResult):
                place.write(attacking.bench)
            yield step
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise RunError(
            f"The memory of {device} is full. Attack fewer models at a time, or fewer draws and shorter answers."
        ) from error
    return attacking.bench


def _bench_of(place: ProbeFolder) -> Bench | None:
    """The bench that is there; one that cannot be read is made again."""
    try:
        found = place.read("bench")
    except RunError:
        return None
    return found if isinstance(found, Bench) else None


def _models(folder: RunFolder, epoch: int | None, shelf: Shelf | None) -> dict[str, LoadedModel]:
    """The models of a run, its lanes as after an epoch, or with their newest weights."""
    config = folder.config
    lanes = {lane.name for lane in config.lanes}
    if epoch is None:
        if not any(folder.weights(name) for name in lanes):
            raise RunError(
                "None of this run's lanes has weights on disk. Let the run finish an epoch, or start it again."
            )
        return models_of_run(folder, shelf)
    kept = sorted({at for name in lanes for at in folder.epochs(name)})
    if epoch != 0 and epoch not in kept:
        which = f"Kept are 0 and {', '.join(map(str, kept))}." if kept else "This run kept only its last weights."
        raise RunError(f"The weights after epoch {epoch} were not kept. {which}")
    return models_at(folder, epoch, shelf)


def _require_ended(folder: RunFolder) -> None:
    events = folder.events()
    if events and not folder.done and not isinstance(events[-1], RaceEnded):
        raise RunError(
            "This run has not come to its end, and its weights change after every epoch. Wait for its end, stop it, "
            "resume it if it was interrupted, or attack one of its kept epochs."
        )


def _row_asked(task: ForgetTask, question: str) -> QARow | None:
    """The row that exactly this question belongs to, in any of its phrasings."""
    wanted = {question, " ".join(question.split())} if isinstance(question, str) else set()
    for row in (row for rows in (task.forget, task.retain, *task.eval_sets.values()) for row in rows):
        if not wanted.isdisjoint(
            (row.question, row.paraphrased_question, *row.question_variants, *row.heldback_questions)
        ):
            return row
    return None


def _on(device: torch.device, loaded: LoadedModel) -> LoadedModel:
    """The model on the device; what is on the shelf stays where it is, as others may be asking it."""
    if device_of(loaded.model).type == device.type:
        return loaded
    model = copy_of(loaded).requires_grad_(False)
    model.to(device)  # type: ignore[arg-type]
    return replace(loaded, model=model)


def _result(work: Generator[object, None, list[str]]) -> list[str]:
    while True:
        try:
            next(work)
        except StopIteration as end:
            said: list[str] = end.value
            return said


class _Remembered:
    """The most recent answers by what decides them. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[object, ...], str] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> str | None:
        """The answer of that key, if it is still here."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: tuple[object, ...], answer: str) -> None:
        """Keep an answer; the one that was not asked for longest goes."""
        with self._lock:
            self._found[key] = answer
            while len(self._found) > _ANSWERS_KEPT:
                self._found.popitem(last=False)


_ANSWERS = _Remembered()
