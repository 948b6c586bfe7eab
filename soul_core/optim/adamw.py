"""AdamW that also says how far it went. It knows no model and no loss; the update rule is torch's."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from soul_core.optim import native
from soul_core.optim.blocks import Scratch, blocks

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
        groups: Sequence[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        fused = all(p.device.type in FUSED_ON for group in groups for p in group["params"])
        super().__init__(groups, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused or None)
        self.update_norm = torch.tensor(0.0)
        self._scratch = Scratch()
        self.clip_share: Tensor | None = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step for every parameter that has a gradient."""
        loss: Tensor | None = super().step(closure)
        norms = []
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            states = [self.state[p] for p in params]
            beta1, beta2 = group["betas"]
            # Every parameter with a gradient now has had one in each step: one count serves them all.
            taken = states[0]["step"]
            root = (1 - beta2**taken).sqrt()
            scale = group["lr"] * root / (1 - beta1**taken)
            decayed = group["lr"] * group["weight_decay"]
            # The Adam step is lr (m / bias1) / (sqrt(v) / root + eps) = scale * m / (sqrt(v) + eps * root), and
            # p_new = (1 - decayed) p_old - step gives p_old - p_new = (step + decayed * p_new) / (1 - decayed).
            moments = [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states]
            eps, of_weights = group["eps"] * root, decayed / scale if decayed else 0.0
            if native.fits(params, *moments) and native.library() is not None:
                squares = native.measure(params, *moments, decay=float(of_weights), eps=float(eps))
                norms.append(squares.sqrt() * scale / (1 - decayed))
                continue
            for m, v, p in blocks(*moments, params):
                move_N = self._scratch.gather(1, m).div_(self._scratch.gather(0, v).sqrt_().add_(eps))
                if decayed:
                    move_N.add_(self._scratch.gather(0, p).mul_(of_weights))
                norms.append(torch.linalg.vector_norm(move_N) * scale / (1 - decayed))
        if norms:
            self.update_norm = torch.linalg.vector_norm(torch.stack(norms))
        return loss
