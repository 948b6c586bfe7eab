"""What follows when a person picks who runs: objectives, settings, methods. It builds no component."""

from typing import Any

import gradio as gr

from soul_core.ui.form import ANY, Form, weights_of
from soul_core.ui.guard import AS_TYPED, QUIET
from soul_core.ui.lane_fields import LaneFields
from soul_core.ui.picker import methods_for, methods_html, objective_choices, objective_text
from soul_core.ui.who_panel import WhoPanel


def wire_who(who: WhoPanel, lanes: LaneFields, preset: gr.Radio) -> None:
    """Idea, objective, methods, preset and weights: each brings what belongs to it."""
    weights = [lanes.component("weights", name) for name in ("kind", "init")]
    retains = [lanes.component(f"{lane}_objective", "retain") for lane in ("fo", "so")]
    chosen = [preset, who.objective, who.mode, *weights]
    renewed = [*who.outputs, *lanes.outputs]

    def renew(preset: str, objective: str, mode: str, kind: str, init: str) -> dict[Any, Any]:
        values = lanes.renewed(preset, objective, mode, weights_of({"kind": kind, "init": init}))
        return who.in_sight(mode, objective) | values

    def choose_idea(idea: str, preset: str, *others: str) -> dict[Any, Any]:
        first = objective_choices(idea)[0][1]
        return {**renew(preset, first, *others), **who.idea_of(first)}

    def choose_mode(mode: str, objective: str, kind: str, methods: list[str]) -> dict[Any, Any]:
        updates = who.in_sight(mode, objective) | lanes.in_sight(mode, objective, kind)
        return updates | ({who.methods: methods_for(objective)} if mode == ANY and not methods else {})

    def to_methods(objective: str, kind: str) -> dict[Any, Any]:
        updates = who.in_sight(ANY, objective) | lanes.in_sight(ANY, objective, kind)
        return {**updates, who.mode: ANY, who.methods: methods_for(objective), who.changes: ""}

    who.idea.input(choose_idea, [who.idea, preset, who.mode, *weights], renewed, **QUIET, **AS_TYPED)
    who.mode.input(choose_mode, [who.mode, who.objective, weights[0], who.methods], renewed, **QUIET, **AS_TYPED)
    who.to_methods.click(to_methods, [who.objective, weights[0]], renewed, **QUIET, **AS_TYPED)
    for component in (who.objective, preset, *weights):
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
