"""What the components of one run, and of two, show. It reads runs and knows no event."""

from typing import Any

import gradio as gr

from soul_core.runs.compare import RunComparison
from soul_core.ui import text, text_runs
from soul_core.ui.figures import curves
from soul_core.ui.runs_desk import RunsDesk, lanes
from soul_core.ui.runs_figure import both
from soul_core.ui.runs_panel import OnePanel, TwoPanel
from soul_core.ui.runs_render import (
    answers_html,
    compared_html,
    differences_html,
    different_answers_html,
    head_html,
    legend_html,
    settings_html,
)
from soul_core.ui.track import RaceTrack


def one_updates(panel: OnePanel, runs: RunsDesk, run_id: str, *, owner: str, again: bool) -> dict[Any, Any]:
    """One run, drawn.

    Args:
        panel: Where.
        runs: Reads it.
        run_id: Which.
        owner: Token of the browser that looks.
        again: Whether the same run stands there already: then its note, which may be being typed, stays, and so does
            what is chosen for export.

    Raises:
        RunError: It is not there or cannot be read.
    """
    folder, line = runs.find(run_id, owner), runs.line(run_id, owner)
    track = RaceTrack()
    track.take(folder.events())
    labels = {"original": text.LANE_LABELS["original"]}
    labels |= {lane.lane: lane.label for lane in line.lanes}
    labels |= {"gold": text.LANE_LABELS["gold"]}
    updates: dict[Any, Any] = {
        panel.head: head_html(line),
        panel.resume: gr.Button(interactive=line.can_resume and not line.alive),
        panel.legend: legend_html(line),
        panel.forget: curves(track, "forget", run_id=run_id),
        panel.retain: curves(track, "retain", run_id=run_id),
        panel.answers: answers_html(folder.answers(), labels),
        panel.settings: settings_html(folder.config),
    }
    if not again:
        left = lanes(folder)
        updates |= {
            panel.note: line.marks.note,
            panel.noted: "",
            panel.what: gr.Dropdown(choices=runs.exports(run_id, owner), value="all"),
            panel.lane: gr.Dropdown(choices=left, value=left[0][1] if left else None),
            panel.push_notice: "" if left else f'<p class="soul-muted">{text_runs.NO_WEIGHTS}</p>',
        }
    return updates


def two_updates(panel: TwoPanel, comparison: RunComparison) -> dict[Any, Any]:
    """Two runs, drawn."""
    return {
        panel.head: compared_html(comparison),
        panel.forget: both(comparison, "forget"),
        panel.retain: both(comparison, "retain"),
        panel.settings: differences_html(comparison),
        panel.answers: different_answers_html(comparison),
    }
