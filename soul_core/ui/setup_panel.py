"""Setup as components, and what follows when one of them changes. It starts no job and knows no race."""

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from soul_core.config import ObjectiveConfig, OptimizerConfig, RaceConfig
from soul_core.data.tasks import TASKS, subjects_of
from soul_core.errors import ModelError, SoulError
from soul_core.objectives.registry import OBJECTIVES
from soul_core.session.presets import PRESETS as RACE_PRESETS
from soul_core.session.presets import STUDIED
from soul_core.ui import ids, text
from soul_core.ui.desk import Desk
from soul_core.ui.fields import field_for, title_of
from soul_core.ui.form import (
    BY_NAME,
    FO_FIELDS,
    GROUPS,
    OBJECTIVE_FIELDS,
    SHARED_FIELDS,
    SO_FIELDS,
    Form,
    preset_values,
    split_choices,
    values_of,
)
from soul_core.ui.guard import guarded
from soul_core.ui.html import block, heading, notice

LATEX: list[dict[str, str | bool]] = [{"left": "$$", "right": "$$", "display": True}]
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPanel:
    """The components of Setup; ``inputs`` are those of :class:`Form`, in its order."""

    inputs: list[gr.components.Component]
    objective_note: gr.Markdown
    preset_note: gr.HTML
    estimate: gr.HTML
    command: gr.Textbox
    gold_box: gr.Column
    train_gold: gr.Button
    stop_gold: gr.Button
    gold_progress: gr.HTML
    notice: gr.HTML

    def component(self, name: str) -> Any:
        """One of the plain fields of the form, by its name there."""
        return self.inputs[list(Form.__dataclass_fields__).index(name)]


def setup_panel(desk: Desk) -> SetupPanel:
    """Build the panel from the registries and the settings' own descriptions."""
    form = Form()
    block(heading(text.SETUP_TITLE, text.SETUP_LEAD))
    model = gr.Dropdown(
        desk.model_choices(),
        value=form.model,
        allow_custom_value=True,
        label=title_of(RaceConfig, "model"),
        info=text.MODEL_HELP_PUBLIC if desk.host.public else text.MODEL_HELP,
        elem_id=ids.MODEL,
    )
    task = gr.Dropdown(
        [(source.title, name) for name, source in TASKS.items()],
        value=form.task,
        filterable=False,
        label=text.TASK,
        info=TASKS[form.task].description,
        elem_id=ids.TASK,
    )
    split = gr.Dropdown(
        split_choices(form.task), value=form.split, filterable=False, label=text.SPLIT, elem_id=ids.SPLIT
    )
    authors = gr.Dropdown(
        list(subjects_of(form.task)),
        value=[],
        multiselect=True,
        label=text.AUTHORS,
        visible=False,
        elem_id=ids.AUTHORS,
    )
    with gr.Column(visible=False, elem_classes=["soul-gold-box"]) as gold_box:
        block(f"<p>{escape(text.TRAIN_GOLD_HELP)}</p>")
        train_gold = gr.Button(text.TRAIN_GOLD, size="sm", elem_id=ids.TRAIN_GOLD)
        stop_gold = gr.Button(text.STOP_GOLD, size="sm", elem_id=ids.STOP_GOLD, visible=False)
        gold_progress = block("", elem_id=ids.GOLD_PROGRESS)
    objective = gr.Radio(
        [(entry.label, name) for name, entry in OBJECTIVES.items()],
        value=form.objective,
        label=text.OBJECTIVE,
        elem_id=ids.OBJECTIVE,
        elem_classes=["soul-segments"],
    )
    objective_note = gr.Markdown(objective_text(form.objective), latex_delimiters=LATEX, elem_id=ids.FORMULA)
    preset = gr.Radio(
        [(entry.label, name) for name, entry in RACE_PRESETS.items()],
        value=form.preset,
        label=text.PRESET,
        elem_id=ids.PRESET,
        elem_classes=["soul-segments"],
    )
    preset_note = block(preset_html(form.preset, form.objective), elem_classes=["soul-preset-note"])
    with gr.Row(elem_classes=["soul-pair"]):
        epochs = field_for(RaceConfig, "epochs", elem_id=ids.EPOCHS)
        seed = field_for(RaceConfig, "seed", elem_id=ids.SEED)
    with gr.Accordion(text.ADVANCED, open=False, elem_id=ids.ADVANCED):
        control = gr.Checkbox(False, label=text.CONTROL, info=text.CONTROL_HELP, elem_id=ids.CONTROL)
        values = iter(preset_values(form.preset, form.objective))
        groups: dict[str, list[gr.components.Component]] = {}
        with gr.Accordion(text.SHARED_SETTINGS, open=False), gr.Row(elem_classes=["soul-grid"]):
            groups["shared"] = [field_for(RaceConfig, name) for name in SHARED_FIELDS]
        for lane, names in (("fo", FO_FIELDS), ("so", SO_FIELDS)):
            with gr.Accordion(text.LANE_SETTINGS[lane], open=False), gr.Row(elem_classes=["soul-grid"]):
                for group, settings, fields in (
                    (f"{lane}_objective", ObjectiveConfig, OBJECTIVE_FIELDS),
                    (lane, OptimizerConfig, names),
                ):
                    groups[group] = [
                        field_for(settings, name, value=next(values), elem_id=f"soul-{lane}-{name}") for name in fields
                    ]
    estimate = block(f'<p class="soul-estimate">{text.ESTIMATE_WAIT}</p>', elem_id=ids.ESTIMATE)
    command = gr.Textbox(
        label=text.COMMAND, lines=2, max_lines=8, interactive=False, buttons=["copy"], elem_id=ids.COMMAND
    )
    warning = block("", elem_id=ids.SETUP_NOTICE)
    plain: list[gr.components.Component] = [model, task, split, authors, objective, preset, epochs, seed, control]
    return SetupPanel(
        inputs=plain + [component for group in GROUPS for component in groups[group]],
        objective_note=objective_note,
        preset_note=preset_note,
        estimate=estimate,
        command=command,
        gold_box=gold_box,
        train_gold=train_gold,
        stop_gold=stop_gold,
        gold_progress=gold_progress,
        notice=warning,
    )


