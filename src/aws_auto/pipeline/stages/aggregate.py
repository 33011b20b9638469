"""Aggregate: the same table at a coarser period, each column by the statistic that it is.

======================================  =====================================================================
column                                  within a bucket
======================================  =====================================================================
``request_count``, ``error_count``,     sum: they count what happened in a period
``throttle_count``
``x_sum``                               sum
``x_max``, ``x_min``                    maximum, minimum
``error_rate``                          errors over requests where both were counted, else the weighted mean
``latency``                             mean weighted by ``request_count`` where it is there
``x_p95``, ``x_p99``                    their maximum, renamed ``x_p95_max``: an upper bound, no percentile
``x_p50``                               left out: no median can be made of medians
other numbers                           mean
text and booleans                       the last value; a change within a bucket is reported
======================================  =====================================================================

Buckets lie on whole periods of UTC and are stamped with their start. A bucket with fewer points than the resource's own
pace promises is marked ``partial``; a sum over it is what was seen, never scaled up. Empty buckets are not made.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import UsageError
from aws_auto.frame import KEYS, RESOURCE, TIMESTAMP, Metric
from aws_auto.pipeline.stages.report import Finding, Level, Staged, StageReport, counted, listed, no_rejects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

STAGE = "aggregate"
PARTIAL = "partial"
SUMMED = ("request_count", "error_count", "throttle_count")


def aggregate(
    rows: pl.DataFrame, *, period: timedelta, now: datetime | None = None, completeness: float = 0.95
) -> Staged:
    """One row per resource and bucket.

    Args:
        rows: unique on ``resource_id`` and ``timestamp`` (UTC).
        period: a whole number of seconds that divides a day, or whole days.
        now: a bucket that is not over by then is left out, because it would look like a fall. None keeps all.
        completeness: a bucket with a smaller share of its expected points is partial.

    Raises:
        UsageError: the period does not fit the day.
    """
    _check(period)
    metrics = [n for n, dtype in rows.schema.items() if n not in KEYS and dtype.is_numeric()]
    statics = [n for n in rows.columns if n not in KEYS and n not in metrics and n != PARTIAL]
    bucket = pl.col(TIMESTAMP).dt.truncate(period)
    paced = rows.with_columns(bucket.alias("_bucket")).join(_pace(rows), on=RESOURCE, how="left")
    changed = [n for n in statics if _changes(paced, n)]
    out = (
        paced.sort(KEYS)
        .group_by(RESOURCE, "_bucket")
        .agg(
            *(column for name in metrics for column in _column(name, metrics)),
            *(pl.col(n).drop_nulls().last() for n in statics),
            _points=pl.len(),
            _pace=pl.col("_pace").first(),
        )
        .rename({"_bucket": TIMESTAMP})
        .sort(KEYS)
    )
    expected = pl.max_horizontal(pl.lit(1.0), period.total_seconds() * 1e6 / pl.col("_pace")).fill_null(1.0)
    out = out.with_columns((pl.col("_points") < completeness * expected).alias(PARTIAL)).drop("_points", "_pace")
    over = out if now is None else out.filter(pl.col(TIMESTAMP) + period <= now)
    findings = tuple(_findings(rows, out, over, metrics=metrics, changed=changed, period=period))
    report = StageReport(stage=STAGE, rows_in=len(rows), rows_out=len(over), findings=findings)
    return Staged(over, no_rejects(), report)


def _check(period: timedelta) -> None:
    day, seconds = timedelta(days=1), period.total_seconds()
    fits = seconds >= 1 and seconds == int(seconds) and (day % period == timedelta(0) or period % day == timedelta(0))
    if not fits:
        raise UsageError(
            f"a period of {period} does not fit the day",
            hint="use one that divides 24 hours, such as 5m, 15m, 1h or 1d",
        )


def _pace(rows: pl.DataFrame) -> pl.DataFrame:
    """Median step between the points of each resource, in microseconds; null with a single point."""
    step = pl.col(TIMESTAMP).sort().diff().dt.total_microseconds().median()
    return rows.group_by(RESOURCE).agg(_pace=step)


def _column(name: str, metrics: list[str]) -> Iterator[pl.Expr]:
    value, statistic = pl.col(name), Metric.named(name).statistic
    if statistic == "Sum" or name in SUMMED:
        # The sum of nothing is unknown, not 0.
        yield pl.when(value.count() > 0).then(value.sum()).alias(name)
    elif statistic == "Maximum":
        yield value.max()
    elif statistic == "Minimum":
        yield value.min()
    elif statistic in ("p95", "p99"):
        yield value.max().alias(f"{name}_max")
    elif statistic == "Average":
        yield _average(name, metrics).alias(name)


def _average(name: str, metrics: list[str]) -> pl.Expr:
    value, weight = pl.col(name), pl.col("request_count")
    if name not in ("error_rate", "latency") or "request_count" not in metrics:
        return value.mean()
    both = value.is_not_null() & (weight > 0)
    weighted = pl.when((weight * both).sum() > 0).then((value * weight).filter(both).sum() / weight.filter(both).sum())
    if name == "error_rate" and "error_count" in metrics:
        errors = pl.col("error_count")
        counted_both = errors.is_not_null() & (weight > 0)
        ratio = 100.0 * errors.filter(counted_both).sum() / weight.filter(counted_both).sum()
        return pl.when(counted_both.any()).then(ratio).otherwise(pl.coalesce(weighted, value.mean()))
    return pl.coalesce(weighted, value.mean())


def _changes(rows: pl.DataFrame, name: str) -> bool:
    distinct = rows.group_by(RESOURCE, "_bucket").agg(pl.col(name).drop_nulls().n_unique())[name]
    return bool((distinct > 1).any())


def _findings(
    rows: pl.DataFrame,
    out: pl.DataFrame,
    over: pl.DataFrame,
    *,
    metrics: list[str],
    changed: list[str],
    period: timedelta,
) -> Iterator[Finding]:
    def note(code: str, text: str, count: int) -> Finding:
        return Finding(code=code, level=Level.NOTE, text=text, count=count)

    yield note(
        "aggregated", f"{counted(len(rows), 'row')} became {counted(len(over), 'bucket')} of {period}", len(over)
    )
    if len(out) > len(over):
        open_ = len(out) - len(over)
        yield note("open-buckets", f"{counted(open_, 'bucket')} not over yet left out", open_)
    partial = int(over[PARTIAL].sum())
    if partial:
        yield note("partial", f"{counted(partial, 'bucket')} marked partial: points are missing in them", partial)
    bounds = [n for n in metrics if Metric.named(n).statistic in ("p95", "p99")]
    if bounds:
        kept = listed([f"{n}_max" for n in bounds])
        text = f"{listed(bounds)} cannot be aggregated; the maximum is kept as {kept}, an upper bound"
        yield note("percentile-bound", text, len(bounds))
    dropped = [n for n in metrics if Metric.named(n).statistic == "p50"]
    if dropped:
        yield note("median-dropped", f"{listed(dropped)} left out: no median can be made of medians", len(dropped))
    if changed:
        yield note("static-changed", f"{listed(changed)} changed within a bucket; its last value is kept", len(changed))
