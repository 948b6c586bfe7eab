"""95 % intervals made by drawing rows again: of a mean and of a paired difference. It knows no metric and no model.

Shape suffixes: N = rows, M = numbers of a row, R = resamples.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soul_core.errors import DatasetError
from soul_core.evaluation.card import Measured
from soul_core.evaluation.evidence import Floats
from soul_core.evaluation.registry import Found

RESAMPLES = 2000
ENDS = (0.025, 0.975)
# Rows drawn at once are kept below this many numbers (32 MB), however many rows a set has.
_MOST = 1 << 22
# Metrics of one set share their draws, at 8 MB a set; of larger sets they are drawn for each.
_REMEMBERED_ROWS = 512


class Difference(NamedTuple):
    """Mean of one method minus another's, row by row, with its 95 % interval where there are two rows or more."""

    mean: float
    low: float | None
    high: float | None
    rows: int


def resampled_means(values_NM: Floats, *, seed: int | tuple[int, ...] = 0) -> Floats:
    """Means over rows drawn again with replacement, all M numbers of a row drawn together.

    Args:
        values_NM: (N, M), N > 0.
        seed: The same seed and N give the same draws, so that numbers of one set vary together.

    Returns:
        (R, M) means, R = ``RESAMPLES``.
    """
    rows = len(values_NM)
    if values_NM.ndim != 2 or not rows:
        raise ValueError(f"expected (N, M) with N > 0, got {values_NM.shape}")
    if rows <= _REMEMBERED_ROWS:
        return np.asarray(_remembered_weights(rows, seed) @ values_NM)
    draw, at_once = np.random.default_rng(seed), max(1, _MOST // rows)
    counts = [min(at_once, RESAMPLES - start) for start in range(0, RESAMPLES, at_once)]
    return np.concatenate([_weights(draw, rows, count) @ values_NM for count in counts])


def mean_interval(values_N: npt.ArrayLike, *, seed: int = 0) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of a mean (Efron 1979).

    Returns:
        Its ends, with the mean between them; both the value itself where all rows are equal; None for one row, which
        says nothing about how rows vary.

    Raises:
        ValueError: No rows, or one that is not finite.
    """
    values = np.asarray(values_N, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"expected (N,) finite numbers with N > 0, got {values.shape}")
    if len(values) == 1:
        return None
    mean = _mean(values)
    if values.min() == values.max():
        return mean, mean
    low, high = np.quantile(resampled_means(values[:, None], seed=seed)[:, 0], ENDS)
    return min(float(low), mean), max(float(high), mean)


def mean_of(values_N: npt.ArrayLike, seed: int = 0, *, note: str = "") -> Found:
    """A mean over rows as a scorecard keeps it: with its interval and the rows' values.

    Args:
        values_N: One number for each row.
        seed: Of the resamples.
        note: What a reader must know about it.

    Returns:
        The mean. Without a value, and with a note that says why, where there are no rows or one of them has no finite
        value: a mean over the rest would be another number under the same name.
    """
    values = np.asarray(values_N, dtype=np.float64)
    if not len(values):
        return Found(measured=Measured(value=None, note="There are no rows."))
    broken = int((~np.isfinite(values)).sum())
    if broken:
        note = f"{broken} of {len(values)} rows have no finite value, so there is no mean."
        return Found(measured=Measured(value=None, rows=len(values), note=note))
    low, high = mean_interval(values, seed=seed) or (None, None)
    measured = Measured(value=_mean(values), low=low, high=high, rows=len(values), note=note)
    return Found(measured=measured, per_row=tuple(values.tolist()))


def paired_difference(first_N: npt.ArrayLike, second_N: npt.ArrayLike, *, seed: int = 0) -> Difference:
    """How much larger the first method's values are than the second's on the same rows, in the same order.

    Rows are drawn in pairs, so what makes a row hard for both methods cancels: the interval is usually narrower than
    those of the two means would suggest.

    Raises:
        DatasetError: The rows do not match, there are none, or one has no finite value.
    """
    first, second = np.asarray(first_N, dtype=np.float64), np.asarray(second_N, dtype=np.float64)
    if not first.size and not second.size:
        raise DatasetError("There are no rows to compare the two methods on. Score both on a set that has rows.")
    if first.shape != second.shape or first.ndim != 1:
        raise DatasetError(
            f"Methods are compared row by row, and one has {first.size} rows, the other {second.size}. "
            "Score both on the same rows."
        )
    broken = np.flatnonzero(~(np.isfinite(first) & np.isfinite(second)))
    if len(broken):
        raise DatasetError(
            f"Row {broken[0] + 1} has no finite value for one of the two methods, so they cannot be compared row by "
            "row. Score both again, or compare a metric that every row has."
        )
    differences = first - second
    low, high = mean_interval(differences, seed=seed) or (None, None)
    return Difference(_mean(differences), low, high, len(differences))


@lru_cache(maxsize=4)
def _remembered_weights(rows: int, seed: int | tuple[int, ...]) -> Floats:
    return _weights(np.random.default_rng(seed), rows, RESAMPLES)


def _weights(draw: np.random.Generator, rows: int, count: int) -> Floats:
    """(count, rows): each row's share of each resample, so that a product with values is the resampled mean."""
    drawn = draw.integers(rows, size=(count, rows)) + rows * np.arange(count)[:, None]
    return np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows) / rows


def _mean(values_N: Floats) -> float:
    """The mean; of equal values that very value, which a sum divided by N need not be."""
    return float(values_N[0] if values_N.min() == values_N.max() else values_N.mean())
