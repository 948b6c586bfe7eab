"""Which one-pass kernels of Sophia's step fit where tensors are. It knows no kernel from inside and no optimizer."""

import functools
import importlib
import importlib.util
from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor

from soul_core.optim import native

Row = tuple[Tensor, Tensor, Tensor, Tensor]
"""Weight, momentum, curvature and gradient of one parameter."""


class Kernels(Protocol):
    """What ``native`` offers on the CPU and ``kernels`` on CUDA."""

    def fits(self, weights: Sequence[Tensor], *states: Sequence[Tensor]) -> bool:
        """Whether it can work on all of these."""

    def step(
        self,
        weights: Sequence[Tensor],
        momenta: Sequence[Tensor],
        curvatures: Sequence[Tensor],
        gradients: Sequence[Tensor],
        *,
        lr: float | Tensor,
        beta1: float,
        rho: float,
        weight_decay: float,
        eps: float,
    ) -> tuple[Tensor, Tensor]:
        """Step in place; how many coordinates were clipped, and the sum of the squared moves in units of ``lr``."""

    def fold(
        self, curvatures: Sequence[Tensor], gradients: Sequence[Tensor], *, beta2: float, factor: float | None
    ) -> None:
        """``h <- beta2 h + (1 - beta2) factor g^2`` in place; without a factor, ``g`` is the estimate."""


def kernels_for(weights: Sequence[Tensor], *states: Sequence[Tensor]) -> Kernels | None:
    """The kernels for a list of weights and lists of their states; None if it is to be done by torch's operations."""
    found = _on(weights[0].device.type) if weights else None
    return found if found is not None and found.fits(weights, *states) else None


def gradients_for(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Tensor]:
    """Gradients in the memory layout that kernels read; on the CPU in fp32 too."""
    if weights[0].is_cpu and any([g.dtype is not torch.float32 for g in gradients]):  # noqa: C419
        gradients = [g.float() for g in gradients]
    return [g.contiguous() for g in gradients]


@functools.cache
def _on(device_type: str) -> Kernels | None:
    if device_type == "cpu" and native.library() is not None:
        return cast(Kernels, native)
    if device_type == "cuda" and torch.version.cuda and importlib.util.find_spec("triton") is not None:
        return cast(Kernels, importlib.import_module("soul_core.optim.kernels"))
    return None
