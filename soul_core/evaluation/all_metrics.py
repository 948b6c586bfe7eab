"""Every metric there is, registered once and in the order in which tables show them. It knows no metric's meaning.

Import ``METRICS`` from here to have the registry filled; importing it again changes nothing.
"""

from soul_core.evaluation import (
    extraction,
    fluency,
    membership,
    memorization,
    overlap,
    soul_metrics,
    tofu_metrics,
)
from soul_core.evaluation.registry import ModelMetric, SetMetric, register

METRICS: tuple[SetMetric | ModelMetric, ...] = (
    *soul_metrics.METRICS,
    *tofu_metrics.METRICS,
    *memorization.METRICS,
    *extraction.METRICS,
    *membership.METRICS,
    *overlap.METRICS,
    *fluency.METRICS,
)

register(*METRICS)
