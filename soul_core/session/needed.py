"""What a race takes in memory at its peak, from shapes and settings. It knows no device's size and no weights.

A process on a CPU holds the sum of what it ever held at once in each kind: the C library finds no use for the holes
that activations leave among gradients and states. CUDA's allocator was not measured and is counted alike.
"""

import math
from dataclasses import dataclass

import torch

from soul_core.config import LaneConfig, OptimizerConfig, RaceConfig
from soul_core.data.prompts import encode_rows
from soul_core.engine.head import MOST_LOGITS
from soul_core.evaluation.generation import context_length
from soul_core.models.loading import LoadedModel
from soul_core.models.memory import (
    FP32,
    Forwarded,
    LaneBytes,
    ModelShape,
    activation_bytes,
    adapter_parameters,
    asking_bytes,
    fila_parameters,
    lane_bytes,
    logit_bytes,
)
from soul_core.objectives import find_objective, needs_of
from soul_core.objectives.untrained import InfluenceSettings
from soul_core.optim import OPTIMIZERS
from soul_core.session.material import Material

_TOKENS_OF_A_ROW, _ANSWER_SHARE = 64, 2
_EVALUATION_BATCH = 96
_INFLUENCE_VECTORS = {"diagonal": 4, "cg": 7}
# A byte a number, and a scale of four for each 256.
_INT8_STATE = (1 + 4 / 256) / FP32
# MiB, measured on Linux: Python, torch, transformers and the rest of the command line 600; tokenizer, rows and first
# forward 30; events, answers, charts and report 30. The page has libraries of its own on top.
PROCESS = 660 << 20
# oneDNN keeps the last 1024 of the programs that it writes for bf16, one for each shape it meets (measured: default
# races take 245 to 340 MB more than where it may keep 32). A decode step meets about so many new shapes.
_PROGRAM, _PROGRAMS, _PROGRAMS_PER_STEP = 350_000, 1024, 5


@dataclass(frozen=True, slots=True)
class Fit:
    """How a race is made to fit; neither changes its result but for rounding.

    Attributes:
        checkpointing: Whether activations are calculated again in the backward.
        micro_batch: Rows forwarded at a time; 0 for the whole batch.
    """

    checkpointing: bool = False
    micro_batch: int = 0


