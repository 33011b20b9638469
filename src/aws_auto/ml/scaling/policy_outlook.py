"""What the load may be until an instance started now is ready: a level and a width, learned from the past alone.

For a few groups of steps ahead the largest load is predicted by ridge regression on the last steps, the same time of
the days before and their level; its width by a second regression, of the log of the absolute error, on how restless the
load was lately and at this time of the day. Errors over their width then have one distribution, which is kept. Both
regressions take milliseconds; a step of prediction takes a fraction of one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]
    Flags = NDArray[np.bool_]

LAGS = (1, 2, 3, 4, 6, 9, 12)
MEANS = (6, 12, 36)
RESTLESS = (3, 12, 72)
#: Days before that are compared with; the same day of the last week is the seventh.
DAYS = 7
#: Steps around the same time of an earlier day in which its load may have peaked instead.
SLACK = 3
#: A group of steps ahead has one prediction; a long boot has this many groups.
MOST_GROUPS = 3
#: Weight of a row halves with this many days.
HALF_LIFE_DAYS = 14.0
#: Rows that a regression learns from at most; more are thinned out.
MOST_ROWS = 8000
RIDGE = 1e-4
#: Widths below this share of the mean load count as this.
THIN = 1e-4


def groups(boot: int) -> tuple[tuple[int, int], ...]:
    """First and last step of each group of ``0 .. boot`` steps ahead."""
    edges = np.unique(np.linspace(0, boot + 1, min(MOST_GROUPS, boot + 1) + 1).round().astype(int))
    return tuple((int(a), int(b) - 1) for a, b in itertools.pairwise(edges))


class Memory:
    """The load so far, with the sums and maxima that the features are read from; each step adds to it in O(1)."""

    def __init__(self, *, boot: int, day: int, per_hour: int, events: Flags | None = None) -> None:
        self.boot, self.day, self.per_hour = boot, day, per_hour
        self.n = 0
        self._room = 0
        self.x = self._sum = self._moved = self._top = self._wide = self._rise = self._risen = np.zeros(0)
        self._events = None if events is None else np.concatenate([[0.0], np.cumsum(events, dtype=np.float64)])

    def extend(self, values: Floats) -> None:
        """Add the newest steps."""
        old, new = self.n, self.n + len(values)
        self._grow(new)
        x, lead = self.x, self.boot + 1
        x[old:new] = values
        self.n = new
        self._sum[old + 1 : new + 1] = self._sum[old] + np.cumsum(values)
        steps = np.abs(np.diff(x[max(old - 1, 0) : new], prepend=x[0]) if not old else np.diff(x[old - 1 : new]))
        self._moved[old + 1 : new + 1] = self._moved[old] + np.cumsum(steps)
        self._top[old:new] = self._highest(old, lead)
        self._wide[old:new] = self._highest(old, lead + 2 * SLACK)
        rise = np.maximum(self._top[old:new] - x[np.maximum(np.arange(old, new) - lead, 0)], 0.0)
        self._rise[old:new] = rise
        self._risen[old + 1 : new + 1] = self._risen[old] + np.cumsum(rise)

    def _grow(self, size: int) -> None:
        if size < self._room:
            return
        self._room = max(2 * size, 1024)
        for name in ("x", "_sum", "_moved", "_top", "_wide", "_rise", "_risen"):
            larger = np.zeros(self._room + 1)
            larger[: len(getattr(self, name))] = getattr(self, name)
            setattr(self, name, larger)

    def _highest(self, since: int, width: int) -> Floats:
        """Largest load of the ``width`` steps that end at each step from ``since`` on."""
        start = max(since - width + 1, 0)
        padded = np.concatenate([np.full(start - (since - width + 1), -np.inf), self.x[start : self.n]])
        return np.asarray(sliding_window_view(padded, width).max(axis=1))

    def target(self, rows: Indices, group: tuple[int, int]) -> Floats:
        """Largest load of the group's steps after each row; NaN where it is not known yet."""
        first, last = group
        out = np.full(len(rows), -np.inf)
        for ahead in range(first, last + 1):
            known = rows + ahead < self.n
            out = np.maximum(out, np.where(known, self.x[np.where(known, rows + ahead, 0)], np.nan))
        return out

    def level_features(self, rows: Indices) -> Floats:
        """What the level is read from, ``(rows, features)``, from the steps before each row; NaN where unknown."""
        before = self._days(rows)
        past = self._at(self._top, before + self.boot)
        wide = self._at(self._wide, before + self.boot + SLACK)
        same = self._mean(self._sum, before + self.boot + 2, 5)
        hour = self._mean(self._sum, before, self.per_hour)
        now = self._mean(self._sum, rows, self.per_hour)
        columns = [*self._at(self.x, rows - np.array(LAGS)[:, None])]
        columns += [self._mean(self._sum, rows, k) for k in MEANS]
        columns += [now, past[:, 0], past[:, -1], _mean(past), _peak(wide), _middle(wide), same[:, 0], _mean(same)]
        columns += [same[:, 0] + now - hour[:, 0], _mean(same) + now - _mean(hour), same[:, -1] + now - hour[:, -1]]
        return np.stack(columns, axis=1)

    def width_features(self, rows: Indices) -> Floats:
        """What the width is read from: how restless the load was lately, and at this time on the days before."""
        lead, before = self.boot + 1, self._days(rows)
        past = self._at(self._top, before + self.boot)
        risen = self._mean(self._risen, before + self.boot + SLACK + 1, 2 * SLACK + 1)
        columns = [self._mean(self._moved, rows, k) for k in (*RESTLESS, self.day)]
        columns += [self._mean(self._risen, rows, k) for k in (4 * lead, self.day)]
        columns += [_mean(risen), _peak(risen), _spread(past), self._day_peak(rows)]
        return np.stack(columns, axis=1)

    def clock(self, rows: Indices) -> Floats:
        """The time of the day, and events known in advance: at the target, in the hour before and the hour after it."""
        angle = 2 * np.pi * (rows % self.day) / self.day
        columns = [np.cos(angle), np.sin(angle), np.ones(len(rows))]
        if self._events is not None:
            last = len(self._events) - 1
            ends = rows + self.boot + 1
            for span in ((rows, ends), (rows - self.per_hour, rows), (ends, ends + self.per_hour)):
                first, until = (np.clip(edge, 0, last) for edge in span)
                columns.append((self._events[until] - self._events[first]) / np.maximum(until - first, 1))
        return np.stack(columns, axis=1)

    def _days(self, rows: Indices) -> Indices:
        """The same step on each of the last days, ``(rows, DAYS)``."""
        return np.asarray(rows[:, None] - self.day * np.arange(1, DAYS + 1))

    def _at(self, series: Floats, rows: Indices) -> Floats:
        known = (rows >= 0) & (rows < self.n)
        return np.where(known, series[np.where(known, rows, 0)], np.nan)

    def _mean(self, sums: Floats, ends: Indices, width: int) -> Floats:
        """Mean of the ``width`` steps before each of ``ends``."""
        known = (ends >= width) & (ends <= self.n)
        safe = np.where(known, ends, width if self.n >= width else 0)
        return np.where(known, (sums[safe] - sums[safe - width if self.n >= width else safe]) / width, np.nan)

    def _day_peak(self, rows: Indices) -> Floats:
        """Largest rise of the last day."""
        first = int(rows[0])
        padded = np.concatenate([np.zeros(max(self.day - first, 0)), self._rise[max(first - self.day, 0) : rows[-1]]])
        return np.asarray(sliding_window_view(padded, self.day).max(axis=1)[rows - first])


