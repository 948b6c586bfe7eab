"""Search spaces: how they are typed, what a grid has, what is drawn, and that every method gets as much."""

import math
from itertools import islice

import pytest

from soul_core.errors import ConfigError
from soul_core.session.search import Axis, points, space_from_text


@pytest.mark.parametrize(
    "text",
    ["lr=0.0001,0.001", "lr=log:0.0001..0.003", "beta=0.05..0.5", "curvature+rho=gnb/0.04,squared-gradient/10"],
)
def test_an_axis_reads_back_as_it_is_typed(text: str):
    assert space_from_text(text).text == text


def test_numbers_are_numbers_words_are_words_and_a_dash_in_a_name_is_the_fields_underscore():
    (axis,) = space_from_text("curvature-rows=batch,1,0.5,1e-3").axes
    assert (axis.names, axis.choices) == (("curvature_rows",), (("batch",), (1,), (0.5,), (0.001,)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "No setting is named"),
        ("lr", "is no axis"),
        ("lr=", "is no axis"),
        ("lr=1,,2", "is no axis"),
        ("lr=log:1,2", "is no axis"),
        ("a+b=1,2", "is no axis"),
        ("lr=x..2", "is no axis"),
        ("a+b=1..2", "one range"),
        ("lr=2..1", "no range"),
        ("lr=log:0..1", "number above 0"),
        ("lr=1,1", "a value twice"),
        ("lr=1 rho=2 lr=3", "names lr twice"),
    ],
)
def test_what_is_no_axis_is_refused_with_a_reason(text: str, said: str):
    with pytest.raises(ConfigError, match=said):
        space_from_text(text)


def test_a_grid_has_every_choice_with_every_other_and_tied_settings_stay_tied():
    grid = space_from_text("lr=1,2 curvature+rho=gnb/3,none/4").grid()
    assert grid == [
        {"lr": 1, "curvature": "gnb", "rho": 3},
        {"lr": 1, "curvature": "none", "rho": 4},
        {"lr": 2, "curvature": "gnb", "rho": 3},
        {"lr": 2, "curvature": "none", "rho": 4},
    ]


def test_a_range_has_no_grid():
    with pytest.raises(ConfigError, match="--budget"):
        points({"fo": space_from_text("lr=1..2")}, budget=None, seed=0)


def test_a_share_of_a_range_is_its_place_there():
    # Half way between 1e-4 and 1e-2 is 1e-3 by orders of magnitude, and 5.05e-3 by value.
    assert Axis(names=("lr",), low=1e-4, high=1e-2, log=True).at(0.5) == (1e-3,)
    assert Axis(names=("lr",), low=1e-4, high=1e-2).at(0.5) == (0.00505,)
    assert Axis(names=("rank",), low=2, high=9, whole=True).at(0.5) == (6,)  # 5.5 is rounded to even
    assert Axis(names=("lr",), choices=((1,), (2,), (3,))).at(0.7) == (3,)  # 0.7 * 3 = 2.1


def test_draws_of_a_logarithmic_range_fill_every_order_of_magnitude_alike():
    draws = [point["lr"] for point in islice(space_from_text("lr=log:1e-4..1e-2").draws(0), 2000)]
    below = sum(lr < 1e-3 for lr in draws) / len(draws)
    # The standard deviation of the share is sqrt(0.25 / 2000) = 0.011.
    assert below == pytest.approx(0.5, abs=0.05)
    assert min(draws) >= 1e-4 and max(draws) <= 1e-2


def test_what_two_methods_share_gets_the_same_values_and_the_rest_its_own():
    spaces = {
        "fo": space_from_text("beta2=0.9,0.99,0.999 lr=log:1e-4..1e-2"),
        "so": space_from_text("lr=log:1e-4..1e-2 gamma=1,3 rho=0.04..10"),
    }
    tried = points(spaces, budget=8, seed=5)
    assert [point["lr"] for point in tried["fo"]] == [point["lr"] for point in tried["so"]]
    assert len({point["lr"] for point in tried["fo"]}) == 8
    assert tried != points(spaces, budget=8, seed=6)


def test_a_larger_budget_begins_with_the_points_of_a_smaller_one():
    spaces = {"fo": space_from_text("lr=log:1e-4..1e-2 beta2=0.9,0.99"), "so": space_from_text("lr=log:1e-4..1e-2")}
    small, large = points(spaces, budget=3, seed=1), points(spaces, budget=9, seed=1)
    assert {name: found[:3] for name, found in large.items()} == small
    assert [len(found) for found in large.values()] == [9, 9]


def test_no_point_is_drawn_twice_and_shared_values_stay_shared_where_one_is_left_out():
    spaces = {"fo": space_from_text("lr=1,2,3,4"), "so": space_from_text("lr=1,2,3,4 rho=1,2")}
    tried = points(spaces, budget=4, seed=0)
    assert {point["lr"] for point in tried["fo"]} == {1, 2, 3, 4}
    assert [point["lr"] for point in tried["fo"]] == [point["lr"] for point in tried["so"]]


def test_a_space_with_too_few_points_for_the_budget_is_named():
    spaces = {"fo": space_from_text("lr=1,2"), "so": space_from_text("lr=log:1e-4..1e-2")}
    with pytest.raises(ConfigError, match="space of fo has fewer than 3"):
        points(spaces, budget=3, seed=0)
    with pytest.raises(ConfigError, match="at least 1"):
        points(spaces, budget=0, seed=0)


@pytest.mark.parametrize(("fo", "so"), [("lr=1,2 a=1", "lr=1,2 b=1,2"), ("lr=1,2 a=1,2,3,4", "lr=1,2,3,4 b=1,2")])
def test_grids_with_unlike_numbers_of_trials_or_of_a_shared_setting_are_no_fair_comparison(fo: str, so: str):
    with pytest.raises(ConfigError, match="no fair comparison"):
        points({"fo": space_from_text(fo), "so": space_from_text(so)}, budget=None, seed=0)


def test_grids_of_another_form_with_as_many_trials_are_fair():
    tried = points(
        {"fo": space_from_text("lr=1,2 a=1,2,3,4"), "so": space_from_text("lr=1,2 b=1,2 c=1,2")}, budget=None, seed=0
    )
    assert [len(grid) for grid in tried.values()] == [8, 8]
    assert math.prod((2, 2, 2)) == 8
