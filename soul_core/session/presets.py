"""The three ways to hold a race fair, read from ``assets/presets.json``. It knows settings, not results.

The file holds per preset and objective the settings of each lane and where they come from; ``-lora`` behind the
objective's name is for LoRA lanes, and ``otherwise`` for objectives that have no settings of their own there. A
setting that is not in the file has the default of its config.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, OptimizerName, PresetName, WeightsConfig
from soul_core.errors import ConfigError
from soul_core.objectives import find_objective
from soul_core.optim.registry import default_optimizer
from soul_core.paths import ASSETS
from soul_core.runs.atomic import write_text

PRESETS_FILE = ASSETS / "presets.json"
CONTROL = "sign"
LORA = "-lora"
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
        objectives: Objective settings by lane name; lanes of one preset may differ only under *As published*.
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


def preset_cell(preset: str, objective: str, *, lora: bool = False) -> PresetCell:
    """The settings of one preset for one objective: its own if there are any, else those for any objective.

    Raises:
        ConfigError: There is no such preset or objective.
    """
    if preset not in PRESETS:
        raise ConfigError(f"There is no preset “{preset[:80]}”. Presets are: {', '.join(PRESETS)}.")
    cells, end = PRESETS[preset].cells, LORA if lora else ""
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
    cell = preset_cell(preset, name, lora=weights.kind == "lora")
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


def record_choice(objective: str, choice: Mapping[str, Mapping[str, Any]], *, gamma: float, source: str) -> None:
    """Write what a sweep chose into *Each at its best*.

    Args:
        objective: Whose cell.
        choice: By lane the optimizer settings that were swept; a lane that is absent keeps what it has.
        gamma: The sweep's weight of the retain loss, for all lanes.
        source: Where the sweep is recorded.
    """
    table = json.loads(PRESETS_FILE.read_text(encoding="utf-8"))
    cells = table["each-at-its-best"]["objectives"]
    cell = cells.setdefault(objective, deepcopy(cells[OTHERWISE + (LORA if objective.endswith(LORA) else "")]))
    for lane in cell["lanes"]:
        default = default_optimizer(_OPTIMIZERS[lane])
        kept = {name: getattr(default, name) for name in ("beta1", "beta2", "weight_decay")}
        cell["lanes"][lane] = {**kept, **choice[lane]} if lane in choice else cell["lanes"][lane]
        cell["objectives"][lane]["gamma"] = gamma
    missing = ", ".join(_LABELS[lane] for lane in cell["lanes"] if lane not in choice)
    cell["source"] = source
    cell["note"] = f"No setting of {missing} kept retain Acc within the rule's margin." if missing else ""
    write_text(PRESETS_FILE, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    _table.cache_clear()
