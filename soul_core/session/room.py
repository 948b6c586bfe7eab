"""Whether a race fits into memory, told before anything runs. It knows shapes and settings, no weights."""

import math
import os

import torch

from soul_core.config import LaneConfig, RaceConfig
from soul_core.errors import RunError
from soul_core.models.memory import (
    ModelShape,
    activation_bytes,
    adapter_parameters,
    estimate_memory,
    fila_parameters,
    lane_bytes,
)
from soul_core.objectives import find_objective, needs_of
from soul_core.objectives.untrained import InfluenceSettings

_TOKENS_OF_A_ROW = 64
_FP32 = 4
_INFLUENCE_VECTORS = {"diagonal": 4, "cg": 7}


def needed_bytes(config: RaceConfig, shape: ModelShape, *, gold: bool) -> int:
    """About what a race takes: models, gradients, optimizer states, and what one batch keeps for the backward."""
    tokens = 2 * config.batch_size * _TOKENS_OF_A_ROW  # forget and retain rows
    return estimate_memory(
        shape.parameters,
        lanes=[_lane_bytes(lane, shape) for lane in config.lanes],
        untrained=2 if gold else 1,
        activations=activation_bytes(shape, tokens) + max(_reference_bytes(x, shape, tokens) for x in config.lanes),
    )


def _lane_bytes(lane: LaneConfig, shape: ModelShape) -> int:
    """What one lane takes beside the original."""
    kind = find_objective(lane.objective.name).kind
    if kind == "prompt":
        return 0
    if kind == "one-shot":
        # A copy of the weights and the vectors of their size that the calculation holds.
        return _FP32 * shape.parameters * (1 + _INFLUENCE_VECTORS[InfluenceSettings(**lane.objective.options).solver])
    return lane_bytes(
        shape.parameters,
        lane.weights,
        adapter_params=adapter_parameters(shape, lane.weights),
        fila_params=fila_parameters(shape, lane.weights),
        states=0 if lane.optimizer.name == "sgd" else 2,
    )


def require_room(config: RaceConfig, shape: ModelShape, device: torch.device, *, gold: bool) -> int:
    """``needed_bytes``, if the device has them.

    Raises:
        ConfigError: A lane's LoRA layers do not exist or are too small for its rank.
        RunError: The device has not so much.
    """
    needed, available = needed_bytes(config, shape, gold=gold), available_bytes(device)
    if needed <= available:
        return needed
    said = f"This race needs about {needed / 1e9:.1f} GB of memory, and {device} has {available / 1e9:.1f} GB. "
    tokens = 2 * config.batch_size * _TOKENS_OF_A_ROW
    for lane in config.lanes:
        extra = _reference_bytes(lane, shape, tokens)
        if extra and needed - extra <= available:
            raise RunError(
                f"{said}{extra / 1e9:.1f} GB of it hold the original's distribution for {lane.label}. "
                "Choose the retain term NLL, an objective without a reference, or a smaller batch."
            )
    raise RunError(f"{said}Choose a smaller model or batch, fewer lanes, or LoRA.")


def available_bytes(device: torch.device) -> float:
    """The memory of the device, whoever uses it now; infinite where that cannot be told."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[1])
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return math.inf


def _reference_bytes(lane: LaneConfig, shape: ModelShape, tokens: int) -> int:
    """What the original's part in a step keeps: its logits, their softmax, and the same of the hidden states."""
    needs = needs_of(lane.objective)
    return _FP32 * tokens * (2 * shape.vocabulary * needs.logits + shape.layers * shape.hidden * needs.hidden)


def out_of_memory(error: Exception) -> bool:
    """Whether this is the machine saying that it has no memory left."""
    # The CPU's allocator has no exception of its own.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
