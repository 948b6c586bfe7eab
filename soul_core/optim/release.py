"""SophiaG as the SOUL release runs it, quirks included. It knows no model and no loss.

For a lane that is to do what the published numbers were made with. ``sophia.py`` is Sophia as its paper has it.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from soul_core.optim.checks import in_range

BATCH_FACTOR = 5120
"""``bs`` of the release's ``step(bs=5120)``, which the trainer calls without an argument."""

EPS = 1e-15


class SoulRelease(Optimizer):
    """The optimizer of github.com/OPTML-Group/SOUL at 30f7a41 (Jia et al. 2024, arXiv:2404.18239), step for step.

    Written to be compared with the release line by line, one parameter at a time. Where it differs from Sophia
    (Liu et al. 2023, arXiv:2305.14342):

    - ``h`` averages the square of the training gradient itself, in each step: of the whole loss with the true
      labels, forget and retain terms added and the norm clipped before. Terms that cancel leave no curvature.
    - The momentum is averaged twice in a step with the same gradient, which is once with ``beta1 ** 2``.
    - Curvature is multiplied by 5120, however many answer tokens a step sees.

    As in Sophia no coordinate moves by more than ``lr``, decay apart. State per parameter, with its shape, dtype
    and device: ``exp_avg`` and ``hessian``. There is no bias correction.

    Attributes:
        clip_share: Share of the coordinates of the last step that were clipped (0-dim tensor, on the device).
        update_norm: Norm of the last step's change of the weights, decay included (0-dim tensor).

    Args:
        params: Parameters, or groups of them.
        lr: Largest move of a coordinate in a step, decay apart.
        betas: As written in the release's configuration; momentum in effect has the square of the first.
        rho: Curvature scale.
        weight_decay: Decoupled, and taken first.
        batch_factor: ``bs`` of the release.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        rho: float = 0.04,
        weight_decay: float = 0.1,
        batch_factor: float = BATCH_FACTOR,
    ) -> None:
        in_range("SoulRelease", lr=lr, betas=betas, rho=rho, weight_decay=weight_decay, batch_factor=batch_factor)
        settings = {"lr": lr, "betas": betas, "rho": rho, "weight_decay": weight_decay, "batch_factor": batch_factor}
        super().__init__(params, settings)
        self.clip_share = torch.tensor(0.0)
        self.update_norm = torch.tensor(0.0)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step for every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        clipped, norms, coordinates = [], [], 0
        for group in self.param_groups:
            lr, (beta1, beta2) = group["lr"], group["betas"]
            scale = group["rho"] * group["batch_factor"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g, state, before = p.grad, self.state[p], p.clone()
                if not state:
                    state["exp_avg"], state["hessian"] = torch.zeros_like(p), torch.zeros_like(p)
                m, h = state["exp_avg"], state["hessian"]
                h.mul_(beta2).addcmul_(g, g, value=1 - beta2)  # update_hessian
                m.mul_(beta1).add_(g, alpha=1 - beta1)  # update_exp_avg
                p.mul_(1 - lr * group["weight_decay"])  # _single_tensor_sophiag, to the end
                m.mul_(beta1).add_(g, alpha=1 - beta1)
                ratio = (m.abs() / (scale * h + EPS)).clamp(None, 1)
                p.addcmul_(m.sign(), ratio, value=-lr)
                clipped.append((ratio >= 1).sum())
                norms.append(torch.linalg.vector_norm(p - before))
                coordinates += p.numel()
        if coordinates:
            self.clip_share = torch.stack(clipped).sum() / coordinates
            self.update_norm = torch.linalg.vector_norm(torch.stack(norms))
        return loss
