"""What a fair search of settings tries: per method the same number of trials. It knows no optimizer's insides."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo

from soul_core.config import (
    OBJECTIVE_OPTIONS,
    OPTIMIZER_OPTIONS,
    WEIGHT_OPTIONS,
    LaneConfig,
    ObjectiveConfig,
    OptimizerConfig,
    RaceConfig,
    WeightsConfig,
)
from soul_core.errors import ConfigError
from soul_core.objectives import find_objective, options_of, retain_name
from soul_core.optim.registry import OPTIMIZERS, default_optimizer
from soul_core.session.changes import changed_lane
from soul_core.session.methods import lane_of
from soul_core.session.presets import ALL_WEIGHTS, lanes_for
from soul_core.session.search import Axis, Point, Space, points, shown, space_from_text
from soul_core.session.sweep_rule import RULE, Rule, best
from soul_core.session.trials import Record

SEED = 100
"""Not one of the study's seeds: settings are chosen on other runs than those they are reported on."""
BUDGET = 24
"""Trials of each method where a range is searched and nothing else is said: as many as GradDiff's grid has."""
RATES: Mapping[str, tuple[float, ...]] = {
    "graddiff": (2e-4, 3e-4, 4.5e-4, 6.5e-4, 1e-3, 1.5e-3),
    "npo": (2e-4, 3e-4, 4.5e-4, 6.5e-4),
    "po": (2e-4, 4e-4, 8e-4, 1.6e-3),
    # With no retain term a few steps at the rates above leave no model.
    "ga": (1e-5, 2e-5, 4e-5, 8e-5),
}
"""By objective, the same for each optimizer; the others are searched at random between ``USUAL_RATES``."""
USUAL_RATES = (1e-4, 3e-3)
SGD_RATES = (1e-2, 3e-1)
LORA_FACTOR = 5
"""LoRA matrices are small and begin at nothing, so they take larger rates."""
GAMMAS = (1, 3, 10)
VARIANTS: Mapping[str, str] = {
    "adamw": "beta2=0.9,0.95,0.99,0.999",
    # From the release's ρ, with which nearly every step is clipped, to one with which fewer than half are.
    "sophia": "curvature+curvature_every+rho=gnb/10/0.04,gnb/10/30,squared-gradient/1/10,squared-gradient/1/30",
    "sign-momentum": "beta1=0.8,0.9,0.95,0.98",
    "soul-release": "rho=0.04,0.4,4,40",
    "sgd": "weight_decay=0,0.0001,0.001,0.01",
}
"""Four of what else each optimizer has."""


def objective_lanes(objective: ObjectiveConfig | str, *, weights: WeightsConfig = ALL_WEIGHTS) -> list[LaneConfig]:
    """FO, SO and the control of one objective, as a sweep begins with them."""
    return [_unswept(lane) for lane in lanes_for("same-settings", objective, control=True, weights=weights)]


def method_lanes(methods: Sequence[str]) -> list[LaneConfig]:
    """Methods by name, as a sweep begins with them."""
    return [_unswept(lane_of(method, "same-settings")) for method in methods]


def grid_for(objective: str) -> dict[str, Space]:
    """What is tried for FO, SO and the control of an objective where nothing else is said."""
    return spaces_for(objective_lanes(objective))


def spaces_for(
    lanes: Sequence[LaneConfig],
    *,
    shared: str = "",
    own: Mapping[str, str] | None = None,
    budget: int | None = None,
    fixed: Collection[str] = (),
) -> dict[str, Space]:
    """What is tried, by lane.

    Args:
        lanes: The methods.
        shared: Axes of every method that has the setting. The usual are the rate and, in a random search, γ.
        own: Axes by lane, in place of the four usual variants; without ``shared`` they are all that is searched.
        budget: Whether points are drawn at random; then the usual axes are ranges.
        fixed: Settings that were given one value, and are no usual axis any more.

    Raises:
        ConfigError: An axis is written otherwise, or names a setting that no lane, or not this one, reads.
    """
    own, names = own or {}, [lane.name for lane in lanes]
    for name in own:
        if name not in names:
            raise ConfigError(f"--{name}.space names no method of this sweep. Its methods are: {', '.join(names)}.")
    everyones = space_from_text(shared).axes if shared else ()
    for axis in everyones:
        if not any(_reads_all(lane, axis) for lane in lanes):
            raise ConfigError(f"No method of this sweep reads what “{axis.text}” sets. Leave it out.")
    random = budget is not None or any(lane.objective.name not in RATES or _is_lora(lane) for lane in lanes)
    spaces = {}
    for lane in lanes:
        if lane.name in own:
            mine = space_from_text(own[lane.name]).axes
            axes = (*_without(everyones, _names(mine)), *mine)
        else:
            usual = everyones or _without(_usual(lane, random=random), fixed)
            axes = (*usual, *_without(_variants(lane), {*_names(everyones), *fixed}))
        # What everyone is given goes to those that have it; what one is given, it must have.
        axes = tuple(_typed(axis, lane) for axis in axes if axis not in everyones or _reads_all(lane, axis))
        if not axes:
            raise ConfigError(f"{lane.label} has nothing to search. Name it: --{lane.name}.space setting=1,2,3.")
        spaces[lane.name] = Space(axes)
    return spaces


def budget_of(spaces: Mapping[str, Space], given: int | None) -> int | None:
    """Trials of each method: the number given, ``BUDGET`` where a range is searched, None for full grids."""
    if given is None and any(space.shape is None for space in spaces.values()):
        return BUDGET
    return given


