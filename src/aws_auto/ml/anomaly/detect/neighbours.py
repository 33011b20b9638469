"""How far the last points are from anything that was seen before: shapes that never occurred, however slow.

The past is a bounded set of windows, spread over the training part and renewed one by one; with a long, coarse window
this is a left matrix profile (Yeh et al. 2016) against a sample of the past, at a bounded cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.view import View

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

CLIP = 8.0
NEAREST = 5
SMOOTH = 0.02
#: Rows that are compared with the past at once: products of this size stay in one thread of OpenBLAS.
ROWS = 32


@dataclass
class Neighbours:
    """Distance to the fifth nearest of at most ``most`` windows of the past.

    Attributes:
        length: points of a window.
        coarse: slots that one point of a window averages.
        most: windows that are kept.
        past: the windows, shape ``(<= most, length)``.
        every: slots between two windows that are kept.
        kept: how many windows were kept so far: seeds which one is replaced.
    """

    length: int
    coarse: int
    most: int
    past: Singles
    every: int = 1
    kept: int = 0

    @classmethod
    def of(cls, length: int, *, coarse: int = 1, most: int = 256) -> Neighbours:
        """Nothing seen."""
        return cls(length, coarse, most, np.zeros((0, length), np.float32))

    def fit(self, view: View) -> None:
        """Keep windows spread over a training part."""
        windows = self._windows(view)
        skip = self.length if len(windows) > 3 * self.length else 0
        self.every = max(1, len(windows) // self.most)
        chosen = windows[skip :: self.every]
        self.past = chosen[view.seen[skip :: self.every] > 0][-self.most :].astype(np.float32)
        self.kept = len(self.past)

    def advance(self, view: View, *, learn: bool) -> Floats:
        """Distance of every new slot's window; without learning, a window's own copy in the past does not count."""
        windows = self._windows(view)
        out = np.zeros(len(windows))
        nearest = NEAREST - 1 if learn else NEAREST
        for a, b, whole in view.blocks(view.refit // 4):
            out[a:b] = self._distance(windows[a:b], nearest)
            if learn and whole:
                self._renew(view, b)
        return out

    def copy(self) -> Neighbours:
        """An independent twin."""
        return Neighbours(self.length, self.coarse, self.most, self.past, self.every, self.kept)

    def _windows(self, view: View) -> Floats:
        if self.coarse == 1:
            return np.ascontiguousarray(view.windows(self.length, CLIP))
        fine = view.windows(self.length * self.coarse, CLIP)
        return np.asarray(fine.reshape(len(fine), self.length, self.coarse).mean(axis=2))

    def _distance(self, windows: Floats, nearest: int) -> Floats:
        k = min(nearest, len(self.past) - 1)
        if k < 0:
            return np.zeros(len(windows))
        out = np.empty(len(windows))
        past = self.past.astype(np.float64)
        size = (past**2).sum(axis=1)
        for a in range(0, len(windows), ROWS):
            some = windows[a : a + ROWS]
            square = size[None, :] - 2 * (some @ past.T)
            square += (some**2).sum(axis=1)[:, None]
            out[a : a + ROWS] = np.partition(square, k, axis=1)[:, k]
        # The root is smooth at zero, so that rounding of the product cannot show in a batch or a single point.
        return np.asarray(np.sqrt(np.maximum(out, 0) + SMOOTH**2) - SMOOTH)

    def _renew(self, view: View, end: int) -> None:
        """Keep every ``every``-th window of the block of slots that ends before ``end``."""
        back = view.refit // 4
        last = view.first + end
        slots = np.arange(-(-(last - back) // self.every) * self.every, last, self.every)
        past = self.past.copy()
        for slot in slots:
            window = self._window_at(view, int(slot))
            if len(past) < self.most:
                past = np.concatenate([past, window[None].astype(np.float32)])
            else:
                past[mixed(self.kept) % self.most] = window
            self.kept += 1
        self.past = past

    def _window_at(self, view: View, slot: int) -> Floats:
        stop = len(view.z) - len(view.now) + slot - view.first + 1
        fine = np.clip(view.z[stop - self.length * self.coarse : stop], -CLIP, CLIP)
        return np.asarray(fine.reshape(self.length, self.coarse).mean(axis=1))


def mixed(number: int) -> int:
    """A well-mixed integer for a counter (SplitMix64, Steele et al. 2014): chance that is the same in every run."""
    mask = (1 << 64) - 1
    x = (number + 1) * 0x9E3779B97F4A7C15 & mask
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & mask
    return x ^ (x >> 31)
