"""A race's settings from the query of an address, which is a stranger's: what cannot be used is left out. No page."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from soul_core.config import (
    OBJECTIVE_OPTIONS,
    OPTIMIZER_OPTIONS,
    WEIGHT_OPTIONS,
    AskConfig,
    LaneConfig,
    LaneSetting,
    ObjectiveConfig,
    RaceConfig,
    WeightsConfig,
)
from soul_core.errors import ConfigError
from soul_core.objectives import find_objective
from soul_core.session.changes import changed_lanes, own_options
from soul_core.session.checks import check_race
from soul_core.session.methods import lane_of
from soul_core.session.presets import lanes_for

MAX_PARAMETERS, MAX_LANES, MAX_TROUBLES = 200, 6, 12
QUESTION, LESSON, HIDE, LABEL = "question", "lesson", "hide", "label"
PAGE_OWN = ("run", "view", "tab", "page", "deep_link", "logs", "_")
"""What an address may also hold and is not ours to judge."""

_WHO = ("objective", "methods", "lanes")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LONG = {"task": 20_000, QUESTION: 20_000, "methods": 2000}
_LONGEST, _SHOWN = 500, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSetup:
    """What an address asks for.

    Attributes:
        config: The race; whatever the address does not say, or says wrongly, is as usual.
        question: The question to ask; empty for none.
        lesson: The lesson to open; empty for none.
        hide: Parts of the page that are to stay hidden.
        troubles: One sentence for each thing that was left out.
    """

    config: RaceConfig
    question: str = ""
    lesson: str = ""
    hide: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()


def config_from_query(params: Mapping[str, str]) -> SharedSetup:
    """Read the parameters of an address. It never fails: what is wrong is left out, and a sentence says so.

    Args:
        params: Names and values, decoded. One without a dot holds for every lane that has such a setting.
    """
    reader = _Reader(params)
    config = reader.race()
    return SharedSetup(
        config=config,
        question=reader.question(),
        lesson=reader.slug(LESSON),
        hide=reader.hidden(),
        troubles=reader.said(),
    )


class _Reader:
    """Reads the parameters of one address and keeps what was wrong with them."""

    def __init__(self, params: Mapping[str, str]) -> None:
        self._troubles: list[str] = []
        self._given: dict[str, str] = {}
        for place, (key, value) in enumerate(params.items()):
            if place == MAX_PARAMETERS:
                self._trouble(f"The address has {len(params)} parameters; those after {MAX_PARAMETERS} are left out.")
                break
            self._take(key, value)

    def said(self) -> tuple[str, ...]:
        """The sentences, the last of them summing up where there are too many."""
        more = len(self._troubles) - MAX_TROUBLES
        rest = [f"{more} more parts of the address were left out as well."] if more > 0 else []
        return (*self._troubles[:MAX_TROUBLES], *rest)

    def race(self) -> RaceConfig:
        """The race, as far as it is told."""
        values = self._race_settings()
        preset = str(values.get("preset", RaceConfig.model_fields["preset"].default))
        lanes = self._methods(preset) if "methods" in self._given else self._of_one_objective(preset)
        changed = self._changed(lanes)
        config = RaceConfig(**values, lanes=changed)
        try:
            check_race(config)
        except ConfigError as error:
            config = self._without_conflict(config, lanes, str(error))
        return config

    def question(self) -> str:
        """What is to be asked."""
        text = self._given.pop(QUESTION, "")
        if not text:
            return ""
        try:
            return AskConfig(question=text).question
        except ConfigError:
            self._trouble(f"The question in the address has {len(text)} characters; at most 2000 can be asked.")
            return ""

    def slug(self, key: str) -> str:
        """A short name of a part of the page."""
        text = self._given.pop(key, "")
        if text and not _SLUG.fullmatch(text):
            self._trouble(f"“{_shown(text)}” in the address is no {key}; none is opened.")
            return ""
        return text

    def hidden(self) -> tuple[str, ...]:
        """Parts of the page that are to stay hidden."""
        names = list(dict.fromkeys(name.strip() for name in self._given.pop(HIDE, "").split(",") if name.strip()))
        wrong = [name for name in names if not _SLUG.fullmatch(name)]
        if wrong:
            self._trouble(f"“{_shown(wrong[0])}” in the address is no part of the page; it is not hidden.")
        return tuple(name for name in names if name not in wrong)[:20]

    def _take(self, key: object, value: object) -> None:
        if not isinstance(key, str) or not isinstance(value, str):
            self._trouble(f"“{_shown(str(key))}” in the address is no text; it is left out.")
            return
        name = key.strip().replace("-", "_") if "." not in key else key.strip()
        if key.startswith("__") or name in PAGE_OWN:
            return
        limit = _LONG.get(name, _LONGEST)
        if len(value) > limit or len(key) > _LONGEST:
            said = f"{_shown(key)} in the address has {len(value)} characters, and at most {limit} are read"
            self._trouble(f"{said}; the usual value is used instead.")
        elif any(unicodedata.category(c) in ("Cc", "Cs") for c in key + value.replace("\n", " ")):
            self._trouble(
                f"{_shown(key)} in the address holds characters that cannot be typed; the usual value is used."
            )
        elif not name or not value.strip():
            self._trouble(f"{_shown(key) or 'A parameter'} in the address is empty; the usual value is used.")
        elif _known(name):
            self._given[name] = value.strip()
        else:
            self._trouble(f"There is no setting “{_shown(key)}”, as the address has it; it is left out.")

    def _race_settings(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, field in RaceConfig.model_fields.items():
            if name == "lanes" or name not in self._given:
                continue
            text = self._given.pop(name)
            one: dict[str, Any] = {name: text}
            try:
                values[name] = getattr(RaceConfig(lanes=_USUAL, **one), name)
            except ConfigError as error:
                self._refused(f"{name}={text}", error, f"{field.default} is used instead")
        return values

    def _methods(self, preset: str) -> list[LaneConfig]:
        for name in ("objective", "lanes"):
            if self._given.pop(name, ""):
                self._trouble(f"The address says who runs twice, by methods and by {name}; {name} is left out.")
        lanes: dict[str, LaneConfig] = {}
        weights = self._weights()
        methods = list(dict.fromkeys(_listed(self._given.pop("methods"))))
        for method in methods:
            if len(lanes) == MAX_LANES:
                self._trouble(f"The address names {len(methods)} methods; a race has room for the first {MAX_LANES}.")
                break
            try:
                lane = lane_of(method, preset, weights)
            except ConfigError as error:
                self._refused(method, error, "it is left out")
                continue
            if lane.name in lanes or lane.name in ("original", "gold"):
                self._trouble(f"The name “{_shown(lane.name)}” in the address is taken; that method is left out.")
            else:
                lanes[lane.name] = lane
        if not lanes:
            self._trouble("The address names no method that can run; FO and SO with GradDiff are used instead.")
        return list(lanes.values()) or list(lanes_for(preset, ObjectiveConfig().name))

    def _of_one_objective(self, preset: str) -> list[LaneConfig]:
        name, usual = self._given.pop("objective", ObjectiveConfig().name), ObjectiveConfig().name
        try:
            objective = find_objective(name)
            if objective.kind != "trained":
                raise ConfigError(f"{objective.label} has no FO and SO. Use methods.")
        except ConfigError as error:
            self._refused(f"objective={name}", error, f"{usual} is used instead")
            name = usual
        offered = {lane.name: lane for lane in lanes_for(preset, name, control=True, weights=self._every_weights())}
        wanted = list(dict.fromkeys(_listed(self._given.pop("lanes", "fo,so"))))
        names = [lane for lane in wanted if lane in offered]
        wrong = [lane for lane in wanted if lane not in offered]
        if wrong:
            instead = f"{' and '.join(names)} run" if names else "fo and so run instead"
            self._trouble(f"There is no lane “{_shown(wrong[0])}”, as the address has it; {instead}.")
        return [offered[lane] for lane in names or ("fo", "so")]

    def _weights(self) -> dict[str, Any]:
        """The weights' settings for all lanes that can be used; the presets' rates hang on them."""
        found: dict[str, Any] = {}
        for option, name in WEIGHT_OPTIONS.items():
            if option not in self._given:
                continue
            text = self._given[option]
            one: dict[str, Any] = {name: text}
            try:
                WeightsConfig(**one)
            except ConfigError as error:
                del self._given[option]
                self._refused(f"{option}={text}", error, f"{WeightsConfig.model_fields[name].default} is used instead")
            else:
                found[name] = text
        return found

    def _every_weights(self) -> WeightsConfig:
        return WeightsConfig(**self._weights())

    def _changed(self, lanes: list[LaneConfig]) -> tuple[LaneConfig, ...]:
        """The lanes with every change that can be made, one after the other; kept for a second try without one."""
        self._changes: list[tuple[str, dict[str, str], list[LaneSetting]]] = []
        now = tuple(lanes)
        for key, text in self._settings_given():
            if key.endswith(f".{LABEL}"):
                now = self._labelled(now, key, text)
                continue
            lane, dot, setting = key.rpartition(".")
            change = ({}, [LaneSetting(lane, setting.replace("-", "_"), text)]) if dot else ({setting: text}, [])
            try:
                now = changed_lanes(now, *change)
            except ConfigError as error:
                self._refused(f"{key}={text}", error, "the usual value is used instead")
            else:
                self._changes.append((f"{key}={text}", *change))
        return now

    def _settings_given(self) -> list[tuple[str, str]]:
        """Objectives, optimizers and kinds of weights come first: other settings may only exist with them."""
        left = [(key, text) for key, text in self._given.items() if key not in (*_WHO, QUESTION, LESSON, HIDE)]
        first = ("objective", "optimizer", "weights")
        return sorted(left, key=lambda one: (one[0].count("."), one[0].rpartition(".")[2] not in first))

    def _labelled(self, lanes: tuple[LaneConfig, ...], key: str, text: str) -> tuple[LaneConfig, ...]:
        name = key.rpartition(".")[0]
        try:
            if name not in [lane.name for lane in lanes]:
                raise ConfigError(f"There is no lane “{_shown(name)}”. Name another.")
            return tuple(lane.but(label=text) if lane.name == name else lane for lane in lanes)
        except ConfigError as error:
            self._refused(f"{key}={text}", error, "the usual name is used instead")
            return lanes

    def _without_conflict(self, config: RaceConfig, lanes: list[LaneConfig], why: str) -> RaceConfig:
        """The same race with only those changes that go together, as far as lanes alone can run."""
        labels = {lane.name: lane.label for lane in config.lanes}
        now, before = tuple(lanes), len(self._troubles)
        for said, every, single in self._changes:
            try:
                then = changed_lanes(now, every, single)
                check_race(config.but(lanes=then))
                now = then
            except ConfigError as error:
                self._refused(said, error, "the usual value is used instead")
        found = config.but(lanes=tuple(lane.but(label=labels.get(lane.name, lane.label)) for lane in now))
        try:
            check_race(found)
        except ConfigError:
            found = config.but(lanes=lanes_for(config.preset, ObjectiveConfig().name))
            self._trouble(f"{_reason(why)} FO and SO with GradDiff are used instead.")
        else:
            if len(self._troubles) == before:
                self._trouble(f"{_reason(why)} The usual value is used instead.")
        return found

    def _refused(self, said: str, error: ConfigError, instead: str) -> None:
        self._trouble(f"“{_shown(said)}” in the address cannot be used: {_reason(str(error))[:-1]}; {instead}.")

    def _trouble(self, sentence: str) -> None:
        self._troubles.append(sentence)


_USUAL = lanes_for("same-settings", ObjectiveConfig().name)


def _known(name: str) -> bool:
    if "." in name or name in RaceConfig.model_fields or name in (*_WHO, QUESTION, LESSON, HIDE):
        return name != "lanes" or name in _WHO
    return name in {*OPTIMIZER_OPTIONS, *OBJECTIVE_OPTIONS, *WEIGHT_OPTIONS, *own_options()}


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _reason(sentence: str) -> str:
    """The first sentence of an error, which says what is wrong; the second says what to do on the command line."""
    first = _shown(sentence.partition(". ")[0], 160).rstrip(".")
    # A name such as GradDiff keeps its capitals, an ordinary word does not.
    word = first.split(" ")[0]
    return f"{first[:1].lower()}{first[1:]}." if word[1:].islower() or len(word) == 1 else f"{first}."


def _shown(text: str, length: int = _SHOWN) -> str:
    """A stranger's text in a sentence: printable, bounded."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * length]).split())
    return plain if len(plain) <= length else plain[: length - 1] + "…"
