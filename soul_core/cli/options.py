"""Command-line options made of the settings' own fields, and settings made of the options. It knows no command."""

import argparse
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from soul_core.config import LaneSetting, RaceConfig, Settings
from soul_core.errors import ConfigError

_NOT_WORTH_SAYING = 100_000


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
        field = settings.model_fields["kind" if name == "weights" else name]
        words = (field.description or field.title or name).removesuffix(".")
        default = default_text or f"default: {field.default}"
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            metavar=_metavar(field),
            default=argparse.SUPPRESS,
            help=f"{words}{_bounds(field)}. [{default}]".replace("%", "%%"),
        )


def add_json(command: "argparse._ActionsContainer") -> None:
    """The option that most commands have."""
    command.add_argument(
        "--json", action="store_true", help="The last line on standard output is one JSON object; words go to stderr."
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


def own_settings(argv: Sequence[str]) -> dict[str, str]:
    """What no command knows, as settings that an objective may have of its own: ``--beta 0.2`` or ``--beta=0.2``.

    Raises:
        ConfigError: A word is not an option, or an option has no value.
    """
    found: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        if not option.startswith("--") or len(option) == 2:
            raise ConfigError(f"“{word}” stands where an option is expected. Options begin with --: --epochs 3.")
        value = value if equals else next(words, "")
        if not value:
            raise ConfigError(f"{option} has no value. Write one behind it.")
        found[option.removeprefix("--").replace("-", "_")] = value
    return found


def race_settings() -> tuple[str, ...]:
    """The fields of a race that are options as they are: all but its lanes."""
    return tuple(name for name in RaceConfig.model_fields if name != "lanes")


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
