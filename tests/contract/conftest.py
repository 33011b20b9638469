"""Each class here states the duties of one port. An adapter takes part by being a `Place` in ``places``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

from aws_auto.pipeline.local.artifacts import Artifacts
from aws_auto.pipeline.local.checkpoints import LocalCheckpoints
from aws_auto.pipeline.local.journal import LocalJournal
from aws_auto.pipeline.local.lake import LocalLake
from aws_auto.pipeline.local.ledger import LocalLedger
from aws_auto.pipeline.local.registry import LocalRegistry
from aws_auto.pipeline.local.scheduler import LocalScheduler
from aws_auto.pipeline.local.state import State
from aws_auto.results import Decision, Field, Lineage, TrainedModel, TrainReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aws_auto.pipeline.ports import Checkpoints, Clock, Journal, Lake, Ledger, Registry, Scheduler


class HandClock:
    """A clock that only a test moves."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Place(Protocol):
    """Somewhere that adapters keep what they are given: each call opens the same place anew, as a process would."""

    def lake(self) -> Lake: ...
    def registry(self) -> Registry: ...
    def scheduler(self) -> Scheduler: ...
    def journal(self) -> Journal: ...
    def ledger(self) -> Ledger: ...
    def checkpoints(self) -> Checkpoints: ...


class LocalPlace:
    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock

    def _state(self) -> State:
        return State(self._root / "state.db")

    def lake(self) -> Lake:
        return LocalLake(self._root / "lake", self._state(), self._clock)

    def registry(self) -> Registry:
        return LocalRegistry(self._state(), Artifacts(self._root / "artifacts"), self._clock)

    def scheduler(self) -> Scheduler:
        return LocalScheduler(self._state(), self._clock)

    def journal(self) -> Journal:
        return LocalJournal(self._state(), self._clock)

    def ledger(self) -> Ledger:
        return LocalLedger(self._state(), self._clock)

    def checkpoints(self) -> Checkpoints:
        return LocalCheckpoints(self._state())


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 3, 4, 12, 30, tzinfo=UTC))  # a Wednesday


@pytest.fixture(params=["local"])
def place(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Place:
    places = {"local": lambda: LocalPlace(tmp_path / "workspace", clock)}
    return places[request.param]()


@pytest.fixture
def a_model() -> Callable[[bytes], TrainedModel]:
    def make(weights: bytes = b"weights") -> TrainedModel:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        lineage = Lineage(
            data_fingerprint="ab" * 32,
            rows=10,
            resources=1,
            start=start,
            end=start + timedelta(days=1),
            seed=7,
            versions={"polars": "2.1.0"},
        )
        report = TrainReport(
            recipe="anomaly-detector",
            decision=Decision.PROMOTE,
            reason="better than the simple rule",
            backtests=(),
            calibration=(),
            lineage=lineage,
        )
        fields = (Field(name="timestamp", kind="time"), Field(name="latency", kind="number", low=0.0, high=9.5))
        return TrainedModel(
            recipe="anomaly-detector", files={"model.ubj": weights, "meta.json": b"{}"}, schema=fields, report=report
        )

    return make
