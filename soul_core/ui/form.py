"""What stands in Setup, and how it becomes the settings of a race. It knows no component."""

from dataclasses import dataclass, fields
from typing import Any

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig, Settings
from soul_core.data.tasks import TASKS
from soul_core.errors import ConfigError
from soul_core.objectives.registry import OBJECTIVES
from soul_core.session.presets import lanes_for
from soul_core.ui import text

BY_NAME = "authors"
OWN_FIELDS = ("model", "task", "preset", "lanes", "epochs", "seed")
SHARED_FIELDS = tuple(name for name in RaceConfig.model_fields if name not in OWN_FIELDS)
FO_FIELDS = ("lr", "beta1", "beta2", "weight_decay")
SO_FIELDS = tuple(name for name in OptimizerConfig.model_fields if name != "name")
OBJECTIVE_FIELDS = tuple(name for name in ObjectiveConfig.model_fields if name != "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The raw values of Setup, in the order of the page; nothing is checked before :meth:`config`."""

    model: Any = "pocket"
    task: Any = "invented-authors"
    split: Any = "forget10"
    authors: Any = ()
    objective: Any = "graddiff"
    preset: Any = "same-settings"
    epochs: Any = 5
    seed: Any = 0
    control: Any = False
    shared: tuple[Any, ...] = ()
    fo_objective: tuple[Any, ...] = ()
    fo: tuple[Any, ...] = ()
    so_objective: tuple[Any, ...] = ()
    so: tuple[Any, ...] = ()

    @classmethod
    def of(cls, *values: Any) -> "Form":
        """From the components' values in the page's order."""
        plain = [f.name for f in fields(cls) if f.name not in GROUPS]
        parts: dict[str, Any] = dict(zip(plain, values, strict=False))
        rest = values[len(plain) :]
        for name, settings in GROUPS.items():
            parts[name], rest = tuple(rest[: len(settings)]), rest[len(settings) :]
        return cls(**parts)

    @property
    def task_spec(self) -> str:
        """The forget set's full name."""
        if self.split == BY_NAME:
            names = [self.authors] if isinstance(self.authors, str) else list(self.authors or ())
            return f"{self.task}:authors={';'.join(names)}"
        return f"{self.task}:{self.split}"

    def config(self) -> RaceConfig:
        """The settings of the race; a ConfigError names the first thing wrong."""
        if self.objective not in OBJECTIVES:
            raise ConfigError(f"There is no objective “{self.objective}”. Choose {', '.join(OBJECTIVES)}.")
        shared = _given(SHARED_FIELDS, self.shared)
        return RaceConfig(
            model=str(self.model or "").strip(),
            task=self.task_spec,
            preset=self.preset,
            lanes=self.lanes(),
            epochs=self.epochs,
            seed=self.seed,
            **shared,
        )

    def lanes(self) -> tuple[LaneConfig, ...]:
        """The preset's lanes with what was changed by hand."""
        fo_values = (_given(OBJECTIVE_FIELDS, self.fo_objective), _given(FO_FIELDS, self.fo))
        so_values = (_given(OBJECTIVE_FIELDS, self.so_objective), _given(SO_FIELDS, self.so))
        changes = {"fo": fo_values, "so": so_values}
        presets = lanes_for(self.preset, self.objective, control=bool(self.control))
        if self.preset == "same-settings":
            # The control follows what was changed by hand in SO, so that all settings stay the same.
            so = next(lane for lane in presets if lane.name == "so")
            changes["sign"] = (_changed(so.objective, so_values[0]), _changed(so.optimizer, so_values[1]))
        lanes = []
        for lane in presets:
            objective, optimizer = changes.get(lane.name, ({}, {}))
            lanes.append(
                lane.but(optimizer=lane.optimizer.but(**optimizer), objective=lane.objective.but(**objective))
            )
        return tuple(lanes)

    @property
    def edited(self) -> bool:
        """Whether a lane's settings are no longer the preset's."""
        return self.lanes() != lanes_for(self.preset, self.objective, control=bool(self.control))


GROUPS: dict[str, tuple[str, ...]] = {
    "shared": SHARED_FIELDS,
    "fo_objective": OBJECTIVE_FIELDS,
    "fo": FO_FIELDS,
    "so_objective": OBJECTIVE_FIELDS,
    "so": SO_FIELDS,
}


def preset_values(preset: str, objective: str) -> tuple[Any, ...]:
    """What a preset puts into the fields of both lanes, in the order of the last four of ``GROUPS``."""
    lanes = {lane.name: lane for lane in lanes_for(preset, objective)}
    fo, so = lanes["fo"], lanes["so"]
    parts: list[tuple[ObjectiveConfig | Any, tuple[str, ...]]] = [
        (fo.objective, OBJECTIVE_FIELDS),
        (fo.optimizer, FO_FIELDS),
        (so.objective, OBJECTIVE_FIELDS),
        (so.optimizer, SO_FIELDS),
    ]
    return tuple(getattr(settings, name) for settings, names in parts for name in names)


def split_choices(task: str) -> list[tuple[str, str]]:
    """Label and value of every forget set of a task."""
    source = TASKS[task]
    labels = text.SPLIT_LABELS_TOFU if task == "tofu" else text.SPLIT_LABELS
    choices = [(labels.get(split, split), split) for split in source.splits]
    return [*choices, (text.BY_NAME, BY_NAME)] if source.pickable else choices


def values_of(config: RaceConfig) -> tuple[Any, ...]:
    """The form's values, in the page's order, for settings that are already there (a race watched again)."""
    place, _, split = config.task.rpartition(":")
    picked = split.startswith(f"{BY_NAME}=")
    authors = split.removeprefix(f"{BY_NAME}=").split(";") if picked else []
    lanes = {lane.name: lane for lane in config.lanes}
    fo, so = lanes.get("fo", config.lanes[0]), lanes.get("so", config.lanes[-1])
    plain: list[Any] = [config.model, place, BY_NAME if picked else split, authors, fo.objective.name, config.preset]
    plain += [config.epochs, config.seed, "sign" in lanes]
    groups = {
        "shared": config,
        "fo_objective": fo.objective,
        "fo": fo.optimizer,
        "so_objective": so.objective,
        "so": so.optimizer,
    }
    return (*plain, *(getattr(groups[group], name) for group, names in GROUPS.items() for name in names))


def _changed(settings: Settings, values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that are not the settings' own."""
    return {name: value for name, value in values.items() if value != getattr(settings, name)}


def _given(names: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    """Values by name; a group that was left out keeps the defaults."""
    return dict(zip(names, values, strict=True)) if values else {}
