"""A real server over a real workspace, with a model small enough to read: ``python serving.py ROOT [MODEL...]``.

The model answers the CPU times a factor, which is all that its one file holds.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from aws_auto.pipeline.serve.app import run
from aws_auto.pipeline.workspace import open_workspace
from aws_auto.results import Decision, Field, Lineage, TrainedModel, TrainReport

NAME = "times"
SCHEMA = (
    Field(name="resource_id", kind="text"),
    Field(name="timestamp", kind="time"),
    Field(name="cpu_utilization", kind="number", unit="Percent", low=0.0, high=100.0),
)


class Times:
    def __init__(self, factor=0.0):
        self.factor = factor

    def load(self, files):
        return Times(float(files["factor"]))

    def predict(self, rows):
        return rows.select("resource_id", "timestamp", answer=pl.col("cpu_utilization") * self.factor)


def crown(root, factor):
    """Train the model in that workspace and make it champion."""
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    lineage = Lineage(data_fingerprint="f", rows=1, resources=1, start=moment, end=moment, seed=1, versions={})
    report = TrainReport(
        recipe=NAME, decision=Decision.PROMOTE, reason="a test", backtests=(), calibration=(), lineage=lineage
    )
    registry = open_workspace(root, target="local").registry
    model = TrainedModel(recipe=NAME, files={"factor": str(factor).encode()}, schema=SCHEMA, report=report)
    version = registry.register(NAME, model)
    registry.promote(NAME, version.version, reason="a test")


if __name__ == "__main__":
    run(
        open_workspace(Path(sys.argv[1]), target="local"),
        sys.argv[2:],
        port=0,
        tell=lambda sentence: print(sentence, flush=True),  # noqa: T201 - the test reads the address
        recipe=lambda _name: Times(),
    )
