"""Settings of single lanes by name: typed on the page and the command line, and read back from a lane."""

import pytest

from soul_core.config import LaneConfig, LaneSetting, ObjectiveConfig, OptimizerConfig
from soul_core.errors import ConfigError
from soul_core.session.changes import changed_lane, changed_lanes, changes_from_text, differences


def lane(name: str = "fo", objective: str = "graddiff") -> LaneConfig:
    return LaneConfig(
        name=name, label=name.upper(), optimizer=OptimizerConfig(), objective=ObjectiveConfig(name=objective)
    )


def test_a_name_finds_the_optimizers_the_objectives_and_the_weights_settings():
    changed = changed_lane(
        lane(objective="npo"), {"lr": "0.1", "gamma": "2", "beta": "0.3", "weights": "lora", "rank": "4"}
    )
    assert changed.optimizer.lr == 0.1
    assert changed.objective == ObjectiveConfig(name="npo", gamma=2.0, beta=0.3)
    assert (changed.weights.kind, changed.weights.rank) == ("lora", 4)


def test_an_own_setting_is_kept_as_a_number_and_not_as_the_typed_text():
    assert changed_lane(lane(objective="npo"), {"beta": "0.3"}).objective.options == {"beta": 0.3}


def test_a_setting_for_all_goes_to_the_lanes_that_have_it():
    changed = changed_lanes([lane("a", "npo"), lane("b", "graddiff")], {"beta": "0.4"}, [])
    assert [x.objective.options for x in changed] == [{"beta": 0.4}, {}]


def test_a_setting_that_no_lane_has_is_refused_and_says_whose_it_is():
    with pytest.raises(ConfigError, match=r"GradDiff has no setting “beta”; it is one of .*NPO"):
        changed_lanes([lane()], {"beta": "0.4"}, [])


def test_another_objective_leaves_the_old_ones_settings_behind():
    mine = changed_lane(lane(objective="npo"), {"beta": "0.3"})
    assert changed_lane(mine, {"objective": "graddiff"}).objective == ObjectiveConfig(name="graddiff")


def test_a_lane_named_twice_is_refused_and_told_how_to_run_it_twice():
    with pytest.raises(ConfigError, match=r"“fo” is named twice\. Give one a name of its own, such as other=fo"):
        changed_lanes([lane(), lane()], {}, [])


def test_a_value_out_of_bounds_is_named_with_its_title():
    with pytest.raises(ConfigError, match=r"β is '-1', but it should be greater than 0"):
        changed_lane(lane(objective="npo"), {"beta": "-1"})


def test_lines_are_read_and_comments_and_empty_lines_skipped():
    text = "so-npo.lr = 5e-4\n\n# a thought\nfo.curvature-every=5  # rarer"
    assert changes_from_text(text) == [
        LaneSetting("so-npo", "lr", "5e-4"),
        LaneSetting("fo", "curvature_every", "5"),
    ]


@pytest.mark.parametrize("line", ["lr = 1", "fo.lr", "fo. = 3", ".lr = 3", "fo.lr =", "hello"])
def test_a_line_that_says_no_change_is_refused_with_an_example(line: str):
    with pytest.raises(ConfigError, match=r"is no change\. Write lane, setting and value: so-npo\.lr = 0\.0005"):
        changes_from_text(line)


def test_the_differences_to_a_lane_lead_from_it_to_the_other():
    usual = lane(objective="npo")
    changes = {"lr": 0.25, "rho": 3.0, "gamma": 7.0, "retain": "kl", "beta": 0.7, "weights": "lora", "init": "fila"}
    mine = changed_lane(usual, changes)
    assert differences(mine, usual) == changes
    assert changed_lane(usual, differences(mine, usual)) == mine
    assert differences(usual, usual) == {}


def test_the_differences_to_a_lane_of_another_objective_name_it_first():
    mine = changed_lane(lane(objective="npo"), {"beta": 0.7})
    found = differences(mine, lane())
    assert next(iter(found)) == "objective"
    assert changed_lane(lane(), found) == mine
