"""The metrics of one resource on a regular grid of its own period: lags by time, gaps as NaN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

DAY = 86_400
#: Older points are left out: one stray timestamp must not make a grid of a million columns.
MOST_SECONDS = 400 * DAY


@dataclass(frozen=True)
class ResourceGrid:
    """Values by metric (rows) and time (columns).

    Attributes:
        resource: its id.
        period: seconds between columns.
        first: unix seconds of column 0.
        metrics: row names.
        values: ``(metrics, columns)``.
        column: the column of each of the resource's rows of the table, in table order; -1 for one too old.
    """

    resource: str
    period: int
    first: int
    metrics: tuple[str, ...]
    values: Floats
    column: Ints

    @property
    def times(self) -> Ints:
        """Unix seconds of the columns."""
        return self.first + self.period * np.arange(self.values.shape[1], dtype=np.int64)

    @property
    def end(self) -> int:
        """Unix seconds of the column after the last."""
        return self.first + self.period * int(self.values.shape[1])

    def points(self, seconds: float, least: int = 1) -> int:
        """How many columns that span is, at least ``least``."""
        return max(round(seconds / self.period), least)

    def replaced(self, values: Floats) -> ResourceGrid:
        """The same grid with other values."""
        return ResourceGrid(self.resource, self.period, self.first, self.metrics, values, self.column)

    def cut(self, start: int | None, end: int | None) -> ResourceGrid:
        """The columns with ``start <= time < end``."""
        times = self.times
        low = 0 if start is None else int(np.searchsorted(times, start))
        high = len(times) if end is None else int(np.searchsorted(times, end))
        first = self.first + low * self.period
        return ResourceGrid(
            self.resource, self.period, first, self.metrics, self.values[:, low:high], self.column - low
        )


def grids(data: pl.DataFrame, metrics: Sequence[str]) -> dict[str, ResourceGrid]:
    """One grid per resource of a table that is sorted by resource and time, with the metrics that it has values of."""
    return {
        part[RESOURCE][0]: grid_of(part, [m for m in metrics if m in part.columns and part[m].count()])
        for part in data.partition_by(RESOURCE, maintain_order=True)
    }


def grid_of(part: pl.DataFrame, metrics: Sequence[str], period: int | None = None) -> ResourceGrid:
    """The grid of one resource's rows, sorted by time; an absent metric is unknown everywhere.

    Args:
        part: keys and metrics.
        metrics: row names.
        period: seconds between columns; the median step when not given.
    """
    seconds = part[TIMESTAMP].dt.epoch("s").to_numpy()
    steps = np.diff(np.unique(seconds))
    step = period or (max(int(np.median(steps)), 1) if len(steps) else 300)
    base = max(int(seconds[0]), int(seconds[-1]) - MOST_SECONDS) // step * step
    column = np.maximum((seconds - base) // step, -1)
    values = np.full((len(metrics), int(column.max()) + 1), np.nan)
    seen = column >= 0
    for i, metric in enumerate(metrics):
        if metric in part.columns:
            values[i, column[seen]] = part[metric].cast(pl.Float64).fill_null(np.nan).to_numpy()[seen]
    return ResourceGrid(part[RESOURCE][0], step, base, tuple(metrics), values, column)
