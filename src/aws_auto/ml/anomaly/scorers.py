"""How far each point lies from what its own past says: the learned scorer, and how scorers are stored.

A scorer gives, for each channel, metric and column, what was expected and how much deviation is usual. Everything is
causal: a column is judged from earlier columns and from what was learned in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from aws_auto.ml.anomaly.grid import DAY
from aws_auto.ml.anomaly.robust import MAD, Judged, array, floors, mads, medians, plain
from aws_auto.ml.anomaly.rules import RULES, Rolling, Static

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.grid import ResourceGrid

    Floats = NDArray[np.float64]

HOURS = 24
RIDGE = 1e-2
CLIP = 4.0


class Scorer(Protocol):
    """Judges a grid of the resource that it was fitted on."""

    @property
    def kind(self) -> str:
        """Its name in reports and files."""
        ...

    def judge(self, grid: ResourceGrid) -> Judged:
        """Causal expectation and scale."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Plain JSON that `scorer_of` reads."""
        ...


@dataclass(frozen=True)
class Residual:
    """Daily profile, autoregression on what the profile leaves, and a slow channel for ramps and shifts.

    Attributes:
        centre: second within the hour at which a profile value holds.
        profile: median by workday or weekend and hour (UTC), ``(2, metrics, 24)``.
        weights: of lags 1, 2, 3 and one day, ``(metrics, 4)``.
        near: usual size of the residual by hour, ``(metrics, 24)``.
        far: usual size of the deviation from the profile by hour, for points whose predecessor is missing.
        slow: usual size of the last hour's mean against the day before it, ``(metrics,)``.
    """

    centre: float
    profile: Floats
    weights: Floats
    near: Floats
    far: Floats
    slow: Floats
    kind: str = "profile and autoregression"

    @classmethod
    def fit(cls, grid: ResourceGrid) -> Residual:
        """Learn from a grid; a metric without points gets NaN and is never judged."""
        times = grid.times
        hour = times // 3600 % HOURS
        seen = np.isfinite(grid.values).any(axis=0)
        centre = float(np.mean(times[seen] % 3600)) if seen.any() else 0.0
        profile = _profile(grid)
        deviation = grid.values - _at(profile, centre, times)
        floor = floors(grid.values)
        spread = np.maximum(mads(deviation), floor)
        weights = _weights(_lags(grid, deviation), deviation, spread)
        residual = deviation - _predicted(_lags(grid, deviation), weights)
        fast, _ = _slow(grid, deviation)
        return cls(
            centre=centre,
            profile=profile,
            weights=weights,
            near=_by_hour(residual, hour, floor),
            far=_by_hour(deviation, hour, floor),
            slow=np.maximum(mads(fast), floor),
        )

    def judge(self, grid: ResourceGrid) -> Judged:
        """Two channels: the next point, and the last hour against the day before it."""
        hour = grid.times // 3600 % HOURS
        profile = _at(self.profile, self.centre, grid.times)
        deviation = grid.values - profile
        lags = _lags(grid, deviation)
        connected = np.isfinite(lags[0])
        expected = profile + np.where(connected, _predicted(lags, self.weights), 0.0)
        scale = np.where(connected, self.near[:, hour], self.far[:, hour])
        fast, known = _slow(grid, deviation)
        slow_expected = np.where(known, grid.values - fast, np.nan)
        slow_scale = np.broadcast_to(self.slow[:, None], scale.shape)
        return Judged(np.stack([expected, slow_expected]), np.stack([scale, slow_scale]))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; NaN becomes null."""
        arrays = {n: plain(getattr(self, n)) for n in ("profile", "weights", "near", "far", "slow")}
        return {"kind": self.kind, "centre": self.centre, **arrays}


def fit_scorer(kind: str, grid: ResourceGrid) -> Scorer:
    """A scorer of that kind, fitted on the grid."""
    if kind == Residual.kind:
        return Residual.fit(grid)
    return Static.fit(grid) if kind == Static.kind else Rolling.fit(kind, grid)


def scorer_of(said: Mapping[str, Any]) -> Scorer:
    """The inverse of ``to_json``.

    Raises:
        KeyError: it is none of ours.
    """
    kind = said["kind"]
    if kind == Residual.kind:
        return Residual(
            centre=float(said["centre"]),
            profile=array(said["profile"]),
            weights=array(said["weights"]),
            near=array(said["near"]),
            far=array(said["far"]),
            slow=array(said["slow"]),
        )
    if kind == Static.kind:
        return Static(array(said["centre"]), array(said["spread"]))
    if kind in RULES:
        return Rolling(kind, array(said["floor"]))
    raise KeyError(kind)


def _weekend(times: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(((times // DAY + 3) % 7 >= 5).astype(np.int64))


def _profile(grid: ResourceGrid) -> Floats:
    """Median by kind of day and hour; both kinds alike with under a fortnight, empty hours from all hours."""
    times = grid.times
    hour, weekend = times // 3600 % HOURS, _weekend(times)
    two_kinds = len(times) * grid.period >= 13 * DAY
    whole = medians(grid.values)
    out = np.empty((2, len(grid.metrics), HOURS))
    for h in range(HOURS):
        both = medians(grid.values[:, hour == h])
        both = np.where(np.isfinite(both), both, whole)
        for kind in range(2):
            own = medians(grid.values[:, (hour == h) & (weekend == kind)]) if two_kinds else both
            out[kind, :, h] = np.where(np.isfinite(own), own, both)
    return out


def _at(profile: Floats, centre: float, times: NDArray[np.int64]) -> Floats:
    """The profile at any time, linear between the centres of its hours."""
    place = (times % DAY - centre) / 3600
    before = np.floor(place).astype(np.int64)
    share = place - before
    kind = _weekend(times)
    left, right = profile[kind, :, before % HOURS], profile[kind, :, (before + 1) % HOURS]
    return np.asarray((left * (1 - share[:, None]) + right * share[:, None]).T)


def _lags(grid: ResourceGrid, deviation: Floats) -> Floats:
    """Deviations 1, 2, 3 columns and one day before, ``(4, metrics, columns)``, NaN where unknown."""
    out = np.full((4, *deviation.shape), np.nan)
    for i, lag in enumerate((1, 2, 3, grid.points(DAY, 4))):
        if lag < deviation.shape[1]:
            out[i, :, lag:] = deviation[:, :-lag]
    return out


def _predicted(lags: Floats, weights: Floats) -> Floats:
    return np.asarray(np.einsum("lmn,ml->mn", np.nan_to_num(lags), weights))


def _weights(lags: Floats, deviation: Floats, spread: Floats) -> Floats:
    """Ridge weights by metric, deviations clipped at four spreads so that no anomaly is learned."""
    out = np.zeros((len(deviation), len(lags)))
    for m in range(len(deviation)):
        known = np.isfinite(deviation[m]) & np.isfinite(lags[0, m])
        if known.sum() < 50 or not np.isfinite(spread[m]):
            continue
        x = np.clip(np.nan_to_num(lags[:, m, known]).T / spread[m], -CLIP, CLIP)
        y = np.clip(deviation[m, known] / spread[m], -CLIP, CLIP)
        out[m] = np.linalg.solve(x.T @ x + RIDGE * len(y) * np.eye(x.shape[1]), x.T @ y)
    return out


def _by_hour(values: Floats, hour: NDArray[np.int64], floor: Floats) -> Floats:
    """Size by hour of day, drawn half way to the size over all hours."""
    centre = medians(values)[:, None]
    whole = np.maximum(MAD * medians(np.abs(values - centre)), floor)
    out = np.empty((len(values), HOURS))
    for h in range(HOURS):
        own = MAD * medians(np.abs(values[:, hour == h] - centre))
        out[:, h] = np.sqrt((np.where(np.isfinite(own), own, whole) ** 2 + whole**2) / 2)
    return np.maximum(out, floor[:, None])


def _slow(grid: ResourceGrid, deviation: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Mean deviation of the last hour less that of the day before it, and where both are known."""
    short, long = grid.points(3600, 3), grid.points(DAY, 12)
    recent, recent_n = _window(deviation, 0, short)
    before, before_n = _window(deviation, short, long)
    known = (recent_n >= short / 2) & (before_n >= long / 4) & np.isfinite(deviation)
    return np.where(known, recent - before, np.nan), known


def _window(values: Floats, skip: int, width: int) -> tuple[Floats, Floats]:
    """Mean and count of the ``width`` columns that end ``skip`` columns ago."""
    seen = np.isfinite(values)
    rows, columns = values.shape
    total = np.zeros((rows, columns + 1))
    count = np.zeros((rows, columns + 1))
    np.cumsum(np.where(seen, values, 0.0), axis=1, out=total[:, 1:])
    np.cumsum(seen, axis=1, out=count[:, 1:])
    end = np.maximum(np.arange(columns) + 1 - skip, 0)
    start = np.maximum(end - width, 0)
    n = count[:, end] - count[:, start]
    return (total[:, end] - total[:, start]) / np.maximum(n, 1), n
