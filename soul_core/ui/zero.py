"""Races on a GPU that is lent for a minute (ZeroGPU): where the page runs, what fits, and how a race gets there.

There a GPU exists only inside a decorated generator, called in the listener of the person whose quota pays. The
generator's body runs in a forked process: nothing it keeps in memory comes back. So it writes the run's folder, as any
race does, and yields its events as lines of JSON, for which the queue's worker waits. The page sees no difference.
"""

import importlib
import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from soul_core.config import RaceConfig
from soul_core.errors import ConfigError, RunError, SoulError
from soul_core.events import Event, Progress, RaceEnded, from_json, to_json
from soul_core.models.device import DEVICE_VARIABLE
from soul_core.models.presets import PRESETS
from soul_core.models.shelf import Shelf
from soul_core.objectives import find_objective
from soul_core.runs.folder import RunFolder
from soul_core.session.race import race
from soul_core.ui import text_host

Place = Literal["local", "space", "zerogpu"]
Gpu = Callable[..., Callable[[Callable[..., Any]], Callable[..., Iterator[str]]]]

LENT_SECONDS = 60
"""How long a GPU is asked for at most: what ZeroGPU gives by default."""
MARGIN_SECONDS = 6
"""Before the time is over a race is stopped in good order, so that its complete epochs are kept."""
POCKET_START, POCKET_LANE_EPOCH = 15.0, 2.5
"""Seconds of a race of the pocket model on two CPU cores, as measured; nothing was measured on a lent GPU."""
NOBODY_CAME = 60.0
"""Seconds that a race waits for the page that started it."""
CLOSING = 30.0
"""Seconds that a stopped race has to end in good order."""
PATIENCE = 1.0
"""Seconds between two looks at whether the race was stopped meanwhile."""

log = logging.getLogger(__name__)


def place(environment: Mapping[str, str] = os.environ) -> Place:
    """Where the page runs, as the environment tells."""
    if environment.get("SPACES_ZERO_GPU", "").lower() in {"1", "t", "true"}:
        return "zerogpu"
    if environment.get("SPACE_ID"):
        return "zerogpu" if environment.get("ACCELERATOR", "").lower().startswith("zero") else "space"
    return "local"


def lent_seconds(config: RaceConfig) -> float:
    """How long a race is expected to hold the GPU: the pocket model as on two CPU cores, any other the whole time."""
    if not _is_pocket(config.model):
        return LENT_SECONDS - MARGIN_SECONDS
    return POCKET_START + POCKET_LANE_EPOCH * len(config.lanes) * config.epochs


def check_lent(config: RaceConfig) -> None:
    """Refuse what does not fit into the time that a GPU is lent for; a ConfigError says what and why."""
    if not _is_pocket(config.model):
        for lane in config.lanes:
            trained = find_objective(lane.objective.name).kind != "prompt"
            if trained and lane.weights.kind != "lora":
                raise ConfigError(text_host.only_lora(config.model, lane.label))
    seconds, most = lent_seconds(config), LENT_SECONDS - MARGIN_SECONDS
    if seconds > most:
        raise ConfigError(text_host.too_long(seconds, most))


def booked(run: str) -> int:
    """Whole seconds that the GPU is asked for, for the race of this run folder; the decorator calls it."""
    return min(LENT_SECONDS, math.ceil(lent_seconds(RunFolder(Path(run)).config)) + MARGIN_SECONDS)


def lent_race(run: str, *, resume: bool = False) -> Iterator[str]:
    """What runs in the forked process: the race of a run folder, its events as lines of JSON.

    Arguments and what is yielded are plain strings, since both are pickled. An error of the race is its last event.
    """
    folder = RunFolder(Path(run))
    os.environ.pop(DEVICE_VARIABLE, None)  # here, and here alone, is a GPU
    deadline = time.monotonic() + booked(run) - MARGIN_SECONDS
    over = False
    try:
        with closing(race(folder.config, folder, resume=resume)) as events:
            for event in events:
                yield to_json(event)
                if time.monotonic() > deadline and not isinstance(event, RaceEnded):
                    over = True
                    break
    except SoulError as error:
        yield to_json(_last(folder) or RaceEnded(status="failed", message=str(error)))
    if over:
        yield to_json(_time_is_over(folder))


def _time_is_over(folder: RunFolder) -> RaceEnded:
    """The stopped race's last event, with the reason."""
    *before, last = folder.events()
    ended = last if isinstance(last, RaceEnded) else RaceEnded(status="stopped")
    ended = replace(ended, message=text_host.time_is_over(LENT_SECONDS))
    folder.rewrite_events([*before, ended] if isinstance(last, RaceEnded) else [*before, last, ended])
    return ended


