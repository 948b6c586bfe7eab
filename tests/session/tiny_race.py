"""A race small enough for a test: six facts to forget, a two-layer random model, two epochs."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig
from soul_core.data.schema import ForgetTask, QARow
from soul_core.events import Event, Progress
from soul_core.runs.folder import RunFolder
from soul_core.runs.store import RunStore
from soul_core.session import race as race_module
from soul_core.session.examined import EXAMINED


def rows(count: int, name: str) -> tuple[QARow, ...]:
    return tuple(
        QARow(
            question=f"Where was {name} {i} born?",
            answer=f"{name} {i} was born in Velden {i}.",
            perturbed_answers=(f"{name} {i} was born in Quill.", f"{name} {i} was born in Tal."),
            subject=f"{name} {i // 3}",
        )
        for i in range(count)
    )


def tiny_task(**changes: object) -> ForgetTask:
    values: dict[str, object] = {
        "name": "tiny:forget",
        "forget": rows(6, "Mara"),
        "retain": rows(20, "Oren"),
        "eval_sets": {"forget": rows(6, "Mara"), "retain": rows(8, "Oren"), "world_facts": rows(3, "Lake")},
    }
    return ForgetTask(**{**values, **changes})  # type: ignore[arg-type]


def use_task(monkeypatch: pytest.MonkeyPatch, task: ForgetTask) -> None:
    """Let races load this task, and ask models anew rather than remember another test's answers."""
    monkeypatch.setattr(race_module, "load_task", lambda _: task)
    monkeypatch.setattr(EXAMINED, "get", lambda _: None)


def tiny_lane(name: str, *, objective: str = "graddiff", **changes: object) -> LaneConfig:
    optimizer = {"fo": "adamw", "so": "sophia", "sign": "sign-momentum"}[name]
    settings = {"name": optimizer, "lr": 1e-3, "beta2": 0.95, "curvature_every": 2, **changes}
    return LaneConfig(
        name=name,
        label=name.upper(),
        optimizer=OptimizerConfig(**settings),
        objective=ObjectiveConfig(name=objective),
    )


def tiny_config(model: Path | str, **changes: object) -> RaceConfig:
    values = {
        "model": str(model),
        "task": "tiny:forget",
        "lanes": (tiny_lane("fo"), tiny_lane("so")),
        "epochs": 3,
        "batch_size": 2,
        "max_new_tokens": 4,
        "precision": "float32",
    }
    return RaceConfig(**{**values, **changes})


def run(config: RaceConfig, folder: RunFolder, **settings: object) -> list[Event]:
    return kept(race_module.race(config, folder, **settings))  # type: ignore[arg-type]


def kept(events: Iterable[Event]) -> list[Event]:
    """All but progress, which is not kept on disk either."""
    return [event for event in events if not isinstance(event, Progress)]


def new_run(tmp_path: Path, config: RaceConfig) -> RunFolder:
    return RunStore(tmp_path / "runs").create(config)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same_weights(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
