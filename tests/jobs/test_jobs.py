"""Races as jobs: id and folder are one, a restart loses nothing, an owner sees their own."""

from pathlib import Path

import pytest

from soul_core.errors import JobError
from soul_core.events import EpochReport, RaceEnded
from soul_core.jobs import Jobs
from soul_core.models.shelf import Shelf
from soul_core.runs.store import RunStore
from tests.runs.builders import step
from tests.session.tiny_race import same_weights, tiny_config, tiny_lane, tiny_task, use_task

PATIENCE = 120.0


@pytest.fixture
def config(tiny_model_folder, monkeypatch):
    use_task(monkeypatch, tiny_task())
    return tiny_config(tiny_model_folder(), epochs=2, lanes=(tiny_lane("so"),))


@pytest.fixture
def open_jobs(tmp_path: Path):
    opened = []

    def make() -> Jobs:
        opened.append(Jobs(RunStore(tmp_path / "runs"), shelf=Shelf(1 << 30)))
        return opened[-1]

    yield make
    for jobs in opened:
        assert jobs.close(PATIENCE)


def ended(jobs: Jobs, job_id: str):
    view = jobs.wait(job_id, lambda view: view.ended, PATIENCE)
    assert view.ended
    return view


def test_a_race_runs_and_its_events_are_those_of_its_folder(config, open_jobs):
    jobs = open_jobs()
    job_id = jobs.submit_race(config, "me")
    view = ended(jobs, job_id)
    assert (view.state, view.can_resume, view.kind) == ("finished", False, "race")
    events, count = jobs.events(job_id)
    assert events == jobs.store.open(job_id).events()
    assert count == len(events)
    assert jobs.events(job_id, count) == ([], count)


def test_after_a_restart_the_id_leads_to_the_folder(config, open_jobs):
    before = open_jobs()
    job_id = before.submit_race(config, "me")
    ended(before, job_id)
    after = open_jobs()
    assert after.status(job_id).state == "finished"
    assert after.status(job_id).fraction == 1.0
    assert after.events(job_id, 2) == (before.events(job_id, 2)[0], before.events(job_id)[1])
    with pytest.raises(JobError, match="nothing to resume"):
        after.resume_race(job_id)
    assert after.stop(job_id).state == "finished"


def test_a_killed_race_is_interrupted_and_resumes_to_the_same_weights(config, open_jobs):
    jobs = open_jobs()
    whole = jobs.submit_race(config)
    ended(jobs, whole)
    killed = jobs.submit_race(config)
    ended(jobs, killed)
    # As kill -9 within epoch 2 leaves it: no mark, no end, no final weights of that lane's last epoch.
    folder = jobs.store.open(killed)
    final, checkpoint = folder.lane("so"), folder.checkpoint("so")
    stopped = jobs.submit_race(config)
    jobs.wait(stopped, lambda view: view.events >= 7, PATIENCE)
    jobs.stop(stopped)
    ended(jobs, stopped)
    folder = jobs.store.open(stopped)
    folder.rewrite_events([event for event in folder.events() if not isinstance(event, RaceEnded)])
    later = open_jobs()
    view = later.status(stopped)
    assert (view.state, view.can_resume) == ("interrupted", True)
    assert 0.0 <= view.fraction < 1.0
    assert later.resume_race(stopped) == stopped
    assert ended(later, stopped).state == "finished"
    assert same_weights(jobs.store.open(whole).lane("so"), folder.lane("so"))
    assert final.is_dir() and not checkpoint.exists()


def test_stop_writes_curves_and_report_and_offers_to_resume(config, open_jobs):
    jobs = open_jobs()
    job_id = jobs.submit_race(config)
    jobs.wait(job_id, lambda view: view.events >= 3, PATIENCE)
    jobs.stop(job_id)
    view = ended(jobs, job_id)
    assert (view.state, view.can_resume) == ("stopped", True)
    folder = jobs.store.open(job_id)
    assert (folder.path / "report.html").is_file()
    assert (folder.path / "curves.csv").is_file()
    assert jobs.events(job_id)[0][-1] == folder.events()[-1]
    assert isinstance(folder.events()[-1], RaceEnded)


