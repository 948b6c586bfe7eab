"""The queue: one job at a time; stop, pause and step act between events; nothing kills the worker."""

import logging
import threading
import time
from collections.abc import Generator

import pytest

from soul_core.errors import JobError, RunError
from soul_core.events import Event, Progress, RaceEnded
from soul_core.jobs import worker as worker_module
from soul_core.jobs.worker import Job, Worker
from tests.runs.builders import epoch, race_events, started, step

PATIENCE = 20.0


class Script:
    """A job's work under the test's control: every event waits for a ticket."""

    def __init__(self, events: list[Event], *, free: bool = False) -> None:
        self.events = events
        self.tickets = threading.Semaphore(len(events) + 1 if free else 0)
        self.closed = threading.Event()
        self.thread = ""

    def __call__(self) -> Generator[Event, None, None]:
        self.thread = threading.current_thread().name
        try:
            for event in self.events:
                assert self.tickets.acquire(timeout=PATIENCE)
                yield event
        except GeneratorExit:
            self.closed.set()
            raise

    def go(self, count: int = 1) -> None:
        self.tickets.release(count)


@pytest.fixture
def worker():
    made = Worker()
    yield made
    assert made.close(PATIENCE)


def add(worker: Worker, name: str, script, **more) -> str:
    worker.add(Job(id=name, kind="test", label=name, owner="me", make=script, **more))
    return name


def wait(worker: Worker, job: str, state: str):
    view = worker.wait(job, lambda view: view.state == state, PATIENCE)
    assert view.state == state
    return view


def seen(worker: Worker, job: str, count: int):
    assert worker.wait(job, lambda view: view.events >= count, PATIENCE).events >= count


def test_a_job_runs_to_its_end_on_the_workers_thread(worker):
    script = Script(race_events(), free=True)
    add(worker, "a", script)
    view = wait(worker, "a", "finished")
    assert script.thread == "soul-worker"
    assert worker.events("a", 0) == (race_events(), len(race_events()))
    assert (view.fraction, view.error, view.ended) == (1.0, "", True)


def test_events_are_handed_out_from_a_number_on_and_progress_is_only_shown(worker):
    script = Script([started(), Progress(what="asking", done=1, total=2), step("fo", 1)])
    add(worker, "a", script)
    script.go(2)
    view = worker.wait("a", lambda view: view.progress is not None, PATIENCE)
    assert view.progress.what == "asking"
    script.go()
    seen(worker, "a", 2)
    assert worker.events("a", 1) == ([step("fo", 1)], 2)
    assert worker.events("a", 2) == ([], 2)
    assert worker.events("a", -5)[1] == 2


def test_the_second_job_waits_for_the_first(worker):
    first, second, third = Script([started()]), Script([started()]), Script([started()])
    for name, script in (("a", first), ("b", second), ("c", third)):
        add(worker, name, script)
    wait(worker, "a", "running")
    assert [worker.view(name).queue_position for name in "abc"] == [0, 1, 2]
    first.go()
    wait(worker, "a", "finished")
    wait(worker, "b", "running")
    assert worker.view("c").queue_position == 1
    worker.stop("c")
    assert worker.view("c").state == "stopped"
    second.go()
    wait(worker, "b", "finished")
    assert third.thread == ""  # never began


def test_stop_closes_the_generator_and_twice_is_harmless(worker):
    script = Script([started(), step("fo", 1), step("fo", 2)])
    add(worker, "a", script, after_stop=lambda: RaceEnded(status="stopped", message="as on disk"))
    script.go()
    seen(worker, "a", 1)
    assert worker.stop("a").state == "stopping"
    assert worker.stop("a").state == "stopping"
    script.go()
    wait(worker, "a", "stopped")
    assert script.closed.is_set()
    assert worker.events("a", 0)[0] == [started(), step("fo", 1), RaceEnded(status="stopped", message="as on disk")]
    assert worker.stop("a").state == "stopped"
    assert worker.events("a", 0)[1] == 3


