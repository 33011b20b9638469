"""Validate: check schema, completeness, freshness and accuracy, and say how each check came out.

Nothing is changed or dropped here. A failed check is a finding of level ``failed``; it raises only under
``rules.strict``, or when nothing is left to work with.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import NotEnoughData
from aws_auto.frame import KEYS, RESOURCE, TIMESTAMP, Metric
from aws_auto.pipeline.stages.report import Finding, Level, Staged, StageReport, counted, listed, no_rejects
from aws_auto.pipeline.stages.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

STAGE = "validate"


def validate(
    rows: pl.DataFrame, *, now: datetime, rules: Rules | None = None, rejected: pl.DataFrame | None = None
) -> Staged:
    """The same rows, with a report of the four checks.

    Args:
        rows: unique on ``resource_id`` and ``timestamp``, as `MetricFrame` makes them.
        now: the moment that freshness is measured at: the present, or the end of a past window.
        rules: thresholds.
        rejected: what `clean` took out; it counts as wrong in the accuracy.

    Raises:
        NotEnoughData: there is no row, or no metric.
        DataError: a check failed and ``rules.strict`` is set.
        SchemaError: a required column is missing and ``rules.strict`` is set.
    """
    rules = rules or Rules()
    metrics = [name for name, dtype in rows.schema.items() if name not in KEYS and dtype.is_numeric()]
    if rows.is_empty() or not metrics:
        raise NotEnoughData("no row with a metric is left after cleaning" if metrics else "there is no metric column")
    findings = (
        *_schema(rows, metrics, rules),
        *_completeness(rows, metrics, rules),
        *_freshness(rows, now, rules),
        *_accuracy(rows, no_rejects() if rejected is None else rejected, rules),
    )
    report = StageReport(stage=STAGE, rows_in=len(rows), rows_out=len(rows), findings=findings)
    if rules.strict:
        report.refuse_if_failed()
    return Staged(rows, no_rejects(), report)


def _schema(rows: pl.DataFrame, metrics: list[str], rules: Rules) -> Iterator[Finding]:
    missing = [name for name in rules.require if name not in rows.columns]
    text = (
        f"required columns are missing: {', '.join(missing)}; there: {', '.join(rows.columns)}"
        if missing
        else f"{counted(len(metrics), 'metric')}, every required column is there"
    )
    level = Level.FAILED if missing else Level.OK
    yield Finding(code="schema", level=level, text=text, count=len(missing))
    unknown = [name for name in metrics if Metric.named(name).unit == "None"]
    if unknown:
        yield Finding(
            code="unknown-unit",
            level=Level.NOTE,
            count=len(unknown),
            text=f"no unit is known for {listed(unknown)}: ranges were not checked",
        )


def completeness(rows: pl.DataFrame, metrics: list[str]) -> pl.DataFrame:
    """Points seen and expected, per resource and metric.

    A metric is measured against its own pace: the median step between its points, over the span in which its resource
    reported anything. So a metric that stops early is incomplete, and an hourly one beside five-minute ones is not. A
    metric that a resource never had is no gap and has no line; with fewer than three points the pace is unknown.

    Returns:
        ``resource_id, metric, observed, expected, share`` with ``share`` in 0..1.
    """
    time = pl.col(TIMESTAMP)
    spans = rows.group_by(RESOURCE).agg(span=(time.max() - time.min()).dt.total_microseconds())
    parts = []
    for name in metrics:
        seen = rows.lazy().filter(pl.col(name).is_not_null()).select(RESOURCE, time)
        pace = time.sort().diff().dt.total_microseconds().median()
        parts.append(
            seen.group_by(RESOURCE).agg(observed=pl.len(), pace=pace).with_columns(metric=pl.lit(name)).collect()
        )
    return (
        pl.concat(parts)
        .filter((pl.col("observed") >= 3) & (pl.col("pace") > 0))
        .join(spans, on=RESOURCE)
        .with_columns(expected=(pl.col("span") / pl.col("pace")).floor().cast(pl.Int64) + 1)
        .with_columns(share=(pl.col("observed") / pl.col("expected")).clip(upper_bound=1.0))
        .select(RESOURCE, "metric", "observed", "expected", "share")
        .sort(RESOURCE, "metric")
    )


def _completeness(rows: pl.DataFrame, metrics: list[str], rules: Rules) -> Iterator[Finding]:
    series = completeness(rows, metrics)
    if series.is_empty():
        yield Finding(
            code="completeness",
            level=Level.WARNING,
            threshold=rules.completeness,
            text="completeness is unknown: no series has three points",
        )
        return
    seen = series.select(pl.min_horizontal("observed", "expected").sum()).item()
    share = seen / int(series["expected"].sum())
    short = series.filter(pl.col("share") < rules.completeness).sort("share", RESOURCE, "metric")
    level = Level.FAILED if share < rules.completeness else Level.WARNING if len(short) else Level.OK
    worst = [f"{r[RESOURCE]} {r['metric']} {r['share']:.0%}" for r in short.head(3).iter_rows(named=True)]
    below = f"; {len(short)} of {len(series)} series below that, the worst: {', '.join(worst)}" if worst else ""
    yield Finding(
        code="completeness",
        level=level,
        count=len(short),
        observed=share,
        threshold=rules.completeness,
        text=f"{share:.1%} of the expected points are there, {rules.completeness:.0%} are asked for{below}",
    )


def _freshness(rows: pl.DataFrame, now: datetime, rules: Rules) -> Iterator[Finding]:
    """A point is stamped with the start of its period, so its age counts from the period's end."""
    time = pl.col(TIMESTAMP)
    last = rows.group_by(RESOURCE).agg(
        last=time.max(), period=time.sort().diff().dt.total_microseconds().median().fill_null(0.0)
    )
    ended = pl.col("last") + pl.duration(microseconds=pl.col("period").round().cast(pl.Int64))
    ages = last.select(RESOURCE, age=((pl.lit(now) - ended).dt.total_microseconds() / 1e6).clip(lower_bound=0.0)).sort(
        "age", RESOURCE
    )
    limit = rules.freshness.total_seconds()
    newest = float(ages["age"].item(0))
    stale = ages.filter(pl.col("age") > limit)[RESOURCE].to_list()
    level = Level.FAILED if newest > limit else Level.WARNING if stale else Level.OK
    text = f"the newest point is {span(newest)} old, {span(limit)} is allowed"
    if stale and newest <= limit:
        text += f"; older on {len(stale)} of {len(ages)} resources: {listed(stale)} (stopped, or not collected)"
    yield Finding(code="freshness", level=level, count=len(stale), observed=newest, threshold=limit, text=text)


