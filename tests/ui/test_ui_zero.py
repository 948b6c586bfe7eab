"""A GPU lent for a minute: what fits, and a race whose process forgets everything but its folder."""

import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from soul_core.config import WeightsConfig
from soul_core.errors import ConfigError
from soul_core.events import RaceEnded, from_json
from soul_core.jobs import Jobs
from soul_core.models.device import DEVICE_VARIABLE, pick_device
from soul_core.models.shelf import Shelf
from soul_core.runs.store import RunStore
from soul_core.session.runmodels import models_of_run
from soul_core.ui import text_host, zero
from soul_core.ui.host import Host
from soul_core.ui.zero import LENT_SECONDS, Booth, booked, booth, check_lent, lent_race, lent_seconds, place
from tests.session.tiny_race import tiny_config, tiny_task, use_task
from tests.ui.lent_gpu import LentGpu
from tests.ui.scenes import race_config

# Python 3.12 warns of a fork beside threads, which is what the real package does.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def tiny(tiny_model_folder, monkeypatch):
    use_task(monkeypatch, tiny_task())
    return tiny_config(tiny_model_folder("llama"))


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, "local"),
        ({"SPACE_ID": "a/b"}, "space"),
        ({"SPACE_ID": "a/b", "ACCELERATOR": "t4"}, "space"),
        ({"SPACE_ID": "a/b", "ACCELERATOR": "zero-a10g"}, "zerogpu"),
        ({"SPACE_ID": "a/b", "SPACES_ZERO_GPU": "true"}, "zerogpu"),
        ({"SPACES_ZERO_GPU": "false"}, "local"),
    ],
)
def test_the_environment_tells_where_the_page_runs(environment, found):
    assert place(environment) == found


def test_the_default_race_of_the_pocket_model_fits_and_books_what_it_needs(tmp_path):
    config = race_config(epochs=5)
    assert lent_seconds(config) == 15 + 2.5 * 2 * 5  # two lanes, five epochs
    check_lent(config)
    assert booked(str(RunStore(tmp_path).create(config).path)) == 46  # and six to end in good order


def test_a_longer_one_does_not_and_is_told_how_long_it_would_take():
    with pytest.raises(ConfigError, match="about 1 min 05 s, and here a GPU is lent for 54 s"):
        check_lent(race_config(epochs=10))


def test_another_model_needs_lora_and_books_all_there_is(tmp_path):
    config = race_config(model="somebody/large")
    with pytest.raises(ConfigError, match="FO would train all weights of “somebody/large”"):
        check_lent(config)
    lora = tuple(lane.but(weights=WeightsConfig(kind="lora")) for lane in config.lanes)
    check_lent(config.but(lanes=lora))
    assert booked(str(RunStore(tmp_path).create(config.but(lanes=lora)).path)) == LENT_SECONDS


def test_only_where_a_gpu_is_lent_a_host_asks_for_that(tmp_path):
    long = race_config(epochs=10)
    Host().check(long)
    Host(place="space").check(long)
    with pytest.raises(ConfigError, match="lent"):
        Host(place="zerogpu").check(long)


def test_elsewhere_there_is_no_booth_and_without_the_package_neither(monkeypatch, caplog):
    monkeypatch.delenv(DEVICE_VARIABLE, raising=False)
    assert booth({}) is None and DEVICE_VARIABLE not in os.environ
    monkeypatch.setitem(sys.modules, "spaces", None)
    monkeypatch.setenv(DEVICE_VARIABLE, "")
    assert booth({"SPACES_ZERO_GPU": "1"}) is None
    assert "races run on the CPU" in caplog.text
    assert pick_device().type == "cpu"


def test_with_the_package_its_decorator_is_used_and_all_else_stays_on_the_cpu(monkeypatch):
    monkeypatch.setenv(DEVICE_VARIABLE, "")
    package = ModuleType("spaces")
    package.GPU = LentGpu()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spaces", package)
    assert isinstance(booth({"SPACES_ZERO_GPU": "true"}), Booth)
    assert os.environ[DEVICE_VARIABLE] == "cpu"


def held(config, root: Path, gpu: LentGpu, *, after: float = 0.0) -> tuple[Jobs, str, threading.Thread]:
    """A queued race and the listener that holds the GPU for it."""
    lent = Booth(gpu)
    jobs = Jobs(RunStore(root), shelf=Shelf(0), runner=lent.race)
    job_id = jobs.submit_race(config)

    def hold() -> None:
        time.sleep(after)
        lent.hold(job_id, alive=lambda: not jobs.status(job_id).ended)

    listener = threading.Thread(target=hold)
    listener.start()
    return jobs, job_id, listener


