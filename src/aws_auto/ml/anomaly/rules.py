"""The simple rules that a learned detector must beat: rolling and fixed thresholds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.anomaly.detect import pack
from aws_auto.ml.anomaly.grid import DAY
from aws_auto.ml.anomaly.robust import MAD, Judged, floors, mads, medians, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.grid import ResourceGrid

    Floats = NDArray[np.float64]

ROLLING_Z = "rolling mean and deviation"
ROLLING_MAD = "rolling median and MAD"


@dataclass
class Recent:
    """The newest columns, as a rolling rule remembers them."""

    values: Floats


@dataclass(frozen=True)
class Rolling:
    """Distance from the last day's centre in units of the last day's spread: mean and deviation, or median and MAD."""

    kind: str
    floor: Floats

    @classmethod
    def fit(cls, kind: str, grid: ResourceGrid) -> Rolling:
        """Only the smallest spread that counts is learned."""
        return cls(kind, floors(grid.values))

    def judge(self, grid: ResourceGrid) -> Judged:
        """The present point is not in its own window."""
        width = grid.points(DAY, 12)
        centre, spread = np.empty_like(grid.values), np.empty_like(grid.values)
        for i, row in enumerate(grid.values):
            past = pl.Series(row).fill_nan(None).shift(1)
            if self.kind == ROLLING_MAD:
                middle = past.rolling_median(width, min_samples=width // 4)
                size = (past - middle).abs().rolling_median(width, min_samples=width // 4) * MAD
            else:
                middle = past.rolling_mean(width, min_samples=width // 4)
                size = past.rolling_std(width, min_samples=width // 4)
            centre[i] = middle.fill_null(np.nan).to_numpy()
            spread[i] = size.fill_null(np.nan).to_numpy()
        return Judged(centre, np.maximum(spread, self.floor[:, None]))

    def learn(self, grid: ResourceGrid) -> tuple[Judged, Rolling]:
        """Judge, then fit anew."""
        return self.judge(grid), Rolling.fit(self.kind, grid)

    def follow(self, grid: ResourceGrid, memory: bytes | None) -> tuple[Judged, bytes]:
        """See `aws_auto.ml.anomaly.scorers.Scorer.follow`; the memory is the last days, as the windows need them."""
        reach = 2 * grid.points(DAY, 12) + 1
        whole = grid if memory is None else _after(memory, grid, reach)
        judged = self.judge(whole)
        asked = slice((grid.first - whole.first) // grid.period, (grid.end - whole.first) // grid.period)
        kept = Recent(whole.values[:, -reach:])
        first = whole.end - kept.values.shape[1] * grid.period
        return Judged(judged.expected[:, asked], judged.scale[:, asked]), pack.dump({"first": first}, kept)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"kind": self.kind, "floor": plain(self.floor)}

    def content(self) -> bytes:
        """Nothing: the JSON holds it all."""
        return b""


@dataclass(frozen=True)
class Static:
    """Distance from the training median in units of the training MAD: a fixed threshold."""

    centre: Floats
    spread: Floats
    kind: str = "fixed threshold"

    @classmethod
    def fit(cls, grid: ResourceGrid) -> Static:
        """Median and MAD of each metric."""
        return cls(medians(grid.values), np.maximum(mads(grid.values), floors(grid.values)))

    def judge(self, grid: ResourceGrid) -> Judged:
        """The same for every column."""
        shape = grid.values.shape
        return Judged(np.broadcast_to(self.centre[:, None], shape), np.broadcast_to(self.spread[:, None], shape))

    def learn(self, grid: ResourceGrid) -> tuple[Judged, Static]:
        """Judge, then fit anew."""
        return self.judge(grid), Static.fit(grid)

    def follow(self, grid: ResourceGrid, memory: bytes | None) -> tuple[Judged, bytes]:  # noqa: ARG002 - remembers nothing
        """See `aws_auto.ml.anomaly.scorers.Scorer.follow`; nothing is remembered."""
        return self.judge(grid), b""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"kind": self.kind, "centre": plain(self.centre), "spread": plain(self.spread)}

    def content(self) -> bytes:
        """Nothing: the JSON holds it all."""
        return b""


def _after(memory: bytes, grid: ResourceGrid, reach: int) -> ResourceGrid:
    """The remembered columns followed by the grid's; a value that comes late fills its own column."""
    settings, values = pack.load(memory)
    old = Recent(np.zeros(0))
    pack.restore(old, values)
    first, period = int(settings["first"]), grid.period
    end = first + old.values.shape[1] * period
    if end + reach * period <= grid.first or grid.end <= first:
        return grid
    start = min(first, grid.first)
    whole = np.full((len(grid.metrics), (max(end, grid.end) - start) // period), np.nan)
    whole[:, (first - start) // period : (end - start) // period] = old.values
    mine = whole[:, (grid.first - start) // period : (grid.end - start) // period]
    np.copyto(mine, grid.values, where=np.isfinite(grid.values))
    return replace(grid, first=start, values=whole)


RULES = (ROLLING_Z, ROLLING_MAD, Static.kind)
