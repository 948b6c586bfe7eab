"""A race's numbers to trackio as well, on this machine alone, where that is wanted. It trains nothing.

The run's folder stays what everything is read from; tracking is a copy for people who keep all their experiments in
one place. trackio is an extra that is imported only when it is asked for.
"""

import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext, redirect_stdout
from typing import Any

from soul_core.config import RaceConfig
from soul_core.errors import RunError
from soul_core.events import EpochReport, Event, RaceStarted, StepReport

PACKAGE = "trackio"
SWITCH = "SOUL_TRACK"
"""Environment variable with the project's name: the page tracks its races if it is set."""
MAX_PROJECT = 80

_ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_DATASET_ID", "TRACKIO_BUCKET_ID")
_OF_STEP = ("forget_loss", "retain_loss", "total_loss", "grad_norm", "update_norm", "clip_share", "lr")
_OF_SET = ("acc", "acc_low", "acc_high", "rouge_l", "probability")

logger = logging.getLogger(__name__)


def wanted() -> str:
    """The project that the environment names; empty where races are not to be tracked."""
    return os.environ.get(SWITCH, "").strip()


def require_tracking(project: str) -> None:
    """Refuse before anything runs where it cannot be tracked.

    Raises:
        RunError: trackio is not installed, or that is no name for a project.
    """
    if not project.strip() or len(project) > MAX_PROJECT or not project.isprintable():
        raise RunError(
            f"“{project[:MAX_PROJECT]}” is no name for a project to track in. Use up to {MAX_PROJECT} printable "
            "characters."
        )
    if importlib.util.find_spec(PACKAGE) is None:
        raise RunError(
            "Tracking needs the package trackio, which is not installed. Install it with “pip install trackio”, or "
            "race without tracking."
        )


def tracked(events: Iterable[Event], project: str, config: RaceConfig) -> Generator[Event, None, None]:
    """Pass a race's events on, and log them to trackio on the way, as one of its runs that is named like ours.

    Numbers have their lane in front: ``so/step/clip_share`` with the number of the step, ``so/forget/acc`` with that
    of the step before the evaluation. What a resumed race repeats is logged again, as another run of trackio. Trouble
    with trackio ends tracking with a line in the log, never the race. Closing this closes the race.

    Args:
        events: Of the race.
        project: trackio's project.
        config: Kept with every trackio run.

    Raises:
        RunError: trackio is not installed, or that is no name for a project.
    """
    require_tracking(project)
    return _passed(events, _Log(project.strip(), config))


def tracked_if_wanted(events: Generator[Event, None, None], config: RaceConfig) -> Generator[Event, None, None]:
    """The events as they are, tracked where the environment says so and trackio is there."""
    project = wanted()
    if not project:
        return events
    try:
        return tracked(events, project, config)
    except RunError as error:  # whoever races on the page did not set the switch
        logger.warning("%s is set, but: %s", SWITCH, error)
        return events


def _passed(events: Iterable[Event], log: "_Log") -> Generator[Event, None, None]:
    with closing(events) if isinstance(events, Generator) else nullcontext():
        try:
            for event in events:
                log.take(event)
                yield event
        finally:
            log.end()


class _Log:
    """Writes to trackio until that fails."""

    def __init__(self, project: str, config: RaceConfig) -> None:
        self._project, self._config = project, config
        self._name: str | None = None
        self._run: Any = None
        self._steps: dict[str, int] = {}
        self._broken = False

    def take(self, event: Event) -> None:
        """Log what one event says."""
        if isinstance(event, RaceStarted):
            self._name = event.run_id
        elif isinstance(event, StepReport):
            self._steps[event.lane] = event.step
        numbers = _numbers(event)
        if numbers and isinstance(event, StepReport | EpochReport):
            self._log({**numbers, f"{event.lane}/epoch": event.epoch}, self._steps.get(event.lane, 0))

    def end(self) -> None:
        """Finish trackio's run, which writes what it still holds."""
        if self._run is not None:
            self._guarded(self._run.finish)
            self._run = None

    def _log(self, numbers: dict[str, float], step: int) -> None:
        if self._run is None:
            self._guarded(self._begin)
        if self._run is not None:
            self._guarded(lambda: self._run.log(numbers, step=step))

    def _begin(self) -> None:
        trackio = importlib.import_module(PACKAGE)
        # These name places to send everything to; nothing is to leave this machine.
        with _without(*_ELSEWHERE):
            self._run = trackio.init(
                project=self._project,
                name=self._name,
                config=self._config.model_dump(mode="json"),
                auto_log_gpu=False,
                auto_log_cpu=False,
                embed=False,
            )

    def _guarded(self, work: Callable[[], object]) -> None:
        if self._broken:
            return
        try:
            # trackio talks on standard output, where --json promises one object and no more.
            with redirect_stdout(sys.stderr):
                work()
        # Whatever goes wrong in another package, the race is worth more than its copy.
        except Exception:
            self._broken = True
            logger.exception("trackio failed; this race is not tracked any further")


def _numbers(event: Event) -> dict[str, float]:
    """What an event measures, by trackio's names."""
    if isinstance(event, StepReport):
        values = {name: getattr(event, name) for name in _OF_STEP}
        return {f"{event.lane}/step/{name}": value for name, value in values.items() if value is not None}
    if isinstance(event, EpochReport):
        return {
            f"{event.lane}/{name}/{metric}": getattr(scores, metric)
            for name, scores in event.scores.items()
            for metric in _OF_SET
        }
    return {}


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """The environment without these variables meanwhile."""
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)
