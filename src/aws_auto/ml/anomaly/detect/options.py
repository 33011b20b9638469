"""Other detectors on windows of one series: IsolationForest, OneClassSVM, a boosted forecast, and the vote.

The specification names the first two and the vote. They are here because people ask for them, and as baselines: on
every suite measured `Detector` finds more with fewer false alarms (``bench/anomaly.py``).

All are fitted on the training part alone and score a window by itself, so nothing looks ahead. They are scored in
batches only; the LSTM autoencoder is in `autoencoder`.
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
    #: Scores of windows, shape ``(n, WINDOW)``; higher is stranger.
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
        raw = self.raw(values)
        both = np.r_[self.usual, raw]
        out = np.empty(len(raw))
        for a in range(0, len(raw), 50):
            at = len(self.usual) + a
            middle, high = np.quantile(both[max(0, at - PAST) : at], (0.5, 0.98))
            out[a : a + 50] = (raw[a : a + 50] - middle) / (high - middle + 1e-9 * (1 + abs(middle)))
        return out


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


MODELS = {
    "isolation_forest": isolation_forest,
    "one_class_svm": one_class_svm,
    "boosted": boosted,
    "autoencoder": autoencoder,
}


def vote(scores: Sequence[Floats]) -> Floats:
    """The vote of calibrated detectors as a score: the median is over a threshold when most of them are."""
    return np.asarray(np.median(np.stack(list(scores)), axis=0))
