"""Demand five hours to a day ahead: what the calendar of the last weeks and what is known of the day to come say.

Each rule has the quantiles of its own misses; where an event or a holiday is known, rules count by how they did there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.forecast.demand import HORIZON, Window, first_known, mean_of
from aws_auto.ml.forecast.effects import Effects, flag
from aws_auto.ml.forecast.ensemble import Blend, Ensemble
from aws_auto.ml.forecast.panel import Design, recent_origins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.forecast.grid import HourGrid

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


#: Cells of a table that weights are learned from.
MOST_CELLS = 1_000_000


@dataclass(frozen=True)
class FurtherPanel:
    """The grid of a metric as a forecasting problem with steps of `HORIZON` + 1 columns to a cycle of it.

    Attributes:
        grid: demand by hour, or by a longer period.
        known: what is known before it comes, such as events, ``(R, columns + 24)`` each.
    """

    grid: HourGrid
    known: tuple[NDArray[np.bool_], ...] = ()

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
        points = {
            "usual day": usual,
            "usual day, moved": usual + center - level,
            "usual weekday": first_known(mean_of(weeks), usual),
            "last week, moved": last_week + np.where(np.isfinite(then), center - then, 0.0),
            "mean of the last day": center,
        }
        return Design(
            resources=grid.resources,
            scale=window.scale,
            center=window.center,
            base=np.empty((*target.shape, 0)),
            features=np.empty((*target.shape, 0)),
            truth=grid.pick(target),
            rules={"same hour yesterday": yesterday, "same hour last week": last_week},
            points=points | self._knowing(origins, target, center),
            steps=steps,
            marked=self._marked(origins, target),
        )

    def _marked(self, origins: Ints, target: Ints) -> NDArray[np.bool_] | None:
        """Targets that something known ahead moves, or whose yesterday or last week it moved."""
        back = (target, target - self.grid.cycle, target - self.grid.long_cycle, origins[..., None] + 0 * target)
        return np.any([flag(s, at) for s in self.known for at in back], axis=0) if self.known else None

    def _knowing(self, origins: Ints, target: Ints, center: Floats) -> dict[str, Floats]:
        """Days and weeks without events, and what events did so far put on top where one is known."""
        if not self.known:
            return {}
        effects = Effects.of(self.grid, self.known)
        plain, window = effects.plain, Window.of(effects.plain, origins)
        day, week = self.grid.cycle, self.grid.long_cycle
        usual = first_known(mean_of([plain.pick(target - day * d) for d in range(1, 8)]), center)
        weekday = first_known(mean_of([plain.pick(target - week * w) for w in range(1, 5)]), usual)
        moved = first_known((window.center - first_known(window.week_mean, window.center))[..., None], 0.0 * center)
        added = effects.added(origins, target)
        return {
            "usual day without events": usual + added,
            "usual weekday without events": weekday + added,
            "usual day without events, moved": usual + moved + added,
            "usual day without events, times": usual * effects.factor(origins, target),
        }


def fit_further(panel: FurtherPanel, *, floor: float | None) -> Ensemble:
    """Bands from the errors of four weeks, weights and widths from the last one; nothing else is fitted.

    Where something is known ahead, weights come from as much of the history as `MOST_CELLS` allow: events are rare.
    """
    grid = panel.grid
    model = Blend(("rules",)).fit(panel.design(recent_origins(panel, grid.hours)), floor=floor, seed=0)
    most = MOST_CELLS // (len(grid.resources) * (panel.reach - HORIZON)) if panel.known else 0
    first = grid.hours - max(grid.long_cycle + panel.reach, most)
    hours = np.arange(max(first, 0), grid.hours, dtype=np.int64)
    return model.taught(model.played(panel.design(hours))[1])
