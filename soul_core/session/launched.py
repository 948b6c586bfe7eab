"""What a race does otherwise when several processes run it: what they refuse, and how they share the asking.

It knows no launcher and no weights.
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from soul_core.config import LaneConfig, RaceConfig
from soul_core.data.schema import QARow
from soul_core.errors import ConfigError, RunError
from soul_core.evaluation.metrics import acc
from soul_core.evaluation.scorecard import Answered, Examination
from soul_core.events import Progress, SetScores
from soul_core.models.memory import ModelShape
from soul_core.models.world import World
from soul_core.objectives import find_objective
from soul_core.session.needed import Load, guessed, keeps_int8
from soul_core.session.room import Plan, require_room

Rows = Mapping[str, tuple[QARow, ...]]


def said_of(world: World) -> tuple[str, ...]:
    """What a run's notes say of its processes; nothing of one."""
    if world.size == 1:
        return ()
    how = "each with a part of every model (FSDP)" if world.sharded else "each with whole models, on its own rows"
    return (f"{world.size} processes, {how}.",)


def check_launch(config: RaceConfig, world: World) -> None:
    """What can be told before anything is loaded.

    Raises:
        ConfigError: A lane needs what no process of a sharded model has: all of a weight at once.
    """
    if not world.sharded:
        return
    for lane in config.lanes:
        wrong = _not_sharded(lane)
        if wrong:
            raise ConfigError(f"{lane.label} {wrong} Or launch it without FSDP, each process with the whole model.")


def _not_sharded(lane: LaneConfig) -> str:
    kind = find_objective(lane.objective.name).kind
    if kind == "one-shot":
        return "calculates one step of all weights, which FSDP spreads over processes. Leave it out."
    if kind == "trained" and lane.optimizer.name == "sophia" and lane.optimizer.curvature == "hutchinson":
        return "estimates curvature by second derivatives, which FSDP does not give. Use --curvature gnb."
    if kind == "trained" and keeps_int8(lane.optimizer):
        return "keeps its optimizer's states in 8 bits, block by block, and FSDP cuts the blocks. Use --state float32."
    if kind == "trained" and lane.weights.init == "fila":
        return "starts with FILA, which takes whole weights apart, and FSDP spreads them. Use --init zero."
    return ""


def room_together(
    config: RaceConfig,
    shape: ModelShape,
    device: torch.device,
    *,
    gold: bool,
    world: World,
    load: Load | None = None,
    autocast: bool | None = None,
) -> Plan:
    """``require_room`` of one process's part: of a sharded model its share, on a CPU that of all on this machine.

    Raises:
        ConfigError: As ``require_room``.
        RunError: The device has not so much.
    """

    if world.size == 1:
        return require_room(config, shape, device, gold=gold, load=load, autocast=autocast)
    load = load or guessed(config)
    if device.type != "cpu":
        load = replace(load, batch=load.batch.at_most(math.ceil(load.batch.rows / world.size)))

    def require(*, sharded: bool) -> Plan:
        # Processes on one CPU have one memory, and together they forward the whole batch.
        held = (world.size if device.type == "cpu" else 1) / (world.size if sharded else 1)
        part = replace(shape, parameters=int(shape.parameters * held))
        return require_room(config, part, device, gold=gold, load=load, autocast=autocast)

    try:
        return require(sharded=world.sharded)
    except RunError as error:
        if world.splits:
            try:
                require(sharded=True)
            except RunError:
                raise error from None
            raise RunError(
                f"{error} Sharded over the {world.size} processes it would fit: launch with --use_fsdp "
                "--fsdp_version 2."
            ) from None
        raise


def examine_together(
    examine: Callable[[Rows], Generator[Progress, None, Examination]], rows: Rows, world: World
) -> Generator[Progress, None, Examination]:
    """Ask each process's share of the rows and put the answers together; the same for all of them.

    A sharded model is forwarded by all processes or none, so there each asks every row.
    """
    if not world.splits:
        return (yield from examine(rows))
    own = {name: of_set[world.rank :: world.size] for name, of_set in rows.items()}
    own = {name: of_set for name, of_set in own.items() if of_set}
    answered = (yield from examine(own)).answered if own else ()
    return put_together(world.each(answered), rows)


def put_together(parts: Sequence[Sequence[Answered]], rows: Rows) -> Examination:
    """One examination of what each process was answered: row i of a set is with process i modulo their number."""
    scores, everything = {}, []
    for name, of_set in rows.items():
        by_rank = [[answer for answer in part if answer.set_name == name] for part in parts]
        found = [by_rank[i % len(parts)][i // len(parts)] for i in range(len(of_set))]
        share = acc([answer.correct for answer in found])
        scores[name] = SetScores(
            acc=share.value,
            acc_low=share.low,
            acc_high=share.high,
            rouge_l=float(np.array([answer.rouge_l for answer in found]).mean()),
            probability=float(np.array([answer.probability for answer in found]).mean()),
            rows=len(found),
        )
        everything += found
    return Examination(scores=scores, answered=tuple(everything))
