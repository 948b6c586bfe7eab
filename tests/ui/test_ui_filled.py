"""A race put back into Setup makes the same race again."""

from collections import Counter

import pytest

from soul_core.config import RaceConfig
from soul_core.objectives import OBJECTIVES
from soul_core.session.changes import changed_lane
from soul_core.session.methods import lane_of, method_names
from soul_core.ui.filled import form_of
from soul_core.ui.form import ANY, PAIR, Form, Layout
from tests.ui.scenes import TRAINED, UNTRAINED

PRESETS = ("same-settings", "each-at-its-best", "as-published")


def again(config: RaceConfig) -> Form:
    """The form of a race, by way of the components' values."""
    layout = Layout.now()
    return layout.form(layout.values(form_of(config, layout)))


@pytest.mark.parametrize("objective", TRAINED)
@pytest.mark.parametrize("preset", PRESETS)
def test_fo_against_so_of_every_objective(objective, preset):
    config = Form(objective=objective, preset=preset, control=True, epochs=2, seed=7).config()
    form = again(config)
    assert (form.mode, form.objective, form.control) == (PAIR, objective, True)
    assert form.config() == config
    assert not form.edited


@pytest.mark.parametrize("objective", [name for name in TRAINED if OBJECTIVES[name].fields])
def test_what_was_changed_by_hand_in_every_objective(objective):
    fields = OBJECTIVES[objective].fields
    changed = {f"{objective}.{name}": field.default * 2 + 1 for name, field in fields.items()}
    last = OBJECTIVES[objective].retains[-1]
    form = Form(objective=objective, so_own=changed, so_objective={"gamma": 0.7, "retain": last}, fo={"lr": 0.5})
    back = again(form.config())
    assert (back.mode, back.config()) == (PAIR, form.config())
    assert back.edited


@pytest.mark.parametrize("method", [*method_names(), "so-npo-lora", "fo-graddiff-bf16", "fo-ga-lora", "mine=so-rmu"])
def test_every_method(method):
    config = Form(mode=ANY, methods=[method, "other=sgd-ga"], changes="other.lr = 0.02").config()
    form = again(config)
    assert (form.mode, form.methods) == (ANY, [method, "other=sgd-ga"])
    assert form.changes == "other.lr = 0.02"
    assert form.config() == config


@pytest.mark.parametrize(
    "form",
    [
        Form(split="authors", authors=["Ana Bel", "Cem Dur"], shared={"eval_rows": 0, "schedule": "constant"}),
        Form(weights={"kind": "lora", "rank": 4, "init": "fila"}),
        Form(weights={"kind": "bfloat16"}, control=True),
        Form(
            mode=ANY,
            methods=["so-npo-lora", "loku", *UNTRAINED],
            changes="so-npo-lora.targets = q_proj,v_proj\nloku.rank = 2\nicul.wrong_shots = 3\ninfluence.damping = 1",
        ),
    ],
)
def test_whatever_the_page_can_say(form):
    back = again(form.config())
    assert (back.mode, back.config()) == (form.mode, form.config())


def test_lanes_called_fo_and_so_that_are_no_pair_become_methods():
    npo, rmu = lane_of("so=so-npo", "same-settings"), lane_of("fo=fo-rmu", "same-settings")
    config = Form().config().but(lanes=(rmu, npo))
    form = again(config)
    assert (form.mode, form.methods) == (ANY, ["fo=fo-rmu", "so=so-npo"])
    assert form.config() == config


def test_fo_with_a_setting_that_adamw_does_not_read_becomes_a_method_and_keeps_it():
    fo, so = Form().lanes()
    config = Form().config().but(lanes=(changed_lane(fo, {"rho": 0.5}), so))
    form = again(config)
    assert form.mode == ANY
    assert form.changes == "fo.rho = 0.5"
    assert [lane.optimizer for lane in form.lanes()] == [lane.optimizer for lane in config.lanes]


def test_a_default_that_is_written_down_is_the_default():
    fo, so = Form(objective="npo").lanes()
    written = fo.but(objective=fo.objective.but(retain="nll"))
    form = again(Form(objective="npo").config().but(lanes=(written, so)))
    assert (form.mode, form.edited) == (PAIR, False)


def test_no_method_is_offered_twice():
    assert max(Counter(method_names()).values()) == 1
