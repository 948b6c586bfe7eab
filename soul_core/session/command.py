"""The command line that repeats a race. It knows the flags and runs nothing."""

import shlex

from soul_core.config import LaneConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.objectives import find_objective
from soul_core.session.changes import differences
from soul_core.session.methods import lane_of, method_of
from soul_core.session.presets import CONTROL, lanes_for

_PROGRAM = ("python", "-m", "soul_core", "race")
_ALWAYS = ("model", "task", "preset", "epochs", "seed")


def command_of(config: RaceConfig, *, out: str = "") -> str:
    """One line for a shell: what decides every race, then whatever differs from the defaults and the preset."""
    words = [*_PROGRAM]
    for name, field in RaceConfig.model_fields.items():
        value = getattr(config, name)
        if name != "lanes" and (name in _ALWAYS or value != field.default):
            words += [f"--{name.replace('_', '-')}", str(value)]
    who, usual = _one_objective(config) or _any_methods(config)
    words += who
    for lane, as_usual in zip(config.lanes, usual, strict=True):
        for option, value in differences(lane, as_usual).items():
            words += [f"--{lane.name}.{option.replace('_', '-')}", str(value)]
    return shlex.join([*words, *(["--out", out] if out else [])])


def _one_objective(config: RaceConfig) -> tuple[list[str], list[LaneConfig]] | None:
    """FO, SO and the control of one objective, as ``--objective`` and ``--lanes`` make them; None for other lanes."""
    first = config.lanes[0].objective.name
    names = [lane.name for lane in config.lanes]
    if find_objective(first).kind != "trained":
        return None
    usual = {lane.name: lane for lane in lanes_for(config.preset, first, control=CONTROL in names)}
    if any(name not in usual for name in names):
        return None
    words = ["--objective", first, *(["--lanes", ",".join(names)] if names != ["fo", "so"] else [])]
    return words, [usual[name] for name in names]


def _any_methods(config: RaceConfig) -> tuple[list[str], list[LaneConfig]]:
    words, usual = [], []
    for lane in config.lanes:
        method = method_of(lane)
        usual.append(_lane(method, config.preset))
        words.append(method if method == lane.name else f"{lane.name}={method}")
    return ["--methods", ",".join(words)], usual


def _lane(method: str, preset: str) -> LaneConfig:
    try:
        return lane_of(method, preset)
    except ConfigError:  # an objective of a plugin that is not here any more
        return lane_of("fo-graddiff", preset)
