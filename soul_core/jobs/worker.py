"""One thread that works through a queue of jobs, each an iterator of events. It knows no race and no disk."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field

from soul_core.errors import JobError, SoulError
from soul_core.events import Event, Progress, RaceEnded, StepReport
from soul_core.jobs.outlook import Outlook
from soul_core.jobs.view import ENDED, JobView, State

MAX_QUEUED = 20
KEPT_IN_MEMORY = 30

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Job:
    """One job; every field is guarded by the worker's condition.

    Attributes:
        make: Starts the work; called on the worker's thread.
        after_stop: Called when the iterator was closed early; returns the last event as it stands on disk.
        after_bug: Told the last event where a bug ended the job.
        expected_seconds: How long the job takes, as far as the caller knows.
    """

    id: str
    kind: str
    label: str
    owner: str
    make: Callable[[], Generator[Event, None, None]]
    after_stop: Callable[[], RaceEnded | None] | None = None
    after_bug: Callable[[RaceEnded], None] | None = None
    expected_seconds: float | None = None
    state: State = "queued"
    events: list[Event] = field(default_factory=list)
    progress: Progress | None = None
    error: str = ""
    created: float = field(default_factory=time.time)
    began: float = 0.0
    paused_at: float = 0.0
    rested: float = 0.0
    outlook: Outlook = field(default_factory=Outlook)
    pause_wanted: bool = False
    steps_wanted: int = 0
    stop_wanted: bool = False


class Worker:
    """Runs jobs one after the other on a daemon thread; acts between events."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._queue: list[Job] = []
        self._running: Job | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="soul-worker", daemon=True)
        self._thread.start()

    def add(self, job: Job) -> None:
        """Put a job at the end of the queue."""
        with self._condition:
            if self._closing:
                raise JobError("The program is shutting down. Start it again, then press Run.")
            if len(self._queue) >= MAX_QUEUED:
                raise JobError(f"{MAX_QUEUED} jobs are waiting already. Try again when some have ended.")
            known = self._jobs.get(job.id)
            if known is not None and known.state not in ENDED:
                raise JobError(f"This job is {known.state} already. Watch it, or stop it first.")
            self._jobs[job.id] = job
            self._queue.append(job)
            self._forget_old_jobs()
            self._condition.notify_all()

    def knows(self, job_id: str) -> bool:
        """Whether the job is in memory."""
        with self._condition:
            return job_id in self._jobs

    def stop(self, job_id: str) -> JobView:
        """End the job at its next event; a queued job leaves the queue. Harmless on an ended job."""
        with self._condition:
            job = self._job(job_id)
            job.stop_wanted = True
            if job in self._queue:
                self._queue.remove(job)
                job.state = "stopping"
            elif job.state not in ENDED:
                job.state = "stopping"
                self._condition.notify_all()
                return self._view(job)
            else:
                return self._view(job)
        # It never began, so no generator is there to close; its folder still gets its last event.
        self._end_stopped(job)
        return self.view(job_id)

    def pause(self, job_id: str) -> JobView:
        """Hold the job at its next event."""
        with self._condition:
            job = self._begun(job_id)
            if job.state == "running":
                job.pause_wanted = True
            return self._view(job)

    def resume(self, job_id: str) -> JobView:
        """Let a paused job go on."""
        with self._condition:
            job = self._begun(job_id)
            job.pause_wanted, job.steps_wanted = False, 0
            if job.state == "paused":
                job.state = "running"
            self._condition.notify_all()
            return self._view(job)

    def step(self, job_id: str) -> JobView:
        """Go on for one optimizer step, then pause."""
        with self._condition:
            job = self._begun(job_id)
            if job.state in ("running", "paused"):
                # A running job has a step under way: it pauses after that one. Further presses add steps.
                job.steps_wanted = job.steps_wanted + 1 if job.state == "paused" or job.steps_wanted else 1
                job.pause_wanted = False
                job.state = "running"
            self._condition.notify_all()
            return self._view(job)

    def view(self, job_id: str) -> JobView:
        """How the job stands."""
        with self._condition:
            return self._view(self._job(job_id))

    def views(self, owner: str | None) -> list[JobView]:
        """All jobs in memory, newest first; of one owner where one is given."""
        with self._condition:
            jobs = [job for job in self._jobs.values() if owner is None or job.owner == owner]
            return [self._view(job) for job in reversed(jobs)]

    def events(self, job_id: str, since: int) -> tuple[list[Event], int]:
        """Events from number ``since`` on, and the number to ask for next."""
        with self._condition:
            events = self._job(job_id).events
            return events[max(since, 0) :], len(events)

    def wait(self, job_id: str, until: Callable[[JobView], bool], timeout: float) -> JobView:
        """Sleep until the job's view satisfies ``until``, at most ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        with self._condition:
            while True:
                view = self._view(self._job(job_id))
                left = deadline - time.monotonic()
                if until(view) or left <= 0:
                    return view
                self._condition.wait(left)

    def close(self, timeout: float) -> bool:
        """Stop what runs, drop what waits, end the thread; whether it ended in time."""
        with self._condition:
            self._closing = True
            waiting, self._queue = self._queue, []
            if self._running is not None:
                self._running.stop_wanted = True
            self._condition.notify_all()
        for job in waiting:
            self._end_stopped(job)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._queue or self._closing)
                if self._closing:
                    return
                job = self._queue.pop(0)
                job.state, job.began = "running", time.time()
                self._running = job
                self._condition.notify_all()
            try:
                self._run(job)
            finally:
                with self._condition:
                    self._running = None
                    self._condition.notify_all()

    def _run(self, job: Job) -> None:
        try:
            with closing(job.make()) as events:
                for event in events:
                    self._take(job, event)
                    if not self._may_go_on(job):
                        break
                else:
                    self._end(job, None)
                    return
        except SoulError as error:
            self._end(job, RaceEnded(status="failed", message=str(error)))
            return
        except Exception:
            mark = secrets.token_hex(4)
            logging.exception("Job %s failed with a bug, error id %s", job.id, mark)
            ended = RaceEnded(
                status="failed", message=f"Something went wrong inside the program (error id {mark}; see its log)."
            )
            self._tell_bug(job, ended)
            self._end(job, ended)
            return
        self._end_stopped(job)

    def _take(self, job: Job, event: Event) -> None:
        with self._condition:
            job.outlook.take(event)
            if isinstance(event, Progress):
                job.progress = event
            else:
                job.events.append(event)
                job.progress = None  # what was under way is done
            if isinstance(event, StepReport) and job.steps_wanted:
                job.steps_wanted -= 1
                job.pause_wanted = job.steps_wanted == 0
            self._condition.notify_all()

    def _may_go_on(self, job: Job) -> bool:
        with self._condition:
            if job.pause_wanted and not job.stop_wanted and not self._has_ended(job):
                job.state, job.pause_wanted, job.paused_at = "paused", False, time.time()
                self._condition.notify_all()
                self._condition.wait_for(lambda: job.state != "paused" or job.stop_wanted)
                job.rested, job.paused_at = job.rested + time.time() - job.paused_at, 0.0
            return not job.stop_wanted or self._has_ended(job)

    def _has_ended(self, job: Job) -> bool:
        return bool(job.events) and isinstance(job.events[-1], RaceEnded)

    def _tell_bug(self, job: Job, ended: RaceEnded) -> None:
        if job.after_bug is not None:
            try:
                job.after_bug(ended)
            except SoulError as error:
                log.warning("Job %s: its end could not be written: %s", job.id, error)

    def _end_stopped(self, job: Job) -> None:
        ended: RaceEnded | None = None
        try:
            ended = job.after_stop() if job.after_stop is not None else None
        except SoulError as error:
            ended = RaceEnded(status="stopped", message=str(error))
        except Exception:
            logging.exception("Job %s could not be wrapped up after Stop", job.id)
        self._end(job, ended or RaceEnded(status="stopped", message="Stopped."))

    def _end(self, job: Job, ended: RaceEnded | None) -> None:
        with self._condition:
            if ended is not None and not self._has_ended(job):
                job.outlook.take(ended)
                job.events.append(ended)
            last = job.events[-1] if job.events else None
            job.state = last.status if isinstance(last, RaceEnded) else "finished"
            job.error = last.message if isinstance(last, RaceEnded) and last.status == "failed" else ""
            job.progress = None
            # What the job holds (models, data) must not live as long as its entry in the list.
            job.make = _no_more
            self._condition.notify_all()

    def _job(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise JobError(f"There is no job “{job_id[:80]}”. It may be from before a restart; start a new one.")
        return self._jobs[job_id]

    def _begun(self, job_id: str) -> Job:
        job = self._job(job_id)
        if job.state == "queued":
            raise JobError("This job still waits in the queue. Stop takes it out; Pause and Step work once it runs.")
        return job

    def _view(self, job: Job) -> JobView:
        position = self._queue.index(job) + 1 if job in self._queue else 0
        ahead = [self._running, *self._queue[: position - 1]] if position else []
        return JobView(
            id=job.id,
            kind=job.kind,
            label=job.label,
            state=job.state,
            queue_position=position,
            behind_paused=position > 0 and self._running is not None and self._running.state == "paused",
            seconds_to_start=_sum_of_known(ahead) if position else None,
            seconds_left=_seconds_left(job),
            fraction=job.outlook.fraction(),
            progress=job.progress,
            error=job.error,
            events=len(job.events),
            created=job.created,
            seconds=_seconds_run(job),
        )

    def _forget_old_jobs(self) -> None:
        ended = [job.id for job in self._jobs.values() if job.state in ENDED]
        for job_id in ended[: max(0, len(ended) - KEPT_IN_MEMORY)]:
            del self._jobs[job_id]


def _seconds_run(job: Job) -> float | None:
    if not job.began or job.state in ENDED:
        return None
    return (job.paused_at or time.time()) - job.began - job.rested


def _seconds_left(job: Job) -> float | None:
    left = job.outlook.seconds_left()
    return job.expected_seconds if left is None and job.state not in ENDED else left


def _sum_of_known(jobs: list[Job | None]) -> float | None:
    """Work left in the jobs ahead; None as soon as one of them cannot say."""
    total = 0.0
    for job in jobs:
        if job is None:
            continue
        left = _seconds_left(job)
        if left is None:
            return None
        total += left
    return total


def _no_more() -> Generator[Event, None, None]:
    raise JobError("This job has ended.")
