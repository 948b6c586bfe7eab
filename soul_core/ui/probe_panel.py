"""The Probe tab as components: run, verdicts, attack bench, relearning, rounding, weights. It knows no event."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from soul_core.events import Event
from soul_core.probing.attacks import ATTACKS
from soul_core.probing.settings import AttackConfig, RelearnConfig
from soul_core.ui import ids, text_probe
from soul_core.ui.chart import live_chart
from soul_core.ui.desk import Desk
from soul_core.ui.fields import field_for, title_of
from soul_core.ui.html import block, heading
from soul_core.ui.probe_figures import clip_curve, likeness_curve, relearn_curve
from soul_core.ui.probe_render import bench_html, legend_html, nav_html, verdicts_html
from soul_core.ui.scrub_panel import ScrubPanel, scrub_panel
from soul_core.ui.theme import STATIC
from soul_core.ui.where_render import heat_html, rounding_html

RELEARN_FIELDS = ("rows", "steps", "every", "asked", "lr")
NO_EVENTS: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePanel:
    """The components of the tab; ``starts`` are all buttons that start a probe."""

    run: gr.Dropdown
    stop: gr.Button
    progress: gr.HTML
    notice: gr.HTML
    verdicts: gr.HTML
    bench: gr.Button
    bench_notice: gr.HTML
    attacks: gr.CheckboxGroup
    own: gr.Textbox
    rows: gr.components.Component
    samples: gr.components.Component
    table: gr.HTML
    transcripts: gr.HTML
    csv: gr.DownloadButton
    json: gr.DownloadButton
    scrub: ScrubPanel
    relearn: gr.Button
    on: gr.Radio
    relearning: dict[str, gr.components.Component]
    legends: list[gr.HTML]
    relearn_chart: gr.HTML
    relearn_said: gr.HTML
    round: gr.Button
    rounded: gr.HTML
    inspect: gr.Button
    heat: gr.HTML
    likeness: dict[str, gr.HTML]
    clip: gr.HTML

    @property
    def starts(self) -> list[gr.Button]:
        """All buttons that start a probe."""
        return [self.bench, self.relearn, self.round, self.inspect]


def probe_panel(desk: Desk) -> ProbePanel:
    """Build the tab as it is before any run is chosen."""
    block(heading(text_probe.TITLE, text_probe.LEAD))
    run = gr.Dropdown(
        [],
        value=None,
        label=text_probe.RUN,
        info=text_probe.RUN_HELP if desk.host.public else text_probe.RUN_HELP_OWN,
        elem_id=ids.PROBE_RUN,
    )
    with gr.Row(elem_id=ids.PROBE_STATUS):
        progress = block("", elem_id=ids.PROBE_PROGRESS)
        stop = gr.Button(text_probe.STOP, visible=False, size="sm", min_width=110, scale=0, elem_id=ids.PROBE_STOP)
    notice = block("", elem_id=ids.PROBE_NOTICE)
    block(nav_html())
    with _section(ids.PROBE_VERDICTS):
        block(heading(text_probe.VERDICTS_TITLE, text_probe.VERDICTS_LEAD, level=3))
        verdicts = block(verdicts_html((), ()))
    bench = _bench()
    scrub = scrub_panel()
    relearn = _relearn()
    with _section(ids.PROBE_ROUNDING):
        block(heading(text_probe.ROUNDING_TITLE, text_probe.ROUNDING_LEAD, level=3))
        with gr.Row(elem_classes=["soul-probe-buttons"]):
            round_ = gr.Button(text_probe.ROUND, min_width=160, elem_id=ids.PROBE_ROUNDING_START)
        rounded = block(rounding_html(None, ()), elem_id=ids.PROBE_ROUNDED)
    where = _where()
    legends = [relearn.pop("relearn_legend"), where.pop("where_legend")]
    return ProbePanel(
        run=run,
        stop=stop,
        progress=progress,
        notice=notice,
        verdicts=verdicts,
        scrub=scrub,
        round=round_,
        rounded=rounded,
        legends=legends,
        **bench,
        **relearn,
        **where,
    )


def _section(elem_id: str) -> gr.Column:
    return gr.Column(elem_id=elem_id, elem_classes=["soul-card", "soul-probe-section"])


def _bench() -> dict[str, Any]:
    script = (STATIC / "probe.js").read_text(encoding="utf-8")
    with _section(ids.PROBE_BENCH):
        block(heading(text_probe.BENCH_TITLE, text_probe.BENCH_LEAD, level=3))
        with gr.Row(elem_classes=["soul-probe-buttons"]):
            bench = gr.Button(text_probe.BRING_BACK, variant="primary", min_width=190, elem_id=ids.PROBE_BENCH_START)
        with gr.Accordion(text_probe.BENCH_MORE, open=False, elem_id=ids.PROBE_BENCH_MORE):
            attacks = gr.CheckboxGroup(
                [(attack.title, attack.name) for attack in ATTACKS.values()],
                value=[],
                label=text_probe.ATTACKS_LABEL,
                info=text_probe.ATTACKS_HELP,
                elem_id=ids.PROBE_ATTACKS,
                elem_classes=["soul-segments"],
            )
            own = gr.Textbox(
                label=text_probe.OWN,
                info=text_probe.OWN_HELP,
                placeholder=text_probe.OWN_PLACEHOLDER,
                lines=2,
                max_lines=6,
                elem_id=ids.PROBE_OWN,
            )
            with gr.Row(elem_classes=["soul-grid"]):
                rows = field_for(AttackConfig, "rows", elem_id=ids.PROBE_ROWS)
                samples = field_for(AttackConfig, "samples", elem_id=ids.PROBE_SAMPLES)
        bench_notice = block("", elem_id=ids.PROBE_BENCH_NOTICE)
        table = gr.HTML(bench_html(None, ()), js_on_load=script, apply_default_css=False, elem_id=ids.PROBE_TABLE)
        transcripts = gr.HTML("", js_on_load=script, apply_default_css=False, elem_id=ids.PROBE_TRANSCRIPTS)
        with gr.Row(elem_classes=["soul-downloads"]):
            csv, json = (
                gr.DownloadButton(label, size="sm", interactive=False, min_width=120, elem_id=elem_id)
                for label, elem_id in ((text_probe.CSV, ids.PROBE_CSV), (text_probe.JSON, ids.PROBE_JSON))
            )
    return {
        "bench": bench,
        "bench_notice": bench_notice,
        "attacks": attacks,
        "own": own,
        "rows": rows,
        "samples": samples,
        "table": table,
        "transcripts": transcripts,
        "csv": csv,
        "json": json,
    }


def _relearn() -> dict[str, Any]:
    figure, said = relearn_curve(None, ())
    with _section(ids.PROBE_RELEARN):
        block(heading(text_probe.RELEARN_TITLE, text_probe.RELEARN_LEAD, level=3))
        with gr.Row(elem_classes=["soul-probe-buttons", "soul-probe-how"]):
            on = gr.Radio(
                [(label, name) for name, label in text_probe.RELEARN_ON.items()],
                value=RelearnConfig().on,
                label=title_of(RelearnConfig, "on"),
                info=text_probe.RELEARN_ON_HELP,
                elem_id=ids.PROBE_RELEARN_ON,
                elem_classes=["soul-segments"],
            )
            relearn = gr.Button(text_probe.RELEARN, min_width=120, elem_id=ids.PROBE_RELEARN_START)
        with gr.Accordion(text_probe.RELEARN_MORE, open=False), gr.Row(elem_classes=["soul-grid"]):
            fields = {
                name: field_for(RelearnConfig, name, elem_id=f"{ids.PROBE_RELEARN}-{name}") for name in RELEARN_FIELDS
            }
        legend = block(legend_html(()))
        chart = live_chart(figure, elem_id=ids.PROBE_RELEARN_CHART)
        words = block(f"<p>{said}</p>", elem_id=ids.PROBE_RELEARN_SAID)
    return {
        "relearn": relearn,
        "on": on,
        "relearning": fields,
        "relearn_legend": legend,
        "relearn_chart": chart,
        "relearn_said": words,
    }


def _where() -> dict[str, Any]:
    with _section(ids.PROBE_WHERE):
        block(heading(text_probe.WHERE_TITLE, text_probe.WHERE_LEAD, level=3))
        with gr.Row(elem_classes=["soul-probe-buttons"]):
            inspect = gr.Button(text_probe.INSPECT, min_width=160, elem_id=ids.PROBE_WHERE_START)
        heat = block(heat_html(None, ()), elem_id=ids.PROBE_HEAT)
        legend = block(legend_html(()))
        likeness = {}
        with gr.Row(elem_classes=["soul-charts"]):
            for name, elem_id in (("forget", ids.PROBE_CKA_FORGET), ("retain", ids.PROBE_CKA_RETAIN)):
                with gr.Column(min_width=280):
                    block(heading(text_probe.CKA_TITLES[name], text_probe.CKA_LEAD, level=4))
                    likeness[name] = live_chart(likeness_curve(None, (), name), elem_id=elem_id)
            with gr.Column(min_width=280):
                block(heading(text_probe.CLIP_TITLE, text_probe.CLIP_LEAD, level=4))
                clip = live_chart(clip_curve(NO_EVENTS, ()), elem_id=ids.PROBE_CLIP)
    return {"inspect": inspect, "heat": heat, "where_legend": legend, "likeness": likeness, "clip": clip}
