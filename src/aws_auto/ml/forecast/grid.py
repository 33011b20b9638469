"""A metric of many resources on one regular hourly grid, so that a lag is a shift by time and never by row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from aws_auto.errors import NotEnoughData, SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

DAY = 24
WEEK = 168
HOUR_US = 3_600_000_000

#: Older hours are left out: one stray timestamp must not make the grid decades wide.
MOST_HOURS = 2 * 366 * DAY

Kind = Literal["sum", "mean"]


@dataclass(frozen=True)
class HourGrid:
    """Values by resource (rows) and hour (columns); NaN where nothing was seen.

    Attributes:
        resources: row names, sorted.
        first: hours since 1970-01-01 UTC of column 0.
        values: shape ``(len(resources), hours)``.
    """

    resources: tuple[str, ...]
    first: int
    values: Floats

    @property
    def hours(self) -> int:
        """Number of columns."""
        return int(self.values.shape[1])

    def part(self, rows: slice) -> HourGrid:
        """The same of some of the resources."""
        return HourGrid(self.resources[rows], self.first, self.values[rows])

    def time(self, column: int) -> datetime:
        """Start of the hour of that column."""
        return datetime.fromtimestamp(0, UTC) + timedelta(hours=self.first + int(column))

    def hour_of_day(self, columns: Ints) -> Ints:
        """0 to 23, UTC."""
        return np.asarray((self.first + columns) % DAY)

    def day_of_week(self, columns: Ints) -> Ints:
        """Monday 0 to Sunday 6, UTC; 1970-01-01 was a Thursday."""
        return np.asarray(((self.first + columns) // DAY + 3) % 7)

    def day(self, columns: Ints) -> Ints:
        """Days since 1970-01-01."""
        return np.asarray((self.first + columns) // DAY)

    def at(self, columns: Ints) -> Floats:
        """``values[:, columns]``, NaN for columns outside of the grid; columns may have any shape."""
        inside = (columns >= 0) & (columns < self.hours)
        return np.where(inside, self.values[:, np.clip(columns, 0, self.hours - 1)], np.nan)

    def pick(self, columns: Ints) -> Floats:
        """Values at columns of each resource's own, ``(resources, ...)``; NaN for columns outside of the grid."""
        inside = (columns >= 0) & (columns < self.hours)
        row = np.arange(len(self.resources)).reshape(-1, *(1,) * (columns.ndim - 1))
        return np.where(inside, self.values[row, np.clip(columns, 0, self.hours - 1)], np.nan)

    def last_seen(self) -> Ints:
        """Column of each resource's last value, -1 when it has none."""
        seen = np.isfinite(self.values)
        last = self.hours - 1 - np.argmax(seen[:, ::-1], axis=1)
        return np.where(seen.any(axis=1), last, -1)


def hourly(data: pl.DataFrame, metric: str, kind: Kind) -> HourGrid:
    """The metric by hour: its mean, or the sum that the hour would have with no point missing.

    An hour with fewer than half of its points is unknown, not small.

    Args:
        data: ``resource_id``, ``timestamp``, the metric.
        metric: a column.
        kind: ``sum`` for counts of a period, ``mean`` for levels and rates.

    Hours older than two years before the newest one are left out.

    Raises:
        SchemaError: there is no such column.
        NotEnoughData: it holds no value.
    """
    if metric not in data.columns:
        raise SchemaError(
            f"no column {metric!r}", where="frame", hint=f"there is {', '.join(sorted(data.columns)) or 'nothing'}"
        )
    rows = data.select(RESOURCE, TIMESTAMP, value=pl.col(metric)).drop_nulls("value").sort(RESOURCE, TIMESTAMP)
    if rows.is_empty():
        raise NotEnoughData("holds no value", where=metric)
    step = pl.col(TIMESTAMP).diff().dt.total_seconds().median().over(RESOURCE).fill_null(3600.0).clip(1, 3600)
    by_hour = (
        rows.with_columns(per_hour=3600.0 / step, hour=pl.col(TIMESTAMP).dt.epoch("us") // HOUR_US)
        .group_by(RESOURCE, "hour")
        .agg(pl.col("value").mean(), points=pl.len(), per_hour=pl.col("per_hour").first())
        .filter(pl.col("points") >= 0.5 * pl.col("per_hour"))
        .filter(pl.col("hour") > pl.col("hour").max() - MOST_HOURS)
        .with_columns(value=pl.col("value") * (pl.col("per_hour") if kind == "sum" else 1.0))
    )
    resources = tuple(rows[RESOURCE].unique().sort().to_list())
    if by_hour.is_empty():
        raise NotEnoughData("no hour has half of its points", where=metric)
    hours = by_hour["hour"].to_numpy()
    first = int(hours.min())
    values = np.full((len(resources), int(hours.max()) - first + 1), np.nan)
    row = {name: i for i, name in enumerate(resources)}
    values[[row[name] for name in by_hour[RESOURCE].to_list()], hours - first] = by_hour["value"].to_numpy()
    return HourGrid(resources, first, values)


def trailing_mean(values: Floats, width: int, least: int) -> Floats:
    """Mean of the last ``width`` columns including the present one; NaN with fewer than ``least`` of them."""
    seen = np.isfinite(values)
    total = np.cumsum(np.where(seen, values, 0.0), axis=1)
    count = np.cumsum(seen, axis=1)
    total[:, width:] -= total[:, :-width].copy()
    count[:, width:] -= count[:, :-width].copy()
    return np.where(count >= least, total / np.maximum(count, 1), np.nan)