def ended(jobs: Jobs, job_id: str, listener: threading.Thread):
    found = jobs.wait(job_id, lambda view: view.ended, 120)
    listener.join(60)
    assert not listener.is_alive()
    jobs.close()
    return found


def test_a_race_in_a_forked_process_leaves_events_and_weights_on_disk(tiny, tmp_path):
    gpu = LentGpu()
    jobs, job_id, listener = held(tiny, tmp_path / "runs", gpu)
    found = ended(jobs, job_id, listener)
    assert found.state == "finished", found.error
    assert gpu.processes and os.getpid() not in gpu.processes
    folder = jobs.store.find(job_id)
    assert folder.done
    seen, _ = jobs.events(job_id)
    assert seen == folder.events()  # what came through the pickles is what stands on disk
    # Nothing of the other process's memory is here: the models are read from the folder.
    assert set(models_of_run(folder, Shelf(0))) == {"original", "fo", "so"}


def test_what_a_lent_race_yields_are_plain_strings(tiny, tmp_path):
    folder = RunStore(tmp_path).create(tiny)
    lines = list(lent_race(str(folder.path)))
    assert {type(line) for line in lines} == {str}
    assert [event for event in map(from_json, lines) if event.kind != "progress"] == folder.events()


def test_stop_closes_the_other_process_and_its_folder_says_stopped(tiny, tmp_path):
    gpu = LentGpu()
    jobs, job_id, listener = held(tiny.but(epochs=100), tmp_path / "runs", gpu)
    jobs.wait(job_id, lambda view: view.events > 3, 60)
    jobs.stop(job_id)
    assert ended(jobs, job_id, listener).state == "stopped"
    events = jobs.store.find(job_id).events()
    assert [event for event in events if isinstance(event, RaceEnded)] == events[-1:]
    assert events[-1].status == "stopped"


def test_when_the_time_is_over_complete_epochs_stay_and_the_reason_is_said(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(zero, "booked", lambda run: zero.MARGIN_SECONDS)  # not a second for the race
    folder = RunStore(tmp_path).create(tiny)
    *_, last = map(from_json, lent_race(str(folder.path)))
    assert last == folder.events()[-1]
    assert last.status == "stopped" and "lent GPU are over" in last.message
    assert not folder.done


def test_an_error_of_the_race_comes_back_as_its_sentence(tiny, tmp_path):
    bad = tiny.but(model=str(tmp_path / "nothing"))
    jobs, job_id, listener = held(bad, tmp_path / "runs", LentGpu())
    found = ended(jobs, job_id, listener)
    assert found.state == "failed" and "nothing" in found.error and "ZeroGPU" not in found.error


def test_a_gpu_that_is_refused_is_one_sentence_and_in_the_folder_too(tiny, tmp_path):
    def no_quota(*, duration):
        def decorate(task):
            def lent(run, **named):
                raise RuntimeError("You have exceeded your quota")
                yield

            return lent

        return decorate

    jobs, job_id, listener = held(tiny, tmp_path / "runs", no_quota)  # type: ignore[arg-type]
    found = ended(jobs, job_id, listener)
    assert found.state == "failed"
    assert found.error == text_host.gpu_refused("You have exceeded your quota")
    assert jobs.store.find(job_id).events()[-1].message == found.error


def test_a_race_that_nobody_holds_ends_with_what_to_do(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(zero, "NOBODY_CAME", 0.05)
    monkeypatch.setattr(zero, "PATIENCE", 0.05)
    lent = Booth(LentGpu())
    jobs = Jobs(RunStore(tmp_path), runner=lent.race)
    job_id = jobs.submit_race(tiny)
    found = jobs.wait(job_id, lambda view: view.ended, 30)
    jobs.close()
    assert found.state == "failed" and found.error == text_host.NOBODY_HOLDS


def test_two_listeners_hold_a_race_once(tiny, tmp_path):
    gpu = LentGpu()
    lent = Booth(gpu)
    jobs = Jobs(RunStore(tmp_path), runner=lent.race)
    job_id = jobs.submit_race(tiny)
    alive = lambda: not jobs.status(job_id).ended  # noqa: E731
    listeners = [threading.Thread(target=lent.hold, args=(job_id,), kwargs={"alive": alive}) for _ in range(3)]
    for listener in listeners:
        listener.start()
    assert jobs.wait(job_id, lambda view: view.ended, 120).state == "finished"
    for listener in listeners:
        listener.join(30)
    jobs.close()
    assert len(gpu.booked) == 1 and not any(listener.is_alive() for listener in listeners)
