"""Intervals around a forecast of daily costs, from the errors that it made before.

The ends are quantiles of a series' own past errors at about that distance, mixed with the errors of all series, in
units of their usual size, while a series has few of its own. Few errors do not tell on which side the next ones lie, so
that they count for the other side as well. Distances that no error is known of yet are as wide as the farthest known
one times the square root of time. All is then stretched by the factor that would have made the intervals of earlier
weeks hold as often as promised, each of them from what was known then.

A short past has not seen the changes that last. One of n days ends within the next h with probability h / (n + h), if
today is any moment of its life (J. R. Gott, 1993, Nature 363: Implications of the Copernican principle for our future
prospects); what changes then is Laplace with a mean share of the cost. That adds to the band, as independent errors do,
and nothing once the chance of a change is under that of a day outside the interval: after two months, of a fortnight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Nominal coverage of the intervals.
LEVEL = 0.8
#: The quantile of a normal at the upper end of them.
_Z = 1.2816
_TAILS = ((1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0)
#: An error counts half as much when it is so many days old.
_HALF_LIFE = 28.0
#: Origins of its own at which a series' errors count as much as those of all series.
_OWN = 14.0
#: Errors count alike for both sides at first, and three to one for their own after so many origins of the series.
_SIDES = 28.0
#: How much a change that lasts is, as a share of the cost: its mean. Chosen among .05, .1, .15 by the interval score of
#: half of the real series that ``bench/cost_bands.py`` reads.
_CHANGE = 0.1
#: Errors of days so much nearer or farther count for a day's interval as well.
_NEAR = 2
#: An interval is at least this share of the forecast wide on each side; bills round.
_LEAST = 0.001
_WEEK = 7
#: Before anything is known of them intervals hold as often as promised; for how many judged ones that counts.
_STRETCH_COUNTS = 10
_STRETCHED = (0.8, 3.0)


@dataclass(frozen=True, eq=False)
class Band:
    """What to add to a forecast, never on the wrong side of it, and how often that held.

    Attributes:
        low: ``(series, days ahead)``, at most zero.
        high: the same, at least zero.
        covered: share of earlier truths inside intervals that were made before them, by series; nan where unknown.
    """

    low: Floats
    high: Floats
    covered: Floats


def of_days(wrong: Floats, origins: Ints, mixed: Floats, began: Ints) -> Band:
    """The band of each day ahead.

    Args:
        wrong: truth less forecast, ``(origins, series, days ahead)``; nan where the truth is not known.
        origins: days known at each origin, ascending; the last one is now.
        mixed: the forecasts, of the same shape.
        began: the first day of each series.
    """
    return _calibrated(wrong, origins, mixed, began, near=_NEAR, reach=1)


def of_sums(wrong: Floats, origins: Ints, mixed: Floats, began: Ints) -> Band:
    """The band of the sum of all days ahead, one "day" wide.

    While no whole sum is known, the longest that is stands for it, with the square root of time.
    """
    ahead = wrong.shape[-1]
    known = [length for length in range(1, ahead + 1) if np.isfinite(wrong[:, :, :length].sum(axis=2)).any()]
    length = known[-1] if known else ahead
    grown = (ahead / length) ** 1.5
    sums, whole = wrong[:, :, :length].sum(axis=2, keepdims=True), mixed.sum(axis=2, keepdims=True)
    return _calibrated(sums * grown, origins, whole, began, near=0, reach=length)


def _calibrated(wrong: Floats, origins: Ints, mixed: Floats, began: Ints, *, near: int, reach: int) -> Band:
    """The band now, stretched by what the bands of earlier weeks missed, and the changes that last."""
    last = len(origins) - 1
    judged = list(range(last - _WEEK, 0, -_WEEK))[::-1]
    asked: list[tuple[int, Floats]] = []
    inside, counted = np.zeros(wrong.shape[1]), np.zeros(wrong.shape[1])
    for at in judged:
        low, high = _ends(wrong, origins, mixed, at, near=near, reach=reach)
        more = _lasting(origins[at] - began, mixed[at], reach=reach)
        beyond = np.sqrt(np.maximum(wrong[at] ** 2 - more**2, 0.0))
        needed = beyond / np.where(wrong[at] > 0.0, high, -low)
        seen = np.isfinite(needed)
        before = [values for then, values in asked if origins[then] + reach <= origins[at]]
        inside += (seen & (needed <= _stretch(before))).sum(axis=1)
        counted += seen.sum(axis=1)
        asked.append((at, needed[seen]))
    low, high = _ends(wrong, origins, mixed, last, near=near, reach=reach)
    stretch = _stretch([values for _, values in asked])
    more = _lasting(origins[last] - began, mixed[last], reach=reach)
    covered = np.where(counted > 0, inside / np.maximum(counted, 1), np.nan)
    return Band(low=-np.hypot(low * stretch, more), high=np.hypot(high * stretch, more), covered=covered)


def _lasting(days: Ints, level: Floats, *, reach: int) -> Floats:
    """What changes that last add on either side, ``(series, days ahead)``, to a past of so many days."""
    far = np.arange(level.shape[1]) + float(reach)
    chance = far / (np.maximum(days, 1)[:, None] + far)
    return np.asarray(_CHANGE * np.abs(level) * np.maximum(np.log(chance / (1.0 - LEVEL)), 0.0))


def _stretch(needed: list[Floats]) -> float:
    """The factor at which `LEVEL` of the earlier intervals would have held."""
    prior = np.linspace(0.0, 1.0 / LEVEL, _STRETCH_COUNTS)
    return float(np.clip(np.quantile(np.concatenate([prior, *needed]), LEVEL), *_STRETCHED))


def _ends(wrong: Floats, origins: Ints, mixed: Floats, at: int, *, near: int, reach: int) -> tuple[Floats, Floats]:
    """Low and high as known at that origin, before they are stretched."""
    ahead = wrong.shape[-1]
    over = origins[:at, None] + reach + np.arange(ahead)[None] <= origins[at]
    known = np.where(over[:, None], wrong[:at], np.nan)
    age = origins[at] - origins[:at]
    table = np.stack(
        [
            _quantiles(known[:, :, max(h - near, 0) : h + near + 1], age, np.abs(mixed[at, :, h]), few=near == 0)
            for h in range(ahead)
        ],
        axis=-1,
    )
    usable = np.isfinite(table[0]).any(axis=0)
    if usable.any():
        farthest = int(np.flatnonzero(usable)[-1])
        growth = np.sqrt((np.arange(ahead) + 1.0) / (farthest + 1.0))
        table = np.where(np.arange(ahead) > farthest, table[..., farthest : farthest + 1] * growth, table)
    # A day farther away is never better known.
    table = np.nan_to_num(table)
    low, high = np.minimum.accumulate(table[0], axis=1), np.maximum.accumulate(table[1], axis=1)
    least = np.maximum(_LEAST * np.abs(mixed[at]), 1e-9)
    return np.minimum(low, -least), np.maximum(high, least)


def _quantiles(known: Floats, age: Ints, level: Floats, *, few: bool) -> Floats:
    """Both tails of each series' errors, ``(2, series)``; ``known`` is ``(origins, series, near days)``."""
    seen = np.isfinite(known)
    count = known.shape[1]
    if not seen.any():
        return np.full((2, count), np.nan)
    fresh = np.where(seen, (0.5 ** (age / _HALF_LIFE))[:, None, None], 0.0)
    size = np.where(seen, np.abs(known), 0.0).sum(axis=(0, 2)) / np.maximum(seen.sum(axis=(0, 2)), 1)
    moves = seen & (size > 0)[None, :, None]
    shape = (known / np.where(size > 0, size, 1.0)[None, :, None])[moves]
    shape_weight = fresh[moves]
    known_origins = seen.any(axis=2).sum(axis=0)
    own_share = known_origins / (known_origins + _OWN)
    other_side = 0.5 * _SIDES / (known_origins + _SIDES)
    found = np.zeros((2, count))
    for s in np.flatnonzero(size > 0):
        here = seen[:, s]
        values = np.concatenate([known[:, s][here], shape * size[s]])
        mine = fresh[:, s][here]
        weight = np.concatenate(
            [own_share[s] * mine / mine.sum(), (1.0 - own_share[s]) * shape_weight / shape_weight.sum()]
        )
        # After a collapse nothing says that the cost may rise by as much as it fell.
        values = np.concatenate([values, np.clip(-values, -level[s], level[s])])
        weight = np.concatenate([(1.0 - other_side[s]) * weight, other_side[s] * weight])
        order = np.argsort(values, kind="stable")
        place = np.searchsorted(np.cumsum(weight[order]), np.array(_TAILS) * weight.sum())
        found[:, s] = values[order][np.minimum(place, len(values) - 1)]
    return found * (_student(known_origins) if few else 1.0)


def _student(count: Ints) -> Floats:
    """Tails of Student's t over those of a normal at `LEVEL`: of so few errors the size is hardly known itself.

    The Cornish-Fisher expansion of the quantile in one over the degrees of freedom (M. Abramowitz and I. A. Stegun,
    1964, 26.7.5), which are as many as there are errors, since they are around nothing that was fitted to them.
    """
    n = np.maximum(count, 1)
    return np.asarray(1.0 + (_Z**2 + 1.0) / (4.0 * n) + (5.0 * _Z**4 + 16.0 * _Z**2 + 3.0) / (96.0 * n**2))