def sweep_race(
    *, model: str, task: str, epochs: int, seed: int, eval_rows: int, lanes: Sequence[LaneConfig]
) -> RaceConfig:
    """What all trials share: evaluated before the first and after the last epoch only."""
    return RaceConfig(
        model=model,
        task=task,
        epochs=epochs,
        seed=seed,
        eval_rows=eval_rows,
        eval_every=epochs,
        lanes=tuple(lanes),
    )


def sweep_configs(race: RaceConfig, spaces: Mapping[str, Space], budget: int | None = None) -> list[RaceConfig]:
    """One race of one lane per point, methods in turn so that an early stop leaves all alike.

    Args:
        race: What all trials share, and the lanes before anything is changed.
        spaces: What is tried, by lane; as many points for each.
        budget: Points drawn at random for each lane; None takes every point of the grids.

    Raises:
        ConfigError: The methods would not get the same number of trials, or a value is out of bounds.
    """
    tried = points(spaces, budget=budget, seed=race.seed)
    rows = [[changed_lane(race.lane(name), point) for point in tried[name]] for name in spaces]
    return [race.but(lanes=(lane,)) for column in zip(*rows, strict=True) for lane in column]


def point_of(lane: LaneConfig, space: Space) -> Point:
    """What was searched, as a lane has it."""
    return {name: _value(lane, name) for name in space.names}


def said_of(lane: LaneConfig, space: Space) -> str:
    """The same for a table, the learning rate left out: words alone, numbers with the setting's symbol."""
    fields = _read(lane)
    parts = []
    for name, value in point_of(lane, space).items():
        if name != "lr":
            title = fields[name].title if name in fields else name
            parts.append(str(value) if isinstance(value, str) else f"{title} {shown(value)}")
    return ", ".join(parts)


def choices(records: Sequence[Record], spaces: Mapping[str, Space], rule: Rule = RULE) -> dict[str, Point]:
    """By lane, what the rule chooses of what was searched."""
    return {lane: point_of(trial.config, spaces[lane]) for lane, trial in best(records, rule).items()}


def _unswept(lane: LaneConfig) -> LaneConfig:
    """What is not swept stands as by default, not as a preset has it: presets are filled from sweeps."""
    return lane.but(optimizer=default_optimizer(lane.optimizer.name).but(lr=lane.optimizer.lr))


def _usual(lane: LaneConfig, *, random: bool) -> tuple[Axis, ...]:
    """The rate and, in a random search, γ."""
    if not _is_trained(lane):
        return ()
    rates = RATES.get(lane.objective.name, USUAL_RATES)
    low, high = SGD_RATES if lane.optimizer.name == "sgd" else (min(rates), max(rates))
    if not random:
        return (Axis(names=("lr",), choices=tuple((rate,) for rate in rates)),)
    factor = LORA_FACTOR if _is_lora(lane) else 1
    lr = Axis(names=("lr",), low=factor * low, high=factor * high, log=True)
    if retain_name(lane.objective) == "none":
        return (lr,)
    return lr, Axis(names=("gamma",), choices=tuple((gamma,) for gamma in GAMMAS))


def _variants(lane: LaneConfig) -> tuple[Axis, ...]:
    return space_from_text(VARIANTS[lane.optimizer.name]).axes if _is_trained(lane) else ()


def _typed(axis: Axis, lane: LaneConfig) -> Axis:
    """An axis that knows whether its setting is a whole number."""
    fields = _read(lane)
    missing = next((name for name in axis.names if name not in fields), None)
    if missing:
        raise ConfigError(f"{lane.label} does not read “{missing}”. It reads: {', '.join(fields)}.")
    if axis.choices:
        return axis
    kind = fields[axis.names[0]].annotation
    if kind not in (int, float):
        raise ConfigError(f"“{axis.text}” is a range, but {axis.names[0]} is no number. List its values with commas.")
    return Axis(names=axis.names, low=axis.low, high=axis.high, log=axis.log, whole=kind is int)


def _read(lane: LaneConfig) -> dict[str, FieldInfo]:
    """The settings that make a difference to a lane, by name."""
    objective = find_objective(lane.objective.name)
    found: dict[str, FieldInfo] = {}
    if objective.kind == "trained":
        found |= {name: OptimizerConfig.model_fields[name] for name in OPTIMIZERS[lane.optimizer.name].settings}
        if objective.retains != ("none",):
            found |= {name: ObjectiveConfig.model_fields[name] for name in ("gamma", "retain")}
        if _is_lora(lane):
            found |= {name: WeightsConfig.model_fields[name] for name in ("rank", "alpha", "targets", "init")}
    return found | objective.fields


def _value(lane: LaneConfig, name: str) -> Any:
    for options, part in (
        (OPTIMIZER_OPTIONS, lane.optimizer),
        (OBJECTIVE_OPTIONS, lane.objective),
        (WEIGHT_OPTIONS, lane.weights),
    ):
        if name in options:
            return getattr(part, options[name])
    return options_of(lane.objective)[name]


def _reads_all(lane: LaneConfig, axis: Axis) -> bool:
    return set(axis.names) <= set(_read(lane))


def _names(axes: Sequence[Axis]) -> set[str]:
    return {name for axis in axes for name in axis.names}


def _without(axes: Sequence[Axis], names: Collection[str]) -> tuple[Axis, ...]:
    return tuple(axis for axis in axes if not set(axis.names) & set(names))


def _is_trained(lane: LaneConfig) -> bool:
    return find_objective(lane.objective.name).kind == "trained"


def _is_lora(lane: LaneConfig) -> bool:
    return lane.weights.kind == "lora"
