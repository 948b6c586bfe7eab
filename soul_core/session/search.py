"""Which values of which settings a search tries: read from text, as a grid, or drawn at random. It knows no lane.

An axis is written ``lr=1e-4,1e-3`` (values), ``beta=0.05..0.5`` (a range, every value as likely) or
``lr=log:1e-4..1e-2`` (a range, every order of magnitude as likely). Settings that only make sense together form one
axis: ``curvature+rho=gnb/0.04,squared-gradient/10``.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from soul_core.errors import ConfigError

HINT = "Write axes like: lr=log:1e-4..1e-2 gamma=1,3,10 curvature+rho=gnb/0.04,squared-gradient/10"
DIGITS = 3
"""Of what is drawn from a range: enough to tell settings apart, and short enough to be typed again."""
_DRAWS_IN_VAIN = 1000

Point = dict[str, Any]
"""One setting of everything that is searched, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What is tried for one setting, or for several that are set together.

    Attributes:
        names: The settings.
        choices: A value for each of them, once per choice; empty for a range.
        low, high: The ends of a range.
        log: Whether orders of magnitude are as likely as each other.
        whole: Whether the setting is a whole number.
    """

    names: tuple[str, ...]
    choices: tuple[tuple[Any, ...], ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @property
    def text(self) -> str:
        """As it is typed."""
        if self.choices:
            values = ",".join("/".join(shown(value) for value in choice) for choice in self.choices)
        else:
            values = f"{'log:' if self.log else ''}{shown(self.low)}..{shown(self.high)}"
        return f"{'+'.join(self.names)}={values}"

    def at(self, share: float) -> tuple[Any, ...]:
        """The value that a number from 0 to below 1 stands for."""
        if self.choices:
            return self.choices[int(share * len(self.choices))]
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return (round(value) if self.whole else float(f"{value:.{DIGITS}g}"),)


@dataclass(frozen=True, slots=True)
class Space:
    """Everything that is tried for one method."""

    axes: tuple[Axis, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The settings that are searched."""
        return tuple(name for axis in self.axes for name in axis.names)

    @property
    def text(self) -> str:
        """As it is typed."""
        return " ".join(axis.text for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """How many values each axis has; None where one is a range."""
        return tuple(len(axis.choices) for axis in self.axes) if all(axis.choices for axis in self.axes) else None

    def grid(self) -> list[Point]:
        """Every choice of each axis with every choice of the others.

        Raises:
            ConfigError: An axis is a range, which has no end of values.
        """
        for axis in self.axes:
            if not axis.choices:
                raise ConfigError(f"“{axis.text}” is a range, and a grid takes values. Give a --budget, or values.")
        return [self._point(values) for values in product(*(axis.choices for axis in self.axes))]

    def draws(self, seed: int) -> Iterator[Point]:
        """Points at random, for ever.

        Each setting has random numbers of its own, decided by its name and the seed: two methods that search the
        same setting get the same values, and a larger budget begins with the points of a smaller one.
        """
        randoms = [Random(f"{seed} {'+'.join(axis.names)}") for axis in self.axes]
        while True:
            yield self._point([axis.at(random.random()) for axis, random in zip(self.axes, randoms, strict=True)])

    def _point(self, values: Sequence[tuple[Any, ...]]) -> Point:
        named = (zip(axis.names, value, strict=True) for axis, value in zip(self.axes, values, strict=True))
        return {name: value for pairs in named for name, value in pairs}


def space_from_text(text: str) -> Space:
    """Read axes with blanks between them.

    Raises:
        ConfigError: They are written otherwise, or a setting stands twice.
    """
    space = Space(tuple(_axis(part) for part in text.split()))
    if not space.axes:
        raise ConfigError(f"No setting is named. {HINT}.")
    twice = next((name for name in space.names if space.names.count(name) > 1), None)
    if twice:
        raise ConfigError(f"“{text}” names {twice} twice. Give each setting one axis.")
    return space


def points(spaces: Mapping[str, Space], *, budget: int | None, seed: int) -> dict[str, list[Point]]:
    """What every method tries: its grid, or as many random points as the budget says; as many for each.

    Raises:
        ConfigError: The methods would not get as many trials of as many shared values, or a space has too few points.
    """
    if budget is not None:
        return _drawn(spaces, budget, seed)
    grids = {name: space.grid() for name, space in spaces.items()}
    if len({len(grid) for grid in grids.values()}) > 1 or not _shared_alike(spaces):
        said = ", ".join(f"{name} {'×'.join(map(str, space.shape or ()))}" for name, space in spaces.items())
        raise ConfigError(f"The grids differ in shape ({said}), which is no fair comparison. Give them the same.")
    return grids


def shown(value: Any) -> str:
    """A value as a person types it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _drawn(spaces: Mapping[str, Space], budget: int, seed: int) -> dict[str, list[Point]]:
    if budget < 1:
        raise ConfigError(f"Budget is {budget}, but should be at least 1 trial for each method.")
    streams = {name: space.draws(seed) for name, space in spaces.items()}
    found: dict[str, list[Point]] = {name: [] for name in spaces}
    in_vain = 0
    while in_vain < _DRAWS_IN_VAIN:
        row = {name: next(stream) for name, stream in streams.items()}
        # All methods leave out a draw that repeats a point of one of them: shared values stay shared.
        if any(point in found[name] for name, point in row.items()):
            in_vain += 1
            continue
        for name, point in row.items():
            found[name].append(point)
        if all(len(tried) == budget for tried in found.values()):
            return found
    few = min(found, key=lambda name: math.prod(spaces[name].shape or (math.inf,)))
    raise ConfigError(f"The space of {few} has fewer than {budget} different points. Lower the budget or widen it.")


def _shared_alike(spaces: Mapping[str, Space]) -> bool:
    """Whether the settings that several methods search have as many values for each."""
    counts: dict[tuple[str, ...], set[int]] = {}
    for space in spaces.values():
        for axis in space.axes:
            counts.setdefault(axis.names, set()).add(len(axis.choices))
    return all(len(found) == 1 for found in counts.values())


def _axis(text: str) -> Axis:
    said, equals, meant = text.partition("=")
    names = tuple(name.replace("-", "_") for name in said.split("+"))
    if not equals or not meant or not all(names):
        raise ConfigError(f"“{text[:80]}” is no axis. {HINT}.")
    log, ranged = meant.startswith("log:"), ".." in meant
    if ranged:
        return _range(text, names, meant.removeprefix("log:"), log=log)
    choices = tuple(tuple(_value(value) for value in choice.split("/")) for choice in meant.split(","))
    if log or any(len(choice) != len(names) or "" in choice for choice in choices):
        raise ConfigError(f"“{text[:80]}” is no axis. {HINT}.")
    if len(set(choices)) < len(choices):
        raise ConfigError(f"“{text[:80]}” names a value twice. Give each once.")
    return Axis(names=names, choices=choices)


def _range(text: str, names: tuple[str, ...], meant: str, *, log: bool) -> Axis:
    try:
        low, high = (float(end) for end in meant.split(".."))
    except ValueError:
        raise ConfigError(f"“{text[:80]}” is no axis. {HINT}.") from None
    if len(names) > 1:
        raise ConfigError(f"“{text[:80]}” sets several things from one range. List values, such as 1/2,3/4.")
    if not (math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not log)):
        above = " above 0" if log else ""
        raise ConfigError(f"“{text[:80]}” is no range. Write a smaller and a larger number{above}.")
    return Axis(names=names, low=low, high=high, log=log)


def _value(text: str) -> Any:
    """A number where it is one, else the word."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
