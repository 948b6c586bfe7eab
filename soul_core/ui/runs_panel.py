"""The Runs tab as components: the list, one run, two runs. It knows no event."""

from dataclasses import dataclass

import gradio as gr

from soul_core.runs.marks import MAX_NOTE
from soul_core.ui import ids, text_runs
from soul_core.ui.chart import live_chart
from soul_core.ui.desk import Desk
from soul_core.ui.figures import curves
from soul_core.ui.html import block, heading
from soul_core.ui.runs_render import pictures_html, tools_html
from soul_core.ui.theme import STATIC
from soul_core.ui.track import RaceTrack


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePanel:
    """One run and what can be done with it."""

    box: gr.Column
    head: gr.HTML
    open: gr.Button
    use: gr.Button
    resume: gr.Button
    delete: gr.Button
    legend: gr.HTML
    forget: gr.HTML
    retain: gr.HTML
    answers: gr.HTML
    settings: gr.HTML
    note: gr.Textbox
    noted: gr.HTML
    what: gr.Dropdown
    export: gr.Button
    lane: gr.Dropdown
    repo: gr.Textbox
    private: gr.Checkbox
    token: gr.Textbox
    push: gr.Button
    push_progress: gr.HTML
    push_notice: gr.HTML

    @property
    def outputs(self) -> list[gr.blocks.Block]:
        """Everything that another run changes."""
        return [
            *(self.box, self.head, self.resume, self.legend, self.forget, self.retain, self.answers, self.settings),
            *(self.note, self.noted, self.what, self.lane, self.push_notice),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPanel:
    """Two runs side by side."""

    box: gr.Column
    head: gr.HTML
    forget: gr.HTML
    retain: gr.HTML
    settings: gr.HTML
    answers: gr.HTML
    export: gr.Button

    @property
    def outputs(self) -> list[gr.blocks.Block]:
        """Everything that another pair changes."""
        return [self.box, self.head, self.forget, self.retain, self.settings, self.answers]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPanel:
    """The components of the tab; ``file`` carries what was made to the browser and is not seen."""

    take: gr.UploadButton
    notice: gr.HTML
    trash: gr.HTML
    list: gr.HTML
    file: gr.File
    one: OnePanel
    two: TwoPanel


def runs_panel(desk: Desk) -> RunsPanel:
    """Build the tab as it is before anything is chosen."""
    block(heading(text_runs.TITLE, text_runs.LEAD_PUBLIC if desk.host.public else text_runs.LEAD))
    with gr.Row(elem_classes=["soul-runs-top"]):
        block(tools_html())
        take = gr.UploadButton(
            text_runs.IMPORT, file_types=[".zip"], size="sm", min_width=150, scale=0, elem_id=ids.RUNS_IMPORT
        )
    notice = block("", elem_id=ids.RUNS_NOTICE)
    trash = _pressed(ids.RUNS_TRASH)
    runs = _pressed(ids.RUNS_LIST)
    file = gr.File(visible="hidden")
    with gr.Column(visible=False, elem_id=ids.RUN_ONE, elem_classes=["soul-run"]) as box:
        one = _one(box)
    with gr.Column(visible=False, elem_id=ids.RUN_TWO, elem_classes=["soul-run"]) as pair:
        two = _two(pair)
    return RunsPanel(take=take, notice=notice, trash=trash, list=runs, file=file, one=one, two=two)


def _pressed(elem_id: str) -> gr.HTML:
    """A place for markup whose buttons tell the page that they were pressed."""
    return gr.HTML(
        "",
        js_on_load=(STATIC / "runlist.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=elem_id,
    )


def _charts(forget: str, retain: str) -> tuple[gr.HTML, gr.HTML]:
    """Two charts side by side, each with the buttons that save it."""
    made = []
    with gr.Row(elem_classes=["soul-charts"]):
        for name, elem_id in (("forget", forget), ("retain", retain)):
            with gr.Column(min_width=280, elem_classes=["soul-card", "soul-saved-chart"]):
                head = heading(text_runs.CHARTS[name], text_runs.CHARTS_WISH[name], level=3)
                block(f'<div class="soul-chart-head">{head}<div>{pictures_html(elem_id)}</div></div>')
                made.append(live_chart(curves(RaceTrack(), name, run_id=""), elem_id=elem_id))
    return made[0], made[1]


def _one(box: gr.Column) -> OnePanel:
    head = block("", elem_id=ids.RUN_HEAD)
    with gr.Row(elem_classes=["soul-run-buttons"]):
        open_ = gr.Button(text_runs.OPEN, variant="primary", min_width=110, elem_id=ids.RUN_OPEN)
        use, resume, delete = (
            gr.Button(label, min_width=110, elem_id=elem_id)
            for label, elem_id in (
                (text_runs.USE, ids.RUN_USE),
                (text_runs.RESUME, ids.RUN_RESUME),
                (text_runs.DELETE, ids.RUN_DELETE),
            )
        )
    legend = block("")
    forget, retain = _charts(ids.RUN_FORGET, ids.RUN_RETAIN)
    block(heading(text_runs.ANSWERS_TITLE, text_runs.ANSWERS_LEAD, level=3))
    answers = block("", elem_id=ids.RUN_ANSWERS)
    with gr.Row(elem_classes=["soul-run-columns"]):
        with gr.Column(min_width=280):
            note = gr.Textbox(
                label=text_runs.NOTE,
                info=text_runs.NOTE_HELP,
                lines=4,
                max_lines=12,
                max_length=MAX_NOTE,
                elem_id=ids.RUN_NOTE,
            )
            noted = block("", elem_id=ids.RUN_NOTED)
        with gr.Column(min_width=280):
            block(f'<div class="soul-heading"><h3>{text_runs.EXPORT_TITLE}</h3></div>')
            with gr.Row(elem_classes=["soul-ask-line"]):
                what = gr.Dropdown(
                    [(title, kind) for kind, title in text_runs.EXPORTS.items()],
                    value="all",
                    filterable=False,
                    label=text_runs.WHAT,
                    scale=3,
                    elem_id=ids.RUN_WHAT,
                )
                export = gr.Button(text_runs.EXPORT, scale=0, min_width=100, elem_id=ids.RUN_EXPORT)
            with gr.Accordion(text_runs.PUSH_TITLE, open=False, elem_id=ids.RUN_PUSH):
                block(f'<p class="soul-remarks">{text_runs.PUSH_LEAD}</p>')
                lane = gr.Dropdown([], label=text_runs.PUSH_LANE, filterable=False, elem_id=ids.PUSH_LANE)
                repo = gr.Textbox(
                    label=text_runs.PUSH_REPO,
                    placeholder=text_runs.PUSH_REPO_HINT,
                    max_length=120,
                    elem_id=ids.PUSH_REPO,
                )
                token = gr.Textbox(
                    label=text_runs.PUSH_TOKEN,
                    type="password",
                    max_length=400,
                    html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                    elem_id=ids.PUSH_TOKEN,
                )
                with gr.Row(elem_classes=["soul-ask-line"]):
                    private = gr.Checkbox(True, label=text_runs.PUSH_PRIVATE, elem_id=ids.PUSH_PRIVATE, scale=3)
                    push = gr.Button(text_runs.PUSH, scale=0, min_width=100, elem_id=ids.PUSH_BUTTON)
                progress = block("", elem_id=ids.PUSH_PROGRESS)
                said = block("", elem_id=ids.PUSH_NOTICE)
    with gr.Accordion(text_runs.SETTINGS_TITLE, open=False, elem_id=ids.RUN_SETTINGS):
        settings = block("")
    return OnePanel(
        box=box,
        head=head,
        open=open_,
        use=use,
        resume=resume,
        delete=delete,
        legend=legend,
        forget=forget,
        retain=retain,
        answers=answers,
        settings=settings,
        note=note,
        noted=noted,
        what=what,
        export=export,
        lane=lane,
        repo=repo,
        private=private,
        token=token,
        push=push,
        push_progress=progress,
        push_notice=said,
    )


def _two(box: gr.Column) -> TwoPanel:
    head = block("", elem_id=ids.TWO_HEAD)
    forget, retain = _charts(ids.TWO_FORGET, ids.TWO_RETAIN)
    settings = block("", elem_id=ids.TWO_SETTINGS)
    block(f'<div class="soul-heading"><h3>{text_runs.DIFFERENT_ANSWERS}</h3></div>')
    answers = block("", elem_id=ids.TWO_ANSWERS)
    with gr.Row(elem_classes=["soul-run-buttons"]):
        export = gr.Button(text_runs.COMPARISON_CSV, min_width=140, elem_id=ids.TWO_EXPORT)
    return TwoPanel(
        box=box, head=head, forget=forget, retain=retain, settings=settings, answers=answers, export=export
    )
