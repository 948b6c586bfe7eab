"""The events of the Probe tab: a run is chosen and drawn, probes are queued and followed. It builds no component."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import gradio as gr

from soul_core.errors import RunError, SoulError
from soul_core.probing.attacks import chosen
from soul_core.probing.settings import AttackConfig, RelearnConfig, RoundingConfig
from soul_core.ui import text_probe
from soul_core.ui.desk import Desk
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.html import notice
from soul_core.ui.probe_desk import ProbeDesk, Work
from soul_core.ui.probe_draw import drawn_parts, found_outputs, relearned, run_outputs, shown
from soul_core.ui.probe_panel import ProbePanel
from soul_core.ui.probe_render import attacks_of, empty_html, transcripts_html
from soul_core.ui.render import progress_html
from soul_core.ui.scores_wiring import owner_of
from soul_core.ui.scrub_wiring import wire_scrub
from soul_core.ui.snapshot import status_of
from soul_core.ui.track import RaceTrack

LOOK_EVERY = 0.5  # seconds between two looks at the job
Updates = dict[Any, Any]
State = dict[str, str] | None


def wire_probe(
    panel: ProbePanel,
    desk: Desk,
    page: gr.Blocks,
    browser: gr.BrowserState,
    *,
    tabs: gr.Tabs,
    tab: gr.Tab,
    bring_back: gr.Button,
) -> None:
    """Draw the chosen run, probe it, follow what runs.

    Args:
        panel: The components.
        desk: What the page can ask for.
        page: On its load a job that still runs is followed again.
        browser: Whose runs these are.
        tabs: All tabs; this one is opened by ``bring_back``.
        tab: On its opening the runs are listed and the chosen one is drawn; before, nothing is.
        bring_back: The Race's button: opens this tab with the browser's race and starts the bench.
    """
    probes = ProbeDesk(desk)
    to_tail, written = gr.State(""), gr.State(0)
    # What was drawn last, so that a further result draws its own section alone.
    seen = gr.State({})
    wire_scrub(panel.scrub, probes, panel.run, browser)

    def listed(state: State, run_id: str | None, *, newest: bool) -> Updates:
        """The list as it is now; ``newest`` prefers the browser's own race to what was chosen before."""
        runs = probes.runs(owner_of(state))
        known = [run.id for run in runs]
        mine = (state or {}).get("job", "")
        wish = (mine, run_id) if newest else (run_id, mine)
        value = next((one for one in wish if one in known), known[0] if known else None)
        nothing = {} if runs else {panel.verdicts: empty_html(text_probe.NO_RUNS)}
        return {panel.run: gr.Dropdown(choices=[(run.label, run.id) for run in runs], value=value), **nothing}

    def arrive(state: State, run_id: str | None) -> Updates:
        return listed(state, run_id, newest=False)

    def show(state: State, run_id: str | None, before: dict[str, Any]) -> Updates:
        """Another run: all that is not a finding."""
        if not run_id or before.get("run") == run_id:
            return {seen: before}
        return {**shown(panel, probes, run_id, owner_of(state)), seen: {}}

    def draw(state: State, run_id: str | None, before: dict[str, Any]) -> Updates:
        """What has changed since the last look."""
        if not run_id:
            return {seen: {}}
        job_id = (state or {}).get("probe", "")
        work = probes.work_of(job_id, run_id) if desk.alive(job_id) else ()
        updates, now = drawn_parts(panel, probes, run_id, owner_of(state), before, work)
        return {**updates, seen: now}

    def started(state: State, run_id: str | None, work: Work) -> Updates:
        state = state or {}
        owner = state.get("owner") or uuid.uuid4().hex
        job_id = probes.start(run_id or "", work, owner=owner)
        return {
            browser: {**state, "owner": owner, "probe": job_id},
            to_tail: job_id,
            panel.notice: "",
            panel.bench_notice: "",
        }

    def start_bench(
        state: State, run_id: str | None, attacks: list[str] | None, own: str | None, rows: Any, samples: Any
    ) -> Updates:
        templates = tuple(line.strip() for line in (own or "").splitlines() if line.strip())
        config = AttackConfig(attacks=tuple(attacks or ()), templates=templates, rows=rows, samples=samples)
        chosen(config)  # says what is wrong with an own attack, here where it was typed
        return started(state, run_id, config)

    def start_relearning(state: State, run_id: str | None, on: str, *values: Any) -> Updates:
        fields = dict(zip(panel.relearning, values, strict=True))
        return started(state, run_id, RelearnConfig(on=on, **fields))  # type: ignore[arg-type]

    def start_rounding(state: State, run_id: str | None) -> Updates:
        return started(state, run_id, RoundingConfig())

    def start_inspection(state: State, run_id: str | None) -> Updates:
        return started(state, run_id, None)

    def start_from_race(state: State) -> Updates:
        """The one press after a race: this tab, its run, the whole bench."""
        updates = {tabs: gr.Tabs(selected="probe"), **listed(state, None, newest=True)}
        run_id = (state or {}).get("job", "")
        try:
            return {**updates, **started(state, run_id, AttackConfig())}
        except SoulError as error:
            return {**updates, to_tail: "", panel.notice: notice(str(error))}

    def attach(state: State) -> str:
        job_id = (state or {}).get("probe", "")
        return job_id if job_id and desk.alive(job_id) else ""

    async def follow(job_id: str) -> AsyncIterator[Updates]:
        if not job_id:
            return
        busy: Updates = {
            **{button: gr.Button(interactive=False) for button in panel.starts},
            panel.stop: gr.Button(visible=True),
        }
        best = 0.0
        while True:
            view = await asyncio.to_thread(desk.jobs.status, job_id)
            best = max(best, view.fraction)
            status = status_of(view, RaceTrack(), fraction=best, elapsed=view.seconds)
            if view.progress is not None:
                status = replace(status, now=probes.now(job_id, view.progress), left=_left(best, view.seconds))
            if view.ended:
                break
            seen = await asyncio.to_thread(probes.written, job_id)
            yield {**busy, panel.progress: progress_html(status), written: seen}
            await asyncio.sleep(LOOK_EVERY)
        said = notice(text_probe.DONE, kind="info")
        if view.error:
            said = notice(view.error)
        elif view.state == "stopped":
            said = notice(text_probe.STOPPED, kind="info")
        yield {
            panel.progress: "",
            panel.stop: gr.Button(visible=False),
            panel.notice: said,
            **{button: gr.Button(interactive=True) for button in panel.starts},
        }

    def stop(state: State) -> str:
        if job_id := attach(state):
            desk.jobs.stop(job_id)
        return ""

    def open_cell(event: gr.EventData, state: State, run_id: str | None) -> Updates:
        """The transcripts of the cell that was pressed; which, the table's script says."""
        told: dict[str, Any] = getattr(event, "_data", None) or {}
        found = probes.found(run_id or "", owner_of(state))
        attack, model = str(told.get("attack", "")), str(told.get("model", ""))
        result = found.bench.find(model, attack) if found.bench else None
        label = next((one.label for one in found.who if one.name == model), "")
        if result is None or not label:
            raise RunError(text_probe.NO_CELL)
        attacks = attacks_of(found.bench)
        title = attacks[attack].title if attack in attacks else attack
        shown_cell = transcripts_html(result, title, label, nonce=secrets.token_hex(4))
        return {panel.transcripts: shown_cell, panel.bench_notice: ""}

    def look_relearned(state: State, run_id: str | None, on: str) -> Updates:
        """What was found of that choice before, if anything."""
        return relearned(panel, probes.found(run_id or "", owner_of(state)), on)

    quiet = {**QUIET, **AS_TYPED}
    showing: dict[str, Any] = {
        "fn": guarded(show, notice=panel.notice),
        "inputs": [browser, panel.run, seen],
        "outputs": [*run_outputs(panel), seen, panel.notice],
        **quiet,
    }
    drawing: dict[str, Any] = {
        "fn": guarded(draw, notice=panel.notice),
        "inputs": [browser, panel.run, seen],
        "outputs": [*found_outputs(panel), seen, panel.notice],
        "trigger_mode": "always_last",
        **quiet,
    }
    following: dict[str, Any] = {
        "fn": guarded(follow, notice=panel.notice),
        "inputs": to_tail,
        "outputs": [panel.progress, panel.stop, panel.notice, written, *panel.starts],
        **quiet,
    }
    tab.select(
        guarded(arrive, notice=panel.notice),
        [browser, panel.run],
        [panel.run, panel.verdicts, panel.notice],
        **quiet,
    ).then(**showing).then(**drawing)
    panel.run.input(**showing).then(**drawing)
    written.change(**drawing)
    begun = {"outputs": [browser, to_tail, panel.notice, panel.bench_notice], "trigger_mode": "once", **quiet}
    bench = panel.bench.click(
        guarded(start_bench, notice=panel.bench_notice),
        [browser, panel.run, panel.attacks, panel.own, panel.rows, panel.samples],
        **begun,
    )
    others = (
        panel.relearn.click(
            guarded(start_relearning, notice=panel.notice),
            [browser, panel.run, panel.on, *panel.relearning.values()],
            **begun,
        ),
        panel.round.click(guarded(start_rounding, notice=panel.notice), [browser, panel.run], **begun),
        panel.inspect.click(guarded(start_inspection, notice=panel.notice), [browser, panel.run], **begun),
    )
    for event in (bench, *others):
        event.then(**drawing)
    # The run is drawn by the opening of the tab that comes with it.
    bring_back.click(
        guarded(start_from_race, notice=panel.notice),
        browser,
        [tabs, panel.run, panel.verdicts, *begun["outputs"]],
        trigger_mode="once",
        **quiet,
    )
    page.load(attach, browser, to_tail, **QUIET)
    to_tail.change(**following).then(**drawing)
    panel.on.input(
        guarded(look_relearned, notice=panel.notice),
        [browser, panel.run, panel.on],
        [panel.relearn_chart, panel.relearn_said, panel.notice],
        **quiet,
    )
    panel.stop.click(guarded(stop, notice=panel.notice), browser, panel.notice, **QUIET)
    panel.table.select(
        guarded(open_cell, notice=panel.bench_notice),
        [browser, panel.run],
        [panel.transcripts, panel.bench_notice],
        **quiet,
    )


def _left(fraction: float, elapsed: float | None) -> float | None:
    """A guess of the seconds left, once there is enough to guess from."""
    if elapsed is None or fraction < 0.03 or elapsed < 1:
        return None
    return elapsed * (1 - fraction) / fraction
