"""How far the last points are from anything that was seen before: shapes that never occurred, however slow.

The past is a bounded set of windows, spread over the training part and renewed one by one; with a long, coarse window
this is a left matrix profile (Yeh et al. 2016) against a sample of the past, at a bounded cost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.view import View

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]

CLIP = 8.0
NEAREST = 5
SMOOTH = 0.02
#: Rows that are compared with the past at once: products of this size stay in one thread of OpenBLAS.
ROWS = 32
#: Slots after which the windows that are due are taken into the past.
RENEWED = 60
TINY = np.float32(1e-12)


@dataclass
class Coded:
    """Windows, each in 255 steps of its own range: an eighth of the bytes.

    Attributes:
        codes: shape ``(windows, length)``.
        low: lowest value of each window.
        step: size of a step of each.
    """

    codes: NDArray[np.uint8]
    low: Singles
    step: Singles

    @classmethod
    def of(cls, windows: Floats) -> Coded:
        """Windows, shape ``(n, length)``."""
        low = windows.min(axis=1, initial=np.inf).astype(np.float32)
        step = ((windows.max(axis=1, initial=-np.inf) - low) / 255).astype(np.float32)
        codes = np.rint((windows - low[:, None]) / np.maximum(step, TINY)[:, None])
        return cls(np.clip(codes, 0, 255).astype(np.uint8), low, step)

    @property
    def windows(self) -> Floats:
        """Their values."""
        return np.asarray(self.low[:, None] + self.step[:, None].astype(np.float64) * self.codes)

    def put(self, places: Ints, windows: Floats) -> Coded:
        """The same with other windows in these places; those after the last are new."""
        new, size = Coded.of(windows), max(len(self.codes), int(places.max(initial=-1)) + 1)
        out = []
        for old, fresh in ((self.codes, new.codes), (self.low, new.low), (self.step, new.step)):
            both = np.resize(old, (size, *old.shape[1:])) if size == len(old) else np.concatenate([old, fresh])[:size]
            both[places] = fresh
            out.append(both)
        return Coded(*out)


@dataclass
class Neighbours:
    """Distance to the fifth nearest of at most ``most`` windows of the past.

    Attributes:
        length: points of a window.
        coarse: slots that one point of a window averages.
        most: windows that are kept.
        past: the windows.
        every: slots between two windows that are kept.
        kept: how many windows were kept so far: seeds which one is replaced.
    """

    length: int
    coarse: int
    most: int
    past: Coded
    every: int = 1
    kept: int = 0

    @classmethod
    def of(cls, length: int, *, coarse: int = 1, most: int = 256) -> Neighbours:
        """Nothing seen."""
        return cls(length, coarse, most, Coded.of(np.zeros((0, length))))

    def fit(self, view: View) -> None:
        """Keep windows spread over a training part."""
        windows = self._windows(view)
        skip = self.length if len(windows) > 3 * self.length else 0
        self.every = max(1, len(windows) // self.most)
        chosen = windows[skip :: self.every]
        self.past = Coded.of(chosen[view.seen[skip :: self.every] > 0][-self.most :])
        self.kept = len(self.past.codes)

    def advance(self, view: View, *, learn: bool) -> Floats:
        """Distance of every new slot's window; without learning, a window's own copy in the past does not count."""
        windows = self._windows(view)
        out = np.zeros(len(windows))
        nearest = NEAREST - 1 if learn else NEAREST
        for a, b, whole in view.blocks(RENEWED):
            out[a:b] = self._distance(windows[a:b], nearest)
            if learn and whole:
                self._renew(view, b)
        return out

    def copy(self) -> Neighbours:
        """An independent twin."""
        return replace(self)

    def _windows(self, view: View) -> Floats:
        if self.coarse == 1:
            return np.ascontiguousarray(view.windows(self.length, CLIP))
        fine = view.windows(self.length * self.coarse, CLIP)
        return np.asarray(fine.reshape(len(fine), self.length, self.coarse).mean(axis=2))

    def _distance(self, windows: Floats, nearest: int) -> Floats:
        k = min(nearest, len(self.past.codes) - 1)
        if k < 0:
            return np.zeros(len(windows))
        out = np.empty(len(windows))
        past = self.past.windows
        size = (past**2).sum(axis=1)
        for a in range(0, len(windows), ROWS):
            some = windows[a : a + ROWS]
            square = size[None, :] - 2 * (some @ past.T)
            square += (some**2).sum(axis=1)[:, None]
            out[a : a + ROWS] = np.partition(square, k, axis=1)[:, k]
        # The root is smooth at zero, so that rounding of the product cannot show in a batch or a single point.
        return np.asarray(np.sqrt(np.maximum(out, 0) + SMOOTH**2) - SMOOTH)

    def _renew(self, view: View, end: int) -> None:
        """Keep every ``every``-th window of the `RENEWED` slots that end before ``end``."""
        last = view.first + end
        slots = np.arange(-(-(last - RENEWED) // self.every) * self.every, last, self.every)
        if not len(slots):
            return
        new = np.arange(len(slots))
        last_place = len(self.past.codes) + new
        places = np.where(last_place < self.most, last_place, mixed(self.kept + new, self.most))
        self.past = self.past.put(places, self._windows_at(view, slots))
        self.kept += len(slots)

    def _windows_at(self, view: View, slots: Ints) -> Floats:
        width = self.length * self.coarse
        stop = len(view.z) - len(view.now) + slots - view.first + 1
        fine = np.clip(view.z[stop[:, None] - width + np.arange(width)], -CLIP, CLIP)
        return np.asarray(fine.reshape(len(slots), self.length, self.coarse).mean(axis=2))


def mixed(numbers: Ints, below: int) -> Ints:
    """A number under ``below`` for each counter, well mixed (SplitMix64, Steele et al. 2014): the same in every run."""
    x = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((x ^ (x >> np.uint64(31))) % np.uint64(below), np.int64)
