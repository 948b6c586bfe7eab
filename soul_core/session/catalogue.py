"""Everything that a lane can be made of, as plain data: what command line and endpoints list. It runs nothing."""

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from soul_core.config import OptimizerConfig
from soul_core.objectives import OBJECTIVES, RETAINS
from soul_core.objectives.entry import IDEAS
from soul_core.optim.registry import OPTIMIZERS, default_optimizer
from soul_core.probing.attacks import ATTACKS
from soul_core.session.methods import NAMED, RUNNERS
from soul_core.session.presets import PRESETS

Entries = list[dict[str, Any]]


def catalogue() -> dict[str, Entries]:
    """Objectives, retain terms, optimizers, methods with a name of their own, presets: each a list of entries with
    ``name``, ``label`` and ``what``, and their settings with bounds, default and source."""
    return {
        "objectives": objectives(),
        "retain terms": retain_terms(),
        "optimizers": optimizers(),
        "methods": named_methods(),
        "presets": presets(),
    }


def objectives() -> Entries:
    """Every way to state what forgetting is, the person's own among them."""
    return [
        {
            "name": name,
            "label": entry.label,
            "what": entry.sentence,
            "idea": IDEAS[entry.idea],
            "kind": entry.kind,
            "paper": entry.paper,
            "formula": entry.formula,
            "retain terms": list(entry.retains),
            "needs": list(entry.needs),
            "settings": _settings(entry.fields),
        }
        for name, entry in OBJECTIVES.items()
    ]


def retain_terms() -> Entries:
    """What can protect the retain rows."""
    return [
        {"name": name, "label": entry.label, "what": entry.sentence, "formula": entry.formula}
        for name, entry in RETAINS.items()
    ]


def optimizers() -> Entries:
    """Every update rule, with what stands for it in front of an objective's name."""
    runners = {rule: runner for runner, (rule, _) in RUNNERS.items()}
    return [
        {
            "name": name,
            "label": entry.label,
            "what": entry.sentence,
            "in a method's name": runners[entry.name],
            "order": entry.order,
            "paper": entry.paper,
            "formula": entry.formula,
            "from": entry.source,
            "settings": _settings(
                {key: OptimizerConfig.model_fields[key] for key in entry.settings},
                default_optimizer(entry.name).model_dump(),
            ),
        }
        for name, entry in OPTIMIZERS.items()
    ]


def named_methods() -> Entries:
    """The methods that have a name of their own; all others are an optimizer and an objective."""
    return [
        {
            "name": name,
            "label": method.label,
            "what": method.sentence,
            "paper": method.paper,
            "objective": method.objective,
            "options": dict(method.options),
            "weights": method.weights.model_dump(),
        }
        for name, method in NAMED.items()
    ]


def presets() -> Entries:
    """The ways to hold a race fair, with the settings that each has: by objective, else ``otherwise``."""
    return [
        {
            "name": name,
            "label": preset.label,
            "what": preset.shows,
            "found": preset.finding,
            "cells": {
                key: {
                    "lanes": {lane: dict(values) for lane, values in cell.lanes.items()},
                    "objectives": {lane: dict(values) for lane, values in cell.objectives.items()},
                    "source": cell.source,
                    "note": cell.note,
                }
                for key, cell in preset.cells.items()
            },
        }
        for name, preset in PRESETS.items()
    ]


def attacks() -> Entries:
    """Every attack of the bench, cheap ones first."""
    return [
        {
            "name": name,
            "label": attack.title,
            "what": attack.what,
            "a leak": attack.leak,
            "works by": attack.family,
            "otherwise": attack.unfit,
        }
        for name, attack in ATTACKS.items()
    ]


def limits_of(field: FieldInfo) -> dict[str, float]:
    """A setting's bounds, of ``gt``, ``ge``, ``lt``, ``le`` those that it has."""
    limits: dict[str, float] = {}
    for rule in field.metadata:
        for key in ("gt", "ge", "lt", "le"):
            value = getattr(rule, key, None)
            if value is not None:
                limits[key] = value
    return limits


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The values of a setting that is one of a few words; empty for any other."""
    kind = field.annotation
    return tuple(str(value) for value in get_args(kind)) if get_origin(kind) is Literal else ()


def source_of(field: FieldInfo) -> str:
    """Where a setting's default comes from, as far as that is said."""
    extra = field.json_schema_extra
    return str(extra["source"]) if isinstance(extra, dict) and "source" in extra else ""


def _settings(fields: Mapping[str, FieldInfo], defaults: Mapping[str, Any] | None = None) -> Entries:
    return [
        {
            "name": name,
            "label": field.title or name,
            "what": field.description or "",
            "default": (defaults or {}).get(name, field.default),
            "bounds": limits_of(field),
            "choices": list(choices_of(field)),
            "from": source_of(field),
        }
        for name, field in fields.items()
    ]
