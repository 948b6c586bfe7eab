"""Puts what a sweep chose into the preset *Each at its best*. It knows no race and chooses nothing itself."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from soul_core.config import LaneConfig, WeightsConfig
from soul_core.objectives import find_objective
from soul_core.optim.registry import default_optimizer
from soul_core.runs.atomic import write_text
from soul_core.session.presets import CONTROL, OTHERWISE, PRESETS_FILE, ending_of, reload_presets
from soul_core.session.search import Space
from soul_core.session.sweep_rule import RULE, Rule, best
from soul_core.session.trials import Record

_RUNNERS = {"adamw": "fo", "sophia": "so", "sign-momentum": CONTROL}
_SHORT = {"fo": "FO", "so": "SO", CONTROL: "sign momentum"}
_HELD = (WeightsConfig(), WeightsConfig(kind="lora"), WeightsConfig(kind="lora", init="fila"))
"""Weights that presets hold settings for."""


def apply_choices(records: Sequence[Record], spaces: Mapping[str, Space], *, source: str, rule: Rule = RULE) -> str:
    """Write what the rule chooses into *Each at its best*, each method with its own γ.

    Methods that presets do not hold (a start of LoRA or an optimizer of another kind) are left out, and so is a LoRA
    rank; a lane for which nothing was chosen keeps what it has.

    Args:
        records: All runs of the sweep.
        spaces: What was searched, by lane.
        source: Where the sweep is recorded.
        rule: How it chose.

    Returns:
        What was left out, in a sentence; empty if nothing was.
    """
    chosen, tried = best(records, rule), {record.config.lanes[0].name: record.config.lanes[0] for record in records}
    table = json.loads(PRESETS_FILE.read_text(encoding="utf-8"))
    cells = table["each-at-its-best"]["objectives"]
    left_out, found = [], dict[tuple[str, str], dict[str, str]]()
    for name, lane in tried.items():
        runner = _RUNNERS.get(lane.optimizer.name)
        if (
            find_objective(lane.objective.name).kind != "trained"
            or runner is None
            or lane.weights.but(rank=8, alpha=16.0) not in _HELD
        ):
            left_out.append(lane.label)
        else:
            found.setdefault((lane.objective.name, ending_of(lane.weights)), {})[runner] = name
    for (objective, ending), names in found.items():
        cell = cells.setdefault(objective + ending, deepcopy(cells[OTHERWISE + ending]))
        for runner, name in names.items():
            if name in chosen:
                cell["lanes"][runner], cell["objectives"][runner] = _as_preset(chosen[name].config, spaces[name])
        missing = ", ".join(tried[name].label for name in names.values() if name not in chosen)
        left = ", ".join(_SHORT[runner] for runner in cell["lanes"] if runner not in names)
        cell["source"] = source
        said = [f"No setting of {missing} kept retain Acc within the rule's margin, so it is not tuned."] * bool(
            missing
        )
        cell["note"] = " ".join([*said, *([f"Not swept: {left}."] if left else [])])
    write_text(PRESETS_FILE, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    reload_presets()
    return f"Presets do not hold {', '.join(left_out)}; see the page." if left_out else ""


def _as_preset(lane: LaneConfig, space: Space) -> tuple[dict[str, Any], dict[str, Any]]:
    """The optimizer's and the objective's settings as a preset writes them."""
    usual = default_optimizer(lane.optimizer.name)
    kept = {"beta1", "beta2", "weight_decay", *space.names}
    optimizer = {
        name: value
        for name, value in lane.optimizer
        if name != "name" and (name in kept or value != getattr(usual, name))
    }
    retain = {} if lane.objective.retain == "default" else {"retain": lane.objective.retain}
    return optimizer, {"gamma": lane.objective.gamma, **retain, **lane.objective.options}
