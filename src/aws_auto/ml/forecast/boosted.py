"""Quantiles by gradient boosting: a robust line first, as trees cannot extrapolate, then trees on what it missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.ml import files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PART = "booster.ubj"
#: On a busy machine a second thread spins more than it works: 18 CPU-seconds became 106.
THREADS = 1
RIDGE = 1e-3
REWEIGHTINGS = 12


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How many trees of what size. A leaf holds ``least_share`` of the rows or more, never fewer than ``least``."""

    rounds: int = 120
    depth: int = 5
    eta: float = 0.08
    bins: int = 128
    least: int = 20
    least_share: float = 1 / 400
    most_rows: int = 80_000


USUAL = Growth()


def least_absolute(X: Floats, y: Floats) -> Floats:
    """Coefficients that minimise the absolute error with a small ridge, by iteratively reweighted least squares.

    Schlossmacher 1973, with weights bounded at 1/1e-3 of the median absolute error.
    """
    ridge = RIDGE * len(y) * np.eye(X.shape[1])
    weight: Floats = np.ones(len(y))
    coefficients: Floats = np.zeros(X.shape[1])
    for _ in range(REWEIGHTINGS):
        weighted = X * weight[:, None]
        coefficients = np.asarray(np.linalg.solve(weighted.T @ X + ridge, weighted.T @ y), float)
        error = np.abs(y - X @ coefficients)
        typical = max(float(np.median(error)), 1e-9)
        weight = typical / np.maximum(error, 1e-3 * typical)
        weight = weight / weight.mean()
    return coefficients


@dataclass(frozen=True)
class QuantileBooster:
    """A line plus one tree ensemble for all quantile levels; rows of features in, sorted quantiles out."""

    line: Floats
    booster: Any
    levels: tuple[float, ...]

    @classmethod
    def fit(
        cls, base: Floats, features: Floats, y: Floats, levels: Sequence[float], *, seed: int, growth: Growth = USUAL
    ) -> QuantileBooster:
        """Fit on rows of finite ``y``.

        Args:
            base: columns of the line, all finite, ``(rows, k)``.
            features: columns of the trees, NaN allowed, ``(rows, m)``.
            y: target on a common scale, ``(rows,)``.
            levels: quantile levels in (0, 1).
            seed: of the choice of rows and columns.
            growth: size of the trees.
        """
        import xgboost

        rng = np.random.default_rng(seed)
        rows = np.arange(len(y))
        if len(rows) > growth.most_rows:
            rows = np.sort(rng.choice(len(y), growth.most_rows, replace=False))
        line = least_absolute(base[rows], y[rows])
        residual = y[rows] - base[rows] @ line
        booster = xgboost.train(
            {
                "objective": "reg:quantileerror",
                "quantile_alpha": list(levels),
                "tree_method": "hist",
                "max_depth": growth.depth,
                "eta": growth.eta,
                "min_child_weight": max(growth.least, int(len(rows) * growth.least_share)),
                "subsample": 0.8,
                "colsample_bytree": 0.8,
                "max_bin": growth.bins,
                "nthread": THREADS,
                "seed": seed,
                "verbosity": 0,
            },
            xgboost.QuantileDMatrix(features[rows], residual, max_bin=growth.bins, nthread=THREADS),
            num_boost_round=growth.rounds,
        )
        return cls(line, booster, tuple(levels))

    def predict(self, base: Floats, features: Floats) -> Floats:
        """Quantiles ``(rows, levels)``, never crossing."""
        if not len(base):
            return np.empty((0, len(self.levels)))
        trees = self.booster.inplace_predict(features.astype(np.float32), missing=np.nan)
        return np.sort((base @ self.line)[:, None] + trees.reshape(len(base), -1).astype(float), axis=1)

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Body and files of a bundle."""
        body = {"line": self.line.tolist(), "levels": list(self.levels)}
        return body, {PART: files.to_ubj(self.booster)}

    @classmethod
    def of_parts(cls, body: Mapping[str, Any], parts: Mapping[str, bytes]) -> QuantileBooster:
        """The inverse of `parts`."""
        return cls(np.asarray(body["line"], float), files.from_ubj(parts[PART], PART), tuple(body["levels"]))
