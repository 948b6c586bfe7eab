"""AdamW that also says how far it went. It knows no model and no loss; the update rule is torch's."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from soul_core.optim.blocks import blocks

FUSED_ON = frozenset({"cpu", "cuda"})
"""Devices where torch's fused AdamW is used."""


class AdamW(torch.optim.AdamW):
    """torch's AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), fused where the device has it.

    The norm of the change is worked out from the moments after the step, block by block: a copy of the weights to
    subtract would make AdamW appear to need half as much memory again as Sophia.

    Attributes:
        update_norm: Norm of the last step's change of the weights, decay included (0-dim tensor, on the device).
        clip_share: None: AdamW does not clip coordinates.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        given = list(params)
        tensors = [p for x in given for p in (x["params"] if isinstance(x, dict) else [x])]
        fused = bool(tensors) and all(p.device.type in FUSED_ON and p.is_floating_point() for p in tensors)
        super().__init__(given, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused or None)
        self.update_norm = torch.tensor(0.0)
        self.clip_share: Tensor | None = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step for every parameter that has a gradient."""
        loss = super().step(closure)
        norms = []
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            states = [self.state[p] for p in params]
            beta1, beta2 = group["betas"]
            # Parameters may have had a gradient in different numbers of steps; here all have had the same.
            taken = states[0]["step"]
            root = (1 - beta2**taken).sqrt()
            scale = group["lr"] / (1 - beta1**taken)
            decayed = group["lr"] * group["weight_decay"]
            for m, v, p in blocks([[s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states], params]):
                # p_old - p_new = (u + d p_new) / (1 - d) with u the Adam step and d = lr * wd, from
                # p_new = (1 - d) p_old - u.
                moves = torch._foreach_sqrt(v)
                torch._foreach_div_(moves, root)
                torch._foreach_add_(moves, group["eps"])
                moves = torch._foreach_div(m, moves)
                torch._foreach_mul_(moves, scale)
                if decayed:
                    torch._foreach_add_(moves, p, alpha=decayed)
                norms.extend(torch._foreach_div(torch._foreach_norm(moves), 1 - decayed))
        if norms:
            self.update_norm = torch.linalg.vector_norm(torch.stack(norms))
        return loss
