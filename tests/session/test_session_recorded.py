"""Replays: when each event is due, and that what ships is whole, small and as it says."""

import re

import pytest

from soul_core.config import RaceConfig
from soul_core.errors import RunError
from soul_core.events import EpochReport, RaceEnded, StepReport
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.recording import About, Recording
from soul_core.session.recorded import RECORDED, Replay, pace, recording, recordings
from soul_core.session.verdict import verdict
from tests.ui.scenes import epoch, started, step

EVENTS = (
    started(),
    epoch("original", 0, 0.9, 0.9, eval_seconds=2.0),
    step("fo", 1, 1, seconds=0.5),
    step("fo", 1, 2, seconds=0.25),
    epoch("fo", 1, 0.8, 0.9, eval_seconds=1.0, train_seconds=0.75),
    epoch("original", 0, 0.9, 0.9, eval_seconds=2.5),
    RaceEnded(status="finished", seconds=9.0),
)
ABOUT = About(
    name="made-up",
    title="Two",
    recorded="2026-01-02T03:04:05+00:00",
    seed=0,
    commit="abc",
    soul="0",
    machine="CPU",
    command="",
    task="invented-authors:forget10",
    model="pocket",
    run_id="r1",
    seconds=9.0,
    events_sha256="",
    answers_sha256="",
)


def made() -> Recording:
    return Recording(about=ABOUT, events=EVENTS, answers=AnswerSheet())


def test_an_event_waits_as_long_as_its_step_or_evaluation_took():
    # The second report on the original adds 2.5 - 2.0; training time is in the steps already.
    assert pace(EVENTS) == [0.0, 2.0, 0.5, 0.25, 1.0, 0.5, 0.0]


def test_a_replay_shows_what_its_own_pace_has_reached():
    replay = Replay(made(), speed=1.0)
    assert [replay.seen(seconds) for seconds in (0.0, 1.9, 2.0, 2.6, 3.8, 4.3)] == [1, 1, 2, 3, 5, 7]
    assert replay.seconds == 4.25  # of the race's 9.0: the rest is loading and saving


def test_four_times_as_fast_is_a_quarter_of_the_time():
    replay = Replay(made(), speed=4.0)
    assert replay.seen(0.4) == 1 and replay.seen(0.5) == 2 and replay.seen(1.07) == 7


def test_at_once_shows_everything_without_waiting():
    assert Replay(made(), speed=0.0).seen(0.0) == 7


def test_a_replay_goes_on_from_where_it_was_stopped():
    replay = Replay(made(), speed=1.0, at=3)  # 2.5 s in
    assert [replay.seen(seconds) for seconds in (0.0, 0.2, 0.25, 1.25)] == [3, 3, 4, 5]


@pytest.mark.parametrize("speed", [2.0, -1.0, float("nan"), "fast"])
def test_another_speed_is_refused(speed):
    with pytest.raises(RunError, match="choose one of 1, 4, 0"):
        Replay(made(), speed=speed)


@pytest.mark.parametrize("name", ["nothing", "../models", ""])
def test_an_unknown_recording_is_one_sentence(name):
    with pytest.raises(RunError, match="There is no recording"):
        recording(name)


def test_two_recordings_ship_and_one_of_them_is_the_default_race():
    shipped = {about.name: recording(about.name) for about in recordings()}
    assert len(shipped) >= 2
    default = RaceConfig.model_fields
    configs = [RaceConfig(**found.events[0].config) for found in shipped.values()]
    assert any(
        (config.model, config.task, config.epochs, config.seed, [lane.name for lane in config.lanes])
        == ("pocket", default["task"].default, default["epochs"].default, 0, ["fo", "so"])
        for config in configs
    )
    assert any(len(config.lanes) == 3 for config in configs)  # with the control


@pytest.mark.parametrize("name", [about.name for about in recordings()])
def test_what_ships_is_a_whole_race_with_seed_commit_and_machine(name):
    found = recording(name)
    about, ended = found.about, found.events[-1]
    assert isinstance(ended, RaceEnded) and ended.status == "finished" and ended.seconds == about.seconds
    assert found.events[0].config["seed"] == about.seed
    assert re.fullmatch(r"[0-9a-f]{7,40}", about.commit)
    assert about.machine and about.command.startswith("python -m soul_core race")
    config = RaceConfig(**found.events[0].config)
    for lane in config.lanes:
        reached = {event.epoch for event in found.events if isinstance(event, EpochReport) and event.lane == lane.name}
        assert reached == set(range(config.epochs + 1))
        assert any(isinstance(event, StepReport) and event.lane == lane.name for event in found.events)
    assert "forgot" in verdict(found.events)


@pytest.mark.parametrize("name", [about.name for about in recordings()])
def test_what_ships_is_small_and_has_recorded_answers_of_every_lane(name):
    assert sum(path.stat().st_size for path in (RECORDED / name).iterdir()) < 400_000
    found = recording(name)
    lanes = {"original", "gold", *(lane["name"] for lane in found.events[0].config["lanes"])}
    for rows in found.answers.sets.values():
        assert rows and all(set(row.answers) == lanes for row in rows)
