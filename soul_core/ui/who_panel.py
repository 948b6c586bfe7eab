"""What runs, as components: FO and SO of an objective picked by its idea, or any methods. It starts nothing."""

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from soul_core.objectives import OBJECTIVES
from soul_core.ui import ids, text
from soul_core.ui.form import PAIR, Form
from soul_core.ui.html import block
from soul_core.ui.picker import (
    idea_choices,
    is_trained,
    method_choices,
    methods_html,
    objective_choices,
    objective_text,
)

LATEX: list[dict[str, str | bool]] = [{"left": "$$", "right": "$$", "display": True}]
MAX_METHODS = 6
Updates = dict[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoPanel:
    """The components; ``pair`` and ``any`` hold what belongs to one choice of ``mode`` alone."""

    mode: gr.Radio
    pair: gr.Column
    idea: gr.Radio
    objective: gr.Radio
    note: gr.Markdown
    no_pair: gr.Column
    no_pair_note: gr.HTML
    to_methods: gr.Button
    any: gr.Column
    methods: gr.Dropdown
    methods_note: gr.HTML
    changes: gr.Textbox

    @property
    def outputs(self) -> list[Any]:
        """Everything that a choice changes."""
        return [getattr(self, name) for name in self.__dataclass_fields__]

    def in_sight(self, mode: str, objective: str) -> Updates:
        """What shows for a choice."""
        return {
            self.pair: gr.Column(visible=mode == PAIR),
            self.any: gr.Column(visible=mode != PAIR),
            self.no_pair: gr.Column(visible=not is_trained(objective)),
            self.no_pair_note: no_pair_html(objective),
        }

    def put_back(self, form: Form) -> Updates:
        """A form's choices."""
        return {
            **self.in_sight(form.mode, form.objective),
            self.mode: form.mode,
            **self.idea_of(form.objective),
            self.methods: form.method_list,
            self.changes: form.changes,
        }

    def idea_of(self, objective: str) -> Updates:
        """An objective as it is picked: its idea, and it among those of that idea."""
        idea = OBJECTIVES[objective].idea
        return {self.idea: idea, self.objective: gr.Radio(choices=objective_choices(idea), value=objective)}


def who_panel(form: Form, retain: str) -> WhoPanel:
    """Build the pickers from the registries.

    Args:
        form: What they begin with.
        retain: The retain term of FO at the beginning.
    """
    idea = OBJECTIVES[form.objective].idea
    mode = gr.Radio(
        [(label, name) for name, label in text.MODES.items()],
        value=form.mode,
        label=text.MODE,
        elem_id=ids.MODE,
        elem_classes=["soul-segments"],
    )
    with gr.Column(elem_classes=["soul-stack"]) as pair:
        ideas = gr.Radio(
            idea_choices(),
            value=idea,
            label=text.IDEA,
            elem_id=ids.IDEA,
            elem_classes=["soul-segments", "soul-compact"],
        )
        objective = gr.Radio(
            objective_choices(idea),
            value=form.objective,
            label=text.OBJECTIVE,
            elem_id=ids.OBJECTIVE,
            elem_classes=["soul-segments", "soul-compact"],
        )
        note = gr.Markdown(objective_text(form.objective, retain), latex_delimiters=LATEX, elem_id=ids.FORMULA)
        with gr.Column(visible=False, elem_classes=["soul-offer"], elem_id=ids.NO_PAIR) as no_pair:
            no_pair_note = block("")
            to_methods = gr.Button(text.TO_METHODS, size="sm", elem_id=ids.TO_METHODS)
    with gr.Column(visible=False, elem_classes=["soul-stack"]) as any_:
        methods = gr.Dropdown(
            method_choices(),
            value=[],
            multiselect=True,
            max_choices=MAX_METHODS,
            allow_custom_value=True,
            label=text.METHODS,
            info=text.METHODS_HELP,
            elem_id=ids.METHODS,
        )
        methods_note = block(methods_html([], form.preset), elem_id=ids.METHODS_NOTE)
        changes = gr.Textbox(
            "",
            lines=2,
            max_lines=12,
            label=text.CHANGES,
            info=text.CHANGES_HELP,
            placeholder=text.CHANGES_EXAMPLE,
            elem_id=ids.CHANGES,
        )
    return WhoPanel(
        mode=mode,
        pair=pair,
        idea=ideas,
        objective=objective,
        note=note,
        no_pair=no_pair,
        no_pair_note=no_pair_note,
        to_methods=to_methods,
        any=any_,
        methods=methods,
        methods_note=methods_note,
        changes=changes,
    )


def no_pair_html(objective: str) -> str:
    """Why an objective is not raced as FO against SO; nothing for one that is."""
    if objective not in OBJECTIVES or is_trained(objective):
        return ""
    entry = OBJECTIVES[objective]
    return f"<p>{escape(text.no_pair(entry.label, entry.kind))}</p>"
