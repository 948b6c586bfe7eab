"""The command line that repeats a race. It knows the flags and runs nothing."""

import shlex

from soul_core.config import LaneConfig, RaceConfig, Settings
from soul_core.session.presets import CONTROL, lanes_for

_PROGRAM = ("python", "-m", "soul_core", "race")
_ALWAYS = ("model", "task", "preset", "epochs", "seed")


def command_of(config: RaceConfig, *, out: str = "") -> str:
    """One line for a shell: what decides every race, then whatever differs from the defaults and the preset."""
    objective = config.lanes[0].objective.name
    words = [*_PROGRAM]
    for name, field in RaceConfig.model_fields.items():
        value = getattr(config, name)
        if name != "lanes" and (name in _ALWAYS or value != field.default):
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += ["--objective", objective]
    names = [lane.name for lane in config.lanes]
    if names != ["fo", "so"]:
        words += ["--lanes", ",".join(names)]
    usual = {lane.name: lane for lane in lanes_for(config.preset, objective, control=CONTROL in names)}
    for lane in config.lanes:
        if lane.name in usual:
            words += _changes(lane, usual[lane.name])
    return shlex.join([*words, *(["--out", out] if out else [])])


def _changes(lane: LaneConfig, usual: LaneConfig) -> list[str]:
    """``--fo.lr 0.002`` for every setting of the lane that is not the preset's."""
    words: list[str] = []
    pairs: tuple[tuple[Settings, Settings, str], ...] = (
        (lane.objective, usual.objective, "objective"),
        (lane.optimizer, usual.optimizer, "optimizer"),
    )
    for now, then, what in pairs:
        for name in type(now).model_fields:
            if getattr(now, name) != getattr(then, name):
                option = what if name == "name" else name.replace("_", "-")
                words += [f"--{lane.name}.{option}", str(getattr(now, name))]
    return words
