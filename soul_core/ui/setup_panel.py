"""Setup as components, and what follows when one of them changes. It starts no job and knows no race."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from soul_core.config import RaceConfig
from soul_core.data.tasks import TASKS, subjects_of
from soul_core.errors import ModelError, RunError, SoulError
from soul_core.session.presets import ALL_WEIGHTS
from soul_core.session.presets import PRESETS as RACE_PRESETS
from soul_core.ui import ids, text
from soul_core.ui.address_render import copy_html, held_html
from soul_core.ui.data_desk import label_of, task_label
from soul_core.ui.desk import Desk
from soul_core.ui.fields import field_for, title_of
from soul_core.ui.filled import form_of
from soul_core.ui.form import BY_NAME, OTHER, PAIR, Form, Layout, split_choices, task_choices
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.html import block, heading, notice
from soul_core.ui.lane_fields import LaneFields, lane_fields
from soul_core.ui.picker import is_trained, preset_html, retain_choices
from soul_core.ui.scores_desk import lane_label
from soul_core.ui.who_panel import WhoPanel, who_panel
from soul_core.ui.who_wiring import wire_who


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPanel:
    """The components of Setup; ``inputs`` are the values of :class:`Form`, in the order of ``layout``."""

    layout: Layout
    inputs: list[gr.components.Component]
    who: WhoPanel
    lanes: LaneFields
    preset_note: gr.HTML
    estimate: gr.HTML
    command: gr.Textbox
    held: gr.HTML
    address_notice: gr.HTML
    gold_box: gr.Column
    train_gold: gr.Button
    stop_gold: gr.Button
    gold_progress: gr.HTML
    notice: gr.HTML

    def component(self, name: str) -> Any:
        """One of the plain fields of the form, by its name there."""
        return self.inputs[self.layout.plain.index(name)]

    def form(self, *values: Any) -> Form:
        """What stands in Setup, from the values of ``inputs``."""
        return self.layout.form(values)

    @property
    def outputs(self) -> list[Any]:
        """Everything that settings put back change."""
        return list(dict.fromkeys([*self.inputs, *self.who.outputs, *self.lanes.outputs]))

    def put_back(self, config: RaceConfig) -> dict[Any, Any]:
        """What every field shows for settings that are already there, with the choices that belong to them.

        Raises:
            ConfigError: A lane's objective is not registered (any more).
        """
        form = form_of(config, self.layout)
        updates = dict(zip(self.inputs, self.layout.values(form), strict=True))
        return {
            **updates,
            **self.lanes.put_back(form),
            **self.who.put_back(form),
            **self.put_task(form),
            **self._put_model(config.model),
        }

    def _put_model(self, name: str) -> dict[Any, Any]:
        """What the model's field shows: a taught model by a name that a person can read."""
        model = self.component("model")
        choices = list(model.choices)
        if all(name != value for _, value in choices):
            choices.append((label_of(name), name))
        return {model: gr.update(choices=choices, value=name)}

    def put_task(self, form: Form) -> dict[Any, Any]:
        """What the fields of the forget set show for a form."""
        other = form.task == OTHER
        return {
            self.component("task"): gr.update(value=form.task, info=_task_help(form.task)),
            self.component("split"): gr.update(choices=split_choices(form.task), value=form.split, visible=not other),
            self.component("authors"): gr.update(
                choices=_names_of(form.task), value=list(form.authors), visible=not other and form.split == BY_NAME
            ),
            self.component("spec"): gr.update(value=form.spec, visible=other),
        }


