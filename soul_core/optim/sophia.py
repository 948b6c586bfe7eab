"""Sophia: momentum divided by a diagonal curvature, clipped per coordinate. It knows no model and no loss."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from soul_core.optim.blocks import blocks

EPS = 1e-15
"""Smallest curvature divided by. Only there so that 0 / 0 is no step; fp16 weights would need a larger one."""


def sophia_step_(
    params: Sequence[Tensor],
    momenta: Sequence[Tensor],
    curvatures: Sequence[Tensor],
    *,
    lr: float,
    rho: float,
    weight_decay: float,
    eps: float = EPS,
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """In place, per coordinate: ``p <- (1 - lr*wd) p - lr * clip(m / max(rho*h, eps), -1, 1)``.

    Returns:
        For each tensor the square root of how many coordinates are clipped, ``|m| >= max(rho*h, eps)``, and the norm
        of ``(p - p_new) / lr``.
    """
    scales = torch._foreach_mul(curvatures, rho)
    torch._foreach_clamp_min_(scales, eps)
    steps = torch._foreach_div(momenta, scales)
    torch._foreach_clamp_min_(steps, -1.0)
    torch._foreach_clamp_max_(steps, 1.0)
    # Shrunk at the last number below 1 only the clipped ratios remain, each -1 or 1, so their norm counts them;
    # comparing and counting booleans takes longer than all the rest of the step.
    below_one = 1.0 - torch.finfo(steps[0].dtype).eps / 2
    clipped = torch._foreach_norm([F.hardshrink(step, below_one) for step in steps])
    if weight_decay:
        torch._foreach_add_(steps, params, alpha=weight_decay)
    norms = torch._foreach_norm(steps)
    torch._foreach_add_(params, steps, alpha=-lr)
    return clipped, norms


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
        for name, value, allowed in (
            ("lr", lr, lr > 0),
            ("betas[0]", betas[0], 0 <= betas[0] < 1),
            ("betas[1]", betas[1], 0 <= betas[1] < 1),
            ("rho", rho, rho > 0),
            ("weight_decay", weight_decay, weight_decay >= 0),
        ):
            if not allowed:
                raise ValueError(f"Sophia: {name} is out of range, got {value}")
        super().__init__(params, {"lr": lr, "betas": betas, "rho": rho, "weight_decay": weight_decay})
        self.clip_share = torch.tensor(0.0)
        self.update_norm = torch.tensor(0.0)

    def parameters(self) -> list[Tensor]:
        """All parameters, in the order in which ``update_curvature`` takes its estimates."""
        return [p for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def update_curvature(self, estimates: Sequence[Tensor]) -> None:
        """Fold one diagonal estimate per parameter, in the order of ``parameters()``, into ``h``."""
        if len(estimates) != len(self.parameters()):
            raise ValueError(f"Sophia: {len(self.parameters())} parameters but {len(estimates)} curvature estimates")
        start = 0
        for group in self.param_groups:
            params = group["params"]
            curvatures = [self._state_of(p)["h"] for p in params]
            for h, estimate in blocks([curvatures, estimates[start : start + len(params)]]):
                torch._foreach_lerp_(h, estimate, 1 - group["betas"][1])
            start += len(params)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step for every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        clipped: list[Tensor] = []
        norms: list[Tensor] = []
        coordinates = 0
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            states = [self._state_of(p) for p in params]
            columns = [params, [s["m"] for s in states], [s["h"] for s in states], [p.grad for p in params]]
            for p, m, h, g in blocks(columns):
                torch._foreach_lerp_(m, g, 1 - group["betas"][0])
                block_clipped, block_norms = sophia_step_(
                    p, m, h, lr=group["lr"], rho=group["rho"], weight_decay=group["weight_decay"]
                )
                clipped.extend(block_clipped)
                norms.extend(torch._foreach_mul(block_norms, group["lr"]))
            coordinates += sum(p.numel() for p in params)
        if coordinates:
            self.clip_share = torch.stack(clipped).square().sum() / coordinates
            self.update_norm = torch.linalg.vector_norm(torch.stack(norms))
        return loss

    def _state_of(self, p: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[p]
        if not state:
            state["m"], state["h"] = torch.zeros_like(p), torch.zeros_like(p)
        return state