def test_a_queued_race_that_is_stopped_says_so_on_disk(config, open_jobs):
    jobs = open_jobs()
    first = jobs.submit_race(config)
    second = jobs.submit_race(config)
    jobs.stop(second)
    assert jobs.status(second).state == "stopped"
    assert open_jobs().status(second).state == "stopped"
    jobs.stop(first)
    ended(jobs, first)


def test_a_running_race_cannot_be_resumed(config, open_jobs):
    jobs = open_jobs()
    job_id = jobs.submit_race(config)
    if not jobs.status(job_id).ended:
        with pytest.raises(JobError, match="not over"):
            jobs.resume_race(job_id)
    jobs.stop(job_id)
    ended(jobs, job_id)


def test_a_wrong_model_fails_with_its_sentence_before_and_after_a_restart(config, open_jobs):
    jobs = open_jobs()
    job_id = jobs.submit_race(config.but(model="./nowhere"))
    view = ended(jobs, job_id)
    assert view.state == "failed"
    assert "nowhere" in view.error
    assert open_jobs().status(job_id).error == view.error


def test_an_owner_sees_their_own_jobs_also_after_a_restart(config, open_jobs):
    jobs = open_jobs()
    mine, other = jobs.submit_race(config, "me"), jobs.submit_race(config, "you")
    for job_id in (mine, other):
        jobs.stop(job_id)
        ended(jobs, job_id)
    for place in (jobs, open_jobs()):
        assert [view.id for view in place.list("me")] == [mine]
        assert {view.id for view in place.list()} == {mine, other}
        assert place.list("") == []
        assert place.list("stranger") == []


def test_other_work_shares_the_queue(config, open_jobs):
    def work():
        yield step("gold", 1)

    jobs = open_jobs()
    job_id = jobs.submit("train-gold", "Gold without Ann", work, "me")
    view = ended(jobs, job_id)
    assert (view.kind, view.label, view.state) == ("train-gold", "Gold without Ann", "finished")
    assert jobs.events(job_id) == ([step("gold", 1)], 1)
    assert [view.id for view in jobs.list("me")] == [job_id]


@pytest.mark.parametrize("name", ["", "nobody", "../runs", "20261121-091200-graddiff-3f9a11aa", "x" * 500])
def test_an_unknown_id_is_a_sentence_everywhere(open_jobs, name):
    jobs = open_jobs()
    for act in (jobs.status, jobs.events, jobs.stop, jobs.pause, jobs.resume, jobs.step, jobs.resume_race):
        with pytest.raises(JobError, match="There is no job"):
            act(name)


def test_the_results_are_on_the_shelf_to_be_asked(config, open_jobs):
    jobs = open_jobs()
    job_id = jobs.submit_race(config)
    ended(jobs, job_id)
    held = jobs.shelf.keys()
    assert str(jobs.store.open(job_id).lane("so")) in held
    reports = [event for event in jobs.events(job_id)[0] if isinstance(event, EpochReport)]
    assert reports[-1].lane == "original"


def test_an_owner_is_busy_while_a_job_of_theirs_is_not_over(config, open_jobs):
    jobs = open_jobs()
    assert not jobs.busy()
    job_id = jobs.submit_race(config, "me")
    assert jobs.busy()
    assert jobs.busy("me")
    assert jobs.busy("me", kind="race")
    assert not jobs.busy("me", kind="gold")
    assert not jobs.busy("you")
    assert not jobs.busy("")
    ended(jobs, job_id)
    assert not jobs.busy("me")


def test_a_race_that_the_queue_refuses_leaves_no_folder(config, open_jobs, monkeypatch):
    jobs = open_jobs()

    def full(_: object) -> None:
        raise JobError("The queue is full.")

    monkeypatch.setattr(jobs._worker, "add", full)
    with pytest.raises(JobError, match="full"):
        jobs.submit_race(config, "me")
    assert jobs.store.list() == []
