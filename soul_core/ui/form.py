"""What stands in Setup, and how it becomes the settings of a race. It knows no component."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig, WeightsConfig
from soul_core.data.source import HAND_PICKED
from soul_core.data.tasks import TASKS
from soul_core.errors import ConfigError
from soul_core.objectives import OBJECTIVES, find_objective, options_of, retain_name
from soul_core.session.changes import changed_lane, changed_lanes, changes_from_text
from soul_core.session.checks import check_race
from soul_core.session.methods import lane_of
from soul_core.session.presets import ALL_WEIGHTS, lanes_for
from soul_core.ui import text

PAIR, ANY = "pair", "any"
BY_NAME = "authors"
OTHER = "other"
SAME_SETTINGS = "same-settings"
OWN_FIELDS = ("model", "task", "preset", "lanes", "epochs", "seed")
SHARED_FIELDS = tuple(name for name in RaceConfig.model_fields if name not in OWN_FIELDS)
MEMORY_FIELDS = ("checkpointing", "micro_batch")
WEIGHT_FIELDS = tuple(WeightsConfig.model_fields)
LORA_FIELDS = tuple(name for name in WEIGHT_FIELDS if name != "kind")
OBJECTIVE_FIELDS = tuple(name for name in ObjectiveConfig.model_fields if name != "name")
FO_FIELDS = ("lr", "beta1", "beta2", "weight_decay")
SO_FIELDS = tuple(name for name in OptimizerConfig.model_fields if name != "name")

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The raw values of Setup, in the order of the page; nothing is checked before :meth:`config`.

    Attributes:
        mode: ``PAIR`` races FO and SO of one objective, ``ANY`` races any methods.
        objective: Read in ``PAIR`` alone, as are ``control`` and everything from ``weights`` on.
        methods: Read in ``ANY`` alone, as is ``changes``.
        fo_own: What objectives have of their own, for FO, as ``npo.beta``; only the chosen one's count.

        spec: Read where ``task`` is ``OTHER`` alone: the whole name of a forget set that split and authors cannot say,
            such as picked rows, a folder or own data.

    A name that is left out of a group keeps its default, or what the preset says.
    """

    model: Any = "pocket"
    task: Any = "invented-authors"
    split: Any = "forget10"
    authors: Any = ()
    spec: Any = ""
    mode: Any = PAIR
    objective: Any = "graddiff"
    methods: Any = ()
    changes: Any = ""
    preset: Any = SAME_SETTINGS
    epochs: Any = 5
    seed: Any = 0
    control: Any = False
    shared: Values = field(default_factory=dict)
    weights: Values = field(default_factory=dict)
    fo_objective: Values = field(default_factory=dict)
    fo_own: Values = field(default_factory=dict)
    fo: Values = field(default_factory=dict)
    so_objective: Values = field(default_factory=dict)
    so_own: Values = field(default_factory=dict)
    so: Values = field(default_factory=dict)

    @property
    def task_spec(self) -> str:
        """The forget set's full name."""
        if self.task == OTHER:
            spec = str(self.spec or "").strip()
            if not spec:
                raise ConfigError(text.NO_SPEC)
            return spec
        if self.split == BY_NAME:
            names = [self.authors] if isinstance(self.authors, str) else list(self.authors or ())
            return f"{self.task}:authors={';'.join(names)}"
        return f"{self.task}:{self.split}"

    @property
    def method_list(self) -> list[str]:
        """The methods as they are written; several may stand in one, with commas."""
        given = [self.methods] if isinstance(self.methods, str) else list(self.methods or ())
        return [name.strip().lower() for entry in given for name in str(entry).split(",") if name.strip()]

    @property
    def weights_config(self) -> WeightsConfig:
        """Which weights FO and SO train; LoRA's settings count with LoRA alone."""
        return weights_of(self.weights)

    @property
    def edited(self) -> bool:
        """Whether a lane's settings are no longer the preset's."""
        return self.lanes() != self._usual()

    def config(self) -> RaceConfig:
        """The settings of the race; a ConfigError names the first thing wrong."""
        config = RaceConfig(
            model=str(self.model or "").strip(),
            task=self.task_spec,
            preset=self.preset,
            lanes=self.lanes(),
            epochs=self.epochs,
            seed=self.seed,
            **self.shared,
        )
        check_race(config)
        return config

    def lanes(self) -> tuple[LaneConfig, ...]:
        """The preset's lanes with what was changed by hand."""
        if self.mode == ANY:
            return changed_lanes(self._usual(), {}, changes_from_text(str(self.changes or "")))
        usual = {lane.name: lane for lane in self._usual()}
        changes = {
            "fo": _changes(usual["fo"], self.fo_objective, self.fo_own, self.fo),
            "so": _changes(usual["so"], self.so_objective, self.so_own, self.so),
        }
        if self.preset == SAME_SETTINGS:
            # The control follows what was changed by hand in SO, so that all settings stay the same.
            changes["sign"] = changes["so"]
        return tuple(changed_lane(lane, changes.get(name, {})) for name, lane in usual.items())

    def _usual(self) -> tuple[LaneConfig, ...]:
        """The lanes as the preset has them."""
        if self.mode == ANY:
            if not self.method_list:
                raise ConfigError(text.NO_METHOD)
            return tuple(lane_of(method, self.preset) for method in self.method_list)
        objective = find_objective(str(self.objective))
        if objective.kind != "trained":
            raise ConfigError(text.no_pair(objective.label, objective.kind))
        return lanes_for(self.preset, objective.name, control=bool(self.control), weights=self.weights_config)


