"""The epoch scrubber and the token lens as components. It knows no event and no run."""

from dataclasses import dataclass

import gradio as gr

from soul_core.ui import ids, text_probe
from soul_core.ui.board import legend_html
from soul_core.ui.chart import live_chart
from soul_core.ui.html import block, heading
from soul_core.ui.lens_render import lens_html
from soul_core.ui.probe_figures import pareto_map
from soul_core.ui.text import QUESTION_LIMIT
from soul_core.ui.theme import STATIC
from soul_core.ui.track import RaceTrack

LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubPanel:
    """The components of both sections."""

    epoch: gr.Slider
    source: gr.Radio
    pick: gr.Dropdown
    question: gr.Textbox
    answer: gr.Textbox
    ask: gr.Button
    when: gr.Button
    when_said: gr.HTML
    notice: gr.HTML
    map: gr.HTML
    answers: gr.HTML
    lens: gr.HTML


def scrub_panel() -> ScrubPanel:
    """Build both sections as they are before any run is chosen."""
    with gr.Column(elem_id=ids.PROBE_SCRUB, elem_classes=["soul-card", "soul-probe-section"]):
        block(heading(text_probe.SCRUB_TITLE, text_probe.SCRUB_LEAD, level=3))
        with gr.Row(elem_classes=["soul-pick-line"]):
            source = gr.Radio(
                [], value=None, label=text_probe.SOURCE, elem_id=ids.PROBE_SOURCE, elem_classes=["soul-segments"]
            )
            pick = gr.Dropdown([], value=None, label=text_probe.PICK, filterable=True, elem_id=ids.PROBE_PICK)
        with gr.Row(elem_classes=["soul-grid"]):
            question = gr.Textbox(
                label=text_probe.ASKED,
                info=text_probe.ASKED_HELP,
                max_length=QUESTION_LIMIT,
                lines=1,
                max_lines=3,
                min_width=260,
                elem_id=ids.PROBE_QUESTION,
            )
            answer = gr.Textbox(
                label=text_probe.TRUE_ANSWER,
                info=text_probe.TRUE_ANSWER_HELP,
                max_length=LONGEST,
                lines=1,
                max_lines=3,
                min_width=260,
                elem_id=ids.PROBE_ANSWER,
            )
        with gr.Row(elem_classes=["soul-probe-buttons"]):
            ask = gr.Button(text_probe.SHOW, min_width=140, elem_id=ids.PROBE_ASK)
            when = gr.Button(text_probe.WHEN, min_width=170, elem_id=ids.PROBE_WHEN)
        epoch = gr.Slider(
            0,
            1,
            value=0,
            step=1,
            label=text_probe.EPOCH,
            info=text_probe.EPOCH_HELP,
            interactive=False,
            buttons=[],
            elem_id=ids.PROBE_EPOCH,
        )
        notice = block("", elem_id=ids.PROBE_SCRUB_NOTICE)
        when_said = block("", elem_id=ids.PROBE_WHEN_SAID)
        with gr.Row(elem_classes=["soul-scrub-row"]):
            with gr.Column(scale=2, min_width=280):
                block(heading(text_probe.MAP_TITLE, text_probe.MAP_LEAD, level=4))
                chart = live_chart(pareto_map(RaceTrack(), (), 0), elem_id=ids.PROBE_MAP)
            with gr.Column(scale=3, min_width=280):
                answers = block(empty_answers(), elem_id=ids.PROBE_ANSWERS)
                block(legend_html())
    with gr.Column(elem_id=ids.PROBE_LENS, elem_classes=["soul-card", "soul-probe-section"]):
        block(heading(text_probe.LENS_TITLE, text_probe.LENS_LEAD, level=3))
        lens = gr.HTML(
            lens_html(None, ()),
            js_on_load=(STATIC / "lens.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            elem_id=ids.PROBE_TOKENS,
        )
    return ScrubPanel(
        epoch=epoch,
        source=source,
        pick=pick,
        question=question,
        answer=answer,
        ask=ask,
        when=when,
        when_said=when_said,
        notice=notice,
        map=chart,
        answers=answers,
        lens=lens,
    )


def empty_answers() -> str:
    """What stands where the answers will."""
    return f'<p class="soul-empty">{text_probe.SCRUB_EMPTY}</p>'
