"""A linear forecast of the next point from the last day: what it misses is the residual.

Ridge regression on 24 lags, the time of day (two harmonics), the usual value at this time, and yesterday's and last
week's value. Weights are robust (Huber), the normal equations are kept and refreshed once a day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.view import View

    Floats = NDArray[np.float64]

CLIP = 8.0
PENALTY = 1.0
MEMORY = 20_000.0


@dataclass
class Residual:
    """Absolute error of the forecast.

    Attributes:
        square: normal matrix.
        target: right-hand side.
        scale: robust size of the errors in training; errors beyond three of it count less.
        weights: the coefficients.
    """

    LAGS: ClassVar[int] = 24
    INPUTS: ClassVar[int] = LAGS + 9
    square: Floats = field(default_factory=lambda: np.zeros((Residual.INPUTS, Residual.INPUTS)))
    target: Floats = field(default_factory=lambda: np.zeros(Residual.INPUTS))
    scale: float = 1.0
    weights: Floats = field(default_factory=lambda: np.zeros(Residual.INPUTS))

    def fit(self, view: View) -> None:
        """Learn from a training part, three rounds of weighing outliers down."""
        inputs, now = self._inputs(view)
        weight: Floats = view.seen
        for _ in range(3):
            weighed = (inputs * weight[:, None]).T
            self.square, self.target = weighed @ inputs, weighed @ now
            self._solve()
            error = np.abs(now - inputs @ self.weights)
            judged = error[view.seen > 0]
            self.scale = 1.48 * float(np.median(judged)) + 1e-3 if len(judged) else 1.0
            weight = np.asarray(view.seen / np.maximum(1, error / (3 * self.scale)), dtype=np.float64)

    def advance(self, view: View, *, learn: bool) -> tuple[Floats, Floats]:
        """Absolute error of every new slot, and the forecast."""
        inputs, now = self._inputs(view)
        forecast = np.empty(len(now))
        for a, b, whole in view.blocks(view.refit):
            forecast[a:b] = inputs[a:b] @ self.weights
            if learn:
                error = np.abs(now[a:b] - forecast[a:b])
                weight = view.seen[a:b] / np.maximum(1, error / (3 * self.scale))
                weighed = (inputs[a:b] * weight[:, None]).T
                self.square += weighed @ inputs[a:b]
                self.target += weighed @ now[a:b]
                if whole:
                    kept = float(np.exp(-view.refit / MEMORY))
                    self.square *= kept
                    self.target *= kept
                    self._solve()
        return np.abs(view.now - forecast), forecast

    def copy(self) -> Residual:
        """An independent twin."""
        return Residual(self.square.copy(), self.target.copy(), self.scale, self.weights)

    def _inputs(self, view: View) -> tuple[Floats, Floats]:
        windows = view.windows(self.LAGS + 1, CLIP)
        n = len(windows)
        angle = 2 * np.pi * ((view.first + np.arange(n)) % view.per_day) / view.per_day
        known = np.isfinite(view.season)
        columns = [np.ones(n), np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle), known.astype(float)]
        columns += [np.clip(np.nan_to_num(c), -CLIP, CLIP) for c in (view.season, view.yesterday, view.last_week)]
        return np.concatenate([windows[:, :-1], np.stack(columns, axis=1)], axis=1), windows[:, -1]

    def _solve(self) -> None:
        penalised = self.square + PENALTY * np.eye(self.INPUTS)
        self.weights = np.asarray(np.linalg.solve(penalised, self.target), np.float64)
