"""Ports in memory, for tests of use cases. Each keeps the duties of its port, and nothing on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from aws_auto.pipeline.ports import Entry, Estimate, Window, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aws_auto.pipeline.ports import Batch

#: Keys of a client that a Stubber answers: nothing is signed for anybody.
NOBODY = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nobody"}

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """Stands still until somebody sleeps; remembers how long they slept."""

    moment: datetime = NOW
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)


class MemoryLake:
    """`Lake` of frames in a dictionary."""

    def __init__(self) -> None:
        self.tables: dict[str, pl.DataFrame] = {}
        self.shut: dict[str, list[Window]] = {}

    def write(self, batch: Batch) -> int:
        old = self.tables.get(batch.dataset, pl.DataFrame())
        if batch.keys:
            new = pl.concat([old, batch.rows], how="diagonal_relaxed")
            values = [pl.col(c).drop_nulls().last() for c in new.columns if c not in batch.keys]
            new = new.group_by(batch.keys, maintain_order=True).agg(values)
        else:
            inside = pl.col("timestamp").is_between(batch.window.start, batch.window.end, closed="left")
            kept = old.filter(~inside) if len(old) else old
            new = pl.concat([kept, batch.rows], how="diagonal_relaxed")
        self.tables[batch.dataset] = new.sort("timestamp") if "timestamp" in new.columns else new
        return len(batch.rows)

    def scan(self, dataset: str, window: Window | None = None) -> pl.LazyFrame:
        rows = self.tables.get(dataset, pl.DataFrame()).lazy()
        if window is None or dataset not in self.tables:
            return rows
        return rows.filter(pl.col("timestamp").is_between(window.start, window.end, closed="left"))

    def datasets(self) -> Mapping[str, int]:
        return {name: len(rows) for name, rows in self.tables.items()}

    def closed(self, scope: str) -> list[Window]:
        merged: list[Window] = []
        for window in sorted(self.shut.get(scope, [])):
            if merged and window.start <= merged[-1].end:
                merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
            else:
                merged.append(window)
        return merged

    def close(self, scope: str, window: Window) -> None:
        self.shut.setdefault(scope, []).append(window)


@dataclass
class MemoryJournal:
    """`Journal` in a list."""

    clock: FakeClock
    lines: list[Entry] = field(default_factory=list)

    def append(self, kind: str, **detail: Any) -> None:
        self.lines.insert(0, Entry(at=self.clock.now(), kind=kind, detail=detail))

    def entries(self, kind: str | None = None, limit: int = 100) -> Sequence[Entry]:
        return [e for e in self.lines if kind in (None, e.kind)][:limit]


@dataclass
class ScriptedSource:
    """`Source` that answers a window with what ``script`` makes of it, and remembers what it was asked."""

    script: Callable[[Window], Iterator[Batch]]
    price: float = 0.01
    name: str = "scripted"
    scope: str = "scripted:1"
    simulated: bool = False
    asked: list[Window] = field(default_factory=list)

    def estimate(self, _window: Window) -> Estimate:
        return Estimate(calls=1, price_usd=self.price, lines=("one call",))

    def pull(self, window: Window) -> Iterator[Batch]:
        self.asked.append(window)
        yield from self.script(window)


def memory_workspace(clock: FakeClock | None = None, lake: MemoryLake | None = None, **parts: Any) -> Workspace:
    """A workspace in memory. Parts that a test does not name are missing: using one fails at once."""
    clock = clock or FakeClock()
    missing = dict.fromkeys(("registry", "scheduler", "target", "ledger", "checkpoints"))
    known = {"root": Path("nowhere"), "clock": clock, "lake": lake or MemoryLake(), "journal": MemoryJournal(clock)}
    return Workspace(**{**missing, **known, **parts})


@dataclass
class FakeClients:
    """`ClientMaker` of stand-ins by service name."""

    services: Mapping[str, Any]
    region: str | None = "eu-west-1"

    def client(self, service: str, *, region: str | None = None) -> Any:
        return self.services[service]
