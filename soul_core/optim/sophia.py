"""Sophia: momentum divided by a diagonal curvature, clipped per coordinate. It knows no model and no loss."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from soul_core.optim.blocks import Scratch, blocks, split_like
from soul_core.optim.checks import in_range

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

    Attributes:
        clip_share: Share of the coordinates of the last step that were clipped (0-dim tensor, on the device). A
            coordinate with neither momentum nor curvature does not move and is not clipped.
        update_norm: Norm of the last step's change of the weights, decay included (0-dim tensor).

    Args:
        params: Parameters, or groups of them.
        lr: Largest move of a coordinate in a step, decay apart.
        betas: How long gradients and curvature are averaged.
        rho: Curvature scale, ``gamma`` in the paper; larger means fewer clipped coordinates.
        weight_decay: Decoupled, as in AdamW.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        rho: float = 0.04,
        weight_decay: float = 0.0,
    ) -> None:
        in_range("Sophia", lr=lr, betas=betas, rho=rho, weight_decay=weight_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "rho": rho, "weight_decay": weight_decay})
        self.clip_share = torch.tensor(0.0)
        self.update_norm = torch.tensor(0.0)
        self._scratch = Scratch()

    def parameters(self) -> list[Tensor]:
        """All parameters, in the order in which ``update_curvature`` takes its estimates."""
        return [p for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def update_curvature(self, estimates: Sequence[Tensor]) -> None:
        """Fold one diagonal estimate per parameter, in the order of ``parameters()``, into ``h``.

        An estimate may be in another precision than ``h``; it is converted block by block.
        """
        if len(estimates) != len(self.parameters()):
            raise ValueError(f"Sophia: {len(self.parameters())} parameters but {len(estimates)} curvature estimates")
        start = 0
        for group in self.param_groups:
            params = group["params"]
            curvatures = [self._state_of(p)["h"] for p in params]
            for h, estimate in blocks(curvatures, estimates[start : start + len(params)]):
                same = [e.to(x.dtype) for x, e in zip(h, estimate, strict=True)]
                torch._foreach_lerp_(h, same, 1 - group["betas"][1])
            start += len(params)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step for every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        clipped, norms, coordinates = [], [], 0
        for group in self.param_groups:
            lr, weight_decay = group["lr"], group["weight_decay"]
            params = [p for p in group["params"] if p.grad is not None]
            states = [self._state_of(p) for p in params]
            for p, m, h, g in blocks(
                params, [s["m"] for s in states], [s["h"] for s in states], [p.grad for p in params]
            ):
                torch._foreach_lerp_(m, g, 1 - group["betas"][0])
                direction_N = sophia_direction_(
                    self._scratch.gather(0, m), self._scratch.gather(1, h), rho=group["rho"]
                )
                clipped.append(clipped_count(direction_N))
                # (1 - lr*wd) p - lr*u = p - lr (u + wd*p), whose bracket is also what the step's norm is made of.
                moves = split_like(direction_N, p)
                if weight_decay:
                    torch._foreach_add_(moves, p, alpha=weight_decay)
                norms.append(torch.linalg.vector_norm(direction_N) * lr)
                torch._foreach_add_(p, moves, alpha=-lr)
            coordinates += sum(p.numel() for p in params)
        if coordinates:
            self.clip_share = torch.stack(clipped).sum() / coordinates
            self.update_norm = torch.linalg.vector_norm(torch.stack(norms))
        return loss

    def _state_of(self, p: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[p]
        if not state:
            state["m"], state["h"] = torch.zeros_like(p), torch.zeros_like(p)
        return state
