"""The replay of a recorded run: a race's own pictures, labelled; it ends when something else is asked for."""

import asyncio
from types import SimpleNamespace

import gradio as gr
import pytest

from soul_core.jobs import JobView
from soul_core.session import recorded
from soul_core.session.recorded import Replay, recording, recordings
from soul_core.session.verdict import verdict
from soul_core.ui import replay_panel as panels
from soul_core.ui import text_host
from soul_core.ui.board import board_html
from soul_core.ui.figures import curves
from soul_core.ui.replay import answer_choices, answers_board, banner_html, frame, progress_html, why_offered
from soul_core.ui.turns import new_stage, take_turn
from tests.ui.scenes import track_of, view, waited

NAME = recordings()[0].name


@pytest.fixture
def shown():
    return recording(NAME)


def test_the_last_frame_is_what_the_race_itself_ended_with(shown):
    replay = Replay(shown, speed=0.0)
    last = frame(replay, replay.length)
    assert last.verdict == verdict(shown.events)
    assert curves(last.track, "forget", run_id="x") == curves(track_of(shown.events), "forget", run_id="x")
    assert last.fraction == 1.0 and last.now == text_host.ENDED


def test_a_frame_in_the_middle_knows_nothing_of_what_comes_later(shown):
    replay = Replay(shown, speed=1.0)
    first_step = next(number for number, event in enumerate(shown.events) if event.kind == "step") + 1
    middle = frame(replay, first_step)
    assert all(max(lane.scores, default=0) == 0 for lane in middle.track.lanes.values())
    assert middle.now.startswith("FO, epoch 1 of") and 0 < middle.fraction < 0.5
    assert middle.elapsed == replay.recorded_seconds(first_step)
    assert frame(replay, first_step, moving=False).now == text_host.HALTED


def test_banner_and_progress_say_recorded_with_day_seed_commit_and_machine(shown):
    about = shown.about
    banner = banner_html(about)
    for word in (
        "RECORDED",
        about.recorded[:10],
        f"seed {about.seed}",
        about.commit,
        about.machine,
        "Nothing is running",
    ):
        assert word in banner
    replay = Replay(shown, speed=1.0)
    for at in (0, 5, replay.length):
        assert "RECORDED" in progress_html(frame(replay, at), whole=replay.seconds)


def test_what_a_recording_says_of_itself_is_escaped(shown):
    about = shown.about.model_copy(update={"title": "<b>t</b>", "sentence": "<i>s</i>", "machine": "<u>m</u>"})
    assert not any(mark in banner_html(about) for mark in ("<b>t", "<i>s", "<u>m"))


def test_the_board_shows_the_recorded_answer_of_every_lane_with_its_label(shown):
    question = shown.answers.sets["forget"][0].question
    board = answers_board(shown, question)
    assert board.columns[0].lane == "original" and board.columns[-1].lane == "gold"
    for column in board.columns:
        assert [said.text for said in column.answers] == [shown.answers.sets["forget"][0].answers[column.lane]]
    assert board.truth is not None and board.truth.answer == shown.answers.sets["forget"][0].truth
    assert board_html(board).count("soul-badge-line") == len(board.columns)


def test_a_question_that_was_not_recorded_has_no_answers(shown):
    board = answers_board(shown, "Who wrote this?")
    assert all(not column.answers and column.message == text_host.NO_ANSWER for column in board.columns)


def test_the_list_names_every_recorded_question_once_with_its_set(shown):
    choices = answer_choices(shown)
    assert len(choices) == sum(len(rows) for rows in shown.answers.sets.values())
    assert choices[0][0].startswith("Forget: ")


@pytest.mark.parametrize(
    ("job", "waited_for", "said"),
    [
        (None, 99.0, ""),
        (view("queued", queue_position=1), 0.0, "One race goes before yours"),
        (view("queued", queue_position=3), 0.0, "3 races go before yours"),
        (view("running"), 4.9, ""),
        (view("running"), 5.0, "still loading"),
        (view("running", events=1), 99.0, ""),
        (view("failed"), 0.0, "could not begin"),
        (view("failed", events=4), 0.0, ""),
        (view("finished", events=9), 9.0, ""),
    ],
)
def test_a_recording_is_offered_to_whoever_waits(job: JobView | None, waited_for, said):
    found = why_offered(job, waited=waited_for)
    assert said in found and bool(said) == bool(found)


@pytest.fixture
def panel():
    with gr.Blocks():
        return panels.replay_panel()


