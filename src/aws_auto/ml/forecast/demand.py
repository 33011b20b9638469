"""Demand, one to four hours ahead: what the last four weeks say at each origin.

Where points lie farther apart than an hour a step is as long as they do, and so are all lags; what is a day and a
week here are then the short and the long cycle of `HourGrid`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.forecast.grid import DAY, HourGrid, trailing_mean
from aws_auto.ml.forecast.panel import Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: The specification's sequence length and horizon, in points.
SEQUENCE = 24
HORIZON = 4
#: Changes against yesterday are trusted as a unit from two days of them on; before, changes from hour to hour are.
LEAST_CYCLES = 2
#: A size is known from a day of points on, and never from fewer than these.
LEAST_POINTS = 7
#: A series that hardly moves is measured in this share of its size, so that a ratio stays finite.
STILL = 1e-3
NOTHING = 1e-9
#: Columns of the line lie within this many units: one wild hour must not bend it for all.
FAR = 30.0
#: A mark of an event is this large among columns of the line: it is rare, and a ridge must not flatten it.
RARE = 10.0
LAGS = (0, 1, 2, 3, 4, 5, 6, 8, 11, 17, 23)


@dataclass(frozen=True)
class DemandPanel:
    """The grid of a metric as a forecasting problem with steps of 1 to `HORIZON` columns.

    Attributes:
        grid: demand by hour, or by a longer period.
        known: what is known before it comes, such as events, ``(R, columns + 24)`` each.
    """

    grid: HourGrid
    known: tuple[NDArray[np.bool_], ...] = ()

    @property
    def reach(self) -> int:
        """The last step."""
        return HORIZON

    def design(self, origins: Ints) -> Design:
        """What is known at these columns, the same for all resources."""
        return self.design_at(np.broadcast_to(origins[None], (len(self.grid.resources), len(origins))))

    def design_at(self, origins: Ints) -> Design:
        """Lags of the origin and of the target, shifts of the level, spread, calendar; origins ``(R, O)``.

        Values are distances from the mean of the last day, in units of the mean change against the day before over
        four weeks, so that one model serves all sizes and levels.
        """
        grid = self.grid
        day, week = grid.cycle, grid.long_cycle
        window = Window.of(grid, origins)
        target = origins[..., None] + np.arange(1, HORIZON + 1)
        shape = target.shape

        def over_steps(value: Floats) -> Floats:
            return np.broadcast_to(value[..., None], shape)

        def known(value: Floats, *others: Floats) -> Floats:
            return first_known(value, *others, over_steps(window.center))

        lags = {h: grid.pick(origins - h) for h in range(max(SEQUENCE, day) + 6)}
        days = [grid.pick(target - day * d) for d in range(1, 8)]
        weeks = [grid.pick(target - week * w) for w in range(1, 5)]
        same_hour, same_week = mean_of(days), mean_of(weeks)
        last = over_steps(first_known(lags[0], lags[1], lags[2], window.center))
        yesterday = known(days[0], same_hour, last)
        last_week = known(weeks[0], same_hour, yesterday)
        shifts = [_shift(lags, day, width) for width in (1, 3, 6)]
        week_lags = [grid.pick(origins - week - h) for h in range(3)]
        week_shift = _zero(mean_of([lags[h] - week_lags[h] for h in range(3)]))
        moved = yesterday + over_steps(_zero(shifts[1]))
        week_moved = last_week + over_steps(week_shift)
        usual_moved = known(same_hour, last) + over_steps(_zero(_usual_shift(grid, origins)))

        values = [*(over_steps(first_known(lags[h], window.center)) for h in LAGS)]
        values += [known(d, same_hour, last) for d in days[:7]]
        values += [known(w, same_hour, yesterday) for w in weeks]
        values += [moved, week_moved, usual_moved, known(same_hour, last), known(same_week, same_hour, last)]
        values += [over_steps(window.week_mean)]
        changes = [over_steps(_zero(s)) for s in (*shifts, week_shift)]
        unit = window.scale[..., None]
        center = window.center[..., None]
        base = np.stack([*((v - center) / unit for v in values), *(c / unit for c in changes)], axis=-1)
        spread = [*window.spreads(), np.log1p(np.abs(window.center) / window.scale)]
        trees = [*(over_steps(s) for s in spread), *((x - center) / unit for x in (days[0], weeks[0]))]
        now = np.broadcast_to(origins[..., None], shape)
        flags = [[_flag(signal, at) for at in (target, now, target - day, target - week)] for signal in self.known]
        base = np.concatenate([base, *(RARE * (f[0] - x)[..., None] for f in flags for x in f[1:])], axis=-1)
        trees += [_deviation(days) / unit, *(x for f in flags for x in f)]
        trees += [*(np.broadcast_to(c, shape).astype(float) for c in _calendar(grid, target))]
        return Design(
            resources=grid.resources,
            scale=window.scale,
            center=window.center,
            base=np.clip(base, -FAR, FAR),
            features=np.stack(trees, axis=-1),
            truth=grid.pick(target),
            steps=tuple(range(1, HORIZON + 1)),
            grid=grid,
            origins=origins,
            marked=np.any([x > 0 for f in flags for x in f], axis=0) if flags else None,
            rules=_simple_rules(grid, last, yesterday, last_week, over_steps(window.month_mean(grid))),
            points={
                "yesterday, moved": moved,
                "last week, moved": week_moved,
                "usual day, moved": usual_moved,
                "usual day": known(same_hour, last),
                "mean of the last day": over_steps(window.center),
                "mean of the last hours": over_steps(first_known(mean_of([lags[h] for h in range(4)]), window.center)),
            },
        )


@dataclass(frozen=True)
class Window:
    """Level, unit and spread of the hours before each origin, all ``(R, O)``."""

    center: Floats
    scale: Floats
    week_mean: Floats
    day: tuple[Floats, Floats, Floats]
    week_spread: Floats
    rough: Floats

    @classmethod
    def of(cls, grid: HourGrid, origins: Ints) -> Window:
        """From the four weeks before each of the origins ``(R, O)``."""
        values = grid.values

        def at(table: Floats) -> Floats:
            return replace(grid, values=table).pick(origins)

        cycle, long_cycle = grid.cycle, grid.long_cycle
        least, few = max(cycle, LEAST_POINTS), max(cycle // 4, 1)
        before = np.full_like(values, np.nan)
        before[:, cycle:] = values[:, :-cycle]
        hour = np.full_like(values, np.nan)
        hour[:, 1:] = values[:, :-1]
        week_mean = at(trailing_mean(values, long_cycle, least))
        center = first_known(at(trailing_mean(values, cycle, few)), week_mean)
        size = at(trailing_mean(np.abs(values), long_cycle, least))
        rough = at(trailing_mean(np.abs(values - hour), cycle, few))
        change = first_known(
            at(trailing_mean(np.abs(values - before), 4 * long_cycle, LEAST_CYCLES * least)),
            at(trailing_mean(np.abs(values - hour), long_cycle, few)),
            np.zeros_like(size),
        )
        scale = np.where(np.isfinite(size), np.maximum(change, np.maximum(STILL * size, NOTHING)), np.nan)
        last_day = grid.pick(origins[..., None] - np.arange(SEQUENCE))
        blank = ~np.isfinite(last_day)
        low, high = (
            np.where(blank, np.inf, last_day).min(axis=-1),
            np.where(blank, -np.inf, last_day).max(axis=-1),
        )
        day = (low, high, _std(np.where(blank, np.nan, last_day)))
        far = at(trailing_mean(np.abs(values - trailing_mean(values, long_cycle, least)), long_cycle, least))
        return cls(center, scale, week_mean, day, far, rough)

    def month_mean(self, grid: HourGrid) -> Floats:
        """Of four weeks, where a column is a day or a week."""
        return self.center if grid.step > DAY else first_known(self.week_mean, self.center)

    def spreads(self) -> list[Floats]:
        """Spread of the last day and week in units of the scale, NaN where unknown."""
        low, high, std = self.day
        raw = [low - self.center, high - self.center, std, self.week_spread, self.rough]
        return [np.where(np.isfinite(x), x, np.nan) / self.scale for x in raw]


def _simple_rules(grid: HourGrid, last: Floats, before: Floats, long_before: Floats, mean: Floats) -> dict[str, Floats]:
    """What a forecaster has to beat, by the name that people know it by."""
    if grid.step < DAY:
        return {"last value": last, "same hour yesterday": before, "same hour last week": long_before}
    cycle = "same day last week" if grid.step == DAY else "four weeks before"
    return {"last value": last, cycle: before, "mean of four weeks": mean}


def _shift(lags: dict[int, Floats], day: int, width: int) -> Floats:
    """How far the last ``width`` hours lie over the same hours of the day before."""
    return mean_of([lags[h] - lags[h + day] for h in range(width)])


def _usual_shift(grid: HourGrid, origins: Ints) -> Floats:
    """How far the last three hours lie over the mean of the same hours of seven days."""
    return mean_of(
        [
            grid.pick(origins - h) - mean_of([grid.pick(origins - h - grid.cycle * d) for d in range(1, 8)])
            for h in range(3)
        ]
    )


def _calendar(grid: HourGrid, target: Ints) -> tuple[Ints, ...]:
    return grid.hour_of_day(target), grid.day_of_week(target), np.arange(1, HORIZON + 1)


def _flag(signal: NDArray[np.bool_], columns: Ints) -> Floats:
    """1 where the signal holds at columns ``(R, O, S)``, else 0; also outside of what is known."""
    row = np.arange(len(signal)).reshape(-1, 1, 1)
    inside = (columns >= 0) & (columns < signal.shape[1])
    return np.where(inside, signal[row, np.clip(columns, 0, signal.shape[1] - 1)], 0).astype(float)


def _zero(table: Floats) -> Floats:
    return np.where(np.isfinite(table), table, 0.0)


def _std(table: Floats) -> Floats:
    parts = [table[..., i] for i in range(table.shape[-1])]
    return _deviation(parts)


def _deviation(tables: list[Floats]) -> Floats:
    mean = mean_of(tables)
    return np.asarray(np.sqrt(mean_of([(t - mean) ** 2 for t in tables])))


def first_known(*choices: Floats) -> Floats:
    """The first finite of them, cell by cell."""
    out = choices[0]
    for other in choices[1:]:
        out = np.where(np.isfinite(out), out, other)
    return out


def mean_of(tables: list[Floats]) -> Floats:
    """Mean of what is finite, cell by cell; NaN where nothing is."""
    total = np.zeros_like(tables[0])
    count = np.zeros_like(tables[0])
    for table in tables:
        seen = np.isfinite(table)
        total += np.where(seen, table, 0.0)
        count += seen
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
