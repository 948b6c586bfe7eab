"""The processes of one launch: which of them this is and what they tell each other. It knows no model and no run."""

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from soul_core.errors import ConfigError, SoulError
from soul_core.models.device import DEVICE_VARIABLE, pick_device
from soul_core.models.launch import read_launch

T = TypeVar("T")
E = TypeVar("E")

_BUCKET = 1 << 24
"""Gradients are summed so many at a time: 64 MB, which a network is busy with and memory has room for."""

_PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: one of them may be downloading a model meanwhile."""


class World:
    """One process, which has everything and waits for nobody. ``Launched`` is the same of several.

    Every method of it is to be called by all processes, in the same order. It is what the engine calls its peers.

    Attributes:
        rank: Which process this is, from 0.
        size: How many there are.
        sharded: Whether each holds a part of every model; otherwise each holds all of it.
    """

    rank = 0
    size = 1
    sharded = False

    @property
    def main(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    @property
    def splits(self) -> bool:
        """Whether each can ask its own rows: of a sharded model all have to ask the same at the same time."""
        return self.size > 1 and not self.sharded

    def from_main(self, call: Callable[[], T]) -> T:
        """What the main process finds out; the others wait for it. Its ``SoulError`` is raised by all."""
        return call()

    def walked(self, work: Callable[[], Generator[E, None, T]]) -> Generator[E, None, T]:
        """``from_main`` of what reports on its way; the others report nothing."""
        return (yield from work())

    def each(self, value: T) -> list[T]:
        """Every process's value, by rank. It is pickled on its way."""
        return [value]

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """Each process's tensor, by rank; they may differ in the length of their first axis. No gradient."""
        return [tensor.detach()]

    def total(self, value: Tensor) -> Tensor:
        """The sum of all processes' tensors of one shape. No gradient."""
        return value.detach()

    def any(self, flag: bool) -> bool:
        """Whether it is true for one of them."""
        return flag

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Make every ``.grad`` the sum over the processes."""

    def clip_gradients(self, parameters: Sequence[Tensor], max_norm: float) -> Tensor:
        """Scale the summed gradient down to this norm; the norm before, 0-dim."""
        norm: Tensor = clip_grad_norm_(parameters, max_norm)
        return norm

    def send(self, tensor: Tensor) -> Tensor:
        """Write the main process's tensor over every other's; they have one shape and type and lie on ``device``."""
        return tensor

    def close(self) -> None:
        """Part from the others."""


ALONE = World()


class Launched(World):
    """Several processes, over ``torch.distributed``, whose default group exists.

    Args:
        device: Of this process.
        sharded: See ``World``.
    """

    def __init__(self, device: torch.device, *, sharded: bool) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self.sharded = sharded
        self._device = device

    def from_main(self, call: Callable[[], T]) -> T:
        """See ``World``."""
        said: list[Any] = [None, None]
        if self.main:
            try:
                said[0] = call()
            except SoulError as error:
                said[1] = error
        self._tell(said)
        value: T = said[0]
        return value

    def walked(self, work: Callable[[], Generator[E, None, T]]) -> Generator[E, None, T]:
        """See ``World``."""
        said: list[Any] = [None, None]
        if self.main:
            try:
                said[0] = yield from work()
            except SoulError as error:
                said[1] = error
        self._tell(said)
        value: T = said[0]
        return value

    def _tell(self, said: list[Any]) -> None:
        dist.broadcast_object_list(said, src=0, device=self._device)
        if said[1] is not None:
            raise said[1]

    def each(self, value: T) -> list[T]:
        """See ``World``."""
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """See ``World``."""
        # Collectives want one shape, and some of them no truth values.
        plain = tensor.detach().contiguous()
        sent = plain.to(torch.uint8) if plain.dtype == torch.bool else plain
        mine = torch.tensor([len(sent)], device=self._device)
        lengths = [torch.zeros_like(mine) for _ in range(self.size)]
        dist.all_gather(lengths, mine)
        long = [int(length) for length in lengths]
        padded = sent.new_zeros((max(long), *sent.shape[1:]), device=self._device)
        padded[: len(sent)] = sent
        parts = [torch.empty_like(padded) for _ in long]
        dist.all_gather(parts, padded)
        return [part[:n].to(tensor.device, tensor.dtype) for part, n in zip(parts, long, strict=True)]

    def total(self, value: Tensor) -> Tensor:
        """See ``World``."""
        summed = value.detach().to(self._device, copy=True).contiguous()
        dist.all_reduce(summed)
        return summed.to(value.device)

    def any(self, flag: bool) -> bool:
        """See ``World``."""
        return bool(self.total(torch.tensor(int(flag))))

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """See ``World``; summed in fp32. Where only some have a gradient, that of the others counts as zero."""
        has = self.total(torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32)).tolist()
        summed: list[Tensor] = []
        for p, count in zip(parameters, has, strict=True):
            if count and p.grad is None:
                p.grad = torch.zeros_like(p)
            if p.grad is not None:
                summed.append(p.grad)
        bucket: list[Tensor] = []
        filled = 0
        for gradient in summed:
            if bucket and filled + gradient.numel() > _BUCKET:
                self._sum(bucket)
                bucket, filled = [], 0
            bucket.append(gradient)
            filled += gradient.numel()
        if bucket:
            self._sum(bucket)

    def _sum(self, gradients: list[Tensor]) -> None:
        flat = torch.cat([gradient.reshape(-1).float() for gradient in gradients])
        dist.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def send(self, tensor: Tensor) -> Tensor:
        """See ``World``."""
        dist.broadcast(tensor, src=0)
        return tensor

    def close(self) -> None:
        """See ``World``."""
        dist.destroy_process_group()


def join(environment: Mapping[str, str] = os.environ) -> World:
    """Meet the other processes of the launch; ``ALONE`` where there is none.

    Read is what ``accelerate launch`` and ``torchrun`` tell each process by its environment. Models are sharded where
    the launcher says FSDP, or ``SOUL_SHARD`` says 1. Each process takes the GPU of its number on its machine, and
    from then on ``pick_device`` means that one; where there is none, all of them compute on the CPU, over gloo.

    Raises:
        ConfigError: There are fewer GPUs than processes, or what the launcher says cannot be done.
    """
    launch = read_launch(environment)
    if launch.size == 1:
        return ALONE
    device = pick_device()
    if device.type == "cuda":
        wanted, here = launch.local_size, torch.cuda.device_count()
        if wanted > here:
            raise ConfigError(
                f"{wanted} processes were started on a machine with {here} GPU{'s' * (here != 1)}, and each needs one "
                f"of its own. Start {here} with --num_processes {here}, or set {DEVICE_VARIABLE}=cpu."
            )
        torch.cuda.set_device(launch.local_rank)
        device = torch.device("cuda", launch.local_rank)
    elif device.type != "cpu":
        raise ConfigError(
            f"Several processes cannot share the GPU of this machine ({device.type}). Start one without a launcher, "
            f"or set {DEVICE_VARIABLE}=cpu."
        )
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=_PATIENCE, device_id=device if device.type == "cuda" else None)
    return Launched(device, sharded=launch.sharded)
