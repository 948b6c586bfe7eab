"""A race's settings by the titles that people know them by, lane by lane. It knows no run and no markup."""

from collections.abc import Iterable

from soul_core.config import LaneConfig, RaceConfig, Settings
from soul_core.errors import ConfigError
from soul_core.objectives import find_objective, options_of, retain_name
from soul_core.optim.registry import OPTIMIZERS


def race_settings(config: RaceConfig) -> dict[str, str]:
    """What all lanes share, by title."""
    fields = RaceConfig.model_fields
    values = config.model_dump(mode="json", exclude={"lanes"})
    return {fields[name].title or name: str(value) for name, value in values.items()}


def lane_settings(lane: LaneConfig) -> dict[str, str]:
    """A lane's settings that are read, by title; its objective's own with the values they had."""
    objective, optimizer, weights = lane.objective, lane.optimizer, lane.weights
    shown = {"Objective": objective.name}
    try:
        entry = find_objective(objective.name)
        shown |= {entry.fields[name].title or name: str(value) for name, value in options_of(objective).items()}
        if entry.kind != "trained":
            return shown
        objective = objective.but(retain=retain_name(objective))
    except ConfigError:  # an objective of the person's own that is not loaded now
        shown |= {name: str(value) for name, value in objective.options.items()}
    read: list[tuple[Settings, Iterable[str]]] = [
        (objective, ("gamma", "retain")),
        (optimizer, ("name", *OPTIMIZERS[optimizer.name].settings)),
        (weights, type(weights).model_fields if weights.kind == "lora" else ("kind",)),
    ]
    for settings, names in read:
        shown |= {type(settings).model_fields[name].title or name: str(getattr(settings, name)) for name in names}
    return shown
