"""The Race as components: toolbar, progress, two charts, verdict, numbers. Its events only ask the desk and tail a job."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from soul_core.ui import ids, text
from soul_core.ui.chart import live_chart
from soul_core.ui.desk import Desk
from soul_core.ui.figures import curves
from soul_core.ui.html import heading
from soul_core.ui.render import (
    Status,
    legend_html,
    measured_html,
    numbers_html,
    progress_html,
    verdict_html,
)
from soul_core.ui.snapshot import Snapshot
from soul_core.ui.track import RaceTrack

LOOK_EVERY = 0.2  # seconds between two looks at a job


@dataclass(frozen=True, slots=True, kw_only=True)
class RacePanel:
    """The components of the Race."""

    run: gr.Button
    pause: gr.Button
    step: gr.Button
    stop: gr.Button
    reset: gr.Button
    progress: gr.HTML
    notice: gr.HTML
    legend: gr.HTML
    forget: gr.HTML
    retain: gr.HTML
    verdict: gr.HTML
    numbers: gr.HTML
    measured: gr.HTML
    csv: gr.DownloadButton
    report: gr.DownloadButton
    folder: gr.HTML

    @property
    def outputs(self) -> list[gr.components.Component]:
        """Everything that a race changes."""
        return [getattr(self, name) for name in self.__dataclass_fields__]


def race_panel() -> RacePanel:
    """Build the panel as it is before any run; every part keeps its height when the numbers come."""
    empty = RaceTrack()
    gr.HTML(heading(text.RACE_TITLE, text.RACE_LEAD))
    with gr.Row(elem_id=ids.TOOLBAR):
        run = gr.Button(text.RUN, variant="primary", elem_id=ids.RUN, min_width=60)
        pause = gr.Button(text.PAUSE, interactive=False, elem_id=ids.PAUSE, min_width=60)
        step = gr.Button(text.STEP, interactive=False, elem_id=ids.STEP, min_width=60)
        stop = gr.Button(text.STOP, interactive=False, elem_id=ids.STOP, min_width=60)
        reset = gr.Button(text.RESET, interactive=False, elem_id=ids.RESET, min_width=60)
    progress = gr.HTML(progress_html(Status(), 0.0, "", None), elem_id=ids.PROGRESS)
    notice = gr.HTML("", elem_id=ids.RACE_NOTICE)
    legend = gr.HTML(legend_html(empty), elem_id=ids.LEGEND)
    with gr.Row(elem_classes=["soul-charts"]):
        charts = []
        for name, elem_id in (("forget", ids.CHART_FORGET), ("retain", ids.CHART_RETAIN)):
            with gr.Column(min_width=280, elem_classes=["soul-card"]):
                gr.HTML(heading(text.CHART_TITLES[name], text.CHART_WISH[name], level=3))
                charts.append(live_chart(curves(empty, name, run_id=""), elem_id=elem_id))
    verdict = gr.HTML(verdict_html("", empty), elem_id=ids.VERDICT)
    numbers = gr.HTML(numbers_html(empty), elem_id=ids.NUMBERS)
    with gr.Row(elem_classes=["soul-downloads"]):
        csv = gr.DownloadButton(
            text.DOWNLOAD_CSV, size="sm", interactive=False, min_width=120, elem_id=ids.DOWNLOAD_CSV
        )
        report = gr.DownloadButton(
            text.DOWNLOAD_REPORT, size="sm", interactive=False, min_width=120, elem_id=ids.DOWNLOAD_REPORT
        )
        folder = gr.HTML("", elem_id=ids.FOLDER)
    with gr.Accordion(text.MEASURED_TITLE, open=False):
        measured = gr.HTML(measured_html(empty))
    return RacePanel(
        run=run,
        pause=pause,
        step=step,
        stop=stop,
        reset=reset,
        progress=progress,
        notice=notice,
        legend=legend,
        forget=charts[0],
        retain=charts[1],
        verdict=verdict,
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
    paused = status.state == "paused"
    return {
        panel.run: gr.Button(interactive=not alive),
        panel.pause: gr.Button(text.RESUME if paused else text.PAUSE, interactive=status.state in {"running", "paused"}),
        panel.step: gr.Button(interactive=status.state in {"running", "paused"}),
        panel.stop: gr.Button(interactive=alive),
        panel.reset: gr.Button(interactive=not alive and status.state != "idle"),
        panel.progress: progress_html(status, track.fraction, track.now, track.seconds_left),
        panel.notice: snapshot.notice,
        panel.legend: legend_html(track),
        panel.forget: curves(track, "forget", run_id=snapshot.job_id),
        panel.retain: curves(track, "retain", run_id=snapshot.job_id),
        panel.verdict: verdict_html(snapshot.verdict, track),
        panel.numbers: numbers_html(track),
        panel.measured: measured_html(track),
        panel.csv: gr.DownloadButton(value=snapshot.csv, interactive=bool(snapshot.csv)),
        panel.report: gr.DownloadButton(value=snapshot.report, interactive=bool(snapshot.report)),
        panel.folder: snapshot.folder_html,
    }


async def tail(desk: Desk, panel: RacePanel, job_id: str) -> AsyncIterator[dict[gr.components.Component, Any]]:
    """What changed since the last look, until the job has ended. Closing it leaves the job alone."""
    if not job_id:
        return
    last: dict[gr.components.Component, str] = {}
    watch = desk.watch(job_id)
    while True:
        snapshot = await asyncio.to_thread(watch.look)
        now = shown(panel, snapshot)
        keys = {component: _key(value) for component, value in now.items()}
        changed = {component: now[component] for component, key in keys.items() if last.get(component) != key}
        if changed:
            yield changed
        last = keys
        if not snapshot.status.alive:
            return
        await asyncio.sleep(LOOK_EVERY)


def _key(value: Any) -> str:
    """Something that differs when the component would look different; an update of a button is told by its settings."""
    return repr(value.constructor_args) if isinstance(value, gr.components.Component) else repr(value)
