"""What people say about alarms, and about incidents that raised none; detection and training listen to it.

Stored in the lake's dataset ``feedback``, one row for each resource and start: a later word replaces an earlier one.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import UsageError
from aws_auto.frame import RESOURCE, TIME_DTYPE, TIMESTAMP
from aws_auto.ml.anomaly.labels import spans_of
from aws_auto.pipeline.ports import Batch, Window

if TYPE_CHECKING:
    from datetime import datetime

    from aws_auto.pipeline.ports import Workspace

#: Datasets of the lake: what was said, and the alarms that it was said about.
FEEDBACK, INCIDENTS = "feedback", "incidents"
KEYS = (RESOURCE, TIMESTAMP)


class Verdict(StrEnum):
    """What a person says: about an alarm, or (missed) about an incident that raised none."""

    TRUE = "true"
    FALSE = "false"
    IGNORE = "ignore"
    MISSED = "missed"


def verdicts(ws: Workspace) -> pl.DataFrame:
    """The last word on everything: ``resource_id, timestamp, end, metric, verdict``; no columns while there is none."""
    scan = ws.lake.scan(FEEDBACK)
    return scan.collect() if scan.collect_schema() else pl.DataFrame()


def feedback(
    ws: Workspace, anomaly_id: str, verdict: Verdict, *, until: datetime | None = None, note: str = ""
) -> None:
    """Store what a person says about an alarm; a later word replaces an earlier one.

    Args:
        ws: where the alarm was found.
        anomaly_id: as listed by `aws_auto.pipeline.detect.detect`.
        verdict: true, false, or ignore; for what raised no alarm see `missed`.
        until: with ignore, the day until which alarms of the same resource and metric are not told.
        note: for whoever reads it later.

    Raises:
        UsageError: no such alarm, or ``ignore`` without ``until``.
    """
    if verdict is Verdict.IGNORE and until is None:
        raise UsageError("ignore needs a day", where="--until", hint="for example --until 2026-12-31")
    known = ws.lake.scan(INCIDENTS)
    found = pl.DataFrame() if not known.collect_schema() else known.filter(pl.col("anomaly_id") == anomaly_id).collect()
    if found.is_empty():
        raise UsageError(
            f"no alarm is called {anomaly_id!r}",
            where=str(ws.root),
            hint="list alarms with their ids: aws-auto ml detect --json",
        )
    said = found.head(1).select(
        RESOURCE,
        TIMESTAMP,
        "end",
        "metric",
        "anomaly_id",
        verdict=pl.lit(str(verdict)),
        until=pl.lit(until, dtype=TIME_DTYPE),
        note=pl.lit(note),
    )
    _store(ws, said)
    ws.journal.append("feedback", anomaly_id=anomaly_id, verdict=str(verdict), note=note)


def missed(ws: Workspace, incidents: pl.DataFrame, *, where: str = "incidents") -> int:
    """Store incidents that raised no alarm, or should have; a training learns from them.

    Args:
        ws: where the metrics are.
        incidents: ``resource_id, timestamp`` (or ``start``), ``end`` and, if you like, ``note``; as of `spans_of`.
        where: what the table is called, for errors.

    Returns:
        How many were stored.

    Raises:
        SchemaError: a column is missing or empty, a time cannot be read, or an incident ends before it starts.
        UsageError: there is no incident, or there are no metrics of its resource at that time.
    """
    table = spans_of(incidents, where=where).unique(KEYS, keep="last", maintain_order=True)
    if table.is_empty():
        raise UsageError("there is no incident", where=where, hint="one row for each: resource_id, timestamp, end")
    for resource, start, end in table.select(RESOURCE, TIMESTAMP, "end").iter_rows():
        if not _has_metrics(ws, resource, Window(start, end + timedelta(microseconds=1))):
            raise UsageError(
                f"there are no metrics of {resource!r} from {start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}",
                where=where,
                hint="write the resource as aws-auto ml detect names it, and times in UTC",
            )
    said = table.select(
        RESOURCE,
        TIMESTAMP,
        "end",
        metric=pl.lit(""),
        anomaly_id=pl.lit(""),
        verdict=pl.lit(str(Verdict.MISSED)),
        until=pl.lit(None, dtype=TIME_DTYPE),
        note=pl.col("note").cast(pl.String).fill_null("") if "note" in table.columns else pl.lit(""),
    )
    _store(ws, said)
    ws.journal.append("feedback", verdict=str(Verdict.MISSED), incidents=len(said))
    return len(said)


def _store(ws: Workspace, said: pl.DataFrame) -> None:
    starts = said[TIMESTAMP].to_list()
    ws.lake.write(
        Batch(
            dataset=FEEDBACK,
            rows=said.with_columns(said_at=pl.lit(ws.clock.now(), dtype=TIME_DTYPE)),
            window=Window(min(starts), max(starts) + timedelta(microseconds=1)),
            keys=KEYS,
            final=False,
        )
    )


def _has_metrics(ws: Workspace, resource: str, span: Window) -> bool:
    scan = ws.lake.scan("metrics", span)
    return bool(scan.collect_schema()) and scan.filter(pl.col(RESOURCE) == resource).head(1).collect().height > 0
