"""Demand five hours to a day ahead: what the calendar of the last weeks says, with the quantiles of its own misses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.forecast.demand import HORIZON, Window, first_known, mean_of
from aws_auto.ml.forecast.ensemble import Blend, Ensemble
from aws_auto.ml.forecast.panel import Design, recent_origins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.forecast.grid import HourGrid

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class FurtherPanel:
    """The grid of a metric as a forecasting problem with steps of `HORIZON` + 1 columns to a cycle of it."""

    grid: HourGrid

    @property
    def reach(self) -> int:
        """The last step: a day of hours, a week of days."""
        return self.grid.cycle

    def design(self, origins: Ints) -> Design:
        """The same hour of the days and weeks before, as it was and moved to the level of the last day."""
        grid = self.grid
        day, week, steps = grid.cycle, grid.long_cycle, tuple(range(HORIZON + 1, grid.cycle + 1))
        origins = np.broadcast_to(origins[None], (len(grid.resources), len(origins)))
        window = Window.of(grid, origins)
        target = origins[..., None] + np.array(steps)
        center = np.broadcast_to(window.center[..., None], target.shape)
        days = [grid.pick(target - day * d) for d in range(1, 8)]
        weeks = [grid.pick(target - week * w) for w in range(1, 5)]
        usual = first_known(mean_of(days), center)
        yesterday = first_known(days[0], usual)
        last_week = first_known(weeks[0], usual)
        level = first_known(window.week_mean, window.center)[..., None]
        then = mean_of([grid.pick(origins - week - h) for h in range(day)])[..., None]
        return Design(
            resources=grid.resources,
            scale=window.scale,
            center=window.center,
            base=np.empty((*target.shape, 0)),
            features=np.empty((*target.shape, 0)),
            truth=grid.pick(target),
            rules={"same hour yesterday": yesterday, "same hour last week": last_week},
            points={
                "usual day": usual,
                "usual day, moved": usual + center - level,
                "usual weekday": first_known(mean_of(weeks), usual),
                "last week, moved": last_week + np.where(np.isfinite(then), center - then, 0.0),
                "mean of the last day": center,
            },
            steps=steps,
        )


def fit_further(panel: FurtherPanel, *, floor: float | None) -> Ensemble:
    """Bands from the errors of four weeks, weights and widths from the last one; nothing else is fitted."""
    model = Blend(("rules",)).fit(panel.design(recent_origins(panel, panel.grid.hours)), floor=floor, seed=0)
    hours = np.arange(max(panel.grid.hours - panel.grid.long_cycle - panel.reach, 0), panel.grid.hours, dtype=np.int64)
    return model.taught(model.played(panel.design(hours))[1])
