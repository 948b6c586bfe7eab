"""Unlearning objectives as pure functions of answer likelihoods. It knows no model and no optimizer."""

from soul_core.objectives.likelihoods import Likelihoods, Losses, answer_likelihoods, answer_logits
from soul_core.objectives.registry import OBJECTIVES, Objective, losses_for

__all__ = [
    "OBJECTIVES",
    "Likelihoods",
    "Losses",
    "Objective",
    "answer_likelihoods",
    "answer_logits",
    "losses_for",
]
