"""Weights in bf16, trained by any optimizer, without losing small steps. It knows no model and no loss.

A bf16 number has 8 significant bits: next to a weight of 0.02 the neighbours are 1e-4 away, and a step of 1e-5 added
and rounded to the nearest is no step at all. Rounded up or down at random, in proportion to what is left over, it
arrives on average (Gupta et al. 2015, arXiv:1502.02551; for language models Zamirai et al. 2020, arXiv:2010.06192).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from soul_core.optim.blocks import block_size, blocks
from soul_core.optim.protocol import TakesCurvature, UnlearningOptimizer
from soul_core.optim.sophia import Sophia

_DROPPED = 16
"""Bits by which an fp32 number is longer than a bf16 one; sign and exponent are the same."""


class Inner(UnlearningOptimizer, Protocol):
    """What can be wrapped: any ``torch.optim.Optimizer`` that the engine can drive."""

    @property
    def state(self) -> Any:
        """State by parameter."""

    @property
    def defaults(self) -> dict[str, Any]:
        """What a group that does not say otherwise gets."""

    def state_dict(self) -> dict[str, Any]:
        """State by the parameter's place, and the groups."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> None:
        """Put back what ``state_dict`` gave."""


@torch.no_grad()
def stochastic_round_(target: Tensor, source: Tensor) -> None:
    """Write an fp32 tensor into a bf16 one, each number up or down at random so that its mean is the number itself.

    The chance of the neighbour further from zero is the share of the way that the number has come to it. What bf16
    can hold stays exactly what it is, infinities and NaN included; no finite number becomes infinite.

    Random bits come from torch's global generator of the device.

    Args:
        target: bf16, written.
        source: fp32 of the same shape and device, read.
    """
    largest = torch.finfo(torch.bfloat16).max
    for targets, sources in blocks([target], [source]):
        for to, x in zip(targets, sources, strict=True):
            noise = torch.randint(0, 1 << _DROPPED, x.shape, dtype=torch.int32, device=x.device)
            # As integers, numbers of one sign are in the order of their size: adding carries over to the next one.
            bits = noise.add_(x.contiguous().view(torch.int32)).bitwise_and_(-1 << _DROPPED)
            rounded = bits.view(torch.float32).clamp_(-largest, largest)
            to.copy_(torch.where(x.isfinite(), rounded, x))


