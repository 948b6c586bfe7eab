"""The loop that takes optimizer steps and reports each. It knows no file, no page and no method by name."""

from soul_core.engine.forward import NO_REFERENCE, Reference, likelihoods_of, reference_nll
from soul_core.engine.loop import unlearn
from soul_core.engine.one_shot import InfluenceResult, influence_step

__all__ = [
    "NO_REFERENCE",
    "InfluenceResult",
    "Reference",
    "influence_step",
    "likelihoods_of",
    "reference_nll",
    "unlearn",
]
