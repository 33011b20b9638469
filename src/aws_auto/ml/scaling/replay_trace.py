"""A load as it was recorded, on a regular grid, with what was done to it, and what it says about its fleet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import DataError, GapError, NotEnoughData
from aws_auto.frame import TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LOAD = "load"
#: Share of missing steps above which a history is not used.
MOST_MISSING = 0.05
#: Periods in which metrics are collected, in seconds: clocks that tremble do not make another one.
USUAL = (10, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600)
LONGEST_PERIOD = timedelta(hours=1)
#: An instance counts as full at this share of its CPU, where its capacity is read from CPU and load.
FULL_CPU = 80.0


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A load on a regular grid.

    Attributes:
        name: resource and metric, or the file.
        start: of the first step.
        period: length of a step.
        values: one a step, finite, not negative.
        simulated: no figure of it is about a real account.
        notes: what was done to it.
        capacity: load that one instance carries, None where the history does not say.
        price: USD for an instance-hour, None where the history does not say.
    """

    name: str
    start: datetime
    period: timedelta
    values: Floats = field(repr=False)
    simulated: bool = False
    notes: tuple[str, ...] = ()
    capacity: float | None = None
    price: float | None = None

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.period * len(self.values)


def trace(
    rows: pl.DataFrame,
    *,
    name: str,
    period: timedelta | None = None,
    simulated: bool = False,
    notes: Sequence[str] = (),
    capacity: float | None = None,
    price: float | None = None,
) -> Trace:
    """Rows of ``timestamp, load`` on a regular grid: means of what falls into a step, short gaps interpolated.

    Raises:
        NotEnoughData: under three rows.
        DataError: the load is negative or zero everywhere, or its rows are of one moment or further apart than an hour.
        GapError: more than 5 % of the steps have no value.
    """
    rows = rows.filter(pl.col(LOAD).is_finite()).sort(TIMESTAMP)
    if len(rows) < 3:
        raise NotEnoughData(f"{len(rows)} values are no history", where=name)
    if float(rows[LOAD].min()) < 0:  # type: ignore[arg-type] # numbers
        raise DataError("a load cannot be negative", where=name, hint="choose another metric")
    if float(rows[LOAD].max()) == 0:  # type: ignore[arg-type] # numbers
        raise DataError("the load is zero everywhere: no fleet is needed", where=name, hint="choose another metric")
    step = period or period_of(rows[TIMESTAMP])
    if step <= timedelta(0):
        raise DataError("all values are of one moment", where=name, hint="is the column of times the right one?")
    if step > LONGEST_PERIOD:
        raise DataError(
            f"has one value every {step}; a fleet is decided on within the hour",
            where=name,
            hint="collect the metric every five minutes, or every hour at least",
        )
    grid = (
        rows.with_columns(pl.col(TIMESTAMP).dt.truncate(step))
        .group_by(TIMESTAMP, maintain_order=True)
        .agg(pl.col(LOAD).mean())
        .upsample(TIMESTAMP, every=step)
    )
    missing = grid[LOAD].null_count()
    if missing > MOST_MISSING * len(grid):
        raise GapError(
            f"{missing} of {len(grid)} steps of {step} have no value",
            where=name,
            hint="give a coarser step, such as --period 1h, or a shorter --window",
        )
    said = [*notes]
    if missing:
        said.append(f"{missing} of {len(grid)} steps had no value and were interpolated")
    return Trace(
        name=name,
        start=grid[TIMESTAMP][0],
        period=step,
        values=grid[LOAD].interpolate().to_numpy(),
        simulated=simulated,
        notes=tuple(said),
        capacity=capacity,
        price=price,
    )


def observed(rows: pl.DataFrame, metric: str) -> tuple[float | None, float | None]:
    """Load that an instance carries at `FULL_CPU`, and what an instance-hour costs, where the history says so."""
    if not {"instance_count", "cpu_utilization"} <= set(rows.columns):
        return None, None
    busy = rows.filter((pl.col("instance_count") > 0) & (pl.col("cpu_utilization") > 5) & (pl.col(metric) > 0))
    if len(busy) < 24:
        return None, None
    each = busy.select(
        carried=pl.col(metric) / pl.col("instance_count") * FULL_CPU / pl.col("cpu_utilization"),
        paid=pl.col("hourly_cost") / pl.col("instance_count") if "hourly_cost" in busy.columns else pl.lit(None),
    )
    paid = each["paid"].drop_nulls().drop_nans().cast(pl.Float64)
    median = float(each["carried"].median())  # type: ignore[arg-type] # numbers
    return median, float(paid.median()) if len(paid) else None  # type: ignore[arg-type] # numbers


def period_of(times: pl.Series) -> timedelta:
    """The middle distance between neighbours, as a usual period where it is within a tenth of one."""
    steps = times.diff().drop_nulls().dt.total_microseconds()
    middle = steps.filter(steps > 0).median()
    found = timedelta(microseconds=middle) if isinstance(middle, (int, float)) else timedelta(0)
    usual = (timedelta(seconds=s) for s in USUAL)
    return next((u for u in usual if abs(found - u) <= u / 10), found)
