"""The Race as components: toolbar, progress, charts, verdict, numbers. Its events ask the desk and tail a job."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from soul_core.errors import SoulError
from soul_core.ui import ids, text, text_probe
from soul_core.ui.address_params import names_setup, params_of
from soul_core.ui.chart import live_chart
from soul_core.ui.crowd import CROWD
from soul_core.ui.desk import Desk
from soul_core.ui.figures import curves
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.html import block, heading, notice
from soul_core.ui.render import legend_html, measured_html, numbers_html, progress_html, verdict_html
from soul_core.ui.replay_panel import ReplayPanel, replay_panel
from soul_core.ui.setup_panel import SetupPanel
from soul_core.ui.snapshot import Snapshot, Status
from soul_core.ui.track import RaceTrack
from soul_core.ui.turns import Stage, new_stage, take_turn

LOOK_EVERY = 0.5
"""Seconds between two looks at a job, of one browser or a few. Drawing shares two cores with the race: with 0.2 s the
same race took a quarter longer (46 s against 35 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RacePanel:
    """The components of the Race; ``replay`` is a recorded run's and no part of any race. ``stage``: see ``turns``."""

    replay: ReplayPanel
    stage: gr.State

    run: gr.Button
    pause: gr.Button
    step: gr.Button
    stop: gr.Button
    reset: gr.Button
    progress: gr.HTML
    notice: gr.HTML
    other: gr.HTML
    legend: gr.HTML
    forget: gr.HTML
    retain: gr.HTML
    verdict: gr.HTML
    bring_back: gr.Button
    numbers: gr.HTML
    measured: gr.HTML
    csv: gr.DownloadButton
    report: gr.DownloadButton
    folder: gr.HTML

    @property
    def outputs(self) -> list[gr.components.Component]:
        """Everything that a race changes."""
        return [getattr(self, name) for name in self.__dataclass_fields__ if name not in {"replay", "stage"}]


def race_panel() -> RacePanel:
    """Build the panel as it is before any run; every part keeps its height when the numbers come."""
    empty = RaceTrack()
    block(heading(text.RACE_TITLE, text.RACE_LEAD))
    with gr.Row(elem_id=ids.TOOLBAR):
        run = gr.Button(text.RUN, variant="primary", elem_id=ids.RUN, min_width=60)
        pause = gr.Button(text.PAUSE, interactive=False, elem_id=ids.PAUSE, min_width=60)
        step = gr.Button(text.STEP, interactive=False, elem_id=ids.STEP, min_width=60)
        stop = gr.Button(text.STOP, interactive=False, elem_id=ids.STOP, min_width=60)
        reset = gr.Button(text.RESET, interactive=False, elem_id=ids.RESET, min_width=60)
    progress = block(progress_html(Status()), elem_id=ids.PROGRESS)
    notice = block("", elem_id=ids.RACE_NOTICE)
    other = block("", elem_id=ids.RACE_OTHER)
    replay = replay_panel()
    legend = block(legend_html(empty), elem_id=ids.LEGEND)
    with gr.Row(elem_classes=["soul-charts"]):
        charts = []
        for name, elem_id in (("forget", ids.CHART_FORGET), ("retain", ids.CHART_RETAIN)):
            with gr.Column(min_width=280, elem_classes=["soul-card"]):
                block(heading(text.CHART_TITLES[name], text.CHART_WISH[name], level=3))
                charts.append(live_chart(curves(empty, name, run_id=""), elem_id=elem_id))
    verdict = block(verdict_html("", empty), elem_id=ids.VERDICT)
    bring_back = gr.Button(text_probe.BRING_BACK, interactive=False, elem_id=ids.PROBE_START)
    numbers = block(numbers_html(empty), elem_id=ids.NUMBERS)
    with gr.Row(elem_classes=["soul-downloads"]):
        csv = gr.DownloadButton(
            text.DOWNLOAD_CSV, size="sm", interactive=False, min_width=120, elem_id=ids.DOWNLOAD_CSV
        )
        report = gr.DownloadButton(
            text.DOWNLOAD_REPORT, size="sm", interactive=False, min_width=120, elem_id=ids.DOWNLOAD_REPORT
        )
        folder = block("", elem_id=ids.FOLDER)
    with gr.Accordion(text.MEASURED_TITLE, open=False):
        measured = block(measured_html(empty))
    return RacePanel(
        stage=gr.State(new_stage()),
        replay=replay,
        run=run,
        pause=pause,
        step=step,
        stop=stop,
        reset=reset,
        progress=progress,
        notice=notice,
        other=other,
        legend=legend,
        forget=charts[0],
        retain=charts[1],
        verdict=verdict,
        bring_back=bring_back,
        numbers=numbers,
        measured=measured,
        csv=csv,
        report=report,
        folder=folder,
    )


def shown(panel: RacePanel, snapshot: Snapshot) -> dict[gr.components.Component, Any]:
    """Every component's value for a snapshot of a job."""
    status, track = snapshot.status, snapshot.track
    alive = status.alive
    resumable = status.state == "paused" or (not alive and status.can_resume)
    return {
        panel.run: gr.Button(text.RUN, interactive=not alive),
        panel.pause: gr.Button(
            text.RESUME if resumable else text.PAUSE, interactive=resumable or status.state == "running"
        ),
        panel.step: gr.Button(text.STEP, interactive=status.state in {"running", "paused"}),
        panel.stop: gr.Button(text.STOP, interactive=alive),
        panel.reset: gr.Button(text.RESET, interactive=not alive and status.state != "idle"),
        panel.progress: progress_html(status),
        panel.notice: snapshot.notice,
        panel.legend: legend_html(track),
        panel.forget: curves(track, "forget", run_id=snapshot.job_id),
        panel.retain: curves(track, "retain", run_id=snapshot.job_id),
        panel.verdict: verdict_html(snapshot.verdict, track),
        panel.bring_back: gr.Button(interactive=not alive and bool(track.ended) and bool(track.lanes)),
        panel.numbers: numbers_html(track),
        panel.measured: measured_html(track),
        panel.csv: gr.DownloadButton(text.DOWNLOAD_CSV, value=snapshot.csv, interactive=bool(snapshot.csv)),
        panel.report: gr.DownloadButton(
            text.DOWNLOAD_REPORT, value=snapshot.report, interactive=bool(snapshot.report)
        ),
        panel.folder: snapshot.folder_html,
    }


async def tail(desk: Desk, panel: RacePanel, stage: Stage, job_id: str) -> AsyncIterator[Any]:
    """What changed since the last look, until the job has ended or the panel is another's. The job is left alone."""
    if not job_id:
        return
    mine = take_turn(stage)
    last: dict[gr.components.Component, str] = {}
    watch = desk.watch(job_id)
    with CROWD.joined():
        while mine():
            snapshot = await asyncio.to_thread(watch.look)
            now = shown(panel, snapshot)
            keys = {component: _key(value) for component, value in now.items()}
            changed = {component: now[component] for component, key in keys.items() if last.get(component) != key}
            if changed:
                yield changed
            last = keys
            if not snapshot.status.alive:
                return
            await asyncio.sleep(CROWD.wait(LOOK_EVERY))
    yield gr.skip()


def _key(value: Any) -> str:
    """Something that differs when the component would look different; a button is told by its settings."""
    return repr(value.constructor_args) if isinstance(value, gr.components.Component) else repr(value)


def wire_race(panel: RacePanel, setup: SetupPanel, desk: Desk, page: gr.Blocks, browser: gr.BrowserState) -> list[Any]:
    """Buttons ask the desk; Run, Resume and a load tail the browser's job. Returns the events that end with it."""
    to_tail = gr.State("")
    outputs = [*panel.outputs, browser]

    async def follow(stage: Stage, job_id: str) -> AsyncIterator[Any]:
        async for changed in tail(desk, panel, stage, job_id):
            yield changed

    def start(state: dict[str, str] | None, *values: Any) -> dict[Any, Any]:
        state = state or {}
        state = {**state, "owner": state.get("owner") or uuid.uuid4().hex}
        job_id = desk.start(setup.form(*values), owner=state["owner"], current=state.get("job", ""))
        return {browser: {**state, "job": job_id}, to_tail: job_id, panel.notice: ""}

    def refuse_tail() -> str:
        return ""

    def attach(request: gr.Request, state: dict[str, str]) -> dict[Any, Any]:
        job_id = state.get("job", "")
        if not job_id:
            return {to_tail: ""}
        config = desk.config_of(job_id)
        if config is None:
            return {to_tail: "", browser: {**state, "job": ""}, panel.notice: notice(text.FORGOTTEN_JOB, kind="info")}
        try:
            # An address that says what is in Setup goes before the form that the browser remembers.
            put_back = {} if names_setup(params_of(request)) else setup.put_back(config)
        except SoulError:  # its objective is not registered here any more; its race can be watched all the same
            put_back = {}
        return {to_tail: job_id, **put_back}

    def on_job(action: Callable[[str], object]) -> Callable[..., Any]:
        def act(state: dict[str, str]) -> dict[Any, Any]:
            job_id = state.get("job", "")
            if not job_id:
                return {to_tail: "", panel.notice: notice(text.NOTHING_TO_STOP, kind="info")}
            watch_anew = action(job_id) is True
            return {to_tail: job_id if watch_anew else "", panel.notice: ""}

        return guarded(act, notice=panel.notice)

    def reset(stage: Stage, state: dict[str, str]) -> dict[Any, Any]:
        take_turn(stage)
        return {**shown(panel, Snapshot()), browser: {**state, "job": ""}, panel.other: ""}

    started = panel.run.click(refuse_tail, None, to_tail, **QUIET).then(
        guarded(start, notice=panel.notice),
        [browser, *setup.inputs],
        [browser, to_tail, panel.notice],
        **QUIET,
        **AS_TYPED,
    )
    following: dict[str, Any] = {
        "fn": guarded(follow, notice=panel.notice),
        "inputs": [panel.stage, to_tail],
        "outputs": outputs,
        "trigger_mode": "multiple",
        **QUIET,
    }
    running = started.then(**following)
    loaded = page.load(
        guarded(attach, notice=panel.notice), browser, [to_tail, browser, panel.notice, *setup.outputs], **QUIET
    ).then(**following)
    resumed = panel.pause.click(on_job(desk.toggle_pause), browser, [panel.notice, to_tail], **QUIET).then(**following)
    for button, action in ((panel.step, desk.jobs.step), (panel.stop, desk.jobs.stop)):
        button.click(on_job(action), browser, [panel.notice, to_tail], **QUIET)
    endings = [running, loaded, resumed]
    panel.reset.click(guarded(reset, notice=panel.notice), [panel.stage, browser], outputs, **QUIET)
    return endings
