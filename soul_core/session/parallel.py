"""Races in several processes at once, each with its share of the cores. It knows no table and no picture.

Only the process that was called writes to the book; a worker is given a race and sends back what came of it. A worker
that is left alone, because this process was killed, cleans up and ends.
"""

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

import torch

from soul_core.config import RaceConfig
from soul_core.errors import RunError, SoulError
from soul_core.events import Event, Progress, StepReport
from soul_core.models.device import pick_device
from soul_core.models.memory import shape_of
from soul_core.models.shelf import Shelf
from soul_core.session.needed import PROCESS, needed_bytes
from soul_core.session.plugins import load_plugin
from soul_core.session.room import available_bytes
from soul_core.session.trials import (
    SHELF_BYTES,
    Book,
    Done,
    Outcome,
    look_up,
    outcome_of,
    precision_of,
    recorded,
    work_through,
)

HEARTBEAT = 0.25
"""Seconds after which the caller gets word even if nothing happens, and between two words of one worker."""
_END_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What every worker is told at its start."""

    threads: int
    precision: str
    place: str
    plugins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A race that could not be run; ``bug`` is the traceback where nobody but us can mend it."""

    sentence: str
    bug: str = ""


def work_in_parallel(
    configs: Sequence[RaceConfig], book: Book, *, jobs: int, plugins: Sequence[str] = ()
) -> Iterator[Event | Done]:
    """``work_through`` with up to ``jobs`` races at a time; they may come in another order.

    Close the iterator to stop; races under way are then not recorded.

    Args:
        configs: The races.
        book: Where they are recorded, by this process alone.
        jobs: How many at a time, at least 1; with 1 no process is started.
        plugins: Files that each worker loads first, as this process did.

    Raises:
        RunError: A race failed or a worker died. What is recorded stays.
    """
    missing = yield from look_up(configs, book)
    if min(jobs, len(missing)) <= 1:
        places = list(missing)
        for event in work_through([configs[index] for index in places], book):
            yield replace(event, index=places[event.index]) if isinstance(event, Done) else event
        return
    with tempfile.TemporaryDirectory(prefix="soul-trials-") as place:
        order = Order(
            threads=threads_for(jobs), precision=precision_of(configs[0]), place=place, plugins=tuple(plugins)
        )
        with _team(min(jobs, len(missing)), order) as team:
            yield from _work(configs, missing, book, team)


def usual_jobs(config: RaceConfig) -> int:
    """How many races at a time: one on a GPU, else one for each core, as far as memory goes."""
    device = pick_device()
    if device.type != "cpu":
        return 1
    room = available_bytes(device) / (needed_bytes(config, shape_of(config.model), gold=True) + PROCESS)
    return max(1, int(min(torch.get_num_threads(), room)))


def threads_for(jobs: int) -> int:
    """The cores that each of so many races gets."""
    # torch begins with one thread for each core that it may use.
    return max(1, torch.get_num_threads() // jobs)


class _Worker:
    """A process that runs one race after the other."""

    def __init__(self, order: Order) -> None:
        context = multiprocessing.get_context("spawn")
        near, far = context.Pipe()
        self.pipe: Connection = near
        self.process: SpawnProcess = context.Process(target=run_worker, args=(far, order), daemon=True)
        with _deaf_to_ctrl_c():
            self.process.start()
        far.close()
        self.index: int | None = None
        self.heard = time.monotonic()

    def give(self, index: int, config: RaceConfig) -> None:
        self.index = index
        # Should it be dead already, hear() tells.
        with suppress(BrokenPipeError):
            self.pipe.send(config)

    def hear(self) -> Event | Outcome | Failure:
        try:
            said: Event | Outcome | Failure = self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join(_END_SECONDS)
            return Failure(
                sentence=f"A worker process ended by itself (exit code {self.process.exitcode}), maybe for want of "
                "memory. What is recorded stays; run the same command again with fewer --jobs."
            )
        return said


def _work(
    configs: Sequence[RaceConfig], missing: Mapping[int, str], book: Book, team: Sequence[_Worker]
) -> Iterator[Event | Done]:
    left = list(missing)
    for worker in team:
        index = left.pop(0)
        worker.give(index, configs[index])
    while busy := {worker.pipe: worker for worker in team if worker.index is not None}:
        ready = wait(list(busy), timeout=HEARTBEAT)
        if not ready:
            done = len(missing) - len(left) - len(busy)
            yield Progress(what=f"{len(busy)} at a time", done=done, total=len(missing))
        for pipe in ready:
            worker = busy[pipe]  # type: ignore[index]
            said = worker.hear()
            if isinstance(said, Failure):
                raise RuntimeError(said.bug) if said.bug else RunError(said.sentence)
            if not isinstance(said, Outcome):
                yield said
                continue
            index = worker.index or 0
            worker.index = None
            if left:
                following = left.pop(0)
                worker.give(following, configs[following])
            yield Done(index=index, record=recorded(configs[index], missing[index], said, book), fresh=True)


def run_worker(pipe: Connection, order: Order) -> None:
    """The whole life of a worker process."""
    # Ctrl-C reaches every process of the terminal; the parent decides what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(order.place,), daemon=True).start()
    torch.set_num_threads(order.threads)
    shelf = Shelf(SHELF_BYTES)
    with suppress(EOFError, ConnectionError):
        for file in order.plugins:
            load_plugin(file)
        while True:
            pipe.send(_outcome(pipe.recv(), shelf, order, pipe))


def _end_with_parent(place: str) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        # The race under way, here and in the other workers, goes on writing until its process ends.
        deadline = time.monotonic() + _END_SECONDS
        while Path(place).exists() and time.monotonic() < deadline:
            shutil.rmtree(place, ignore_errors=True)
        os._exit(1)


def _outcome(config: RaceConfig, shelf: Shelf, order: Order, pipe: Connection) -> Outcome | Failure:
    said = 0.0
    work = outcome_of(config, shelf, Path(order.place), precision=order.precision)
    try:
        while True:
            event = next(work)
            if isinstance(event, StepReport | Progress) and time.monotonic() - said > HEARTBEAT:
                said = time.monotonic()
                pipe.send(event)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    except SoulError as error:
        return Failure(sentence=str(error))
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - the parent raises it
        return Failure(sentence=str(error), bug=traceback.format_exc())


@contextmanager
def _team(size: int, order: Order) -> Iterator[list[_Worker]]:
    """Workers that are gone when the block ends, however it ends."""
    team: list[_Worker] = []
    try:
        for _ in range(size):
            team.append(_Worker(order))
        yield team
    finally:
        for worker in team:
            worker.pipe.close()
            worker.process.terminate()
        for worker in team:
            worker.process.join(_END_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A process started within is born deaf to Ctrl-C, also while it still imports."""
    if threading.current_thread() is not threading.main_thread() or os.name == "nt":
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
