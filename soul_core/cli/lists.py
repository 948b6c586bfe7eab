"""``models``, ``tasks``, ``methods``, ``metrics``, ``attacks``: what one can choose. No weights and no rows here."""

import argparse
from collections.abc import Mapping
from typing import Any

from soul_core.cli import rows
from soul_core.cli.screen import Screen, print_json
from soul_core.data.tasks import TASKS
from soul_core.evaluation.all_metrics import METRICS
from soul_core.evaluation.registry import ModelMetric, SetMetric
from soul_core.models.presets import PRESETS as MODELS
from soul_core.session.catalogue import attacks as listed_attacks
from soul_core.session.catalogue import catalogue

_DIRECTIONS = {"higher": "higher", "lower": "lower", "gold": "nearer to gold", "none": "neither"}


def run(arguments: argparse.Namespace) -> int:
    """Print one list, or with ``tasks show`` the rows of one task."""
    if getattr(arguments, "action", None) == "show":
        return rows.run(arguments)
    lists = {"models": models, "tasks": tasks, "methods": methods, "metrics": metrics, "attacks": attacks}
    listed = lists[arguments.command]()
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
                "behind the colon": t.free,
                "size": t.size,
                "licence": t.licence,
                "measures": list(t.measures),
                "from": t.origin,
            }
            for t in TASKS.values()
        ]
    }


def methods() -> dict[str, list[dict[str, Any]]]:
    """Objectives, retain terms, optimizers, named methods and presets, with all that is known of them."""
    return catalogue()


def metrics() -> dict[str, list[dict[str, Any]]]:
    """Every number of a scorecard: what it means, which way is better, by which convention."""
    return {
        "metrics": [
            {
                "name": metric.name,
                "title": metric.title,
                "what": metric.meaning,
                "better": _better(metric),
                "convention": metric.convention,
                "computed": metric.formula,
                "of": "a question set" if isinstance(metric, SetMetric) else "the whole model",
                "from": metric.source,
            }
            for metric in METRICS
        ]
    }


def attacks() -> dict[str, list[dict[str, Any]]]:
    """Every attack that is tried on a run's models."""
    return {"attacks": listed_attacks()}


def _better(metric: SetMetric | ModelMetric) -> str:
    if isinstance(metric, ModelMetric):
        return _DIRECTIONS[metric.better]
    return "; ".join(f"{role}: {_DIRECTIONS[metric.better[role]]}" for role in metric.roles if role in metric.better)


def _lines(entry: Mapping[str, Any]) -> list[str]:
    """What is said below the name: the sentence first, then whatever else fits into a line."""
    hidden = ("name", "what", "formula", "settings", "cells", "weights", "options")
    plain = {key: value for key, value in entry.items() if value and key not in hidden}
    said = [f"{key}: {', '.join(value) if isinstance(value, list) else value}" for key, value in plain.items()]
    return [entry["what"], *said, *(_setting(setting) for setting in entry.get("settings", ()))]


def _setting(setting: Mapping[str, Any]) -> str:
    words = [f"--{setting['name'].replace('_', '-')} [{setting['default']}]: {setting['what']}"]
    return " ".join([*words, *([f"({setting['from']})"] if setting["from"] else [])])
