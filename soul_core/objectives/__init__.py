"""Unlearning objectives as pure functions of answer likelihoods. It knows no model and no optimizer."""

from soul_core.objectives.criterion import Criterion, Needs, losses_for, needs_of, options_of, retain_name
from soul_core.objectives.entry import IDEAS, Objective
from soul_core.objectives.likelihoods import AnswerTokens, Likelihoods, Losses, answer_likelihoods, answer_logits
from soul_core.objectives.registry import OBJECTIVES, find_objective, register_objective
from soul_core.objectives.retain import RETAINS

__all__ = [
    "IDEAS",
    "OBJECTIVES",
    "RETAINS",
    "AnswerTokens",
    "Criterion",
    "Likelihoods",
    "Losses",
    "Needs",
    "Objective",
    "answer_likelihoods",
    "answer_logits",
    "find_objective",
    "losses_for",
    "needs_of",
    "options_of",
    "register_objective",
    "retain_name",
]
