"""Windows of time, not of rows: ``(t - hours, t]`` within one resource.

A gap makes a window hold fewer points, never older ones. Null values are skipped. Nothing after ``t`` is read, so a
feature at ``t`` is the same whether or not the future is known yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.features.feature import Feature, hidden

if TYPE_CHECKING:
    from collections.abc import Callable

Statistic = Literal["mean", "std", "min", "max", "p95"]

HOUR_US = 3_600_000_000
#: A factor, not a divisor: Polars divides a column by a constant in another way than a single value, which made the
#: last bit of a feature depend on the number of rows.
HOURS_PER_US = 1 / HOUR_US


def window(value: pl.Expr, statistic: Statistic, hours: int) -> pl.Expr:
    """A statistic over ``(t - hours, t]``, per resource.

    ``std`` divides by n - 1 and is null under two points; ``p95`` interpolates linearly between order statistics, as
    numpy and pandas do; the others are null when the window holds no value.
    """
    return _in_window(value, statistic, hours).over(RESOURCE)


def slope(name: str, metric: str, hours: int, *, scale: float = 1) -> list[Feature]:
    """Least-squares slope per hour over ``(t - hours, t]``, times ``scale``; null under two points.

    Moments: ``(mean(xy) - mean(x) mean(y)) / (mean(xx) - mean(x)^2)``. They cancel badly unless both are small, so y
    is taken from the resource's first value, and x from the start of a block of two window lengths: of two block grids
    that are offset by one window, one always holds the whole window, and that one is read. Hours since the start of a
    three-year series would cost seven digits. (A mean over the whole series would centre y as well, but reads ahead.)

    Points closer together than two millionths of the window have no slope that a float could hold: null.
    """
    y = pl.col(metric) - pl.col(metric).drop_nulls().first()
    moment = {part: hidden(f"{name}_{part}") for part in ("x", "y", "xy", "xx")}
    spread = pl.col(moment["xx"]) - pl.col(moment["x"]).pow(2)
    together = pl.col(moment["xy"]) - pl.col(moment["x"]) * pl.col(moment["y"])
    steep = pl.when(spread > 1e-12 * hours**2).then(scale * together / spread)
    return [
        Feature(moment["x"], (metric,), _in_block(lambda x: x, y, hours)),
        Feature(moment["y"], (metric,), _in_window(y, "mean", hours).over(RESOURCE)),
        Feature(moment["xy"], (metric,), _in_block(lambda x: x * y, y, hours)),
        Feature(moment["xx"], (metric,), _in_block(lambda x: x * x, y, hours)),
        Feature(name, (metric,), steep, derived=True),
    ]


def _in_block(moment: Callable[[pl.Expr], pl.Expr], y: pl.Expr, hours: int) -> pl.Expr:
    """The mean of ``moment(x)`` where y is known, x being hours in whichever block grid holds the whole window."""
    start, length = pl.col(TIMESTAMP).to_physical(), hours * HOUR_US

    def mean(shift: int) -> pl.Expr:
        x = pl.when(y.is_not_null()).then((start + shift) % (2 * length) * HOURS_PER_US)
        return _in_window(moment(x), "mean", hours)

    whole_in_first_grid = start % (2 * length) >= length
    return pl.when(whole_in_first_grid).then(mean(0)).otherwise(mean(length)).over(RESOURCE)


def _in_window(value: pl.Expr, statistic: Statistic, hours: int) -> pl.Expr:
    by, size = pl.col(TIMESTAMP), f"{hours}h"
    match statistic:
        case "mean":
            return value.rolling_mean_by(by, size, closed="right")
        case "std":
            return value.rolling_std_by(by, size, closed="right", min_samples=2)
        case "min":
            return value.rolling_min_by(by, size, closed="right")
        case "max":
            return value.rolling_max_by(by, size, closed="right")
        case "p95":
            return value.rolling_quantile_by(by, size, quantile=0.95, interpolation="linear", closed="right")
