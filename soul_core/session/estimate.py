"""How long a race will take and how much memory, from steps measured on the actual model. It starts no race."""

import itertools
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import try_to_load_from_cache

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig
from soul_core.data.prompts import encode_rows
from soul_core.data.schema import QARow
from soul_core.data.tasks import load_task
from soul_core.errors import Diverged, ModelError, RunError
from soul_core.evaluation.generation import generate
from soul_core.events import StepReport
from soul_core.models.device import choose_precision, pick_device
from soul_core.models.loading import LoadedModel
from soul_core.models.memory import ModelShape, shape_of
from soul_core.models.presets import PRESETS, gold_for
from soul_core.models.shelf import Shelf
from soul_core.objectives import find_objective
from soul_core.objectives.untrained import InfluenceSettings
from soul_core.session.lanes import LaneMaker, made
from soul_core.session.loaded import load_for
from soul_core.session.material import Material, prepare
from soul_core.session.needed import Load, load_of, process_bytes
from soul_core.session.room import require_room

_EVALUATION_BATCH = 128
_TIMED_STEPS, _TIMED_TOKENS = 3, 4
# A model whose first steps take so long is measured well enough by them.
_LONG_ENOUGH = 2.0
# Metrics of one answer on a CPU: n-grams and ROUGE-L (measured).
_SECONDS_PER_ANSWER = 0.001
_DISK_BYTES_PER_SECOND = 300e6
_KEPT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a race will take.

    Attributes:
        seconds: From Run to the last report, without a download.
        memory_mb: Of the process on a CPU, of the device on a GPU.
        basis: What the numbers rest on, in one sentence.
    """

    seconds: float
    memory_mb: float
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What does not change with the number of epochs."""

    step_seconds: tuple[float, ...]
    curve_seconds: float
    further_seconds: float
    steps_per_epoch: int
    load_seconds: float
    nbytes: int
    references: int
    shape: ModelShape
    load: Load
    bf16: bool


_lock = threading.Lock()
_found: OrderedDict[tuple[RaceConfig, bool | None], _Measured] = OrderedDict()


def estimate(config: RaceConfig, *, shelf: Shelf | None = None, has_gold: bool | None = None) -> Estimate:
    """Measure a few steps and tokens on copies, once per process for the same settings, and extrapolate.

    Do not call it while a race runs: both would be measured wrongly, and both would be slower.

    Args:
        config: The race.
        shelf: Where its models may be already.
        has_gold: Whether a gold will be asked too; None for whether one is known by name.

    Raises:
        ModelError: The model is not on this machine yet, or cannot be used.
        RunError: The race does not fit into memory; the sentence says what would.
        DatasetError: The task cannot be used.
    """
    key = (_what_is_timed(config), has_gold)
    with _lock:  # held while measuring: two measurements at once would disturb each other
        found = _found.get(key)
        if found is None:
            found = _measure(config, shelf, has_gold)
            _found[key] = found
            while len(_found) > _KEPT:
                _found.popitem(last=False)
    evaluated = len({*range(config.eval_every, config.epochs + 1, config.eval_every), config.epochs})
    trained = [lane for lane in config.lanes if _kind(lane) == "trained"]
    training = sum(
        seconds * (config.epochs * found.steps_per_epoch if lane in trained else 1)
        for lane, seconds in zip(config.lanes, found.step_seconds, strict=True)
    )
    lanes, asked = len(config.lanes), len(trained) * evaluated + len(config.lanes) - len(trained)
    asking = (found.references + asked) * found.curve_seconds + (found.references + lanes) * found.further_seconds
    writing = len(trained) * config.epochs * 3 * found.nbytes / _DISK_BYTES_PER_SECOND
    steps = ", ".join(
        f"{lane.label} {1000 * seconds:.0f} ms"
        for lane, seconds in zip(config.lanes, found.step_seconds, strict=True)
        if seconds
    )
    device, load = pick_device(), found.load
    plan = require_room(config, found.shape, device, gold=found.references > 1, load=load, autocast=found.bf16)
    process = process_bytes(config, device, load, bf16=found.bf16)
    return Estimate(
        seconds=found.load_seconds + training + asking + writing,
        memory_mb=(plan.needed + process) / 2**20,
        basis=f"{' '.join((*plan.notes, 'Measured on this machine:'))} a step takes {steps or 'no time'}, "
        f"an evaluation {found.curve_seconds:.1f} s.",
    )


def _what_is_timed(config: RaceConfig) -> RaceConfig:
    """The settings without those that change no time per step."""
    lanes = tuple(
        lane.but(
            optimizer=OptimizerConfig(
                name=lane.optimizer.name,
                curvature=lane.optimizer.curvature,
                curvature_every=lane.optimizer.curvature_every,
                curvature_rows=lane.optimizer.curvature_rows,
                state=lane.optimizer.state,
            ),
            objective=lane.objective.but(gamma=1.0),
        )
        for lane in config.lanes
    )
    return config.but(lanes=lanes, preset="same-settings", epochs=1, eval_every=1, seed=0, warmup=0.0)


