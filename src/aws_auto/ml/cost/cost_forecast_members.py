"""Ways to continue a series of daily costs: the last value, levels with and without weekdays, and since the last step.

Every member is a pure function of the days before an origin and gives one value a day ahead. Smoothed levels are
exponentially weighted means (the level of simple exponential smoothing, Brown 1959, without its start-up); weekday
profiles are medians over four weeks, shrunk by how far the weeks agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WEEK = 7
LAST = "last value"
#: Name of each member, in the order of `forecasts`.
NAMES = (
    LAST,
    "same weekday of the last week",
    "median of the last week",
    "level, slow",
    "level, faster",
    "level and weekdays, very slow",
    "level and weekdays, slow",
    "level and weekdays, faster",
    "level and weekdays, fast",
    "level and weekdays since the last step",
    "median of a week since the last step",
)
_VERY_SLOW, _SLOW, _FASTER, _FAST = 0.07, 0.2, 0.4, 0.7
_REACH = 60
_PROFILE_WEEKS = 4
#: A step parts the days before it from those after it without overlap, and moves their median by this share.
_STEP = 0.2
_LEAST_AFTER, _LEAST_BEFORE = 2, 5


def forecasts(past: Floats, ahead: int) -> Floats:
    """What each member says of the next days, ``(series, members, ahead)``.

    Args:
        past: cost by day up to the origin, ``(series, days)``, at least one, without a gap.
        ahead: how many days.
    """
    recent = past[:, -_REACH:]
    count, days = recent.shape
    profile = weekdays(recent)
    place = (np.arange(days) - days) % WEEK
    plain = recent / np.maximum(profile[:, place], 0.05)
    ahead_profile = profile[:, np.arange(ahead) % WEEK]
    since = last_step(recent)
    everything = np.zeros(count, dtype=np.int64)
    week = recent[:, -WEEK:]
    step_profile = np.where((days - since >= 2 * WEEK)[:, None], ahead_profile, 1.0)
    stepped = np.where((days - since >= 2 * WEEK)[:, None], plain, recent)
    after = np.arange(days)[None] >= np.maximum(since, days - WEEK)[:, None]
    flat = np.ones((count, ahead))
    said = [
        past[:, -1:] * flat,
        week[:, np.arange(ahead) % week.shape[1]],
        np.median(week, axis=1)[:, None] * flat,
        _level(recent, _SLOW, everything) * flat,
        _level(recent, _FASTER, everything) * flat,
        _level(plain, _VERY_SLOW, everything) * ahead_profile,
        _level(plain, _SLOW, everything) * ahead_profile,
        _level(plain, _FASTER, everything) * ahead_profile,
        _level(plain, _FAST, everything) * ahead_profile,
        _level(stepped, _SLOW, since) * step_profile,
        np.nanmedian(np.where(after, recent, np.nan), axis=1)[:, None] * flat,
    ]
    return np.stack(said, axis=1)


def weekdays(past: Floats) -> Floats:
    """Cost of each day of the coming week over the mean of a week, ``(series, 7)``; ones where weeks do not agree."""
    weeks = min(past.shape[1] // WEEK, _PROFILE_WEEKS)
    if weeks < 2:
        return np.ones((len(past), WEEK))
    table = past[:, -WEEK * weeks :].reshape(len(past), weeks, WEEK)
    mean = table.mean(axis=2, keepdims=True)
    ratio = np.where(mean > 0, table / np.where(mean > 0, mean, 1.0), 1.0)
    typical = np.median(ratio, axis=1)
    between = typical.var(axis=1)
    within = ((ratio - typical[:, None]) ** 2).mean(axis=(1, 2)) / weeks
    kept = np.clip(1.0 - within / np.maximum(between, 1e-12), 0.0, 1.0)
    shrunk = 1.0 + kept[:, None] * (typical - 1.0)
    return np.asarray(shrunk / np.maximum(shrunk.mean(axis=1, keepdims=True), 1e-9))


def last_step(past: Floats) -> Ints:
    """The first day after the newest step of each series; 0 where there is none."""
    found = np.zeros(len(past), dtype=np.int64)
    earlier = np.zeros(len(past), dtype=bool)
    for start in range(_LEAST_BEFORE, past.shape[1] - _LEAST_AFTER + 1):
        before, after = past[:, max(start - WEEK, 0) : start], past[:, start : start + WEEK]
        apart = (before.max(axis=1) < after.min(axis=1)) | (before.min(axis=1) > after.max(axis=1))
        if apart.any():
            was, now = np.median(before, axis=1), np.median(after, axis=1)
            apart &= np.abs(now - was) >= _STEP * np.maximum(np.abs(was), np.abs(now))
            found[apart & ~earlier] = start
        earlier = apart
    return found


def _level(past: Floats, pace: float, since: Ints) -> Floats:
    """The exponentially weighted mean of each series' days from ``since`` on, ``(series, 1)``."""
    age = np.arange(past.shape[1])[::-1]
    weight = (1.0 - pace) ** age * (np.arange(past.shape[1])[None] >= since[:, None])
    return np.asarray((past * weight).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True))
