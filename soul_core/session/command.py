"""The command line that repeats a race. It knows the flags and runs nothing."""

import shlex

from soul_core.config import LaneConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.objectives import find_objective
from soul_core.session.changes import differences
from soul_core.session.methods import lane_of, method_of
from soul_core.session.presets import CONTROL, lanes_for

_PROGRAM = ("python", "-m", "soul_core", "race")
ALWAYS = ("model", "task", "preset", "epochs", "seed")


def command_of(config: RaceConfig, *, out: str = "") -> str:
    """One line for a shell: what decides every race, then whatever differs from the defaults and the preset."""
    words = [word for option, value in said_of(config).items() for word in (f"--{option}", value)]
    return shlex.join([*_PROGRAM, *words, *(["--out", out] if out else [])])


def said_of(config: RaceConfig) -> dict[str, str]:
    """The options that tell a race from every other, in order, as :func:`command_of` writes them.

    Raises:
        ConfigError: An objective of the race is not loaded, so that its own settings are not known.
    """
    said: dict[str, str] = {}
    for name, field in RaceConfig.model_fields.items():
        value = getattr(config, name)
        if name != "lanes" and (name in ALWAYS or value != field.default):
            said[name.replace("_", "-")] = str(value)
    who, usual = who_runs(config)
    said |= who
    for lane, as_usual in zip(config.lanes, usual, strict=True):
        for option, value in differences(lane, as_usual).items():
            said[f"{lane.name}.{option.replace('_', '-')}"] = str(value)
    return said


def who_runs(config: RaceConfig) -> tuple[dict[str, str], list[LaneConfig]]:
    """The options that name the lanes, and the lanes as these options alone would make them."""
    return _one_objective(config) or _any_methods(config)


def _one_objective(config: RaceConfig) -> tuple[dict[str, str], list[LaneConfig]] | None:
    """FO, SO and the control of one objective, as ``--objective`` and ``--lanes`` make them; None for other lanes."""
    first = config.lanes[0].objective.name
    names = [lane.name for lane in config.lanes]
    if find_objective(first).kind != "trained":
        return None
    usual = {lane.name: lane for lane in lanes_for(config.preset, first, control=CONTROL in names)}
    if any(name not in usual for name in names):
        return None
    said = {"objective": first} | ({"lanes": ",".join(names)} if names != ["fo", "so"] else {})
    return said, [usual[name] for name in names]


def _any_methods(config: RaceConfig) -> tuple[dict[str, str], list[LaneConfig]]:
    methods, usual = [], []
    for lane in config.lanes:
        method = method_of(lane)
        usual.append(_lane(method, config.preset))
        methods.append(method if method == lane.name else f"{lane.name}={method}")
    return {"methods": ",".join(methods)}, usual


def _lane(method: str, preset: str) -> LaneConfig:
    try:
        return lane_of(method, preset)
    except ConfigError:  # an objective of a plugin that is not here any more
        return lane_of("fo-graddiff", preset)
