"""Ask as components: a question, where to pick one from, the board. It knows no race and loads no model itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from soul_core.config import AskConfig
from soul_core.data.sets import set_kind
from soul_core.ui import ids, text
from soul_core.ui.board import board_html, legend_html
from soul_core.ui.desk import Desk
from soul_core.ui.fields import field_for
from soul_core.ui.form import Form
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.html import block, heading
from soul_core.ui.panelists import AskForm, answers, empty_columns
from soul_core.ui.questions import Example, examples_of, questions_of, sources_of, task_of
from soul_core.ui.setup_panel import SetupPanel, owner_of
from soul_core.ui.turns import Stage, new_stage, take_turn

CHIPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPanel:
    """The components of Ask."""

    question: gr.Textbox
    ask: gr.Button
    chips: list[gr.Button]
    examples: gr.State
    asked: gr.State
    source: gr.Radio
    pick: gr.Dropdown
    temperature: gr.components.Component
    samples: gr.components.Component
    notice: gr.HTML
    other: gr.HTML
    board: gr.HTML


def ask_panel() -> AskPanel:
    """Build the panel for the task that Setup begins with."""
    task = task_of(Form().task_spec)
    examples = examples_of(task)
    block(heading(text.ASK_TITLE, text.ASK_LEAD))
    with gr.Row(elem_classes=["soul-ask-line"]):
        question = gr.Textbox(
            label=text.QUESTION,
            placeholder=text.QUESTION_PLACEHOLDER,
            lines=1,
            max_lines=4,
            elem_id=ids.QUESTION,
            scale=5,
        )
        ask = gr.Button(text.ASK, variant="primary", min_width=90, scale=0, elem_id=ids.ASK_BUTTON)
    with gr.Row(elem_id=ids.CHIPS):
        chips = [gr.Button(value, visible=bool(value), size="sm", min_width=60) for value in _labels(examples)]
    with gr.Row(elem_classes=["soul-pick-line"]):
        source = gr.Radio(
            sources_of(task), value="forget", label=text.SOURCE, elem_id=ids.SOURCE, elem_classes=["soul-segments"]
        )
        pick = gr.Dropdown(
            questions_of(task, "forget"), value=None, label=text.PICK, filterable=True, elem_id=ids.PICK
        )
    with gr.Accordion(text.ASK_ADVANCED, open=False), gr.Row(elem_classes=["soul-grid"]):
        temperature = field_for(AskConfig, "temperature", elem_id=ids.TEMPERATURE)
        samples = field_for(AskConfig, "samples", elem_id=ids.SAMPLES)
    warning = block("", elem_id=ids.ASK_NOTICE)
    other = block("", elem_id=ids.ASK_OTHER)
    board = block(board_html(None, columns=empty_columns()), elem_id=ids.BOARD)
    block(legend_html())
    return AskPanel(
        question=question,
        ask=ask,
        chips=chips,
        examples=gr.State([example.question for example in examples]),
        asked=gr.State(""),
        source=source,
        pick=pick,
        temperature=temperature,
        samples=samples,
        notice=warning,
        other=other,
        board=board,
    )


def wire_ask(panel: AskPanel, setup: SetupPanel, desk: Desk, browser: gr.BrowserState, endings: list[Any]) -> None:
    """Picking fills the question; asking streams the board; another forget set brings its own questions.

    After each of ``endings`` (a race has ended) the question on the board is asked again: there are new models.
    """
    names = ("task", "split", "authors", "spec")
    chosen = [setup.component(name) for name in names]

    def stream(
        stage: Stage, state: dict[str, str] | None, asked: str, temperature: Any, samples: Any, *values: Any
    ) -> Iterator[Any]:
        mine = take_turn(stage)
        form = AskForm(question=asked, temperature=temperature, samples=samples)
        config = setup.form(*values).config()
        yield {panel.notice: "", panel.asked: asked}
        for board in answers(desk, config, form, job_id=(state or {}).get("job", ""), owner=owner_of(state)):
            if not mine():
                yield gr.skip()
                return
            yield {panel.board: board_html(board)}

    def again(stage: Stage, state: dict[str, str] | None, asked: str, *values: Any) -> Iterator[Any]:
        job_id = (state or {}).get("job", "")
        if asked and job_id:
            yield from stream(stage, state, asked, *values)
        elif not asked:
            yield {panel.board: board_html(None, columns=empty_columns(after_run=bool(job_id)))}

    def renew(state: dict[str, str] | None, task: str, split: str, authors: list[str], spec: str) -> dict[Any, Any]:
        name = Form(task=task, split=split, authors=authors, spec=spec).task_spec
        desk.host.check_task(name, owner=owner_of(state))
        chosen_task = task_of(name)
        examples = examples_of(chosen_task)
        return {
            panel.examples: [example.question for example in examples],
            panel.source: gr.Radio(choices=sources_of(chosen_task), value="forget"),
            panel.pick: gr.Dropdown(choices=questions_of(chosen_task, "forget"), value=None),
            **{
                chip: gr.Button(value, visible=bool(value))
                for chip, value in zip(panel.chips, _labels(examples), strict=True)
            },
        }

    def choose_source(
        state: dict[str, str] | None, source: str, task: str, split: str, authors: list[str], spec: str
    ) -> Any:
        name = Form(task=task, split=split, authors=authors, spec=spec).task_spec
        desk.host.check_task(name, owner=owner_of(state))
        return gr.Dropdown(choices=questions_of(task_of(name), source), value=None)

    stage = gr.State(new_stage())
    asking: dict[str, Any] = {
        "fn": guarded(stream, notice=panel.notice),
        "inputs": [stage, browser, panel.question, panel.temperature, panel.samples, *setup.inputs],
        "outputs": [panel.board, panel.notice, panel.asked],
        "show_progress": "hidden",
        "api_visibility": "private",
        "concurrency_id": "ask",
        "concurrency_limit": 2,
        "trigger_mode": "always_last",
        **AS_TYPED,
    }
    gr.on([panel.ask.click, panel.question.submit], **asking)
    for ending in endings:
        inputs = [stage, browser, panel.asked, *asking["inputs"][3:]]
        ending.then(**{**asking, "fn": guarded(again, notice=panel.notice), "inputs": inputs})
    for index, chip in enumerate(panel.chips):
        chip.click(_nth(index), panel.examples, panel.question, **QUIET).then(**asking)
    panel.pick.input(_same, panel.pick, panel.question, **QUIET).then(**asking)
    panel.source.input(
        guarded(choose_source, notice=None), [browser, panel.source, *chosen], panel.pick, **QUIET, **AS_TYPED
    )
    outputs = [panel.examples, panel.source, panel.pick, *panel.chips]
    # A forget set that is not complete yet (no author chosen) keeps the questions of the one before.
    gr.on(
        [component.change for component in chosen],
        guarded(renew, notice=None),
        [browser, *chosen],
        outputs,
        trigger_mode="always_last",
        **QUIET,
        **AS_TYPED,
    )


def _labels(examples: list[Example]) -> list[str]:
    """What stands on the chips; always as many as there are chips."""
    labels = [f"{set_kind(example.source).title}: {example.question}" for example in examples]
    return (labels + [""] * CHIPS)[:CHIPS]


def _nth(index: int) -> Any:
    return lambda questions: questions[index] if index < len(questions) else ""


def _same(question: str | None) -> str:
    return question or ""
