"""From deviations to alarms: each series by a limit of its own, for a stated budget of alarms.

A point raises an alarm where its deviation reaches the limit of its metric. The limit of the learned detector follows
from the budget alone and is moved a little by what the series shows (`aws_auto.ml.anomaly.detect.profile.limit`): its
deviations mean the same for every series. Deviations of the simple rules do not, so a rule is measured in what most
points of the series stay under, and one factor for the whole fleet keeps the budget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.ml.anomaly.detect.profile import USUAL
from aws_auto.ml.anomaly.grid import DAY
from aws_auto.ml.anomaly.labels import NOTHING_SAID, Labels
from aws_auto.ml.anomaly.rules import RULES
from aws_auto.ml.anomaly.scorers import Scorer, fit_scorer, scorer_of
from aws_auto.ml.anomaly.settings import AnomalySettings, within
from aws_auto.ml.evaluation.metrics import Rhythm, episodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.profile import Profile
    from aws_auto.ml.anomaly.grid import ResourceGrid
    from aws_auto.ml.anomaly.robust import Judged

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

WEEK = 7 * DAY
#: How far over a false alarm's deviation the next alarm begins, and how far a limit is lifted at most: one false alarm,
#: however large, must not make a resource deaf.
MARGIN, MOST_LIFTED = 1.01, 2.5
#: What deviates less than a metric's minimum effect stays this far under the limit.
TOO_SMALL = 0.99
#: Factors of a rule's quiet deviation among which a budget chooses.
FACTORS = np.geomspace(0.25, 64, 97)


@dataclass(frozen=True)
class Found:
    """What a detector says of a grid, by column.

    Attributes:
        ratio: largest deviation of its metrics, in units of the limit.
        metric: the row it belongs to.
        alarm: whether it raises one.
        severity: 0 at the limit, a quarter for each time that such a deviation is ten times rarer, at most 1.
        judged: the detail by metric.
        width: half the range around the expected that raises no alarm, by metric.
    """

    ratio: Floats
    metric: Ints
    alarm: Bools
    severity: Floats
    judged: Judged
    width: Floats


@dataclass(frozen=True)
class ResourceDetector:
    """A scorer of one resource, and what people said about it.

    Attributes:
        period: seconds between columns.
        metrics: row names.
        scorer: judges them.
        lifted: by what factor false alarms lifted the limit of each metric.
        settled: first and last unix second of alarms that people called false; they do not come again.
    """

    period: int
    metrics: tuple[str, ...]
    scorer: Scorer
    lifted: Floats
    settled: tuple[tuple[int, int], ...] = ()

    @classmethod
    def fit(
        cls,
        kind: str,
        grid: ResourceGrid,
        *,
        until: int,
        labels: Labels = NOTHING_SAID,
        mixes: Mapping[str, Profile] = USUAL,
    ) -> tuple[ResourceDetector, Floats]:
        """Learn from the columns before ``until``, calibrate on the rest, then learn from the rest as well.

        Alarms that people judged, and their echo, say nothing about what is usual.

        Args:
            kind: of scorer.
            grid: everything that may be known.
            until: unix seconds.
            labels: of this resource.
            mixes: learned profiles, by the name of the usual one.

        Returns:
            The detector, and the deviations of the columns that say what is usual (by metric), judged without having
            learned from them; NaN elsewhere.
        """
        scorer = fit_scorer(kind, grid.cut(None, until), mixes=mixes)
        return cls(grid.period, grid.metrics, scorer, np.ones(len(grid.metrics))).learned(
            grid, since=until, said=labels
        )

    def learned(
        self, grid: ResourceGrid, *, since: int, said: Labels = NOTHING_SAID
    ) -> tuple[ResourceDetector, Floats]:
        """The same after the columns from ``since`` on, and their deviations as of `fit`."""
        counts = (grid.times >= since) & ~said.affected(grid)
        judged, scorer = self.scorer.learn(grid, counts)
        return replace(self, scorer=scorer), np.where(counts, judged.deviation(grid.values), np.nan)

    def corrected(self, grid: ResourceGrid, labels: Labels, limits: Floats) -> ResourceDetector:
        """The same with limits beyond what people called false, as far as that leaves it able to hear.

        Args:
            grid: everything that may be known.
            labels: of this resource.
            limits: by metric, before any correction.
        """
        wrong = labels.wrongly(grid)
        if not wrong.any():
            return self
        highest = self.scorer.judge(grid).deviation(grid.values)[:, wrong].max(axis=1)
        lifted = np.where(highest >= limits, np.minimum(MARGIN * highest / limits, MOST_LIFTED), 1.0)
        return replace(self, lifted=np.maximum(self.lifted, lifted), settled=labels.wrong)

    def found(self, grid: ResourceGrid, judged: Judged, limits: Floats, settings: AnomalySettings) -> Found:
        """From what the scorer says to alarms."""
        deviation = judged.deviation(grid.values)
        known = np.isfinite(judged.expected)
        with np.errstate(invalid="ignore"):
            small = np.abs(grid.values - judged.expected) < settings.least(self.metrics)[:, None]
        relative = deviation / limits[:, None]
        relative = np.where(small, np.minimum(relative, TOO_SMALL), relative)
        width = np.maximum(judged.width(grid.values, limits), settings.least(self.metrics)[:, None])
        columns = np.arange(grid.values.shape[1])
        if not len(self.metrics):
            none = np.zeros(len(columns))
            return Found(none, none.astype(np.int64), none > 0, none, judged, width)
        place = np.where(known, relative, -1.0).argmax(axis=0)
        ratio = relative[place, columns]
        silent = within(grid, settings.maintenance) | Labels(wrong=self.settled).wrongly(grid)
        with np.errstate(divide="ignore"):
            rarer = np.log(ratio) / np.log(self.scorer.decades())[place]
        return Found(ratio, place, (ratio >= 1) & ~silent, np.clip(rarer / 4, 0.0, 1.0), judged, width)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; what is too large for it is the scorer's ``content``."""
        return {
            "period": self.period,
            "metrics": list(self.metrics),
            "scorer": self.scorer.to_json(),
            "lifted": self.lifted.tolist(),
            "settled": [list(span) for span in self.settled],
        }

    @classmethod
    def restored(cls, said: Mapping[str, Any], content: bytes) -> ResourceDetector:
        """The inverse of `to_json` and the scorer's ``content``."""
        return cls(
            int(said["period"]),
            tuple(said["metrics"]),
            scorer_of(said["scorer"], content),
            np.asarray(said["lifted"], float),
            tuple((int(first), int(last)) for first, last in said["settled"]),
        )


