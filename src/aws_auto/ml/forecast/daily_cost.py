"""Cost of the next 24 hours of each resource, from its own cost and from how it is used."""

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

#: A day with fewer known hours has no known cost.
LEAST_HOURS = 18


@dataclass(frozen=True)
class DailyCostPanel:
    """The grid of hourly cost (USD an hour) as a forecasting problem with one step, the sum of the next 24 hours.

    Attributes:
        grid: cost by hour.
        usage: engineered features by resource and hour, ``(R, hours, m)``; they must not look ahead.
    """

    grid: HourGrid
    usage: Floats

    @property
    def reach(self) -> int:
        """One day."""
        return DAY

    def design(self, origins: Ints) -> Design:
        """Cost of the last day, of the day before, of the same weekday and of the last hour, usage and calendar.

        The cost of the last 24 hours is the unit, so that one model serves cheap and dear resources.
        """
        grid = self.grid
        day = HourGrid(grid.resources, grid.first, trailing_mean(grid.values, DAY, LEAST_HOURS) * DAY)
        today = day.at(origins)
        same_weekday = day.at(origins + DAY - WEEK)
        week_mean = trailing_mean(grid.values, WEEK, LEAST_HOURS)[:, origins] * DAY
        hour = grid.at(origins) * DAY
        unit = np.where(today > 0, today, np.nan)

        def known(table: Floats) -> Floats:
            return np.where(np.isfinite(table), table, today)

        line = [today, known(day.at(origins - DAY)), known(same_weekday), known(week_mean), known(hour)]
        base = np.stack([x / unit for x in line], axis=-1)
        shape = today.shape
        calendar = [
            np.broadcast_to(grid.day_of_week(origins + DAY // 2)[None], shape),
            np.broadcast_to(grid.hour_of_day(origins)[None], shape),
        ]
        trees = np.concatenate([base, np.stack(calendar, axis=-1), self.usage[:, origins]], axis=-1)
        return Design(
            resources=grid.resources,
            scale=today,
            base=base[:, :, None],
            features=trees[:, :, None],
            truth=day.at(origins + DAY)[..., None],
            rules={
                "cost of the last day": today[..., None],
                "cost of the same weekday": known(same_weekday)[..., None],
            },
        )