WHOLE = Fit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a race forwards: its largest training batch, and what it asks at a time.

    Attributes:
        batch: Forget and retain rows together.
        asked_rows: Rows asked at a time.
        asked_tokens: Longest question and answer among them.
        decode_steps: Of one model's evaluation.
    """

    batch: Forwarded
    asked_rows: int
    asked_tokens: int
    decode_steps: int


def guessed(config: RaceConfig) -> Load:
    """The load before anything is tokenised."""
    rows = 2 * config.batch_size
    return Load(
        batch=Forwarded(rows=rows, tokens=rows * _TOKENS_OF_A_ROW, answers=rows * _TOKENS_OF_A_ROW // _ANSWER_SHARE),
        asked_rows=min(_EVALUATION_BATCH, 2 * (config.eval_rows or _EVALUATION_BATCH)),
        asked_tokens=_TOKENS_OF_A_ROW + config.max_new_tokens,
        decode_steps=config.max_new_tokens,
    )


def load_of(config: RaceConfig, material: Material, original: LoadedModel) -> Load:
    """The load of rows that are tokenised: the largest batch of the first epoch, the longest of the questions."""
    batches = [batch for lane in config.lanes for batch in material.batches(lane.objective, 1)]
    largest = max(batches, key=lambda batch: batch.input_ids_BT.numel())
    asked = [
        row for rows in (material.curve_rows, material.further_rows) for of_set in rows.values() for row in of_set
    ]
    examples = encode_rows(original.tokenizer, original.template, asked)
    prompt = max((example.prompt_length for example in examples), default=0)
    # A model that has unlearned to end goes on for as long as it may.
    answer = min(config.max_new_tokens, max(context_length(original.model) - prompt, 1)) if examples else 0
    return Load(
        batch=Forwarded(rows=len(largest.row_B), tokens=largest.input_ids_BT.numel(), answers=largest.answer_tokens),
        asked_rows=min(_EVALUATION_BATCH, len(examples)),
        asked_tokens=prompt + answer,
        decode_steps=math.ceil(len(examples) / _EVALUATION_BATCH) * answer,
    )


def needed_bytes(
    config: RaceConfig,
    shape: ModelShape,
    *,
    gold: bool,
    load: Load | None = None,
    fit: Fit = WHOLE,
    autocast: bool | None = None,
) -> int:
    """About what a race takes at its peak, without the process's own memory.

    Args:
        config: The race.
        shape: Its model's.
        gold: Whether a gold is asked too.
        load: What it forwards; guessed where it is not known.
        fit: How it is made to fit.
        autocast: Whether arithmetic is bf16 with other weights; None for whether it is set.
    """
    load = load or guessed(config)
    autocast = config.precision == "bfloat16" if autocast is None else autocast
    model = FP32 * shape.parameters
    lanes = [_lane_bytes(lane, shape) for lane in config.lanes]
    steps = [
        held.gradients * _gradients_of(lane) + _step_bytes(lane, shape, load.batch, fit, autocast=autocast)
        for lane, held in zip(config.lanes, lanes, strict=True)
    ]
    asking = asking_bytes(shape, rows=load.asked_rows, tokens=load.asked_tokens, bf16=autocast)
    # A cache that grows by a token a step is copied each time, to where its last place is too small.
    asking *= 2
    weights, states = sum(held.weights for held in lanes), [held.states for held in lanes]
    if config.epochs == 1:
        # Each lane ends before the next one begins, and gold comes after all of them.
        training = max(state + step for state, step in zip(states, steps, strict=True))
        peak = model + weights + max(training, model * gold) + asking
    else:
        peak = model * (1 + gold) + weights + sum(states) + max(steps) + asking
    return max(peak, model + weights + max(held.start for held in lanes))


def process_bytes(config: RaceConfig, device: torch.device, load: Load, *, bf16: bool) -> int:
    """What the process takes beside models and what they calculate; 0 where the device has a memory of its own."""
    if device.type != "cpu":
        return 0
    # A step forwards and goes back through shapes of its own as well, which evaluations outnumber.
    evaluations = 1 + len(config.lanes) * math.ceil(config.epochs / config.eval_every)
    programs = min(_PROGRAMS, _PROGRAMS_PER_STEP * evaluations * load.decode_steps)
    bf16 = bf16 or any(lane.weights.kind == "bfloat16" for lane in config.lanes)
    return PROCESS + bf16 * programs * _PROGRAM


def _lane_bytes(lane: LaneConfig, shape: ModelShape) -> LaneBytes:
    """What one lane takes beside the original."""
    kind = find_objective(lane.objective.name).kind
    if kind == "prompt":
        return LaneBytes(0, 0, 0)
    if kind == "one-shot":
        # A copy of the weights and the vectors of their size that the calculation holds.
        vectors = _INFLUENCE_VECTORS[InfluenceSettings(**lane.objective.options).solver]
        return LaneBytes(FP32 * shape.parameters, 0, FP32 * shape.parameters * vectors)
    each = _INT8_STATE if keeps_int8(lane.optimizer) else 1.0
    return lane_bytes(
        shape.parameters,
        lane.weights,
        adapter_params=adapter_parameters(shape, lane.weights),
        fila_params=fila_parameters(shape, lane.weights),
        states=0 if lane.optimizer.name == "sgd" else 2 * each,
    )


def keeps_int8(optimizer: OptimizerConfig) -> bool:
    """Whether its states are in int8: the setting counts for optimizers that read it alone."""
    return optimizer.state == "int8" and "state" in OPTIMIZERS[optimizer.name].settings


def _gradients_of(lane: LaneConfig) -> int:
    """How many tensors in a gradient's size a step holds: what curvature is made of beside the gradient itself."""
    if lane.optimizer.name != "sophia":
        return 1
    # Signs, slopes and products are there before the gradient is.
    return 3 if lane.optimizer.curvature == "hutchinson" else 1


def _step_bytes(lane: LaneConfig, shape: ModelShape, batch: Forwarded, fit: Fit, *, autocast: bool) -> int:
    """What a step of a lane keeps beside weights, states and gradients."""
    kind = find_objective(lane.objective.name).kind
    if kind == "prompt":
        return 0
    if kind == "one-shot":  # it forwards whole batches, and no checkpoint is kept
        fit = WHOLE
    part = batch.at_most(fit.micro_batch)
    # The graph of Hutchinson's slopes is about as large again as that of the loss.
    graphs = 2 if lane.optimizer.name == "sophia" and lane.optimizer.curvature == "hutchinson" else 1
    layers = graphs * activation_bytes(
        shape, part.tokens, autocast=autocast, weights=lane.weights, checkpointing=fit.checkpointing
    )
    if kind == "one-shot":
        return layers + logit_bytes(shape, part.answers)
    needs = needs_of(lane.objective)
    # Where an objective reads distributions, those of the whole batch are put together, whatever is forwarded at a
    # time; where it does not, a large vocabulary's are made in parts.
    own = logit_bytes(shape, batch.answers, copies=4) if needs.own_logits else 0
    parts = 0 if needs.own_logits else logit_bytes(shape, part.answers, most=MOST_LOGITS)
    return layers + own + parts + reference_bytes(lane, shape, batch)


def reference_bytes(lane: LaneConfig, shape: ModelShape, batch: Forwarded) -> int:
    """What the original's part in a step keeps: its logits, their softmax, and the same of the hidden states."""
    if find_objective(lane.objective.name).kind != "trained":
        return 0
    needs = needs_of(lane.objective)
    return (
        logit_bytes(shape, batch.answers, copies=2) * needs.logits
        + FP32 * batch.tokens * shape.layers * shape.hidden * needs.hidden
    )
