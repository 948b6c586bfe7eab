"""``models``, ``tasks`` and ``methods``: what one can choose. It knows no weights and no rows."""

import argparse
from collections.abc import Mapping
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
        if len(listed) > 1:
            screen.say(f"\n{title.capitalize()}")
        for entry in entries:
            screen.entry(entry["name"], _lines(entry))
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
    presets = [
        {
            "name": name,
            "what": preset.shows,
            "found": preset.finding,
            "lanes": {key: [lane.model_dump() for lane in lanes_for(name, key, control=True)] for key in OBJECTIVES},
        }
        for name, preset in PRESETS.items()
    ]
    return {"objectives": objectives, "optimizers": optimizers, "presets": presets}


def _lines(entry: Mapping[str, Any]) -> list[str]:
    """What is said below the name: the sentence first, then whatever else fits into a line."""
    plain = {key: value for key, value in entry.items() if value and key not in ("name", "what", "formula", "lanes")}
    said = [f"{key}: {', '.join(value) if isinstance(value, list) else value}" for key, value in plain.items()]
    return [entry["what"], *said]
