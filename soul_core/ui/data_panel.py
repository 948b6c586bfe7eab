"""The Data tab as components: a person's own facts and their teaching, and the rows of any task. It knows no event."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from soul_core.config import TeachConfig
from soul_core.data.browsing import TRAINED
from soul_core.data.own_files import SUFFIXES
from soul_core.data.own_retain import BUILT_IN
from soul_core.data.tasks import TASKS
from soul_core.ui import ids, text_data
from soul_core.ui.data_desk import MOST_EPOCHS_SHARED
from soul_core.ui.data_render import picked_html, set_title
from soul_core.ui.desk import Desk
from soul_core.ui.form import OTHER, Form, split_choices
from soul_core.ui.html import block, heading
from soul_core.ui.theme import STATIC

PARTS = tuple(text_data.PARTS)
EMPTY_ROWS = 3
TABLE_HEIGHT = 330


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPanel:
    """A person's own facts, and what can be done with them."""

    table: gr.Dataframe
    file: gr.File
    example: gr.Button
    more: gr.Button
    clear: gr.Button
    undo: gr.Button
    columns: gr.Accordion
    parts: dict[str, gr.Dropdown]
    retain: gr.Dropdown
    findings: gr.HTML
    known: gr.Button
    use: gr.Button
    model: gr.HTML
    weights: gr.Radio
    epochs: gr.Number
    teach: gr.Button
    stop: gr.Button
    forget: gr.Button
    progress: gr.HTML
    notice: gr.HTML
    result: gr.HTML

    @property
    def typed(self) -> list[Any]:
        """The components whose values make a ``Typed``: the table, what should stay, and a column for each part."""
        return [self.table, self.retain, *self.parts.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPanel:
    """The rows of a task, and what was picked of them."""

    source: gr.Dropdown
    split: gr.Dropdown
    spec: gr.Textbox
    set: gr.Dropdown
    search: gr.Textbox
    subject: gr.Dropdown
    facts: gr.HTML
    rows: gr.HTML
    back: gr.Button
    on: gr.Button
    place: gr.HTML
    pick_page: gr.Button
    pick_found: gr.Button
    unpick: gr.Button
    subjects: gr.Dropdown
    picked: gr.HTML
    use: gr.Button
    notice: gr.HTML


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPanel:
    """Both parts of the tab."""

    own: OwnPanel
    look: LookPanel


def data_panel(desk: Desk) -> DataPanel:
    """Build the tab as it is at first."""
    with gr.Column(elem_classes=["soul-own"]):
        own = _own_panel(desk)
    with gr.Column(elem_classes=["soul-look"]):
        look = _look_panel(desk)
    return DataPanel(own=own, look=look)


def _own_panel(desk: Desk) -> OwnPanel:
    block(heading(text_data.OWN_TITLE, text_data.OWN_LEAD))
    with gr.Row(elem_classes=["soul-own-row"]):
        with gr.Column(scale=3, min_width=320):
            table = gr.Dataframe(
                empty_table(),
                label=text_data.TABLE,
                interactive=True,
                wrap=True,
                max_height=TABLE_HEIGHT,
                column_widths=["50%", "50%"],
                buttons=[],
                elem_id=ids.OWN_TABLE,
            )
            with gr.Row(elem_classes=["soul-own-buttons"]):
                example = gr.Button(text_data.EXAMPLE, size="sm", min_width=110, elem_id=ids.OWN_EXAMPLE)
                more = gr.Button(text_data.MORE, size="sm", min_width=90, elem_id=ids.OWN_MORE)
                clear = gr.Button(text_data.CLEAR, size="sm", min_width=60, elem_id=ids.OWN_CLEAR)
                undo = gr.Button(text_data.UNDO, size="sm", min_width=60, visible=False, elem_id=ids.OWN_UNDO)
            file = gr.File(label=text_data.FILE, file_types=[*SUFFIXES], height=120, elem_id=ids.OWN_FILE)
            with (
                gr.Accordion(text_data.COLUMNS, open=False, visible=False, elem_id=ids.OWN_COLUMNS) as columns,
                gr.Row(elem_classes=["soul-grid"]),
            ):
                parts = {
                    part: gr.Dropdown(
                        column_choices((), part),
                        value=[] if part == "perturbed_answers" else part if part in ("question", "answer") else "",
                        multiselect=part == "perturbed_answers",
                        label=label,
                        min_width=150,
                        elem_id=f"{ids.OWN_COLUMNS}-{part.replace('_', '-')}",
                    )
                    for part, label in text_data.PARTS.items()
                }
            retain = gr.Dropdown(
                retain_choices(),
                value=BUILT_IN,
                allow_custom_value=not desk.host.public,
                label=text_data.RETAIN,
                info=text_data.RETAIN_HELP,
                elem_id=ids.OWN_RETAIN,
            )
        with gr.Column(scale=2, min_width=320, elem_classes=["soul-own-side"]):
            findings = block("", elem_id=ids.OWN_FINDINGS)
            with gr.Row(elem_classes=["soul-own-buttons"]):
                known = gr.Button(text_data.KNOWN, min_width=150, elem_id=ids.OWN_KNOWN)
                use = gr.Button(text_data.USE, min_width=130, elem_id=ids.OWN_USE)
            model = block("", elem_id=ids.TEACH_MODEL)
            weights = gr.Radio(
                [(label, name) for name, label in text_data.WEIGHT_CHOICES.items()],
                value="float32",
                label=text_data.WEIGHTS,
                info=text_data.WEIGHTS_HELP,
                elem_id=ids.TEACH_WEIGHTS,
                elem_classes=["soul-segments", "soul-compact"],
            )
            epochs = gr.Number(
                MOST_EPOCHS_SHARED if desk.host.public else TeachConfig().epochs,
                label=text_data.EPOCHS,
                info=text_data.EPOCHS_HELP,
                step=1,
                min_width=120,
                elem_id=ids.TEACH_EPOCHS,
            )
            with gr.Row(elem_classes=["soul-own-buttons"]):
                teach = gr.Button(text_data.TEACH, variant="primary", min_width=120, elem_id=ids.TEACH)
                stop = gr.Button(text_data.STOP, visible=False, min_width=90, elem_id=ids.TEACH_STOP)
            progress = block("", elem_id=ids.TEACH_PROGRESS)
            notice = block("", elem_id=ids.OWN_NOTICE)
    result = block("", elem_id=ids.TEACH_RESULT)
    forget = gr.Button(text_data.FORGET, variant="primary", visible=False, elem_id=ids.TEACH_FORGET)
    return OwnPanel(
        table=table,
        file=file,
        example=example,
        more=more,
        clear=clear,
        undo=undo,
        columns=columns,
        parts=parts,
        retain=retain,
        findings=findings,
        known=known,
        use=use,
        model=model,
        weights=weights,
        epochs=epochs,
        teach=teach,
        stop=stop,
        forget=forget,
        progress=progress,
        notice=notice,
        result=result,
    )


def _look_panel(desk: Desk) -> LookPanel:
    form = Form()
    block(heading(text_data.LOOK_TITLE, text_data.LOOK_LEAD))
    with gr.Row(elem_classes=["soul-look-choices"]):
        source = gr.Dropdown(
            source_choices(),
            value=form.task,
            filterable=False,
            label=text_data.SOURCE,
            min_width=180,
            elem_id=ids.DATA_SOURCE,
        )
        split = gr.Dropdown(
            splits_of(form.task),
            value=form.split,
            filterable=False,
            label=text_data.SPLIT,
            min_width=180,
            elem_id=ids.DATA_SPLIT,
        )
        spec = gr.Textbox(
            label=text_data.SPEC,
            info=text_data.SPEC_HELP_PUBLIC if desk.host.public else text_data.SPEC_HELP,
            visible=False,
            min_width=260,
            elem_id=ids.DATA_SPEC,
        )
        chosen = gr.Dropdown(
            [(set_title(TRAINED, ""), TRAINED)],
            value=TRAINED,
            filterable=False,
            label=text_data.SET,
            min_width=200,
            elem_id=ids.DATA_SET,
        )
        search = gr.Textbox(
            label=text_data.SEARCH,
            placeholder=text_data.SEARCH_HINT,
            max_lines=1,
            min_width=160,
            elem_id=ids.DATA_SEARCH,
        )
        subject = gr.Dropdown(
            [(text_data.EVERY_SUBJECT, "")],
            value="",
            label=text_data.SUBJECT,
            min_width=180,
            elem_id=ids.DATA_SUBJECT,
        )
    facts = block("", elem_id=ids.DATA_FACTS)
    notice = block("", elem_id=ids.DATA_NOTICE)
    rows = gr.HTML(
        "",
        js_on_load=(STATIC / "rows.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=ids.DATA_ROWS,
        elem_classes=["soul-data-rows"],
    )
    with gr.Row(elem_classes=["soul-look-pages"]):
        back = gr.Button(text_data.BACK, size="sm", interactive=False, min_width=70, elem_id=ids.DATA_BACK)
        place = block("", elem_id=ids.DATA_PLACE)
        on = gr.Button(text_data.ON, size="sm", interactive=False, min_width=70, elem_id=ids.DATA_ON)
        pick_page = gr.Button(text_data.PICK_PAGE, size="sm", min_width=110, elem_id=ids.DATA_PICK_PAGE)
        pick_found = gr.Button(text_data.PICK_FOUND, size="sm", min_width=110, elem_id=ids.DATA_PICK_FOUND)
        unpick = gr.Button(text_data.UNPICK, size="sm", min_width=90, elem_id=ids.DATA_UNPICK)
    with gr.Row(elem_classes=["soul-look-use"]):
        subjects = gr.Dropdown(
            [], value=[], multiselect=True, label=text_data.PICK_SUBJECTS, min_width=280, elem_id=ids.DATA_SUBJECTS
        )
        with gr.Column(min_width=260):
            picked = block(picked_html(form.task_spec, 0), elem_id=ids.DATA_PICKED)
            use = gr.Button(text_data.USE_PICKED, variant="primary", elem_id=ids.DATA_USE_PICKED)
    return LookPanel(
        source=source,
        split=split,
        spec=spec,
        set=chosen,
        search=search,
        subject=subject,
        facts=facts,
        rows=rows,
        back=back,
        on=on,
        place=place,
        pick_page=pick_page,
        pick_found=pick_found,
        unpick=unpick,
        subjects=subjects,
        picked=picked,
        use=use,
        notice=notice,
    )


def empty_table() -> dict[str, Any]:
    """A table for questions and answers with nothing in it."""
    return {"headers": ["question", "answer"], "data": [["", ""]] * EMPTY_ROWS}


def column_choices(columns: tuple[str, ...], part: str) -> list[tuple[str, str]]:
    """The columns that a part of a row can be read from; all but question and answer may have none."""
    named = [(column, column) for column in columns or ("question", "answer")]
    return named if part in ("question", "answer", "perturbed_answers") else [(text_data.NO_COLUMN, ""), *named]


def retain_choices() -> list[tuple[str, str]]:
    """What can stay: the built-in authors, or the retain rows of a task."""
    others = [
        (f"{source.title}, {split}: what stays there", f"{name}:{split}")
        for name, source in TASKS.items()
        for split in source.splits
        if name != Form().task
    ]
    return [(text_data.RETAIN_BUILT_IN, BUILT_IN), *others]


def source_choices() -> list[tuple[str, str]]:
    """Every task that has forget sets of its own, and any other by its full name."""
    return [*((source.title, name) for name, source in TASKS.items() if source.splits), (text_data.OTHER, OTHER)]


def splits_of(source: str) -> list[tuple[str, str]]:
    """The forget sets of a task that can be looked at; names are picked as subjects here."""
    return [] if source == OTHER else [choice for choice in split_choices(source) if choice[1] in TASKS[source].splits]
