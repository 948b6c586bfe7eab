"""Whether a race fits into memory, and how, told before anything runs. It knows shapes and settings, no weights."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from soul_core.config import LaneConfig, RaceConfig, WeightsConfig
from soul_core.errors import RunError
from soul_core.models.device import require_bf16
from soul_core.models.memory import ModelShape
from soul_core.models.presets import PRESETS
from soul_core.objectives import find_objective
from soul_core.session.needed import PROCESS, WHOLE, Fit, Load, guessed, needed_bytes, reference_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a race will fit, and into how much.

    Attributes:
        fit: What was chosen.
        needed: Bytes with that, without the process's own.
        whole: Bytes without any of it.
        available: Bytes of the device.
    """

    fit: Fit
    needed: int
    whole: int
    available: float

    def applied(self, config: RaceConfig) -> RaceConfig:
        """The race with nothing left to choose."""
        checkpointing = "on" if self.fit.checkpointing else "off"
        return config.but(checkpointing=checkpointing, micro_batch=self.fit.micro_batch)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen and why, in a sentence; nothing where nothing had to be."""
        if self.fit == WHOLE:
            return ()
        why = (
            f"without it the race would need about {_gb(self.whole)} GB of memory, and there are {_gb(self.available)}"
            if self.whole > self.available
            else "as set"
        )
        return (f"{_capital(said_of(self.fit))}: {why}.",)


def require_room(
    config: RaceConfig,
    shape: ModelShape,
    device: torch.device,
    *,
    gold: bool,
    load: Load | None = None,
    autocast: bool | None = None,
) -> Plan:
    """How the race fits: as it is, else with gradient checkpointing, else with fewer rows at a time as well.

    Raises:
        ConfigError: A lane's LoRA layers do not exist or are too small for its rank, or the device has no bf16.
        RunError: It does not fit; the sentence says with which other settings it would.
    """
    if any(lane.weights.kind == "bfloat16" for lane in config.lanes):
        require_bf16(device, "Weights are", "float32 or lora")
    question = _Question(config, shape, gold=gold, load=load or guessed(config), autocast=autocast)
    available = available_bytes(device)
    whole = question.needed(WHOLE)
    for fit in fits(config, question.load.batch.rows):
        needed = question.needed(fit)
        if needed <= available:
            return Plan(fit=fit, needed=needed, whole=whole, available=available)
    even = f" even with {said_of(fit)}" if fit != next(fits(config, question.load.batch.rows)) else ""
    said = f"This race needs about {_gb(needed)} GB of memory{even}, and {device} has {_gb(available)} GB"
    raise RunError(f"{said}{question.why(fit, available)}. {question.advice(fit, available)}")


def fits(config: RaceConfig, rows: int) -> Iterator[Fit]:
    """What may be tried, in the order of preference, within what is set."""
    allowed = {"on": (True,), "off": (False,), "auto": (False, True)}[config.checkpointing]
    fixed = config.micro_batch if config.micro_batch < rows else 0
    for checkpointing in allowed:
        yield Fit(checkpointing, fixed)
    if config.micro_batch:
        return
    part = rows
    while part > 1:
        part = math.ceil(part / 2)
        yield Fit(allowed[-1], part)


@dataclass(frozen=True)
class _Question:
    """What would fit of a race and of races like it."""

    config: RaceConfig
    shape: ModelShape
    gold: bool
    load: Load
    autocast: bool | None

    def needed(self, fit: Fit, *, config: RaceConfig | None = None, shape: ModelShape | None = None) -> int:
        return needed_bytes(
            config or self.config, shape or self.shape, gold=self.gold, load=self.load, fit=fit, autocast=self.autocast
        )

    def why(self, fit: Fit, available: float) -> str:
        """Which lane's reference is the part that is too much, if one is."""
        for lane in self.config.lanes:
            extra = reference_bytes(lane, self.shape, self.load.batch)
            if extra and self.needed(fit) - extra <= available:
                return (
                    f"; {_gb(extra)} GB of it hold the original's distribution for {lane.label} (the retain term NLL "
                    "needs none)"
                )
        return ""

    def advice(self, fit: Fit, available: float) -> str:
        """The settings that would fit, nearest first; else the largest model that would."""
        found = []
        for words, config in self._others():
            for tried in fits(config, self.load.batch.rows):
                needed = self.needed(tried, config=config)
                if needed <= available:
                    how = ", ".join(part for part in (words, said_of(tried)) if part)
                    found.append(f"with {how} ({_gb(needed)} GB)")
                    break
        if found:
            return f"It would fit {_listed(found)}."
        return self._smaller(fit, available)

    def _others(self) -> Iterator[tuple[str, RaceConfig]]:
        """Nearest first: the same result, then other storage, then fewer weights, then fewer lanes."""
        config = self.config
        freed = config.but(checkpointing="auto", micro_batch=0)
        if freed != config:
            yield "", freed
        for words, weights in (
            ("bf16 weights and stochastic rounding", WeightsConfig(kind="bfloat16")),
            ("LoRA", WeightsConfig(kind="lora")),
        ):
            lanes = tuple(lane.but(weights=weights) if _can(lane, weights) else lane for lane in config.lanes)
            if lanes != config.lanes:
                yield words, freed.but(lanes=lanes)
        if len(config.lanes) > 1:
            yield f"{config.lanes[0].label} alone", freed.but(lanes=config.lanes[:1])

    def _smaller(self, fit: Fit, available: float) -> str:
        """Nothing fits but a smaller model: which, at the cheapest settings."""
        lora = WeightsConfig(kind="lora")
        lanes = tuple(lane.but(weights=lora) if _can(lane, lora) else lane for lane in self.config.lanes)
        per_parameter = self.needed(fit) / self.shape.parameters
        most = available / per_parameter
        known = [
            preset
            for preset in PRESETS.values()
            if preset.parameters and preset.parameters <= most and preset.parameters < self.shape.parameters
        ]
        with_lora = "" if lanes == self.config.lanes else ", not even with LoRA"
        largest = max(known, key=lambda preset: preset.parameters or 0, default=None)
        such = f", such as {largest.label} (“{largest.name}”)" if largest is not None else ""
        return f"No settings make it fit{with_lora}: choose a model of at most {_count(most)} parameters{such}."


def _can(lane: LaneConfig, weights: WeightsConfig) -> bool:
    """Whether a lane can have these weights and does not yet have ones as small."""
    if find_objective(lane.objective.name).kind != "trained" or lane.weights.kind == "lora":
        return False
    return lane.weights.kind != weights.kind


def said_of(fit: Fit) -> str:
    """A fit in words."""
    words = ["gradient checkpointing"] if fit.checkpointing else []
    words += [f"{fit.micro_batch} row{'s' * (fit.micro_batch != 1)} at a time"] if fit.micro_batch else []
    return " and ".join(words)


def available_bytes(device: torch.device) -> float:
    """The memory that the device has for models, whoever uses it now; infinite where that cannot be told."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[1])
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") - PROCESS)
    return math.inf


def _gb(amount: float) -> str:
    return f"{amount / 1e9:.1f}"


def _count(number: float) -> str:
    return f"{number / 1e9:.1f} billion" if number >= 1e9 else f"{max(number / 1e6, 0):.1f} million"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, or {parts[-1]}"
