"""Following a job: what the page is told at each look."""

from types import SimpleNamespace

import gradio as gr
import pytest

from soul_core.runs.store import RunStore
from soul_core.ui import race_panel as panels
from soul_core.ui.desk import Watch
from soul_core.ui.host import Host
from soul_core.ui.snapshot import Snapshot, Status
from soul_core.ui.turns import new_stage
from tests.ui.scenes import OneJob, race_config, view, waited, whole_race


@pytest.fixture
def folder(tmp_path):
    """A run's folder with something to download."""
    made = RunStore(tmp_path).create(race_config())
    made.write_curves("lane,epoch\n")
    return made


def watch(folder, looks) -> Watch:
    desk = SimpleNamespace(jobs=OneJob(looks), store=RunStore(folder.path.parent), host=Host())
    return Watch(desk=desk, job_id=folder.run_id)


def test_each_look_folds_in_what_is_new_and_the_verdict_follows(folder):
    events = whole_race()
    follower = watch(folder, [(view("running", fraction=0.5), events[:6]), (view("finished", fraction=1.0), events)])
    first, second = follower.look(), follower.look()
    assert first.status.state == "running"
    assert len(second.track.lanes["so"].points("forget")) == 3
    assert second.verdict.startswith("SO forgot 70 of 100")  # from 0.9 to 0.2 of 100 rows
    assert second.status.elapsed == 20.0  # the race's own clock, once it has ended


def test_downloads_come_with_the_end_and_are_copies_outside_the_run(folder):
    follower = watch(folder, [(view("running"), []), (view("finished"), whole_race())])
    assert follower.look().csv is None
    csv = follower.look().csv
    assert csv is not None
    assert csv.read_text() == "lane,epoch\n"
    assert folder.path not in csv.parents


def test_a_tail_tells_only_what_changed_and_ends_with_the_job(folder, monkeypatch):
    monkeypatch.setattr(panels, "LOOK_EVERY", 0.0)
    events = whole_race()
    looks = [(view("running"), events[:6]), (view("running"), events[:6]), (view("finished"), events)]
    follower = watch(folder, looks)
    desk = SimpleNamespace(watch=lambda job_id: follower)
    with gr.Blocks():
        panel = panels.race_panel()

    async def collect():
        return [changed async for changed in panels.tail(desk, panel, new_stage(), "r1")]

    first, last = waited(collect())  # the second look saw nothing new, so it told nothing
    assert panel.forget in first
    assert first[panel.stop].interactive
    assert not first[panel.run].interactive
    assert panel.forget in last
    assert panel.legend not in last
    assert last[panel.run].interactive


def test_of_two_streams_on_one_panel_the_earlier_ends_and_says_nothing_more(folder, monkeypatch):
    monkeypatch.setattr(panels, "LOOK_EVERY", 0.01)
    desk = SimpleNamespace(watch=lambda job_id: SimpleNamespace(look=lambda: Snapshot(status=Status(state="running"))))
    with gr.Blocks():
        panel = panels.race_panel()
    stage = new_stage()

    async def both():
        earlier, later = (panels.tail(desk, panel, stage, name) for name in ("a", "b"))
        await anext(earlier)
        await anext(later)
        return [changed async for changed in earlier]

    assert waited(both()) == [gr.skip()]


def test_a_browser_without_a_job_has_nothing_to_follow():
    async def collect():
        return [changed async for changed in panels.tail(SimpleNamespace(), SimpleNamespace(), new_stage(), "")]

    assert waited(collect()) == []
