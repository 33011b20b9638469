"""Files as sources: bills (CUR, FOCUS), metrics, logs. Which source reads what is said by its class.

All of them read through a `Shelf`, so a bill may lie on the disk or in a bucket. ``scope`` holds a digest of the files'
versions: a file that is restated, added or taken away is another scope, and the window is pulled again.

``notes`` are sentences about what the last pull found and a reader must know; they are complete when the pull ended.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from aws_auto.errors import DataError, SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP, MetricFrame
from aws_auto.pipeline.local.bill_files import month_of, months, named_month, read
from aws_auto.pipeline.local.bill_tables import ENDINGS, located
from aws_auto.pipeline.local.log_lines import KEYS, minutes, parse
from aws_auto.pipeline.local.shelf import LocalShelf
from aws_auto.pipeline.ports import Batch, Estimate, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_auto.pipeline.local.bill_files import Month
    from aws_auto.pipeline.shelf import Item, Shelf


@dataclass
class FileSource:
    """What all sources over files share.

    Attributes:
        path: a file, a folder (everything below it), or a pattern; for another shelf than the disk, its address.
        shelf: where the path leads.
        notes: what the last pull found.
    """

    path: str
    shelf: Shelf = field(default_factory=LocalShelf)
    notes: list[str] = field(default_factory=list)
    name: ClassVar[str]
    simulated: ClassVar[bool] = False

    @cached_property
    def items(self) -> list[Item]:
        """The files, as they are when first looked at.

        Raises:
            SchemaError: there are none.
        """
        return self.shelf.items(str(self.path))

    @property
    def scope(self) -> str:
        """Name, path, and a digest of which versions of which files are there."""
        listing = "\n".join(f"{item.address} {item.size} {item.version}" for item in self.items)
        return f"{self.name}:{self.path}@{hashlib.sha256(listing.encode()).hexdigest()[:12]}"

    def _say(self, *sentences: str) -> None:
        self.notes.extend(sentence for sentence in sentences if sentence not in self.notes)


@dataclass
class CurSource(FileSource):
    """A Cost and Usage Report, legacy or 2.0, as CSV, CSV.gz or Parquet: dataset ``billing``, month by month.

    Each batch holds a whole billing month and replaces it: what is restated is replaced, never added.
    """

    name: ClassVar[str] = "cur"
    formats: ClassVar[tuple[str, ...]] = ("CUR (legacy)", "CUR 2.0")

    @cached_property
    def months(self) -> list[Month]:
        """The billing months that the files hold.

        Raises:
            SchemaError: a file is no bill, or a month lies there in two versions.
        """
        return months(self.shelf, self.items)

    def covers(self) -> Window:
        """From the first billing month to the end of the last.

        Raises:
            SchemaError: as `months`.
        """
        return Window(self.months[0].window.start, self.months[-1].window.end)

    def estimate(self, window: Window) -> Estimate:
        """What opening the files of those months costs; files whose folder names no month count as if all are needed.

        Raises:
            SchemaError: there are no files.
        """
        named = [(item, named_month(item.folder)) for item in self.items if item.name.endswith(ENDINGS)]
        return self.shelf.price([item for item, found in named if not found or _touch(month_of(found[1]), window)])

    def pull(self, window: Window) -> Iterator[Batch]:
        """Every billing month that the window touches, whole.

        Raises:
            SchemaError: a file is damaged or of another format; names file, column and row.
        """
        self.notes.clear()
        touched = self._touched(window)
        if not touched:
            self._say(_outside(self.covers(), window, of="bill"))
        for month in touched:
            rows, found = read(self.shelf, month)
            for one in found:
                if not one.format.startswith(self.formats):
                    raise SchemaError(
                        f"this is {one.format}, not {' or '.join(self.formats)}",
                        where=one.item.address,
                        hint="use the data source of that format",
                    )
                self._say(*(f"{one.item.name}: {sentence}" for sentence in one.report.sentences()))
            yield Batch(dataset="billing", rows=rows, window=month.window, keys=())

    def _touched(self, window: Window) -> list[Month]:
        return [month for month in self.months if _touch(month.window, window)]


def _touch(one: Window, other: Window) -> bool:
    return one.start < other.end and one.end > other.start


def _outside(there: Window, asked: Window, *, of: str) -> str:
    """Why nothing came of it."""
    time = "%Y-%m-%d %H:%MZ"
    return (
        f"nothing lies in the window from {asked.start:{time}} to {asked.end:{time}};"
        f" the {of} reaches from {there.start:{time}} to {there.end:{time}}"
    )


@dataclass
class FocusSource(CurSource):
    """A FOCUS 1.0, 1.1 or 1.2 export, as CSV, CSV.gz or Parquet. As `CurSource` otherwise."""

    name: ClassVar[str] = "focus"
    formats: ClassVar[tuple[str, ...]] = ("FOCUS",)


@dataclass
class MetricsFileSource(FileSource):
    """Metrics in CSV, CSV.gz or Parquet files: datasets ``metrics`` and, where files have text columns, ``resources``.

    Attributes:
        tz: time zone of timestamps without one; default UTC, which is then said in `notes`.
    """

    tz: str | None = None
    name: ClassVar[str] = "csv"

    def covers(self) -> Window | None:
        """The span of all points; None when there are none. Reads the files.

        Raises:
            SchemaError: as `pull`.
        """
        spans = [span for item in self._tables() if (span := self._frame(item).span)]
        if not spans:
            return None
        return Window(min(low for low, _ in spans), max(high for _, high in spans) + timedelta(microseconds=1))

    def estimate(self, window: Window) -> Estimate:  # noqa: ARG002 - a file is read whole, whatever the window
        """What opening the files costs.

        Raises:
            SchemaError: there are no files.
        """
        return self.shelf.price(self._tables())

    def pull(self, window: Window) -> Iterator[Batch]:
        """The points of the window, a file at a time; the span is final with the last file.

        Raises:
            SchemaError: a file is no table of metrics; names file, column and row.
        """
        self.notes.clear()
        items = self._tables()
        for item in items:
            frame = self._frame(item)
            self._say(*(f"{item.name}: {sentence}" for sentence in frame.report.sentences()))
            rows = frame.between(window.start, window.end).data
            if frame.span is None:
                self._say(f"{item.name}: holds no rows")
            elif rows.is_empty():
                self._say(f"{item.name}: {_outside(Window(*frame.span), window, of='file')}")
            yield from self._facts(rows, frame.statics, window)
            yield Batch(dataset="metrics", rows=rows, window=window, final=item == items[-1])

    def _tables(self) -> list[Item]:
        tables = [item for item in self.items if item.name.endswith(ENDINGS)]
        if not tables:
            raise SchemaError(
                f"no table is there; found {', '.join(item.name for item in self.items[:5])}",
                where=str(self.path),
                hint=f"metrics are {', '.join(ENDINGS)} files",
            )
        return tables

    def _frame(self, item: Item) -> MetricFrame:
        with self.shelf.open(item) as path:
            try:
                return MetricFrame.read(path, tz=self.tz)
            except DataError as error:
                raise located(error, item, path) from error

    def _facts(self, rows: pl.DataFrame, statics: tuple[str, ...], window: Window) -> Iterator[Batch]:
        """The last known text of each resource, as of its first point in the window."""
        if not statics or rows.is_empty():
            return
        facts = rows.group_by(RESOURCE).agg(pl.col(TIMESTAMP).min(), pl.col(statics).drop_nulls().last())
        yield Batch(dataset="resources", rows=facts.sort(RESOURCE), window=window, final=False)


@dataclass
class LogFileSource(FileSource):
    """Log files (see `log_lines` for the kinds of line) as minutes: dataset ``logs``, a batch per log.

    A row says for a file (``resource_id``, its name without ending), a minute and a level how many lines there were
    (``request_count``), how many of them tell of an error or a warning, and mean and 95th percentile of the latency.
    Rotated files (``app.log``, ``app.log.1``), and files of one name in different folders, are one log.
    """

    name: ClassVar[str] = "application-logs"

    def estimate(self, window: Window) -> Estimate:  # noqa: ARG002 - a file is read whole, whatever the window
        """What opening the files costs.

        Raises:
            SchemaError: there are no files.
        """
        return self.shelf.price(self.items)

    def pull(self, window: Window) -> Iterator[Batch]:
        """The minutes of the window; lines that are not understood are counted in `notes`.

        Raises:
            SchemaError: most lines of a file are not understood; names file and line.
        """
        self.notes.clear()
        logs: dict[str, list[pl.DataFrame]] = {}
        for item in self.items:
            stem = re.sub(r"(\.(log|txt|jsonl?|gz|\d+))+$", "", item.name) or item.name
            logs.setdefault(stem, []).append(self._lines(item))
        for stem, parts in logs.items():
            rows = minutes(pl.concat(parts), stem).filter(
                pl.col(TIMESTAMP).is_between(window.start, window.end, closed="left")
            )
            yield Batch(dataset="logs", rows=rows, window=window, keys=KEYS, final=stem == list(logs)[-1])

    def _lines(self, item: Item) -> pl.DataFrame:
        with self.shelf.open(item) as path:
            try:
                found = parse(path)
            except DataError as error:
                raise located(error, item, path) from error
        if found.rejected:
            self._say(
                f"{item.name}: {found.rejected} of {found.lines} lines were not understood, the first is line"
                f" {found.first_rejected}"
            )
        return found.rows
