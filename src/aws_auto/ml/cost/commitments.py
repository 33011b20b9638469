"""How much to commit, as a newsvendor on what the hourly cost may become, with falls of usage in the scenarios.

Who commits to ``c`` of on-demand cost an hour at a discount ``d`` pays ``c (1 - d)`` in every hour and the rest on
demand. The cheapest level for hours X is the d-quantile of X (the critical fractile of the newsvendor), so all depends
on the hours to come. The last month's quantile, which tools recommend, is right while nothing changes. Here the hours
to come are drawn from the present level of usage (days before a shift are scaled to it) and fall, in a share of the
scenarios, as often as usage fell before. Purchases may be laddered: a part now, the rest in weekly parts that are not
bought once usage fell.

What was never seen may come all the same. So the plan is not the one that costs least on average, but the one that
costs least if usage falls within thirty days, of all that cost on average at most a small premium more: a restricted
Bayes solution (J. L. Hodges and E. L. Lehmann, 1952, Annals of Mathematical Statistics 23). What can be given back in
its first days (`commitments_followed`) is given back when usage falls in them, and the plan is chosen knowing that.
Rates come from the caller; none is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import NotEnoughData
from aws_auto.ml.cost.commitments_scenarios import DEPTHS, Scenarios, fallen, scenarios, shifts
from aws_auto.ml.cost.findings import Commitment

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEAST_DAYS = 14
#: Days that are looked back on by the rule of the tools.
LOOK_BACK = 30
#: What is taken as known before an account is seen: a twentieth of a fall in 90 days of watching, which is one in five
#: years, and little beside what the account itself shows. An assumption, not a fact.
PRIOR_FALLS, PRIOR_DAYS = 0.05, 90.0
#: Share of the level that is bought now, and in how many weekly parts the rest is.
_LADDERS = ((1.0, 0), (0.95, 1), (0.9, 1), (0.8, 1), (0.65, 1), (0.5, 1), (0.25, 3))
#: What is paid, in shares of the on-demand cost, for losing less when usage falls soon. A choice, not a measurement.
PREMIUM = 0.004
#: Ladders are tried at so many levels on either side of the best one without a ladder.
_NEAR = 6
#: Usage that is this share lower than before stops the ladder.
FELL = 0.15
_WEEK = 7 * 24


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A rate as the caller knows it.

    Attributes:
        name: what is bought, such as ``Compute Savings Plan, 1 year, no upfront``.
        discount: from the on-demand cost of what it covers, 0.19 is 19 %.
        source: where the rate is from, with its date.
        term: how long it is paid for.
        region: the only one that it holds in; None for all.
        family: the only one that it covers, such as ``m5``; None for all.
        as_of: the day on which the rate was seen; None where the caller does not say.
        reservation: it is bought by the instance, not by the money.
        returnable: it can be returned in its first days, as a Savings Plan of AWS can (`commitments_followed`).
    """

    name: str
    discount: float
    source: str
    term: timedelta
    region: str | None = None
    family: str | None = None
    as_of: date | None = None
    reservation: bool = False
    returnable: bool = False

    def __post_init__(self) -> None:
        """Refuse a discount that is none.

        Raises:
            ValueError: it is not between 0 and 1.
        """
        if not 0.0 < self.discount < 1.0:
            raise ValueError(f"a discount lies between 0 and 1, not at {self.discount}")


