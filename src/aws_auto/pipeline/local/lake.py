"""The lake: immutable Parquet files by day, and a manifest in ``state.db`` that says which of them count.

A write announces its files in the manifest, writes them, and then lets them count, and those that they replace no
longer, in one transaction. Killed before that transaction the lake is as it was; after it the batch is there whole,
however many days it spans. Every file on the disk is named in the manifest, so nothing is ever lost on it: what was
announced and not committed, and what was replaced over an hour ago, is deleted by the next write to the dataset.

Readers take the list of files that count and read without a lock. Writers of one dataset wait for one another; writers
of other datasets and readers do not.

Within a day, files never overlap in time. New rows are merged with the files that they reach into, and with neighbours
that are not larger than they are: a day is a few files of shrinking size, and a row is rewritten a logarithmic number
of times, whether a day arrives at once or in ten thousand small batches.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from aws_auto.errors import DataError, SchemaError
from aws_auto.pipeline.local.files import only_one, refusals, write_whole
from aws_auto.pipeline.local.manifest import LakeFile, Manifest
from aws_auto.pipeline.local.state import micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from aws_auto.pipeline.local.state import State
    from aws_auto.pipeline.ports import Batch, Clock, Window

#: How long a replaced file is kept for readers that may still hold it.
GRACE = timedelta(hours=1)


@dataclass(frozen=True)
class _Step:
    """One day of a write: the new rows, and the files that they are merged with and replace."""

    day: str
    new: pl.DataFrame
    old: Sequence[LakeFile]


class LocalLake:
    """`Lake` in the folder ``root``."""

    def __init__(self, root: Path, state: State, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._manifest = Manifest(state)

    def write(self, batch: Batch) -> int:
        """Merge or replace, in one step for the whole batch; returns the rows stored.

        Raises:
            SchemaError: a column has another type than the dataset's, or keys and times are not usable.
            DataError: a file that had to be merged is gone or damaged.
            TargetError: the disk refused.
            ConflictError: another process kept writing to this dataset for minutes.
        """
        from aws_auto.pipeline.local.tables import conform

        if not re.fullmatch(r"[a-z][a-z0-9_-]*", batch.dataset):
            raise SchemaError(f"{batch.dataset!r} cannot name a dataset", hint="use small letters, digits, - and _")
        with only_one(self._root / batch.dataset / ".lock"):
            schema = self._schema(batch.dataset)
            rows = conform(batch, schema)
            steps = self._plan(batch, rows)
            if steps:
                self._store(batch, steps, {**schema, **rows.schema})
            self._sweep(batch.dataset)
        return len(rows)

    def scan(self, dataset: str, window: Window | None = None) -> pl.LazyFrame:
        """The rows of that window, an empty frame with no columns when the dataset does not exist.

        Collect it within the hour: files that are replaced meanwhile are deleted after that.

        Raises:
            DataError: a file of the lake was taken away or cut short.
        """
        from aws_auto.pipeline.local.tables import inside

        if window is None:
            return self._frame(dataset, self._manifest.live(dataset))
        first, last = micros(window.start), micros(window.end) - 1
        files = [f for f in self._manifest.live(dataset, _days(window)) if f.last >= first and f.first <= last]
        rows = self._frame(dataset, files)
        return rows.filter(inside(window)) if files else rows

    def datasets(self) -> Mapping[str, int]:
        """Names and row counts."""
        return self._manifest.rows()

    def closed(self, scope: str) -> list[Window]:
        """Spans that a source of this scope has delivered for good, merged and sorted."""
        return self._manifest.closed(scope)

    def close(self, scope: str, window: Window) -> None:
        """Remember that the span needs no second pull; spans that touch become one."""
        self._manifest.close(scope, window)

    def _plan(self, batch: Batch, rows: pl.DataFrame) -> list[_Step]:
        from aws_auto.pipeline.local.tables import by_day, span

        parts = by_day(rows)
        if batch.keys:
            days = (min(parts), max(parts)) if parts else ("~", "")
            spans = {day: span(part) for day, part in parts.items()}
            files = self._manifest.live(batch.dataset, days)
        else:
            window = (micros(batch.window.start), micros(batch.window.end) - 1)
            files = self._manifest.live(batch.dataset, _days(batch.window))
            reached = {f.day for f in files if f.last >= window[0] and f.first <= window[1]}
            spans = dict.fromkeys(sorted({*parts, *reached}), window)
        return [
            _Step(day, part, _touched([f for f in files if f.day == day], reach, len(part)))
            for day, reach in spans.items()
            for part in [parts.get(day, rows.clear())]
        ]

    def _store(self, batch: Batch, steps: Sequence[_Step], schema: Mapping[str, pl.DataType]) -> None:
        ids = self._manifest.announce(batch.dataset, [step.day for step in steps], self._clock.now())
        files = [self._write_day(batch, step, number) for step, number in zip(steps, ids, strict=True)]
        self._manifest.commit(
            batch.dataset,
            _schema_to_bytes(schema),
            written=[file for file in files if file],
            replaced=[file for step in steps for file in step.old],
            now=self._clock.now(),
        )

    def _write_day(self, batch: Batch, step: _Step, number: int) -> LakeFile | None:
        """The new file of that day; None when the day is left without rows."""
        from aws_auto.pipeline.local.tables import merged, replaced, span

        rows = step.new
        if step.old:
            old = self._collect(batch.dataset, step.old)
            rows = merged(old, rows, batch.keys) if batch.keys else replaced(old, rows, batch.window)
        if rows.is_empty():
            return None
        buffer = io.BytesIO()
        rows.write_parquet(buffer, compression="zstd")
        path = self._path(batch.dataset, step.day, number)
        write_whole(path, buffer.getvalue(), temporary=_temporary(path))
        return LakeFile(number, step.day, len(rows), buffer.tell(), *span(rows))

    def _collect(self, dataset: str, files: Sequence[LakeFile]) -> pl.DataFrame:
        import polars as pl

        try:
            return self._frame(dataset, files).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            names = ", ".join(str(self._path(dataset, f.day, f.id)) for f in files)
            raise _damaged(str(error).splitlines()[0], names) from error

    def _frame(self, dataset: str, files: Sequence[LakeFile]) -> pl.LazyFrame:
        """The rows of these files, with null where a file is older than a column."""
        import polars as pl

        schema = self._schema(dataset)  # Read after the list of files: it then knows all of their columns.
        if not files:
            return pl.LazyFrame(schema=schema)
        paths = [self._path(dataset, file.day, file.id) for file in files]
        for path, file in zip(paths, files, strict=True):
            size = path.stat().st_size if path.is_file() else None
            if size != file.bytes:
                raise _damaged("is gone" if size is None else f"has {size} bytes, not {file.bytes}", str(path))
        return pl.scan_parquet(paths, schema=schema, missing_columns="insert", hive_partitioning=False, glob=False)

    def _schema(self, dataset: str) -> dict[str, pl.DataType]:
        import polars as pl

        stored = self._manifest.schema(dataset)
        return {} if stored is None else dict(pl.read_ipc_schema(io.BytesIO(stored)))

    def _sweep(self, dataset: str) -> None:
        """Delete what nobody can be reading. The caller is the dataset's only writer, so nothing pending is alive."""
        litter = self._manifest.litter(dataset, dead_before=self._clock.now() - GRACE)
        if not litter:
            return
        for number, day in litter:
            path = self._path(dataset, day, number)
            with refusals(path):
                path.unlink(missing_ok=True)
                _temporary(path).unlink(missing_ok=True)
        self._manifest.forget(number for number, _ in litter)

    def _path(self, dataset: str, day: str, number: int) -> Path:
        year, month, date = day.split("-")
        return self._root / dataset / f"year={year}" / f"month={month}" / f"day={date}" / f"{number:09d}.parquet"


