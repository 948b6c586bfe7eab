"""Training gold from Setup: one button, its progress, and its re-attachment after a reload. It knows no race."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import gradio as gr

from soul_core.ui import text
from soul_core.ui.desk import Desk
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.html import notice
from soul_core.ui.render import progress_html
from soul_core.ui.setup_panel import SetupPanel
from soul_core.ui.snapshot import status_of
from soul_core.ui.track import RaceTrack

LOOK_EVERY = 0.5  # seconds between two looks at the job


def wire_gold(panel: SetupPanel, desk: Desk, page: gr.Blocks, browser: gr.BrowserState) -> None:
    """Queue the training, then show its progress under the button until it ends."""
    to_tail = gr.State("")
    outputs = [panel.gold_box, panel.gold_progress, panel.train_gold, panel.stop_gold, panel.notice]

    def start(state: dict[str, str] | None, *values: Any) -> dict[Any, Any]:
        state = state or {}
        owner = state.get("owner") or uuid.uuid4().hex
        job_id = desk.train_gold(panel.form(*values).config(), owner=owner)
        return {browser: {**state, "owner": owner, "gold": job_id}, to_tail: job_id, panel.notice: ""}

    def attach(state: dict[str, str]) -> str:
        job_id = state.get("gold", "")
        return job_id if job_id and desk.alive(job_id) else ""

    async def follow(job_id: str) -> AsyncIterator[dict[Any, Any]]:
        if not job_id:
            return
        while True:
            view = await asyncio.to_thread(desk.jobs.status, job_id)
            status = replace(status_of(view, RaceTrack(), fraction=0.0, elapsed=None), now=view.label)
            yield {
                panel.gold_box: gr.Column(visible=True),
                panel.train_gold: gr.Button(interactive=False),
                panel.stop_gold: gr.Button(visible=True),
                panel.gold_progress: progress_html(status),
            }
            if view.ended:
                break
            await asyncio.sleep(LOOK_EVERY)
        done = view.state == "finished"
        said = notice(text.GOLD_READY, kind="info") if done else notice(view.error) if view.error else ""
        yield {
            panel.gold_box: gr.Column(visible=not done),
            panel.gold_progress: "",
            panel.train_gold: gr.Button(interactive=True),
            panel.stop_gold: gr.Button(visible=False),
            panel.notice: said,
        }

    def stop(state: dict[str, str]) -> str:
        if job_id := attach(state):
            desk.jobs.stop(job_id)
        return ""

    following = guarded(follow, notice=panel.notice)
    panel.train_gold.click(
        guarded(start, notice=panel.notice),
        [browser, *panel.inputs],
        [browser, to_tail, panel.notice],
        trigger_mode="once",
        **QUIET,
        **AS_TYPED,
    ).then(following, to_tail, outputs, **QUIET)
    panel.stop_gold.click(guarded(stop, notice=panel.notice), browser, panel.notice, **QUIET)
    page.load(attach, browser, to_tail, **QUIET).then(following, to_tail, outputs, **QUIET)
