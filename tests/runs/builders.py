"""Small configs and events for the tests of runs."""

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig
from soul_core.events import EpochReport, LaneEnded, RaceEnded, RaceStarted, SetScores, StepReport


def lane(name: str, label: str, optimizer: str) -> LaneConfig:
    return LaneConfig(name=name, label=label, optimizer=OptimizerConfig(name=optimizer), objective=ObjectiveConfig())


def config(**changes: object) -> RaceConfig:
    lanes = (lane("fo", "FO", "adamw"), lane("so", "SO", "sophia"))
    return RaceConfig(**{"lanes": lanes, "epochs": 2, **changes})


def scores(acc: float, *, half: float = 0.05, rows: int = 100) -> SetScores:
    return SetScores(
        acc=acc,
        acc_low=max(0.0, acc - half),
        acc_high=min(1.0, acc + half),
        rouge_l=acc,
        probability=acc,
        rows=rows,
    )


def epoch(lane: str, number: int, forget: float, retain: float, *, half: float = 0.05, **more: object) -> EpochReport:
    sets = {"forget": scores(forget, half=half), "retain": scores(retain, half=half)}
    return EpochReport(lane=lane, epoch=number, scores=sets, **more)  # type: ignore[arg-type]


def started(**changes: object) -> RaceStarted:
    values = {
        "run_id": "20261121-091200-graddiff-3f9a11aa",
        "config": config().model_dump(mode="json"),
        "forget_rows": 100,
        "retain_rows": 900,
        "eval_rows": {"forget": 100, "retain": 100},
        "steps_per_epoch": 13,
        "parameters": 1000,
        "matcher": "letters",
        "device": "cpu",
        "precision": "float32",
        "gold": "pocket-gold-forget10",
    }
    return RaceStarted(**{**values, **changes})  # type: ignore[arg-type]


def step(lane: str, number: int, epoch: int = 1, **changes: object) -> StepReport:
    values = {
        "forget_loss": 1.0,
        "retain_loss": 2.0,
        "total_loss": 3.0,
        "grad_norm": 1.0,
        "update_norm": 0.1,
        "clip_share": None,
        "lr": 1e-3,
        "seconds": 0.5,
        "tokens_per_second": 100.0,
        "memory_mb": 1.0,
    }
    return StepReport(lane=lane, epoch=epoch, step=number, **{**values, **changes})  # type: ignore[arg-type]


def race_events() -> list[object]:
    return [
        started(),
        epoch("original", 0, 0.97, 0.98),
        epoch("fo", 0, 0.97, 0.98),
        epoch("so", 0, 0.97, 0.98),
        step("fo", 1),
        epoch("fo", 1, 0.80, 0.97, train_seconds=2.0, eval_seconds=1.0),
        step("so", 1, clip_share=0.9),
        epoch("so", 1, 0.40, 0.97, clip_share=0.9, train_seconds=3.0, eval_seconds=1.0),
        epoch("gold", 0, 0.20, 0.97),
        epoch("fo", 2, 0.56, 0.97, train_seconds=2.0, eval_seconds=1.0),
        epoch("so", 2, 0.09, 0.97, clip_share=0.8, train_seconds=3.0, eval_seconds=1.0),
        LaneEnded(lane="fo", status="finished", epoch=2),
        LaneEnded(lane="so", status="finished", epoch=2),
        RaceEnded(status="finished", message="Both ended.", seconds=14.0),
    ]
