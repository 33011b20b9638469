"""The back-test that decides how each series of daily costs is forecast.

From every day of the last weeks each member forecasts the days that followed, knowing only what came before. A member
counts when it lost less than the last value did; of those that count each has a weight that falls steeply with its
loss. Without any that counts, and where the mixture as a whole has lost more than the last value, the forecast is the
last value. While a series' own past is short, its losses are mixed with a prior: that levels and weekdays lose a tenth
less than the last value, and that trees and last week's days lose as much. Intervals: `cost_forecast_bands`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.cost import cost_forecast_bands, cost_forecast_boosted, cost_forecast_members
from aws_auto.ml.cost.cost_forecast_members import LAST, NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MEMBERS = (*NAMES, cost_forecast_boosted.NAME)
#: Days from which a forecast is made at all.
LEAST_DAYS = 7
#: How many of the last days are origins of the back-test.
ORIGINS = 70
#: An error counts half as much when it is so many days old.
_HALF_LIFE = 28.0
#: The prior: losses over those of the last value, and how many origins it counts for.
_PRIOR_LOSS, _PRIOR_ORIGINS = 0.9, 7.0
_NO_GAIN_EXPECTED = (LAST, "same weekday of the last week", cost_forecast_boosted.NAME)
_STEEP = 20.0
#: After so many origins the mixture as a whole must have lost no more than the last value.
_TRIED = 10.0
#: A loss of this share of the cost is nothing: two members that both lose less are alike.
_ALIKE = 1e-4


@dataclass(frozen=True, eq=False)
class Trial:
    """What the back-test found, and the forecast.

    Attributes:
        weights: of each member now, ``(series, MEMBERS)``; they add up to one.
        expected: the forecast, ``(series, days ahead)``.
        low: where nine of ten days lie above.
        high: where nine of ten days lie below.
        sums: expected, low and high of the sum of all days ahead, ``(series, 3)``.
        loss: mean absolute error a day of the mixture with the weights of then, by series; nan where unknown.
        loss_of_last: the same of the last value, on the same days.
        losses: of each member, ``(series, MEMBERS)``.
        covered: share of the days inside their interval, made from earlier errors alone; nan where unknown.
        origins: days from which something was forecast whose truth is known, by series.
    """

    weights: Floats
    expected: Floats
    low: Floats
    high: Floats
    sums: Floats
    loss: Floats
    loss_of_last: Floats
    losses: Floats
    covered: Floats
    origins: Ints


def run(costs: Floats, *, ahead: int, seed: int = 0) -> Trial:
    """Back-test, choose and forecast.

    Args:
        costs: cost by day, ``(series, days)``; nan is a day that is not known.
        ahead: how many days to forecast.
        seed: of the trees.
    """
    past = _filled(costs)
    days = past.shape[1]
    first = max(LEAST_DAYS, days - ORIGINS)
    origins = np.arange(first, days + 1)
    said = np.stack([cost_forecast_members.forecasts(past[:, :o], ahead) for o in origins])
    began = np.argmax(np.nan_to_num(costs) > 0, axis=1)
    truth = _truth(costs, origins, ahead, began)
    trees = cost_forecast_boosted.forecasts(past, said, truth, origins, seed=seed)
    said = np.concatenate([said, trees[:, :, None]], axis=2)
    errors = np.abs(said - truth[:, :, None])
    weights = np.stack([_weights(errors, said, origins, i) for i in range(len(origins))])
    mixed = _mixed(said, weights)
    weights = _last_where_it_was_better(weights, np.abs(truth - mixed), errors[:, :, 0], origins)
    mixed = _mixed(said, weights)
    wrong = truth - mixed
    days_band = cost_forecast_bands.of_days(wrong, origins, mixed, began)
    sum_band = cost_forecast_bands.of_sums(wrong, origins, mixed, began)
    judged = np.isfinite(wrong)
    counted = judged.sum(axis=(0, 2))
    n = np.maximum(counted, 1)
    losses = np.where(judged[:, :, None], errors, 0.0).sum(axis=(0, 3)) / n[:, None]
    expected = np.maximum(mixed[-1], 0.0)
    total = expected.sum(axis=1)
    return Trial(
        weights=weights[-1],
        expected=expected,
        low=np.clip(expected + days_band.low, 0.0, None),
        high=expected + days_band.high,
        sums=np.stack([total, np.maximum(total + sum_band.low[:, 0], 0.0), total + sum_band.high[:, 0]], axis=1),
        loss=_known(np.where(judged, np.abs(wrong), 0.0).sum(axis=(0, 2)) / n, counted),
        loss_of_last=_known(losses[:, 0], counted),
        losses=_known(losses, counted),
        covered=days_band.covered,
        origins=judged.any(axis=2).sum(axis=0),
    )


def _filled(costs: Floats) -> Floats:
    """Unknown days cost what the day before did; unknown first days nothing."""
    known = np.isfinite(costs)
    place = np.maximum.accumulate(np.where(known, np.arange(costs.shape[1]), 0), axis=1)
    return np.nan_to_num(np.take_along_axis(costs, place, axis=1))


def _truth(costs: Floats, origins: Ints, ahead: int, began: Ints) -> Floats:
    """What came on the days after each origin, ``(origins, series, ahead)``; nan where it has not come yet.

    Days before a series' first cost are no truth: nothing was to be forecast there.
    """
    longer = np.concatenate([costs, np.full((len(costs), ahead), np.nan)], axis=1)
    table = np.stack([longer[:, o : o + ahead] for o in origins])
    table[origins[:, None] < began[None] + LEAST_DAYS] = np.nan
    return table


def _weights(errors: Floats, said: Floats, origins: Ints, at: int) -> Floats:
    """The weight of each member at that origin, from errors that were known then, ``(series, members)``."""
    ahead = errors.shape[-1]
    known = np.isfinite(errors[:at])
    counts = _fresh(origins, at, ahead)[:, None, None] * known
    wrong = np.where(known, errors[:at], 0.0)
    lost = (wrong * counts).sum(axis=(0, 3))
    lost_by_last = (wrong[:, :, :1] * counts).sum(axis=(0, 3))
    n = counts.sum(axis=(0, 3)) / ahead
    alike = _ALIKE * np.abs(said[at, :, :1]).mean(axis=2) * n * ahead + 1e-12
    ratio = np.minimum((lost + alike) / (lost_by_last + alike), 5.0)
    prior = np.array([1.0 if name in _NO_GAIN_EXPECTED else _PRIOR_LOSS for name in MEMBERS])
    score = (n * ratio + _PRIOR_ORIGINS * prior) / (n + _PRIOR_ORIGINS)
    moved = (n < 1.0) | (lost_by_last > alike)
    counts_now = (score < 1.0) & np.isfinite(said[at, :, :, 0]) & moved
    counts_now[:, 0] = True
    weight = np.where(counts_now, score, np.inf) ** -_STEEP
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _fresh(origins: Ints, at: int, ahead: int) -> Floats:
    """What an error of each earlier origin and day ahead counts for at an origin: nothing while it is not known."""
    over = origins[:at, None] + np.arange(ahead)[None] < origins[at]
    return np.asarray(over * 0.5 ** ((origins[at] - origins[:at]) / _HALF_LIFE)[:, None])


def _mixed(said: Floats, weights: Floats) -> Floats:
    return np.asarray((np.nan_to_num(said) * weights[..., None]).sum(axis=2))


def _last_where_it_was_better(weights: Floats, errors: Floats, of_last: Floats, origins: Ints) -> Floats:
    """The weights, with all of it on the last value wherever the mixture had lost more than that by then."""
    kept = weights.copy()
    alone = np.zeros(weights.shape[-1])
    alone[MEMBERS.index(LAST)] = 1.0
    known = np.isfinite(errors)
    excess = np.where(known, errors - of_last, 0.0)
    for at in range(1, len(origins)):
        counts = _fresh(origins, at, errors.shape[-1])[:, None] * known[:at]
        tried = counts.sum(axis=(0, 2)) / errors.shape[-1]
        worse = (tried >= _TRIED) & ((excess[:at] * counts).sum(axis=(0, 2)) > 0.0)
        kept[at, worse] = alone
    return kept


def _known(values: Floats, counted: Ints) -> Floats:
    known = counted > 0
    return np.where(known if values.ndim == 1 else known[:, None], values, np.nan)
