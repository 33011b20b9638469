"""What the hourly cost may become: days of the last weeks at today's level, with falls as deep as those seen.

The level of today is that since the last shift: a day from which on the same weekdays cost something else, and stayed
so. Days before it are scaled to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: Depths of the falls that are thought of where none was seen.
DEPTHS = (0.25, 0.5, 0.75)
#: A change of the same weekdays' cost from one week to the next of more than this is another level.
_SHIFT = 0.15
#: And more than this many standard deviations of what its single days change anyway.
_SIGMAS = 4.0
#: A fall is believed after a day, a rise after a week: to commit too much costs more than to commit too little.
_FALL_DAYS, _RISE_DAYS = 1, 7
_RECENT_DAYS = 56
_PATHS = 200
#: Days ahead that scenarios are made of; of a longer term a sample.
_MOST_DAYS = 120


@dataclass(frozen=True, eq=False)
class Scenarios:
    """What the hourly cost may become.

    Attributes:
        paths: cost, (paths, hours).
        falls_at: in which hour from now on each path falls; past the end where it does not.
        left: the share of its usage that is left to each path once it fell.
        at: which hour from now on each column is.
    """

    paths: Array
    falls_at: Array
    left: Array
    at: Array


@dataclass(frozen=True)
class Shift:
    """From this day on the level was ``ratio`` times that of before."""

    day: int
    ratio: float


def shifts(hourly: Array) -> tuple[Shift, ...]:
    """Days on which the level changed and stayed changed, by the same weekdays of the week before; oldest first."""
    daily = np.maximum(hourly[len(hourly) % 24 :].reshape(-1, 24).sum(axis=1), 1e-9)
    week_on_week = np.log(daily[7:] / daily[:-7])
    noise = 1.4826 * float(np.median(np.abs(week_on_week))) if len(week_on_week) else 0.0
    change, weight = np.zeros(len(daily)), np.ones(len(daily))
    for day in range(7, len(daily)):
        after = daily[day : day + 7]
        change[day] = np.log(after.sum() / daily[day - 7 : day][: len(after)].sum())
        weight[day] = np.sqrt(len(after))
    real = np.abs(change) > np.maximum(-np.log(1.0 - _SHIFT), _SIGMAS * noise / weight)
    score = np.where(real, np.abs(change) * weight, 0.0)
    found = []
    # The clearest change within a week on either side is the day; its neighbours see the same change in part.
    while score[day := int(np.argmax(score))] > 0.0:
        if len(daily) - day >= (_FALL_DAYS if change[day] < 0.0 else _RISE_DAYS):
            found.append(Shift(day, float(np.exp(change[day]))))
        score[max(day - 6, 0) : day + 7] = 0.0
    return tuple(sorted(found, key=lambda one: one.day))


def scenarios(
    hourly: Array, found: tuple[Shift, ...], *, hours: int, rate: float, depths: tuple[float, ...], seed: int
) -> Scenarios:
    """Days of the same weekday from the last eight weeks at today's level, with at most one fall a path.

    Args:
        hourly: the history, newest last.
        found: its shifts.
        hours: how far ahead.
        rate: falls a day; the first of a Poisson stream is taken.
        depths: equally likely shares by which usage falls.
        seed: of all draws.
    """
    rng = np.random.default_rng(seed)
    days = hourly[len(hourly) % 24 :].reshape(-1, 24).copy()
    for one in found:
        days[: one.day] *= one.ratio
    days = days[-_RECENT_DAYS:]
    ahead = _sampled(-(-hours // 24))
    drawn = np.empty((_PATHS, len(ahead)), dtype=int)
    for column, day in enumerate(ahead):
        alike = np.arange((len(days) + day) % 7, len(days), 7)
        drawn[:, column] = rng.choice(alike, _PATHS)
    at = (ahead[:, None] * 24 + np.arange(24)).ravel()
    at = at[at < hours]
    paths = days[drawn].reshape(_PATHS, -1)[:, : len(at)]
    # Stratified: a share of the paths that is right to one path, not a matter of luck.
    chance = (rng.permutation(_PATHS) + rng.random(_PATHS)) / _PATHS
    falls_at = -np.log1p(-chance) / rate * 24.0 if rate > 0 else np.full(_PATHS, np.inf)
    return _after(paths, falls_at, 1.0 - rng.choice(depths, _PATHS), at.astype(float))


def _after(paths: Array, falls_at: Array, left: Array, at: Array) -> Scenarios:
    after = at[None] >= falls_at[:, None]
    return Scenarios(paths * np.where(after, left[:, None], 1.0), falls_at, left, at)


def _sampled(days: int) -> NDArray[np.int64]:
    """Which days ahead are looked at: of a long term every few, by a step that meets every weekday alike."""
    step = -(-days // _MOST_DAYS)
    return np.arange(0, days, step + (step % 7 == 0))


def fallen(ahead: Scenarios, depths: tuple[float, ...], *, days: int, seed: int) -> Scenarios:
    """The same hours with a fall in every path, at any moment of the first days."""
    rng = np.random.default_rng(seed + 1)
    n = len(ahead.paths)
    soon = min(days * 24.0, float(ahead.at[-1]) + 1.0)
    falls_at = (rng.permutation(n) + rng.random(n)) / n * soon
    return _after(ahead.paths, falls_at, 1.0 - rng.choice(depths, n), ahead.at)
