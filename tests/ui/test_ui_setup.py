"""Setup's components follow the choices: what shows, with which values."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Annotated, Any

import gradio as gr
import pytest
from pydantic import Field

from soul_core.config import ObjectiveConfig, WeightsConfig
from soul_core.objectives import OBJECTIVES, Objective, register_objective
from soul_core.session.presets import lanes_for
from soul_core.ui.filled import form_of
from soul_core.ui.form import ANY, LORA_FIELDS, PAIR, Form
from soul_core.ui.host import Host
from soul_core.ui.setup_panel import SetupPanel, setup_panel
from tests.ui.scenes import TRAINED

PRESET_GAMMA = lanes_for("same-settings", "npo")[0].objective.gamma


def built() -> SetupPanel:
    with gr.Blocks():
        return setup_panel(SimpleNamespace(model_choices=lambda: [("Pocket", "pocket")], host=Host()))  # type: ignore[arg-type]


@pytest.fixture
def panel() -> SetupPanel:
    return built()


@pytest.fixture
def mine() -> Iterator[Objective]:
    """An objective of a person's own, as a file given to ``--with`` registers it."""

    def forget(likelihoods: Any, *, calm: Annotated[float, Field(ge=0, le=3, title="Calm")] = 0.5, loud: bool = True):
        raise NotImplementedError

    yield register_objective(
        Objective(
            name="mine",
            label="Mine",
            idea="targets",
            sentence="Do as I say.",
            formula="x",
            paper="nobody",
            forget=forget,
        )
    )
    del OBJECTIVES["mine"]


def visible(updates: dict[Any, Any], field: Any) -> bool:
    """Whether an update shows a field; a field without one keeps what it has."""
    update = updates[field]
    return update["visible"] if isinstance(update, dict) else update.visible


def own_in_sight(panel: SetupPanel, updates: dict[Any, Any], lane: str) -> set[str]:
    return {name for name, field in panel.lanes.groups[f"{lane}_own"].items() if visible(updates, field)}


def test_at_first_only_what_graddiff_has_is_shown(panel):
    assert not any(field.visible for field in panel.lanes.groups["fo_own"].values())
    assert panel.lanes.component("fo_objective", "gamma").visible
    assert not any(panel.lanes.component("weights", name).visible for name in LORA_FIELDS)
    assert panel.who.pair.visible and not panel.who.any.visible and not panel.who.no_pair.visible


@pytest.mark.parametrize("objective", TRAINED)
def test_an_objective_brings_its_own_settings_and_hides_all_others(panel, objective):
    updates = panel.lanes.renewed("same-settings", objective, PAIR)
    wanted = {f"{objective}.{name}" for name in OBJECTIVES[objective].fields}
    assert own_in_sight(panel, updates, "fo") == own_in_sight(panel, updates, "so") == wanted
    retain = updates[panel.lanes.component("so_objective", "retain")]
    assert [name for _, name in retain["choices"]] == list(OBJECTIVES[objective].retains)
    assert retain["value"] == OBJECTIVES[objective].retains[0]
    assert retain["visible"] is (objective != "ga")  # which leaves the retain rows alone
    for name in wanted:
        value = updates[panel.lanes.component("fo_own", name)]["value"]
        assert value == OBJECTIVES[objective].fields[name.split(".")[1]].default


def test_the_preset_s_own_value_goes_before_the_objective_s_default(panel):
    assert ObjectiveConfig().gamma != PRESET_GAMMA
    updates = panel.lanes.renewed("same-settings", "npo", PAIR)
    assert updates[panel.lanes.component("fo_own", "npo.beta")]["value"] == 0.1
    assert updates[panel.lanes.component("fo_objective", "gamma")]["value"] == PRESET_GAMMA
    rates = [
        panel.lanes.renewed("same-settings", "npo", PAIR, WeightsConfig(kind=kind))[panel.lanes.component("fo", "lr")]
        for kind in ("float32", "lora")
    ]
    assert rates[0] != rates[1]


def test_lora_s_settings_show_with_lora_only(panel):
    for kind, shown in (("lora", True), ("float32", False), ("bfloat16", False)):
        updates = panel.lanes.in_sight(PAIR, "graddiff", kind)
        assert {visible(updates, panel.lanes.component("weights", name)) for name in LORA_FIELDS} == {shown}


@pytest.mark.parametrize(
    ("mode", "objective", "shown"), [(PAIR, "npo", True), (PAIR, "influence", False), (ANY, "npo", False)]
)
def test_settings_of_fo_and_so_show_only_where_fo_and_so_run(panel, mode, objective, shown):
    updates = panel.lanes.in_sight(mode, objective, "float32")
    assert visible(updates, panel.lanes.pair) is visible(updates, panel.lanes.control) is shown


def test_what_has_no_fo_and_so_is_said_with_an_offer(panel):
    updates = panel.who.in_sight(PAIR, "icul")
    assert updates[panel.who.no_pair].visible
    assert "ICUL has no FO and SO" in updates[panel.who.no_pair_note]
    assert not panel.who.in_sight(PAIR, "npo")[panel.who.no_pair].visible


@pytest.mark.parametrize(
    "form",
    [
        Form(objective="rmu", so_own={"rmu.layer": 3}, weights={"kind": "lora", "rank": 2}, control=True),
        Form(mode=ANY, methods=["so-npo", "icul"], changes="so-npo.beta = 0.3", split="authors", authors=["Ana Bel"]),
    ],
)
def test_a_race_put_back_shows_what_it_was_made_of(panel, form):
    config = form.config()
    updates = panel.put_back(config)
    assert set(updates) <= set(panel.outputs)
    assert set(panel.inputs) <= set(updates)

    def value(component: Any) -> Any:
        update = updates[component]
        update = update.constructor_args if isinstance(update, gr.components.Component) else update
        return update.get("value", component.value) if isinstance(update, dict) else update

    assert panel.form(*(value(component) for component in panel.inputs)).config() == config
    assert updates[panel.who.pair].visible is (form.mode == PAIR)
    assert updates[panel.who.any].visible is (form.mode == ANY)
    assert value(panel.who.idea) == OBJECTIVES[form.objective].idea


def test_an_objective_of_ones_own_is_on_the_page_with_its_settings(mine):
    panel = built()
    objectives = panel.who.idea_of("mine")
    assert ("Mine", "mine") in objectives[panel.who.objective].choices
    assert objectives[panel.who.idea] == "targets"
    calm, loud = (panel.lanes.component("so_own", f"mine.{name}") for name in ("calm", "loud"))
    assert (calm.label, calm.value, calm.info) == ("Calm", 0.5, "0 to 3.")
    assert isinstance(loud, gr.Checkbox)
    assert ("SO-Mine", "so-mine") in panel.who.methods.choices
    config = Form(objective="mine", fo_own={"mine.calm": 2.0}).config()
    form = panel.layout.form(panel.layout.values(form_of(config, panel.layout)))
    assert form.config() == config
    assert form.fo_own["mine.calm"] == 2.0
