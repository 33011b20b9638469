"""Other detectors: IsolationForest, OneClassSVM, LSTM autoencoder, a boosted forecast, and the vote.

The specification names them (but for the forecast). They are here because people ask for them, and as baselines: on
every suite measured `Detector` finds more with fewer false alarms (``bench/anomaly.py``).

`fit_windows` looks at windows of one series, `fit_vectors` at all metrics of a resource together. All are fitted on the
training part alone and score a window by itself, so nothing looks ahead. They are scored in batches only; the LSTM
itself is in `autoencoder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from aws_auto.errors import NotEnoughData
from aws_auto.ml.anomaly.detect.detector import center_and_scale
from aws_auto.ml.anomaly.detect.view import squash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    #: Scores of windows, shape ``(n, WINDOW)`` or another that it was fitted on; higher is stranger.
    Model = Callable[[Floats], Floats]

WINDOW = 24
#: Windows that a model is fitted on at most.
FITTED_ON = 3000
CONTAMINATION = 0.02
#: Points whose scores say what is usual, before a point is judged.
PAST, FEWEST = 2000, 30


@dataclass(frozen=True)
class WindowDetector:
    """A model of windows with the scale of its series.

    Attributes:
        model: fitted on the training windows.
        center: training median.
        scale: robust deviation of the training part.
        tail: last training values, so that the first new points have whole windows.
        usual: scores of the training part.
    """

    model: Model
    center: float
    scale: float
    tail: Floats
    usual: Floats

    def raw(self, values: ArrayLike) -> Floats:
        """Scores of the points after the training part, each by the ``WINDOW`` points that end with it."""
        z = filled(squash((np.asarray(values, float) - self.center) / self.scale), self.tail[-1])
        return self.model(windows_of(np.r_[self.tail, z])[len(self.tail) :])

    def score(self, values: ArrayLike) -> Floats:
        """Raw scores by their own past: 0 at its median, 1 at its 98 % quantile, refreshed every 50 points."""
        return by_own_past(self.raw(values), self.usual)


@dataclass(frozen=True)
class VectorDetector:
    """A model of all metrics of a resource together.

    Attributes:
        model: fitted on the training part.
        rows: what the model sees of each point, from scaled values ``(metrics, points)``.
        center: training medians.
        scale: robust deviations of the training part.
        tail: last training values ``(metrics, WINDOW)``.
        usual: scores of the training part.
    """

    model: Model
    rows: Callable[[Floats], Floats]
    center: Floats
    scale: Floats
    tail: Floats
    usual: Floats

    def score(self, values: ArrayLike) -> Floats:
        """As of `WindowDetector.score`, for values ``(metrics, points)``."""
        z = scaled(np.asarray(values, float), self.center, self.scale, self.tail[:, -1])
        return by_own_past(self.model(self.rows(np.concatenate([self.tail, z], axis=1))[WINDOW:]), self.usual)


def by_own_past(raw: Floats, usual: Floats) -> Floats:
    """Raw scores by those before them: 0 at the median, 1 at the 98 % quantile, refreshed every 50 points."""
    both = np.r_[usual, raw]
    out = np.empty(len(raw))
    for a in range(0, len(raw), 50):
        at = len(usual) + a
        middle, high = np.quantile(both[max(0, at - PAST) : at], (0.5, 0.98))
        out[a : a + 50] = (raw[a : a + 50] - middle) / (high - middle + 1e-9 * (1 + abs(middle)))
    return out


def scaled(values: Floats, center: Floats, scale: Floats, before: Floats) -> Floats:
    """Metrics in robust deviations, missing values filled with the last one seen."""
    z = squash((values - center[:, None]) / scale[:, None])
    return np.stack([filled(row, last) for row, last in zip(z, before, strict=True)])


def windows_of(z: Floats) -> Floats:
    """The ``WINDOW`` values that end with each point; the first value repeats in front."""
    return np.asarray(sliding_window_view(np.r_[np.full(WINDOW - 1, z[0]), z], WINDOW))


def filled(z: Floats, before: float) -> Floats:
    """Missing values repeat the last one seen."""
    held = np.r_[before, z]
    source = np.maximum.accumulate(np.where(np.isfinite(held), np.arange(len(held)), 0))
    return np.asarray(held[source][1:])


def fit_windows(values: ArrayLike, kind: str, *, seed: int = 0) -> WindowDetector:
    """Fit ``isolation_forest``, ``one_class_svm``, ``boosted`` or ``autoencoder`` on the windows of a training part.

    Raises:
        NotEnoughData: fewer than two windows of values.
        MissingExtra: ``autoencoder`` without torch.
        KeyError: no such kind.
    """
    v = np.asarray(values, float)
    good = v[np.isfinite(v)]
    if len(good) < 2 * WINDOW:
        raise NotEnoughData(
            f"{len(good)} values are too few for windows of {WINDOW}",
            where=kind,
            hint=f"give at least {2 * WINDOW} values, or use the default detector",
        )
    center, scale = center_and_scale(good)
    z = filled(squash((v - center) / scale), 0.0)
    windows = windows_of(z)
    rng = np.random.default_rng(seed)
    chosen = np.arange(WINDOW, len(windows))
    if len(chosen) > FITTED_ON:
        chosen = np.sort(rng.choice(chosen, FITTED_ON, replace=False))
    model = MODELS[kind](windows[chosen], seed)
    return WindowDetector(model, center, scale, z[-WINDOW:], model(windows[chosen[-PAST:]]))


def fit_vectors(values: ArrayLike, kind: str, *, seed: int = 0) -> VectorDetector:
    """Fit ``isolation_forest``, ``one_class_svm`` or ``autoencoder`` on metrics that belong together.

    The first two see each moment (values and their changes), the last the windows that end with it.

    Args:
        values: ``(metrics, points)``.
        kind: of detector.
        seed: of every random choice.

    Raises:
        NotEnoughData: fewer than two windows of points, or a metric without a value.
        MissingExtra: ``autoencoder`` without torch.
        KeyError: no such kind.
    """
    v = np.asarray(values, float)
    if not len(v) or v.shape[1] < 2 * WINDOW or not np.isfinite(v).any(axis=1).all():
        raise NotEnoughData(f"{v.shape} values are too few for windows of {WINDOW}", where=kind)
    center, scale = np.array([center_and_scale(row[np.isfinite(row)]) for row in v]).T
    z = scaled(v, center, scale, np.zeros(len(v)))
    rows = ROWS_OF[kind]
    seen = rows(z)
    chosen = np.arange(WINDOW if seen.ndim == 3 else 1, len(seen))
    if len(chosen) > FITTED_ON:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, FITTED_ON, replace=False))
    model = MODELS[kind](seen[chosen], seed)
    return VectorDetector(model, rows, center, scale, z[:, -WINDOW:], model(seen[chosen[-PAST:]]))


def moments_of(z: Floats) -> Floats:
    """Values of all metrics at each point and their change from the point before, shape ``(points, 2 * metrics)``."""
    return np.concatenate([z, np.diff(z, axis=1, prepend=z[:, :1])]).T


def pictures_of(z: Floats) -> Floats:
    """The ``WINDOW`` values of all metrics that end with each point, shape ``(points, WINDOW, metrics)``."""
    return np.stack([windows_of(row) for row in z], axis=2)


def isolation_forest(windows: Floats, seed: int) -> Model:
    """Depth at which random cuts isolate a window (Liu et al. 2008)."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=100, random_state=seed).fit(windows)
    return lambda new: np.asarray(-forest.score_samples(new))


