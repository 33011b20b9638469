"""Steps that change a workspace in every way there is, and a process that does them until it is killed.

Run as ``python workload.py ROOT PROGRESS KILL_AT``: after each step its number is appended to PROGRESS. With n for
KILL_AT the process kills itself (SIGKILL: no clean-up at all) at the n-th of the moments that matter: before or after
a file is synced (before: with half of its bytes), renamed or deleted, and before or after SQLite begins, commits and
closes. With 0 it runs to its end and prints how many such moments there were.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

T0 = datetime(2026, 1, 30, tzinfo=UTC)
DAY = timedelta(days=1)
NAME = "anomaly-detector"


class FixedClock:
    def __init__(self, now=T0 + 30 * DAY):
        self._now = now

    def now(self):
        return self._now

    def sleep(self, seconds):
        raise AssertionError("nothing here waits")


def _batch(dataset, first, days, *, keys=("resource_id", "timestamp"), **columns):
    import polars as pl

    from aws_auto.pipeline.ports import Batch, Window

    times = [T0 + (first * 24 + 6 * n) * DAY / 24 for n in range(days * 4)]
    rows = pl.DataFrame({"resource_id": [f"i-{r}" for r in range(3) for _ in times], "timestamp": times * 3})
    rows = rows.with_columns(pl.lit(value).alias(name) for name, value in columns.items())
    return Batch(dataset=dataset, rows=rows, window=Window(T0 + first * DAY, T0 + (first + days) * DAY), keys=keys)


def _model(weights):
    from aws_auto.results import Decision, Field, Lineage, TrainedModel, TrainReport

    lineage = Lineage(
        data_fingerprint="ab" * 32, rows=1, resources=1, start=T0, end=T0 + DAY, seed=7, versions={"polars": "2"}
    )
    report = TrainReport(
        recipe=NAME, decision=Decision.PROMOTE, reason="so", backtests=(), calibration=(), lineage=lineage
    )
    files = {"model.ubj": weights * 1000, "meta.json": b"{}"}
    return TrainedModel(recipe=NAME, files=files, schema=(Field(name="cpu", kind="number"),), report=report)


def _schedule(ws):
    from aws_auto.pipeline.ports import Schedule

    ws.scheduler.put(Schedule(job="train", every="weekly", command=("ml", "train-models"), next_run=T0))


def _close(ws):
    from aws_auto.pipeline.ports import Window

    ws.lake.close("aws/eu-west-1", Window(T0, T0 + 5 * DAY))


def _say(ws):
    from aws_auto.ml.cost.findings import Money
    from aws_auto.ml.cost.ledger import LedgerEntry

    words = {
        "kind": "idle",
        "account": None,
        "region": None,
        "service": "x",
        "what": "x",
        "command": "x",
        "rollback": "x",
    }
    money = Money(expected=1.0, low=0.0, high=2.0, currency="USD")
    times = {"first_said": T0, "last_said": T0, "expires": T0 + DAY}
    ws.ledger.say(
        [
            LedgerEntry(id=f"idle-{n}", resources=(f"i-{n}",), predicted=money, trouble=None, **words, **times)
            for n in (1, 2)
        ]
    )


def _remember(ws):
    from aws_auto.pipeline.ports import Checkpoint

    states = {f"web-{n}": bytes(9000) for n in range(20)}
    ws.checkpoints.put(NAME, "1", Checkpoint(at=T0, states=states, seen=dict.fromkeys(states, 7)))


STEPS = (
    lambda ws: ws.lake.write(_batch("metrics", 0, 5, cpu=1.0)),
    lambda ws: ws.lake.write(_batch("metrics", 3, 5, latency=10.0)),
    _close,
    lambda ws: ws.registry.register(NAME, _model(b"one")),
    lambda ws: ws.registry.promote(NAME, 1, reason="first"),
    lambda ws: ws.journal.append("promote", version=1),
    _schedule,
    _say,
    _remember,
    lambda ws: ws.ledger.decide("idle-1", "accepted"),
    lambda ws: ws.ledger.decide("idle-1", "applied", applied_on=T0.date()),
    lambda ws: ws.lake.write(_batch("billing", 0, 6, keys=(), cost=1.0)),
    lambda ws: ws.registry.register(NAME, _model(b"two")),
    lambda ws: ws.registry.promote(NAME, 2, reason="better"),
    lambda ws: ws.scheduler.claim("train"),
    lambda ws: ws.lake.write(_batch("billing", 2, 3, keys=(), cost=2.0, note="restated")),
    lambda ws: ws.registry.rollback(NAME, reason="errors"),
    lambda ws: ws.lake.write(_batch("metrics", 0, 8, cpu=2.0)),
)


def start(root, clock=None):
    from aws_auto.pipeline.workspace import open_workspace

    return open_workspace(root, target="local", environ={}, clock=clock or FixedClock())


def observe(ws):
    """Everything that a workspace holds, as plain values."""
    tables = {}
    for name in ws.lake.datasets():
        rows = ws.lake.scan(name).collect()
        tables[name] = (rows.columns, rows.sort(rows.columns).rows())
    versions = ws.registry.versions()
    return {
        "counts": dict(ws.lake.datasets()),
        "tables": tables,
        "closed": ws.lake.closed("aws/eu-west-1"),
        "versions": versions,
        "files": [ws.registry.files(version) for version in versions],
        "champion": ws.registry.champion(NAME),
        "history": ws.registry.history(NAME),
        "schedules": ws.scheduler.all(),
        "journal": ws.journal.entries(),
        "ledger": ws.ledger.entries(),
        "checkpoint": ws.checkpoints.get(NAME, "1"),
    }


class Moments:
    """Counts the moments that matter and dies at one of them."""

    def __init__(self, kill_at):
        self.kill_at = kill_at
        self.count = 0

    def pass_one(self):
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call):
        def wrapped(*args, **kwargs):
            self.pass_one()
            result = call(*args, **kwargs)
            self.pass_one()
            return result

        return wrapped

    def install(self):
        fsync = os.fsync

        def half_then_whole(handle):
            self.count += 1
            if self.count == self.kill_at:
                if os.path.isfile(f"/dev/fd/{handle}"):  # noqa: PTH113 - a handle, not a path
                    os.ftruncate(handle, os.fstat(handle).st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            fsync(handle)
            self.pass_one()

        os.fsync = half_then_whole
        os.replace = self.around(os.replace)
        os.unlink = self.around(os.unlink)
        moments, connect = self, sqlite3.connect

        class Connection(sqlite3.Connection):
            def execute(self, sql, *args):
                matters = sql.startswith(("BEGIN IMMEDIATE", "COMMIT", "PRAGMA journal_mode"))
                return (moments.around(super().execute) if matters else super().execute)(sql, *args)

            def close(self):
                moments.around(super().close)()

        def watched(*args, **kwargs):
            return connect(*args, factory=Connection, **kwargs)

        sqlite3.connect = watched


def main():
    root, progress, kill_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    import polars  # noqa: F401, ICN001 - before the wrappers: importing is none of the moments

    moments = Moments(kill_at)
    moments.install()
    ws = start(root)
    with progress.open("a") as done:
        for number, step in enumerate(STEPS, start=1):
            step(ws)
            done.write(f"{number}\n")
            done.flush()
    print(moments.count)  # noqa: T201 - what the test asks for


if __name__ == "__main__":
    main()
