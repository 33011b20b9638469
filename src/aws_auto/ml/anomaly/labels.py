"""What people said about earlier alarms, and about incidents that raised none, as spans of time of one resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP

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


def _within(grid: ResourceGrid, spans: Spans, *, after: int = 0) -> Bools:
    times, out = grid.times, np.zeros(grid.values.shape[1], dtype=bool)
    for start, end in spans:
        out |= (times + grid.period > start) & (times <= end + after)
    return out
