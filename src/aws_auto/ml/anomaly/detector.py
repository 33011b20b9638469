"""From deviations to alarms: every series on its own usual scale, one threshold for a stated budget of alarms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.ml.anomaly.grid import DAY
from aws_auto.ml.anomaly.scorers import Scorer, fit_scorer, scorer_of
from aws_auto.ml.evaluation.metrics import Rhythm, episodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.grid import ResourceGrid
    from aws_auto.ml.anomaly.robust import Judged

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WEEK = 7 * DAY
#: The share of points that deviate less than the quiet deviation. Rare enough to describe the tail, frequent enough
#: that the anomalies in the calibration data do not set it: at "once a week" event F1 on the IOPS suite was 0.48, at
#: 0.99 it is 0.78.
QUIET = 0.99
#: A deviation below this many scales never counts as unusual, however quiet the series was.
LEAST_QUIET = 2.0
THRESHOLDS = np.geomspace(0.25, 64, 97)


@dataclass(frozen=True)
class ResourceDetector:
    """A scorer of one resource and, by channel and metric, the deviation that 99 % of its points stay under."""

    period: int
    metrics: tuple[str, ...]
    scorer: Scorer
    quiet: Floats

    @classmethod
    def fit(cls, kind: str, past: ResourceGrid) -> ResourceDetector:
        """Learn from the past. Until it is `calibrated` nothing is unusual: the quiet deviation is infinite."""
        scorer = fit_scorer(kind, past)
        channels = 2 if past.values.size == 0 else len(scorer.judge(past.cut(None, int(past.first) + 1)).scale)
        return cls(past.period, past.metrics, scorer, np.full((channels, len(past.metrics)), np.inf))

    def calibrated(self, grid: ResourceGrid, start: int) -> ResourceDetector:
        """The same with the quiet deviations of the columns from ``start`` on, which it was not fitted on."""
        deviation = self.scorer.judge(grid).deviation(grid.values)[:, :, grid.times >= start]
        if not deviation.shape[2]:
            return self
        return replace(self, quiet=np.maximum(np.quantile(deviation, QUIET, axis=2), LEAST_QUIET))

    def ratio(self, grid: ResourceGrid) -> tuple[Floats, Ints, Judged]:
        """Largest deviation in units of the quiet one by column, its flat (channel, metric) place, and the detail."""
        judged = self.scorer.judge(grid)
        relative = judged.deviation(grid.values) / self.quiet[:, :, None]
        relative = relative.reshape(self.quiet.size, grid.values.shape[1])
        if not relative.size:
            return np.zeros(grid.values.shape[1]), np.zeros(grid.values.shape[1], dtype=np.int64), judged
        place = relative.argmax(axis=0)
        return relative[place, np.arange(relative.shape[1])], place, judged

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "period": self.period,
            "metrics": list(self.metrics),
            "scorer": self.scorer.to_json(),
            "quiet": self.quiet.tolist(),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> ResourceDetector:
        """The inverse of `to_json`."""
        return cls(
            int(said["period"]),
            tuple(said["metrics"]),
            scorer_of(said["scorer"]),
            np.asarray(said["quiet"], float).reshape(-1, len(said["metrics"])),
        )


@dataclass(frozen=True)
class FleetDetector:
    """Detectors by resource, and the one threshold on their ratios that keeps the budget of alarms."""

    kind: str
    resources: Mapping[str, ResourceDetector]
    threshold: float

    @classmethod
    def fit(
        cls, kind: str, fleet: Mapping[str, ResourceGrid], *, until: int, calibrate: tuple[int, int], budget: float
    ) -> FleetDetector:
        """Fit on what came before ``until``, calibrate on the span after it.

        Args:
            kind: of scorer.
            fleet: grids by resource.
            until: unix seconds; fitting sees only earlier columns.
            calibrate: first and last (exclusive) unix second of the calibration part.
            budget: alarm episodes per resource and week.
        """
        start, end = calibrate
        resources, ratios = {}, []
        for name, grid in fleet.items():
            known, past = grid.cut(None, end), grid.cut(None, until)
            one = ResourceDetector.fit(kind, past)
            if past.values.shape[1] >= past.points(DAY):
                one = one.calibrated(known, start)
            resources[name] = one
            ratio = one.ratio(known)[0]
            late = known.times >= start
            ratios.append((known.times[late].astype(float), ratio[late], Rhythm(grid.period)))
        return cls(kind, resources, _threshold(ratios, budget))

    def refitted(self, fleet: Mapping[str, ResourceGrid]) -> FleetDetector:
        """Scorers fitted on all columns; quiet deviations and threshold as calibrated on held-back data.

        A resource too new to have been held back gets the quiet deviations of the columns it was fitted on.
        """
        resources = {}
        for name, one in self.resources.items():
            new = ResourceDetector.fit(self.kind, fleet[name]).calibrated(fleet[name], fleet[name].first)
            resources[name] = replace(new, quiet=np.where(np.isfinite(one.quiet), one.quiet, new.quiet))
        return replace(self, resources=resources)

    def alarms(self, grid: ResourceGrid, start: int) -> Floats:
        """Unix seconds of the alarm columns from ``start`` on."""
        ratio = self.resources[grid.resource].ratio(grid)[0]
        return grid.times[(ratio >= self.threshold) & (grid.times >= start)].astype(float)


def _threshold(ratios: Iterable[tuple[Floats, Floats, Rhythm]], budget: float) -> float:
    """The lowest threshold from which on upwards all keep the budget on these columns."""
    fleet = list(ratios)
    weeks = sum(len(times) * rhythm.period / WEEK for times, _, rhythm in fleet)
    chosen = float(THRESHOLDS[-1])
    for threshold in THRESHOLDS[::-1]:
        found = sum(len(episodes(times[ratio >= threshold], rhythm)) for times, ratio, rhythm in fleet)
        if found > budget * weeks:
            break
        chosen = float(threshold)
    return chosen
