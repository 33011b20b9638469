"""What is known of hours to come: events that somebody announced, and public holidays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import RESOURCE, parsed_times, zone
from aws_auto.ml.features.calendar import public_holidays
from aws_auto.ml.forecast.grid import DAY, HOUR_US, HourGrid, columns_at, starts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]

COLUMNS = ("start", "end", "name")


@dataclass(frozen=True)
class Event:
    """Something announced that moves demand: a sale, a broadcast, a batch run.

    Attributes:
        start: its first moment, UTC.
        end: when it is over.
        name: for people.
        resource_id: the resource that it moves, None for all.
    """

    start: datetime
    end: datetime
    name: str
    resource_id: str | None = None


@dataclass(frozen=True)
class Ahead:
    """Events, and the public holidays of a country in its own days; both may be empty."""

    events: tuple[Event, ...] = ()
    country: str | None = None
    subdivision: str | None = None
    tz: str = "UTC"

    def signals(self, grid: HourGrid) -> tuple[Flags, ...]:
        """Which columns of the grid and of the 24 after it belong to an event, and to a holiday, ``(R, columns + 24)``.

        A column that is a part of a day, or a day, is one of the holiday that its middle lies in.

        A signal is there when it was asked for, whether or not any of its hours lies in the grid.

        Raises:
            UsageError: unknown country, part of it, or time zone.
        """
        found = [self._during(grid)] if self.events else []
        return (*found, self._off(grid)) if self.country else tuple(found)

    def _during(self, grid: HourGrid) -> Flags:
        out = np.zeros((len(grid.resources), grid.hours + DAY), dtype=bool)
        for event in self.events:
            first = int(columns_at(math.floor(event.start.timestamp()), grid.step)) - grid.first
            last = int(columns_at(math.ceil(event.end.timestamp()) - 1, grid.step)) + 1 - grid.first
            rows = [i for i, name in enumerate(grid.resources) if event.resource_id in (None, name)]
            out[rows, max(first, 0) : max(last, 0)] = True
        return out

    def _off(self, grid: HourGrid) -> Flags:
        middle = HOUR_US * (min(grid.step, DAY) // 2 + DAY * np.arange(max(grid.step // DAY, 1)))
        begins = starts(grid.first + np.arange(grid.hours + DAY), grid.step)
        moments = pl.Series((begins[:, None] + middle).ravel()).cast(pl.Datetime("us", "UTC"))
        days = moments.dt.convert_time_zone(zone(self.tz).key).dt.date()
        years = days.dt.year().unique().to_list()
        holidays = public_holidays(self.country or "", subdivision=self.subdivision, years=years)
        off = np.asarray(days.is_in(holidays)).reshape(grid.hours + DAY, -1).any(axis=1)
        return np.broadcast_to(off, (len(grid.resources), off.size))


def events_of(table: pl.DataFrame, *, where: str = "events") -> tuple[Event, ...]:
    """Events from a table with ``start, end, name`` and perhaps ``resource_id``; times in ISO 8601, UTC without offset.

    Raises:
        SchemaError: a column is missing, a time cannot be read, or an event ends before it begins; says which row.
    """
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise SchemaError(
            f"no column {', '.join(missing)}", where=where, hint="the first line is start,end,name[,resource_id]"
        )
    times = [_times(table[name], where) for name in ("start", "end")]
    for_one = table[RESOURCE].cast(pl.String).to_list() if RESOURCE in table.columns else [None] * len(table)
    names = table["name"].cast(pl.String).fill_null("").to_list()
    found = [Event(*row) for row in zip(*times, names, [r or None for r in for_one], strict=True)]
    for row, event in enumerate(found, 1):
        if event.end <= event.start:
            raise SchemaError(f"row {row} ends before it begins", where=where, hint="end is when it is over")
    return tuple(found)


def _times(column: pl.Series, where: str) -> Sequence[datetime]:
    if column.dtype == pl.String:
        parsed = parsed_times(column)
    elif isinstance(column.dtype, pl.Datetime):
        parsed = column
    else:
        raise SchemaError(f"column {column.name} holds no times", where=where, hint="write 2026-11-27T06:00:00Z")
    if parsed.null_count():
        row = parsed.is_null().arg_true()[0]
        raise SchemaError(
            f"row {row + 1}: {column[row]!r} in column {column.name} is no time",
            where=where,
            hint="write 2026-11-27T06:00:00Z",
        )
    assert isinstance(parsed.dtype, pl.Datetime)  # noqa: S101 - both ways above give one
    naive = parsed.dtype.time_zone is None
    return (parsed.dt.replace_time_zone("UTC") if naive else parsed.dt.convert_time_zone("UTC")).to_list()
