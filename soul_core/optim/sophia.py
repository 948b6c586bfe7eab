"""Sophia: momentum divided by a diagonal curvature, clipped per coordinate. It knows no model and no loss."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from soul_core.optim import eightbit
from soul_core.optim.blocks import Scratch, block_size, blocks, split_like
from soul_core.optim.checks import in_range
from soul_core.optim.fused import Row, gradients_for, kernels_for

EPS = 1e-15
"""Smallest curvature divided by. Only there so that 0 / 0 is no step; fp16 weights would need a larger one."""


def sophia_direction_(m_N: Tensor, h_N: Tensor, *, rho: float, eps: float = EPS) -> Tensor:
    """``clip(m / max(rho*h, eps), -1, 1)``, written over ``m_N``; ``h_N`` is used up."""
    m_N.div_(h_N.mul_(rho).clamp_min_(eps))
    return m_N.clamp_(-1.0, 1.0)


def clipped_count(direction_N: Tensor) -> Tensor:
    """How many coordinates of a clipped direction are at -1 or 1."""
    # Shrunk at the last number below 1, only those remain, and their squares count them. Comparing and counting
    # booleans takes longer on the CPU than all the rest of a step.
    below_one = 1.0 - torch.finfo(direction_N.dtype).eps / 2
    at_clip_N = F.hardshrink(direction_N, below_one)
    return torch.dot(at_clip_N, at_clip_N)


class Sophia(Optimizer):
    """Sophia (Liu et al. 2023, arXiv:2305.14342, Algorithm 3) with the curvature supplied by the caller.

    Apart from weight decay no coordinate moves by more than ``lr``. Before the first curvature, or without any,
    ``h`` is 0 and each coordinate moves by ``lr`` against the sign of its momentum. State per parameter, with its
    shape, dtype and device: ``m``, the average of gradients, touched in ``step`` only (once per step), and ``h``,
    the average of curvature, touched in ``update_curvature`` only. Neither average is bias-corrected.

    A step is one pass over memory where kernels fit (``fused``), and a chain of torch's operations elsewhere; saved
    states are the same. It waits for no device, and with the rate as a 0-dim tensor it can be captured in a graph.

    Attributes:
        clip_share: Share of the coordinates of the last step that were clipped (0-dim tensor, on the device). A
            coordinate with neither momentum nor curvature does not move and is not clipped.
        update_norm: Norm of the last step's change of the weights, decay included (0-dim tensor).
        state_error: Relative error that keeping the states in 8 bits made in the last step, or in the last update of
            curvature if that is larger (0-dim tensor); None with states as they are.

    Args:
        params: Parameters, or groups of them.
        lr: Largest move of a coordinate in a step, decay apart.
        betas: How long gradients and curvature are averaged.
        rho: Curvature scale, ``gamma`` in the paper; larger means fewer clipped coordinates.
        weight_decay: Decoupled, as in AdamW.
        eight_bit: Keep the states of all but small parameters in 8 bits, see ``eightbit``. No curvature may be
            negative then. What ``state_dict`` gives and takes is fp32 all the same.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        rho: float = 0.04,
        weight_decay: float = 0.0,
        eight_bit: bool = False,
    ) -> None:
        in_range("Sophia", lr=lr, betas=betas, rho=rho, weight_decay=weight_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "rho": rho, "weight_decay": weight_decay})
        self.clip_share = torch.tensor(0.0)
        self.update_norm = torch.tensor(0.0)
        self.eight_bit = eight_bit
        self._scratch = Scratch()
        self._lost: dict[str, dict[Tensor, Tensor]] = {"m": {}, "h": {}}

    @property
    def state_error(self) -> Tensor | None:
        """See the class."""
        if not self.eight_bit:
            return None
        errors = [torch.stack(list(lost.values())).sum(dim=0) for lost in self._lost.values() if lost]
        shares = [(error / size.clamp_min(torch.finfo(size.dtype).tiny)).sqrt() for error, size in errors]
        return torch.stack(shares).max() if shares else torch.tensor(0.0)

    def parameters(self) -> list[Tensor]:
        """All parameters, in the order in which ``update_curvature`` takes its estimates."""
        return [p for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def update_curvature(self, estimates: Sequence[Tensor], *, factor: float | None = None) -> None:
        """Fold one diagonal estimate per parameter, in the order of ``parameters()``, into ``h``.

        Args:
            estimates: In any precision, or with a factor gradients ``g``.
            factor: The estimate is ``factor * g^2``, which is then never written to memory.
        """
        if len(estimates) != len(self.parameters()):
            raise ValueError(f"Sophia: {len(self.parameters())} parameters but {len(estimates)} curvature estimates")
        left = iter(estimates)
        for group in self.param_groups:
            rows = [(self._state_of(p), next(left)) for p in group["params"]]
            for pack in self._packs([(state["h"], state, e) for state, e in rows], "h"):
                _, _, h, gradients = (list(column) for column in zip(*pack, strict=True))
                _fold(h, gradients, beta2=group["betas"][1], factor=factor)

    def fuses(self, weights: Mapping[Tensor, Tensor]) -> bool:
        """Whether ``step`` can be given these weights, which are in another precision than the states."""
        return kernels_for(list(weights.values())) is not None

    @torch.no_grad()
    def step(  # type: ignore[override]
        self, closure: Callable[[], Tensor] | None = None, *, weights: Mapping[Tensor, Tensor] | None = None
    ) -> Tensor | None:
        """Take one step for every parameter that has a gradient.

        Args:
            closure: Computes the loss.
            weights: The tensors that are stepped in the parameters' place, see ``fuses``; gradients are theirs.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        clipped, norms, coordinates = [], [], 0
        for group in self.param_groups:
            stepped = [(p if weights is None else weights[p], p) for p in group["params"]]
            rows = [(w, self._state_of(p), g) for w, p in stepped if (g := w.grad) is not None]
            settings = {key: group[key] for key in ("lr", "rho", "weight_decay")}
            for pack in self._packs(rows, "m"):
                count, squares = self._step(pack, beta1=group["betas"][0], **settings)
                clipped.append(count)
                norms.append(squares.sqrt() * group["lr"])
            coordinates += sum(w.numel() for w, _, _ in rows)
        if coordinates:
            self.clip_share = torch.stack(clipped).sum() / coordinates
            self.update_norm = torch.linalg.vector_norm(torch.stack(norms))
        return loss

    def state_dict(self) -> dict[str, Any]:
        """As every optimizer's, with states of 8 bits written out in fp32: what one saves, the other loads."""
        found = super().state_dict()
        if not self.eight_bit:
            return found
        return {**found, "state": {i: eightbit.opened(state) for i, state in found["state"].items()}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Put back what ``state_dict`` gave, here or in an optimizer that keeps its states otherwise."""
        if not self.eight_bit:
            super().load_state_dict(dict(state_dict))
            return
        super().load_state_dict({**state_dict, "state": {}})
        for i, p in enumerate(self.parameters()):
            if i in state_dict["state"]:
                eightbit.fill_(self._state_of(p), state_dict["state"][i])

    def _step(
        self, rows: Sequence[Row], *, lr: float | Tensor, beta1: float, rho: float, weight_decay: float
    ) -> tuple[Tensor, Tensor]:
        """How many coordinates were clipped, and the sum of the squared moves in units of the rate."""
        weights, momenta, curvatures, gradients = (list(column) for column in zip(*rows, strict=True))
        kernels = kernels_for(weights, momenta, curvatures)
        if kernels is not None:
            gradients = gradients_for(weights, gradients)
            settings = {"beta1": beta1, "rho": rho, "weight_decay": weight_decay, "eps": EPS}
            return kernels.step(weights, momenta, curvatures, gradients, lr=lr, **settings)
        clipped, squares = [], []
        for p, m, h, g in blocks(weights, momenta, curvatures, gradients):
            torch._foreach_lerp_(m, g, 1 - beta1)
            direction_N = sophia_direction_(self._scratch.gather(0, m), self._scratch.gather(1, h), rho=rho)
            clipped.append(clipped_count(direction_N))
            # (1 - lr*wd) p - lr*u = p - lr (u + wd*p), whose bracket is also what the step's norm is made of.
            moves = split_like(direction_N, p)
            if weight_decay:
                torch._foreach_add_(moves, p, alpha=weight_decay)
            squares.append(torch.linalg.vector_norm(direction_N).square())
            torch._foreach_add_(p, moves, alpha=-float(lr))
        if not clipped:  # parameters without coordinates
            return torch.tensor(0.0), torch.tensor(0.0)
        return torch.stack(clipped).sum(), torch.stack(squares).sum()

    def _state_of(self, p: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[p]
        if not state:
            for key in ("m", "h"):
                if self.eight_bit and p.dtype == torch.float32 and p.numel() >= eightbit.SMALLEST:
                    state[key], state[f"{key}_scale"] = eightbit.blank(p)
                else:
                    state[key] = torch.zeros_like(p)
        return state

    def _packs(self, rows: Sequence[tuple[Tensor, dict[str, Tensor], Tensor]], written: str) -> Iterator[list[Row]]:
        """Rows to work on together; of states in 8 bits as much as a block at a time, whose ``written`` is kept."""
        plain = [(p, state["m"], state["h"], g) for p, state, g in rows if "m_scale" not in state]
        if plain:
            yield plain
        for p, state, g in rows:
            if "m_scale" not in state:
                continue
            lost = torch.zeros(2, device=p.device)
            limit = block_size(p.device) if p.is_contiguous() else p.numel()
            for first in range(0, p.numel(), limit):
                part = slice(first, first + limit)
                numbers = {key: eightbit.read_part(state, key, part) for key in {"h", written}}
                like = p.view(-1)[part] if p.is_contiguous() else p
                row = (like, numbers.get("m", numbers["h"]).view(like.shape), numbers["h"].view(like.shape))
                yield [(*row, g.reshape(-1)[part].view(like.shape))]
                lost += eightbit.write_part_(state, written, part, numbers[written])
            self._lost[written][p] = lost


def _fold(h: list[Tensor], gradients: list[Tensor], *, beta2: float, factor: float | None) -> None:
    kernels = kernels_for(h)
    if kernels is not None:
        kernels.fold(h, gradients_for(h, gradients), beta2=beta2, factor=factor)
        return
    for averages, block in blocks(h, gradients):
        same = [g.to(x.dtype) for x, g in zip(averages, block, strict=True)]
        if factor is not None:
            same = list(torch._foreach_mul(torch._foreach_mul(same, same), factor))
        torch._foreach_lerp_(averages, same, 1 - beta2)
