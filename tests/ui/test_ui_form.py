"""Setup's raw values become the settings of a race."""

import math
import shlex

import pytest

from soul_core.cli.main import parsed
from soul_core.cli.race import config_of
from soul_core.errors import ConfigError
from soul_core.objectives import OBJECTIVES, options_of
from soul_core.session.command import command_of
from soul_core.session.methods import lane_of, method_names
from soul_core.session.presets import lanes_for
from soul_core.ui.form import (
    ANY,
    FO_FIELDS,
    OBJECTIVE_FIELDS,
    SHARED_FIELDS,
    SO_FIELDS,
    WEIGHT_FIELDS,
    Form,
    Layout,
    preset_values,
    split_choices,
)
from tests.ui.scenes import TRAINED, UNTRAINED


def from_the_command_line(form: Form):
    """What the command line makes of the command that stands below the form."""
    return config_of(parsed(shlex.split(command_of(form.config()))[3:]))


def test_an_untouched_form_is_the_default_race():
    config = Form().config()
    assert (config.model, config.task, config.epochs) == ("pocket", "invented-authors:forget10", 5)
    assert config.lanes == lanes_for("same-settings", "graddiff")


def test_every_setting_of_a_race_has_a_place_on_the_page():
    # Thirteen single values, the shared ones, the weights, and for both lanes optimizer, objective and what objectives
    # have of their own.
    layout = Layout.now()
    own = sum(len(entry.fields) for entry in OBJECTIVES.values() if entry.kind == "trained")
    expected = 13 + len(SHARED_FIELDS) + len(WEIGHT_FIELDS)
    expected += 2 * (len(OBJECTIVE_FIELDS) + own) + len(FO_FIELDS) + len(SO_FIELDS)
    assert len(layout.plain) + sum(len(names) for names in layout.groups.values()) == expected
    assert "name" not in SO_FIELDS


@pytest.mark.parametrize("objective", TRAINED)
def test_the_command_below_the_form_makes_the_same_race_of_every_objective(objective):
    form = Form(objective=objective, control=True, fo={"lr": 0.007}, so={"rho": 0.5}, epochs=2, seed=7)
    assert from_the_command_line(form) == form.config()


@pytest.mark.parametrize(
    "form",
    [
        Form(objective="npo", fo_own={"npo.beta": 0.4}, so_objective={"gamma": 7.0, "retain": "kl"}),
        Form(weights={"kind": "lora", "rank": 4, "alpha": 8.0, "targets": "q_proj", "init": "zero"}),
        Form(weights={"kind": "bfloat16"}, preset="as-published"),
        Form(mode=ANY, methods=["so-npo", "loku", "input-based"], changes="so-npo.beta = 0.3\nloku.rank = 4"),
        Form(mode=ANY, methods=["mine=so-npo-lora"], changes="mine.retain = none"),
    ],
)
def test_the_command_below_the_form_makes_the_same_race_whatever_was_changed(form):
    assert from_the_command_line(form) == form.config()


@pytest.mark.parametrize("method", method_names())
def test_a_method_alone_is_the_lane_that_the_command_line_would_run(method):
    assert Form(mode=ANY, methods=[method]).config().lanes == (lane_of(method, "same-settings"),)


@pytest.mark.parametrize("objective", UNTRAINED)
def test_an_objective_that_is_not_trained_has_no_fo_and_so(objective):
    with pytest.raises(ConfigError, match=r"has no FO and SO: .* Run it under “Any methods”\."):
        Form(objective=objective).config()


def test_authors_by_name_become_a_task_name():
    assert Form(split="authors", authors=["A B", "C D"]).task_spec == "invented-authors:authors=A B;C D"
    assert Form(split="authors", authors=None).task_spec == "invented-authors:authors="


def test_values_by_hand_go_into_their_own_lane_only():
    form = Form(fo={name: 0.007 if name == "lr" else 0.5 for name in FO_FIELDS})
    lanes = {lane.name: lane for lane in form.lanes()}
    assert lanes["fo"].optimizer.lr == 0.007
    assert lanes["so"].optimizer == lanes_for("same-settings", "graddiff")[1].optimizer
    assert form.edited
    assert not Form().edited


