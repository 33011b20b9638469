"""What a user may say about alarms: how many, how large, and when not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.grid import ResourceGrid

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

#: First and last moment; a point at either end belongs to it.
Span = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class AnomalySettings:
    """Options of ``anomaly-detector``: ``AnomalyDetector().configured(AnomalySettings(budget_per_week=0.5))``.

    They are stored in the model, and a loaded predictor takes others without a new training
    (`aws_auto.ml.recipes.anomaly_predictor.AnomalyPredictor.configured`); only values inside ``excluded`` were learned
    from when they were not excluded in training.

    Attributes:
        budget_per_week: false alarms that are bearable, per resource and week.
        minimum_effect: by metric, the smallest distance from the expected value that matters, in the metric's unit.
        excluded: spans that are neither learned from nor judged, of all resources.
        maintenance: spans that are learned from, but raise no alarm.
        cool_down: after the end of an alarm, how long only a more severe one of the same resource is told.
    """

    budget_per_week: float = 1.0
    minimum_effect: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    excluded: tuple[Span, ...] = ()
    maintenance: tuple[Span, ...] = ()
    cool_down: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if not 0 < self.budget_per_week < np.inf:
            raise UsageError(f"{self.budget_per_week} is not above 0", where="budget_per_week", hint="for example 1")
        for metric, least in self.minimum_effect.items():
            if not least >= 0:
                raise UsageError(f"{least} is negative", where=f"minimum_effect of {metric}", hint="write 0 or more")
        if self.cool_down < timedelta(0):
            raise UsageError("it is negative", where="cool_down", hint="write 0 or more")
        for name in ("excluded", "maintenance"):
            for start, end in getattr(self, name):
                if start.tzinfo is None or end.tzinfo is None:
                    raise UsageError(f"{start} to {end} has no time zone", where=name, hint="give times in UTC")
                if not start < end:
                    raise UsageError(f"{start} to {end} is empty", where=name, hint="write start before end")

    def without_excluded(self, grid: ResourceGrid) -> ResourceGrid:
        """The grid with no values in excluded spans."""
        if not self.excluded:
            return grid
        return grid.replaced(np.where(within(grid, self.excluded), np.nan, grid.values))

    def least(self, metrics: Iterable[str]) -> Floats:
        """The minimum effect of each metric, 0 where none was given."""
        return np.array([self.minimum_effect.get(metric, 0.0) for metric in metrics], dtype=float)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "budget_per_week": self.budget_per_week,
            "minimum_effect": dict(self.minimum_effect),
            "excluded": [[a.isoformat(), b.isoformat()] for a, b in self.excluded],
            "maintenance": [[a.isoformat(), b.isoformat()] for a, b in self.maintenance],
            "cool_down": self.cool_down.total_seconds(),
        }

    @classmethod
    def restored(cls, said: Mapping[str, Any]) -> AnomalySettings:
        """The inverse of `to_json`."""
        spans = {
            name: tuple((datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in said[name])
            for name in ("excluded", "maintenance")
        }
        return cls(
            budget_per_week=float(said["budget_per_week"]),
            minimum_effect={str(k): float(v) for k, v in said["minimum_effect"].items()},
            cool_down=timedelta(seconds=float(said["cool_down"])),
            **spans,
        )


def within(grid: ResourceGrid, spans: Iterable[Span]) -> Bools:
    """Which columns touch a span."""
    times, inside = grid.times, np.zeros(grid.values.shape[1], dtype=bool)
    for start, end in spans:
        inside |= (times + grid.period > start.timestamp()) & (times <= end.timestamp())
    return inside
