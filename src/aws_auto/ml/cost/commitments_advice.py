"""A commitment as a recommendation: on the on-demand hours that all earlier advice leaves, at rates from the caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.ml.cost import usage_types
from aws_auto.ml.cost.commitments import FELL, LEAST_DAYS
from aws_auto.ml.cost.commitments_followed import decide_with_returns, return_days
from aws_auto.ml.cost.commitments_used import last_moment
from aws_auto.ml.cost.findings import Abstained, Money, Recommendation
from aws_auto.ml.cost.rightsizing_advice import MACHINE
from aws_auto.ml.cost.running import HOURS_A_MONTH, by_the_hour, classed
from aws_auto.results import Line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aws_auto.ml.cost.commitments import Array, Offer
    from aws_auto.ml.cost.findings import Commitment

_SEED = 0
_EXPIRES = timedelta(days=7)
_WHAT = "commitments for EC2"
#: Kinds after which a machine goes on at a lower cost.
_SMALLER = frozenset({"rightsize", "family", "graviton"})
_SIZE = r"\.[a-z0-9-]+$"
#: What covers less than this share of the on-demand cost is not worth a purchase of its own.
_WORTH = 0.05
#: A further purchase must save at least this share of what such a part costs.
_LEAST_GAIN = 0.05
_MOST = 3
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Hours:
    """Cost an hour on demand by region and family, whole days; what is committed is taken out as it is decided."""

    first: datetime
    by_place: Mapping[tuple[str, str], Array]

    @property
    def days(self) -> int:
        """How many."""
        return len(next(iter(self.by_place.values()))) // 24

    def of(self, offer: Offer) -> Array:
        """What that offer would cover."""
        mine = (cost for place, cost in self.by_place.items() if _covers(offer, place))
        return sum(mine, np.zeros(24 * self.days))

    def without(self, offer: Offer, level: float) -> Hours:
        """What is left on demand when that level of the offer is bought; each part gives its share."""
        whole = self.of(offer)
        left = np.maximum(whole - level, 0.0) / np.maximum(whole, _TINY)
        return Hours(
            self.first,
            {place: cost * left if _covers(offer, place) else cost for place, cost in self.by_place.items()},
        )


def proposals(
    bill: pl.DataFrame, offers: Sequence[Offer], earlier: Sequence[Recommendation], *, until: datetime
) -> tuple[list[Recommendation], list[Abstained]]:
    """In each currency the offer that saves most, then the best on what that leaves on demand; nothing without offers.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.
        offers: rates as the caller knows them.
        earlier: what is recommended before; machines that stop or keep hours are not committed on, resized ones at the
            cost that they will have.
        until: the end of the bill.
    """
    if not offers:
        return [], []
    if not by_the_hour(bill):
        return [], [_abstain("a bill by the day does not show the hours", "an hourly Cost and Usage Report")]
    items, abstained = [], []
    for currency, hours in on_demand_hours(bill, earlier, until=until):
        if hours.days < LEAST_DAYS:
            reason = f"{hours.days} days of on-demand hours are left; {LEAST_DAYS} are needed"
            abstained.append(_abstain(reason, "a month of an hourly Cost and Usage Report"))
            continue
        said = _one_after_the_other(hours, offers, currency, until)
        items += said
        if not said:
            abstained.append(_abstain(f"none of {len(offers)} offers saves anything in expectation", "other offers"))
    return items, abstained


def on_demand_hours(
    bill: pl.DataFrame, earlier: Sequence[Recommendation] = (), *, until: datetime | None = None
) -> list[tuple[str, Hours]]:
    """Hours on demand in each currency, of machines that no commitment and no spot market pays for.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.
        earlier: what is recommended before.
        until: the end of the bill.
    """
    end = until or last_moment(bill)
    rows = _on_demand(bill, earlier)
    return [
        (str(currency or "unknown"), _whole_days(part, end))
        for (currency,), part in rows.group_by("billing_currency", maintain_order=True)
    ]


def _one_after_the_other(hours: Hours, offers: Sequence[Offer], currency: str, until: datetime) -> list[Recommendation]:
    """The best offer, and the best of the rest on what it leaves, as long as one saves something worth a decision."""
    said: list[Recommendation] = []
    left = list(offers)
    whole = sum(float(cost.mean()) for cost in hours.by_place.values())
    while left and len(said) < _MOST:
        worth = [one for one in left if float(hours.of(one).mean()) >= _WORTH * whole]
        tried = [(_decided(hours.of(one), one, currency, until), one) for one in worth]
        gains = [(_month(hours.of(offer)) * found.saving, found, offer) for found, offer in tried if found.level > 0.0]
        if not gains:
            break
        gain, found, offer = max(gains, key=lambda one: (one[0], one[1].offer))
        if gain < _WORTH * _LEAST_GAIN * whole * HOURS_A_MONTH or gain <= 0.0:
            break
        said.append(_said(found, offer, hours, currency, until))
        hours = hours.without(offer, found.level)
        left.remove(offer)
    return said


def _decided(hourly: Array, offer: Offer, currency: str, until: datetime) -> Commitment:
    return decide_with_returns(hourly, offer, seed=_SEED, returns=return_days(offer, until, currency))


def _month(hourly: Array) -> float:
    """On-demand cost of a month as of the last thirty days."""
    return float(hourly[-30 * 24 :].mean()) * HOURS_A_MONTH


def _covers(offer: Offer, place: tuple[str, str]) -> bool:
    return offer.region in (None, place[0]) and offer.family in (None, place[1])


def _on_demand(bill: pl.DataFrame, earlier: Sequence[Recommendation]) -> pl.DataFrame:
    """Cost by hour, currency, region and family of machines that no commitment and no spot market pays for."""
    rows = classed(bill)
    gone = {name for one in earlier if one.kind in {"idle", "schedule"} for name in one.resources}
    left = {one.resources[0]: one.saving.expected for one in earlier if one.kind in _SMALLER}
    spot = [kind for kind in rows["usage_type"].unique() if usage_types.plain(kind).startswith("SpotUsage")]
    kept = rows.filter(
        pl.col("class") == MACHINE,
        (pl.col("pricing_category") != "Committed").fill_null(value=True),
        ~pl.col("usage_type").is_in(spot),
        ~pl.col("resource_id").is_in(list(gone)),
    )
    place = (pl.col("region_id").fill_null(""), pl.col("instance_type").fill_null("").str.replace(_SIZE, ""))
    keys = ("billing_currency", place[0].alias("region"), place[1].alias("family"))
    by_machine = kept.group_by(*keys, "timestamp", "resource_id").agg(pl.col("billed_cost").sum())
    saved = pl.col("resource_id").replace_strict(
        list(left), [value / HOURS_A_MONTH for value in left.values()], default=0.0, return_dtype=pl.Float64
    )
    cost = (pl.col("billed_cost") - saved).clip(lower_bound=0.0)
    hour = pl.col("timestamp").dt.truncate("1h")
    hours = by_machine.group_by("billing_currency", "region", "family", hour).agg(cost.sum().alias("cost"))
    return hours.sort("billing_currency", "region", "family", "timestamp")


def _whole_days(rows: pl.DataFrame, until: datetime) -> Hours:
    """Hours from the first midnight on, to the last whole day; an hour without usage costs nothing."""
    first: datetime = rows["timestamp"].min()  # type: ignore[assignment]
    start = first if first.hour == 0 else (first + timedelta(days=1)).replace(hour=0)
    n = max(int((until - start) / timedelta(days=1)), 0) * 24
    found = {}
    for (region, name), part in rows.group_by("region", "family", maintain_order=True):
        hourly = np.zeros(n)
        at = ((part["timestamp"] - start).dt.total_hours()).to_numpy()
        inside = (at >= 0) & (at < n)
        hourly[at[inside]] = part["cost"].to_numpy()[inside]
        found[str(region), str(name)] = hourly
    return Hours(start, found)


def _abstain(reason: str, collect: str) -> Abstained:
    return Abstained(what=_WHAT, reason=reason, collect=collect)


def _said(one: Commitment, offer: Offer, hours: Hours, currency: str, until: datetime) -> Recommendation:
    hourly = hours.of(offer)
    month = _month(hourly)
    parts = "at once"
    if one.weeks:
        parts = f"({one.first:.0%} now, the rest in {one.weeks} weekly part{'s' * (one.weeks > 1)} unless usage falls)"
    days = hourly.reshape(-1, 24)[-30:]
    begin = hours.first.date() + timedelta(days=len(hourly) // 24 - len(days))
    pays = f"{one.pays:.3f} {currency} an hour"
    command, rollback = _purchase(one, offer, currency, until)
    return Recommendation(
        kind="commitment",
        resources=(one.offer,),
        account=None,
        region=None,
        service="Amazon Elastic Compute Cloud",
        what=f"commit to {pays} under {one.offer} {parts}; the last 30 days alone would say"
        f" {one.look_back_level * (1.0 - one.discount):.3f}",
        # A rare fall costs more than nine of ten paths show: the mean may lie under their 10 % quantile.
        saving=Money(
            expected=one.saving * month,
            low=min(one.low, one.saving) * month,
            high=max(one.high, one.saving) * month,
            currency=currency,
        ),
        trouble=one.trouble,
        trouble_from=f"scenarios from {one.days} days with {one.falls_seen} falls seen and {one.falls_a_year:.1f} a"
        f" year reckoned with; the rate of {one.discount:.1%} is from {one.source}",
        effort="low",
        risk="the fee is owed for the whole term, whatever is used, once it can no longer be returned"
        if one.returns
        else "the fee is owed for the whole term, whatever is used",
        evidence=Line(
            name="lowest hour of a day on demand, after all other advice",
            x=tuple(begin + timedelta(days=k) for k in range(len(days))),
            y=tuple(float(day.min()) for day in days),
        ),
        rollback=rollback,
        expires=until + _EXPIRES,
        command=command,
        # What was bought this month is not what is still worth buying in the next.
        subject=f"{currency} {until:%Y-%m}",
    )


def _purchase(one: Commitment, offer: Offer, currency: str, until: datetime) -> tuple[str, str]:
    """The step in the console, and what can be done about it afterwards."""
    whole = one.level if offer.reservation else one.pays
    now, later = whole * one.first, whole * (1.0 - one.first) / max(one.weeks, 1)
    then = "" if one.weeks == 0 else f"; {later:.3f} more a week later" + f", {one.weeks} times" * (one.weeks > 1)
    if not offer.reservation:
        step = "console: Billing and Cost Management > Savings Plans > Purchase; hourly commitment"
        return f"{step} {now:.3f}{then}", _returned(one, until)
    step = f"console: EC2 in {offer.region} > Reserved Instances > Purchase: {offer.family}, as many as cost"
    back = "a standard one can be sold (Reserved Instance Marketplace), a convertible one exchanged"
    return f"{step} {now:.3f} {currency} an hour on demand{then}", back


def _returned(one: Commitment, until: datetime) -> str:
    """How a plan is given back, and when to: the saving counts on it."""
    if not one.returns:
        return "none; a plan of at most 100 USD an hour can be returned within 7 days and in the month of its purchase"
    last = until + timedelta(days=one.returns)
    return (
        f"look every day: when one costs {FELL:.0%} less than its weekday a week before, ask for recommendations again,"
        f" and where they commit to less, return the plan (bought now, by {last:%Y-%m-%d %H:%M} UTC) and buy that:"
        " aws savingsplans return-savings-plan --savings-plan-id ID"
    )
