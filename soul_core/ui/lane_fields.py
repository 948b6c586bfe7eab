"""The settings of FO and SO as components, built from the registry; which of them show. It starts nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from soul_core.config import ObjectiveConfig, OptimizerConfig, RaceConfig, Settings, WeightsConfig
from soul_core.objectives import find_objective
from soul_core.session.presets import ALL_WEIGHTS
from soul_core.ui import ids, text
from soul_core.ui.fields import field_for
from soul_core.ui.form import (
    FO_FIELDS,
    LORA_FIELDS,
    MEMORY_FIELDS,
    PAIR,
    SO_FIELDS,
    Form,
    Layout,
    Values,
    preset_values,
)
from soul_core.ui.picker import has_retain, is_trained, retain_choices

Updates = dict[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFields:
    """Advanced settings: by group, by name; ``pair`` holds what only *FO against SO* has."""

    layout: Layout
    groups: Mapping[str, Mapping[str, gr.components.Component]]
    control: gr.Checkbox
    pair: gr.Column

    @property
    def inputs(self) -> list[gr.components.Component]:
        """All fields in the layout's order; the control is among the single values."""
        return [self.groups[group][name] for group, names in self.layout.groups.items() for name in names]

    @property
    def outputs(self) -> list[Any]:
        """Everything that another objective, preset or choice of weights changes."""
        groups = [group for group in self.groups if group != "shared"]
        return [self.pair, self.control, *(field for group in groups for field in self.groups[group].values())]

    def component(self, group: str, name: str) -> Any:
        """One field."""
        return self.groups[group][name]

    def renewed(self, preset: str, objective: str, mode: str, weights: WeightsConfig = ALL_WEIGHTS) -> Updates:
        """The preset's values for FO and SO of an objective, and what belongs to it in sight."""
        updates = self.in_sight(mode, objective, weights.kind)
        if not is_trained(objective):
            return updates
        values = preset_values(preset, objective, self.layout.own, weights=weights)
        return self._with(updates, values, objective)

    def put_back(self, form: Form) -> Updates:
        """A complete form's values, and what belongs to its objective in sight."""
        updates = self.in_sight(form.mode, form.objective, form.weights["kind"])
        groups: dict[str, Values] = {name: getattr(form, name) for name in self.groups}
        updates[self.control]["value"] = bool(form.control)
        return self._with(updates, groups, form.objective)

    def in_sight(self, mode: str, objective: str, weights: str) -> Updates:
        """What shows for a choice: the objective's own settings, LoRA's only with LoRA, and nothing where FO and SO
        do not run."""
        runs = mode == PAIR and is_trained(objective)
        updates: Updates = {self.pair: gr.Column(visible=runs), self.control: _shown(runs)}
        updates |= {self.component("weights", name): _shown(weights == "lora") for name in LORA_FIELDS}
        for lane in ("fo", "so"):
            own = self.groups[f"{lane}_own"]
            updates |= {field: _shown(name.startswith(f"{objective}.")) for name, field in own.items()}
            if is_trained(objective):
                both = has_retain(objective)
                updates[self.component(f"{lane}_objective", "gamma")] = _shown(both)
                updates[self.component(f"{lane}_objective", "retain")] = _shown(
                    both, choices=retain_choices(objective)
                )
        return updates

    def _with(self, updates: Updates, values: Mapping[str, Values], objective: str) -> Updates:
        for group, named in values.items():
            for name, value in named.items():
                if group.endswith("_own") and not name.startswith(f"{objective}."):
                    continue  # out of sight: it keeps what it has
                field = self.component(group, name)
                updates[field] = {**updates[field], "value": value} if field in updates else value
        return updates


def lane_fields(form: Form, layout: Layout) -> LaneFields:
    """Build the fields with the values of the form's preset."""
    values = preset_values(form.preset, form.objective, layout.own)
    groups: dict[str, dict[str, gr.components.Component]] = {}
    control = gr.Checkbox(False, label=text.CONTROL, info=text.CONTROL_HELP, elem_id=ids.CONTROL)
    groups["shared"] = {}
    for title, fields in (
        (text.SHARED_SETTINGS, [name for name in layout.groups["shared"] if name not in MEMORY_FIELDS]),
        (text.MEMORY_SETTINGS, MEMORY_FIELDS),
    ):
        with gr.Accordion(title, open=False), gr.Row(elem_classes=["soul-grid"]):
            groups["shared"] |= {name: field_for(RaceConfig, name) for name in fields}
    with gr.Column(elem_classes=["soul-stack"]) as pair:
        with gr.Accordion(text.WEIGHT_SETTINGS, open=False), gr.Row(elem_classes=["soul-grid"]):
            groups["weights"] = {
                name: field_for(WeightsConfig, name, elem_id=f"soul-weights-{name}", visible=name not in LORA_FIELDS)
                for name in layout.groups["weights"]
            }
        for lane, names in (("fo", FO_FIELDS), ("so", SO_FIELDS)):
            with gr.Accordion(text.LANE_SETTINGS[lane], open=False), gr.Row(elem_classes=["soul-grid"]):
                groups[f"{lane}_objective"] = _objective_fields(lane, form.objective, values)
                groups[f"{lane}_own"] = {
                    name: _own_field(lane, name, form.objective, values[f"{lane}_own"][name]) for name in layout.own
                }
                groups[lane] = {
                    name: field_for(OptimizerConfig, name, value=values[lane][name], elem_id=f"soul-{lane}-{name}")
                    for name in names
                }
    return LaneFields(layout=layout, groups=groups, control=control, pair=pair)


def _objective_fields(lane: str, objective: str, values: Mapping[str, Values]) -> dict[str, gr.components.Component]:
    given, both = values[f"{lane}_objective"], has_retain(objective)
    return {
        "gamma": field_for(ObjectiveConfig, "gamma", value=given["gamma"], elem_id=f"soul-{lane}-gamma", visible=both),
        "retain": field_for(
            ObjectiveConfig,
            "retain",
            value=given["retain"],
            choices=retain_choices(objective),
            elem_id=f"soul-{lane}-retain",
            info=text.RETAIN_HELP,
            visible=both,
        ),
    }


def _own_field(lane: str, key: str, chosen: str, value: Any) -> gr.components.Component:
    objective, _, name = key.partition(".")
    settings: type[Settings] = find_objective(objective).settings
    return field_for(
        settings,
        name,
        value=value,
        elem_id=f"soul-{lane}-{objective}-{name}".replace("_", "-"),
        visible=objective == chosen,
    )


def _shown(visible: bool, **more: Any) -> dict[str, Any]:
    return gr.update(visible=visible, **more)