def wire_setup(panel: SetupPanel, desk: Desk, page: gr.Blocks) -> None:
    """Choices that follow from others; then, whatever changed: note, command and estimate."""
    task, split, authors = (panel.component(name) for name in ("task", "split", "authors"))
    objective, preset = panel.component("objective"), panel.component("preset")
    lane_fields = panel.inputs[-sum(len(names) for group, names in GROUPS.items() if group != "shared") :]

    def choose_task(name: str) -> dict[Any, Any]:
        splits = split_choices(name)
        return {
            task: gr.Dropdown(info=TASKS[name].description),
            split: gr.Dropdown(choices=splits, value=[value for _, value in splits if value != BY_NAME][-1]),
            authors: gr.Dropdown(choices=list(subjects_of(name)), value=[], visible=False),
        }

    def choose_split(name: str) -> Any:
        return gr.Dropdown(visible=name == BY_NAME)

    def choose_objective(name: str, preset_name: str) -> list[Any]:
        return [objective_text(name), *preset_values(preset_name, name)]

    def choose_preset(preset_name: str, name: str) -> list[Any]:
        return [*preset_values(preset_name, name)]

    def describe(*values: Any) -> dict[Any, Any]:
        form = Form.of(*values)
        note = preset_html(form.preset, form.objective, edited=form.edited)
        config = form.config()
        desk.host.check(config)
        return {
            panel.command: desk.command(config),
            panel.preset_note: note,
            panel.gold_box: gr.Column(visible=desk.gold_can_be_trained(config)),
            panel.notice: "",
        }

    # ``input`` and not ``change``: only a person's choice overwrites fields, not a form put back after a reload.
    task.input(choose_task, task, [task, split, authors], **QUIET)
    split.change(choose_split, split, authors, **QUIET)
    objective.input(choose_objective, [objective, preset], [panel.objective_note, *lane_fields], **QUIET)
    preset.input(choose_preset, [preset, objective], lane_fields, **QUIET)
    outputs = [panel.command, panel.preset_note, panel.gold_box, panel.notice]
    triggers = [component.change for component in panel.inputs]  # type: ignore[attr-defined]
    gr.on(
        [page.load, *triggers],
        guarded(describe, notice=panel.notice),
        panel.inputs,
        outputs,
        trigger_mode="always_last",
        **QUIET,
    )


def wire_estimate(panel: SetupPanel, desk: Desk, page: gr.Blocks, endings: list[Any]) -> None:
    """Estimate after the load, after every change and after every race: while one runs, nothing is measured."""

    def estimate(*values: Any) -> str:
        try:
            return estimate_html(desk.estimate(Form.of(*values).config()))
        except ModelError as error:
            return estimate_html(str(error))
        except SoulError:
            return estimate_html("")  # the line below the form says what is wrong

    how: dict[str, Any] = {
        "fn": guarded(estimate, notice=None),
        "inputs": panel.inputs,
        "outputs": panel.estimate,
        "trigger_mode": "always_last",
        "show_progress": "hidden",
        "api_visibility": "private",
        "concurrency_limit": 1,
    }
    triggers = [component.change for component in panel.inputs]  # type: ignore[attr-defined]
    gr.on([page.load, *triggers], **how)
    for ending in endings:
        ending.then(**how)


def form_updates(config: RaceConfig) -> list[Any]:
    """What every field shows for settings that are already there, with the choices that belong to them."""
    form = Form.of(*values_of(config))
    choices = {
        "split": gr.Dropdown(choices=split_choices(form.task), value=form.split),
        "authors": gr.Dropdown(
            choices=list(subjects_of(form.task)), value=form.authors, visible=form.split == BY_NAME
        ),
    }
    names = list(Form.__dataclass_fields__)
    return [
        choices.get(names[index], value) if index < len(names) else value
        for index, value in enumerate(values_of(config))
    ]


def objective_text(name: str) -> str:
    """The objective's sentence and formula, as Markdown."""
    entry = OBJECTIVES[name]
    return f"{entry.sentence}\n\n$$\n{entry.formula}\n$$\n\n<small>{entry.paper}</small>"


def preset_html(name: str, objective: str, *, edited: bool = False) -> str:
    """What a preset shows and what was found, or that the settings are no longer its own."""
    entry = RACE_PRESETS[name]
    cell = entry.cells[objective]
    # The study behind the findings is of one objective; the others have a source and maybe a note.
    finding = entry.finding if objective == STUDIED else ""
    found = f"<p><b>{text.FINDING}:</b> {escape(finding)}</p>" if finding else ""
    source = f"{cell.source.rstrip('.')}. {cell.note}".strip()
    found += f"<p><b>{text.SETTINGS_FROM}:</b> {escape(source)}</p>"
    if edited:
        found = notice(text.EDITED, kind="info")
    return f"<p>{escape(entry.shows)}</p>{found}"


def estimate_html(sentence: str) -> str:
    """The estimate's line, of the same height with and without one."""
    return f'<p class="soul-estimate">{escape(sentence) or "&nbsp;"}</p>'
