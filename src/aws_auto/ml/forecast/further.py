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
        days, weeks = ([grid.pick(target - lag) for lag in lags] for lags in self._lags())
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
            marked=self._marked(target),
        )

    def _marked(self, target: Ints) -> NDArray[np.bool_] | None:
        """Targets that something known ahead moves, or whose yesterday or last week it moved."""
        back = (target, target - self.grid.cycle, target - self.grid.long_cycle)
        return np.any([flag(signal, at) for signal in self.known for at in back], axis=0) if self.known else None

    def _knowing(self, origins: Ints, target: Ints, center: Floats) -> dict[str, Floats]:
        """Days and weeks without events, and what events did so far on top where one is known."""
        out: dict[str, Floats] = {}
        for name, lags in zip(("day", "weekday"), self._lags(), strict=True) if self.known else ():
            for moved in (False, True):
                effects = Effects.of(self.grid, self.known, lags=lags, moved=moved)
                usual = first_known(effects.usual(origins, target), center)
                said = f"usual {name} without events" + ", moved" * moved
                out[f"{said}, and what they add"] = usual + effects.added(origins, target)
                out[f"{said}, times what they do"] = usual * effects.factor(origins, target)
        return out

    def _lags(self) -> tuple[range, range]:
        """Columns back to the same hour of seven days, and of four weeks."""
        day, week = self.grid.cycle, self.grid.long_cycle
        return range(day, 7 * day + 1, day), range(week, 4 * week + 1, week)


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
