"""What follows when a person picks who runs: objectives, settings, methods. It builds no component."""

from typing import Any

import gradio as gr

from soul_core.ui.form import ANY, Form
from soul_core.ui.guard import AS_TYPED, QUIET
from soul_core.ui.lane_fields import LaneFields
from soul_core.ui.picker import methods_for, methods_html, objective_choices, objective_text
from soul_core.ui.who_panel import WhoPanel


def wire_who(who: WhoPanel, lanes: LaneFields, preset: gr.Radio) -> None:
    """Idea, objective, methods, preset and weights: each brings what belongs to it."""
    weights = lanes.component("weights", "kind")
    retains = [lanes.component(f"{lane}_objective", "retain") for lane in ("fo", "so")]
    chosen = [preset, who.objective, weights, who.mode]
    renewed = [*who.outputs, *lanes.outputs]

    def renew(preset: str, objective: str, weights: str, mode: str) -> dict[Any, Any]:
        return who.in_sight(mode, objective) | lanes.renewed(preset, objective, weights, mode)

    def choose_idea(idea: str, preset: str, weights: str, mode: str) -> dict[Any, Any]:
        first = objective_choices(idea)[0][1]
        return {**renew(preset, first, weights, mode), **who.idea_of(first)}

    def choose_mode(preset: str, objective: str, weights: str, mode: str, methods: list[str]) -> dict[Any, Any]:
        updates = renew(preset, objective, weights, mode)
        if mode == ANY and not methods:
            updates[who.methods] = methods_for(objective)
        return updates

    def to_methods(preset: str, objective: str, weights: str) -> dict[Any, Any]:
        return {
            **renew(preset, objective, weights, ANY),
            who.mode: ANY,
            who.methods: methods_for(objective),
            who.changes: "",
        }

    who.idea.input(choose_idea, [who.idea, preset, weights, who.mode], renewed, **QUIET, **AS_TYPED)
    who.mode.input(choose_mode, [*chosen, who.methods], renewed, **QUIET, **AS_TYPED)
    who.to_methods.click(to_methods, [preset, who.objective, weights], renewed, **QUIET, **AS_TYPED)
    for component in (who.objective, preset, weights):
        component.input(renew, chosen, renewed, **QUIET, **AS_TYPED)
    gr.on(
        [component.change for component in (who.objective, *retains)],
        objective_text,
        [who.objective, *retains],
        who.note,
        trigger_mode="always_last",
        **QUIET,
        **AS_TYPED,
    )
    gr.on(
        [who.methods.change, preset.change],
        lambda methods, preset: methods_html(Form(methods=methods).method_list, preset),
        [who.methods, preset],
        who.methods_note,
        trigger_mode="always_last",
        **QUIET,
        **AS_TYPED,
    )
