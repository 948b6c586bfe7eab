"""The events of the Scores tab: what is chosen is drawn, scoring is queued and followed. It builds no component."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from soul_core.config import ScoreConfig
from soul_core.errors import ConfigError, SoulError
from soul_core.evaluation.card import Scorecard
from soul_core.evaluation.tables import CANDIDATES, Row, comparable, published_as_rows
from soul_core.evaluation.views import VIEWS, column_of
from soul_core.ui import text_scores
from soul_core.ui.desk import Desk
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.host import MAX_NEW_TOKENS
from soul_core.ui.html import notice
from soul_core.ui.render import progress_html
from soul_core.ui.scores_desk import Rows, ScoresDesk, difference_of, pairable_keys
from soul_core.ui.scores_figure import ACROSS, UP, choices, scatter
from soul_core.ui.scores_panel import FIRST_VIEW, ScoresPanel
from soul_core.ui.scores_render import table_html
from soul_core.ui.snapshot import status_of
from soul_core.ui.track import RaceTrack

LOOK_EVERY = 0.5  # seconds between two looks at the job
SHOWN_AT_FIRST = 12  # runs, newest first
Updates = dict[Any, Any]


def wire_scores(
    panel: ScoresPanel, desk: Desk, page: gr.Blocks, browser: gr.BrowserState, tab: gr.Tab, endings: list[Any]
) -> None:
    """Draw what is chosen, score what is wanted, keep logs that are imported.

    Args:
        panel: The components.
        desk: What the page can ask for.
        page: On its load a job that still runs is followed again.
        browser: Whose runs these are.
        tab: On its opening new runs appear.
        endings: Events of the Race after which there may be a new run.
    """
    scores = ScoresDesk(desk)
    to_tail, written, removed = gr.State(""), gr.State(0), gr.State("")
    # Which runs there were at the last look and which of them are chosen: kept here, as the load of the page and the
    # opening of the tab both look, and neither may find what the other has not drawn yet.
    known, picked = gr.State([]), gr.State([])
    chosen = [browser, picked, known, panel.view, panel.intervals, panel.published, panel.across, panel.up]
    pair = [panel.first, panel.second, panel.number]
    drawn = [panel.table, panel.across, panel.up, panel.chart, panel.front, *pair, panel.difference, panel.logs]

    def draw(
        state: dict[str, str] | None,
        runs: list[str] | None,
        listed: list[str] | None,
        view: str,
        intervals: bool,
        published: bool,
        across: str | None,
        up: str | None,
        first: str | None,
        second: str | None,
        number: str | None,
    ) -> Updates:
        owner = owner_of(state)
        found = scores.rows(runs or [], owner)
        rows = [*found.rows, *(published_as_rows() if published else ())]
        logs = scores.logs(owner)
        points = _offered(choices(rows, ACROSS), across), _offered(choices(rows, UP), up)
        figure, front = scatter(rows, points[0]["value"] or "", points[1]["value"] or "")
        return {
            panel.table: table_html(
                rows,
                VIEWS.get(view) or VIEWS[FIRST_VIEW],
                intervals=bool(intervals),
                published=bool(published),
                any_run=bool(listed),
                troubles=found.troubles,
            ),
            panel.across: gr.Dropdown(**points[0]),
            panel.up: gr.Dropdown(**points[1]),
            panel.chart: figure,
            panel.front: f"<p>{escape(front)}</p>",
            panel.logs: gr.Dropdown(choices=logs, value=logs[0] if logs else None),
            **_compared(panel, found, first, second, number),
        }

    def compare(state: dict[str, str] | None, runs: list[str] | None, first: str, second: str, number: str) -> Updates:
        return _compared(panel, scores.rows(runs or [], owner_of(state)), first, second, number)

    def arrive(state: dict[str, str] | None, runs: list[str] | None, before: list[str]) -> Updates:
        """The list as it is now; at first with the newest runs chosen, later with what is new."""
        found = scores.runs(owner_of(state))
        listed = [run.id for run in found]
        fresh = [run.id for run in found[:SHOWN_AT_FIRST] if run.id not in before]
        if not before:
            wanted = (state or {}).get("scored", "").split(",")
            fresh = [run.id for run in found[:SHOWN_AT_FIRST] if run.scored or run.id in wanted] or listed[:1]
        value = [run for run in listed if run in fresh or run in (runs or [])]
        return {
            panel.runs: gr.Dropdown(choices=[(run.label, run.id) for run in found], value=value),
            known: listed,
            picked: value,
        }

    def start(state: dict[str, str] | None, runs: list[str] | None, rows: int, slow: bool) -> Updates:
        state = state or {}
        owner = state.get("owner") or uuid.uuid4().hex
        longest = MAX_NEW_TOKENS if desk.host.public else ScoreConfig().max_new_tokens
        config = ScoreConfig(rows=int(rows), slow=bool(slow), max_new_tokens=longest)
        job_id = scores.start(runs or [], config, owner=owner)
        state = {**state, "owner": owner, "scores": job_id, "scored": ",".join(runs or [])}
        return {browser: state, to_tail: job_id, panel.notice: ""}

    def attach(state: dict[str, str] | None) -> str:
        job_id = (state or {}).get("scores", "")
        return job_id if job_id and desk.alive(job_id) else ""

    async def follow(job_id: str) -> AsyncIterator[Updates]:
        if not job_id:
            return
        busy: Updates = {panel.score: gr.Button(interactive=False), panel.stop: gr.Button(visible=True)}
        while True:
            view = await asyncio.to_thread(desk.jobs.status, job_id)
            status = status_of(view, RaceTrack(), fraction=0.0, elapsed=None)
            if view.progress is not None:
                status = replace(status, now=text_scores.now_scoring(view.progress.lane, view.progress.what))
            if view.ended:
                break
            seen = await asyncio.to_thread(scores.written, job_id)
            yield {**busy, panel.progress: progress_html(status), written: seen}
            await asyncio.sleep(LOOK_EVERY)
        said = "".join(notice(trouble) for trouble in scores.said(job_id))
        if view.error:
            said += notice(view.error)
        elif view.state == "stopped":
            said += notice(text_scores.SCORING_STOPPED, kind="info")
        elif not said:
            said = notice(text_scores.SCORED, kind="info")
        yield {
            panel.progress: "",
            panel.score: gr.Button(interactive=True),
            panel.stop: gr.Button(visible=False),
            panel.notice: said,
            written: scores.written(job_id),
        }

    def stop(state: dict[str, str] | None) -> str:
        if job_id := attach(state):
            desk.jobs.stop(job_id)
        return ""

    def take(state: dict[str, str] | None, log: str | None, gold: str | None, name: str) -> Updates:
        if not log:
            raise ConfigError(text_scores.NO_FILE)
        state = state or {}
        owner = state.get("owner") or uuid.uuid4().hex
        called = scores.import_log(Path(log), Path(gold) if gold else None, name or "", owner=owner)
        return {
            browser: {**state, "owner": owner},
            panel.import_notice: notice(text_scores.imported(called), kind="info"),
            panel.log: None,
            panel.gold_log: None,
            panel.name: "",
        }

    def remove(state: dict[str, str] | None, name: str | None) -> Updates:
        card = scores.remove_log(name or "", owner=owner_of(state))
        return {
            removed: card.to_json(),
            panel.undo: gr.Button(visible=True),
            panel.import_notice: notice(text_scores.removed(card.model), kind="info"),
        }

    def undo(state: dict[str, str] | None, card: str) -> Updates:
        if not card:
            raise ConfigError(text_scores.NOTHING_REMOVED)
        back = Scorecard.from_json(card)
        scores.put_back(back, owner=owner_of(state))
        return {
            removed: "",
            panel.undo: gr.Button(visible=False),
            panel.import_notice: notice(text_scores.put_back(back.model), kind="info"),
        }

    redraw: dict[str, Any] = {
        "fn": guarded(draw, notice=panel.notice),
        "inputs": [*chosen, *pair],
        "outputs": [*drawn, panel.notice],
        "trigger_mode": "always_last",
        **QUIET,
        **AS_TYPED,
    }
    arrival: dict[str, Any] = {
        "fn": guarded(arrive, notice=panel.notice),
        "inputs": [browser, picked, known],
        "outputs": [panel.runs, known, picked, panel.notice],
        **QUIET,
        **AS_TYPED,
    }
    following = {
        "fn": guarded(follow, notice=panel.notice),
        "inputs": to_tail,
        "outputs": [panel.progress, panel.score, panel.stop, panel.notice, written],
        **QUIET,
        **AS_TYPED,
    }
    switches = (panel.view, panel.intervals, panel.published, panel.across, panel.up)
    gr.on([*(switch.input for switch in switches), written.change], **redraw)
    panel.runs.input(lambda runs: runs or [], panel.runs, picked, **QUIET, **AS_TYPED).then(**redraw)
    for event in (page.load, tab.select):
        event(**arrival).then(**redraw)
    for ending in endings:
        ending.then(**arrival).then(**redraw)
    gr.on(
        [component.input for component in pair],
        guarded(compare, notice=panel.difference),
        [browser, picked, *pair],
        [*pair, panel.difference],
        **QUIET,
        **AS_TYPED,
    )
    panel.score.click(
        guarded(start, notice=panel.notice),
        [browser, picked, panel.rows, panel.slow],
        [browser, to_tail, panel.notice],
        trigger_mode="once",
        **QUIET,
        **AS_TYPED,
    ).then(**following).then(**arrival)
    page.load(attach, browser, to_tail, **QUIET).then(**following).then(**arrival)
    panel.stop.click(guarded(stop, notice=panel.notice), browser, panel.notice, **QUIET)
    said = panel.import_notice
    panel.import_log.click(
        guarded(take, notice=said),
        [browser, panel.log, panel.gold_log, panel.name],
        [browser, said, panel.log, panel.gold_log, panel.name],
        trigger_mode="once",
        **QUIET,
    ).then(**redraw)
    panel.remove.click(
        guarded(remove, notice=said), [browser, panel.logs], [removed, panel.undo, said], **QUIET, **AS_TYPED
    ).then(**redraw)
    panel.undo.click(guarded(undo, notice=said), [browser, removed], [removed, panel.undo, said], **QUIET).then(
        **redraw
    )


def owner_of(state: dict[str, str] | None) -> str:
    """The token of the browser; empty before it has one."""
    return (state or {}).get("owner", "")


def _offered(found: list[tuple[str, str]], value: str | None) -> dict[str, Any]:
    """A dropdown's choices, with what was chosen if it is still among them."""
    keys = [key for _, key in found]
    return {"choices": found, "value": value if value in keys else keys[0] if keys else None}


