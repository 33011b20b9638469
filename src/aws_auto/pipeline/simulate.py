"""Simulate: play a load that really was against a fleet, before anybody trusts a policy with one.

The load comes from a metric in the lake, or from a table of ``timestamp`` and ``load``. The newest days are played;
everything before them is what the policies may learn from. What is assumed is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import NotEnoughData, SchemaError, UsageError
from aws_auto.frame import RESOURCE, TIMESTAMP, MetricFrame
from aws_auto.ml.scaling.replay_trace import FULL_CPU, LOAD, Trace, observed, trace
from aws_auto.pipeline.collect import is_simulated
from aws_auto.pipeline.simulate_mix import Mix, MixRow, play_mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.scaling.replay_compare import Compared
    from aws_auto.pipeline.ports import Window, Workspace

    Floats = NDArray[np.float64]

#: A policy learns from so many days at least, and plays so many at least.
LEARNED, PLAYED = timedelta(days=4), timedelta(days=1)
HOURS_A_MONTH = 730.0


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What is asked about; what is None is read from the history, or assumed and said.

    Attributes:
        boot: from the start of an instance until it is ready.
        capacity: load that one instance carries.
        price: USD for an instance-hour.
        peak_instances: without a known capacity, the 99.9 % load is carried by so many.
        slo: share of the steps that may have more load than is ready.
        minimum: instances at least.
        maximum: instances at most.
        played: how much of the end of the history is played.
        events: spans in which something known in advance happens.
        mix: types and spot to choose from, None for equal instances alone.
    """

    boot: timedelta = timedelta(minutes=5)
    capacity: float | None = None
    price: float | None = None
    peak_instances: int = 40
    slo: float = 0.005
    minimum: int = 1
    maximum: int | None = None
    played: timedelta = timedelta(days=7)
    events: tuple[tuple[datetime, datetime], ...] = ()
    mix: Mix | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One policy: shares are 0 to 1, ``usd_month`` is None without a price."""

    policy: str
    knob: float
    instance_hours: float
    over_optimum: float
    usd_month: float | None
    violated: float
    unserved: float
    actions: int
    kept: bool
    saving_low: float | None
    saving_high: float | None


@dataclass(frozen=True, kw_only=True)
class ScalingReplay:
    """What was played, and what came of it.

    ``curves`` holds the ready instances of each policy for the report, ``mix`` what a fleet of several types came to.
    """

    trace: str
    simulated: bool
    start: datetime
    end: datetime
    period: timedelta
    learned: timedelta
    capacity: float
    boot: timedelta
    slo: float
    price: float | None
    optimum_hours: float
    optimum_usd_month: float | None
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    need: Floats = field(repr=False, compare=False)
    curves: dict[str, Floats] = field(repr=False, compare=False)
    mix: tuple[MixRow, ...] = ()


def load_of_lake(
    ws: Workspace, window: Window, *, metric: str, resource: str | None, period: timedelta | None = None
) -> Trace:
    """The load of one resource in the lake: by default the busiest of those whose instances are counted, if any are.

    Raises:
        SchemaError: nobody measured that metric, or there is no such resource.
        NotEnoughData: the lake holds no metrics.
    """
    rows = ws.lake.scan("metrics", window)
    names = rows.collect_schema().names()
    if not names:
        raise NotEnoughData(
            "the lake holds no metrics", where=str(ws.root), hint="add --data-source sample, or --file LOAD.csv"
        )
    if metric not in names:
        there = ", ".join(sorted(n for n in names if n not in (RESOURCE, TIMESTAMP)))
        raise SchemaError(f"there is no such metric; there are {there}", where=metric, hint="choose one with --metric")
    helping = [n for n in ("instance_count", "cpu_utilization", "hourly_cost") if n in names and n != metric]
    kept = rows.select(RESOURCE, TIMESTAMP, metric, *helping).filter(pl.col(metric).is_not_nan()).collect()
    chosen = resource or _busiest(kept, metric)
    mine = kept.filter(pl.col(RESOURCE) == chosen)
    if mine.is_empty():
        known = ", ".join(kept[RESOURCE].unique().sort()) or "none"
        raise SchemaError(f"has no {metric}; those that have it: {known}", where=chosen, hint="choose with --resource")
    said = () if resource else (f"{chosen} is the busiest resource; choose another with --resource",)
    capacity, price = observed(mine, metric)
    return trace(
        mine.select(TIMESTAMP, pl.col(metric).alias(LOAD)),
        name=f"{chosen} {metric}",
        period=period,
        simulated=is_simulated(ws),
        notes=said,
        capacity=capacity,
        price=price,
    )


def load_of_table(table: pl.DataFrame, *, name: str, period: timedelta | None = None) -> Trace:
    """The load in a table with ``timestamp`` and ``load``.

    Raises:
        SchemaError: a column is missing or holds something else.
        NotEnoughData: there is no row.
    """
    if table.is_empty():
        raise NotEnoughData("has no rows", where=name, hint="one row a step: timestamp and load")
    if missing := [column for column in (TIMESTAMP, LOAD) if column not in table.columns]:
        raise SchemaError(f"has no {', '.join(missing)}", where=name, hint=f"there is {', '.join(table.columns)}")
    found = MetricFrame.of(table.with_columns(pl.lit(name).alias(RESOURCE)))
    rows = found.data.select(TIMESTAMP, LOAD)
    if rows[LOAD].dtype != pl.Float64:
        raise SchemaError(f"holds {rows[LOAD].dtype}, not numbers", where=f"{name}: {LOAD}", hint="write plain numbers")
    return trace(rows, name=name, period=period, notes=found.report.sentences())


def simulate(history: Trace, fleet: Fleet) -> ScalingReplay:
    """Play the newest days of a history with every policy.

    Raises:
        NotEnoughData: the history is too short to learn from and to play.
        UsageError: a capacity, a price or a bound makes no sense.
    """
    from aws_auto.ml.scaling.policy_judge import Slo
    from aws_auto.ml.scaling.replay import Setting
    from aws_auto.ml.scaling.replay_compare import compare

    played, notes = _played(history, fleet)
    load, before = history.values[-played:], history.values[:-played]
    capacity, said = _capacity(history, fleet)
    notes += said
    price = fleet.price if fleet.price is not None else history.price
    _sensible(fleet, capacity, price)
    if fleet.boot % history.period:
        notes += (f"a boot of {fleet.boot} counts as whole steps of {history.period}",)
    setting = Setting(
        capacity=capacity,
        boot=-(-fleet.boot // history.period),
        steps_per_hour=timedelta(hours=1) / history.period,
        minimum=fleet.minimum,
        maximum=fleet.maximum,
    )
    events = _events(history, fleet)
    done = compare(load, before, setting, goal=Slo(share=fleet.slo), events=events)
    months = HOURS_A_MONTH * setting.steps_per_hour / played
    month = None if price is None else price * months
    mixed: tuple[MixRow, ...] = ()
    if fleet.mix is not None:
        mixed = play_mixed(load, before, setting, done, fleet.mix, slo=fleet.slo, month=months, events=events)
        notes += ("another type is taken to carry what its vCPUs say; memory is not looked at",)
    start = history.start + history.period * len(before)
    return ScalingReplay(
        trace=history.name,
        simulated=history.simulated,
        start=start,
        end=start + history.period * played,
        period=history.period,
        learned=history.period * len(before),
        capacity=capacity,
        boot=fleet.boot,
        slo=fleet.slo,
        price=price,
        optimum_hours=done[0].played.optimum,
        optimum_usd_month=None if month is None else month * done[0].played.optimum,
        rows=tuple(_row(one, fleet.slo, month) for one in done),
        notes=(*history.notes, *notes),
        need=load / capacity,
        curves={one.policy: one.played.ready.astype(np.float64) for one in done},
        mix=mixed,
    )


def _busiest(rows: pl.DataFrame, metric: str) -> str:
    """The resource with the largest total, of those whose instances are counted if there are any."""
    if "instance_count" in rows.columns and rows["instance_count"].drop_nulls().len():
        rows = rows.filter(
            pl.col(RESOURCE).is_in(rows.filter(pl.col("instance_count") > 0)[RESOURCE].unique().implode())
        )
    totals = rows.group_by(RESOURCE).agg(pl.col(metric).sum()).sort(metric, RESOURCE, descending=[True, False])
    return str(totals[RESOURCE][0]) if len(totals) else ""


def _played(history: Trace, fleet: Fleet) -> tuple[int, tuple[str, ...]]:
    """Steps to play, and what is to be said about them."""
    if history.length < LEARNED + PLAYED:
        needed = f"a replay needs {_days(LEARNED)} to learn from and {_days(PLAYED)} to play"
        raise NotEnoughData(
            f"is {_days(history.length)} long; {needed}",
            where=history.name,
            hint="collect a longer window (--window 28d), or wait for more data",
        )
    asked = max(fleet.played, PLAYED)
    length = min(asked, max(history.length / 3, PLAYED), history.length - LEARNED)
    said = () if length >= asked else (f"{_days(length)} are played, not {_days(asked)}: the history is short",)
    return int(length / history.period), said


def _days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):.1f} days"


def _capacity(history: Trace, fleet: Fleet) -> tuple[float, tuple[str, ...]]:
    if fleet.capacity is not None:
        return fleet.capacity, ()
    if history.capacity is not None:
        said = f"one instance carries {history.capacity:.4g} a step, what it carried at {FULL_CPU:.0f} % CPU"
        return history.capacity, (f"{said}; say otherwise with --capacity",)
    peak = float(np.quantile(history.values, 0.999))
    said = f"what one instance carries is not known: the peak is put at {fleet.peak_instances} instances"
    return peak / fleet.peak_instances, (f"{said}; say otherwise with --capacity or --peak-instances",)


def _sensible(fleet: Fleet, capacity: float, price: float | None) -> None:
    if capacity <= 0:
        raise UsageError("must be above zero", where="--capacity", hint="the load that one instance carries in a step")
    if price is not None and price < 0:
        raise UsageError("cannot be negative", where="--price")
    if fleet.maximum is not None and fleet.maximum < fleet.minimum:
        raise UsageError(f"{fleet.maximum} is below the minimum of {fleet.minimum}", where="--max")


def _events(history: Trace, fleet: Fleet) -> NDArray[np.bool_] | None:
    """True for each step that a known event touches."""
    if not fleet.events:
        return None
    flags = np.zeros(len(history.values), np.bool_)
    for start, end in fleet.events:
        first, last = ((moment - history.start) / history.period for moment in (start, end))
        flags[max(int(np.floor(first)), 0) : max(int(np.ceil(last)), 0)] = True
    return flags


def _row(one: Compared, slo: float, month: float | None) -> Row:
    done = one.played
    return Row(
        policy=one.policy,
        knob=one.knob,
        instance_hours=done.hours,
        over_optimum=done.over,
        usd_month=None if month is None else month * done.hours,
        violated=done.violated,
        unserved=done.unserved,
        actions=done.actions,
        kept=done.violated <= slo,
        saving_low=one.saving.low if one.saving else None,
        saving_high=one.saving.high if one.saving else None,
    )
