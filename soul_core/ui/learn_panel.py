"""The Learn tab as components: lessons, landscape, glossary; and the strip above all tabs. It knows no event."""

from dataclasses import dataclass

import gradio as gr

from soul_core.session.landscape import LandscapeConfig, landscape
from soul_core.ui import ids, text_learn
from soul_core.ui.chart import live_chart
from soul_core.ui.glossary import glossary
from soul_core.ui.html import block, heading
from soul_core.ui.learn_desk import Mark
from soul_core.ui.learn_figure import map_of
from soul_core.ui.learn_render import (
    action_html,
    controls_html,
    glossary_html,
    hidden_html,
    how_html,
    lead_html,
    lesson_choices,
    link_html,
    paths_html,
    player_html,
    progress_html,
    seen_html,
)
from soul_core.ui.lessons import LESSONS
from soul_core.ui.who_panel import LATEX

_BIND = (
    "const bind = () => window.soulLearn ? window.soulLearn.{what}(element, trigger) : setTimeout(bind, 50); bind();"
)
"""The page's script may be loaded later than the component."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnStrip:
    """What stands above all tabs while a lesson is to be done elsewhere."""

    row: gr.Row
    said: gr.HTML
    back: gr.Button


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnPanel:
    """The components of the tab."""

    lesson: gr.Radio
    progress: gr.HTML
    reset: gr.Button
    lead: gr.HTML
    predict: gr.Radio
    action: gr.HTML
    set_up: gr.Button
    open_tab: gr.Button
    check: gr.Button
    found: gr.HTML
    link: gr.HTML
    notice: gr.HTML
    controls: gr.HTML
    chart: gr.HTML
    seen: gr.HTML
    paths: gr.HTML
    land_notice: gr.HTML


def learn_strip() -> LearnStrip:
    """The strip as it is while no lesson is being done, and the note that something is hidden."""
    block(hidden_html(), elem_id=ids.LEARN_HIDDEN)
    with gr.Row(visible=False, elem_id=ids.LEARN_STRIP) as row:
        said = block("")
        back = gr.Button(text_learn.BACK, size="sm", scale=0, min_width=150, elem_id=ids.LEARN_BACK)
    return LearnStrip(row=row, said=said, back=back)


def learn_panel() -> LearnPanel:
    """Build the tab with its first lesson and the landscape as it is at first."""
    block(heading(text_learn.TITLE, text_learn.LEAD))
    marks = {slug: Mark() for slug in LESSONS}
    first = next(iter(LESSONS.values()))
    notice = block("", elem_id=ids.LEARN_NOTICE)
    with gr.Row(elem_classes=["soul-learn-row"]):
        with gr.Column(scale=2, min_width=260, elem_classes=["soul-learn-list"]):
            lesson = gr.Radio(
                lesson_choices(marks),
                value=first.slug,
                label=text_learn.LESSONS,
                elem_id=ids.LEARN_LESSON,
                elem_classes=["soul-learn-lessons"],
            )
            progress = block(progress_html(marks), elem_id=ids.LEARN_PROGRESS)
            reset = gr.Button(text_learn.RESET, size="sm", elem_id=ids.LEARN_RESET)
        with gr.Column(scale=5, min_width=300, elem_classes=["soul-card", "soul-learn-card"]):
            lead = block(lead_html(first), elem_id=ids.LEARN_LEAD)
            predict = gr.Radio(
                [(said, key) for key, said in first.options.items()],
                value=None,
                label=f"{text_learn.PREDICT}: {first.question}",
                elem_id=ids.LEARN_PREDICT,
            )
            action = block(action_html(first, Mark()), elem_id=ids.LEARN_ACTION)
            with gr.Row(elem_classes=["soul-learn-buttons"]):
                set_up = gr.Button(
                    text_learn.SET_UP, variant="primary", interactive=False, min_width=150, elem_id=ids.LEARN_SET_UP
                )
                open_tab = gr.Button("", visible=False, min_width=120, elem_id=ids.LEARN_OPEN_TAB)
                check = gr.Button(text_learn.CHECK, interactive=False, min_width=150, elem_id=ids.LEARN_CHECK)
            found = gr.HTML("", apply_default_css=False, js_on_load=None, elem_id=ids.LEARN_FOUND)
            link = block(link_html(first), elem_id=ids.LEARN_LINK)
    with gr.Column(elem_classes=["soul-learn-land"], elem_id=ids.LEARN_LAND):
        chart, controls, seen, paths, land_notice = _landscape()
    with gr.Column(elem_classes=["soul-learn-glossary"]):
        block(heading(text_learn.GLOSSARY_TITLE, text_learn.GLOSSARY_LEAD))
        block(glossary_html(glossary()), elem_id=ids.LEARN_GLOSSARY)
    return LearnPanel(
        lesson=lesson,
        progress=progress,
        reset=reset,
        lead=lead,
        predict=predict,
        action=action,
        set_up=set_up,
        open_tab=open_tab,
        check=check,
        found=found,
        link=link,
        notice=notice,
        controls=controls,
        chart=chart,
        seen=seen,
        paths=paths,
        land_notice=land_notice,
    )


def _landscape() -> tuple[gr.HTML, gr.HTML, gr.HTML, gr.HTML, gr.HTML]:
    config = LandscapeConfig()
    found = landscape(config)
    block(heading(text_learn.LAND_TITLE, text_learn.LAND_LEAD))
    with gr.Row(elem_classes=["soul-land-row"]):
        with gr.Column(scale=2, min_width=260):
            controls = gr.HTML(
                controls_html(config),
                js_on_load=_BIND.format(what="controls"),
                apply_default_css=False,
                elem_id=ids.LEARN_CONTROLS,
            )
            notice = block("", elem_id=ids.LEARN_LAND_NOTICE)
            seen = block(seen_html(found), elem_id=ids.LEARN_SEEN)
        with gr.Column(scale=5, min_width=300, elem_classes=["soul-card"]):
            chart = live_chart(map_of(found), elem_id=ids.LEARN_CHART)
            block(f'<p class="soul-remarks">{text_learn.MAP_HELP}</p>')
            gr.HTML(
                player_html(),
                js_on_load=_BIND.format(what="player"),
                apply_default_css=False,
                elem_id=ids.LEARN_PLAYER,
            )
    paths = block(paths_html(found), elem_id=ids.LEARN_PATHS)
    with gr.Accordion(text_learn.HOW_TITLE, open=False):
        gr.Markdown(text_learn.LAND_FORMULA, latex_delimiters=LATEX)
        block(f'<p class="soul-remarks">{text_learn.LAND_FORMULA_SAID}</p>{how_html()}')
    return chart, controls, seen, paths, notice