def inconsistencies(columns: list[str]) -> dict[str, pl.Expr]:
    """Statements that must hold within a row, as expressions that are true where they do not."""
    there = set(columns)
    found: dict[str, pl.Expr] = {}
    # A count is a sum over its period, which its own maximum says nothing about.
    stems = sorted({stem for n in there if (stem := _stem(n)) and Metric.named(stem).unit != "Count"})
    for stem in stems:
        ladders = (
            (f"{stem}_min", stem, f"{stem}_max"),
            (f"{stem}_min", f"{stem}_p50", f"{stem}_p95", f"{stem}_p99", f"{stem}_max"),
        )
        for ladder in ladders:
            steps = [name for name in ladder if name in there]
            for low, high in pairwise(steps):
                found[f"{low} above {high}"] = pl.col(low) > pl.col(high) + 1e-6 * (1.0 + pl.col(high).abs())
    requests, errors, rate = pl.col("request_count"), pl.col("error_count"), pl.col("error_rate")
    if {"request_count", "error_count"} <= there:
        found["error_count above request_count"] = errors > requests * (1.0 + 1e-6)
    if {"request_count", "error_count", "error_rate"} <= there:
        found["error_rate is not error_count / request_count"] = (requests > 0) & (
            (rate - 100.0 * errors / requests).abs() > 1.0
        )
    return found


def _stem(column: str) -> str | None:
    return None if Metric.named(column).statistic in ("Average", "Sum") else column.rpartition("_")[0]


def _accuracy(rows: pl.DataFrame, rejected: pl.DataFrame, rules: Rules) -> Iterator[Finding]:
    """The share of rows with nothing against them.

    Without a second measurement nobody knows whether a value is right; what can be known is whether it is possible and
    agrees with its neighbours in the row. So accuracy is an upper bound: rows that passed every range and consistency
    check, over all rows that came in.
    """
    checks = {name: bad.fill_null(value=False) for name, bad in inconsistencies(rows.columns).items()}
    broken = {name: int(rows.select(bad.sum()).item()) for name, bad in checks.items()}
    bad_rows = rows.filter(pl.any_horizontal(*checks.values())).select(KEYS) if checks else rows.head(0).select(KEYS)
    keys = rejected.select(KEYS)
    nameless = len(keys) - len(keys.drop_nulls())
    lost = keys.drop_nulls().unique()
    total = len(rows) + nameless + len(lost.join(rows, on=list(KEYS), how="anti"))
    wrong = nameless + pl.concat([lost, bad_rows]).n_unique()
    share = 1.0 - wrong / total
    said = [f"{name} in {counted(count, 'row')}" for name, count in broken.items() if count]
    yield Finding(
        code="accuracy",
        level=Level.FAILED if share < rules.accuracy else Level.WARNING if said else Level.OK,
        count=wrong,
        observed=share,
        threshold=rules.accuracy,
        text=f"{share:.1%} of {counted(total, 'row')} passed every range and consistency check, "
        f"{rules.accuracy:.0%} are asked for" + (f"; {listed(said)}" if said else ""),
    )


def span(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    for unit, size in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= (2 * size if unit == "days" else size):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"