@dataclass(frozen=True)
class FleetDetector:
    """Detectors by resource, and what the whole fleet says about a budget.

    Attributes:
        kind: of scorer.
        resources: by name.
        episodes: of a rule, how many the fleet's calibration part has from each of `FACTORS` times the quiet deviation.
        weeks: resource-weeks that they come from.
    """

    kind: str
    resources: Mapping[str, ResourceDetector]
    episodes: Ints
    weeks: float

    @classmethod
    def fit(
        cls,
        kind: str,
        fleet: Mapping[str, ResourceGrid],
        *,
        until: int,
        settings: AnomalySettings,
        labels: Mapping[str, Labels] | None = None,
        mixes: Mapping[str, Profile] = USUAL,
    ) -> FleetDetector:
        """Fit on what came before ``until``, calibrate on what came after, then learn from that as well.

        Each is calibrated as of `calibrated_from`.

        Args:
            kind: of scorer.
            fleet: grids by resource: everything that may be known.
            until: unix seconds.
            settings: what is excluded, and the budget that corrections refer to.
            labels: what people said about earlier alarms, by resource.
            mixes: learned profiles, by the name of the usual one.
        """
        said = labels or {}
        resources: dict[str, ResourceDetector] = {}
        counted, weeks = np.zeros(len(FACTORS), np.int64), 0.0
        for name, whole in fleet.items():
            grid = settings.without_excluded(whole)
            border = calibrated_from(grid, until)
            one, deviation = ResourceDetector.fit(
                kind, grid, until=border, labels=said.get(name, NOTHING_SAID), mixes=mixes
            )
            resources[name] = one
            if kind in RULES:
                counted += _episodes(grid, deviation / one.scorer.usual(1.0)[:, None])
                weeks += int((grid.times >= border).sum()) * grid.period / WEEK
        return cls(kind, resources, counted, weeks).corrected(fleet, said, settings)

    def learned(
        self,
        fleet: Mapping[str, ResourceGrid],
        *,
        since: int,
        settings: AnomalySettings,
        labels: Mapping[str, Labels] | None = None,
        mixes: Mapping[str, Profile] = USUAL,
    ) -> FleetDetector:
        """The same after the columns from ``since`` on; resources that were not there are fitted on all they have."""
        said = labels or {}
        grids = {name: settings.without_excluded(grid) for name, grid in fleet.items()}
        known = {
            name: one.learned(grids[name], since=since, said=said.get(name, NOTHING_SAID))[0] if name in grids else one
            for name, one in self.resources.items()
        }
        young = {name: grid for name, grid in fleet.items() if name not in known}
        new = FleetDetector.fit(self.kind, young, until=since, settings=settings, labels=said, mixes=mixes).resources
        return replace(self, resources={**known, **new}).corrected(fleet, said, settings)

    def limits(self, resource: str, per_week: float) -> Floats:
        """The deviation of each metric of a resource that raises an alarm."""
        one = self.resources[resource]
        factor = self._factor(per_week) if self.kind in RULES else 1.0
        return np.asarray(factor * one.scorer.usual(per_week) * one.lifted)

    def found(self, grid: ResourceGrid, settings: AnomalySettings, *, judged: Judged | None = None) -> Found:
        """What it says of a grid of one of its resources; ``judged`` when the scorer was asked already."""
        one, seen = self.resources[grid.resource], settings.without_excluded(grid)
        limits = self.limits(grid.resource, settings.budget_per_week)
        return one.found(seen, judged or one.scorer.judge(seen), limits, settings)

    def alarms(self, grid: ResourceGrid, start: int, settings: AnomalySettings) -> Floats:
        """Unix seconds of the alarm columns from ``start`` on."""
        return grid.times[self.found(grid, settings).alarm & (grid.times >= start)].astype(float)

    def _factor(self, per_week: float) -> float:
        """The lowest factor from which on upwards all keep the budget on the calibration part."""
        over = np.flatnonzero(self.episodes > per_week * self.weeks)
        return float(FACTORS[min(int(over[-1]) + 1, len(FACTORS) - 1)] if len(over) else FACTORS[0])

    def corrected(
        self, fleet: Mapping[str, ResourceGrid], said: Mapping[str, Labels], settings: AnomalySettings
    ) -> FleetDetector:
        """The same after what people said, see `ResourceDetector.corrected`."""
        resources = dict(self.resources)
        for name in said.keys() & resources.keys() & fleet.keys():
            limits = self.limits(name, settings.budget_per_week) / resources[name].lifted
            resources[name] = resources[name].corrected(fleet[name], said[name], limits)
        return replace(self, resources=resources)


def calibrated_from(grid: ResourceGrid, until: int) -> int:
    """Where a resource's calibration begins, in unix seconds.

    Without a day before ``until``, or with nothing after it, that is the middle of its own columns.
    """
    old = grid.cut(None, until).values.shape[1] >= grid.points(DAY) and grid.end > until
    return until if old else grid.first + (grid.end - grid.first) // 2


def _episodes(grid: ResourceGrid, ratios: Floats) -> Ints:
    """How many episodes of a resource reach each of `FACTORS`."""
    ratio, rhythm = np.nan_to_num(ratios).max(axis=0, initial=0.0), Rhythm(grid.period)
    return np.array([len(episodes(grid.times[ratio >= factor].astype(float), rhythm)) for factor in FACTORS])
