"""From deviations to alarms: every series on its own usual scale, one threshold for a stated budget of alarms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.ml.anomaly.detect.profile import DECADE, ONE_A_WEEK, OWN_WEEKS
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import DAY
from aws_auto.ml.anomaly.labels import NOTHING_SAID, Labels
from aws_auto.ml.anomaly.scorers import Scorer, fit_scorer, scorer_of
from aws_auto.ml.evaluation.metrics import Rhythm, episodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.grid import ResourceGrid
    from aws_auto.ml.anomaly.robust import Judged

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WEEK = 7 * DAY
#: The share of points that deviate less than the quiet deviation. Rare enough to describe the tail, frequent enough
#: that the anomalies in the calibration data do not set it: with the highest point of the calibration data instead,
#: event F1 on the WSD suite falls from 0.82 to 0.44.
QUIET = 0.99
#: A smaller deviation never counts as unusual, however quiet the series was.
LEAST_QUIET = 2.0
#: How far over a false alarm's deviation the next alarm begins.
MARGIN = 1.01
THRESHOLDS = np.geomspace(0.25, 64, 97)


@dataclass(frozen=True)
class ResourceDetector:
    """A scorer of one resource and, by metric, the deviation that 99 % of its points stay under."""

    period: int
    metrics: tuple[str, ...]
    scorer: Scorer
    quiet: Floats

    @classmethod
    def fit(
        cls, kind: str, grid: ResourceGrid, *, until: int, labels: Labels = NOTHING_SAID
    ) -> tuple[ResourceDetector, Floats]:
        """Learn from the columns before ``until``, calibrate on the rest, then learn from the rest as well.

        Alarms that people judged, and their echo, are left out of the calibration: their ratio is 0.

        Args:
            kind: of scorer.
            grid: everything that may be known.
            until: unix seconds.
            labels: of this resource.

        Returns:
            The detector, and the ratios of the columns from ``until`` on, judged without having learned from them.
        """
        held = grid.times >= until
        judged, scorer = fit_scorer(kind, grid.cut(None, until)).learn(grid)
        plain = ~labels.affected(grid)
        deviation = np.where(plain, judged.deviation(grid.values), 0.0)
        quiet = np.full(len(grid.metrics), LEAST_QUIET)
        if grid.metrics and (held & plain).any():
            quiet = np.maximum(np.quantile(deviation[:, held & plain], QUIET, axis=1), LEAST_QUIET)
        ratio = (deviation[:, held] / quiet[:, None]).max(axis=0, initial=0.0)
        return cls(grid.period, grid.metrics, scorer, quiet), ratio

    def corrected(self, grid: ResourceGrid, labels: Labels, threshold: float) -> ResourceDetector:
        """The same with the quiet deviations so high that no alarm that people called false comes again."""
        wrong = labels.wrongly(grid)
        if not wrong.any():
            return self
        highest = self.scorer.judge(grid).deviation(grid.values)[:, wrong].max(axis=1)
        return replace(self, quiet=np.maximum(self.quiet, MARGIN * highest / threshold))

    def ratio(self, grid: ResourceGrid) -> tuple[Floats, Ints, Judged]:
        """Largest deviation in units of the quiet one by column, the row of its metric, and the detail."""
        judged = self.scorer.judge(grid)
        return *self._worst(judged, grid.values), judged

    def follow(self, grid: ResourceGrid, memory: bytes | None) -> tuple[tuple[Floats, Ints, Judged], bytes]:
        """`ratio` of only what is new, see `aws_auto.ml.anomaly.scorers.Scorer.follow`."""
        judged, memory = self.scorer.follow(grid, memory)
        return (*self._worst(judged, grid.values), judged), memory

    def _worst(self, judged: Judged, values: Floats) -> tuple[Floats, Ints]:
        relative = judged.deviation(values) / self.quiet[:, None]
        if not relative.size:
            return np.zeros(values.shape[1]), np.zeros(values.shape[1], dtype=np.int64)
        place = np.where(np.isfinite(judged.expected), relative, -1.0).argmax(axis=0)
        return relative[place, np.arange(relative.shape[1])], place

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; what is too large for it is the scorer's ``content``."""
        return {
            "period": self.period,
            "metrics": list(self.metrics),
            "scorer": self.scorer.to_json(),
            "quiet": self.quiet.tolist(),
        }

    @classmethod
    def restored(cls, said: Mapping[str, Any], content: bytes) -> ResourceDetector:
        """The inverse of `to_json` and the scorer's ``content``."""
        scorer = scorer_of(said["scorer"], content)
        return cls(int(said["period"]), tuple(said["metrics"]), scorer, np.asarray(said["quiet"], float))