@dataclass(frozen=True)
class Plan:
    """What is bought when: ``first`` of ``level`` now, the rest in ``weeks`` equal parts a week apart.

    All of it can be given back in the first ``returns`` days.
    """

    level: float
    first: float = 1.0
    weeks: int = 0
    returns: int = 0

    def held(self, at: Array, until: Array | float) -> Array:
        """Share of the level that is held ``at`` these hours from now by who buys no more after ``until``."""
        bought = np.minimum(at // _WEEK, self.weeks)
        stop = np.minimum(until, self.weeks * _WEEK) // _WEEK
        parts = np.minimum(bought, stop[..., None]) if np.ndim(until) else np.minimum(bought, stop)
        share: Array = self.first + (1.0 - self.first) * parts / max(self.weeks, 1)
        return share


def decide(
    hourly: Array, offer: Offer, *, seed: int, falls_a_year: float | None = None, returns: int = 0
) -> Commitment:
    """The level and the ladder for the hours to come.

    Args:
        hourly: on-demand cost an hour of what the offer would cover and nothing else covers, whole days, newest last.
        offer: its rate.
        seed: of the scenarios.
        falls_a_year: how often usage falls, where the caller knows better than the history.
        returns: for how many days what is bought can be given back.

    Raises:
        NotEnoughData: less than `LEAST_DAYS` days of hours.
    """
    days = len(hourly) // 24
    if days < LEAST_DAYS:
        raise NotEnoughData(
            f"{days} days of hourly cost are too few to commit on; {LEAST_DAYS} are needed",
            where="commitments",
            hint="collect a month of an hourly Cost and Usage Report",
        )
    found = shifts(hourly)
    falls = [one for one in found if one.ratio < 1.0]
    rate = (len(falls) + PRIOR_FALLS) / (days + PRIOR_DAYS) if falls_a_year is None else falls_a_year / 365.0
    depths = (*DEPTHS, *(1.0 - one.ratio for one in falls)) if falls_a_year is None else DEPTHS
    length = max(int(offer.term / timedelta(hours=1)), 24)
    ahead = scenarios(hourly, found, hours=length, rate=rate, depths=depths, seed=seed)
    plan = best_plan(ahead, fallen(ahead, depths, days=LOOK_BACK, seed=seed), offer.discount, returns=returns)
    plain = look_back_level(hourly, offer.discount)
    savings = _savings(ahead, plan, offer.discount)
    low, high = np.quantile(savings, [0.1, 0.9])
    return Commitment(
        offer=offer.name,
        discount=offer.discount,
        source=offer.source,
        level=plan.level,
        pays=plan.level * (1.0 - offer.discount),
        first=plan.first,
        weeks=plan.weeks,
        returns=plan.returns,
        saving=float(savings.mean()),
        low=float(low),
        high=float(high),
        trouble=float((savings < 0.0).mean()),
        look_back_level=plain,
        look_back_saving=float(_savings(ahead, Plan(plain), offer.discount).mean()),
        falls_seen=len(falls),
        falls_a_year=rate * 365.0,
        days=days,
    )


def look_back_level(hourly: Array, discount: float) -> float:
    """What would have saved most in the last thirty days: what tools recommend."""
    return best_level(hourly[-LOOK_BACK * 24 :], discount)


def best_level(hours: Array, discount: float) -> float:
    """The level that costs least for these hours: their d-quantile."""
    return float(np.quantile(hours, discount, method="inverted_cdf"))


def cost(hours: Array, levels: Array | float, discount: float) -> Array:
    """Cost of each hour under a commitment: its fee, and on demand what is above it."""
    return np.asarray(levels * (1.0 - discount) + np.maximum(hours - levels, 0.0))


def fell(known: Array) -> bool:
    """Whether the last day cost `FELL` less than its weekday did a week before."""
    return bool(known[-24:].sum() < (1.0 - FELL) * known[-24 - _WEEK : -_WEEK].sum())


def best_plan(ahead: Scenarios, stressed: Scenarios, discount: float, *, returns: int = 0) -> Plan:
    """Of the plans that cost at most the premium more than the cheapest, the one that costs least under stress.

    All can be given back for ``returns`` days.
    """
    levels = np.unique(
        [best_level(ahead.paths, discount), *np.quantile(ahead.paths, np.linspace(0.01, 0.99, 25)).tolist()]
    )
    plans = [Plan(float(level), returns=returns) for level in levels]
    plain = [_spent(ahead, plan, discount) for plan in plans]
    best = int(np.argmin(plain))
    near = levels[max(best - _NEAR, 0) : best + _NEAR + 1]
    for first, weeks in _LADDERS[1:]:
        if weeks * _WEEK <= ahead.at[-1]:
            plans += [Plan(float(level), first, weeks, returns) for level in near]
    tried = [(_spent(ahead, plan, discount), plan) for plan in plans]
    cheapest = min(tried, key=lambda one: (one[0], one[1].weeks))[1]
    month = ahead.at < LOOK_BACK * 24
    soon = Scenarios(ahead.paths[:, month], ahead.falls_at, ahead.left, ahead.at[month])
    # Over a long term a ladder costs little; it must cost little in its first month as well.
    most = [_spent(one, cheapest, discount) + PREMIUM * float(one.paths.mean()) for one in (ahead, soon)]
    allowed = [
        (_spent(stressed, plan, discount), spent, plan.weeks, plan)
        for spent, plan in tried
        if spent <= most[0] and _spent(soon, plan, discount) <= most[1]
    ]
    return min(allowed, key=lambda one: one[:3])[3]


def _spent(ahead: Scenarios, plan: Plan, discount: float) -> float:
    """Mean cost of an hour."""
    return float(cost(ahead.paths, _held(ahead, plan), discount).mean())


def _held(ahead: Scenarios, plan: Plan) -> Array:
    """What is held in each path and hour; what is given back is bought anew for the usage that is left."""
    held = plan.level * plan.held(ahead.at, ahead.falls_at)
    if not plan.returns:
        return held
    # A fall in the middle of a day shows at its end when enough of the day is lower, else a day later.
    shows = ahead.falls_at + 24.0 * np.minimum(FELL / np.maximum(1.0 - ahead.left, 1e-9), 1.0)
    seen = np.ceil(shows / 24.0) * 24.0
    given = (seen <= plan.returns * 24.0)[:, None] & (ahead.at[None] >= seen[:, None])
    return np.where(given, plan.level * ahead.left[:, None], held)


def _savings(ahead: Scenarios, plan: Plan, discount: float) -> Array:
    """Share of the on-demand cost that is saved in each path."""
    spent = cost(ahead.paths, _held(ahead, plan), discount).sum(axis=1)
    whole = ahead.paths.sum(axis=1)
    saved: Array = 1.0 - spent / np.maximum(whole, 1e-9)
    return saved
