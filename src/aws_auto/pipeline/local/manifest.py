"""The manifest of the lake: which Parquet files count, which are being written, and which may be deleted.

A file goes from ``pending`` (announced, perhaps half written) to ``live`` (part of the dataset) to ``dead`` (replaced,
kept for a while for readers that listed it before). Its path follows from dataset, day and id; ids are never reused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_auto.pipeline.local.state import micros, moment
from aws_auto.pipeline.ports import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from aws_auto.pipeline.local.state import State


@dataclass(frozen=True)
class LakeFile:
    """A line of the manifest; ``first`` and ``last`` are the times of its rows in microseconds."""

    id: int
    day: str
    rows: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Manifest:
    """The manifest in ``state.db``."""

    state: State

    def schema(self, dataset: str) -> bytes | None:
        """The columns of a dataset as it was committed, None when there is no such dataset."""
        with self.state.read() as db:
            row = db.execute("SELECT schema FROM lake_datasets WHERE dataset = ?", (dataset,)).fetchone()
        return None if row is None else bytes(row["schema"])

    def rows(self) -> Mapping[str, int]:
        """Rows by dataset."""
        with self.state.read() as db:
            found = db.execute(
                "SELECT d.dataset, COALESCE(SUM(f.rows), 0) FROM lake_datasets d"
                " LEFT JOIN lake_files f ON f.dataset = d.dataset AND f.state = 'live' GROUP BY d.dataset ORDER BY 1"
            ).fetchall()
        return {str(dataset): int(rows) for dataset, rows in found}

    def live(self, dataset: str, days: tuple[str, str] = ("", "~")) -> list[LakeFile]:
        """The files that count, from one day to another (both included), in the order of time."""
        with self.state.read() as db:
            found = db.execute(
                "SELECT id, day, rows, bytes, first, last FROM lake_files"
                " WHERE dataset = ? AND state = 'live' AND day BETWEEN ? AND ? ORDER BY first",
                (dataset, *days),
            ).fetchall()
        return [LakeFile(*row) for row in found]

    def announce(self, dataset: str, days: Sequence[str], now: datetime) -> list[int]:
        """Ids for one new file per day; whatever is written under them will be swept unless it is committed."""
        with self.state.transaction() as db:
            insert = "INSERT INTO lake_files (dataset, day, state, since) VALUES (?, ?, 'pending', ?)"
            added = [db.execute(insert, (dataset, day, micros(now))).lastrowid for day in days]
        return [number for number in added if number is not None]

    def commit(
        self, dataset: str, schema: bytes, *, written: Iterable[LakeFile], replaced: Iterable[LakeFile], now: datetime
    ) -> None:
        """Let the written files count, and the replaced ones no longer: all at once."""
        with self.state.transaction() as db:
            db.execute("INSERT OR REPLACE INTO lake_datasets VALUES (?, ?)", (dataset, schema))
            db.executemany(
                "UPDATE lake_files SET state = 'dead', since = ? WHERE id = ?", [(micros(now), f.id) for f in replaced]
            )
            db.executemany(
                "UPDATE lake_files SET state = 'live', rows = ?, bytes = ?, first = ?, last = ? WHERE id = ?",
                [(f.rows, f.bytes, f.first, f.last, f.id) for f in written],
            )

    def litter(self, dataset: str, *, dead_before: datetime) -> list[tuple[int, str]]:
        """Ids and days of files that died before that time, and of all that were announced and never committed."""
        with self.state.read() as db:
            found = db.execute(
                "SELECT id, day FROM lake_files WHERE dataset = ?"
                " AND (state = 'pending' OR (state = 'dead' AND since < ?))",
                (dataset, micros(dead_before)),
            ).fetchall()
        return [(int(number), str(day)) for number, day in found]

    def forget(self, ids: Iterable[int]) -> None:
        """Strike out files that are deleted."""
        with self.state.transaction() as db:
            db.executemany("DELETE FROM lake_files WHERE id = ?", [(number,) for number in ids])

    def closed(self, scope: str) -> list[Window]:
        """The closed windows of that scope, sorted."""
        with self.state.read() as db:
            found = db.execute("SELECT start, until FROM lake_closed WHERE scope = ? ORDER BY start", (scope,))
            return [Window(moment(start), moment(until)) for start, until in found]

    def close(self, scope: str, window: Window) -> None:
        """Add a closed window; windows that touch become one."""
        start, until = micros(window.start), micros(window.end)
        if until <= start:
            return
        touching = "FROM lake_closed WHERE scope = ? AND start <= ? AND until >= ?"
        with self.state.transaction() as db:
            old = db.execute(f"SELECT start, until {touching}", (scope, until, start)).fetchall()
            db.execute(f"DELETE {touching}", (scope, until, start))
            start, until = min([start, *(row["start"] for row in old)]), max([until, *(row["until"] for row in old)])
            db.execute("INSERT INTO lake_closed VALUES (?, ?, ?)", (scope, start, until))