def _temporary(path: Path) -> Path:
    return path.with_suffix(".tmp")


def _days(window: Window) -> tuple[str, str]:
    """First and last UTC day that the window touches."""
    first, last = (f"{t.astimezone(UTC):%Y-%m-%d}" for t in (window.start, window.end))
    return first, last


def _touched(files: Sequence[LakeFile], reach: tuple[int, int], size: int) -> Sequence[LakeFile]:
    """The files of a day, in the order of time, that new rows must be or had better be merged with.

    Must: those that overlap ``reach``. Had better: neighbours not larger than what is merged anyway (``size`` rows),
    which keeps the number of files logarithmic, as in a log-structured merge tree (O'Neil et al. 1996).
    """
    first, last = reach
    low = sum(file.last < first for file in files)
    high = len(files) - sum(file.first > last for file in files)
    size += sum(file.rows for file in files[low:high])
    while low > 0 and files[low - 1].rows <= size:
        low -= 1
        size += files[low].rows
    while high < len(files) and files[high].rows <= size:
        size += files[high].rows
        high += 1
    return files[low:high]


def _schema_to_bytes(schema: Mapping[str, pl.DataType]) -> bytes:
    import polars as pl

    buffer = io.BytesIO()
    pl.DataFrame(schema=dict(schema)).write_ipc(buffer)
    return buffer.getvalue()


def _damaged(what: str, where: str) -> DataError:
    return DataError(
        f"the lake's file {what}",
        where=where,
        hint="restore it from a backup, or move the whole workspace away and collect again",
    )