@dataclass(frozen=True)
class FleetDetector:
    """Detectors by resource, and the one threshold on their ratios that keeps the budget of alarms."""

    kind: str
    resources: Mapping[str, ResourceDetector]
    threshold: float

    @classmethod
    def fit(
        cls,
        kind: str,
        fleet: Mapping[str, ResourceGrid],
        *,
        until: int,
        budget: float,
        labels: Mapping[str, Labels] | None = None,
    ) -> FleetDetector:
        """Fit on what came before ``until``, calibrate on what came after, then learn from that as well.

        A resource without a day before ``until`` is calibrated on the second half of its own columns, and says
        nothing about the threshold.

        Args:
            kind: of scorer.
            fleet: grids by resource: everything that may be known.
            until: unix seconds.
            budget: alarm episodes per resource and week.
            labels: what people said about earlier alarms, by resource.
        """
        said = labels or {}
        resources, ratios = {}, []
        for name, grid in fleet.items():
            old = grid.cut(None, until).values.shape[1] >= grid.points(DAY)
            border = until if old else grid.first + (grid.end - grid.first) // 2
            resources[name], ratio = ResourceDetector.fit(kind, grid, until=border, labels=said.get(name, NOTHING_SAID))
            if old:
                times = grid.times
                ratios.append((times[times >= until].astype(float), ratio, Rhythm(grid.period)))
        threshold = _threshold(ratios, budget)
        if kind == Ensemble.kind:
            threshold = _experienced(threshold, ratios, budget)
        for name in said.keys() & resources.keys():
            resources[name] = resources[name].corrected(fleet[name], said[name], threshold)
        return cls(kind, resources, threshold)

    def alarms(self, grid: ResourceGrid, start: int) -> Floats:
        """Unix seconds of the alarm columns from ``start`` on."""
        ratio = self.resources[grid.resource].ratio(grid)[0]
        return grid.times[(ratio >= self.threshold) & (grid.times >= start)].astype(float)


def _weeks(fleet: Sequence[tuple[Floats, Floats, Rhythm]]) -> float:
    return float(sum(len(times) * rhythm.period / WEEK for times, _, rhythm in fleet))


def _experienced(lowest: float, fleet: Sequence[tuple[Floats, Floats, Rhythm]], budget: float) -> float:
    """A threshold drawn up to what other series need, the more the fewer weeks it rests on; never down.

    A few quiet days of a small fleet hold no alarm at any threshold, and would give one that every later day crosses.
    """
    usual = np.expm1(ONE_A_WEEK - DECADE * np.log10(budget)) / LEAST_QUIET
    weeks = _weeks(fleet)
    drawn = np.exp((weeks * np.log(lowest) + OWN_WEEKS * np.log(usual)) / (weeks + OWN_WEEKS))
    return max(lowest, float(drawn))


def _threshold(fleet: Sequence[tuple[Floats, Floats, Rhythm]], budget: float) -> float:
    """The lowest threshold from which on upwards all keep the budget on these columns."""
    weeks = _weeks(fleet)
    chosen = float(THRESHOLDS[-1])
    for threshold in THRESHOLDS[::-1]:
        found = sum(len(episodes(times[ratio >= threshold], rhythm)) for times, ratio, rhythm in fleet)
        if found > budget * weeks:
            break
        chosen = float(threshold)
    return chosen
