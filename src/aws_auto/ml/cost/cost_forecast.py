"""What a bill will cost: by day, in all, and to the end of the month; by total, service, account or tag.

Each series is forecast by the mixture that its own back-test chose (`cost_forecast_trial`), with intervals from its own
errors (`cost_forecast_bands`). The total is forecast by itself as well; where the parts add up to something else, both
sums are said.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import NotEnoughData, UsageError
from aws_auto.ml.cost import cost_forecast_trial
from aws_auto.ml.cost.cost_forecast_bands import LEVEL
from aws_auto.ml.cost.cost_forecast_members import LAST
from aws_auto.ml.cost.cost_forecast_series import DailyCosts, daily_costs
from aws_auto.ml.cost.cost_forecast_trial import LEAST_DAYS, MEMBERS
from aws_auto.results import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

    from aws_auto.ml.cost.cost_forecast_series import Apart
    from aws_auto.ml.cost.cost_forecast_trial import Trial

    Floats = NDArray[np.float64]

HORIZON = 14
#: Further ahead than this nothing is said from a bill of some months.
FARTHEST = 92
_WEEKS_KNOWN = 4
#: A member with less weight is not worth a word.
_NAMED = 0.05
#: A mean error of this share of the cost is none.
_NOTHING = 1e-4


@dataclass(frozen=True, kw_only=True)
class CostAhead:
    """A sum over some days to come.

    Attributes:
        what: which days, in words.
        spent: of them, what the bill holds already.
        expected: spent and forecast.
        interval: of the same.
    """

    what: str
    spent: float
    expected: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class CostSeries:
    """One series and its forecast.

    Attributes:
        name: service, account, tag value, or ``total``.
        past_days: the days known, at most the last three months.
        past: what each cost; None is unknown.
        days: the days ahead.
        expected: cost of each.
        low: nine of ten days are dearer.
        high: nine of ten days are cheaper.
        sums: over the days ahead, the calendar month that the forecast begins in, and the next 30 days.
        weights: what was chosen: members of the mixture with their weights, heaviest first.
        why: what the back-test says, one sentence.
        loss: mean absolute error a day in the back-test; None is unknown.
        loss_of_last: the same of the last value on the same days.
        origins: days that the back-test forecast from.
        covered: share of its days that lay inside intervals made before them.
    """

    name: str
    currency: str
    past_days: tuple[date, ...]
    past: tuple[float | None, ...]
    days: tuple[date, ...]
    expected: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    sums: tuple[CostAhead, ...]
    weights: Mapping[str, float]
    why: str
    loss: float | None
    loss_of_last: float | None
    origins: int
    covered: float | None


@dataclass(frozen=True, kw_only=True)
class CostForecast:
    """A bill's forecast.

    Attributes:
        by: how it is grouped.
        basis: ``amortised`` or ``billed``, by currency.
        series: dearest first.
        totals: the total of each currency, forecast by itself.
        parts: by currency, the sum of what `series` are expected to cost in the days ahead.
        apart: what is not forecast.
        notes: what a reader must know.
    """

    by: str
    basis: Mapping[str, str]
    series: tuple[CostSeries, ...]
    totals: tuple[CostSeries, ...]
    parts: Mapping[str, float]
    apart: tuple[Apart, ...]
    notes: tuple[str, ...]


def forecast_cost(bill: pl.DataFrame, *, by: str = "service", horizon: int = HORIZON, seed: int = 0) -> CostForecast:
    """The coming days of a bill.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`; 30 days are little, two months know weekdays.
        by: ``total``, ``service``, ``account`` or ``tag:<key>``.
        horizon: how many days ahead.
        seed: of the trees.

    Raises:
        SchemaError: a column of a bill is missing.
        UsageError: an unknown grouping or tag, or a horizon out of range.
        NotEnoughData: fewer than a week of whole days.
    """
    if not 1 <= horizon <= FARTHEST:
        raise UsageError(f"{horizon} days ahead", where="--horizon", hint=f"choose 1 to {FARTHEST}")
    grouped, apart, notes = daily_costs(bill, by)
    _long_enough(grouped)
    series = tuple(one for group in grouped for one in _forecast(group, horizon, seed))
    totals = series
    if by != "total":
        totals = tuple(one for group in grouped for one in _forecast(_added(group), horizon, seed))
    parts = {group.currency: sum(sum(s.expected) for s in series if s.currency == group.currency) for group in grouped}
    return CostForecast(
        by=by,
        basis={group.currency: group.basis for group in grouped},
        series=series,
        totals=totals,
        parts=parts,
        apart=apart,
        notes=(*notes, *(note for group in grouped for note in _notes(group, horizon))),
    )


def _long_enough(grouped: tuple[DailyCosts, ...]) -> None:
    longest = max(len(group.days) for group in grouped)
    if longest < LEAST_DAYS + 1:
        raise NotEnoughData(
            f"the bill holds {longest} whole days; {LEAST_DAYS + 1} are needed, and {_WEEKS_KNOWN * 7} to judge",
            where="billing",
            hint="collect a longer window: --window 90d",
        )


def _added(group: DailyCosts) -> DailyCosts:
    return DailyCosts(
        currency=group.currency,
        names=("total",),
        days=group.days,
        costs=group.costs.sum(axis=0, keepdims=True),
        basis=group.basis,
        spread=group.spread,
    )


def _notes(group: DailyCosts, horizon: int) -> list[str]:
    said = []
    gaps = int(np.isnan(group.costs[0]).sum())
    if gaps:
        said.append(f"{gaps} days have no line in {group.currency}: they are unknown, not free")
    if len(group.days) < _WEEKS_KNOWN * 7 + horizon:
        said.append(
            f"{len(group.days)} days of history: weekdays and errors {horizon} days ahead are hardly known, so the"
            " intervals are a guess by the square root of time"
        )
    if group.spread:
        said.append(
            f"{group.spread:,.2f} {group.currency} of charges for longer than a day are spread over their days: the"
            " first of a month is no rise"
        )
    return said


def _forecast(group: DailyCosts, horizon: int, seed: int) -> list[CostSeries]:
    trial = cost_forecast_trial.run(group.costs, ahead=horizon, seed=seed)
    return [_one(group, trial, i, horizon) for i in range(len(group.names))]


def _one(group: DailyCosts, trial: Trial, i: int, horizon: int) -> CostSeries:
    first = group.days[-1] + timedelta(days=1)
    weights = sorted(zip(MEMBERS, trial.weights[i], strict=True), key=lambda pair: -pair[1])
    chosen = {name: float(weight) for name, weight in weights if weight >= _NAMED}
    past = group.costs[i, -FARTHEST:]
    return CostSeries(
        name=group.names[i],
        currency=group.currency,
        past_days=group.days[-len(past) :],
        past=tuple(float(v) if np.isfinite(v) else None for v in past),
        days=tuple(first + timedelta(days=k) for k in range(horizon)),
        expected=tuple(map(float, trial.expected[i])),
        low=tuple(map(float, trial.low[i])),
        high=tuple(map(float, trial.high[i])),
        sums=_sums(group, trial, i, horizon),
        weights=chosen,
        why=_why(chosen, trial, i),
        loss=_known(trial.loss[i]),
        loss_of_last=_known(trial.loss_of_last[i]),
        origins=int(trial.origins[i]),
        covered=_known(trial.covered[i]),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _why(chosen: Mapping[str, float], trial: Trial, i: int) -> str:
    n = int(trial.origins[i])
    if not n:
        return "its past is too short to judge: a mixture of levels and the last value"
    ours, last = float(trial.loss[i]), float(trial.loss_of_last[i])
    if last <= _NOTHING * float(np.mean(trial.expected[i])):
        return f"it did not move in {n} days"
    if list(chosen) == [LAST]:
        return f"nothing lost less than the last value ({last:.4g} a day) when tried from {n} days"
    newest = (
        "" if ours <= last else "; a short past is judged with what is usual elsewhere, and the newest days count most"
    )
    return f"mean error {ours:.4g} a day against {last:.4g} of the last value, tried from {n} days{newest}"


def _sums(group: DailyCosts, trial: Trial, i: int, horizon: int) -> tuple[CostAhead, ...]:
    """The days ahead; the calendar month that the forecast begins in; the next 30 days."""
    expected, low, high = map(float, trial.sums[i])
    first = group.days[-1] + timedelta(days=1)
    left = calendar.monthrange(first.year, first.month)[1] - first.day + 1
    spent = float(np.nansum([c for d, c in zip(group.days, group.costs[i], strict=True) if _same_month(d, first)]))

    def longer(what: str, days: int, spent: float) -> CostAhead:
        # The forecast has no trend: days farther ahead cost what its weeks do. Errors of a sum of days that share a
        # level grow with the number of days, and the level itself moves with the square root of time.
        weeks = trial.expected[i][: max(horizon // 7 * 7, 1)] if horizon >= 7 else trial.expected[i]
        ahead = float(sum(trial.expected[i][k] if k < horizon else weeks[k % len(weeks)] for k in range(days)))
        wider = (days / horizon) ** (1.5 if days > horizon else 0.5)
        return CostAhead(
            what=what,
            spent=spent,
            expected=spent + ahead,
            interval=Interval(
                spent + max(ahead - (expected - low) * wider, 0.0), spent + ahead + (high - expected) * wider, LEVEL
            ),
        )

    return (
        CostAhead(what=f"next {horizon} days", spent=0.0, expected=expected, interval=Interval(low, high, LEVEL)),
        longer(f"{first:%B %Y}", left, spent),
        longer("next 30 days", 30, 0.0),
    )


def _same_month(day: date, other: date) -> bool:
    return (day.year, day.month) == (other.year, other.month)
