"""The usual value at this time of day: the median over the same and the two neighbouring moments of the last week."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAYS = 7
#: A day is kept as at most this many means (ten minutes each).
MOMENTS = 144


@dataclass
class Season:
    """Means of the last week by moment of the day.

    Attributes:
        length: slots a moment.
        moments: moments a day; 0 when a day has fewer than 4 slots, and then there is no season.
        past: means of the last ``DAYS * moments + 2`` whole moments, NaN where nothing was seen.
        total: sum, count and number of points seen in the moment that is not yet whole.
    """

    length: int
    moments: int
    past: NDArray[np.float16]
    total: Floats

    @classmethod
    def of(cls, per_day: int) -> Season:
        """An empty week."""
        length = max(1, per_day // MOMENTS)
        moments = per_day // length if per_day >= 4 else 0
        return cls(length, moments, np.full(DAYS * moments + 2, np.nan, np.float16), np.zeros(3))

    def copy(self) -> Season:
        """An independent twin."""
        return Season(self.length, self.moments, self.past.copy(), self.total.copy())

    def advance(self, z: Floats, seen: Floats, first: int) -> tuple[Floats, Floats, Floats]:
        """Usual value, yesterday's and last week's for new slots, each by moments that were whole before it."""
        n = len(z)
        if not self.moments or not n:
            nothing = np.full(n, np.nan)
            return nothing, nothing, nothing
        moment = (first + np.arange(n)) // self.length
        whole = (first + n) % self.length == 0
        means = self._means(z, seen, moment, whole=whole)
        held = np.r_[self.past, means.astype(np.float16)].astype(np.float64)
        # held[i] is the mean of moment `moment[0] - len(past) + i`.
        at = np.arange(moment[-1] - moment[0] + 1) + len(self.past)
        back = np.arange(1, DAYS + 1)[:, None] * self.moments + np.array([-1, 0, 1])[None, :]
        back = np.minimum(back.ravel(), len(self.past))
        look = held[at[:, None] - back[None, :]]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
            usual = np.nanmedian(look, axis=1)
        row = moment - moment[0]
        self.past = held[: len(held) - (not whole)][-len(self.past) :].astype(np.float16)
        return usual[row], look[row, 1], look[row, -2]

    def _means(self, z: Floats, seen: Floats, moment: NDArray[np.int64], *, whole: bool) -> Floats:
        """Mean of each moment from the first to the last, with what the present one had before."""
        row = moment - moment[0]
        parts = np.stack([np.bincount(row, z), np.bincount(row).astype(float), np.bincount(row, seen)])
        parts[:, 0] += self.total
        self.total = np.zeros(3) if whole else parts[:, -1].copy()
        return np.asarray(np.where(parts[2] > 0, parts[0] / np.maximum(parts[1], 1), np.nan))
