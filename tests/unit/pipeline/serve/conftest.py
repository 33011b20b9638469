from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from aws_auto.errors import ArtifactError, TargetError
from aws_auto.pipeline.plan import Resource
from aws_auto.pipeline.ports import Workspace
from aws_auto.results import Field, ModelVersion, Stage

SCHEMA = (
    Field(name="resource_id", kind="text"),
    Field(name="timestamp", kind="time"),
    Field(name="cpu_utilization", kind="number", unit="Percent", low=5.0, high=80.0),
)
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


class FakeClock:
    def __init__(self):
        self.moment = START

    def now(self):
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def sleep(self, seconds):
        self.moment += timedelta(seconds=seconds)


class FakeLake:
    """Rows by dataset; `refusing` makes the next writes fail."""

    def __init__(self):
        self.tables: dict[str, pl.DataFrame] = {}
        self.writes = 0
        self.refusing = False

    def write(self, batch):
        if self.refusing:
            raise TargetError("the disk is full")
        self.writes += 1
        assert "timestamp" in batch.keys
        assert batch.rows["timestamp"].is_between(batch.window.start, batch.window.end, closed="left").all()
        before = self.tables.get(batch.dataset)
        rows = batch.rows if before is None else pl.concat([before, batch.rows])
        self.tables[batch.dataset] = rows.unique(batch.keys, keep="last", maintain_order=True)
        return len(batch.rows)

    def scan(self, dataset, window=None):
        return self.tables.get(dataset, pl.DataFrame()).lazy()


class FakeRegistry:
    """Champions by name; a version is a factor that the model multiplies by."""

    def __init__(self):
        self.champions: dict[str, ModelVersion] = {}
        self.damaged: set[int] = set()
        self.loads = 0
        self.locked = False

    def crown(self, name, version, *, simulated=False):
        self.champions[name] = ModelVersion(
            name=name,
            version=version,
            stage=Stage.CHAMPION,
            created_at=START,
            recipe="times",
            files={"factor": "sha"},
            schema=SCHEMA,
            report={"lineage": {"simulated": simulated}},
        )

    def versions(self, _name=None):
        return list(self.champions.values())

    def champion(self, name):
        if self.locked:
            raise TargetError("locked")
        return self.champions.get(name)

    def files(self, version):
        self.loads += 1
        if version.version in self.damaged:
            raise ArtifactError("factor was changed")
        return {"factor": str(version.version).encode()}


class Times:
    """The recipe and the predictor in one: multiplies the CPU by the version."""

    def __init__(self, factor=0):
        self.factor = factor

    def load(self, files):
        return Times(int(files["factor"]))

    def predict(self, rows):
        if rows["resource_id"].eq("bug").any():
            raise ZeroDivisionError
        return rows.select("resource_id", "timestamp", answer=pl.col("cpu_utilization") * self.factor)


class FakeTarget:
    def __init__(self):
        self.deployed: dict[str, Resource] = {}

    def deploy(self, kind, name, **properties):
        self.deployed[name] = Resource(kind=kind, name=name, properties=properties)

    def observe(self):
        return self.deployed


def times(_name):
    return Times()


@pytest.fixture
def ws():
    unused = SimpleNamespace()
    return Workspace(
        root=Path(),
        clock=FakeClock(),
        lake=FakeLake(),
        registry=FakeRegistry(),
        scheduler=unused,
        target=FakeTarget(),
        journal=unused,
        ledger=unused,
        checkpoints=unused,
    )


@pytest.fixture
def recipe():
    return times
