"""A race's settings put back into Setup: the form that makes the same race again. It knows no component."""

from typing import Any

from soul_core.config import LaneConfig, RaceConfig, WeightsConfig
from soul_core.errors import ConfigError
from soul_core.objectives import options_of, retain_name
from soul_core.session.changes import differences
from soul_core.session.methods import lane_of, method_of
from soul_core.ui.form import ANY, PAIR, SHARED_FIELDS, Form, Layout, lane_values, preset_values, task_fields

_PAIRS = (("fo", "so"), ("fo", "so", "sign"))


def form_of(config: RaceConfig, layout: Layout) -> Form:
    """The complete form of a race: FO against SO where that can say all of it, else methods and changes.

    The labels of lanes are not settings: under *Any methods* each is called as its method is.

    Raises:
        ConfigError: A lane's objective is not registered (any more).
    """
    if tuple(lane.name for lane in config.lanes) in _PAIRS:
        try:
            form = _as_pair(config, layout)
            if _meaning(form.config()) == _meaning(config):
                return form
        except ConfigError:
            pass  # an objective without FO and SO, called fo all the same
    return _as_methods(config, layout)


def _as_pair(config: RaceConfig, layout: Layout) -> Form:
    objective = config.lanes[0].objective.name
    return Form(
        **_common(config),
        mode=PAIR,
        objective=objective,
        control="sign" in {lane.name for lane in config.lanes},
        weights=config.lanes[0].weights.model_dump(),
        **lane_values(objective, config.lanes, layout.own),
    )


def _as_methods(config: RaceConfig, layout: Layout) -> Form:
    methods, changes = [], []
    for lane in config.lanes:
        method = _written(lane, config.preset)
        methods.append(method)
        different = differences(lane, lane_of(method, config.preset))
        changes += [f"{lane.name}.{name} = {value}" for name, value in different.items()]
    objective = Form().objective
    return Form(
        **_common(config),
        mode=ANY,
        methods=methods,
        changes="\n".join(changes),
        weights=WeightsConfig().model_dump(),
        **preset_values(config.preset, objective, layout.own),
    )


def _written(lane: LaneConfig, preset: str) -> str:
    """The method that a lane is: by its own name if that says it, else as ``name=method``."""
    method = method_of(lane)
    try:
        if method_of(lane_of(lane.name, preset)) == method:
            return lane.name
    except ConfigError:
        pass
    return f"{lane.name}={method}"


def _common(config: RaceConfig) -> dict[str, Any]:
    return {
        "model": config.model,
        **task_fields(config.task),
        "preset": config.preset,
        "epochs": config.epochs,
        "seed": config.seed,
        "shared": {name: getattr(config, name) for name in SHARED_FIELDS},
    }


def _meaning(config: RaceConfig) -> dict[str, Any]:
    """What decides a race: a default that is written down is the default all the same."""
    lanes = [
        {
            "name": lane.name,
            "optimizer": lane.optimizer,
            "weights": lane.weights,
            "objective": (lane.objective.name, lane.objective.gamma, retain_name(lane.objective)),
            "own": options_of(lane.objective),
        }
        for lane in config.lanes
    ]
    return {**{name: getattr(config, name) for name in RaceConfig.model_fields}, "lanes": lanes}