def weights_of(values: Values) -> WeightsConfig:
    """The weights from their raw values, without those that are not read."""
    kind = values.get("kind", WeightsConfig().kind)
    return WeightsConfig(**values) if kind == "lora" else WeightsConfig(kind=kind)


def _changes(lane: LaneConfig, objective: Values, own: Values, optimizer: Values) -> dict[str, Any]:
    """Those of a lane's values that are not the preset's, by the names of ``changed_lane``."""
    name = lane.objective.name
    now: dict[str, Any] = {"gamma": lane.objective.gamma, "retain": retain_name(lane.objective)}
    now |= options_of(lane.objective) | {key: getattr(lane.optimizer, key) for key in optimizer}
    given: dict[str, Any] = {**objective, **optimizer}
    given |= {key.partition(".")[2]: value for key, value in own.items() if key.partition(".")[0] == name}
    changes = {key: value for key, value in given.items() if value != now[key]}
    if changes.get("retain") == find_objective(name).retains[0]:
        changes["retain"] = "default"
    return changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which values the page has, in its order: fixed when the page is built, because objectives can be added.

    Attributes:
        own: What trained objectives have of their own, as ``npo.beta``.
    """

    own: tuple[str, ...]

    @classmethod
    def now(cls) -> Self:
        """With the objectives that are registered now."""
        trained = {name: entry for name, entry in OBJECTIVES.items() if entry.kind == "trained"}
        return cls(own=tuple(f"{name}.{key}" for name, entry in trained.items() for key in entry.fields))

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The names in each group, in order."""
        return {
            "shared": SHARED_FIELDS,
            "weights": WEIGHT_FIELDS,
            "fo_objective": OBJECTIVE_FIELDS,
            "fo_own": self.own,
            "fo": FO_FIELDS,
            "so_objective": OBJECTIVE_FIELDS,
            "so_own": self.own,
            "so": SO_FIELDS,
        }

    @property
    def plain(self) -> tuple[str, ...]:
        """The names of the single values, which come before all groups."""
        return tuple(entry.name for entry in fields(Form) if entry.name not in self.groups)

    def form(self, values: Iterable[Any]) -> Form:
        """From the components' values."""
        rest = iter(values)
        parts: dict[str, Any] = {name: next(rest) for name in self.plain}
        parts |= {group: {name: next(rest) for name in names} for group, names in self.groups.items()}
        return Form(**parts)

    def values(self, form: Form) -> tuple[Any, ...]:
        """The components' values; the form must be complete, as ``form_of`` makes it."""
        groups = self.groups
        plain = [getattr(form, name) for name in self.plain]
        return (*plain, *(getattr(form, group)[name] for group, names in groups.items() for name in names))


def lane_values(objective: str, lanes: Sequence[LaneConfig], own: Iterable[str]) -> dict[str, Values]:
    """What the groups of both lanes hold for lanes of one objective, with the defaults of all other objectives."""
    by_name = {lane.name: lane for lane in lanes}
    found: dict[str, Values] = {}
    for name, fields_ in (("fo", FO_FIELDS), ("so", SO_FIELDS)):
        lane = by_name[name]
        mine = {f"{objective}.{key}": value for key, value in options_of(lane.objective).items()}
        found[f"{name}_objective"] = {"gamma": lane.objective.gamma, "retain": retain_name(lane.objective)}
        found[f"{name}_own"] = {key: mine.get(key, _default(key)) for key in own}
        found[name] = {key: getattr(lane.optimizer, key) for key in fields_}
    return found


def preset_values(
    preset: str, objective: str, own: Iterable[str], *, weights: WeightsConfig = ALL_WEIGHTS
) -> dict[str, Values]:
    """What a preset puts into the groups of both lanes."""
    return lane_values(objective, lanes_for(preset, objective, weights=weights), own)


def task_choices() -> list[tuple[str, str]]:
    """Label and value of every task with splits, and of any other forget set."""
    return [*((source.title, name) for name, source in TASKS.items() if source.splits), (text.OTHER_TASK, OTHER)]


def task_fields(spec: str) -> dict[str, Any]:
    """Task, split, authors and spec that say a forget set by its full name."""
    place, _, split = spec.rpartition(":")
    source = TASKS.get(place)
    if source is not None and split in source.splits:
        return {"task": place, "split": split, "authors": [], "spec": ""}
    if source is not None and source.pickable and split.startswith(HAND_PICKED) and "#" not in split:
        return {"task": place, "split": BY_NAME, "authors": split.removeprefix(HAND_PICKED).split(";"), "spec": ""}
    usual = Form()
    return {"task": OTHER, "split": usual.split, "authors": [], "spec": spec}


def split_choices(task: str) -> list[tuple[str, str]]:
    """Label and value of every forget set of a task."""
    source = TASKS[Form().task if task == OTHER else task]
    labels = text.SPLIT_LABELS_TOFU if task == "tofu" else text.SPLIT_LABELS
    choices = [(labels.get(split, split), split) for split in source.splits]
    return [*choices, (text.BY_NAME, BY_NAME)] if source.pickable else choices


def _default(key: str) -> Any:
    objective, _, name = key.partition(".")
    return find_objective(objective).fields[name].default