def paused_after_a_step(worker, *, tickets):
    """Job “a”, paused after its second of three events, with ``tickets`` - 1 more that it may give when resumed."""
    script = Script([started(), step("fo", 1), step("fo", 2)], free=True)
    script.tickets = threading.Semaphore(1)
    add(worker, "a", script)
    seen(worker, "a", 1)
    worker.pause("a")
    script.go(tickets)
    wait(worker, "a", "paused")
    return script


def test_a_paused_job_stands_until_it_is_resumed(worker):
    paused_after_a_step(worker, tickets=2)
    assert worker.view("a").events == 2
    assert worker.wait("a", lambda view: view.events > 2, 0.05).events == 2
    stood = worker.view("a").seconds
    time.sleep(0.3)
    assert worker.view("a").seconds == stood > 0
    worker.resume("a")
    wait(worker, "a", "finished")
    assert worker.view("a").seconds is None


def test_a_pause_is_no_part_of_the_time_that_a_job_has_run(worker):
    script = paused_after_a_step(worker, tickets=1)
    stood = worker.view("a").seconds
    time.sleep(0.5)
    worker.resume("a")
    wait(worker, "a", "running")
    assert worker.view("a").seconds < stood + 0.4
    worker.stop("a")
    script.go()


def test_step_takes_one_optimizer_step_and_pauses_again(worker):
    events = [started(), step("fo", 1), epoch("fo", 1, 1.0, 1.0), step("so", 1), step("so", 2), step("so", 3)]
    script = Script(events)
    add(worker, "a", script)
    script.go()
    seen(worker, "a", 1)
    worker.pause("a")
    script.go(10)
    wait(worker, "a", "paused")
    assert worker.view("a").events == 2
    worker.step("a")
    # the report of the epoch comes first, then one step
    view = worker.wait("a", lambda view: view.state == "paused" and view.events > 2, PATIENCE)
    assert view.events == 4
    worker.step("a")
    assert worker.wait("a", lambda view: view.state == "paused" and view.events > 4, PATIENCE).events == 5
    worker.resume("a")
    wait(worker, "a", "finished")


def test_step_on_a_running_job_pauses_it_after_its_step(worker):
    script = Script([started(), step("fo", 1), step("fo", 2)])
    add(worker, "a", script)
    script.go()
    seen(worker, "a", 1)
    worker.step("a")
    script.go(2)
    wait(worker, "a", "paused")
    assert worker.view("a").events == 2
    worker.stop("a")
    wait(worker, "a", "stopped")


def test_a_paused_job_can_be_stopped_and_the_next_one_says_what_it_waits_for(worker):
    script, other = Script([started(), step("fo", 1)]), Script([started()], free=True)
    add(worker, "a", script)
    add(worker, "b", other)
    wait(worker, "a", "running")
    worker.pause("a")
    script.go()
    wait(worker, "a", "paused")
    assert worker.view("b").behind_paused
    worker.stop("a")
    wait(worker, "a", "stopped")
    wait(worker, "b", "finished")


def test_a_mistake_of_the_user_is_shown_verbatim(worker):
    def broken() -> Generator[Event, None, None]:
        yield started()
        raise RunError("The rows are gone. Put them back.")

    add(worker, "a", broken)
    assert wait(worker, "a", "failed").error == "The rows are gone. Put them back."
    last = worker.events("a", 0)[0][-1]
    assert (last.status, last.message) == ("failed", "The rows are gone. Put them back.")


def test_a_bug_is_logged_with_its_id_and_the_worker_lives_on(worker, caplog):
    told = []

    def broken() -> Generator[Event, None, None]:
        yield started()
        raise KeyError("secret detail")

    with caplog.at_level(logging.ERROR):
        add(worker, "a", broken, after_bug=told.append)
        view = wait(worker, "a", "failed")
    mark = view.error.split("error id ")[1][:8]
    assert "secret detail" not in view.error
    assert mark in caplog.text
    assert "secret detail" in caplog.text
    assert [event.message for event in told] == [view.error]
    add(worker, "b", Script([started()], free=True))
    wait(worker, "b", "finished")