def one_class_svm(windows: Floats, _seed: int) -> Model:
    """Distance outside the smallest region that holds 98 % of the windows (Schoelkopf et al. 2001)."""
    from sklearn.svm import OneClassSVM

    thinned = windows[:: max(1, len(windows) // 1500)]
    machine = OneClassSVM(nu=CONTAMINATION, gamma="scale").fit(thinned)
    return lambda new: np.asarray(-machine.decision_function(new))


def boosted(windows: Floats, seed: int) -> Model:
    """Error of boosted trees that forecast the newest point of a window from the others."""
    from xgboost import XGBRegressor

    trees = XGBRegressor(
        n_estimators=150,
        max_depth=4,
        learning_rate=0.08,
        objective="reg:pseudohubererror",
        tree_method="hist",
        n_jobs=1,
        random_state=seed,
    ).fit(windows[:, :-1], windows[:, -1])
    return lambda new: np.abs(new[:, -1] - np.asarray(trees.predict(new[:, :-1]), np.float64))


def autoencoder(windows: Floats, seed: int) -> Model:
    """Error of an LSTM autoencoder."""
    from aws_auto.ml.anomaly.detect.autoencoder import fit_autoencoder

    return fit_autoencoder(windows, seed=seed)


ROWS_OF: dict[str, Callable[[Floats], Floats]] = {
    "isolation_forest": moments_of,
    "one_class_svm": moments_of,
    "autoencoder": pictures_of,
}
MODELS = {
    "isolation_forest": isolation_forest,
    "one_class_svm": one_class_svm,
    "boosted": boosted,
    "autoencoder": autoencoder,
}


def vote(scores: Sequence[Floats]) -> Floats:
    """The vote of calibrated detectors as a score: the median is over a threshold when most of them are."""
    return np.asarray(np.median(np.stack(list(scores)), axis=0))