@dataclass(slots=True)
class _Turn:
    """Where the worker that waits for a race's lines and the listener that holds the GPU meet."""

    run: str
    resume: bool
    lines: "queue.SimpleQueue[str | Exception | None]" = field(default_factory=queue.SimpleQueue)
    held: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


class Booth:
    """Lets the queue's worker run races on a GPU that only a listener can hold.

    Args:
        gpu: ``spaces.GPU``, or what behaves like it.
    """

    def __init__(self, gpu: Gpu) -> None:
        self._lent_race = gpu(duration=_booked_for)(lent_race)
        self._condition = threading.Condition()
        self._turns: dict[str, _Turn] = {}

    def race(
        self, config: RaceConfig, folder: RunFolder, *, resume: bool = False, shelf: Shelf | None = None
    ) -> Generator[Event, None, None]:
        """A race's events, from whoever holds the GPU for it; for ``Jobs`` in place of ``session.race``.

        Args:
            config: The folder's.
            folder: The run.
            resume: Whether it goes on.
            shelf: Not used: what the forked process loads does not come back.

        Raises:
            RunError: Nobody came to hold the GPU, or it was taken away.
        """
        turn = _Turn(run=str(folder.path), resume=resume)
        with self._condition:
            self._turns[folder.path.name] = turn
            self._condition.notify_all()
        try:
            now: Event = Progress(what=text_host.ASKS_FOR_GPU, done=0, total=1)
            yield now
            give_up = time.monotonic() + NOBODY_CAME
            while not turn.held.wait(PATIENCE):
                if time.monotonic() > give_up:
                    raise RunError(text_host.NOBODY_HOLDS)
                yield now  # Stop acts between two events
            while True:
                try:
                    line = turn.lines.get(timeout=PATIENCE)
                except queue.Empty:
                    yield now
                    continue
                if line is None:
                    return
                if isinstance(line, Exception):
                    _note_failure(folder, line)
                    raise line
                event = from_json(line)
                now = event if isinstance(event, Progress) else now
                yield event
        finally:
            turn.stop.set()
            if turn.held.is_set():
                turn.over.wait(CLOSING)
            with self._condition:
                self._turns.pop(folder.path.name, None)

    def hold(self, job_id: str, *, alive: Callable[[], bool]) -> None:
        """Hold the GPU for a race until it is over; call it in the listener of the person who started it.

        It is no generator, so that a closed tab does not end the race. Harmless for a race that somebody holds.

        Args:
            job_id: The race.
            alive: Whether the race is still to end.
        """
        turn = self._wait_for_turn(job_id, alive)
        if turn is None:
            return
        try:
            with closing(self._lent_race(turn.run, resume=turn.resume)) as lines:  # type: ignore[type-var]
                for line in lines:
                    turn.lines.put(line)
                    if turn.stop.is_set():
                        break
            turn.lines.put(None)
        except SoulError as error:
            turn.lines.put(error)
        except Exception as error:  # noqa: BLE001 - the lender's: no quota, no GPU, taken away; its words are for people
            log.warning("the lent GPU ended a race: %s", error)
            turn.lines.put(RunError(text_host.gpu_refused(str(error))))
        finally:
            turn.over.set()

    def _wait_for_turn(self, job_id: str, alive: Callable[[], bool]) -> _Turn | None:
        with self._condition:
            while job_id not in self._turns:
                if not alive():
                    return None
                self._condition.wait(PATIENCE)
            turn = self._turns[job_id]
            if turn.held.is_set():
                return None
            turn.held.set()
            return turn


def booth(environment: Mapping[str, str] = os.environ) -> Booth | None:
    """The booth of a ZeroGPU Space; None elsewhere, also where its package is missing, which is logged.

    Everything but races then runs on the CPU: outside the decorated generator the GPU is only pretended.
    """
    if place(environment) != "zerogpu":
        return None
    os.environ[DEVICE_VARIABLE] = "cpu"
    try:
        spaces = importlib.import_module("spaces")
    except ImportError:
        log.warning("This is a ZeroGPU Space, but the package “spaces” is missing: races run on the CPU.")
        return None
    return Booth(spaces.GPU)


def _booked_for(run: str, *, resume: bool = False) -> int:
    """``booked`` with the arguments of the race, as the decorator wants it."""
    return booked(run)


def _is_pocket(model: str) -> bool:
    return model in PRESETS and PRESETS[model].source == "shipped"


def _last(folder: RunFolder) -> RaceEnded | None:
    events = folder.events()
    return events[-1] if events and isinstance(events[-1], RaceEnded) else None


def _note_failure(folder: RunFolder, error: Exception) -> None:
    """Leave the end in the folder, where the forked process could not."""
    if _last(folder) is None:
        folder.append(RaceEnded(status="failed", message=str(error)))
