"""Process: from what was collected to a table that can be learned from, with a report of every change on the way.

Clean, merge duplicates, validate, enrich, aggregate. `run_stages` is pure and needs no workspace; `process` reads the
lake and files what was rejected in the dataset ``quarantine``, where the same entry is stored once however often it
is met.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from aws_auto.errors import NotEnoughData
from aws_auto.frame import RESOURCE, TIMESTAMP, MetricFrame, to_polars
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.stages.aggregate import aggregate
from aws_auto.pipeline.stages.clean import clean
from aws_auto.pipeline.stages.enrich import enrich
from aws_auto.pipeline.stages.report import Finding, Level, Staged, StageReport, counted
from aws_auto.pipeline.stages.rules import Rules
from aws_auto.pipeline.stages.validate import validate

if TYPE_CHECKING:
    from aws_auto.pipeline.ports import Workspace

#: What makes two entries of the quarantine the same one.
QUARANTINE_KEYS = (RESOURCE, TIMESTAMP, "column", "reason", "value")

#: The deployed resource that holds the limits of ``data_pipeline.monitoring.data_quality``.
CHECKS = "checks/data-quality"

#: Stands in the quarantine for a row whose own time is unknown, so that meeting it again changes nothing.
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Processed:
    """What the stages made of the data.

    Attributes:
        frame: the table to learn from.
        reports: one per stage, in order.
        rejected: what was taken out, with its reason (columns of `stages.report.REJECTED`).
        quarantined: how many entries that are.
    """

    frame: MetricFrame
    reports: tuple[StageReport, ...]
    rejected: pl.DataFrame
    quarantined: int

    @property
    def status(self) -> Level:
        """The worst status of the reports."""
        return max((r.status for r in self.reports), key=lambda level: level.rank, default=Level.OK)

    def report(self, stage: str) -> StageReport:
        """The report of that stage.

        Raises:
            KeyError: the stage was not run.
        """
        return {r.stage: r for r in self.reports}[stage]

    def sentences(self) -> tuple[str, ...]:
        """Every finding as ``stage: sentence``, in the order of the stages."""
        return tuple(f"{r.stage}: {text}" for r in self.reports for text in r.sentences())


def process(
    ws: Workspace, window: Window | None = None, *, rules: Rules | None = None, period: timedelta | None = None
) -> Processed:
    """The metrics of the lake, through all stages.

    Args:
        ws: where the data lies.
        window: which part of it; None means all.
        rules: thresholds; default those that are deployed, else those of the specification.
        period: aggregate to this period; None keeps each resource's own.

    Raises:
        NotEnoughData: the lake holds no metrics there, or none that can be used.
        DataError: a check failed and ``rules.strict`` is set; the quarantine is written before that.
    """
    rows = ws.lake.scan("metrics", window).collect()
    if rows.is_empty():
        rows = hourly_costs(ws.lake.scan("billing", window).collect())
    if rows.is_empty():
        span = f" between {window.start:%Y-%m-%d %H:%MZ} and {window.end:%Y-%m-%d %H:%MZ}" if window else ""
        raise NotEnoughData(
            f"the lake holds no metrics and no bill{span}",
            hint="fill it with --data-source cloudwatch, file or sample, or look further back: --window, --since",
        )
    now, rules = ws.clock.now(), rules or deployed_rules(ws)
    cleaned = clean(rows, now=now, rules=rules)
    # First of all: whatever a later stage refuses, what was rejected is not lost.
    _quarantine(ws, cleaned.rejected)
    resources = ws.lake.scan("resources").collect()
    fresh_at = min(now, window.end) if window else now
    return _after_clean(cleaned, now=now, rules=rules, resources=resources, period=period, fresh_at=fresh_at)


def deployed_rules(ws: Workspace) -> Rules:
    """The thresholds that ``deploy-pipeline`` put on this machine; without any those of the specification."""
    checks = ws.target.observe().get(CHECKS)
    if checks is None:
        return Rules()
    from aws_auto.config.data import DataQuality

    limits = {name: checks.properties[name] for name in DataQuality.model_fields if name in checks.properties}
    return Rules.of(DataQuality.model_validate_json(json.dumps(limits)))


def hourly_costs(bill: pl.DataFrame) -> pl.DataFrame:
    """A bill alone as metrics: ``hourly_cost`` of each resource and hour, what its usage lines come to before credits.

    The amortised cost counts where the bill has it for every line of the hour, else what is billed; lines without a
    resource, fees, taxes and credits are no cost of an hour. Currencies are never added: only the commonest is kept.
    """
    if bill.is_empty() or not {"resource_id", "charge_category", "billed_cost"} <= set(bill.columns):
        return pl.DataFrame()
    usage = bill.filter(pl.col(RESOURCE).is_not_null() & (pl.col("charge_category") == "Usage"))
    if usage.is_empty():
        return pl.DataFrame()
    currency = usage["billing_currency"].mode().sort()[0]
    names = {"region": "region_id", "service": "service_name", "instance_type": "instance_type"}
    facts = {ours: theirs for ours, theirs in names.items() if theirs in usage.columns}
    return (
        usage.filter(pl.col("billing_currency") == currency)
        .with_columns(pl.col(TIMESTAMP).dt.truncate("1h"))
        .group_by(RESOURCE, TIMESTAMP)
        .agg(
            hourly_cost=pl.when(pl.col("effective_cost").is_not_null().all())
            .then(pl.col("effective_cost").sum())
            .otherwise(pl.col("billed_cost").sum()),
            **{ours: pl.col(theirs).drop_nulls().first() for ours, theirs in facts.items()},
        )
        .sort(RESOURCE, TIMESTAMP)
    )


def run_stages(
    data: Any,  # noqa: ANN401 - pandas must not be imported to be named
    *,
    now: datetime,
    rules: Rules | None = None,
    resources: pl.DataFrame | None = None,
    period: timedelta | None = None,
    fresh_at: datetime | None = None,
) -> Processed:
    """Clean, merge duplicates, validate, enrich and (with ``period``) aggregate. Pure.

    Args:
        data: `MetricFrame`, pandas or Polars frame.
        now: the present moment, in UTC.
        rules: thresholds; default those of the specification.
        resources: static facts over time, for `enrich`.
        period: aggregate to this period.
        fresh_at: the moment that freshness is measured at; default ``now``, for a past window its end.

    Raises:
        SchemaError: a key column is missing.
        NotEnoughData: nothing is left.
        DataError: a check failed and ``rules.strict`` is set.
    """
    rules = rules or Rules()
    raw = data.data if isinstance(data, MetricFrame) else to_polars(data)
    cleaned = clean(raw, now=now, rules=rules)
    return _after_clean(cleaned, now=now, rules=rules, resources=resources, period=period, fresh_at=fresh_at or now)


def _after_clean(
    cleaned: Staged,
    *,
    now: datetime,
    rules: Rules,
    resources: pl.DataFrame | None,
    period: timedelta | None,
    fresh_at: datetime,
) -> Processed:
    door = MetricFrame.of(cleaned.rows)
    reports = [_with_duplicates(cleaned.report, door)]
    checked = validate(door.data, now=fresh_at, rules=rules, rejected=cleaned.rejected)
    enriched = enrich(checked.rows, resources=resources)
    reports += [checked.report, enriched.report]
    rows = enriched.rows
    if period is not None:
        coarse = aggregate(rows, period=period, now=now, completeness=rules.completeness)
        reports.append(coarse.report)
        rows = coarse.rows
        if rows.is_empty():
            raise NotEnoughData(f"no bucket of {period} is complete yet")
    return Processed(
        frame=MetricFrame(MetricFrame.of(rows).data, door.report),
        reports=tuple(reports),
        rejected=cleaned.rejected,
        quarantined=len(cleaned.rejected),
    )


def _with_duplicates(report: StageReport, door: MetricFrame) -> StageReport:
    """The report of `clean`, with the merging of duplicates that the door of MetricFrame did after it."""
    merged = door.report.duplicates_merged
    if not merged:
        return report
    finding = Finding(
        code="duplicates",
        level=Level.NOTE,
        count=merged,
        text=f"{counted(merged, 'row')} repeated a resource and time and became part of an average",
    )
    return dataclasses.replace(report, rows_out=len(door), findings=(*report.findings, finding))


def _quarantine(ws: Workspace, rejected: pl.DataFrame) -> None:
    """File what was rejected; an entry that is there already stays one entry."""
    if rejected.is_empty():
        return
    # A time that no calendar has cannot name a day of the lake either; the row itself keeps it.
    time = pl.when(pl.col(TIMESTAMP).is_between(NO_TIME, LAST_TIME)).then(TIMESTAMP).otherwise(NO_TIME)
    rows = rejected.with_columns(pl.col(RESOURCE).fill_null(""), time.alias(TIMESTAMP)).unique(
        QUARANTINE_KEYS, maintain_order=True
    )
    times = rows[TIMESTAMP]
    window = Window(times.min(), times.max() + timedelta(microseconds=1))  # type: ignore[arg-type,operator] # times
    ws.lake.write(Batch(dataset="quarantine", rows=rows, window=window, keys=QUARANTINE_KEYS, final=False))
