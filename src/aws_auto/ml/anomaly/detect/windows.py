"""Members that look at the shape of the last points as one vector.

`Shape` is the Mahalanobis distance of the last twelve points under a robust covariance of all such windows (Rousseeuw
and van Zomeren 1990 for the idea of weighing outliers down; the weights here are Huber-like). `Reconstruction` is what
the first principal components of the windows leave unexplained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.view import View

    Floats = NDArray[np.float64]

RIDGE = 1e-3
RELATIVE_RIDGE = 1e-5
#: Slots after which a window's weight in the covariance has fallen to 1/e.
MEMORY = 20_000.0


@dataclass
class Moments:
    """Weighted sums of windows: enough for a mean and a covariance.

    Attributes:
        square: sum of outer products.
        total: sum of windows.
        weight: sum of weights.
    """

    square: Floats
    total: Floats
    weight: float

    @classmethod
    def empty(cls, length: int) -> Moments:
        """Nothing seen."""
        return cls(np.zeros((length, length)), np.zeros(length), 0.0)

    def add(self, windows: Floats, weight: Floats) -> None:
        """Learn from windows, shape ``(n, length)``."""
        self.square += (windows * weight[:, None]).T @ windows
        self.total += weight @ windows
        self.weight += float(weight.sum())

    def decay(self, factor: float) -> None:
        """Forget."""
        self.square *= factor
        self.total *= factor
        self.weight *= factor

    def mean_and_covariance(self) -> tuple[Floats, Floats]:
        """Both, with a ridge that keeps the covariance invertible; mean zero and identity before anything is seen."""
        size = len(self.total)
        if self.weight < 1:
            return np.zeros(size), np.eye(size)
        mean = self.total / self.weight
        covariance = self.square / self.weight - np.outer(mean, mean)
        # A steep trend makes windows large and almost parallel; the second part keeps rounding out of the inverse.
        covariance += (RIDGE + RELATIVE_RIDGE * np.trace(covariance) / size) * np.eye(size)
        return mean, np.asarray((covariance + covariance.T) / 2)

    def copy(self) -> Moments:
        """An independent twin."""
        return Moments(self.square.copy(), self.total.copy(), self.weight)


@dataclass
class Shape:
    """Distance of the last twelve points from all such windows; also what the next point should have been.

    Attributes:
        moments: of all windows.
        usual: twice the median distance in training; windows beyond it count less.
    """

    LENGTH: ClassVar[int] = 12
    CLIP: ClassVar[float] = 60.0
    moments: Moments = field(default_factory=lambda: Moments.empty(Shape.LENGTH))
    usual: float = 1.0
    mean: Floats = field(init=False)
    whiten: Floats = field(init=False)
    ahead: Floats = field(init=False)

    def __post_init__(self) -> None:
        self._solve()

    def fit(self, view: View) -> None:
        """Learn from a training part, three rounds of weighing odd windows down."""
        windows = view.windows(self.LENGTH, self.CLIP)
        skip = self.LENGTH if len(windows) > 3 * self.LENGTH else 0
        windows, weight = windows[skip:], view.seen[skip:]
        odd = np.ones(len(windows))
        for _ in range(3):
            self.moments = Moments.empty(self.LENGTH)
            self.moments.add(windows, weight * odd)
            self._solve()
            distance = self._distance(windows)
            self.usual = max(2 * float(np.median(distance)), 1e-6)
            odd = 1 / np.maximum(1, (distance / self.usual) ** 2)

    def advance(self, view: View, *, learn: bool) -> tuple[Floats, Floats]:
        """Distance of every new slot's window, and the value expected given the eleven points before it."""
        windows = view.windows(self.LENGTH, self.CLIP)
        distance, expected = np.empty(len(windows)), np.empty(len(windows))
        for a, b, whole in view.blocks(view.refit):
            distance[a:b] = self._distance(windows[a:b])
            expected[a:b] = self.mean[-1] + (windows[a:b, :-1] - self.mean[:-1]) @ self.ahead
            if learn:
                odd = 1 / np.maximum(1, (distance[a:b] / self.usual) ** 2)
                self.moments.add(windows[a:b], view.seen[a:b] * odd)
                if whole:
                    self.moments.decay(float(np.exp(-view.refit / MEMORY)))
                    self._solve()
        return distance, expected

    def copy(self) -> Shape:
        """An independent twin."""
        twin = Shape(Moments.empty(self.LENGTH), self.usual)
        twin.moments, twin.mean, twin.whiten, twin.ahead = self.moments.copy(), self.mean, self.whiten, self.ahead
        return twin

    def _distance(self, windows: Floats) -> Floats:
        return np.asarray(np.sqrt((((windows - self.mean) @ self.whiten) ** 2).mean(axis=1)))

    def _solve(self) -> None:
        self.mean, covariance = self.moments.mean_and_covariance()
        self.whiten = np.linalg.cholesky(np.linalg.inv(covariance))
        precision = self.whiten @ self.whiten.T
        self.ahead = -precision[-1, :-1] / precision[-1, -1]


@dataclass
class Reconstruction:
    """What six principal components of 24-point windows leave over: the newest point's share and the whole window's."""

    LENGTH: ClassVar[int] = 24
    CLIP: ClassVar[float] = 8.0
    KEPT: ClassVar[int] = 6
    moments: Moments = field(default_factory=lambda: Moments.empty(Reconstruction.LENGTH))
    mean: Floats = field(init=False)
    rest: Floats = field(init=False)

    def __post_init__(self) -> None:
        self._solve()

    def fit(self, view: View) -> None:
        """Learn from a training part."""
        self.moments.add(view.windows(self.LENGTH, self.CLIP), view.seen)
        self._solve()

    def advance(self, view: View, *, learn: bool) -> Floats:
        """Unexplained part of every new slot's window."""
        windows = view.windows(self.LENGTH, self.CLIP)
        out = np.empty(len(windows))
        for a, b, whole in view.blocks(view.refit):
            left = (windows[a:b] - self.mean) @ self.rest
            out[a:b] = np.abs(left[:, -1]) + np.sqrt((left**2).mean(axis=1))
            if learn:
                self.moments.add(windows[a:b], view.seen[a:b])
                if whole:
                    self.moments.decay(float(np.exp(-view.refit / MEMORY)))
                    self._solve()
        return out

    def copy(self) -> Reconstruction:
        """An independent twin."""
        twin = Reconstruction()
        twin.moments, twin.mean, twin.rest = self.moments.copy(), self.mean, self.rest
        return twin

    def _solve(self) -> None:
        self.mean, covariance = self.moments.mean_and_covariance()
        _, vectors = np.linalg.eigh(covariance)
        small = vectors[:, : -self.KEPT]
        self.rest = small @ small.T
