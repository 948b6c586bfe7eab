"""Command-line options made of the settings' own fields, and settings made of the options. It knows no command."""

import argparse
import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig, Settings
from soul_core.errors import ConfigError

# The names of an optimizer and of an objective both live in a field called ``name``.
OPTIMIZER_OPTIONS = {"optimizer" if name == "name" else name: name for name in OptimizerConfig.model_fields}
OBJECTIVE_OPTIONS = {"objective" if name == "name" else name: name for name in ObjectiveConfig.model_fields}

_NOT_WORTH_SAYING = 100_000


class LaneSetting(NamedTuple):
    """One ``--lane.setting value`` as it was typed."""

    lane: str
    setting: str
    value: str


def add_settings(
    group: argparse._ArgumentGroup,
    settings: type[Settings],
    names: Iterable[str],
    *,
    default_text: str = "",
) -> None:
    """Give ``group`` one option per field, with the field's own words and bounds as help.

    An option that is not given is absent from the parsed arguments, so that defaults stay where they are defined.

    Args:
        group: Where the options appear in the help.
        settings: The settings that have the fields.
        names: Which fields.
        default_text: What the help says about defaults; empty shows the field's own.
    """
    for name in names:
        field = settings.model_fields[name]
        words = (field.description or field.title or name).removesuffix(".")
        default = default_text or f"default: {field.default}"
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            metavar=_metavar(field),
            default=argparse.SUPPRESS,
            help=f"{words}{_bounds(field)}. [{default}]".replace("%", "%%"),
        )


def given(arguments: argparse.Namespace, names: Collection[str]) -> dict[str, Any]:
    """The options among ``names`` that were typed, by name."""
    return {name: value for name, value in vars(arguments).items() if name in names}


def split_lane_settings(argv: Sequence[str]) -> tuple[list[str], list[LaneSetting]]:
    """Take ``--lane.setting value`` and ``--lane.setting=value`` out of the arguments.

    Raises:
        ConfigError: Such an option has no value.
    """
    rest: list[str] = []
    found: list[LaneSetting] = []
    words = iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        lane, dot, setting = option.removeprefix("--").partition(".")
        if not (option.startswith("--") and dot and lane and setting):
            rest.append(word)
            continue
        if not equals:
            value = next(words, "")
        if not value:
            raise ConfigError(f"{option} has no value. Write one behind it, such as {option} 0.001.")
        found.append(LaneSetting(lane, setting.replace("-", "_"), value))
    return rest, found


def changed_lanes(
    lanes: Sequence[LaneConfig], every: Mapping[str, Any], single: Sequence[LaneSetting]
) -> tuple[LaneConfig, ...]:
    """Lanes with the settings given for all of them, then those given for one, put in.

    Raises:
        ConfigError: No such lane or setting, or a value out of bounds.
    """
    by_name = {lane.name: lane for lane in lanes}
    for lane in by_name:
        by_name[lane] = _changed(by_name[lane], every)
    for lane, setting, value in single:
        if lane not in by_name:
            raise ConfigError(f"--{lane}.{setting} names no lane of this race. Its lanes are: {', '.join(by_name)}.")
        by_name[lane] = _changed(by_name[lane], {setting: value})
    return tuple(by_name.values())


def race_settings() -> tuple[str, ...]:
    """The fields of a race that are options as they are: all but its lanes."""
    return tuple(name for name in RaceConfig.model_fields if name != "lanes")


def _changed(lane: LaneConfig, changes: Mapping[str, Any]) -> LaneConfig:
    optimizer = {OPTIMIZER_OPTIONS[name]: value for name, value in changes.items() if name in OPTIMIZER_OPTIONS}
    objective = {OBJECTIVE_OPTIONS[name]: value for name, value in changes.items() if name in OBJECTIVE_OPTIONS}
    for name in changes:
        if name not in OPTIMIZER_OPTIONS and name not in OBJECTIVE_OPTIONS:
            known = [*OPTIMIZER_OPTIONS, *OBJECTIVE_OPTIONS]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean “{near[0]}”?" if near else f"Settings are: {', '.join(known)}."
            raise ConfigError(f"A lane has no setting “{name}”. {hint}")
    return lane.but(optimizer=lane.optimizer.but(**optimizer), objective=lane.objective.but(**objective))


def _metavar(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return "{" + ",".join(get_args(field.annotation)) + "}"
    if field.annotation is int:
        return "N"
    return "X" if field.annotation is float else "TEXT"


def _bounds(field: FieldInfo) -> str:
    """The field's limits in words; an upper one so large that nobody meets it is left out."""
    low, high = "", ""
    for rule in field.metadata:
        if (above := getattr(rule, "gt", None)) is not None:
            low = f"above {above:g}"
        if (least := getattr(rule, "ge", None)) is not None:
            low = f"at least {least:g}"
        if (below := getattr(rule, "lt", None)) is not None and below < _NOT_WORTH_SAYING:
            high = f"below {below:g}"
        if (most := getattr(rule, "le", None)) is not None and most < _NOT_WORTH_SAYING:
            high = f"at most {most:g}"
    said = ", ".join(limit for limit in (low, high) if limit)
    return f" ({said})" if said else ""
