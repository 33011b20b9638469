"""What people said about earlier alarms, as spans of time of one resource."""

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
    """First and last unix second of each alarm that somebody judged.

    Attributes:
        right: there was an incident.
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


def by_resource(table: pl.DataFrame) -> dict[str, Labels]:
    """Labels of each resource that somebody judged an alarm of.

    Args:
        table: ``resource_id, timestamp`` (start), ``end, verdict`` (true, false; any other says nothing here).
    """
    said = table.filter(pl.col("verdict").is_in(["true", "false"])).select(
        RESOURCE, "verdict", start=pl.col(TIMESTAMP).dt.epoch("s"), end=pl.col("end").dt.epoch("s")
    )
    spans: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for resource, verdict, start, end in said.sort(RESOURCE, "start", "end", "verdict").iter_rows():
        spans.setdefault(resource, {"true": [], "false": []})[verdict].append((start, end))
    return {name: Labels(tuple(s["true"]), tuple(s["false"])) for name, s in spans.items()}


def _within(grid: ResourceGrid, spans: Spans, *, after: int = 0) -> Bools:
    times, out = grid.times, np.zeros(grid.values.shape[1], dtype=bool)
    for start, end in spans:
        out |= (times + grid.period > start) & (times <= end + after)
    return out
