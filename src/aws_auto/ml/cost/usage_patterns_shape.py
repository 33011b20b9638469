"""What the shape of a resource's hourly use is: numbers that do not depend on its unit, time zone or size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAY, WEEK = 24, 168
#: Name of each number, in the order of `shape`.
NAMES = (
    "level",
    "top",
    "variation",
    "spread",
    "repeats daily",
    "repeats weekly",
    "share explained by the hour of the week",
    "bursts",
    "share of hours near the top",
    "share of hours near nothing",
    "quiet hours over busy hours",
    "quiet days over other days",
    "trend",
    "steadiness of the trend",
)
_TINY = 1e-9
_OFFICE, _WEEKEND = 8, 2


def shape(hours: Floats, *, percent: bool) -> Floats:
    """The numbers of `NAMES`.

    Args:
        hours: use by hour, at least a fortnight; nan is unknown.
        percent: whether the unit is per cent of a capacity. If not, the level says only whether there is any use.
    """
    known = hours[np.isfinite(hours)]
    top = float(np.quantile(known, 0.995))
    mean = float(known.mean())
    unit = max(top, _TINY)
    median, low, high = np.quantile(known, [0.5, 0.1, 0.9])
    week = _profile(hours, WEEK)
    day = _profile(hours, DAY)
    days = _profile_of_days(hours)
    trend, steady = _trend(hours)
    scale = 1.0 if percent else 60.0 / unit
    return np.array(
        [
            mean * scale if top > _TINY else 0.0,
            top * scale if top > _TINY else 0.0,
            known.std() / max(mean, _TINY),
            (high - low) / unit,
            _autocorrelation(hours, DAY),
            _autocorrelation(hours, WEEK),
            _explained(hours, week),
            min(top / max(median, 0.02 * unit, _TINY), 50.0),
            float((known > 0.7 * unit).mean()),
            float((known < 0.15 * unit).mean()),
            _quiet_over_busy(day, _OFFICE),
            _quiet_over_busy(days, _WEEKEND),
            trend,
            steady,
        ]
    )


def _profile(hours: Floats, period: int) -> Floats:
    """The mean of each place in the period; the mean of all where a place is unknown."""
    padded = np.concatenate([hours, np.full(-len(hours) % period, np.nan)]).reshape(-1, period)
    seen = np.isfinite(padded)
    counts = seen.sum(axis=0)
    means = np.where(seen, padded, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return np.where(counts > 0, means, np.nanmean(hours))


def _profile_of_days(hours: Floats) -> Floats:
    whole = hours[len(hours) % DAY :].reshape(-1, DAY)
    seen = np.isfinite(whole)
    means = np.where(seen.any(axis=1), np.where(seen, whole, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1), np.nan)
    return _profile(means, 7)


def _quiet_over_busy(profile: Floats, length: int) -> float:
    """Mean of the quietest run of that length over the mean of the busiest, around the clock."""
    ring = np.concatenate([profile, profile[: length - 1]])
    runs = np.convolve(ring, np.ones(length) / length, mode="valid")
    return float(runs.min() / runs.max()) if runs.max() > _TINY else 1.0


def _autocorrelation(hours: Floats, lag: int) -> float:
    first, second = hours[:-lag], hours[lag:]
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < DAY:
        return 0.0
    a, b = first[both] - first[both].mean(), second[both] - second[both].mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > _TINY else 0.0


def _explained(hours: Floats, profile: Floats) -> float:
    expected = np.resize(profile, len(hours))
    known = np.isfinite(hours)
    spread = float(np.var(hours[known]))
    return 1.0 - float(np.var((hours - expected)[known])) / spread if spread > _TINY else 0.0


def _trend(hours: Floats) -> tuple[float, float]:
    """The change over the whole span as a share of its mean, from weekly means; and how steadily they rise or fall."""
    whole = hours[len(hours) % DAY :].reshape(-1, DAY)
    seen = np.isfinite(whole).any(axis=1)
    days = np.where(np.isfinite(whole), whole, 0.0).sum(axis=1) / np.maximum(np.isfinite(whole).sum(axis=1), 1)
    days = np.interp(np.arange(len(days)), np.flatnonzero(seen), days[seen])
    smooth = np.convolve(days, np.ones(7) / 7, mode="valid")
    mean = float(smooth.mean())
    if mean <= _TINY:
        return 0.0, 0.0
    steps = np.diff(smooth)
    moved = float(np.abs(steps).sum())
    return float(smooth[-1] - smooth[0]) / mean, float(steps.sum()) / moved if moved > _TINY * mean else 0.0
