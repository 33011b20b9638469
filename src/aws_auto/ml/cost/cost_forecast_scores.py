"""How unusual a day's cost is: an isolation forest over the day's shape beside the residual of a forecast.

Both are turned into the share of training days that were less unusual, and the score is that share of their mean: 0.99
means that one training day in a hundred looked stranger. A day is judged from the days before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.errors import NotEnoughData, SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.cost import cost_forecast_members

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COST = "hourly_cost"
#: Days before the first one that is judged.
LEARN = 7
_LOOK_BACK = 28
#: A day with fewer known hours has no known cost.
_LEAST_HOURS = 18
#: Scores from here on are called unusual: one training day in a hundred.
UNUSUAL = 0.99
_TREES = 100
_EXPECTED = cost_forecast_members.NAMES.index("level and weekdays, faster")
_FLOOR = 0.01


@dataclass(frozen=True, kw_only=True)
class DayScore:
    """The newest whole day of one resource.

    Attributes:
        score: share of training days that were less unusual; None where the past is too short.
        expected: what the days before it say.
        unusual: whether ``score`` is at least `UNUSUAL`.
    """

    resource_id: str
    day: date
    cost: float
    expected: float | None
    score: float | None
    unusual: bool


@dataclass(frozen=True, eq=False)
class DailyTable:
    """Cost of a day in USD, ``(names, days)``; nan is unknown."""

    names: tuple[str, ...]
    days: tuple[date, ...]
    costs: Floats


def daily_table(rows: pl.DataFrame) -> DailyTable:
    """Cost by resource and UTC day, from ``hourly_cost``; days with under 18 known hours are unknown.

    Raises:
        SchemaError: there is no ``hourly_cost``.
        NotEnoughData: no day is known.
    """
    if COST not in rows.columns:
        raise SchemaError(f"no {COST}", where="anomaly_detector", hint="prices give it; a file may hold the column")
    by_hour = (
        rows.filter(pl.col(COST).is_not_null())
        .group_by(RESOURCE, pl.col(TIMESTAMP).dt.truncate("1h").alias("hour"))
        .agg(pl.col(COST).mean())
    )
    by_day = (
        by_hour.group_by(RESOURCE, pl.col("hour").dt.date().alias("day"))
        .agg(cost=pl.col(COST).mean() * 24, hours=pl.len())
        .filter(pl.col("hours") >= _LEAST_HOURS)
    )
    if by_day.is_empty():
        raise NotEnoughData("no whole day with a cost", where="anomaly_detector", hint="collect a longer window")
    first: date = by_day["day"].min()  # type: ignore[assignment] # there are rows
    last: date = by_day["day"].max()  # type: ignore[assignment]
    days = tuple(first + timedelta(days=i) for i in range((last - first).days + 1))
    names = tuple(sorted(by_day[RESOURCE].unique()))
    place = {name: i for i, name in enumerate(names)}
    costs = np.full((len(names), len(days)), np.nan)
    for name, day, cost, _ in by_day.iter_rows():
        costs[place[name], (day - days[0]).days] = cost
    return DailyTable(names, days, costs)


@dataclass(frozen=True, eq=False)
class CostScorer:
    """What was usual on the training days.

    Attributes:
        forest: a fitted isolation forest.
        isolation: its scores of the training days, ascending.
        residual: their distances from the forecast, ascending.
        both: the means of the two shares, ascending.
    """

    forest: Any
    isolation: Floats
    residual: Floats
    both: Floats

    @classmethod
    def fit(cls, table: DailyTable, *, seed: int) -> CostScorer:
        """Learn what is usual.

        Raises:
            NotEnoughData: no resource has a day with a week before it.
        """
        from sklearn.ensemble import IsolationForest

        days = range(LEARN, len(table.days))
        shapes, residuals, _ = _judged(table.costs, days or [len(table.days) - 1])
        known = np.isfinite(residuals)
        if not known.any():
            raise NotEnoughData(
                f"{len(table.days)} days of cost; a day is judged by at least {LEARN} before it",
                where="anomaly_detector",
                hint="collect a longer window",
            )
        forest = IsolationForest(n_estimators=_TREES, random_state=seed, n_jobs=1).fit(shapes[known])
        isolation = -forest.score_samples(shapes[known])
        residual = residuals[known]
        both = _share(isolation, np.sort(isolation)) + _share(residual, np.sort(residual))
        return cls(forest, np.sort(isolation), np.sort(residual), np.sort(both / 2))

    def predict(self, table: DailyTable) -> tuple[DayScore, ...]:
        """The newest day of each resource, most unusual first."""
        scores, expected = self.scores(table.costs, [len(table.days) - 1])
        found = [
            DayScore(
                resource_id=name,
                day=table.days[-1],
                cost=float(table.costs[i, -1]),
                expected=_or_none(expected[i, 0]),
                score=_or_none(scores[i, 0]),
                unusual=bool(scores[i, 0] >= UNUSUAL),
            )
            for i, name in enumerate(table.names)
            if np.isfinite(table.costs[i, -1])
        ]
        return tuple(sorted(found, key=lambda one: (-(one.score or 0.0), one.resource_id)))

    def scores(self, costs: Floats, days: Sequence[int]) -> tuple[Floats, Floats]:
        """Score and expectation of those days (columns of ``costs``), ``(names, days)`` each; nan where unknown."""
        shapes, residuals, expected = _judged(costs, days)
        known = np.isfinite(residuals)
        scores = np.full(len(residuals), np.nan)
        if known.any():
            isolation = -self.forest.score_samples(shapes[known])
            mean = (_share(isolation, self.isolation) + _share(residuals[known], self.residual)) / 2
            scores[known] = _share(mean, self.both)
        size = (len(days), len(costs))
        return scores.reshape(size).T, expected.reshape(size).T


def injected(table: DailyTable, *, first: int, factor: float, seed: int) -> tuple[DailyTable, NDArray[np.bool_]]:
    """The table with a tenth of the known days from ``first`` on made dearer by that factor, and which they are."""
    changed = np.zeros(table.costs.shape, dtype=bool)
    late = np.isfinite(table.costs[:, first:]) & (table.costs[:, first:] > 0)
    changed[:, first:] = late & (np.random.default_rng(seed).random(late.shape) < 0.1)
    return DailyTable(table.names, table.days, np.where(changed, table.costs * factor, table.costs)), changed


def distances(costs: Floats, days: Sequence[int]) -> Floats:
    """The simple rule: how far each day is from the median of its week, in usual distances, ``(names, days)``."""
    shapes, _, _ = _judged(costs, days)
    return np.asarray(np.abs(shapes[:, 0]).reshape(len(days), len(costs)).T)


def _judged(costs: Floats, days: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Shapes, residuals and expectations of those days, one row a day and resource; nan where unknown."""
    shapes, residuals, expected = [], [], []
    whole = np.nansum(costs, axis=0)
    for day in days:
        before = costs[:, max(day - _LOOK_BACK, 0) : day]
        now = costs[:, day]
        usable = np.isfinite(now) & (np.isfinite(before).sum(axis=1) >= LEARN)
        past = _filled(before) if day else np.zeros((len(costs), 1))
        said = np.maximum(cost_forecast_members.forecasts(past, 1)[:, _EXPECTED, 0], 0.0)
        usual = _usual(past)
        median = np.median(past[:, -7:], axis=1)
        share = now / max(float(whole[day]), 1e-12)
        shape = [
            (now - median) / usual,
            (now - past[:, -1]) / usual,
            (now - past[:, -min(7, past.shape[1])]) / usual,
            np.clip(now / np.maximum(median, 1e-9), 0.0, 10.0),
            share,
        ]
        shapes.append(np.nan_to_num(np.stack(shape, axis=1), posinf=0.0, neginf=0.0))
        residuals.append(np.where(usable, np.abs(now - said) / usual, np.nan))
        expected.append(np.where(usable, said, np.nan))
    return np.concatenate(shapes), np.concatenate(residuals), np.concatenate(expected)


def _usual(past: Floats) -> Floats:
    """The usual distance from day to day, at least a hundredth of the level."""
    moves = np.abs(np.diff(past, axis=1)) if past.shape[1] > 1 else np.zeros((len(past), 1))
    least = _FLOOR * np.abs(past).mean(axis=1)
    return np.asarray(np.maximum(np.maximum(moves.mean(axis=1), least), 1e-9))


def _filled(costs: Floats) -> Floats:
    """Unknown days cost what the day before did; unknown first days the first known one."""
    known = np.isfinite(costs)
    place = np.maximum.accumulate(np.where(known, np.arange(costs.shape[1]), -1), axis=1)
    place = np.where(place < 0, np.argmax(known, axis=1)[:, None], place)
    return np.asarray(np.nan_to_num(np.take_along_axis(costs, place, axis=1)))


def _share(values: Floats, ascending: Floats) -> Floats:
    """The share of ``ascending`` that is smaller."""
    return np.asarray(np.searchsorted(ascending, values, side="left") / len(ascending))


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
