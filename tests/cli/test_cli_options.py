"""Options come from the settings' fields, and become settings again."""

import argparse
import shlex

import pytest

from soul_core.cli import main as cli_main
from soul_core.cli.options import add_settings, given, race_settings, split_lane_settings
from soul_core.cli.race import config_of
from soul_core.config import LaneConfig, LaneSetting, ObjectiveConfig, OptimizerConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.session.changes import changed_lanes
from soul_core.session.command import command_of
from soul_core.session.presets import lanes_for


def lane(name: str) -> LaneConfig:
    return LaneConfig(name=name, label=name.upper(), optimizer=OptimizerConfig(), objective=ObjectiveConfig())


def parsed(*words: str) -> argparse.Namespace:
    """As ``main`` does it."""
    return cli_main.parsed(["race", *words])


def test_an_option_says_what_its_field_says_with_bounds_and_default():
    command = argparse.ArgumentParser(prog="x", usage="x")
    add_settings(command.add_argument_group("settings"), RaceConfig, ["warmup", "schedule", "seed"])
    said = " ".join(command.format_help().split())
    assert (
        "--warmup X Share of the steps over which the rate rises from 0 (at least 0, at most 1). [default: 0.1]"
        in said
    )
    assert "--schedule {linear,constant}" in said
    # The seed's upper bound, 2**31 - 1, is nothing a person needs to read.
    assert "(at least 0). [default: 0]" in said


def test_an_option_that_is_not_typed_is_absent_so_that_the_fields_default_holds():
    arguments = parsed("--epochs", "2")
    assert given(arguments, race_settings()) == {"epochs": "2"}
    config = config_of(arguments)
    assert (config.epochs, config.batch_size) == (2, RaceConfig.model_fields["batch_size"].default)


def test_a_lanes_own_settings_are_taken_out_of_the_arguments_in_both_spellings():
    rest, found = split_lane_settings(["--seed", "3", "--fo.lr", "1e-3", "--so.curvature-every=5", "--json"])
    assert rest == ["--seed", "3", "--json"]
    assert found == [LaneSetting("fo", "lr", "1e-3"), LaneSetting("so", "curvature_every", "5")]


def test_a_lane_setting_without_a_value_is_refused():
    with pytest.raises(ConfigError, match=r"--fo\.lr has no value"):
        split_lane_settings(["--fo.lr"])


def test_a_setting_for_one_lane_leaves_the_others_and_wins_over_one_for_all():
    changed = changed_lanes([lane("fo"), lane("so")], {"lr": "0.1", "gamma": "2"}, [LaneSetting("so", "lr", "0.3")])
    assert [(x.optimizer.lr, x.objective.gamma) for x in changed] == [(0.1, 2.0), (0.3, 2.0)]


def test_a_lane_can_get_another_optimizer_and_objective():
    (changed,) = changed_lanes(
        [lane("fo")], {}, [LaneSetting("fo", "optimizer", "sophia"), LaneSetting("fo", "objective", "npo")]
    )
    assert (changed.optimizer.name, changed.objective.name) == ("sophia", "npo")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (LaneSetting("zz", "lr", "1"), "names no lane of this race. Its lanes are: fo"),
        (LaneSetting("fo", "rhoo", "1"), "no setting “rhoo”. Did you mean “rho”"),
        (LaneSetting("fo", "lr", "nan"), "Learning rate is 'nan'"),
        (LaneSetting("fo", "lr", "-1"), "Learning rate is '-1'"),
        (LaneSetting("fo", "lr", "fast"), "Learning rate is 'fast'"),
    ],
)
def test_a_wrong_lane_setting_is_one_sentence_with_the_value_and_a_way_out(setting: LaneSetting, said: str):
    with pytest.raises(ConfigError, match=said):
        changed_lanes([lane("fo")], {}, [setting])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lanes", "fo,zz"], "There is no lane “zz”. Choose from fo, so, sign"),
        (["--lanes", ","], "No lane is to run. Name at least one of fo, so, sign"),
        (["--objective", "foo"], "There is no objective “foo”. Objectives are: ga, graddiff"),
        (["--preset", "best"], "There is no preset “best”"),
        (["--epochs", "0"], "Epochs is '0'"),
        (["--epochs", "many"], "Epochs is 'many'"),
        (["--warmup", "nan"], "Warm-up is 'nan'"),
    ],
)
def test_a_wrong_option_is_one_sentence(words: list[str], said: str):
    with pytest.raises(ConfigError, match=said):
        config_of(parsed(*words))


def test_lanes_run_in_the_order_given_each_with_the_presets_settings():
    config = config_of(parsed("--preset", "as-published", "--lanes", "sign,so"))
    usual = {x.name: x for x in lanes_for("as-published", "graddiff", control=True)}
    assert config.lanes == (usual["sign"], usual["so"])


@pytest.mark.parametrize(
    "config",
    [
        RaceConfig(lanes=lanes_for("same-settings", "graddiff")),
        RaceConfig(preset="as-published", lanes=lanes_for("as-published", "npo", control=True), epochs=3, seed=7),
        RaceConfig(
            task="invented-authors:authors=Branwen Howelsby;Torvald Brekkander",
            lanes=changed_lanes(
                lanes_for("same-settings", "po"), {"gamma": 3}, [LaneSetting("so", "rho", "0.123456789")]
            ),
            warmup=0.05,
            schedule="constant",
            eval_rows=0,
        ),
    ],
    ids=["default", "published", "changed"],
)
def test_the_command_that_a_run_shows_gives_exactly_that_run(config: RaceConfig):
    words = command_of(config)
    assert words.startswith("python -m soul_core race ")
    assert config_of(parsed(*shlex.split(words)[4:])) == config
