"""Methods by name: an objective with an optimizer and a choice of weights, as one lane. It runs nothing.

``so-npo`` is NPO with the second-order optimizer, ``fo-graddiff-lora`` GradDiff with AdamW on LoRA weights; some
combinations have a name of their own, such as ``loku``.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, OptimizerName, WeightsConfig
from soul_core.errors import ConfigError
from soul_core.objectives import OBJECTIVES, find_objective
from soul_core.optim.registry import default_optimizer
from soul_core.session.presets import lanes_for

RUNNERS: dict[str, tuple[OptimizerName, str]] = {
    "fo": ("adamw", "FO"),
    "so": ("sophia", "SO"),
    "sign": ("sign-momentum", "Sign"),
    "sgd": ("sgd", "SGD"),
    "release": ("soul-release", "Release"),
}
"""What stands in front of the objective's name: the optimizer, and how the label begins."""

WEIGHTS: dict[str, WeightsConfig] = {
    "": WeightsConfig(),
    "-lora": WeightsConfig(kind="lora"),
    "-bf16": WeightsConfig(kind="bfloat16"),
}
"""What may stand behind it."""
_ENDINGS = {"": "", "-lora": " LoRA", "-bf16": " bf16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A combination that has a name of its own: a method of the literature, or one that trains nothing."""

    name: str
    label: str
    sentence: str
    paper: str
    objective: str
    options: dict[str, Any] = field(default_factory=dict)
    weights: WeightsConfig = WEIGHTS[""]


NAMED: dict[str, Named] = {
    method.name: method
    for method in (
        Named(
            name="loku",
            label="LoKU",
            sentence="The hinge loss on LoRA matrices that start from what matters most to the forget rows.",
            paper="Cha et al. 2025, arXiv:2408.06621",
            objective="ihl",
            weights=WeightsConfig(kind="lora", init="fila"),
        ),
        Named(
            name="ga-lora",
            label="GA + LoRA",
            sentence="Gradient ascent on LoRA matrices that start at no change: what LoKU is compared with.",
            paper="Jang et al. 2022, arXiv:2210.01504",
            objective="ga",
            weights=WeightsConfig(kind="lora"),
        ),
        Named(
            name="influence",
            label="Influence",
            sentence="One step, calculated with a diagonal curvature, as far as the retain loss allows.",
            paper="Koh & Liang 2017, arXiv:1703.04730",
            objective="influence",
        ),
        Named(
            name="influence-cg",
            label="Influence, CG",
            sentence="One step, calculated with the whole curvature by conjugate gradients, as far as retain allows.",
            paper="Koh & Liang 2017, arXiv:1703.04730",
            objective="influence",
            options={"solver": "cg"},
        ),
        Named(
            name="input-based",
            label="Input-based",
            sentence="No weight changes: the model is asked not to answer about the subjects.",
            paper="Thaker et al. 2024, arXiv:2403.03329",
            objective="input-based",
        ),
        Named(
            name="icul",
            label="ICUL",
            sentence="No weight changes: wrong answers to similar questions stand in front of each question.",
            paper="Pawelczyk et al. 2023, arXiv:2310.07579",
            objective="icul",
        ),
    )
}


def method_names() -> list[str]:
    """Every method without a choice of weights, the named ones last."""
    trained = [name for name, objective in OBJECTIVES.items() if objective.kind == "trained"]
    return [f"{runner}-{name}" for name in trained for runner in RUNNERS] + list(NAMED)


def lane_of(method: str, preset: str, weights: Mapping[str, Any] = MappingProxyType({})) -> LaneConfig:
    """A method as a lane of that name, with the preset's settings.

    Args:
        method: ``so-npo``, ``fo-graddiff-lora``, ``loku``; or ``mine=so-npo`` to call the lane ``mine``.
        preset: Where learning rate, γ and the like come from.
        weights: Settings of the weights that are not the method's own; the preset's rate is then that for those.

    Raises:
        ConfigError: There is no such method.
    """
    own, equals, meant = method.strip().partition("=")
    name, meant = (own, meant) if equals else (own, own)
    if meant in NAMED:
        return _named(NAMED[meant], name, preset, weights)
    runner, _, rest = meant.partition("-")
    ending = next((end for end in WEIGHTS if end and rest.endswith(end)), "")
    objective = rest.removesuffix(ending)
    if runner not in RUNNERS or objective not in OBJECTIVES or OBJECTIVES[objective].kind != "trained":
        raise ConfigError(_unknown(meant))
    label = f"{RUNNERS[runner][1]}-{OBJECTIVES[objective].label}{_ENDINGS[ending]}"
    trained = _trained(runner, objective, WEIGHTS[ending].but(**weights), preset)
    return trained.but(name=name, label=label[:40])


def method_of(lane: LaneConfig) -> str:
    """The method that a lane is, its settings apart: ``lane_of`` makes a lane of the same kind from it."""
    objective, optimizer, weights = lane.objective, lane.optimizer.name, lane.weights
    # Those with an option first: the same method without it would fit as well.
    for method in sorted(NAMED.values(), key=lambda method: -len(method.options)):
        fits = objective.name == method.objective and all(
            objective.options.get(name) == value for name, value in method.options.items()
        )
        if find_objective(method.objective).kind != "trained":
            if fits:
                return method.name
        elif (
            fits
            and optimizer == "adamw"
            and (weights.kind, weights.init)
            == (
                method.weights.kind,
                method.weights.init,
            )
        ):
            return method.name
    runner = next(name for name, (rule, _) in RUNNERS.items() if rule == optimizer)
    ending = next(end for end, kind in WEIGHTS.items() if kind.kind == weights.kind)
    return f"{runner}-{objective.name}{ending}"


def _trained(runner: str, objective: str, weights: WeightsConfig, preset: str) -> LaneConfig:
    lanes = {lane.name: lane for lane in lanes_for(preset, objective, control=True, weights=weights)}
    if runner in lanes:
        return lanes[runner]
    # Sophia as released takes the rate of ours; plain SGD has a scale of its own.
    usual = default_optimizer(RUNNERS[runner][0])
    so = lanes["so"]
    return so.but(optimizer=usual if runner == "sgd" else usual.but(lr=so.optimizer.lr))


def _named(method: Named, name: str, preset: str, weights: Mapping[str, Any]) -> LaneConfig:
    if find_objective(method.objective).kind == "trained":
        return _trained("fo", method.objective, method.weights.but(**weights), preset).but(
            name=name, label=method.label
        )
    return LaneConfig(
        name=name,
        label=method.label,
        optimizer=OptimizerConfig(),
        objective=ObjectiveConfig(name=method.objective, gamma=0.0, **method.options),
        weights=method.weights.but(**weights),
    )


def _unknown(method: str) -> str:
    known = method_names()
    near = difflib.get_close_matches(method, known, n=1)
    meant = f" Did you mean “{near[0]}”?" if near else ""
    return (
        f"There is no method “{method[:80]}”.{meant} Write an optimizer ({', '.join(RUNNERS)}) and an objective, such "
        f"as so-graddiff, or one of {', '.join(NAMED)}; all of them: python -m soul_core methods."
    )