def stage() -> dict[str, object]:
    return {**new_stage(), "at": 0, "auto": False, "moving": False, "waited": ""}


def test_played_at_once_is_one_picture_and_the_stage_stands_at_the_end(panel, shown):
    here = stage()

    async def collect():
        return [changed async for changed in panels.played(panel, here, NAME, 0.0)]

    (only,) = waited(collect())
    assert set(only) == set(panel.pictures)
    assert here["at"] == len(shown.events)


def played_until(panel, here, ended):
    """What a replay draws of which the first picture is answered by ``ended``."""

    async def collect():
        found = []
        async for changed in panels.played(panel, here, NAME, 1.0):
            found.append(changed)
            ended()
        return found

    return waited(collect())


def test_another_turn_ends_a_replay_where_it_stands(panel, shown, monkeypatch):
    monkeypatch.setattr(panels, "FRAME_EVERY", 0.01)
    here = stage()
    # Gradio draws a stream's last message again when that ends: by then the stage is another's.
    assert played_until(panel, here, lambda: take_turn(here))[1:] == [gr.skip()]
    assert 0 < here["at"] < len(shown.events)


def test_a_halted_replay_draws_that_it_stands_still_as_the_last_thing(panel, shown, monkeypatch):
    monkeypatch.setattr(panels, "FRAME_EVERY", 0.01)
    here = stage()
    _, last = played_until(panel, here, lambda: here.update(moving=False))
    assert text_host.HALTED in last[panel.progress]
    assert 0 < here["at"] < len(shown.events)


@pytest.fixture
def wired():
    """A page with the replay alone: the panel, and its handlers by the button or field that calls them."""
    with gr.Blocks() as page:
        panel, browser, refused = panels.replay_panel(), gr.BrowserState({}), gr.HTML()
        panels.wire_replay(panel, SimpleNamespace(jobs=Jobs()), page, browser, refused)
    handlers = {}
    for made in page.fns.values():
        for target, event in made.targets:
            handlers.setdefault((target, event), made.fn)
    return panel, lambda component, event: handlers[component._id, event], browser


class Jobs:
    """A queue in which one race waits behind another until it is told to begin."""

    def __init__(self):
        self.begun = False

    def status(self, job_id):
        return view("running", events=1) if self.begun else view("queued", queue_position=1)

    def busy(self):
        return True


def test_skip_is_not_undone_by_the_stream_that_still_plays(wired, shown, monkeypatch):
    monkeypatch.setattr(panels, "FRAME_EVERY", 0.01)
    panel, handler, _ = wired
    here = stage()

    async def skipped():
        playing = asyncio.ensure_future(collected(panels.played(panel, here, NAME, 1.0)))
        await asyncio.sleep(0.05)
        handler(panel.skip, "click")(here, NAME)
        await asyncio.sleep(0.1)  # a slow line: the next stream comes later
        at = here["at"]
        return at, await playing

    at, said = waited(skipped())
    assert at == len(shown.events)
    assert said[-1] == gr.skip()


def test_what_a_person_closed_stays_closed_while_the_browser_keeps_something_else(wired, monkeypatch):
    monkeypatch.setattr(panels, "LOOK_EVERY", 0.01)
    _, handler, browser = wired
    waiting, here = handler(browser, "change"), stage()

    async def offered():
        first = asyncio.ensure_future(collected(waiting(here, {"job": "mine"})))
        await asyncio.sleep(0.05)
        again = await collected(waiting(here, {"job": "mine", "lesson": "gold"}))
        first.cancel()
        return again

    assert waited(offered()) == [gr.skip()]


async def collected(stream):
    return [changed async for changed in stream]


def test_a_replay_goes_on_from_where_it_was_stopped_and_tells_only_what_changed(panel, shown, monkeypatch):
    monkeypatch.setattr(panels, "FRAME_EVERY", 0.01)
    here = stage() | {"at": len(shown.events) - 1}

    async def first():
        return await anext(aiter(panels.played(panel, here, NAME, 1.0)))

    changed = waited(asyncio.wait_for(first(), 10))
    assert panel.forget in changed and here["at"] >= len(shown.events) - 1


def test_without_any_recording_the_page_still_comes_up_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "recordings", lambda: recorded.recordings(tmp_path))
    with gr.Blocks():
        empty = panels.replay_panel()
    assert not empty.open.interactive
    assert text_host.NO_RECORDINGS in empty.banner.value
