"""Events and small stand-ins that the page's tests share."""

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig
from soul_core.events import EpochReport, Event, LaneEnded, RaceEnded, RaceStarted, SetScores, StepReport
from soul_core.jobs import JobView
from soul_core.objectives import OBJECTIVES
from soul_core.session.methods import lane_of
from soul_core.ui.track import RaceTrack

Result = TypeVar("Result")
TRAINED = [name for name, entry in OBJECTIVES.items() if entry.kind == "trained"]
UNTRAINED = [name for name, entry in OBJECTIVES.items() if entry.kind != "trained"]


def race_config(**changes: Any) -> RaceConfig:
    """FO and SO, two epochs."""
    objective = ObjectiveConfig()
    lanes = (
        LaneConfig(name="fo", label="FO", optimizer=OptimizerConfig(name="adamw"), objective=objective),
        LaneConfig(name="so", label="SO", optimizer=OptimizerConfig(name="sophia"), objective=objective),
    )
    return RaceConfig(**{"lanes": lanes, "epochs": 2, **changes})


def scores(acc: float, *, low: float | None = None, high: float | None = None, rows: int = 100) -> SetScores:
    """Scores whose interval is given or ten points wide."""
    return SetScores(
        acc=acc,
        acc_low=acc - 0.05 if low is None else low,
        acc_high=acc + 0.05 if high is None else high,
        rouge_l=acc,
        probability=acc / 2,
        rows=rows,
    )


def started(**changes: Any) -> RaceStarted:
    """The first event of ``race_config()``: three steps an epoch."""
    values: dict[str, Any] = {
        "run_id": "r1",
        "config": race_config().model_dump(mode="json"),
        "forget_rows": 24,
        "retain_rows": 100,
        "eval_rows": {"forget": 24, "retain": 50},
        "steps_per_epoch": 3,
        "parameters": 1000,
        "matcher": "letters",
        "device": "cpu",
        "precision": "float32",
        "gold": "pocket-gold-forget10",
    }
    return RaceStarted(**{**values, **changes})


def epoch(lane: str, number: int, forget: float, retain: float, **changes: Any) -> EpochReport:
    """One evaluation."""
    return EpochReport(lane=lane, epoch=number, scores={"forget": scores(forget), "retain": scores(retain)}, **changes)


def step(lane: str, epoch_number: int, number: int, **changes: Any) -> StepReport:
    """One optimizer step, counted over the whole run."""
    values: dict[str, Any] = {
        "lane": lane,
        "epoch": epoch_number,
        "step": number,
        "forget_loss": -1.0,
        "retain_loss": 0.1,
        "total_loss": -0.9,
        "grad_norm": 1.5,
        "update_norm": 0.1,
        "clip_share": None,
        "lr": 1e-3,
        "seconds": 0.1,
        "tokens_per_second": 100.0,
        "memory_mb": 1.0,
    }
    return StepReport(**{**values, **changes})


def whole_race() -> list[Event]:
    """A race of two epochs: FO falls to 0.6, SO to 0.2, gold is at 0.25, original at 0.9."""
    return [
        started(),
        epoch("original", 0, 0.9, 0.9),
        epoch("fo", 0, 0.9, 0.9),
        epoch("so", 0, 0.9, 0.9),
        epoch("fo", 1, 0.8, 0.9, train_seconds=2.0),
        epoch("so", 1, 0.5, 0.85, train_seconds=2.5, clip_share=0.9),
        epoch("gold", 0, 0.25, 0.9),
        epoch("fo", 2, 0.6, 0.88, train_seconds=2.0),
        epoch("so", 2, 0.2, 0.84, train_seconds=2.5, clip_share=0.8),
        LaneEnded(lane="fo", status="finished", epoch=2),
        LaneEnded(lane="so", status="finished", epoch=2),
        RaceEnded(status="finished", seconds=20.0),
    ]


SIX = ("fo-graddiff", "so-npo", "sgd-rmu", "loku", "influence", "icul")


def six_methods() -> list[Event]:
    """Six methods for two epochs, of which the last two act once: influence at 0.4, ICUL at 0.55."""
    config = race_config(lanes=tuple(lane_of(name, "same-settings") for name in SIX))
    trained = SIX[:4]
    events: list[Event] = [started(config=config.model_dump(mode="json")), epoch("original", 0, 0.9, 0.9)]
    events += [epoch(name, 0, 0.9, 0.9) for name in trained]
    events += [epoch(name, 1, 0.7, 0.9) for name in trained]
    events += [epoch("influence", 1, 0.4, 0.8), epoch("icul", 1, 0.55, 0.7), epoch("gold", 0, 0.25, 0.9)]
    events += [epoch(name, 2, 0.5 - at / 10, 0.85) for at, name in enumerate(trained)]
    return events


def track_of(events: Sequence[Event]) -> RaceTrack:
    """A track that has taken these events."""
    track = RaceTrack()
    track.take(events)
    return track


def waited(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on a thread of its own: Playwright keeps a loop running on the tests' thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


class OneJob:
    """A job whose views and events are laid out beforehand: each look sees the next of them."""

    def __init__(self, looks: Sequence[tuple[JobView, Sequence[Event]]]) -> None:
        self._looks = list(looks)
        self._events: list[Event] = []
        self._at = -1

    def status(self, job_id: str) -> JobView:
        """The next view; the last one stays."""
        self._at = min(self._at + 1, len(self._looks) - 1)
        if self._at < len(self._looks):
            view, events = self._looks[self._at]
            self._events += [event for event in events if event not in self._events]
        return view

    def events(self, job_id: str, since: int = 0) -> tuple[list[Event], int]:
        """What has happened until this view."""
        return self._events[since:], len(self._events)


def view(state: str, **changes: Any) -> JobView:
    """A view of a race in some state."""
    return JobView(**{"id": "r1", "kind": "race", "label": "a race", "state": state, **changes})
