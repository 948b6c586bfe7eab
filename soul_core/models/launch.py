"""What a launcher tells a process of itself and the others, by the environment. It knows no tensors and no device."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from soul_core.errors import ConfigError

SHARD_VARIABLE = "SOUL_SHARD"
"""``1`` in it shards every model over the processes, for launchers that have no word for it, such as torchrun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Which process this is.

    Attributes:
        rank: Among all, from 0.
        size: How many there are.
        local_rank: Among those of this machine.
        local_size: How many run on this machine.
        sharded: Whether each is to hold a part of every model.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    sharded: bool = False


def read_launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """Read what ``accelerate launch`` or ``torchrun`` said; one process where neither did.

    Raises:
        ConfigError: What the launcher was told cannot be done.
    """
    _refuse(environment)
    local_rank = _number(environment, "LOCAL_RANK", 0)
    return Launch(
        rank=rank_of(environment),
        size=_number(environment, "WORLD_SIZE", 1),
        local_rank=local_rank,
        local_size=_number(environment, "LOCAL_WORLD_SIZE", local_rank + 1),
        sharded=_yes(environment, "ACCELERATE_USE_FSDP") or _yes(environment, SHARD_VARIABLE),
    )


def rank_of(environment: Mapping[str, str] = os.environ) -> int:
    """``Launch.rank`` of whatever else was said: process 0 is the one that a person hears."""
    return _number(environment, "RANK", 0)


def _refuse(environment: Mapping[str, str]) -> None:
    """What can be told from the launcher's words alone."""
    if _yes(environment, "ACCELERATE_USE_DEEPSPEED") or _yes(environment, "ACCELERATE_USE_MEGATRON_LM"):
        raise ConfigError(
            "Models are sharded by FSDP here, not by DeepSpeed or Megatron. Launch with --use_fsdp --fsdp_version 2."
        )
    if _yes(environment, "ACCELERATE_USE_FSDP"):
        version = environment.get("FSDP_VERSION", "1")
        if version != "2":
            raise ConfigError(f"FSDP version {version} is not what is used here. Launch with --fsdp_version 2.")
        if _yes(environment, "FSDP_OFFLOAD_PARAMS"):
            raise ConfigError("Weights cannot be offloaded to the CPU here. Launch with --fsdp_offload_params false.")
    precision = environment.get("ACCELERATE_MIXED_PRECISION", "no")
    if precision in ("fp16", "fp8"):
        raise ConfigError(
            f"Arithmetic in {precision} is not offered: races know float32 and bfloat16. Launch with "
            "--mixed_precision no, and say --precision bfloat16 behind race where it is wanted."
        )
    # With no GPU or one, accelerate starts a single process whatever number it was told, and yet says where the others
    # would meet it. A cluster may say that too, but not that it is here.
    alone = "ACCELERATE_MIXED_PRECISION" in environment and "RANK" not in environment
    if alone and environment.get("MASTER_ADDR") == "127.0.0.1":
        raise ConfigError(
            "Several processes were asked for, but accelerate launch started one: on a machine with fewer than two "
            "GPUs it wants to be told --multi_gpu. Add it (and SOUL_DEVICE=cpu), or start one process."
        )


def _yes(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in ("1", "true", "yes")


def _number(environment: Mapping[str, str], name: str, usual: int) -> int:
    try:
        return int(environment.get(name, usual))
    except ValueError:
        return usual
