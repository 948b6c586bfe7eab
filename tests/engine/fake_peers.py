"""Several processes of a run played by threads of one, each with a model of its own. It knows no engine."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_


class Together:
    """Where the threads meet."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=60)
        self.slots: list[Any] = [None] * size


class ThreadPeer:
    """``Peers`` over threads; ``gathers`` counts the exchanges."""

    def __init__(self, rank: int, together: Together) -> None:
        self.rank, self.size = rank, together.size
        self.gathers = 0
        self._together = together

    def _exchange(self, value: Any) -> list[Any]:
        self._together.slots[self.rank] = value
        self._together.barrier.wait()
        found = list(self._together.slots)
        self._together.barrier.wait()
        return found

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        assert not tensor.requires_grad
        self.gathers += 1
        return self._exchange(tensor)

    def total(self, value: Tensor) -> Tensor:
        return torch.stack(self._exchange(value.detach())).sum(0)

    def any(self, flag: bool) -> bool:
        return any(self._exchange(flag))

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        for p in parameters:
            parts = self._exchange(p.grad)
            assert len({part is None for part in parts}) == 1, "a gradient that only some processes have"
            if p.grad is not None:
                p.grad = torch.stack(parts).sum(0)

    def clip_gradients(self, parameters: Sequence[Tensor], max_norm: float) -> Tensor:
        return clip_grad_norm_(parameters, max_norm)


def in_threads(size: int, work: Callable[[ThreadPeer], Any]) -> list[Any]:
    """What the work returns in each of so many processes, by rank."""
    together = Together(size)

    def one(rank: int) -> Any:
        try:
            return work(ThreadPeer(rank, together))
        except BaseException:
            together.barrier.abort()
            raise

    # Which attention is allowed is a setting of the whole process, and threads that set it for a while put back what
    # another had set.
    backends = torch.backends.cuda
    kinds = ("flash", "mem_efficient", "math", "cudnn")
    allowed = {name: getattr(backends, f"{name}_sdp_enabled")() for name in kinds}
    try:
        with ThreadPoolExecutor(size) as pool:
            futures = [pool.submit(one, rank) for rank in range(size)]
    finally:
        for name, on in allowed.items():
            getattr(backends, f"enable_{name}_sdp")(on)
    errors = [future.exception() for future in futures if future.exception()]
    for error in errors:
        if not isinstance(error, threading.BrokenBarrierError):
            raise error
    return [future.result() for future in futures]
