"""Optimizers, curvature estimates and schedules. It knows parameters and gradients, no model family and no data."""

from soul_core.optim.build import BuiltOptimizer, build_optimizer, check_optimizer, curvature_plan, parameter_groups
from soul_core.optim.curvature import CurvaturePlan
from soul_core.optim.protocol import UnlearningOptimizer
from soul_core.optim.registry import OPTIMIZERS, OptimizerInfo, default_optimizer
from soul_core.optim.schedules import schedule_lr

__all__ = [
    "OPTIMIZERS",
    "BuiltOptimizer",
    "CurvaturePlan",
    "OptimizerInfo",
    "UnlearningOptimizer",
    "build_optimizer",
    "check_optimizer",
    "curvature_plan",
    "default_optimizer",
    "parameter_groups",
    "schedule_lr",
]
