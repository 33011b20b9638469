"""What events and holidays did to demand so far, and demand as it would have been without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.forecast.demand import first_known, mean_of
from aws_auto.ml.forecast.grid import trailing_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.grid import HourGrid

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

#: A sum over marked hours moves a share by no more than this factor.
STEEPEST = 20.0


@dataclass(frozen=True)
class Effects:
    """Past effects of each signal; every column knows what came up to it and nothing after.

    Attributes:
        plain: the grid without its marked hours.
        lags: what is usual is the mean of so many columns before.
        shift: how far the unmarked hours of the last day lie over what was usual, ``(R, columns)``.
        known: signals, ``(R, columns + 24)`` each; of two at the same time the first one counts.
        over: of each signal, how far demand lay over its usual value in marked hours up to each column, by mean of the
            same hours of the day and by mean of all, ``(R, columns)``; NaN where none was seen.
        times: the same as a ratio of sums.
    """

    plain: HourGrid
    lags: Sequence[int]
    shift: Floats
    known: tuple[Flags, ...]
    over: tuple[tuple[Floats, ...], ...]
    times: tuple[tuple[Floats, ...], ...]

    @classmethod
    def of(cls, grid: HourGrid, known: Sequence[Flags], *, lags: Sequence[int], moved: bool) -> Effects:
        """From all columns of the grid; ``moved`` where what is usual follows the level of the last day."""
        marked = np.any([signal[:, : grid.hours] for signal in known], axis=0)
        plain = replace(grid, values=np.where(marked, np.nan, grid.values))
        columns = np.arange(grid.hours)
        usual = mean_of([plain.at(columns - lag) for lag in lags])
        shift = np.zeros_like(usual)
        if moved:
            shift = trailing_mean(plain.values - usual, grid.cycle, max(grid.cycle // 4, 1))
            shift = np.where(np.isfinite(shift), shift, 0.0)
            usual[:, grid.cycle :] += shift[:, : -grid.cycle]
        over: list[tuple[Floats, ...]] = []
        times: list[tuple[Floats, ...]] = []
        for signal in known:
            there = signal[:, : grid.hours] & np.isfinite(grid.values) & np.isfinite(usual)
            tables = [np.where(there, table, 0.0) for table in (grid.values, usual, 1.0)]
            sums = [[_so_far(table, stride) for table in tables] for stride in (grid.cycle, 1)]
            over.append(tuple(_over(came - was, count) for came, was, count in sums))
            times.append(tuple(_over(came, was) for came, was, _ in sums))
        return cls(plain, lags, shift, tuple(known), tuple(over), tuple(times))

    def usual(self, origins: Ints, target: Ints) -> Floats:
        """What would be at each target without any signal, NaN where it is not known."""
        at_origin = replace(self.plain, values=self.shift).pick(origins)[..., None]
        return mean_of([self.plain.pick(target - lag) for lag in self.lags]) + at_origin

    def added(self, origins: Ints, target: Ints) -> Floats:
        """What a signal at a target ``(R, O, S)`` adds, as known at its origin ``(R, O)``; 0 where there is none."""
        return self._said(self.over, origins, target, 0.0)

    def factor(self, origins: Ints, target: Ints) -> Floats:
        """By what a signal at a target multiplies; 1 where there is none."""
        return self._said(self.times, origins, target, 1.0).clip(1 / STEEPEST, STEEPEST)

    def _said(self, tables: tuple[tuple[Floats, ...], ...], origins: Ints, target: Ints, nothing: float) -> Floats:
        out = np.full(target.shape, nothing)
        cycle = self.plain.cycle
        before = target - cycle * -(-(target - origins[..., None]) // cycle)
        for signal, (same_hour, all_hours) in reversed(list(zip(self.known, tables, strict=True))):
            seen = first_known(
                replace(self.plain, values=same_hour).pick(before),
                np.broadcast_to(replace(self.plain, values=all_hours).pick(origins)[..., None], target.shape),
                np.full(target.shape, nothing),
            )
            out = np.where(flag(signal, target), seen, out)
        return out


def flag(signal: Flags, columns: Ints) -> Flags:
    """Where the signal holds at columns ``(R, O, S)``; nowhere outside of what is known."""
    row = np.arange(len(signal)).reshape(-1, 1, 1)
    inside = (columns >= 0) & (columns < signal.shape[1])
    return np.asarray(inside & signal[row, np.clip(columns, 0, signal.shape[1] - 1)])


def _over(total: Floats, by: Floats) -> Floats:
    return np.asarray(np.divide(total, by, out=np.full(total.shape, np.nan), where=by > 0))


def _so_far(table: Floats, stride: int) -> Floats:
    """Sum over each column and every ``stride``-th before it."""
    rows, columns = table.shape
    wide = np.zeros((rows, -(-columns // stride) * stride))
    wide[:, :columns] = table
    return wide.reshape(rows, -1, stride).cumsum(axis=1).reshape(rows, -1)[:, :columns]