class StochasticRounding(Optimizer):
    """Any optimizer on bf16 weights: its states in fp32, its steps rounded stochastically.

    The optimizer inside holds a handle for each weight tensor, an fp32 parameter that takes up memory during its own
    block's step alone. There is no fp32 copy of the weights, of the gradients neither. ``param_groups`` hold the
    weights themselves; what is set there (the rate) is what the optimizer inside steps with. A weight tensor in fp32
    is stepped like the others and not rounded. Where Sophia's kernels round by themselves (``kernels``), they step the
    weights as they are.

    The states are those of the optimizer inside, the same tensors, so saving and restoring need to know nothing of
    this class.

    Attributes:
        clip_share: As the optimizer inside counts it, over all coordinates that have a gradient; None if it does not.
        update_norm: Norm of the step before rounding, which is the mean change of the weights. Rounding adds noise on
            top that is often larger.

    Args:
        groups: Parameter groups over bf16 weights, fp32 among them allowed.
        build: The optimizer of groups that look alike.

    Raises:
        ValueError: A weight tensor is in another precision.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], build: Callable[[list[dict[str, Any]]], Inner]) -> None:
        weights = [p for group in groups for p in group["params"]]
        for p in weights:
            if p.dtype not in (torch.bfloat16, torch.float32):
                raise ValueError(f"weights are rounded to bfloat16, got {p.dtype}")
        handles = [nn.Parameter(_placeholder(p)) for p in weights]
        self._pairs = list(zip(weights, handles, strict=True))
        left = iter(handles)
        self.inner = build([{**group, "params": [next(left) for _ in group["params"]]} for group in groups])
        super().__init__(
            [{**ours, "params": group["params"]} for ours, group in zip(self.inner.param_groups, groups, strict=True)],
            self.inner.defaults,
        )
        self.update_norm = torch.tensor(0.0)
        self.clip_share: Tensor | None = self.inner.clip_share

    @property
    def state_error(self) -> Tensor | None:
        """As ``Sophia`` says it; None for another optimizer inside."""
        return self.inner.state_error if isinstance(self.inner, Sophia) else None

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step for every parameter that has a gradient, a block of them at a time."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._hand_over_settings()
        if isinstance(self.inner, Sophia):
            weights: dict[Tensor, Tensor] = {handle: p for p, handle in self._pairs}
            if self.inner.fuses(weights):
                self.inner.step(weights=weights)
                self.update_norm, self.clip_share = self.inner.update_norm, self.inner.clip_share
                self._share_state()
                return loss
        norms, clipped, coordinates = [], [], 0
        for block in self._blocks():
            for p, handle in block:
                # Of weights in fp32 this is no copy: they are stepped in place.
                handle.data = p.detach().float()
                handle.grad = None if p.grad is None else p.grad.float()
            self.inner.step()
            size = sum(p.numel() for p, _ in block)
            norms.append(self.inner.update_norm)
            if self.inner.clip_share is not None:
                clipped.append(self.inner.clip_share * size)
            coordinates += size
            for p, handle in block:
                if p.dtype == torch.bfloat16:
                    stochastic_round_(p, handle.data)
                handle.grad = None
                handle.data = _placeholder(p)
        if norms:
            self.update_norm = torch.linalg.vector_norm(torch.stack(norms))
        if clipped:
            self.clip_share = torch.stack(clipped).sum() / coordinates
        self._share_state()
        return loss

    @torch.no_grad()
    def update_curvature(self, estimates: Sequence[Tensor], *, factor: float | None = None) -> None:
        """Pass on one estimate per parameter, in the order of ``param_groups``; a factor as ``Sophia`` takes it.

        Raises:
            TypeError: The optimizer inside takes none.
        """
        if not isinstance(self.inner, TakesCurvature):
            raise TypeError(f"{type(self.inner).__name__} takes no curvature; pass curvature=None")
        self._hand_over_settings()
        self.inner.update_curvature(estimates, factor=factor)
        self._share_state()

    def state_dict(self) -> dict[str, Any]:
        """As the optimizer inside gives it."""
        self._hand_over_settings()
        return self.inner.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As every optimizer's, but what is fp32 stays fp32 whatever the weights are in."""
        self.inner.load_state_dict(dict(state_dict))
        for ours, group in zip(self.param_groups, self.inner.param_groups, strict=True):
            ours.update({key: value for key, value in group.items() if key != "params"})
        self.state.clear()
        self._share_state()

    def _blocks(self) -> Iterator[list[tuple[Tensor, nn.Parameter]]]:
        """The weights that have a gradient, as many at a time as make up a block; a larger one is alone."""
        block: list[tuple[Tensor, nn.Parameter]] = []
        filled = 0
        for p, handle in self._pairs:
            if p.grad is None:
                continue
            if block and filled + p.numel() > block_size(p.device):
                yield block
                block, filled = [], 0
            block.append((p, handle))
            filled += p.numel()
        if block:
            yield block

    def _hand_over_settings(self) -> None:
        for ours, group in zip(self.param_groups, self.inner.param_groups, strict=True):
            group.update({key: value for key, value in ours.items() if key != "params"})

    def _share_state(self) -> None:
        for p, handle in self._pairs:
            if handle in self.inner.state:
                self.state[p] = self.inner.state[handle]


def _placeholder(p: Tensor) -> Tensor:
    """fp32 in a parameter's shape that takes up four bytes."""
    return torch.zeros((), dtype=torch.float32, device=p.device).expand(p.shape)
