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
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.grid import ResourceGrid

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

ROLLING_Z = "rolling mean and deviation"
ROLLING_MAD = "rolling median and MAD"
#: The share of points that deviate less than the quiet deviation. Rare enough to describe the tail, frequent enough
#: that the anomalies in the calibration data do not set it.
QUIET = 0.99
#: A smaller deviation never counts as unusual, however quiet the series was.
LEAST_QUIET = 2.0
#: A rule does not know how rare a deviation is; twice as large counts as ten times rarer.
RULE_DECADE = 2.0


@dataclass
class Recent:
    """The newest columns, as a rolling rule remembers them."""

    values: Floats


@dataclass(frozen=True)
class Rolling:
    """Distance from the last day's centre in units of the last day's spread: mean and deviation, or median and MAD."""

    kind: str
    floor: Floats
    quiet: Floats

    @classmethod
    def fit(cls, kind: str, grid: ResourceGrid) -> Rolling:
        """Only the smallest spread that counts is learned."""
        return cls(kind, floors(grid.values), np.full(len(grid.values), LEAST_QUIET))

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

    def learn(self, grid: ResourceGrid, counts: Bools) -> tuple[Judged, Rolling]:
        """Judge, then fit anew; what most of the new points stay under is quiet."""
        judged = self.judge(grid)
        return judged, replace(Rolling.fit(self.kind, grid), quiet=_quiet(judged, grid, counts))

    def usual(self, per_week: float) -> Floats:  # noqa: ARG002 - a rule knows no rarity
        """See `aws_auto.ml.anomaly.scorers.Scorer.usual`."""
        return self.quiet

    def decades(self) -> Floats:
        """See `aws_auto.ml.anomaly.scorers.Scorer.decades`."""
        return np.full(len(self.quiet), RULE_DECADE)

    def only(self, rows: Sequence[int]) -> Rolling:
        """See `aws_auto.ml.anomaly.scorers.Scorer.only`."""
        return Rolling(self.kind, self.floor[list(rows)], self.quiet[list(rows)])

    def onward(self, start: int) -> Rolling:  # noqa: ARG002 - judges every column alike
        """See `aws_auto.ml.anomaly.scorers.Scorer.onward`."""
        return self

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
        return {"kind": self.kind, "floor": plain(self.floor), "quiet": self.quiet.tolist()}

    def content(self) -> bytes:
        """Nothing: the JSON holds it all."""
        return b""


@dataclass(frozen=True)
class Static:
    """Distance from the training median in units of the training MAD: a fixed threshold."""

    centre: Floats
    spread: Floats
    quiet: Floats
    kind: str = "fixed threshold"

    @classmethod
    def fit(cls, grid: ResourceGrid) -> Static:
        """Median and MAD of each metric."""
        spread = np.maximum(mads(grid.values), floors(grid.values))
        return cls(medians(grid.values), spread, np.full(len(grid.values), LEAST_QUIET))

    def judge(self, grid: ResourceGrid) -> Judged:
        """The same for every column."""
        shape = grid.values.shape
        return Judged(np.broadcast_to(self.centre[:, None], shape), np.broadcast_to(self.spread[:, None], shape))

    def learn(self, grid: ResourceGrid, counts: Bools) -> tuple[Judged, Static]:
        """Judge, then fit anew; what most of the new points stay under is quiet."""
        judged = self.judge(grid)
        return judged, replace(Static.fit(grid), quiet=_quiet(judged, grid, counts))

    def usual(self, per_week: float) -> Floats:  # noqa: ARG002 - a rule knows no rarity
        """See `aws_auto.ml.anomaly.scorers.Scorer.usual`."""
        return self.quiet

    def decades(self) -> Floats:
        """See `aws_auto.ml.anomaly.scorers.Scorer.decades`."""
        return np.full(len(self.quiet), RULE_DECADE)

    def only(self, rows: Sequence[int]) -> Static:
        """See `aws_auto.ml.anomaly.scorers.Scorer.only`."""
        return Static(self.centre[list(rows)], self.spread[list(rows)], self.quiet[list(rows)])

    def onward(self, start: int) -> Static:  # noqa: ARG002 - judges every column alike
        """See `aws_auto.ml.anomaly.scorers.Scorer.onward`."""
        return self

    def follow(self, grid: ResourceGrid, memory: bytes | None) -> tuple[Judged, bytes]:  # noqa: ARG002 - remembers nothing
        """See `aws_auto.ml.anomaly.scorers.Scorer.follow`; nothing is remembered."""
        return self.judge(grid), b""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "kind": self.kind,
            "centre": plain(self.centre),
            "spread": plain(self.spread),
            "quiet": self.quiet.tolist(),
        }

    def content(self) -> bytes:
        """Nothing: the JSON holds it all."""
        return b""


def _quiet(judged: Judged, grid: ResourceGrid, counts: Bools) -> Floats:
    if not len(grid.values) or not counts.any():
        return np.full(len(grid.values), LEAST_QUIET)
    deviation = judged.deviation(grid.values)[:, counts]
    return np.asarray(np.maximum(np.quantile(deviation, QUIET, axis=1), LEAST_QUIET))


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
