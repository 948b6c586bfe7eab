"""``models``, ``tasks`` and ``methods``: what one can choose. It knows no weights and no rows."""

import argparse
from typing import Any

from soul_core.cli.screen import Screen, print_json
from soul_core.data.tasks import TASKS
from soul_core.models.presets import PRESETS as MODELS
from soul_core.objectives.registry import OBJECTIVES
from soul_core.optim.registry import OPTIMIZERS
from soul_core.session.presets import PRESETS, lanes_for


def run(arguments: argparse.Namespace) -> int:
    """Print one list."""
    listed = {"models": models, "tasks": tasks, "methods": methods}[arguments.command]()
    screen = Screen(json_wanted=arguments.json)
    for title, entries in listed.items():
        columns = list(dict.fromkeys(key for entry in entries for key in entry if key not in ("formula", "lanes")))
        screen.table(title, columns, [[_cell(entry.get(column, "")) for column in columns] for entry in entries])
    if arguments.json:
        print_json(listed)
    return 0


def models() -> dict[str, list[dict[str, Any]]]:
    """Models with a short name; any other hub id or folder works too."""
    return {
        "models": [
            {"name": p.name, "what": p.sentence, "from": p.source, "gold for": list(p.golds)} for p in MODELS.values()
        ]
    }


def tasks() -> dict[str, list[dict[str, Any]]]:
    """Tasks and what may stand behind their colon."""
    return {
        "tasks": [
            {
                "name": t.name,
                "what": t.description,
                "forget sets": [*t.splits, *(["authors=Name;Name"] if t.pickable else [])],
                "licence": t.licence,
                "from": t.origin,
            }
            for t in TASKS.values()
        ]
    }


def methods() -> dict[str, list[dict[str, Any]]]:
    """Objectives, optimizers and what each preset runs."""
    objectives = [
        {"name": o.name, "label": o.label, "what": o.sentence, "paper": o.paper, "formula": o.formula}
        for o in OBJECTIVES.values()
    ]
    optimizers = [{"name": o.name, "label": o.label, "what": o.sentence} for o in OPTIMIZERS.values()]
    presets: list[dict[str, Any]] = []
    for preset in PRESETS:
        for lane in lanes_for(preset, "graddiff", control=True):
            presets.append(
                {
                    "preset": preset,
                    "lane": lane.name,
                    "optimizer": lane.optimizer.name,
                    "learning rate": f"{lane.optimizer.lr:g}",
                    "γ": f"{lane.objective.gamma:g}",
                    "lanes": lane.model_dump(),
                }
            )
    return {"objectives": objectives, "optimizers": optimizers, "presets (GradDiff)": presets}


def _cell(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
