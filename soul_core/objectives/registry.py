"""The objectives by name; each one's entry stands below its function. It knows no model, no optimizer and no page."""

import difflib
import re

from soul_core.config import OBJECTIVE_OPTIONS, OPTIMIZER_OPTIONS, WEIGHT_OPTIONS
from soul_core.errors import ConfigError
from soul_core.objectives.ascent import GA, GA_KL, GRADDIFF, SATIMP, WGA
from soul_core.objectives.divergence import KL
from soul_core.objectives.entry import IDEAS, Objective
from soul_core.objectives.hinge import IHL
from soul_core.objectives.preference import DPO, NPO, SIMNPO
from soul_core.objectives.relabel import FINETUNE, PO, RANDOM_LABELS
from soul_core.objectives.representation import RMU
from soul_core.objectives.retain import RETAINS
from soul_core.objectives.targets import CEU, PDU, UNDIAL
from soul_core.objectives.untrained import ICUL, INFLUENCE, INPUT_BASED

_NAME = re.compile(r"(?!.*-(lora|bf16|fila)$)[a-z0-9][a-z0-9-]{0,31}")

OBJECTIVES: dict[str, Objective] = {}
"""Every objective by name, in the order of the page."""


def register_objective(objective: Objective) -> Objective:
    """Add an objective: page, command line and tests then know it by its name.

    Raises:
        ConfigError: There is one of that name already, one of its settings is called like a setting of every lane,
            or there is no such retain term.
        TypeError: A setting has no type or no default.
    """
    if objective.name in OBJECTIVES:
        raise ConfigError(f"There is an objective “{objective.name}” already. Give yours another name.")
    if not _NAME.fullmatch(objective.name):
        raise ConfigError(
            f"“{objective.name[:80]}” cannot be an objective's name. Use small letters, digits and dashes, and "
            "no ending in -lora or -bf16."
        )
    if objective.idea not in IDEAS:
        raise ConfigError(f"{objective.label} has the idea “{objective.idea}”. Choose one of {', '.join(IDEAS)}.")
    if (objective.forget is None) == (objective.kind == "trained"):
        raise ConfigError(f"{objective.label} is {objective.kind}, and forget is what a trained objective alone has.")
    taken = {*OPTIMIZER_OPTIONS, *OBJECTIVE_OPTIONS, *WEIGHT_OPTIONS} & {*objective.fields}
    if taken:
        raise ConfigError(
            f"{objective.label} has a setting “{min(taken)}”, but every lane has one of that name. "
            "Give yours another name."
        )
    unknown = [name for name in objective.retains if name not in RETAINS]
    if unknown or not objective.retains:
        named = f"the retain term “{unknown[0]}”" if unknown else "no retain term"
        raise ConfigError(f"{objective.label} has {named}. Choose among {', '.join(RETAINS)}.")
    OBJECTIVES[objective.name] = objective
    return objective


def find_objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        ConfigError: There is none; the sentence lists what there is.
    """
    if name not in OBJECTIVES:
        near = difflib.get_close_matches(name, OBJECTIVES, n=1)
        meant = f" Did you mean “{near[0]}”?" if near else ""
        raise ConfigError(f"There is no objective “{name[:80]}”.{meant} Objectives are: {', '.join(OBJECTIVES)}.")
    return OBJECTIVES[name]


for _objective in (
    GA,
    GRADDIFF,
    GA_KL,
    KL,
    WGA,
    SATIMP,
    IHL,
    NPO,
    SIMNPO,
    DPO,
    PO,
    RANDOM_LABELS,
    UNDIAL,
    CEU,
    PDU,
    FINETUNE,
    RMU,
    INPUT_BASED,
    ICUL,
    INFLUENCE,
):
    register_objective(_objective)
