"""The Scores tab as components: runs and how they are scored, the table, the scatter, differences, imported logs.

It knows no event and no scorecard.
"""

from dataclasses import dataclass

import gradio as gr

from soul_core.evaluation.views import VIEWS
from soul_core.ui import ids, text_scores
from soul_core.ui.chart import live_chart
from soul_core.ui.desk import Desk
from soul_core.ui.host import MAX_EVAL_ROWS
from soul_core.ui.html import block, heading
from soul_core.ui.scores_figure import scatter
from soul_core.ui.scores_render import table_html, tools_html

ROWS = (0, 200, 50)
FIRST_VIEW = "soul"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoresPanel:
    """The components of the tab."""

    runs: gr.Dropdown
    rows: gr.Radio
    slow: gr.Checkbox
    score: gr.Button
    stop: gr.Button
    progress: gr.HTML
    notice: gr.HTML
    view: gr.Radio
    intervals: gr.Checkbox
    published: gr.Checkbox
    table: gr.HTML
    across: gr.Dropdown
    up: gr.Dropdown
    chart: gr.HTML
    front: gr.HTML
    first: gr.Dropdown
    second: gr.Dropdown
    number: gr.Dropdown
    difference: gr.HTML
    log: gr.File
    gold_log: gr.File
    name: gr.Textbox
    import_log: gr.Button
    logs: gr.Dropdown
    remove: gr.Button
    undo: gr.Button
    import_notice: gr.HTML


def scores_panel(desk: Desk) -> ScoresPanel:
    """Build the tab as it is before anything is scored."""
    public = desk.host.public
    block(heading(text_scores.TITLE, text_scores.LEAD))
    with gr.Row(elem_classes=["soul-scores-choices"]):
        runs = gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            label=text_scores.RUNS,
            info=text_scores.RUNS_HELP if public else text_scores.RUNS_HELP_OWN,
            elem_id=ids.SCORES_RUNS,
            scale=3,
            min_width=300,
        )
        with gr.Column(scale=2, min_width=300, elem_classes=["soul-scores-how"]):
            rows = gr.Radio(
                [(text_scores.rows_choice(count), count) for count in ROWS if count or not public],
                value=MAX_EVAL_ROWS if public else 0,
                label=text_scores.ROWS,
                info=text_scores.ROWS_HELP,
                elem_id=ids.SCORES_ROWS,
                elem_classes=["soul-segments"],
            )
            slow = gr.Checkbox(False, label=text_scores.SLOW, visible=not public, elem_id=ids.SCORES_SLOW)
    with gr.Row(elem_classes=["soul-scores-buttons"]):
        score = gr.Button(text_scores.SCORE, variant="primary", min_width=120, elem_id=ids.SCORES_START)
        stop = gr.Button(text_scores.STOP, visible=False, min_width=120, elem_id=ids.SCORES_STOP)
    progress = block("", elem_id=ids.SCORES_PROGRESS)
    notice = block("", elem_id=ids.SCORES_NOTICE)
    with gr.Row(elem_classes=["soul-scores-view"]):
        view = gr.Radio(
            [(view.title, view.name) for view in VIEWS.values()],
            value=FIRST_VIEW,
            label=text_scores.VIEW,
            elem_id=ids.SCORES_VIEW,
            elem_classes=["soul-segments", "soul-compact"],
        )
        intervals = gr.Checkbox(True, label=text_scores.INTERVALS, elem_id=ids.SCORES_INTERVALS)
        published = gr.Checkbox(False, label=text_scores.PUBLISHED, elem_id=ids.SCORES_PUBLISHED)
    block(tools_html(), elem_id=ids.SCORES_TOOLS)
    table = block(table_html((), VIEWS[FIRST_VIEW], intervals=True, published=False), elem_id=ids.SCORES_TABLE)
    with gr.Row(elem_classes=["soul-charts"]):
        with gr.Column(min_width=300, elem_classes=["soul-card"]):
            block(heading(text_scores.SCATTER_TITLE, text_scores.SCATTER_LEAD, level=3))
            with gr.Row():
                across = gr.Dropdown([], label=text_scores.ACROSS, elem_id=ids.SCORES_ACROSS, min_width=150)
                up = gr.Dropdown([], label=text_scores.UP, elem_id=ids.SCORES_UP, min_width=150)
            chart = live_chart(scatter((), "", "")[0], elem_id=ids.SCORES_CHART)
            front = block("", elem_id=ids.SCORES_FRONT)
        with gr.Column(min_width=300, elem_classes=["soul-scores-side"]):
            with gr.Column(min_width=300, elem_classes=["soul-card"]):
                block(heading(text_scores.COMPARE_TITLE, text_scores.COMPARE_LEAD, level=3))
                with gr.Row():
                    first = gr.Dropdown([], label=text_scores.FIRST, elem_id=ids.SCORES_FIRST, min_width=150)
                    second = gr.Dropdown([], label=text_scores.SECOND_ROW, elem_id=ids.SCORES_SECOND, min_width=150)
                number = gr.Dropdown([], label=text_scores.NUMBER, elem_id=ids.SCORES_NUMBER)
                difference = block(f"<p>{text_scores.COMPARE_EMPTY}</p>", elem_id=ids.SCORES_DIFFERENCE)
            with gr.Accordion(text_scores.IMPORT_TITLE, open=False, elem_id=ids.SCORES_IMPORT):
                block(f'<p class="soul-remarks">{text_scores.IMPORT_LEAD}</p>')
                with gr.Row():
                    log, gold_log = (
                        gr.File(label=label, file_types=[".json"], height=150, elem_id=elem_id, min_width=240)
                        for label, elem_id in (
                            (text_scores.LOG, ids.SCORES_LOG),
                            (text_scores.GOLD_LOG, ids.SCORES_GOLD_LOG),
                        )
                    )
                with gr.Row(elem_classes=["soul-ask-line"]):
                    name = gr.Textbox(label=text_scores.NAME, max_length=80, elem_id=ids.SCORES_NAME, scale=3)
                    add = gr.Button(text_scores.IMPORT, scale=0, min_width=110, elem_id=ids.SCORES_IMPORT_BUTTON)
                import_notice = block("", elem_id=ids.SCORES_IMPORT_NOTICE)
                with gr.Row(elem_classes=["soul-ask-line"]):
                    logs = gr.Dropdown([], label=text_scores.IMPORTED_ROWS, elem_id=ids.SCORES_LOGS, scale=3)
                    remove = gr.Button(text_scores.REMOVE, scale=0, min_width=110, elem_id=ids.SCORES_REMOVE)
                    undo = gr.Button(text_scores.UNDO, visible=False, scale=0, min_width=90, elem_id=ids.SCORES_UNDO)
    return ScoresPanel(
        runs=runs,
        rows=rows,
        slow=slow,
        score=score,
        stop=stop,
        progress=progress,
        notice=notice,
        view=view,
        intervals=intervals,
        published=published,
        table=table,
        across=across,
        up=up,
        chart=chart,
        front=front,
        first=first,
        second=second,
        number=number,
        difference=difference,
        log=log,
        gold_log=gold_log,
        name=name,
        import_log=add,
        logs=logs,
        remove=remove,
        undo=undo,
        import_notice=import_notice,
    )
