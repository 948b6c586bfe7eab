"""The events of a person's own facts: type or bring, check, ask, teach, forget. It builds no component."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from soul_core.config import TeachConfig, WeightsConfig
from soul_core.data.own_columns import guess
from soul_core.errors import DatasetError
from soul_core.session.taught import Taught
from soul_core.ui import text_data
from soul_core.ui.data_desk import KNOWN, DataDesk, Typed, typed_from
from soul_core.ui.data_panel import EMPTY_ROWS, PARTS, OwnPanel, column_choices, empty_table
from soul_core.ui.data_render import findings_html, known_html, taught_html
from soul_core.ui.desk import Desk
from soul_core.ui.form import Form, task_fields
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.html import notice
from soul_core.ui.render import progress_html
from soul_core.ui.setup_panel import SetupPanel, owner_of
from soul_core.ui.snapshot import status_of
from soul_core.ui.track import RaceTrack

LOOK_EVERY = 0.3  # seconds between two looks at the job
Updates = dict[Any, Any]
State = dict[str, str] | None


def wire_own(
    panel: OwnPanel,
    data: DataDesk,
    setup: SetupPanel,
    desk: Desk,
    page: gr.Blocks,
    browser: gr.BrowserState,
    tabs: gr.Tabs,
) -> None:
    """The table and its checks, then the jobs that ask and teach, then the way to the race."""
    model = setup.component("model")
    before, to_tail = gr.State(None), gr.State("")
    tabled = [panel.table, panel.columns, *panel.parts.values(), before, panel.undo, panel.notice]

    def owned(state: State) -> dict[str, str]:
        state = state or {}
        return {**state, "owner": state.get("owner") or uuid.uuid4().hex}

    def check(name: str, *values: Any) -> Updates:
        typed = typed_of(values)
        try:
            return {panel.findings: findings_html(data.prepared(typed, name).report), panel.notice: ""}
        except DatasetError as error:
            empty = str(error) == text_data.NO_FACTS
            return {panel.findings: notice(str(error), kind="info" if empty else "warning"), panel.notice: ""}

    def put(value: dict[str, Any], now: Any, *, said: str = "") -> Updates:
        """A new table, the one before it remembered, and the columns that its names suggest."""
        columns = tuple(value["headers"])
        guessed = guess(columns)
        usual = columns == Typed().columns
        found = {part: getattr(guessed, part) for part in PARTS}
        return {
            panel.table: value,
            panel.columns: gr.Accordion(visible=not usual, open=bool(guessed.missing)),
            **{
                panel.parts[part]: gr.Dropdown(choices=column_choices(columns, part), value=_value(part, column))
                for part, column in found.items()
            },
            before: now,
            panel.undo: gr.Button(visible=True),
            panel.notice: notice(said, kind="info"),
        }

    def take(path: str | None, now: Any) -> Updates:
        if not path:
            return {panel.notice: ""}
        table = data.read(Path(path))
        value = {"headers": list(table.columns), "data": [list(row) for row in table.rows]}
        return put(value, now, said=text_data.read_file(table.name, len(table.rows)))

    def more(value: Any) -> Updates:
        typed = typed_from(value)
        rows = [*(list(row) for row in typed.rows), *([""] * len(typed.columns) for _ in range(EMPTY_ROWS))]
        return {panel.table: {"headers": list(typed.columns), "data": rows}}

    def undo(value: Any) -> Updates:
        back = value if isinstance(value, dict) and value.get("headers") else empty_table()
        back = {"headers": back["headers"], "data": back.get("data") or [["", ""]] * EMPTY_ROWS}
        return {**put(back, None), panel.undo: gr.Button(visible=False)}

    def ask(state: State, name: str, *values: Any) -> Updates:
        kept = owned(state)
        job_id = data.ask(typed_of(values), name, owner=kept["owner"])
        return {browser: {**kept, "data": job_id}, to_tail: job_id, panel.notice: ""}

    def teach(state: State, name: str, weights: str, epochs: Any, *values: Any) -> Updates:
        kept = owned(state)
        base, _ = data.base_of(name, owner=kept["owner"])
        config = TeachConfig(
            model=base,
            weights=WeightsConfig(kind="float32" if weights == "float32" else "lora"),
            merge=weights == "merged",
            epochs=epochs,
        )
        job_id, facts = data.teach(typed_of(values), config, owner=kept["owner"])
        return {browser: {**kept, "data": job_id, "own": facts}, to_tail: job_id, panel.notice: ""}

    def use(state: State, *values: Any) -> Updates:
        kept = owned(state)
        facts = data.keep(typed_of(values), owner=kept["owner"])
        name = facts.task.name
        return {
            **setup.put_task(Form(**task_fields(name))),
            browser: {**kept, "own": facts.id},
            panel.notice: notice(text_data.in_setup(name), kind="info"),
        }

    def attach(state: State) -> Updates:
        """After a reload: the facts as they were, what was taught, and the job that still runs."""
        kept, owner = state or {}, owner_of(state)
        job_id = kept.get("data", "")
        running = bool(job_id) and desk.alive(job_id)
        typed = data.facts(kept.get("own", ""), owner=owner)
        found: Updates = {to_tail: job_id if running else ""}
        if typed is not None:
            found[panel.table] = {"headers": list(typed.columns), "data": [list(row) for row in typed.rows]}
            found |= shown(data.taught(kept.get("own", ""), owner=owner))
        return found

    async def follow(job_id: str, state: State) -> AsyncIterator[Updates]:
        if not job_id:
            return
        while True:
            view = await asyncio.to_thread(desk.jobs.status, job_id)
            yield {
                **busy(True),
                panel.result: "",
                panel.forget: gr.Button(visible=False),
                panel.progress: progress_html(status_of(view, RaceTrack(), fraction=0.0, elapsed=None)),
            }
            if view.ended:
                break
            await asyncio.sleep(LOOK_EVERY)
        found: Updates = {}
        if view.state == "finished" and view.kind == KNOWN:
            known = data.known(job_id)
            found = {panel.result: known_html(known) if known is not None else ""}
        elif view.state == "finished":
            found = shown(await asyncio.to_thread(data.taught, (state or {}).get("own", ""), owner=owner_of(state)))
        stopped = notice(text_data.STOPPED, kind="info") if view.state == "stopped" else ""
        yield {
            **busy(False),
            **found,
            panel.progress: "",
            panel.notice: notice(view.error) if view.error else stopped,
        }

    def busy(running: bool) -> Updates:
        return {
            panel.teach: gr.Button(interactive=not running),
            panel.known: gr.Button(interactive=not running),
            panel.stop: gr.Button(visible=running),
        }

    def shown(taught: Taught | None) -> Updates:
        if taught is None:
            return {panel.result: "", panel.forget: gr.Button(visible=False)}
        return {panel.result: taught_html(taught), panel.forget: gr.Button(visible=taught.forgettable)}

    def stop(state: State) -> str:
        job_id = (state or {}).get("data", "")
        if job_id and desk.alive(job_id):
            desk.jobs.stop(job_id)
        return ""

    def forget(state: State) -> Updates:
        taught = data.taught((state or {}).get("own", ""), owner=owner_of(state))
        if taught is None:
            return {panel.notice: notice(text_data.NOT_KEPT)}
        config = data.race_of(taught)
        return {
            **setup.put_back(config),
            panel.notice: "",
            tabs: gr.Tabs(selected="race"),
        }

    def describe(state: State, name: str) -> str:
        base, taught = data.base_of(name or "", owner=owner_of(state))
        said = text_data.model_line_taught if taught else text_data.model_line
        return f'<p class="soul-muted">{escape(said(data.label(base, owner=owner_of(state))))}</p>'

    said = panel.notice
    # A file's path is checked by Gradio only where values are not taken as they are, so the table comes on its own.
    panel.file.upload(lambda now: now, panel.table, before, **QUIET, **AS_TYPED).then(
        guarded(take, notice=said), [panel.file, before], tabled, **QUIET
    )
    for button, value in ((panel.example, _example), (panel.clear, empty_table)):
        button.click(
            guarded(lambda now, value=value: put(value(), now), notice=said), panel.table, tabled, **QUIET, **AS_TYPED
        )
    panel.more.click(guarded(more, notice=said), panel.table, [panel.table, panel.notice], **QUIET, **AS_TYPED)
    panel.undo.click(guarded(undo, notice=said), before, tabled, **QUIET)
    gr.on(
        [page.load, *(component.change for component in panel.typed)],
        guarded(check, notice=said),
        [model, *panel.typed],
        [panel.findings, panel.notice],
        trigger_mode="always_last",
        **QUIET,
        **AS_TYPED,
    )
    gr.on(
        [page.load, model.change], guarded(describe, notice=None), [browser, model], panel.model, **QUIET, **AS_TYPED
    )
    following: dict[str, Any] = {
        "fn": guarded(follow, notice=said),
        "inputs": [to_tail, browser],
        "outputs": [
            *(panel.progress, panel.result, panel.forget, panel.teach, panel.known, panel.stop, panel.notice),
        ],
        **QUIET,
    }
    started = {"outputs": [browser, to_tail, panel.notice], "trigger_mode": "once", **QUIET, **AS_TYPED}
    panel.known.click(guarded(ask, notice=said), [browser, model, *panel.typed], **started).then(**following)
    panel.teach.click(
        guarded(teach, notice=said), [browser, model, panel.weights, panel.epochs, *panel.typed], **started
    ).then(**following)
    panel.stop.click(guarded(stop, notice=said), browser, panel.notice, **QUIET)
    page.load(
        guarded(attach, notice=said),
        browser,
        [to_tail, panel.table, panel.result, panel.forget, panel.notice],
        **QUIET,
    ).then(**following)
    panel.use.click(
        guarded(use, notice=said),
        [browser, *panel.typed],
        [*setup.outputs, browser, panel.notice],
        **QUIET,
        **AS_TYPED,
    )
    panel.forget.click(guarded(forget, notice=said), browser, [*setup.outputs, panel.notice, tabs], **QUIET).then(
        None, None, None, js="() => window.scrollTo(0, 0)", **QUIET
    )


def typed_of(values: Sequence[Any]) -> Typed:
    """From the values of ``OwnPanel.typed``."""
    table, retain, *columns = values
    return typed_from(table, {part: _column(value) for part, value in zip(PARTS, columns, strict=True)}, retain)


def _column(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value or ""


def _value(part: str, column: Any) -> Any:
    return list(column) if part == "perturbed_answers" else column


def _example() -> dict[str, Any]:
    return {"headers": list(Typed().columns), "data": [list(fact) for fact in text_data.EXAMPLES]}
