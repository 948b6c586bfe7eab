"""Plain gradient descent that says how far it went. It knows no model and no loss."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from soul_core.optim.blocks import Scratch, blocks, split_like
from soul_core.optim.checks import in_range


class SGD(Optimizer):
    """``p <- p - lr * (g + weight_decay * p)``, without momentum and without state.

    The control that neither averages gradients nor rescales them: coordinates move in proportion to their gradient.
    Without momentum decoupled decay and a quadratic penalty are the same thing.

    Attributes:
        update_norm: Norm of the last step's change of the weights, decay included (0-dim tensor, on the device).
        clip_share: None: coordinates are not clipped.

    Args:
        params: Parameters, or groups of them.
        lr: What the gradient is multiplied by.
        weight_decay: Pull towards zero.
    """

    def __init__(
        self, params: Iterable[Tensor] | Iterable[dict[str, Any]], *, lr: float, weight_decay: float = 0.0
    ) -> None:
        in_range("SGD", lr=lr, weight_decay=weight_decay)
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self.update_norm = torch.tensor(0.0)
        self.clip_share: Tensor | None = None
        self._scratch = Scratch()

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step for every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        norms = []
        for group in self.param_groups:
            lr, weight_decay = group["lr"], group["weight_decay"]
            params = [p for p in group["params"] if p.grad is not None]
            for p, g in blocks(params, [p.grad for p in params]):
                direction_N = self._scratch.gather(0, g)
                moves = split_like(direction_N, p)
                if weight_decay:
                    torch._foreach_add_(moves, p, alpha=weight_decay)
                norms.append(torch.linalg.vector_norm(direction_N) * lr)
                torch._foreach_add_(p, moves, alpha=-lr)
        if norms:
            self.update_norm = torch.linalg.vector_norm(torch.stack(norms))
        return loss
