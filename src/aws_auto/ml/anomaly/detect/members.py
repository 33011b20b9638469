"""All members of an ensemble, run side by side over the same view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from aws_auto.ml.anomaly.detect.neighbours import Neighbours
from aws_auto.ml.anomaly.detect.residual import Residual
from aws_auto.ml.anomaly.detect.windows import Reconstruction, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.view import View

    Floats = NDArray[np.float64]

#: Points whose mean deviation from the season is the level.
LEVEL = 30
MEDIAN = 60
LONG_MEDIAN, EVERY = 300, 5


@dataclass
class Members:
    """The chosen members with what they have learned.

    Attributes:
        names: which ones, in the order of the rows they give. ``step`` (distance from the expected value) is always
            the last row: it draws the band.
        shape: always there, because it says what to expect.
        rest: the last deviations from the season, for the level.
    """

    names: tuple[str, ...]
    shape: Shape
    rest: Floats
    neighbours: Neighbours | None = None
    slow: Neighbours | None = None
    residual: Residual | None = None
    reconstruction: Reconstruction | None = None

    @classmethod
    def of(cls, names: Sequence[str], per_day: int) -> Members:
        """Members that have seen nothing."""
        return cls(
            names=tuple(names),
            shape=Shape(),
            rest=np.zeros(LEVEL - 1),
            neighbours=Neighbours.of(24) if "neighbours" in names else None,
            slow=Neighbours.of(24, coarse=max(2, min(10, per_day // 144))) if "slow_shape" in names else None,
            residual=Residual() if "residual" in names else None,
            reconstruction=Reconstruction() if "reconstruction" in names else None,
        )

    def fit(self, view: View) -> None:
        """Learn from a training part."""
        for member in (self.shape, self.neighbours, self.slow, self.residual, self.reconstruction):
            if member is not None:
                member.fit(view)

    def copy(self) -> Members:
        """An independent twin."""
        return Members(
            self.names,
            self.shape.copy(),
            self.rest,
            self.neighbours.copy() if self.neighbours else None,
            self.slow.copy() if self.slow else None,
            self.residual.copy() if self.residual else None,
            self.reconstruction.copy() if self.reconstruction else None,
        )

    def advance(self, view: View, *, learn: bool) -> tuple[Floats, Floats]:
        """Raw scores, shape ``(len(names) + 1, new slots)``, and the expected value of each new slot."""
        distance, expected = self.shape.advance(view, learn=learn)
        rows = {"shape": distance}
        if self.neighbours:
            rows["neighbours"] = self.neighbours.advance(view, learn=learn)
        if self.slow:
            rows["slow_shape"] = self.slow.advance(view, learn=learn)
        if self.reconstruction:
            rows["reconstruction"] = self.reconstruction.advance(view, learn=learn)
        if self.residual:
            rows["residual"], expected = self.residual.advance(view, learn=learn)
        if {"seasonal", "level"} & set(self.names):
            rows["seasonal"], rows["level"] = self._seasonal(view)
        if "median" in self.names:
            rows["median"] = np.abs(view.now - np.median(view.before(MEDIAN), axis=1))
        if "long_median" in self.names:
            rows["long_median"] = np.abs(view.now - np.median(view.before(LONG_MEDIAN, EVERY), axis=1))
        step = np.abs(view.now - expected)
        return np.stack([*(rows[name] for name in self.names), step]), expected

    def _seasonal(self, view: View) -> tuple[Floats, Floats]:
        """Distance from the usual value at this time (from the last hours while unknown), and of its mean."""
        usual = view.season.copy()
        unknown = np.flatnonzero(~np.isfinite(usual))
        if len(unknown):
            usual[unknown] = np.median(view.before(LONG_MEDIAN, EVERY)[unknown], axis=1)
        rest = np.r_[self.rest, view.now - usual]
        level = sliding_window_view(rest, LEVEL).mean(axis=1)
        self.rest = rest[len(rest) - LEVEL + 1 :]
        return np.abs(rest[LEVEL - 1 :]), np.abs(level)
