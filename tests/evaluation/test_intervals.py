"""Bootstrap intervals: exact where they can be worked out, sensible where nothing varies, refused where they lie."""

import math

import numpy as np
import pytest

from soul_core.errors import DatasetError
from soul_core.evaluation.intervals import (
    RESAMPLES,
    Difference,
    mean_interval,
    mean_of,
    paired_difference,
    resampled_means,
)


def test_the_interval_of_shares_is_that_of_the_binomial_distribution():
    # 50 ones of 100: the resampled mean is Binomial(100, 1/2)/100, of which 2.5 % lie below 0.40 and above 0.60.
    low, high = mean_interval([0.0, 1.0] * 50)
    assert low == pytest.approx(0.40, abs=0.011)
    assert high == pytest.approx(0.60, abs=0.011)


def test_the_interval_of_a_mean_nears_that_of_the_normal_distribution():
    values = np.random.default_rng(5).normal(3.0, 2.0, size=400)
    half = 1.96 * values.std() / math.sqrt(400)
    assert mean_interval(values) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_intervals_hold_the_true_mean_in_about_95_of_100_samples():
    draw = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = mean_interval(draw.exponential(1.0, size=60))
        held += low <= 1.0 <= high
    # Percentile intervals of skewed values are a little short; 200 draws at 95 % have a standard error of 1.5 %.
    assert 0.88 <= held / 200 <= 0.985


def test_shifting_and_scaling_values_shifts_and_scales_the_interval():
    values = np.random.default_rng(0).random(30)
    low, high = mean_interval(values)
    assert mean_interval(10 + 3 * values) == pytest.approx((10 + 3 * low, 10 + 3 * high))


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(0).random(30)
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_one_row_has_no_interval_and_equal_rows_one_without_width():
    assert mean_interval([0.3]) is None
    # As floats, (0.1 + 0.1 + 0.1) / 3 is 0.10000000000000002.
    assert mean_interval([0.1] * 3) == (0.1, 0.1)


def test_a_mean_is_kept_with_its_interval_its_rows_and_their_values():
    found = mean_of([0.0, 1.0, 0.5], note="said")
    assert found.measured.value == 0.5
    assert 0 <= found.measured.low < 0.5 < found.measured.high <= 1
    assert (found.measured.rows, found.measured.note, found.per_row) == (3, "said", (0.0, 1.0, 0.5))
    alone = mean_of([0.3]).measured
    assert (alone.value, alone.low, alone.high, alone.rows) == (0.3, None, None, 1)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([], "There are no rows."),
        ([1.0, math.nan, 2.0], "1 of 3 rows have no finite value, so there is no mean."),
        ([math.inf, math.nan], "2 of 2 rows have no finite value, so there is no mean."),
    ],
)
def test_where_there_is_no_mean_there_is_a_reason(values: list[float], note: str):
    found = mean_of(values)
    assert found.measured.value is None
    assert found.measured.note == note
    assert found.per_row == ()


def test_rows_drawn_together_keep_what_binds_them():
    # The second number of a row is 1 minus the first: so is every pair of resampled means.
    first = np.random.default_rng(0).random(20)
    means = resampled_means(np.stack([first, 1 - first], axis=1))
    assert means.shape == (RESAMPLES, 2)
    np.testing.assert_allclose(means.sum(axis=1), 1.0)


def test_many_rows_are_drawn_a_few_resamples_at_a_time():
    means = resampled_means(np.arange(5000.0)[:, None])
    assert means.shape == (RESAMPLES, 1)
    # Standard error of a mean of 5000 of 0 … 4999: 1443.4 / sqrt(5000) = 20.4.
    assert means.std() == pytest.approx(20.4, rel=0.1)


def test_a_paired_difference_is_exact_where_rows_differ_by_a_constant():
    # Rows vary by orders of magnitude, but each by the same 0.25: nothing is uncertain about the difference.
    rows = np.array([1.0, 100.0, 10_000.0])
    assert paired_difference(rows + 0.25, rows) == Difference(0.25, 0.25, 0.25, 3)


def test_a_paired_difference_by_hand_and_its_mirror():
    first, second = [1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.0]
    forth, back = paired_difference(first, second), paired_difference(second, first)
    assert forth.mean == 0.5 and forth.rows == 4
    # Of the differences 1, 0, 0, 1 resampled means are k/4; P(k = 0) = P(k = 4) = 1/16 > 2.5 %.
    assert (forth.low, forth.high) == (0.0, 1.0)
    assert (back.mean, back.low, back.high) == (-0.5, -1.0, 0.0)


def test_one_pair_has_a_difference_and_no_interval():
    assert paired_difference([0.5], [0.25]) == Difference(0.25, None, None, 1)


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ([1.0, 2.0], [1.0], "one has 2 rows, the other 1. Score both on the same rows."),
        ([], [], "There are no rows to compare"),
        ([1.0, math.inf], [1.0, math.inf], "Row 2 has no finite value"),
        ([1.0, 2.0], [math.nan, 2.0], "Row 1 has no finite value"),
    ],
)
def test_methods_that_cannot_be_compared_row_by_row_are_refused_in_a_sentence(
    first: list[float], second: list[float], sentence: str
):
    with pytest.raises(DatasetError, match=sentence):
        paired_difference(first, second)


@pytest.mark.parametrize("values", [[], [[1.0]], [1.0, math.nan]])
def test_an_interval_of_something_else_is_refused(values: list[float]):
    with pytest.raises(ValueError, match="expected"):
        mean_interval(values)