def test_only_the_chosen_objective_s_own_settings_count():
    form = Form(objective="npo", so_own={"npo.beta": 0.5, "wga.beta": 7.0, "rmu.layer": 1})
    fo, so = form.lanes()
    assert options_of(so.objective) == {"beta": 0.5}
    assert options_of(fo.objective) == {"beta": 0.1}
    assert not Form(objective="npo", so_own={"npo.beta": 0.1, "wga.beta": 7.0}).edited


def test_the_objective_s_first_retain_term_is_its_default():
    fo, so = Form(fo_objective={"retain": "nll"}, so_objective={"retain": "kl"}).lanes()
    assert (fo.objective.retain, so.objective.retain) == ("default", "kl")


def test_lora_settings_count_only_with_lora():
    assert Form(weights={"kind": "float32", "rank": 2}).lanes() == Form().lanes()
    lora = Form(weights={"kind": "lora", "rank": 2})
    assert {lane.weights.rank for lane in lora.lanes()} == {2}
    # LoRA has a rate of its own in the preset.
    assert lora.lanes()[0].optimizer.lr != Form().lanes()[0].optimizer.lr


def test_the_control_shares_what_so_has_under_same_settings():
    form = Form(objective="npo", control=True, so={"lr": 0.003}, so_own={"npo.beta": 0.5})
    sign = form.lanes()[2]
    assert (sign.name, sign.optimizer.name, sign.optimizer.lr) == ("sign", "sign-momentum", 0.003)
    assert options_of(sign.objective) == {"beta": 0.5}


def test_preset_values_are_what_the_preset_s_lanes_have():
    fo, so = lanes_for("as-published", "npo")
    values = preset_values("as-published", "npo", Layout.now().own)
    assert values["fo_objective"] == {"gamma": fo.objective.gamma, "retain": "nll"}
    assert values["so"] == {name: getattr(so.optimizer, name) for name in SO_FIELDS}
    assert values["so_own"]["npo.beta"] == 0.1
    assert values["so_own"]["simnpo.delta"] == 0.0  # another objective's default


def test_methods_may_be_typed_in_one_with_commas_and_capitals():
    assert Form(methods=["SO-NPO, loku", " icul "]).method_list == ["so-npo", "loku", "icul"]
    assert Form(methods=None).method_list == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "Epochs is 0"),
        ({"epochs": None}, "Epochs is empty"),
        ({"epochs": 2.5}, "Epochs is 2.5"),
        ({"seed": "abc"}, "Seed is 'abc'"),
        ({"seed": math.nan}, "Seed is nan"),
        ({"model": ""}, "Model is ''"),
        ({"model": None}, "Model is ''"),
        ({"objective": "magic"}, "no objective “magic”"),
        ({"objective": None}, "no objective “None”"),
        ({"preset": "fair"}, "no preset “fair”"),
        ({"objective": "npo", "fo_own": {"npo.beta": -1}}, "β is -1"),
        ({"fo_objective": {"retain": "hidden"}}, "cannot have the retain term “hidden”"),
        ({"weights": {"kind": "lora", "rank": 0}}, "LoRA rank is 0"),
        ({"weights": {"kind": None}}, "Weights is empty"),
        ({"mode": ANY}, "No method is chosen"),
        ({"mode": ANY, "methods": ["so-magic"]}, "no method “so-magic”"),
        ({"mode": ANY, "methods": ["so-npo"], "changes": "lr 3"}, "“lr 3” is no change"),
        ({"mode": ANY, "methods": ["so-npo"], "changes": "fo-npo.lr = 3"}, "no lane of this race"),
        ({"mode": ANY, "methods": ["icul"], "changes": "icul.weights = lora"}, "cannot have lora weights"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_it(change, words):
    with pytest.raises(ConfigError, match=words):
        Form(**change).config()


def test_only_a_pickable_task_offers_authors_by_name():
    assert [value for _, value in split_choices("invented-authors")] == ["forget01", "forget05", "forget10", "authors"]
    assert [value for _, value in split_choices("tofu")] == ["forget01", "forget05", "forget10"]