def _measure(config: RaceConfig, shelf: Shelf | None, has_gold: bool | None) -> _Measured:
    device = pick_device()
    task = load_task(config.task)
    gold = bool(gold_for(config.model, task)) if has_gold is None else has_gold
    if config.model in PRESETS:  # known to exist, so nobody need ask the network
        _require_here(config.model)
    shape = shape_of(config.model)
    _require_here(config.model)
    require_room(config, shape, device, gold=gold)
    started = time.perf_counter()
    original = load_for(device, config.model, shelf)
    material = prepare(config, task, original)
    loading = time.perf_counter() - started
    precision = choose_precision(config.precision, device)
    bf16 = precision.dtype is not None
    load = load_of(config, material, original)
    plan = require_room(config, shape, device, gold=gold, load=load, autocast=bf16)
    maker = LaneMaker(
        plan.applied(config), task, material, original, device=device, autocast_dtype=precision.dtype, scored=False
    )
    steps = tuple(_lane_seconds(lane, maker, material) for lane in config.lanes)
    return _Measured(
        step_seconds=steps,
        curve_seconds=_asking_seconds(original, material.curve_rows, config, precision.dtype),
        further_seconds=_asking_seconds(original, material.further_rows, config, precision.dtype),
        steps_per_epoch=material.steps_per_epoch,
        load_seconds=loading,
        nbytes=original.nbytes,
        references=2 if gold else 1,
        shape=shape,
        load=load,
        bf16=bf16,
    )


def _kind(lane: LaneConfig) -> str:
    return find_objective(lane.objective.name).kind


def _lane_seconds(entry: LaneConfig, maker: LaneMaker, material: Material) -> float:
    """Seconds of a step of a trained lane; of all that a one-shot method does; 0 for a prompt."""
    if _kind(entry) == "prompt":
        return 0.0
    if _kind(entry) == "trained":
        return _step_seconds(entry, maker)
    plain = LaneConfig(
        name=entry.name,
        label=entry.label,
        optimizer=OptimizerConfig(),
        objective=ObjectiveConfig(name="ga"),
        weights=entry.weights,
    )
    settings = InfluenceSettings(**entry.objective.options)
    return _step_seconds(plain, maker) * settings.passes(material.steps_per_epoch)


def _step_seconds(entry: LaneConfig, maker: LaneMaker) -> float:
    """Mean seconds of a step, curvature spread over the steps between two estimates."""
    # At a rate this small the steps cost what they cost and diverge on no model. Where the adapter starts, costs
    # no step anything.
    harmless = entry.but(optimizer=entry.optimizer.but(lr=1e-9), weights=entry.weights.but(init="zero"))
    lane = made(maker.make(harmless))
    timed: list[float] = []
    try:
        with closing(lane.train_epoch()) as reports:
            steps = (report for report in reports if isinstance(report, StepReport))
            for report in itertools.islice(steps, _TIMED_STEPS):
                timed.append(report.seconds)
                # Never the first step alone: it pays for all that is set up once.
                if len(timed) > 1 and sum(timed) > _LONG_ENOUGH:
                    break
    except Diverged as error:
        raise RunError(f"The first step cannot be taken. {error}") from None
    plan = entry.optimizer
    if plan.name != "sophia" or plan.curvature_every == 1 or len(timed) == 1:
        return min(timed)
    # The first step has the curvature in it, and whatever a first step has to set up.
    plain = min(timed[1 : plan.curvature_every])
    return plain + max(0.0, min(timed[0], 2.5 * plain) - plain) / plan.curvature_every


def _asking_seconds(
    original: LoadedModel,
    rows: Mapping[str, Sequence[QARow]],
    config: RaceConfig,
    autocast_dtype: torch.dtype | None,
) -> float:
    asked = [row for of_set in rows.values() for row in of_set]
    if not asked:
        return 0.0
    batch = asked[:_EVALUATION_BATCH]
    examples = encode_rows(original.tokenizer, original.template, batch)
    prompts = [example.input_ids[: example.prompt_length] for example in examples]
    longest = min(config.max_new_tokens, max(len(e.input_ids) - e.prompt_length for e in examples))
    marks = [time.perf_counter()]
    for _ in generate(
        original.model, original.tokenizer, prompts, max_new_tokens=_TIMED_TOKENS, autocast_dtype=autocast_dtype
    ):
        marks.append(time.perf_counter())
    times = [later - earlier for earlier, later in itertools.pairwise(marks)]
    # Scoring reads question and answer once, which takes about as long as reading the questions does.
    token = min(times[1:], default=times[0])
    return (
        math.ceil(len(asked) / _EVALUATION_BATCH) * (2 * times[0] + longest * token) + len(asked) * _SECONDS_PER_ANSWER
    )


def is_here(spec: str) -> bool:
    """Whether a model can be loaded without a download; what is no model at all counts too: loading says so better."""
    preset = PRESETS.get(spec)
    if (preset is not None and preset.source == "shipped") or Path(spec).expanduser().is_dir():
        return True
    hub_id = preset.where if preset is not None else spec
    try:
        cached = [try_to_load_from_cache(hub_id, f"model.safetensors{end}") for end in ("", ".index.json")]
    except ValueError:
        return True
    return any(isinstance(path, str) for path in cached)


def _require_here(spec: str) -> None:
    """An estimate never downloads weights."""
    if not is_here(spec):
        preset = PRESETS.get(spec)
        size = f" ({4 * preset.parameters / 1e9:.0f} GB in memory)" if preset and preset.parameters else ""
        raise ModelError(f"“{spec}”{size} is not on this machine yet. Its time is known once a race has fetched it.")
