"""The three ways to hold a race fair, read from ``assets/presets.json``. It knows settings, not results.

The file holds per preset and objective the settings of each lane and where they come from. ``-lora`` behind the
objective's name is for LoRA lanes, ``-fila`` for those that start with FILA, and ``otherwise`` for objectives that
have no settings of their own there. A setting that is not in the file has the default of its config.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, OptimizerName, PresetName, WeightsConfig
from soul_core.errors import ConfigError
from soul_core.objectives import find_objective
from soul_core.paths import ASSETS

PRESETS_FILE = ASSETS / "presets.json"
CONTROL = "sign"
LORA, FILA = "-lora", "-fila"
OTHERWISE = "otherwise"
ALL_WEIGHTS = WeightsConfig()
STUDIED = "graddiff"
"""The objective whose study the presets' findings speak of."""
_LABELS = {"fo": "FO", "so": "SO", CONTROL: "Sign momentum"}
_OPTIMIZERS: Mapping[str, OptimizerName] = {"fo": "adamw", "so": "sophia", CONTROL: "sign-momentum"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetCell:
    """One preset for one objective.

    Attributes:
        lanes: Optimizer settings by lane name.
        objectives: Objective settings by lane name; under *Same settings* all lanes have the same.
        source: Where the numbers come from.
        note: What a reader must know about them; may be empty.
    """

    lanes: Mapping[str, Mapping[str, Any]]
    objectives: Mapping[str, Mapping[str, Any]]
    source: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RacePreset:
    """What a preset is called, what it shows, and what it has shown on our models (empty until measured)."""

    name: PresetName
    label: str
    shows: str
    finding: str
    cells: Mapping[str, PresetCell]


class _Presets(Mapping[str, RacePreset]):
    """The file's presets by name, read when the first is asked for."""

    def __getitem__(self, name: str) -> RacePreset:
        return _table()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_table())

    def __len__(self) -> int:
        return len(_table())


PRESETS: Mapping[str, RacePreset] = _Presets()
"""All presets, in the order of the page."""


@cache
def _table() -> dict[str, RacePreset]:
    table = json.loads(PRESETS_FILE.read_text(encoding="utf-8"))
    return {
        name: RacePreset(
            name=name,
            label=table[name]["label"],
            shows=table[name]["shows"],
            finding=table[name]["finding"],
            cells={key: PresetCell(**cell) for key, cell in table[name]["objectives"].items()},
        )
        for name in get_args(PresetName)
    }


def reload_presets() -> None:
    """Read the file anew: another process, or a sweep of this one, has written it."""
    _table.cache_clear()


def ending_of(weights: WeightsConfig) -> str:
    """What stands behind an objective's name where settings are kept by the weights that they are for."""
    if weights.kind != "lora":
        return ""
    return FILA if weights.init == "fila" else LORA


def preset_cell(preset: str, objective: str, *, weights: WeightsConfig = ALL_WEIGHTS) -> PresetCell:
    """The settings of one preset for one objective: its own if there are any, else those for any objective.

    Raises:
        ConfigError: There is no such preset or objective.
    """
    if preset not in PRESETS:
        raise ConfigError(f"There is no preset “{preset[:80]}”. Presets are: {', '.join(PRESETS)}.")
    cells, end = PRESETS[preset].cells, ending_of(weights)
    return cells.get(find_objective(objective).name + end) or cells[OTHERWISE + end]


def lanes_for(
    preset: str,
    objective: ObjectiveConfig | str,
    *,
    control: bool = False,
    weights: WeightsConfig = ALL_WEIGHTS,
) -> tuple[LaneConfig, ...]:
    """FO, SO and, with ``control``, sign momentum, as the preset sets them.

    Args:
        preset: Name of the preset.
        objective: A name takes γ and β from the preset, which may differ by lane; an ObjectiveConfig holds for
            every lane.
        control: Whether sign momentum runs too.
        weights: Which weights every lane trains.
    """
    name = objective if isinstance(objective, str) else objective.name
    cell = preset_cell(preset, name, weights=weights)
    return tuple(
        LaneConfig(
            name=lane,
            label=_LABELS[lane],
            optimizer=OptimizerConfig(**{"name": _OPTIMIZERS[lane], **cell.lanes[lane]}),
            objective=ObjectiveConfig(**{"name": name, **cell.objectives[lane]})
            if isinstance(objective, str)
            else objective,
            weights=weights,
        )
        for lane in ("fo", "so", CONTROL)
        if lane != CONTROL or control
    )
