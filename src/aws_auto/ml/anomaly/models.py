"""The models that the specification names, one result each: IsolationForest, OneClassSVM, LSTM autoencoder, ensemble.

The first three are what many know; the ensemble (the recipe's detector) is what raises the alarms, because it finds
more at fewer false alarms on every suite of labelled series (``bench/anomaly.py``). Each has its threshold from data
that it did not learn from, at the same budget, and a measured confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import MissingExtra, NotEnoughData
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.anomaly.detect.options import fit_vectors
from aws_auto.ml.anomaly.grid import DAY, grid_of
from aws_auto.ml.anomaly.inject import inject, usual_range
from aws_auto.ml.evaluation.metrics import Rhythm, episodes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.grid import ResourceGrid
    from aws_auto.ml.anomaly.settings import AnomalySettings

    Floats = NDArray[np.float64]
    #: From values ``(metrics, columns)`` to a score of each column; nothing looks ahead.
    Judge = Callable[[Floats], Floats]

WEEK = 7 * DAY
#: Of the training part, the last share is for the threshold and the confidence.
HELD_BACK = 0.28
THRESHOLD = 0.5


@dataclass(frozen=True)
class Fitted:
    """A model of one resource: what it looks at, its judge, and the raw score that its budget allows."""

    period: int
    metrics: tuple[str, ...]
    judge: Judge
    limit: float


@dataclass(frozen=True)
class NamedModel:
    """A model that the specification names; `fitted` gives the one that can judge.

    Attributes:
        what: which method, on what.
        make: fits it on the values ``(metrics, columns)`` of one resource.
        resources: what it has learned of each.
        confidence_score: share of anomalies put into held-back data that it finds at its threshold; None where none
            could be put in.
        unavailable: why it cannot judge, empty when it can.
    """

    what: str
    make: Callable[[Floats, int], Judge]
    resources: Mapping[str, Fitted] = field(default_factory=dict)
    confidence_score: float | None = None
    unavailable: str = "it was not fitted"

    @property
    def threshold(self) -> float | None:
        """Of the scores that `predict` gives; None when it cannot judge."""
        return None if self.unavailable else THRESHOLD

    def fitted(self, fleet: Mapping[str, ResourceGrid], settings: AnomalySettings, *, seed: int) -> NamedModel:
        """Fit one for each resource on the first part of its columns, and measure it on the rest.

        A resource with too little to learn from has none. Without an extra that the model needs it says so.
        """
        known: dict[str, Fitted] = {}
        hits: list[bool] = []
        rng = np.random.default_rng(seed)
        try:
            for name, whole in fleet.items():
                grid = _usable(settings.without_excluded(whole))
                old, new = _parts(grid)
                try:
                    judge = self.make(old.values, seed)
                except NotEnoughData:
                    continue
                limit = _limit(new, judge(new.values), settings.budget_per_week)
                known[name] = Fitted(grid.period, grid.metrics, judge, limit)
                hits += _hits(new, judge, limit, usual_range(old.values), rng)
        except MissingExtra as error:
            return replace(self, unavailable=str(error))
        why = "" if known else "no resource has enough points to learn from"
        return replace(self, resources=known, unavailable=why, confidence_score=float(np.mean(hits)) if hits else None)

    def predict(self, rows: pl.DataFrame) -> pl.DataFrame:
        """``resource_id, timestamp, score`` of each row, sorted: r / (1 + r), where r is the score over its limit.

        Null for a resource that it does not know. Each row is judged by the training part and the rows before it.
        """
        parts = [
            self._scored(part)
            for part in rows.unique([RESOURCE, TIMESTAMP], keep="last")
            .sort(RESOURCE, TIMESTAMP)
            .partition_by(RESOURCE, maintain_order=True)
        ]
        empty = rows.select(RESOURCE, TIMESTAMP).clear().with_columns(score=pl.lit(None, pl.Float64))
        return pl.concat(parts) if parts else empty

    def _scored(self, part: pl.DataFrame) -> pl.DataFrame:
        keys, one = part.select(RESOURCE, TIMESTAMP), self.resources.get(part[RESOURCE][0])
        if one is None:
            return keys.with_columns(score=pl.lit(None, pl.Float64))
        grid = grid_of(part, one.metrics, one.period)
        ratio = np.maximum(one.judge(grid.values), 0.0) / one.limit
        return keys.with_columns(score=pl.Series((ratio / (1 + ratio))[np.maximum(grid.column, 0)]))


def each_metric(kind: str) -> Callable[[Floats, int], Judge]:
    """A detector for each metric alone; the strangest metric is the resource's score."""

    def make(values: Floats, seed: int) -> Judge:
        detectors = [fit_vectors(row[None], kind, seed=seed) for row in values]
        if not detectors:
            raise NotEnoughData("there is no metric", where=kind)
        return lambda new: np.max([d.score(row[None]) for d, row in zip(detectors, new, strict=True)], axis=0)

    return make


def all_metrics(kind: str) -> Callable[[Floats, int], Judge]:
    """One detector that looks at all metrics of a resource together."""
    return lambda values, seed: fit_vectors(values, kind, seed=seed).score


def documented_models() -> dict[str, NamedModel]:
    """The three single models by the keys of the specification."""
    return {
        "univariate": NamedModel("IsolationForest on each metric and its change", each_metric("isolation_forest")),
        "multivariate": NamedModel("OneClassSVM on all metrics of a moment", all_metrics("one_class_svm")),
        "time_series": NamedModel("LSTM autoencoder on windows of all metrics", all_metrics("autoencoder")),
    }


def _usable(grid: ResourceGrid) -> ResourceGrid:
    """The grid without metrics that are missing in more than half of its first part."""
    old = _parts(grid)[0]
    rows = np.flatnonzero(np.isfinite(old.values).mean(axis=1) >= 0.5)
    return replace(grid, metrics=tuple(grid.metrics[row] for row in rows), values=grid.values[rows])


def _parts(grid: ResourceGrid) -> tuple[ResourceGrid, ResourceGrid]:
    border = int(grid.times[int((1 - HELD_BACK) * len(grid.times))])
    return grid.cut(None, border), grid.cut(border, None)


def _hits(grid: ResourceGrid, judge: Judge, limit: float, size: Floats, rng: np.random.Generator) -> list[bool]:
    """Which of some anomalies put into the columns are found while they last or soon after their start."""
    altered, events, _ = inject(grid, size, rng)
    high, grace = judge(altered.values) >= limit, Rhythm(grid.period).grace
    spans = [np.searchsorted(grid.times, [first, max(last, first + grace)]) for first, last in events]
    return [bool(high[a : b + 1].any()) for a, b in spans]


def _limit(grid: ResourceGrid, scores: Floats, per_week: float) -> float:
    """The lowest score that no more episodes reach than the budget allows on these columns."""
    allowed = per_week * len(scores) * grid.period / WEEK
    rhythm, times = Rhythm(grid.period), grid.times.astype(float)
    candidates = np.unique(np.quantile(scores, 1 - np.geomspace(1e-4, 0.2, 60)))[::-1]
    chosen = float(np.nextafter(scores.max(), np.inf))
    for candidate in candidates:
        if len(episodes(times[scores >= candidate], rhythm)) > allowed:
            break
        chosen = float(candidate)
    return max(chosen, 1e-9)