def _mean(days: Floats) -> Floats:
    known = np.isfinite(days)
    mean = np.where(known, days, 0.0).sum(axis=1) / np.where(known.any(axis=1), known.sum(axis=1), np.nan)
    return np.asarray(mean)


def _peak(days: Floats) -> Floats:
    top = np.where(np.isfinite(days), days, -np.inf).max(axis=1)
    return np.where(np.isfinite(top), top, np.nan)


def _middle(days: Floats) -> Floats:
    ordered = np.sort(days, axis=1)  # NaN last
    known = np.isfinite(days).sum(axis=1)
    rows = np.arange(len(days))
    low, high = ordered[rows, np.maximum((known - 1) // 2, 0)], ordered[rows, np.minimum(known // 2, DAYS - 1)]
    return np.where(known > 0, (low + high) / 2, np.nan)


def _spread(days: Floats) -> Floats:
    mean = _mean(days)
    return np.asarray(np.sqrt(np.maximum(_mean((days - mean[:, None]) ** 2), 0.0)))


@dataclass(frozen=True)
class Regression:
    """One group's level and width as linear forms; ``unit`` makes them free of the load's unit."""

    unit: float
    level: Floats
    width: Floats

    def predict(self, level: Floats, width: Floats, clock: Floats) -> tuple[Floats, Floats]:
        """Level and width of each row, in the unit of the load."""
        design, last = _level_design(level / self.unit, clock)
        mean = last + design @ self.level
        log = _width_design(width / self.unit, mean, last, clock) @ self.width
        return mean * self.unit, np.exp(np.clip(log, np.log(THIN), 10.0)) * self.unit


def fit(memory: Memory, group: tuple[int, int], *, first: int, until: int) -> Regression | None:
    """Learn from the rows since ``first`` whose target is known before ``until``; None with under a day of them."""
    last, first = until - group[1], max(first, LAGS[-1])
    stride = max(1, -(-(last - first) // MOST_ROWS))
    rows = np.arange(last - 1, first - 1, -stride)[::-1]
    if last - first < memory.day or len(rows) < 3 * (len(LAGS) + len(MEANS)):
        return None
    unit = float(np.mean(memory.x[first:until]))
    if unit <= 0:
        return None
    y = memory.target(rows, group) / unit
    weight = 0.5 ** ((last - rows) / (HALF_LIFE_DAYS * memory.day))
    clock = memory.clock(rows)
    design, now = _level_design(memory.level_features(rows) / unit, clock)
    level = _ridge(design, y - now, weight, RIDGE)
    mean = now + design @ level
    shape = _width_design(memory.width_features(rows) / unit, mean, now, clock)
    width = _ridge(shape, np.log(np.maximum(np.abs(y - mean), THIN)), weight, 10 * RIDGE)
    return Regression(unit, level, width)


def _level_design(features: Floats, clock: Floats) -> tuple[Floats, Floats]:
    """Differences to the last load, so that what is not known yet says: as it is now."""
    last = features[:, 0]
    known = np.where(np.isfinite(features), features, last[:, None])
    return np.concatenate([known[:, 1:] - last[:, None], clock, last[:, None]], axis=1), last


def _width_design(features: Floats, mean: Floats, last: Floats, clock: Floats) -> Floats:
    usual = features[:, [len(RESTLESS)]]
    known = np.where(np.isfinite(features), features, np.where(np.isfinite(usual), usual, 0.0))
    positive = np.maximum(mean, 0.0)
    shape = np.concatenate([known, np.stack([np.sqrt(positive), positive, np.abs(mean - last)], axis=1)], axis=1)
    return np.concatenate([np.log(np.maximum(shape, THIN)), clock], axis=1)


def _ridge(design: Floats, y: Floats, weight: Floats, strength: float) -> Floats:
    weighted = design * weight[:, None]
    gram = weighted.T @ design
    gram[np.diag_indices_from(gram)] += strength * max(np.trace(gram) / len(gram), 1e-12)
    return np.asarray(np.linalg.solve(gram, weighted.T @ y))
