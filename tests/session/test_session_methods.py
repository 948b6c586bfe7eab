"""Methods by name: every one is a lane, and a lane says which method it is."""

import shlex

import pytest

from soul_core.cli.main import parsed
from soul_core.cli.race import config_of
from soul_core.config import ObjectiveConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.objectives import OBJECTIVES, options_of
from soul_core.session.changes import changed_lane
from soul_core.session.checks import check_race
from soul_core.session.command import command_of
from soul_core.session.methods import NAMED, RUNNERS, WEIGHTS, lane_of, method_names, method_of

EVERY = [*method_names(), *(f"{r}-graddiff{end}" for r in RUNNERS for end in WEIGHTS if end)]


@pytest.mark.parametrize("method", EVERY)
def test_every_method_is_a_valid_lane_of_its_name_that_knows_what_it_is(method: str):
    lane = lane_of(method, "same-settings")
    assert lane.name == method
    assert method_of(lane) == method
    check_race(RaceConfig(lanes=(lane,)))


def test_there_is_a_method_for_every_trained_objective_and_optimizer_and_for_all_that_train_nothing():
    trained = [name for name, objective in OBJECTIVES.items() if objective.kind == "trained"]
    assert {f"{r}-{name}" for name in trained for r in RUNNERS} < set(method_names())
    rest = {objective.name for objective in OBJECTIVES.values() if objective.kind != "trained"}
    assert rest == {method.objective for method in NAMED.values()} - set(trained)


def test_loku_is_the_hinge_loss_on_fila_and_is_compared_with_ascent_on_lora():
    loku, baseline = lane_of("loku", "same-settings"), lane_of("ga-lora", "same-settings")
    assert (loku.objective.name, loku.weights.kind, loku.weights.init) == ("ihl", "lora", "fila")
    assert (baseline.objective.name, baseline.weights.kind, baseline.weights.init) == ("ga", "lora", "zero")
    assert loku.optimizer.name == baseline.optimizer.name == "adamw"


def test_fo_and_so_of_one_objective_differ_in_the_optimizer_alone():
    fo, so = lane_of("fo-npo", "same-settings"), lane_of("so-npo", "same-settings")
    assert (fo.objective, fo.weights, fo.optimizer.lr) == (so.objective, so.weights, so.optimizer.lr)
    assert (fo.optimizer.name, so.optimizer.name) == ("adamw", "sophia")


def test_a_lane_can_have_a_name_of_its_own():
    lane = lane_of("gentle=so-npo", "same-settings")
    assert lane.name == "gentle"
    assert lane.but(name="so-npo") == lane_of("so-npo", "same-settings")


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("so-nop", "There is no method “so-nop”. Did you mean “so-npo”"),
        ("adamw-npo", "Write an optimizer (fo, so, sign, sgd, release) and an objective"),
        ("fo-influence", "Write an optimizer"),
        ("", "There is no method “”"),
    ],
)
def test_an_unknown_method_is_one_sentence(method: str, said: str):
    with pytest.raises(ConfigError) as error:
        lane_of(method, "same-settings")
    assert said in str(error.value)


def test_the_command_of_any_methods_makes_the_same_race_again():
    lanes = [lane_of(m, "each-at-its-best") for m in ("so-graddiff", "fo-npo", "loku", "influence-cg", "mine=so-npo")]
    lanes[1] = changed_lane(lanes[1], {"lr": 0.00012345, "beta": 0.25, "retain": "kl"})
    lanes[2] = changed_lane(lanes[2], {"rank": 3})
    lanes[3] = changed_lane(lanes[3], {"retain_rise": 0.125})
    lanes[4] = changed_lane(lanes[4], {"optimizer": "sgd"})
    config = RaceConfig(preset="each-at-its-best", lanes=tuple(lanes))
    words = shlex.split(command_of(config))
    again = config_of(parsed(words[3:]))
    labels = {lane.name: lane.label for lane in config.lanes}
    assert [x.but(label=labels[x.name]) for x in again.lanes] == list(config.lanes)


def test_weights_given_for_all_bring_the_presets_rate_for_them():
    config = config_of(parsed(["race", "--methods", "fo-graddiff", "--weights", "lora"]))
    assert config.lanes[0].but(name="fo-graddiff-lora", label="x") == lane_of("fo-graddiff-lora", "same-settings").but(
        label="x"
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("original=so-npo", "A lane cannot be called “original”"),
        ("so-npo,so-npo", "“so-npo” is named twice"),
        (",".join(f"{r}-ga" for r in RUNNERS) + ",loku,icul", "7 methods are named, but a race has room for 6"),
    ],
)
def test_names_that_cannot_be_are_one_sentence(names: str, said: str):
    with pytest.raises(ConfigError) as error:
        config_of(parsed(["race", "--methods", names]))
    assert said in str(error.value)


def test_methods_and_objective_together_are_refused():
    with pytest.raises(ConfigError, match="--methods says who runs, so --objective says it twice"):
        config_of(parsed(["race", "--methods", "so-npo", "--objective", "npo"]))


def test_an_objective_that_is_not_trained_has_no_fo_and_so():
    with pytest.raises(ConfigError, match=r"Influence has no FO and SO\. Run it with --methods influence"):
        config_of(parsed(["race", "--objective", "influence"]))


def test_what_an_objective_has_of_its_own_is_an_option_for_all_lanes_that_have_it():
    config = config_of(parsed(["race", "--methods", "so-npo,fo-graddiff", "--beta=0.3"]))
    assert [options_of(lane.objective) for lane in config.lanes] == [{"beta": 0.3}, {}]


@pytest.mark.parametrize(
    ("lane", "said"),
    [
        (changed_lane(lane_of("fo-npo", "same-settings"), {"init": "fila"}), "FILA, which is a start of LoRA"),
        (changed_lane(lane_of("icul", "same-settings"), {"weights": "lora"}), "ICUL changes no weights"),
        (changed_lane(lane_of("influence", "same-settings"), {"weights": "bfloat16"}), "one step of all weights"),
        (changed_lane(lane_of("fo-ga", "same-settings"), {"retain": "kl"}), "GA cannot have the retain term “kl”"),
    ],
)
def test_settings_that_do_not_go_together_are_one_sentence(lane, said: str):
    with pytest.raises(ConfigError) as error:
        check_race(RaceConfig(lanes=(lane,)))
    assert said in str(error.value)


def test_an_own_setting_that_the_objective_does_not_have_is_told_before_anything_runs():
    lane = lane_of("fo-graddiff", "same-settings").but(objective=ObjectiveConfig(name="graddiff", beta=0.1))
    with pytest.raises(ConfigError, match="There is no setting “beta”"):
        check_race(RaceConfig(lanes=(lane,)))
