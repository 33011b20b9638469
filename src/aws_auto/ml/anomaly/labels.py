"""What people said about earlier alarms, and about incidents that raised none, as spans of time of one resource."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import RESOURCE, TIME_DTYPE, TIMESTAMP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.grid import ResourceGrid

    Bools = NDArray[np.bool_]
    Spans = tuple[tuple[int, int], ...]


#: Columns after an alarm that are still judged by what it left: the longest window of the detectors that looks back.
ECHO = 30


@dataclass(frozen=True)
class Labels:
    """First and last unix second of each span that somebody judged.

    Attributes:
        right: there was an incident, whether it was found or missed.
        wrong: there was none.
    """

    right: Spans = ()
    wrong: Spans = ()

    def wrongly(self, grid: ResourceGrid) -> Bools:
        """The columns of false alarms, less those of incidents."""
        return _within(grid, self.wrong) & ~_within(grid, self.right)

    def affected(self, grid: ResourceGrid) -> Bools:
        """The columns of all alarms and of their echo, which are no measure of what is usual."""
        return _within(grid, self.right + self.wrong, after=ECHO * grid.period)


NOTHING_SAID = Labels()
#: Verdicts that say that there was an incident: an alarm was right, or should have been raised.
INCIDENT = ("true", "missed")


def spans_of(table: pl.DataFrame, *, where: str, beside: tuple[str, ...] = ()) -> pl.DataFrame:
    """A table of labels with times in UTC.

    Args:
        table: ``resource_id, timestamp`` (or ``start``), ``end`` and whatever else; a time without a zone, and text in
            ISO 8601 without one, is UTC.
        where: its name, for errors.
        beside: further columns that it must have.

    Raises:
        SchemaError: a column is missing or empty, a time cannot be read, or a span ends before it starts.
    """
    if TIMESTAMP not in table.columns:
        table = table.rename({"start": TIMESTAMP}, strict=False)
    if missing := [name for name in (RESOURCE, TIMESTAMP, "end", *beside) if name not in table.columns]:
        raise SchemaError(f"has no {', '.join(missing)}", where=where, hint=f"there is {', '.join(table.columns)}")
    if empty := [name for name in (RESOURCE, TIMESTAMP, "end") if table[name].null_count()]:
        raise SchemaError(f"{empty[0]} is empty in a row", where=where, hint="fill it, or drop the row")
    out = table.with_columns(
        pl.col(RESOURCE).cast(pl.String), *(_utc(table[name], where).alias(name) for name in (TIMESTAMP, "end"))
    )
    wrong = out.filter(pl.col("end") < pl.col(TIMESTAMP))
    if len(wrong):
        first = wrong.row(0, named=True)
        raise SchemaError(
            f"{first[RESOURCE]} ends at {first['end']:%Y-%m-%dT%H:%MZ}, before it starts at"
            f" {first[TIMESTAMP]:%Y-%m-%dT%H:%MZ}",
            where=where,
            hint="exchange them",
        )
    return out


def by_resource(table: pl.DataFrame) -> dict[str, Labels]:
    """Labels of each resource that somebody said something about.

    Args:
        table: ``resource_id, timestamp`` (start), ``end, verdict`` (true, false, missed; any other says nothing here).
    """
    said = table.filter(pl.col("verdict").is_in([*INCIDENT, "false"])).select(
        RESOURCE,
        right=pl.col("verdict").is_in(INCIDENT),
        start=pl.col(TIMESTAMP).dt.epoch("s"),
        end=pl.col("end").dt.epoch("s"),
    )
    spans: dict[str, dict[bool, list[tuple[int, int]]]] = {}
    for resource, right, start, end in said.unique().sort(RESOURCE, "start", "end", "right").iter_rows():
        spans.setdefault(resource, {True: [], False: []})[right].append((start, end))
    return {name: Labels(tuple(s[True]), tuple(s[False])) for name, s in spans.items()}


def _utc(times: pl.Series, where: str) -> pl.Series:
    if times.dtype == pl.String:
        try:
            read = [datetime.fromisoformat(text) for text in times]
        except ValueError as error:
            raise SchemaError(str(error), where=f"{where}: {times.name}", hint="2026-01-31T22:00Z") from error
        times = pl.Series([t if t.tzinfo else t.replace(tzinfo=UTC) for t in read], dtype=TIME_DTYPE)
    if not isinstance(times.dtype, pl.Datetime):
        raise SchemaError(f"holds {times.dtype}, no times", where=f"{where}: {times.name}", hint="2026-01-31T22:00Z")
    known = times.dt.replace_time_zone("UTC") if times.dtype.time_zone is None else times.dt.convert_time_zone("UTC")
    return known.cast(TIME_DTYPE)


def _within(grid: ResourceGrid, spans: Spans, *, after: int = 0) -> Bools:
    times, out = grid.times, np.zeros(grid.values.shape[1], dtype=bool)
    for start, end in spans:
        out |= (times + grid.period > start) & (times <= end + after)
    return out
