"""Suspicions: columns that look like another unit, or like a running total. They are reported, never rescaled.

A quiet machine and a fraction look alike, so each rule asks for many values and for every resource to agree; what a
person answers to a wrong suspicion costs a glance, what a silent rescaling costs is every figure after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.frame import KEYS, RESOURCE, TIMESTAMP, Metric
from aws_auto.pipeline.stages.report import Finding, Level, counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Fewer values than a day of hours say nothing about a unit.
FEWEST = 24
#: Less than one per cent of these is a healthy machine.
MOSTLY_NONE = ("cpu_steal", "swap_utilization")
#: These fill up by nature.
BALANCES = ("cpu_credit_balance", "cpu_surplus_credits")


def suspicions(rows: pl.DataFrame) -> tuple[Finding, ...]:
    """What looks wrong in columns that are otherwise in range; rows are not changed."""
    found: list[Finding] = []
    for name, dtype in rows.schema.items():
        if name in KEYS or not dtype.is_numeric():
            continue
        metric = Metric.named(name)
        if metric.unit == "Percent" and metric.statistic != "Sum":
            found.extend(_fraction(rows, name))
        elif metric.unit == "Milliseconds":
            found.extend(_other_time_unit(rows, name))
        elif metric.unit in ("Count", "Bytes") and metric.statistic == "Average" and name not in BALANCES:
            found.extend(_running_total(rows, name))
    return tuple(found)


def _fraction(rows: pl.DataFrame, name: str) -> Iterator[Finding]:
    """Percent that never passes 1 on any resource. An error rate below 1 % is health, so it needs its counts."""
    if name in MOSTLY_NONE:
        return
    if name == "error_rate":
        yield from _error_fraction(rows)
        return
    values = rows[name].drop_nulls()
    positive = values.filter(values > 0)
    if len(positive) >= FEWEST and float(positive.max() or 0.0) <= 1.0:  # type: ignore[arg-type] # a float column
        yield _suspicion(name, len(values), f"{name} never passes 1: fractions (0 to 1) where percent is meant?")


def _error_fraction(rows: pl.DataFrame) -> Iterator[Finding]:
    if not {"error_count", "request_count"} <= set(rows.columns):
        return
    both = rows.filter((pl.col("request_count") > 0) & (pl.col("error_count") > 0) & (pl.col("error_rate") > 0))
    if len(both) < FEWEST:
        return
    ratio = both.select((pl.col("error_count") / pl.col("request_count") / pl.col("error_rate")).median()).item()
    if 0.9 <= ratio <= 1.1:
        yield _suspicion(
            "error_rate", len(both), "error_rate equals errors / requests: a fraction where percent is meant?"
        )


def _other_time_unit(rows: pl.DataFrame, name: str) -> Iterator[Finding]:
    values = rows[name].drop_nulls()
    if len(values) < FEWEST:
        return
    median = float(values.median() or 0.0)  # type: ignore[arg-type] # a float column
    # CloudWatch gives seconds for load balancers and microseconds for SageMaker endpoints.
    if 0.0 < median < 1.0:
        yield _suspicion(
            name, len(values), f"half of {name} lies under {median:.3g}: seconds where milliseconds are meant?"
        )
    elif median > 100_000.0:
        yield _suspicion(
            name, len(values), f"half of {name} passes {median:.3g}: microseconds where milliseconds are meant?"
        )


def _running_total(rows: pl.DataFrame, name: str) -> Iterator[Finding]:
    """A counter that only grows and now and then falls to near nothing: it needs differences before it is a load."""
    step = pl.col(name).diff().over(RESOURCE)
    steps = rows.filter(pl.col(name).is_not_null()).sort(KEYS).select(RESOURCE, TIMESTAMP, step=step).drop_nulls("step")
    judged = (
        steps.group_by(RESOURCE)
        .agg(n=pl.len(), rising=(pl.col("step") > 0).mean(), falling=(pl.col("step") < 0).sum())
        .filter((pl.col("n") >= FEWEST) & (pl.col("rising") >= 0.5) & (pl.col("falling") <= 0.03 * pl.col("n")))
        .sort(RESOURCE)
    )
    if judged.is_empty():
        return
    resets, names = int(judged["falling"].sum()), judged[RESOURCE].to_list()
    yield _suspicion(
        name,
        len(names),
        f"{name} only grows on {listed(names)}"
        + (f", with {counted(resets, 'reset')}" if resets else "")
        + ": a running total? take differences before collecting it",
    )


def _suspicion(column: str, count: int, text: str) -> Finding:
    return Finding(code="unit-suspected", level=Level.WARNING, column=column, count=count, text=text)
