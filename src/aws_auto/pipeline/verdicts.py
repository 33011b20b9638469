"""What people said about alarms: written by `aws_auto.pipeline.detect`, used there and in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from aws_auto.pipeline.ports import Workspace

#: The lake's dataset.
FEEDBACK = "feedback"


def verdicts(ws: Workspace) -> pl.DataFrame:
    """The last word on each alarm: ``resource_id, timestamp, end, metric, verdict``; no columns while there is none."""
    scan = ws.lake.scan(FEEDBACK)
    return scan.collect() if scan.collect_schema() else pl.DataFrame()
