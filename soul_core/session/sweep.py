"""What a fair search of settings tries: per optimizer the same number of trials. It knows no optimizer's insides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from soul_core.config import LaneConfig, ObjectiveConfig, ObjectiveName, OptimizerConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.optim.registry import default_optimizer
from soul_core.session.presets import lanes_for
from soul_core.session.sweep_rule import best
from soul_core.session.trials import Record

SEED = 100
"""Not one of the study's seeds: settings are chosen on other runs than those they are reported on."""
RATES: Mapping[ObjectiveName, tuple[float, ...]] = {
    "graddiff": (2e-4, 3e-4, 4.5e-4, 6.5e-4, 1e-3, 1.5e-3),
    "npo": (2e-4, 3e-4, 4.5e-4, 6.5e-4),
    "po": (2e-4, 4e-4, 8e-4, 1.6e-3),
    # With no retain term a few steps at the rates above leave no model.
    "ga": (1e-5, 2e-5, 4e-5, 8e-5),
}
"""By objective, the same for each optimizer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What is tried for one optimizer: every rate with every variant of its other settings.

    Attributes:
        rates: Learning rates.
        axis: What the variants vary, for a table's head.
        variants: Settings by the name a table shows.
    """

    rates: tuple[float, ...]
    axis: str
    variants: Mapping[str, Mapping[str, Any]]

    @property
    def shape(self) -> tuple[int, int]:
        """How many rates and how many variants."""
        return len(self.rates), len(self.variants)

    def variant_of(self, optimizer: OptimizerConfig) -> str:
        """Name of the variant that an optimizer's settings are; empty for none of them."""
        for name, settings in self.variants.items():
            if all(getattr(optimizer, key) == value for key, value in settings.items()):
                return name
        return ""


def _numbers(setting: str, values: Sequence[float]) -> dict[str, dict[str, Any]]:
    return {f"{setting} {value:g}": {setting: value} for value in values}


def _curved(curvature: str, every: int, rho: float) -> dict[str, dict[str, Any]]:
    settings = {"curvature": curvature, "curvature_every": every, "rho": rho}
    return {f"{curvature}, ρ {rho:g}": settings}


def grid_for(objective: ObjectiveName) -> dict[str, Axes]:
    """What is tried for each optimizer: the same rates, and four variants of what else it has."""
    rates = RATES[objective]
    return {
        "fo": Axes(rates=rates, axis="β₂", variants=_numbers("beta2", (0.9, 0.95, 0.99, 0.999))),
        # From the release's ρ, with which nearly every step is clipped, to one with which fewer than half are.
        "so": Axes(
            rates=rates,
            axis="curvature and ρ",
            variants={
                **_curved("gnb", 10, 0.04),
                **_curved("gnb", 10, 30.0),
                **_curved("squared-gradient", 1, 10.0),
                **_curved("squared-gradient", 1, 30.0),
            },
        ),
        "sign": Axes(rates=rates, axis="β₁", variants=_numbers("beta1", (0.8, 0.9, 0.95, 0.98))),
    }


def axes_from_text(text: str) -> Axes:
    """Read ``lr=1e-4,1e-3 rho=0.04,1``.

    Raises:
        ConfigError: It is written otherwise, or the second setting is none of an optimizer's numbers.
    """
    pairs = [part.partition("=") for part in text.split()]
    try:
        (rate, _, rates), (knob, _, values) = pairs
        axes = Axes(
            rates=tuple(float(v) for v in rates.split(",")),
            axis=knob,
            variants=_numbers(knob, [float(v) for v in values.split(",")]),
        )
    except ValueError:
        raise ConfigError(f"“{text}” is no pair of axes. Write them like: lr=1e-4,1e-3 rho=0.04,1.") from None
    if rate != "lr" or knob not in OptimizerConfig.model_fields:
        raise ConfigError(
            f"“{text}” does not name lr and one other setting. Write them like: lr=1e-4,1e-3 rho=0.04,1."
        )
    return axes


def sweep_configs(race: RaceConfig, grid: Mapping[str, Axes]) -> list[RaceConfig]:
    """One race of one lane per point of the grid, optimizers in turn so that an early stop leaves all alike.

    Args:
        race: What all trials share; of its lanes the objective is kept.
        grid: Axes by lane; all of the same shape.

    Raises:
        ConfigError: Two optimizers would not get the same grid shape, or a value is out of bounds.
    """
    shapes = {lane: axes.shape for lane, axes in grid.items()}
    if len(set(shapes.values())) != 1:
        said = ", ".join(f"{lane} {a}×{b}" for lane, (a, b) in shapes.items())
        raise ConfigError(f"The grids differ in shape ({said}), which is no fair comparison. Give them the same.")
    lanes = {
        # What is not swept stands as by default, not as a preset has it: presets are filled from sweeps.
        lane.name: lane.but(optimizer=default_optimizer(lane.optimizer.name))
        for lane in lanes_for("same-settings", race.lanes[0].objective, control=True)
    }
    rows = [
        [_trial(lanes[lane], rate, settings) for rate, settings in product(axes.rates, axes.variants.values())]
        for lane, axes in grid.items()
    ]
    return [race.but(lanes=(lane,)) for column in zip(*rows, strict=True) for lane in column]


def sweep_race(
    *, model: str, task: str, epochs: int, seed: int, eval_rows: int, objective: ObjectiveConfig
) -> RaceConfig:
    """What all trials share: evaluated before the first and after the last epoch only."""
    return RaceConfig(
        model=model,
        task=task,
        epochs=epochs,
        seed=seed,
        eval_rows=eval_rows,
        eval_every=epochs,
        lanes=lanes_for("same-settings", objective)[:1],
    )


def _trial(lane: LaneConfig, rate: float, settings: Mapping[str, Any]) -> LaneConfig:
    return lane.but(optimizer=lane.optimizer.but(**{"lr": rate, **settings}))


def choices(records: Sequence[Record], grid: Mapping[str, Axes]) -> dict[str, dict[str, Any]]:
    """By lane, the rate and the variant's settings that the rule chooses."""
    return {
        lane: {"lr": trial.optimizer.lr, **grid[lane].variants.get(grid[lane].variant_of(trial.optimizer), {})}
        for lane, trial in best(records).items()
    }