def setup_panel(desk: Desk) -> SetupPanel:
    """Build the panel from the registries and the settings' own descriptions."""
    form, layout = Form(), Layout.now()
    block(heading(text.SETUP_TITLE, text.SETUP_LEAD))
    address_notice = block("", elem_id=ids.ADDRESS_NOTICE)
    model = gr.Dropdown(
        desk.model_choices(),
        value=form.model,
        allow_custom_value=True,
        label=title_of(RaceConfig, "model"),
        info=text.MODEL_HELP_PUBLIC if desk.host.public else text.MODEL_HELP,
        elem_id=ids.MODEL,
    )
    task = gr.Dropdown(
        task_choices(),
        value=form.task,
        filterable=False,
        label=text.TASK,
        info=_task_help(form.task),
        elem_id=ids.TASK,
    )
    spec = gr.Textbox(
        label=text.SPEC, info=text.SPEC_HELP, placeholder=text.SPEC_PLACEHOLDER, visible=False, elem_id=ids.SPEC
    )
    split = gr.Dropdown(
        split_choices(form.task), value=form.split, filterable=False, label=text.SPLIT, elem_id=ids.SPLIT
    )
    authors = gr.Dropdown(
        _names_of(form.task),
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
    who = who_panel(form, retain_choices(form.objective)[0][1])
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
        lanes = lane_fields(form, layout)
    estimate = block(f'<p class="soul-estimate">{text.ESTIMATE_WAIT}</p>', elem_id=ids.ESTIMATE)
    command = gr.Textbox(label=text.COMMAND, lines=2, max_lines=8, interactive=False, buttons=[], elem_id=ids.COMMAND)
    block(copy_html(), elem_id=ids.COPIES)
    held = block(held_html(""), elem_classes=["soul-held"])
    warning = block("", elem_id=ids.SETUP_NOTICE)
    plain: dict[str, gr.components.Component] = {
        "model": model,
        "task": task,
        "split": split,
        "authors": authors,
        "spec": spec,
        "mode": who.mode,
        "objective": who.objective,
        "methods": who.methods,
        "changes": who.changes,
        "preset": preset,
        "epochs": epochs,
        "seed": seed,
        "control": lanes.control,
    }
    return SetupPanel(
        layout=layout,
        inputs=[*(plain[name] for name in layout.plain), *lanes.inputs],
        who=who,
        lanes=lanes,
        preset_note=preset_note,
        estimate=estimate,
        command=command,
        held=held,
        address_notice=address_notice,
        gold_box=gold_box,
        train_gold=train_gold,
        stop_gold=stop_gold,
        gold_progress=gold_progress,
        notice=warning,
    )


def wire_setup(
    panel: SetupPanel, desk: Desk, page: gr.Blocks, browser: gr.BrowserState, others: Mapping[gr.HTML, str]
) -> None:
    """Choices that follow from others; then, whatever changed: note, command, and whose race is shown.

    Args:
        panel: The components.
        desk: What the page can ask for.
        page: The page.
        browser: Whose race is shown.
        others: Where it is said that this is another race than Setup's, and in which words.
    """
    task, split, authors, spec = (panel.component(name) for name in ("task", "split", "authors", "spec"))

    def choose_task(name: str, shown: str | None, picked: list[str] | None) -> dict[Any, Any]:
        """What can be chosen of this task. What is chosen already stays if the task has it: a dropdown's input is
        heard whenever the focus leaves it, and the answer may come after the next field was filled in."""
        splits, names = split_choices(name), _names_of(name)
        values = [value for _, value in splits]
        kept = shown in values
        split_value: dict[str, Any] = {} if kept else {"value": [value for value in values if value != BY_NAME][-1]}
        names_value: dict[str, Any] = {} if set(picked or []) <= set(names) else {"value": []}
        return {
            task: gr.Dropdown(info=_task_help(name)),
            split: gr.Dropdown(choices=splits, visible=name != OTHER, **split_value),
            authors: gr.Dropdown(choices=names, visible=kept and shown == BY_NAME, **names_value),
            spec: gr.Textbox(visible=name == OTHER),
        }

    def choose_split(name: str) -> Any:
        return gr.Dropdown(visible=name == BY_NAME)

    def describe(state: dict[str, str] | None, *values: Any) -> dict[Any, Any]:
        form = panel.form(*values)
        pair = form.mode == PAIR
        if pair and not is_trained(form.objective):  # said where it is chosen, with what to do
            return {panel.command: "", panel.notice: "", panel.preset_note: preset_html(form.preset)}
        objective = form.objective if pair else ""
        weights = form.weights_config if pair else ALL_WEIGHTS
        note = preset_html(form.preset, objective, edited=pair and form.edited, weights=weights)
        try:
            config = form.config()
            desk.host.check(config, owner=owner_of(state))
        except SoulError as error:  # a command or link of the settings before would be copied as that of these
            return {panel.command: "", panel.notice: notice(str(error))}
        return {
            panel.command: desk.command(config),
            panel.preset_note: note,
            panel.gold_box: gr.Column(visible=desk.gold_can_be_trained(config)),
            panel.notice: "",
            **told(desk.config_of((state or {}).get("job", "")), config),
        }

    def told(shown: RaceConfig | None, config: RaceConfig) -> dict[Any, Any]:
        if shown is None or _what_runs(shown) == _what_runs(config):
            return dict.fromkeys(others, "")
        return {place: notice(words.format(race=race_line(shown)), kind="info") for place, words in others.items()}

    # ``input`` and not ``change``: only a person's choice overwrites fields, not a form put back after a reload.
    task.input(choose_task, [task, split, authors], [task, split, authors, spec], **QUIET)
    split.change(choose_split, split, authors, **QUIET)
    wire_who(panel.who, panel.lanes, panel.component("preset"))
    outputs = [panel.command, panel.preset_note, panel.gold_box, panel.notice, *others]
    triggers = [component.change for component in panel.inputs]  # type: ignore[attr-defined]
    gr.on(
        [page.load, browser.change, *triggers],
        guarded(describe, notice=panel.notice),
        [browser, *panel.inputs],
        outputs,
        trigger_mode="always_last",
        **QUIET,
        **AS_TYPED,
    )


def wire_estimate(
    panel: SetupPanel, desk: Desk, page: gr.Blocks, browser: gr.BrowserState, endings: list[Any]
) -> None:
    """Estimate after the load, after every change and after every race: while one runs, nothing is measured."""

    def estimate(state: dict[str, str] | None, *values: Any) -> str:
        try:
            return estimate_html(desk.estimate(panel.form(*values).config(), owner=owner_of(state)))
        except (ModelError, RunError) as error:  # not here yet, or too large: told with what would fit
            return estimate_html(str(error))
        except SoulError:
            return estimate_html("")  # the line below the form says what is wrong

    how: dict[str, Any] = {
        "fn": guarded(estimate, notice=None),
        "inputs": [browser, *panel.inputs],
        "outputs": panel.estimate,
        "trigger_mode": "always_last",
        "show_progress": "hidden",
        "api_visibility": "private",
        "concurrency_limit": 1,
        **AS_TYPED,
    }
    triggers = [component.change for component in panel.inputs]  # type: ignore[attr-defined]
    gr.on([page.load, *triggers], **how)
    for ending in endings:
        ending.then(**how)


def _task_help(task: str) -> str:
    return text.OTHER_HELP if task == OTHER else TASKS[task].description


def _names_of(task: str) -> list[str]:
    """Whom one can pick by name."""
    return [] if task == OTHER else list(subjects_of(task))


def _what_runs(config: RaceConfig) -> tuple[object, ...]:
    """What makes it another race for who looks at it; not its line, since two models may go by one name."""
    return config.model, config.task, [lane_label(lane) for lane in config.lanes]


def race_line(config: RaceConfig) -> str:
    """A race in one line: who forgets what."""
    methods = ", ".join(lane_label(lane) for lane in config.lanes)
    return f"{methods}; {label_of(config.model)}; {task_label(config.task)}"


def owner_of(state: dict[str, str] | None) -> str:
    """The token of the browser; empty before it has one."""
    return (state or {}).get("owner", "")


def estimate_html(sentence: str) -> str:
    """The estimate's line, of the same height with and without one."""
    return f'<p class="soul-estimate">{escape(sentence) or "&nbsp;"}</p>'
