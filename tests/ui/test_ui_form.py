"""Setup's raw values become the settings of a race."""

import math

import pytest

from soul_core.errors import ConfigError
from soul_core.session.presets import lanes_for
from soul_core.ui.form import (
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


def test_an_untouched_form_is_the_default_race():
    config = Form().config()
    assert (config.model, config.task, config.epochs) == ("pocket", "invented-authors:forget10", 5)
    assert config.lanes == lanes_for("same-settings", "graddiff")


def test_every_setting_of_a_race_stands_in_the_form():
    # Nine plain fields, the shared ones, and objective and optimizer of both lanes.
    config = Form().config()
    expected = 9 + len(SHARED_FIELDS) + 2 * len(OBJECTIVE_FIELDS) + len(FO_FIELDS) + len(SO_FIELDS)
    assert len(values_of(config)) == expected
    assert "name" not in SO_FIELDS


@pytest.mark.parametrize(
    "form",
    [
        Form(),
        Form(control=True, preset="as-published", objective="npo", epochs=2, seed=7),
        Form(split="authors", authors=["Ana Bel", "Cem Dur"]),
    ],
)
def test_a_race_put_back_into_the_form_is_the_same_race(form):
    config = form.config()
    assert Form.of(*values_of(config)).config() == config


def test_authors_by_name_become_a_task_name():
    assert Form(split="authors", authors=["A B", "C D"]).task_spec == "invented-authors:authors=A B;C D"
    assert Form(split="authors", authors=None).task_spec == "invented-authors:authors="


def test_values_by_hand_go_into_their_own_lane_only():
    names = GROUPS["fo"]
    values = tuple(0.007 if name == "lr" else 0.5 for name in names)
    form = Form(fo=values)
    lanes = {lane.name: lane for lane in form.lanes()}
    assert lanes["fo"].optimizer.lr == 0.007
    assert lanes["so"].optimizer == lanes_for("same-settings", "graddiff")[1].optimizer
    assert form.edited
    assert not Form().edited


def test_the_control_shares_what_so_has_under_same_settings():
    so = tuple(0.003 if name == "lr" else getattr(Form().lanes()[1].optimizer, name) for name in SO_FIELDS)
    sign = Form(control=True, so=so).lanes()[2]
    assert (sign.name, sign.optimizer.name, sign.optimizer.lr) == ("sign", "sign-momentum", 0.003)


def test_adding_the_control_edits_nothing():
    form = Form.of(*values_of(Form(control=True).config()))
    assert form.control
    assert not form.edited


def test_preset_values_are_in_the_order_of_the_groups():
    fo, so = lanes_for("as-published", "graddiff")
    values = preset_values("as-published", "graddiff")
    assert values[: len(OBJECTIVE_FIELDS)] == tuple(getattr(fo.objective, name) for name in OBJECTIVE_FIELDS)
    assert values[-len(SO_FIELDS) :] == tuple(getattr(so.optimizer, name) for name in SO_FIELDS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "Epochs is 0"),
        ({"epochs": None}, "Epochs is None"),
        ({"epochs": 2.5}, "Epochs is 2.5"),
        ({"seed": "abc"}, "Seed is 'abc'"),
        ({"seed": math.nan}, "Seed is nan"),
        ({"model": ""}, "Model is ''"),
        ({"model": None}, "Model is ''"),
        ({"objective": "magic"}, "no objective “magic”"),
        ({"preset": "fair"}, "no preset “fair”"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_it(change, words):
    with pytest.raises(ConfigError, match=words):
        Form(**change).config()


def test_only_a_pickable_task_offers_authors_by_name():
    assert [value for _, value in split_choices("invented-authors")] == ["forget01", "forget05", "forget10", "authors"]
    assert [value for _, value in split_choices("tofu")] == ["forget01", "forget05", "forget10"]
