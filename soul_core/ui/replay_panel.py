"""The replay of a recorded run as components, labelled as recorded in every part. It runs nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from soul_core.runs.recording import About
from soul_core.session.recorded import SPEEDS, Replay, recording, recordings
from soul_core.ui import ids, text, text_host
from soul_core.ui.board import board_html
from soul_core.ui.chart import live_chart
from soul_core.ui.crowd import CROWD
from soul_core.ui.desk import Desk
from soul_core.ui.figures import curves
from soul_core.ui.guard import QUIET, guarded
from soul_core.ui.html import block, heading, notice
from soul_core.ui.render import legend_html, numbers_html, verdict_html
from soul_core.ui.replay import (
    Frame,
    answer_choices,
    answers_board,
    banner_html,
    frame,
    own_view,
    progress_html,
    why_offered,
)
from soul_core.ui.track import RaceTrack
from soul_core.ui.turns import Stage, new_stage, take_turn

FRAME_EVERY = 0.2  # seconds between two pictures of a replay, for one browser or a few
LOOK_EVERY = 1.0  # seconds between two looks at the browser's own race, while it has not begun
QUICK = 4.0

Changes = dict[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPanel:
    """The components of the replay.

    ``stage`` is this tab's own and is shared by its handlers, see ``turns``: ``at`` is how many events were shown;
    ``moving`` is whether the stream goes on; ``auto`` asks the page's load to play; ``waited`` is the browser's race
    that was looked at.
    """

    open: gr.Button
    stage: gr.State
    box: gr.Column
    why: gr.HTML
    banner: gr.HTML
    which: gr.Dropdown
    speed: gr.Radio
    play: gr.Button
    halt: gr.Button
    skip: gr.Button
    close: gr.Button
    progress: gr.HTML
    legend: gr.HTML
    forget: gr.HTML
    retain: gr.HTML
    verdict: gr.HTML
    numbers: gr.HTML
    pick: gr.Dropdown
    board: gr.HTML

    @property
    def pictures(self) -> list[Any]:
        """What a frame changes."""
        return [self.banner, self.progress, self.legend, self.forget, self.retain, self.verdict, self.numbers]


def replay_panel() -> ReplayPanel:
    """Build the link and, closed, the box that it opens."""
    known = recordings()
    first = known[0].name if known else None
    empty = RaceTrack()
    shown = recording(first) if first else None
    choices = answer_choices(shown) if shown else []
    opener = gr.Button(text_host.OPEN, size="sm", elem_id=ids.REPLAY_OPEN, interactive=bool(known))
    with gr.Column(visible=False, elem_id=ids.REPLAY, elem_classes=["soul-recorded"]) as box:
        why = block("", elem_id=ids.REPLAY_WHY)
        banner = block(banner_html(known[0]) if known else notice(text_host.NO_RECORDINGS), elem_id=ids.REPLAY_BANNER)
        with gr.Row(elem_classes=["soul-replay-choice"]):
            which = gr.Dropdown(
                [(about.title, about.name) for about in known],
                value=first,
                filterable=False,
                label=text_host.WHICH,
                elem_id=ids.REPLAY_WHICH,
            )
            speed = gr.Radio(
                [(text_host.SPEED_LABELS[speed], speed) for speed in SPEEDS],
                value=QUICK,
                label=text_host.SPEED,
                elem_id=ids.REPLAY_SPEED,
                elem_classes=["soul-segments"],
            )
        with gr.Row(elem_classes=["soul-replay-tools"]):
            play = gr.Button(text_host.PLAY, size="sm", min_width=60, elem_id=ids.REPLAY_PLAY)
            halt = gr.Button(text_host.HALT, size="sm", min_width=60, elem_id=ids.REPLAY_HALT)
            skip = gr.Button(text_host.SKIP, size="sm", min_width=60, elem_id=ids.REPLAY_SKIP)
            close = gr.Button(text_host.CLOSE, size="sm", min_width=60, elem_id=ids.REPLAY_CLOSE)
        progress = block("", elem_id=ids.REPLAY_PROGRESS)
        legend = block(legend_html(empty))
        with gr.Row(elem_classes=["soul-charts"]):
            charts = []
            for name, elem_id in (("forget", ids.REPLAY_FORGET), ("retain", ids.REPLAY_RETAIN)):
                with gr.Column(min_width=280, elem_classes=["soul-card"]):
                    title = f"{text.CHART_TITLES[name]} ({text_host.RECORDED.lower()})"
                    block(heading(title, text.CHART_WISH[name], level=3))
                    charts.append(live_chart(curves(empty, name, run_id=""), elem_id=elem_id))
        verdict = block(verdict_html("", empty), elem_id=ids.REPLAY_VERDICT)
        numbers = block(numbers_html(empty), elem_id=ids.REPLAY_NUMBERS)
        block(heading(text_host.ANSWERS, text_host.ANSWERS_HELP, level=3))
        pick = gr.Dropdown(
            choices,
            value=choices[0][1] if choices else None,
            filterable=True,
            label=text_host.RECORDED_QUESTION,
            elem_id=ids.REPLAY_PICK,
        )
        board = block(
            board_html(answers_board(shown, choices[0][1])) if shown and choices else "", elem_id=ids.REPLAY_BOARD
        )
    return ReplayPanel(
        open=opener,
        stage=gr.State({**new_stage(), "at": 0, "auto": False, "moving": False, "waited": ""}),
        box=box,
        why=why,
        banner=banner,
        which=which,
        speed=speed,
        play=play,
        halt=halt,
        skip=skip,
        close=close,
        progress=progress,
        legend=legend,
        forget=charts[0],
        retain=charts[1],
        verdict=verdict,
        numbers=numbers,
        pick=pick,
        board=board,
    )


def pictures(panel: ReplayPanel, shown: Frame, *, whole: float) -> Changes:
    """Every component's value for a frame, by the functions that draw a race."""
    about: About = shown.recording.about
    return {
        panel.banner: banner_html(about),
        panel.progress: progress_html(shown, whole=whole),
        panel.legend: legend_html(shown.track),
        panel.forget: curves(shown.track, "forget", run_id=shown.chart_id),
        panel.retain: curves(shown.track, "retain", run_id=shown.chart_id),
        panel.verdict: verdict_html(shown.verdict, shown.track),
        panel.numbers: numbers_html(shown.track),
    }


