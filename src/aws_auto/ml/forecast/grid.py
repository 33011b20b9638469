"""A metric of many resources on one regular grid, so that a lag is a shift by time and never by row.

A column is an hour, or as many hours as the points of the metric lie apart: a part of a day, a day, or a week.
"""

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

#: Older columns are left out: one stray timestamp must not make the grid decades wide.
MOST_HOURS = 2 * 366 * DAY
#: Hours that a column may hold; a day is a whole number of them, or they are whole days.
STEPS = (1, 2, 3, 4, 6, 8, 12, DAY, WEEK)
#: Columns of the short and the long cycle of demand where a column is a day or longer: a week and four of them, four
#: weeks and a year. Where it is shorter they are a day and a week.
CYCLES = {DAY: (7, 28), WEEK: (4, 52)}
#: How steps are written for people.
UNITS = {1: "h", DAY: "d", WEEK: "w"}
#: 1970-01-01 was a Thursday; the weeks of a grid begin on Mondays.
MONDAY = 4 * DAY
#: Fewer distances between points in a day do not say how often there is one.
LEAST_GAPS = 4
#: Points that come a little late still come every hour.
LATE = 1.1

Kind = Literal["sum", "mean"]


@dataclass(frozen=True)
class HourGrid:
    """Values by resource (rows) and period of ``step`` hours (columns); NaN where nothing was seen.

    Attributes:
        resources: row names, sorted.
        first: periods since 1970 of column 0; see `columns_at`.
        values: shape ``(len(resources), hours)``.
        step: hours in a column, one of `STEPS`.
    """

    resources: tuple[str, ...]
    first: int
    values: Floats
    step: int = 1

    @property
    def hours(self) -> int:
        """Number of columns."""
        return int(self.values.shape[1])

    def part(self, rows: slice) -> HourGrid:
        """The same of some of the resources."""
        return HourGrid(self.resources[rows], self.first, self.values[rows], self.step)

    @property
    def cycle(self) -> int:
        """Columns of a day; of a week where a column is a day, of four weeks where it is a week."""
        return cycles(self.step)[0]

    @property
    def long_cycle(self) -> int:
        """Columns of a week; of four weeks where a column is a day, of a year where it is a week."""
        return cycles(self.step)[1]

    def time(self, column: int) -> datetime:
        """When that column begins."""
        return datetime.fromtimestamp(0, UTC) + timedelta(hours=int(self._hours(np.asarray(column))))

    def hour_of_day(self, columns: Ints) -> Ints:
        """0 to 23, UTC."""
        return np.asarray(self._hours(columns) % DAY)

    def day_of_week(self, columns: Ints) -> Ints:
        """Monday 0 to Sunday 6, UTC; 1970-01-01 was a Thursday."""
        return np.asarray((self._hours(columns) // DAY + 3) % 7)

    def _hours(self, columns: Ints) -> Ints:
        return starts(self.first + columns, self.step) // HOUR_US

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


def columns_at(seconds: Ints | int, step: int) -> Ints:
    """Periods of ``step`` hours from 1970 on (its first Monday, for weeks) to the one that holds each moment."""
    return np.asarray((np.asarray(seconds) - _offset(step) * 3600) // (3600 * step))


def starts(periods: Ints, step: int) -> Ints:
    """When each of these periods begins, microseconds since 1970; the inverse of `columns_at`."""
    return np.asarray((periods * step + _offset(step)) * HOUR_US)


def _offset(step: int) -> int:
    return MONDAY if step == WEEK else 0


def usual_gaps(data: pl.DataFrame, metric: str) -> dict[str, float]:
    """Seconds between the points of each resource that has two or more.

    The first quartile, so that a series of which two thirds are missing still has the period that it is sampled with.
    """
    rows = data.filter(pl.col(metric).is_not_null()).sort(RESOURCE, TIMESTAMP)
    gaps = rows.select(RESOURCE, gap=pl.col(TIMESTAMP).diff().dt.total_seconds().over(RESOURCE)).drop_nulls()
    return dict(gaps.group_by(RESOURCE).agg(pl.col("gap").quantile(0.25, "lower")).iter_rows())


def step_for(gap: float) -> int | None:
    """The shortest of `STEPS` that points so many seconds apart can fill, None where they lie farther apart."""
    return next((step for step in STEPS if gap <= LATE * 3600 * step), None)


def gridded(data: pl.DataFrame, metric: str, kind: Kind, *, step: int = 1) -> HourGrid:
    """The metric by period of ``step`` hours: its mean, or the sum that the period would have with no point missing.

    A period with fewer than half of its points is unknown, not small.

    Args:
        data: ``resource_id``, ``timestamp``, the metric.
        metric: a column.
        kind: ``sum`` for counts of a period, ``mean`` for levels and rates.
        step: one of `STEPS`.

    Hours older than two years before the newest one are left out; of longer periods as many.

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
    if step > 1:
        rows = _hours_first(rows, kind)
    by_period = _by_period(rows, kind, step).filter(pl.col("period") > pl.col("period").max() - MOST_HOURS)
    resources = tuple(rows[RESOURCE].unique().sort().to_list())
    if by_period.is_empty():
        raise NotEnoughData(f"no {named(step)} has half of its points", where=metric)
    periods = by_period["period"].to_numpy()
    first = int(periods.min())
    values = np.full((len(resources), int(periods.max()) - first + 1), np.nan)
    row = {name: i for i, name in enumerate(resources)}
    values[[row[name] for name in by_period[RESOURCE].to_list()], periods - first] = by_period["value"].to_numpy()
    return HourGrid(resources, first, values, step)


def _by_period(rows: pl.DataFrame, kind: Kind, step: int) -> pl.DataFrame:
    """``resource_id``, ``period``, ``value`` where half of the points or more are there.

    How many there would be is said by the points of the same day: CloudWatch keeps minutes for two weeks, then five
    minutes, then hours, so that one series may hold all three. A day with few points has those of the whole series.
    """
    whole = 3600.0 * step
    gap, day = pl.col(TIMESTAMP).diff().dt.total_seconds().over(RESOURCE), pl.col(TIMESTAMP).dt.date()
    of_day = pl.col("gap").quantile(0.25, "lower").over(RESOURCE, day)
    counts = pl.col("gap").count().over(RESOURCE, day) >= LEAST_GAPS
    usual = pl.when(counts).then(of_day).otherwise(pl.col("gap").median().over(RESOURCE)).fill_null(whole)
    return (
        rows.with_columns(gap=gap)
        .with_columns(
            usual=whole / usual.clip(1, whole),
            period=(pl.col(TIMESTAMP).dt.epoch("us") - _offset(step) * HOUR_US) // (HOUR_US * step),
        )
        .group_by(RESOURCE, "period")
        .agg(pl.col("value").mean(), points=pl.len(), usual=pl.col("usual").first())
        .filter(pl.col("points") >= 0.5 * pl.col("usual"))
        .with_columns(value=pl.col("value") * (pl.col("usual") if kind == "sum" else 1.0))
    )


def _hours_first(rows: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Hours of the series that have a point an hour or more, so that each counts the same; the others as they are."""
    fine = [name for name, gap in usual_gaps(rows, "value").items() if step_for(gap) == 1]
    hours = _by_period(rows.filter(pl.col(RESOURCE).is_in(fine)), kind, 1)
    times = pl.from_epoch(pl.col("period") * 3600).dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    parts = [hours.select(RESOURCE, times.alias(TIMESTAMP), "value"), rows.filter(~pl.col(RESOURCE).is_in(fine))]
    return pl.concat(parts, how="vertical_relaxed").sort(RESOURCE, TIMESTAMP)


def cycles(step: int) -> tuple[int, int]:
    """Columns of the short and of the long cycle of a grid with this step; see `HourGrid`."""
    return CYCLES.get(step, (DAY // step, WEEK // step))


def named(step: int, *, many: bool = False) -> str:
    """``hour``, ``days``, ``periods of 3 hours``."""
    s = "s" if many else ""
    return {1: f"hour{s}", DAY: f"day{s}", WEEK: f"week{s}"}.get(step, f"period{s} of {step} hours")


def step_name(steps: int, hours: int) -> str:
    """So many steps of so many hours each: ``4h``, ``2d``, ``1w``."""
    return f"{steps}{UNITS[hours]}" if hours in UNITS else f"{steps * hours}h"


def hours_of(name: str) -> int:
    """How far ahead `step_name` says."""
    return int(name[:-1]) * next(hours for hours, unit in UNITS.items() if name.endswith(unit))


def trailing_mean(values: Floats, width: int, least: int) -> Floats:
    """Mean of the last ``width`` columns including the present one; NaN with fewer than ``least`` of them."""
    seen = np.isfinite(values)
    total = np.cumsum(np.where(seen, values, 0.0), axis=1)
    count = np.cumsum(seen, axis=1)
    total[:, width:] -= total[:, :-width].copy()
    count[:, width:] -= count[:, :-width].copy()
    return np.where(count >= least, total / np.maximum(count, 1), np.nan)
