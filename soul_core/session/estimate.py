"""How long a race will take and how much memory, from steps measured on the actual model. It starts no race."""

import itertools
import math
import os
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
from soul_core.data.prompts import encode_examples, encode_prompt
from soul_core.data.schema import QARow
from soul_core.data.tasks import load_task
from soul_core.errors import Diverged, ModelError, RunError
from soul_core.evaluation.generation import generate
from soul_core.models.device import choose_precision, pick_device
from soul_core.models.loading import LoadedModel
from soul_core.models.memory import ModelShape, activation_bytes, estimate_memory, shape_of
from soul_core.models.presets import PRESETS, gold_for
from soul_core.models.shelf import Shelf
from soul_core.session.lane import Lane
from soul_core.session.loaded import load_for
from soul_core.session.material import Material, prepare

# Python, torch, transformers and their caches, before any model (measured on Linux).
_PROCESS_MB = 600.0
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
    memory_mb: float


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
        RunError: The race does not fit into memory.
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
    lanes = len(config.lanes)
    training = config.epochs * found.steps_per_epoch * sum(found.step_seconds)
    asking = (found.references + lanes * evaluated) * found.curve_seconds
    asking += (found.references + lanes) * found.further_seconds
    writing = lanes * config.epochs * 3 * found.nbytes / _DISK_BYTES_PER_SECOND
    steps = ", ".join(
        f"{lane.label} {1000 * seconds:.0f} ms" for lane, seconds in zip(config.lanes, found.step_seconds, strict=True)
    )
    return Estimate(
        seconds=found.load_seconds + training + asking + writing,
        memory_mb=found.memory_mb,
        basis=f"Measured on this machine: a step takes {steps}, an evaluation {found.curve_seconds:.1f} s.",
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
            ),
            objective=ObjectiveConfig(name=lane.objective.name),
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
    needed = _needed_bytes(config, shape, gold=gold)
    available = _available_bytes(device)
    if needed > available:
        raise RunError(
            f"This race needs about {needed / 1e9:.1f} GB of memory, and {device} has {available / 1e9:.1f} GB. "
            "Choose a smaller model or batch, or fewer lanes."
        )
    started = time.perf_counter()
    original = load_for(device, config.model, shelf)
    material = prepare(config, task, original)
    loading = time.perf_counter() - started
    precision = choose_precision(config.precision, device)
    steps = tuple(_step_seconds(lane, config, material, original, device, precision.dtype) for lane in config.lanes)
    return _Measured(
        step_seconds=steps,
        curve_seconds=_asking_seconds(original, material.curve_rows, config, precision.dtype),
        further_seconds=_asking_seconds(original, material.further_rows, config, precision.dtype),
        steps_per_epoch=material.steps_per_epoch,
        load_seconds=loading,
        nbytes=original.nbytes,
        references=2 if gold else 1,
        memory_mb=needed / 2**20 + (_PROCESS_MB if device.type == "cpu" else 0.0),
    )


def _step_seconds(
    entry: LaneConfig,
    config: RaceConfig,
    material: Material,
    original: LoadedModel,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
) -> float:
    """Mean seconds of a step, curvature spread over the steps between two estimates."""
    # At a rate this small the steps cost what they cost and diverge on no model.
    harmless = entry.but(optimizer=entry.optimizer.but(lr=1e-9))
    lane = Lane(
        harmless,
        config,
        material,
        original,
        device=device,
        autocast_dtype=autocast_dtype,
        reference_nll_N=torch.zeros(len(material.forget_examples(entry.objective))),
    )
    timed: list[float] = []
    try:
        with closing(lane.train_epoch()) as reports:
            for report in itertools.islice(reports, _TIMED_STEPS):
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
    prompts = [encode_prompt(original.tokenizer, original.template, row.question) for row in batch]
    pairs = [(row.question, row.answer) for row in batch]
    examples = encode_examples(original.tokenizer, original.template, pairs)
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


def _require_here(spec: str) -> None:
    """An estimate never downloads weights."""
    preset = PRESETS.get(spec)
    if (preset is not None and preset.source == "shipped") or Path(spec).expanduser().is_dir():
        return
    hub_id = preset.where if preset is not None else spec
    try:
        cached = [try_to_load_from_cache(hub_id, f"model.safetensors{end}") for end in ("", ".index.json")]
    except ValueError:  # no hub id at all: loading says so better
        return
    if not any(isinstance(path, str) for path in cached):
        size = f" ({4 * preset.parameters / 1e9:.0f} GB in memory)" if preset and preset.parameters else ""
        raise ModelError(f"“{spec}”{size} is not on this machine yet. Its time is known once a race has fetched it.")


def _needed_bytes(config: RaceConfig, shape: ModelShape, *, gold: bool) -> int:
    tokens = 2 * config.batch_size * 64  # forget and retain rows of about 64 tokens
    return estimate_memory(
        shape.parameters,
        lanes=len(config.lanes),
        untrained=2 if gold else 1,
        activations=activation_bytes(shape, tokens),
    )


def _available_bytes(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[1])
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return math.inf