async def played(panel: ReplayPanel, stage: Stage, name: str, speed: float) -> AsyncIterator[Any]:
    """What changes while a recording is replayed from where it stands, until its end, a halt or another turn.

    Everything that the stage shows is drawn here: two streams that draw on one stage overwrite each other.
    """
    mine = take_turn(stage)
    stage["moving"] = True
    replay = Replay(recording(name), speed=speed, at=stage["at"])
    began = time.monotonic()
    last: dict[Any, str] = {}
    with CROWD.joined():
        while mine():
            moving = stage["moving"]
            at = replay.seen(time.monotonic() - began) if moving else stage["at"]
            stage["at"] = at
            now = pictures(panel, frame(replay, at, moving=moving), whole=replay.seconds)
            changed = {component: value for component, value in now.items() if last.get(component) != repr(value)}
            last = {component: repr(value) for component, value in now.items()}
            if changed:
                yield changed
            if at >= replay.length or not moving:
                return
            until = time.monotonic() + CROWD.wait(FRAME_EVERY)
            while mine() and stage["moving"] and time.monotonic() < until:  # Stop is drawn at once, also in a crowd
                await asyncio.sleep(FRAME_EVERY)
    yield gr.skip()


def wire_replay(panel: ReplayPanel, desk: Desk, page: gr.Blocks, browser: gr.BrowserState, refused: gr.HTML) -> None:
    """Open, play, stop, skip, close; and open it by itself for somebody who would otherwise look at nothing.

    Args:
        panel: The components.
        desk: Tells whose turn it is.
        page: The page; its load may find another's race running.
        browser: Holds the browser's own race, which a replay never covers: it closes when that begins.
        refused: Where the page says why a race did not start.
    """

    async def play(stage: Stage, name: str, speed: float) -> AsyncIterator[Any]:
        async for changed in played(panel, stage, name, speed):
            yield changed

    async def play_if_greeted(stage: Stage, name: str, speed: float) -> AsyncIterator[Any]:
        if stage["auto"]:
            stage["auto"] = False
            async for changed in played(panel, stage, name, speed):
                yield changed

    # Whoever sets where the stage stands asks for it first: a stream that still plays would set it again.
    def from_the_start(stage: Stage) -> Changes:
        take_turn(stage)
        stage["at"] = 0
        return {panel.box: gr.Column(visible=True), panel.why: ""}

    def again(stage: Stage, name: str) -> Changes:
        if stage["at"] >= len(recording(name).events):
            stage["at"] = 0
        return {panel.why: gr.skip()}

    def choose(stage: Stage, name: str) -> Changes:
        take_turn(stage)
        stage["at"] = 0
        chosen = recording(name)
        choices = answer_choices(chosen)
        question = choices[0][1] if choices else ""
        return {
            panel.pick: gr.Dropdown(choices=choices, value=question),
            panel.board: board_html(answers_board(chosen, question)),
        }

    def halt(stage: Stage) -> Changes:
        stage["moving"] = False
        return {panel.why: gr.skip()}

    def skip(stage: Stage, name: str) -> Changes:
        take_turn(stage)
        stage["at"] = len(recording(name).events)
        return {panel.why: gr.skip()}

    def close(stage: Stage) -> Changes:
        take_turn(stage)
        return {panel.box: gr.Column(visible=False)}

    def answer(name: str, question: str | None) -> str:
        return board_html(answers_board(recording(name), question or ""))

    def greet(stage: Stage, state: dict[str, str] | None) -> Changes:
        stage["auto"] = not (state or {}).get("job") and bool(recordings()) and desk.jobs.busy()
        if not stage["auto"]:
            return {panel.why: ""}
        stage["at"] = 0
        return {panel.box: gr.Column(visible=True), panel.why: notice(text_host.BUSY, kind="info")}

    async def while_waiting(stage: Stage, state: dict[str, str] | None) -> AsyncIterator[Any]:
        """Offer, never play: the browser has a race of its own, which takes the stage as soon as it begins."""
        job_id = (state or {}).get("job", "")
        # The browser's state says more than which race it has, and changes with all of it.
        if not job_id or stage["waited"] == job_id:
            return
        stage["waited"] = job_id
        began, said = time.monotonic(), ""
        while stage["waited"] == job_id:
            view = await asyncio.to_thread(own_view, desk, job_id)
            if view is None:
                break
            reason = why_offered(view, waited=time.monotonic() - began)
            if view.events:
                take_turn(stage)
                yield {panel.box: gr.Column(visible=False), panel.why: ""}
                return
            fresh = bool(reason) and reason != said and bool(recordings())
            if fresh:
                said = reason
                yield {panel.box: gr.Column(visible=True), panel.why: notice(reason, kind="info")}
            if view.ended and fresh:
                return
            if view.ended:
                break
            await asyncio.sleep(LOOK_EVERY)
        yield gr.skip()

    def after_refusal(state: dict[str, str] | None, said: str) -> Changes:
        view = own_view(desk, (state or {}).get("job", ""))
        if not said or (view is not None and not view.ended) or not recordings() or not desk.jobs.busy():
            return {panel.why: gr.skip()}
        return {panel.box: gr.Column(visible=True), panel.why: notice(text_host.COULD_NOT_BEGIN, kind="info")}

    here = [panel.stage, panel.which]
    safe = {"notice": panel.why}
    many: dict[str, Any] = {**QUIET, "trigger_mode": "multiple"}
    playing: dict[str, Any] = {
        "fn": guarded(play, **safe),
        "inputs": [*here, panel.speed],
        "outputs": [*panel.pictures, panel.why],
        **many,
    }
    answers = [panel.pick, panel.board]
    panel.open.click(guarded(from_the_start, **safe), panel.stage, [panel.box, panel.why], **many).then(**playing)
    panel.play.click(guarded(again, **safe), here, panel.why, **many).then(**playing)
    panel.speed.input(**playing)
    panel.which.input(guarded(choose, **safe), here, [*answers, panel.why], **many).then(**playing)
    panel.halt.click(guarded(halt, **safe), panel.stage, panel.why, **many)
    panel.skip.click(guarded(skip, **safe), here, panel.why, **many).then(**playing)
    panel.close.click(guarded(close, **safe), panel.stage, [panel.box, panel.why], **many)
    panel.pick.input(guarded(answer, notice=None), [panel.which, panel.pick], panel.board, **QUIET)
    opening = [panel.box, panel.why]
    greeted = page.load(guarded(greet, **safe), [panel.stage, browser], opening, **QUIET)
    greeted.then(**{**playing, "fn": guarded(play_if_greeted, **safe)})
    browser.change(guarded(while_waiting, **safe), [panel.stage, browser], opening, **many)
    refused.change(guarded(after_refusal, **safe), [browser, refused], opening, **many)
