"""From an optimizer's settings to the optimizer of a model. It knows no loss, no batch and no page."""

from typing import Any

from torch import nn

from soul_core.config import OptimizerConfig
from soul_core.errors import ConfigError
from soul_core.optim.adamw import AdamW
from soul_core.optim.curvature import CurvaturePlan
from soul_core.optim.release import BATCH_FACTOR, SoulRelease
from soul_core.optim.rounding import StochasticRounding
from soul_core.optim.sgd import SGD
from soul_core.optim.sophia import Sophia

PlainOptimizer = AdamW | Sophia | SoulRelease | SGD
BuiltOptimizer = PlainOptimizer | StochasticRounding
"""What ``build_optimizer`` makes: each is an ``UnlearningOptimizer`` and a ``torch.optim.Optimizer``."""


def parameter_groups(model: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters in two groups: matrices decay; norms and biases, which have one axis, do not."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def build_optimizer(model: nn.Module, config: OptimizerConfig, *, rounding: bool = False) -> BuiltOptimizer:
    """The configured optimizer on the model's trainable parameters, at its peak rate.

    Args:
        model: On its device, in its precision.
        config: Name and settings.
        rounding: For weights in bf16: states in fp32, steps rounded stochastically.

    Raises:
        ConfigError: States in int8 are wanted with curvature that may be negative.
        ValueError: Rounding is wanted of weights that are neither in bf16 nor in fp32.
    """
    groups = parameter_groups(model, weight_decay=config.weight_decay)
    if rounding:
        return StochasticRounding(groups, lambda inner: _plain(inner, config))
    return _plain(groups, config)


def _plain(groups: list[dict[str, Any]], config: OptimizerConfig) -> PlainOptimizer:
    betas = (config.beta1, config.beta2)
    if config.name == "adamw":
        return AdamW(groups, lr=config.lr, betas=betas)
    if config.name == "sgd":
        return SGD(groups, lr=config.lr)
    if config.name == "soul-release":
        factor = config.batch_factor or BATCH_FACTOR
        return SoulRelease(groups, lr=config.lr, betas=betas, rho=config.rho, batch_factor=factor)
    # Sign momentum is Sophia that nobody ever gives curvature to.
    check_optimizer(config)
    return Sophia(groups, lr=config.lr, betas=betas, rho=config.rho, eight_bit=config.state == "int8")


def check_optimizer(config: OptimizerConfig) -> None:
    """Refuse settings that do not go together, before anything is built.

    Raises:
        ConfigError: States in int8 are wanted with curvature that may be negative.
    """
    if config.state == "int8" and config.name == "sophia" and config.curvature == "hutchinson":
        raise ConfigError(
            "States in int8 keep no negative curvature, and Hutchinson's estimate may be negative. "
            "Set States to float32, or Curvature to gnb."
        )


def curvature_plan(config: OptimizerConfig) -> CurvaturePlan | None:
    """When and from what the engine is to estimate curvature; None for an optimizer that is given none."""
    if config.name != "sophia":
        return None
    return CurvaturePlan(
        method=config.curvature,
        every=config.curvature_every,
        rows=config.curvature_rows,
        batch_factor=config.batch_factor,
    )