def _compared(panel: ScoresPanel, found: Rows, first: str | None, second: str | None, number: str | None) -> Updates:
    """The two rows, the numbers that both have, and their difference; two methods that match are chosen at first."""
    one, other = found.find(first or ""), found.find(second or "")
    if one is None or other is None:
        one, other = _first_pair(found.rows)
    keys = pairable_keys(one, other) if one is not None and other is not None else []
    titles = [(column.full_title, key) for key in keys if (column := column_of(key)) is not None]
    numbers = _offered(titles, number)
    said = text_scores.COMPARE_EMPTY
    if one is not None and other is not None and numbers["value"]:
        try:
            said = difference_of(one, other, numbers["value"])
        except SoulError as error:
            said = str(error)
    named = _named(found.rows)
    return {
        panel.first: gr.Dropdown(choices=named, value=one.id if one else None),
        panel.second: gr.Dropdown(choices=named, value=other.id if other else None),
        panel.number: gr.Dropdown(**numbers),
        panel.difference: f"<p>{escape(said)}</p>",
    }


def _first_pair(rows: Sequence[Row]) -> tuple[Row | None, Row | None]:
    methods = [row for row in rows if row.kind in CANDIDATES]
    pairs = ((b, a) for at, a in enumerate(methods) for b in methods[at + 1 :] if comparable(a, b))
    return next(pairs, (None, None))


def _named(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Every row by its name, with where it is from if two are called alike."""
    labels = [row.label for row in rows]
    return [(row.label if labels.count(row.label) == 1 else f"{row.label} ({row.origin})", row.id) for row in rows]