def test_a_bug_before_the_first_event_and_after_stop_are_survived(worker, caplog):
    def never() -> Generator[Event, None, None]:
        raise ValueError("at once")

    def broken_end() -> RaceEnded:
        raise ValueError("late")

    add(worker, "a", never)
    wait(worker, "a", "failed")
    script = Script([started(), step("fo", 1)])
    add(worker, "b", script, after_stop=broken_end)
    worker.wait("b", lambda view: view.state == "running", PATIENCE)
    worker.stop("b")
    script.go()
    wait(worker, "b", "stopped")
    assert "late" in caplog.text


def test_a_queued_job_cannot_be_paused_or_stepped(worker):
    script = Script([started()])
    add(worker, "a", script)
    add(worker, "b", Script([started()]))
    wait(worker, "a", "running")
    for act in (worker.pause, worker.step, worker.resume):
        with pytest.raises(JobError, match="still waits in the queue"):
            act("b")
    worker.stop("b")
    script.go()
    wait(worker, "a", "finished")


def test_an_ended_job_takes_no_harm_from_buttons(worker):
    add(worker, "a", Script([started()], free=True))
    wait(worker, "a", "finished")
    for act in (worker.stop, worker.pause, worker.resume, worker.step):
        assert act("a").state == "finished"


def test_unknown_jobs_are_sentences(worker):
    for act in (worker.stop, worker.pause, worker.resume, worker.step, worker.view):
        with pytest.raises(JobError, match="There is no job “nobody”"):
            act("nobody")


def test_the_same_job_cannot_be_queued_twice(worker):
    script = Script([started()])
    add(worker, "a", script)
    with pytest.raises(JobError, match="already"):
        add(worker, "a", script)
    script.go()
    wait(worker, "a", "finished")
    add(worker, "a", Script([started()], free=True))
    wait(worker, "a", "finished")


def test_a_full_queue_says_so(worker, monkeypatch):
    monkeypatch.setattr(worker_module, "MAX_QUEUED", 1)
    script = Script([started()])
    add(worker, "a", script)
    wait(worker, "a", "running")
    add(worker, "b", Script([started()], free=True))
    with pytest.raises(JobError, match="1 jobs are waiting already"):
        add(worker, "c", Script([started()]))
    script.go()
    wait(worker, "b", "finished")


def test_the_start_of_a_queued_job_is_guessed_from_what_runs_before_it(worker):
    script = Script([started(), epoch("original", 0, 1.0, 1.0, eval_seconds=4.0), step("fo", 1, seconds=0.5)])
    add(worker, "a", script)
    add(worker, "b", Script([started()], free=True), expected_seconds=60.0)
    add(worker, "c", Script([started()], free=True))
    assert worker.view("b").seconds_to_start is None
    script.go(3)
    worker.wait("a", lambda view: view.seconds_left is not None or view.ended, PATIENCE)
    wait(worker, "c", "finished")


def test_old_jobs_are_forgotten(worker, monkeypatch):
    monkeypatch.setattr(worker_module, "KEPT_IN_MEMORY", 2)
    for name in "abcd":
        add(worker, name, Script([started()], free=True))
        wait(worker, name, "finished")
    add(worker, "e", Script([started()], free=True))
    wait(worker, "e", "finished")
    assert not worker.knows("a")
    assert worker.knows("d")


def test_closing_stops_what_runs_and_what_waits_and_ends_the_thread():
    worker = Worker()
    script = Script([started(), step("fo", 1)])
    add(worker, "a", script)
    add(worker, "b", Script([started()]))
    wait(worker, "a", "running")
    script.go(2)
    assert worker.close(PATIENCE)
    assert worker.view("b").state == "stopped"
    assert worker.view("a").ended
    with pytest.raises(JobError, match="shutting down"):
        add(worker, "c", script)
    assert not [t for t in threading.enumerate() if t is worker._thread]
