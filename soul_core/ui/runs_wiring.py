"""The events of the Runs tab: choose, mark, open, delete, take away, bring, push. It builds no component."""

import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from soul_core.errors import SoulError
from soul_core.ui import text_runs
from soul_core.ui.desk import Desk
from soul_core.ui.guard import QUIET, guarded, sentence
from soul_core.ui.html import notice
from soul_core.ui.race_panel import RacePanel, shown, tail
from soul_core.ui.runs_desk import RunsDesk
from soul_core.ui.runs_panel import RunsPanel
from soul_core.ui.runs_render import list_html, trash_html
from soul_core.ui.runs_views import one_updates, two_updates
from soul_core.ui.setup_panel import SetupPanel, owner_of
from soul_core.ui.snapshot import Snapshot
from soul_core.ui.turns import Stage

UNDO_FOR = timedelta(minutes=10)
"""So long the last deletion has its Undo in plain sight; afterwards it is among the deleted runs."""

_SAVE = "(file) => { window.soulSave?.(file); }"
Updates = dict[Any, Any]
State = dict[str, str] | None


def wire_runs(
    panel: RunsPanel,
    race: RacePanel,
    setup: SetupPanel,
    desk: Desk,
    browser: gr.BrowserState,
    *,
    tabs: gr.Tabs,
    tab: gr.Tab,
    endings: list[Any],
) -> list[Any]:
    """Whatever is chosen is drawn; what is pressed is done. Returns the events that end with a race opened here.

    Args:
        panel: The components.
        race: Where a run is opened.
        setup: Where its settings are put.
        desk: What the page can ask for.
        browser: Whose runs these are.
        tabs: All tabs; the race's is opened with a run.
        tab: On its opening the list is as it is now.
        endings: Events of the Race after which there may be a new run.
    """
    runs = RunsDesk(desk)
    one, two = panel.one, panel.two
    # ``drawn`` is whose note stands in the field: what is typed there is not to be lost to a redraw.
    chosen, drawn, to_tail = gr.State([]), gr.State(""), gr.State("")

    def draw(state: State, ids: list[str] | None, before: str) -> Updates:
        owner = owner_of(state)
        listed = runs.listed(owner)
        kept = [run_id for run_id in ids or [] if listed.find(run_id)]
        gone = [run_id for run_id in ids or [] if run_id not in kept]
        since = datetime.now(UTC) - UNDO_FOR
        just = next((entry.run_id for entry in listed.trash if entry.deleted_at > since), "")
        updates: Updates = {
            panel.list: list_html(listed, kept),
            panel.trash: trash_html(listed.trash, just=just),
            chosen: kept,
            one.box: gr.Column(visible=len(kept) == 1),
            two.box: gr.Column(visible=len(kept) == 2),
        }
        if gone:
            called = {entry.run_id: entry.name for entry in listed.trash}
            updates[panel.notice] = notice(text_runs.GONE.format(name=called.get(gone[0]) or gone[0]))
        if len(kept) == 1:
            same = before == kept[0]
            updates |= one_updates(one, runs, kept[0], owner=owner, again=same)
            updates[drawn] = kept[0]
        elif len(kept) == 2:
            updates |= two_updates(two, runs.compare(kept[0], kept[1], owner))
        return updates

    def tell(event: gr.EventData, state: State, ids: list[str] | None) -> Updates:
        """A press on the list; which one, its script says."""
        told: dict[str, Any] = getattr(event, "_data", None) or {}
        owner = owner_of(state)
        if "chosen" in told:
            return {chosen: [str(run_id)[:80] for run_id in told["chosen"]][:2], panel.notice: ""}
        if "rename" in told:
            runs.rename(str(told["rename"]), str(told.get("name", "")), owner)
        elif "pin" in told:
            runs.toggle_pin(str(told["pin"]), owner)
        elif "restore" in told:
            run_id = str(told["restore"])
            said = text_runs.restored(runs.restore(run_id, owner))
            return {chosen: [run_id], panel.notice: notice(said, kind="info")}
        return {chosen: ids or [], panel.notice: ""}

    def attach(state: State, ids: list[str] | None, *, resume: bool) -> Updates:
        run_id, state = _only(ids), _owned(state)
        folder = runs.find(run_id, state["owner"])
        if resume:
            runs.resume(run_id, state["owner"])
        try:
            put_back = setup.put_back(folder.config)
        except SoulError:  # its objective is not registered here any more; its race can be watched all the same
            put_back = {}
        said = text_runs.RESUMED if resume else text_runs.OPENED
        return {
            **put_back,
            browser: {**state, "job": run_id},
            to_tail: run_id,
            tabs: gr.Tabs(selected="race"),
            panel.notice: notice(said, kind="info"),
        }

    def open_run(state: State, ids: list[str] | None) -> Updates:
        return attach(state, ids, resume=False)

    def resume_run(state: State, ids: list[str] | None) -> Updates:
        return attach(state, ids, resume=True)

    async def follow(stage: Stage, job_id: str) -> AsyncIterator[Any]:
        async for changed in tail(desk, race, stage, job_id):
            yield changed

    def use(state: State, ids: list[str] | None) -> Updates:
        config = runs.find(_only(ids), owner_of(state)).config
        return {
            **setup.put_back(config),
            tabs: gr.Tabs(selected="race"),
            panel.notice: notice(text_runs.USED, kind="info"),
        }

    def delete(state: State, ids: list[str] | None) -> Updates:
        state, run_id = state or {}, _only(ids)
        runs.delete(run_id, owner_of(state))
        updates: Updates = {chosen: [], panel.notice: ""}
        if state.get("job") == run_id:  # its curves would belong to nothing
            updates |= shown(race, Snapshot())
            updates |= {race.notice: notice(text_runs.RACE_DELETED, kind="info"), browser: {**state, "job": ""}}
        return updates

    def write_note(state: State, run_id: str, note: str) -> str:
        if not run_id:
            return ""
        runs.write_note(run_id, note or "", owner_of(state))
        return f'<p class="soul-muted" role="status">{escape(text_runs.NOTE_KEPT)}</p>'

    def take(state: State, path: str | None) -> Updates:
        if not path:
            return {panel.notice: ""}
        state = _owned(state)
        run_id = runs.import_zip(Path(path), state["owner"])
        said = text_runs.IMPORTED.format(name=runs.line(run_id, state["owner"]).title)
        return {browser: state, chosen: [run_id], panel.notice: notice(said, kind="info")}

    def export(state: State, ids: list[str] | None, kind: str) -> Iterator[Updates]:
        # No file at first: one that fails must not bring the last one again.
        yield {panel.file: None, panel.notice: notice(text_runs.PACKING, kind="info")}
        yield _ready(runs.export(_only(ids), kind, owner_of(state)))

    def export_two(state: State, ids: list[str] | None) -> Iterator[Updates]:
        first, second = [*(ids or []), "", ""][:2]
        yield {panel.file: None, panel.notice: ""}
        yield _ready(runs.export_comparison(first, second, owner_of(state)))

    def _ready(path: Path) -> Updates:
        said = text_runs.EXPORTED.format(name=path.name, size=text_runs.size(path.stat().st_size))
        return {panel.file: str(path), panel.notice: notice(said, kind="info")}

    def push(
        state: State, ids: list[str] | None, lane: str, repo: str, token: str, private: bool
    ) -> Iterator[Updates]:
        yield {one.token: "", one.push: gr.Button(interactive=False), one.push_notice: "", one.push_progress: ""}
        said = notice(text_runs.PUSH_ENDED)
        try:
            steps = runs.push(
                _only(ids), lane or "", repo or "", token or "", private=bool(private), owner=owner_of(state)
            )
            while True:
                step = next(steps)
                doing = text_runs.pushing(step.what, step.done, step.total)
                yield {one.push_progress: f'<p class="soul-muted" role="status">{escape(doing)}</p>'}
        except StopIteration as stop:
            if isinstance(stop.value, str) and stop.value.startswith(("https://", "http://")):
                said = _pushed_html(stop.value)
        except Exception as error:  # noqa: BLE001 - the button must come back whatever went wrong
            said = notice(sentence(error))
        yield {one.push: gr.Button(interactive=True), one.push_progress: "", one.push_notice: said}

    redraw: dict[str, Any] = {
        "fn": guarded(draw, notice=panel.notice),
        "inputs": [browser, chosen, drawn],
        "outputs": [panel.list, panel.trash, panel.notice, chosen, drawn, *one.outputs, *two.outputs],
        "trigger_mode": "always_last",
        **QUIET,
    }
    tab.select(**redraw)
    for ending in endings:
        ending.then(**redraw)
    for place in (panel.list, panel.trash):
        place.select(
            guarded(tell, notice=panel.notice),
            [browser, chosen],
            [chosen, panel.notice],
            trigger_mode="multiple",
            **QUIET,
        ).then(**redraw)
    opened = []
    attached = [browser, to_tail, tabs, panel.notice, *setup.outputs]
    for button, action in ((one.open, open_run), (one.resume, resume_run)):
        clicked = button.click(lambda: "", None, to_tail, **QUIET).then(
            guarded(action, notice=panel.notice), [browser, chosen], attached, **QUIET
        )
        following = guarded(follow, notice=race.notice)
        outputs = [*race.outputs, browser]
        opened.append(clicked.then(following, [race.stage, to_tail], outputs, trigger_mode="multiple", **QUIET))
        opened[-1].then(**redraw)
    one.use.click(guarded(use, notice=panel.notice), [browser, chosen], [tabs, panel.notice, *setup.outputs], **QUIET)
    one.delete.click(
        guarded(delete, notice=panel.notice),
        [browser, chosen],
        [browser, chosen, panel.notice, *race.outputs],
        trigger_mode="once",
        **QUIET,
    ).then(**redraw)
    one.note.blur(guarded(write_note, notice=one.noted), [browser, drawn, one.note], one.noted, **QUIET)
    one.note.input(lambda: "", None, one.noted, **QUIET)
    panel.take.upload(
        guarded(take, notice=panel.notice), [browser, panel.take], [browser, chosen, panel.notice], **QUIET
    ).then(**redraw)
    packing: dict[str, Any] = {**QUIET, "concurrency_limit": 2, "trigger_mode": "once"}
    for button, made, inputs in (
        (one.export, export, [browser, chosen, one.what]),
        (two.export, export_two, [browser, chosen]),
    ):
        button.click(guarded(made, notice=panel.notice), inputs, [panel.file, panel.notice], **packing)
    panel.file.change(None, panel.file, None, js=_SAVE)
    one.push.click(
        guarded(push, notice=one.push_notice),
        [browser, chosen, one.lane, one.repo, one.token, one.private],
        [one.token, one.push, one.push_progress, one.push_notice],
        **{**packing, "concurrency_id": "push"},
    )
    return opened


def _only(ids: list[str] | None) -> str:
    return ids[0] if ids else ""


def _owned(state: State) -> dict[str, str]:
    return {**(state or {}), "owner": owner_of(state) or uuid.uuid4().hex}


def _pushed_html(address: str) -> str:
    shown = escape(address)
    link = f'<a href="{shown}" target="_blank" rel="noopener noreferrer">{shown}</a>'
    return f'<div class="soul-notice soul-notice-info" role="status">{escape(text_runs.PUSHED)} {link}</div>'
