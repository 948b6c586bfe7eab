"""What the Probe tab shows of a run, section by section: components and their values. It binds no event."""

import json
from html import escape
from typing import Any

import gradio as gr
from pydantic import TypeAdapter

from soul_core.probing.results import Bench
from soul_core.probing.settings import AttackConfig
from soul_core.runs.probes import probes_of
from soul_core.ui import text_probe
from soul_core.ui.downloads import place_for
from soul_core.ui.probe_desk import Found, ProbeDesk, Work, who_of
from soul_core.ui.probe_figures import clip_curve, likeness_curve, relearn_curve
from soul_core.ui.probe_panel import ProbePanel
from soul_core.ui.probe_render import bench_html, legend_html, table_csv, verdicts_html
from soul_core.ui.scrub_wiring import of_run, shown_run
from soul_core.ui.where_render import heat_html, rounding_html

Updates = dict[Any, Any]
SAME_CELLS = ("rows", "seed", "max_new_tokens", "templates")
"""While a bench runs, an earlier one's cells stay in sight if these settings are the same."""


def run_outputs(panel: ProbePanel) -> list[Any]:
    """What another run changes, beside what was found."""
    return [*of_run(panel.scrub), *panel.legends, panel.clip, panel.transcripts]


def found_outputs(panel: ProbePanel) -> list[Any]:
    """What a further finding may change."""
    return [
        *(panel.verdicts, panel.table, panel.csv, panel.json, panel.relearn_chart, panel.relearn_said),
        *(panel.rounded, panel.heat, *panel.likeness.values()),
    ]


def shown(panel: ProbePanel, probes: ProbeDesk, run_id: str, owner: str) -> Updates:
    """Everything of a run that no probe changes.

    Raises:
        RunError: There is no such run, or it still runs.
    """
    folder = probes.folder(run_id, owner)
    who = who_of(folder.config, gold=bool(folder.manifest().gold))
    return {
        **shown_run(panel.scrub, folder),
        **{legend: legend_html(who) for legend in panel.legends},
        panel.clip: clip_curve(folder.events(), who),
        panel.transcripts: "",
    }


def drawn_parts(
    panel: ProbePanel,
    probes: ProbeDesk,
    run_id: str,
    owner: str,
    before: dict[str, Any],
    work: tuple[Work, ...],
) -> tuple[Updates, dict[str, Any]]:
    """The sections whose findings changed, and what is drawn now.

    Args:
        panel: The components.
        probes: Where findings are.
        run_id: The chosen run.
        owner: The browser's token.
        before: What was drawn at the last call; empty draws everything.
        work: What is being done to this run just now; empty if nothing is.

    Raises:
        RunError: There is no such run, or it still runs.
    """
    folder = probes.folder(run_id, owner)
    benched = next((one for one in work if isinstance(one, AttackConfig)), None)
    now: dict[str, Any] = {"run": run_id, "bench running": benched.model_dump_json() if benched else ""}
    now |= dict(probes_of(folder.path).signature())
    changed = {name for name in {*now, *before} if now.get(name) != before.get(name)}
    if not changed:
        return {}, now
    found = probes.found(run_id, owner)
    updates: Updates = {panel.verdicts: verdicts_html(found.verdicts, found.who, found.troubles)}
    everything = "run" in changed
    if everything or changed & {"bench.json", "bench running"}:
        updates |= _bench(panel, run_id, found, benched)
    if everything or any(name.startswith("relearn-") for name in changed):
        updates |= _relearning(panel, found, changed)
    if everything or "rounding.json" in changed:
        updates[panel.rounded] = rounding_html(found.rounding, found.who)
    if everything or "inspection.json" in changed:
        updates[panel.heat] = heat_html(found.inspection, found.who)
        for name, chart in panel.likeness.items():
            updates[chart] = likeness_curve(found.inspection, found.who, name)
    return updates, now


def _bench(panel: ProbePanel, run_id: str, found: Found, running: AttackConfig | None) -> Updates:
    bench = found.bench
    if running is not None:
        wanted = running.model_dump(mode="json")
        # What stands there of other rows is about to be replaced.
        same = bench is not None and all(bench.settings.get(name) == wanted[name] for name in SAME_CELLS)
        bench = Bench(settings=wanted, results=bench.results if bench and same else ())
    updates: Updates = {panel.table: bench_html(bench, found.who, running=running is not None)}
    if running is not None or bench is None or not bench.results:
        # Files are made when the table is whole; until then there is nothing to take away.
        nothing = {button: gr.DownloadButton(interactive=False) for button in (panel.csv, panel.json)}
        return updates | nothing
    words = json.dumps(TypeAdapter(Bench).dump_python(bench, mode="json"), ensure_ascii=False, indent=1)
    for button, name, content in (
        (panel.csv, "attacks.csv", table_csv(bench, found.who)),
        (panel.json, "attacks.json", words),
    ):
        path = place_for(f"{run_id}-{name}")
        path.write_text(content, encoding="utf-8")
        updates[button] = gr.DownloadButton(value=path, interactive=True)
    return updates


def _relearning(panel: ProbePanel, found: Found, changed: set[str]) -> Updates:
    """The relearning that has just grown; at first the one from the forget set, if there is one."""
    grown = [on for on in text_probe.RELEARN_ON if f"relearn-{on}.json" in changed and found.relearning(on)]
    known = [on for on in text_probe.RELEARN_ON if found.relearning(on)]
    return relearned(panel, found, next(iter((*grown, *known)), ""))


def relearned(panel: ProbePanel, found: Found, on: str) -> Updates:
    """The chart and the words of one relearning."""
    relearning = found.relearning(on)
    figure, said = relearn_curve(relearning, found.who)
    notes = "".join(f"<p>{escape(note)}</p>" for note in (relearning.notes if relearning else ()))
    return {
        panel.relearn_chart: figure,
        panel.relearn_said: f'<p>{escape(said)}</p><div class="soul-remarks">{notes}</div>',
    }
