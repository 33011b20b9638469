"""Figures of merit. All pure numpy; NaN marks a point that cannot be judged and is left out.

Point-adjusted F1 is not offered: pure random scores reach 0.97 with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HOUR = 3600.0


def pinball(y: Floats, forecast: Floats, levels: Sequence[float]) -> Floats:
    """Mean over the levels of twice the pinball loss (Koenker and Bassett 1978), in units of ``y``.

    Twice, so that with the median alone it is the absolute error.

    Args:
        y: shape ``(...)``.
        forecast: quantiles, shape ``(..., len(levels))``.
        levels: in (0, 1).
    """
    error = y[..., None] - forecast
    at = np.asarray(levels, float)
    return np.asarray(2 * np.maximum(at * error, (at - 1) * error).mean(axis=-1))


def weighted_quantile_loss(y: Floats, forecast: Floats, levels: Sequence[float]) -> float:
    """Summed pinball loss over summed absolute truth; NaN when the truth is zero everywhere."""
    loss = pinball(y, forecast, levels)
    seen = np.isfinite(loss)
    size = float(np.abs(y[seen]).sum())
    return float(loss[seen].sum()) / size if size else float("nan")


def mase(y: Floats, forecast: Floats, history: Floats, season: int) -> float:
    """Mean absolute error over the mean seasonal change of the history (Hyndman and Koehler 2006).

    NaN when the history never changes from one season to the next.
    """
    change = np.abs(history[season:] - history[:-season])
    change = change[np.isfinite(change)]
    error = np.abs(y - forecast)
    error = error[np.isfinite(error)]
    if not len(change) or not len(error) or change.mean() == 0:
        return float("nan")
    return float(error.mean() / change.mean())


def coverage(y: Floats, low: Floats, high: Floats) -> tuple[float, int]:
    """Share of judged points inside ``[low, high]``, and how many were judged."""
    judged = np.isfinite(y) & np.isfinite(low) & np.isfinite(high)
    inside = (y >= low) & (y <= high) & judged
    return (float(inside.sum() / judged.sum()) if judged.any() else float("nan")), int(judged.sum())


def share_at_or_below(y: Floats, high: Floats) -> tuple[float, int]:
    """Share of judged points not above ``high``, and how many were judged."""
    judged = np.isfinite(y) & np.isfinite(high)
    below = (y <= high) & judged
    return (float(below.sum() / judged.sum()) if judged.any() else float("nan")), int(judged.sum())


def expected_calibration_error(probability: Floats, outcome: Floats, bins: int = 10) -> float:
    """Mean gap between stated probability and observed share, by bins of equal width (Naeini et al. 2015)."""
    if not len(probability):
        return float("nan")
    bucket = np.minimum((probability * bins).astype(int), bins - 1)
    gap = 0.0
    for b in np.unique(bucket):
        inside = bucket == b
        gap += float(inside.sum()) * abs(float(probability[inside].mean() - outcome[inside].mean()))
    return gap / len(probability)


@dataclass(frozen=True)
class Rhythm:
    """How alarms of a series with one point every ``period`` seconds become episodes.

    Alarm points at most ``cool`` seconds apart are one episode; an episode is cut after ``longest`` seconds, so
    that a detector which is always on cannot win. An event counts as found until ``grace`` seconds after its start.
    """

    period: float

    @property
    def cool(self) -> float:
        """One hour; three points when the period is longer than five minutes and that is more."""
        return max(HOUR, 3 * self.period)

    @property
    def longest(self) -> float:
        """Six hours, or twelve points when that is more."""
        return max(6 * HOUR, 12 * self.period)

    @property
    def grace(self) -> float:
        """Seven points."""
        return 7 * self.period


def episodes(times: Floats, rhythm: Rhythm) -> Floats:
    """Sorted times of alarm points (seconds) as episodes, shape ``(n, 2)``: first and last point of each."""
    if not len(times):
        return np.empty((0, 2))
    cuts = np.flatnonzero(np.diff(times) > rhythm.cool) + 1
    out = []
    for first, last in zip(np.r_[0, cuts], np.r_[cuts, len(times)], strict=True):
        start = int(first)
        while start < last:
            stop = min(int(last), int(np.searchsorted(times, times[start] + rhythm.longest, side="right")))
            out.append((times[start], times[stop - 1]))
            start = stop
    return np.array(out)


@dataclass(frozen=True)
class EventCounts:
    """Events found and missed, episodes that touch no event, and the delay of each found one in seconds."""

    found: int
    missed: int
    false: int
    delays: tuple[float, ...] = ()


def event_counts(alarms: Floats, events: Floats, rhythm: Rhythm) -> EventCounts:
    """Judge sorted alarm times against events of shape ``(n, 2)`` (first and last second).

    An event is found when an alarm lies between its start and its end, or within the grace after its start. An
    episode is false when it lies more than three points before and more than one cool-down after every event.
    """
    delays = []
    for start, end in events:
        at = int(np.searchsorted(alarms, start))
        if at < len(alarms) and alarms[at] <= max(end, start + rhythm.grace):
            delays.append(float(alarms[at] - start))
    runs = episodes(alarms, rhythm)
    near = np.zeros(len(runs), dtype=bool)
    for start, end in events:
        near |= (runs[:, 1] >= start - 3 * rhythm.period) & (runs[:, 0] <= end + rhythm.cool)
    return EventCounts(len(delays), len(events) - len(delays), int((~near).sum()), tuple(delays))


def event_f1(counts: Floats) -> Floats:
    """F1 of ``(..., 3)`` counts of found, missed and false; 0 where there is nothing."""
    found, missed, false = counts[..., 0], counts[..., 1], counts[..., 2]
    return np.asarray(2 * found / np.maximum(2 * found + missed + false, 1))
