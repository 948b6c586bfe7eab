"""From an optimizer's settings to the optimizer of a model. It knows no loss, no batch and no page."""

from typing import Any

from torch import nn

from soul_core.config import OptimizerConfig
from soul_core.optim.adamw import AdamW
from soul_core.optim.curvature import CurvaturePlan
from soul_core.optim.sophia import Sophia

UnlearningOptimizer = AdamW | Sophia
"""What the engine can drive: both report ``update_norm`` and ``clip_share`` after a step."""


def parameter_groups(model: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters in two groups: matrices decay; norms and biases, which have one axis, do not."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> UnlearningOptimizer:
    """The configured optimizer on the model's trainable parameters, at its peak rate.

    Sign momentum is Sophia that nobody ever gives curvature to.
    """
    groups = parameter_groups(model, weight_decay=config.weight_decay)
    betas = (config.beta1, config.beta2)
    if config.name == "adamw":
        return AdamW(groups, lr=config.lr, betas=betas)
    return Sophia(groups, lr=config.lr, betas=betas, rho=config.rho)


def curvature_plan(config: OptimizerConfig) -> CurvaturePlan | None:
    """When and from what the engine is to estimate curvature; None for an optimizer that uses none."""
    if config.name != "sophia":
        return None
    return CurvaturePlan(
        method=config.curvature,
        every=config.curvature_every,
        rows=config.curvature_rows,
        batch_factor=config.batch_factor,
    )
