"""Settings of single lanes, changed by name: what command line and page both offer. It knows no option and no field.

A lane's settings are its optimizer's, its objective's (its own among them) and its weights'; every name stands for
one of them.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from soul_core.config import (
    OBJECTIVE_OPTIONS,
    OPTIMIZER_OPTIONS,
    WEIGHT_OPTIONS,
    LaneConfig,
    LaneSetting,
    ObjectiveConfig,
    Settings,
)
from soul_core.errors import ConfigError
from soul_core.objectives import OBJECTIVES, find_objective, options_of


def own_options() -> dict[str, tuple[str, ...]]:
    """The settings that objectives have of their own, and the labels of those that have each."""
    found: dict[str, tuple[str, ...]] = {}
    for objective in OBJECTIVES.values():
        for name in objective.fields:
            found[name] = (*found.get(name, ()), objective.label)
    return found


def changed_lanes(
    lanes: Sequence[LaneConfig], every: Mapping[str, Any], single: Sequence[LaneSetting]
) -> tuple[LaneConfig, ...]:
    """Lanes with the settings given for all of them, then those given for one, put in.

    A setting that only some objectives have is given to the lanes that have it.

    Raises:
        ConfigError: No such lane or setting, or a value out of bounds.
    """
    names = [lane.name for lane in lanes]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise ConfigError(f"“{twice}” is named twice. Give one a name of its own, such as other={twice}.")
    by_name = {lane.name: lane for lane in lanes}
    for name in every:
        if _group(name) is None and not any(_has_own(lane, name) for lane in lanes):
            raise ConfigError(_no_setting(name, lanes))
    for lane in by_name:
        has = {k: v for k, v in every.items() if _group(k) is not None or _has_own(by_name[lane], k)}
        by_name[lane] = changed_lane(by_name[lane], has)
    for lane, setting, value in single:
        if lane not in by_name:
            raise ConfigError(f"{lane}.{setting} names no lane of this race. Its lanes are: {', '.join(by_name)}.")
        by_name[lane] = changed_lane(by_name[lane], {setting: value})
    return tuple(by_name.values())


def changed_lane(lane: LaneConfig, changes: Mapping[str, Any]) -> LaneConfig:
    """A lane with settings changed by name.

    Raises:
        ConfigError: The lane has no such setting, or a value is out of bounds.
    """
    parts: dict[str, dict[str, Any]] = {"optimizer": {}, "objective": {}, "weights": {}}
    own: dict[str, Any] = {}
    for name, value in changes.items():
        group = _group(name)
        if group is not None:
            parts[group][_field(name)] = value
        else:
            own[name] = value
    objective = _with_objective(lane.objective, parts["objective"])
    lane = lane.but(
        optimizer=lane.optimizer.but(**parts["optimizer"]),
        objective=objective,
        weights=lane.weights.but(**parts["weights"]),
    )
    for name in own:
        if not _has_own(lane, name):
            raise ConfigError(_no_setting(name, [lane]))
    # Checked here, and stored as the numbers that they are and not as the text that was typed.
    checked = options_of(objective.but(**own))
    return lane.but(objective=objective.but(**{name: checked[name] for name in own}))


def changes_from_text(text: str) -> list[LaneSetting]:
    """Read ``lane.setting = value``, one a line; empty lines and what follows a # are skipped.

    Raises:
        ConfigError: A line is written otherwise.
    """
    found = []
    for line in text.splitlines():
        said = line.partition("#")[0].strip()
        if not said:
            continue
        place, equals, value = said.partition("=")
        lane, dot, setting = place.strip().removeprefix("--").partition(".")
        if not (equals and dot and lane and setting.strip() and value.strip()):
            raise ConfigError(f"“{said[:80]}” is no change. Write lane, setting and value: so-npo.lr = 0.0005")
        found.append(LaneSetting(lane, setting.strip().replace("-", "_"), value.strip()))
    return found


def differences(now: LaneConfig, usual: LaneConfig) -> dict[str, Any]:
    """Every setting by name in which the first lane is not the second."""
    found: dict[str, Any] = {}
    pairs: tuple[tuple[Settings, Settings, Mapping[str, str]], ...] = (
        (now.objective, usual.objective, OBJECTIVE_OPTIONS),
        (now.optimizer, usual.optimizer, OPTIMIZER_OPTIONS),
        (now.weights, usual.weights, WEIGHT_OPTIONS),
    )
    for mine, theirs, options in pairs:
        for option, name in options.items():
            if getattr(mine, name) != getattr(theirs, name):
                found[option] = getattr(mine, name)
    same = now.objective.name == usual.objective.name
    other = options_of(usual.objective) if same else options_of(ObjectiveConfig(name=now.objective.name))
    return found | {name: value for name, value in options_of(now.objective).items() if value != other[name]}


def _with_objective(objective: ObjectiveConfig, changes: Mapping[str, Any]) -> ObjectiveConfig:
    """Settings of another objective do not carry over to one that lacks them."""
    name = changes.get("name", objective.name)
    kept = {key: value for key, value in objective.options.items() if key in find_objective(name).fields}
    same = {key: getattr(objective, key) for key in ObjectiveConfig.model_fields}
    if name != objective.name:
        same["retain"], kept = "default", {}
    return ObjectiveConfig(**{**same, **kept, **changes})


def _group(name: str) -> str | None:
    for group, options in (
        ("optimizer", OPTIMIZER_OPTIONS),
        ("objective", OBJECTIVE_OPTIONS),
        ("weights", WEIGHT_OPTIONS),
    ):
        if name in options:
            return group
    return None


def _field(name: str) -> str:
    return {**OPTIMIZER_OPTIONS, **OBJECTIVE_OPTIONS, **WEIGHT_OPTIONS}[name]


def _has_own(lane: LaneConfig, name: str) -> bool:
    return name in find_objective(lane.objective.name).fields


def _no_setting(name: str, lanes: Iterable[LaneConfig]) -> str:
    having = own_options().get(name)
    labels = " and ".join(dict.fromkeys(find_objective(lane.objective.name).label for lane in lanes))
    if having:
        return f"{labels} has no setting “{name}”; it is one of {', '.join(having)}. Leave it out."
    known = [*OPTIMIZER_OPTIONS, *OBJECTIVE_OPTIONS, *WEIGHT_OPTIONS, *own_options()]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean “{near[0]}”?" if near else f"Settings are: {', '.join(dict.fromkeys(known))}."
    return f"A lane has no setting “{name}”. {hint}"
