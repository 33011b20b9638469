"""Hourly demand, one to four hours ahead: what the last week says at each origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.forecast.grid import DAY, WEEK, HourGrid, trailing_mean
from aws_auto.ml.forecast.panel import Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: The specification's sequence length and horizon, in hours.
SEQUENCE = 24
HORIZON = 4


@dataclass(frozen=True)
class DemandPanel:
    """The grid of an hourly metric as a forecasting problem with steps of 1 to `HORIZON` hours."""

    grid: HourGrid

    @property
    def reach(self) -> int:
        """The last step."""
        return HORIZON

    def design(self, origins: Ints) -> Design:
        """Lags 0, 1, 2 hours, 1, 2 and 7 days of the origin and of the target, levels, calendar.

        Everything is in units of the mean absolute value of the last week, so that one model serves all sizes.
        """
        grid = self.grid
        steps = np.arange(1, HORIZON + 1)
        target = origins[:, None] + steps
        scale = trailing_mean(np.abs(grid.values), WEEK, SEQUENCE)[:, origins]
        day_mean = trailing_mean(grid.values, DAY, DAY // 4)
        day_square = trailing_mean(grid.values**2, DAY, DAY // 4)
        same_hour = _mean_of([grid.at(target - DAY * d) for d in range(1, 8)])

        def lag(hours: int) -> Floats:
            return np.broadcast_to(grid.at(origins - hours)[..., None], same_hour.shape)

        def level(table: Floats) -> Floats:
            return np.broadcast_to(table[:, origins][..., None], same_hour.shape)

        last = _first_known(lag(0), lag(1), lag(2), lag(DAY), level(day_mean))
        before = _first_known(lag(1), last)
        yesterday = _first_known(grid.at(target - DAY), same_hour, last)
        last_week = _first_known(grid.at(target - WEEK), same_hour, yesterday)
        day_ago = _first_known(lag(DAY), last)
        week_ago = _first_known(lag(WEEK), day_ago)
        spread = np.sqrt(np.maximum(level(day_square) - level(day_mean) ** 2, 0))

        unit = np.where(scale > 0, scale, np.nan)[..., None]
        line = [last, before, yesterday, day_ago, last_week, week_ago, _first_known(same_hour, yesterday)]
        line.append(_first_known(level(day_mean), last))
        base = np.stack([*(x / unit for x in line)], axis=-1)
        trees = [*line, lag(2), grid.at(target - 2 * DAY), spread, grid.at(target - WEEK), grid.at(target - DAY)]
        shape = same_hour.shape
        calendar = [
            np.broadcast_to(grid.hour_of_day(target)[None], shape),
            np.broadcast_to(grid.day_of_week(target)[None], shape),
            np.broadcast_to(steps[None, None], shape),
        ]
        features = np.stack([*(x / unit for x in trees), *calendar], axis=-1)
        return Design(
            resources=grid.resources,
            scale=scale,
            base=_by_step(base),
            features=features,
            truth=grid.at(target),
            rules={"last value": last, "same hour yesterday": yesterday, "same hour last week": last_week},
        )


def _by_step(base: Floats) -> Floats:
    """One line for each step: the columns of a step are zero in the rows of the others."""
    steps, k = base.shape[2], base.shape[3]
    out = np.zeros((*base.shape[:3], steps * k))
    for step in range(steps):
        out[:, :, step, step * k : (step + 1) * k] = base[:, :, step]
    return out


def _first_known(*choices: Floats) -> Floats:
    out = choices[0]
    for other in choices[1:]:
        out = np.where(np.isfinite(out), out, other)
    return out


def _mean_of(tables: list[Floats]) -> Floats:
    total = np.zeros_like(tables[0])
    count = np.zeros_like(tables[0])
    for table in tables:
        seen = np.isfinite(table)
        total += np.where(seen, table, 0.0)
        count += seen
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
