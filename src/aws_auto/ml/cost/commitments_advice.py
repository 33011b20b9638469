"""A commitment as a recommendation: on the on-demand hours that all earlier advice leaves, at rates from the caller."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.ml.cost import usage_types
from aws_auto.ml.cost.commitments import LEAST_DAYS, decide
from aws_auto.ml.cost.findings import Abstained, Money, Recommendation
from aws_auto.ml.cost.rightsizing_advice import MACHINE
from aws_auto.ml.cost.running import HOURS_A_MONTH, by_the_hour, classed
from aws_auto.results import Line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aws_auto.ml.cost.commitments import Array, Offer
    from aws_auto.ml.cost.findings import Commitment

_SEED = 0
_EXPIRES = timedelta(days=7)
_WHAT = "commitments for EC2"


def proposals(
    bill: pl.DataFrame, offers: Sequence[Offer], earlier: Sequence[Recommendation], *, until: datetime
) -> tuple[list[Recommendation], list[Abstained]]:
    """The one offer that saves most in each currency, in its best amount; nothing without offers.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.
        offers: rates as the caller knows them; alternatives to each other.
        earlier: what is recommended before; machines that stop or keep hours are not committed on, resized ones in
            the size that they will have.
        until: the end of the bill.
    """
    if not offers:
        return [], []
    if not by_the_hour(bill):
        return [], [_abstain("a bill by the day does not show the hours", "an hourly Cost and Usage Report")]
    hours = _on_demand(bill, earlier)
    items, abstained = [], []
    for (currency,), rows in hours.group_by("billing_currency", maintain_order=True):
        first, hourly = _whole_days(rows, until)
        if len(hourly) < LEAST_DAYS * 24:
            reason = f"{len(hourly) // 24} days of on-demand hours are left; {LEAST_DAYS} are needed"
            abstained.append(_abstain(reason, "a month of an hourly Cost and Usage Report"))
            continue
        best = max((decide(hourly, offer, seed=_SEED) for offer in offers), key=lambda one: (one.saving, one.offer))
        if best.level <= 0.0 or best.saving <= 0.0:
            abstained.append(_abstain(f"no offer saves anything in expectation; best is {best.offer}", "other offers"))
            continue
        items.append(_said(best, hourly, first, str(currency or "unknown"), until))
    return items, abstained


def _on_demand(bill: pl.DataFrame, earlier: Sequence[Recommendation]) -> pl.DataFrame:
    """Cost by hour and currency of machines that no commitment and no spot market pays for."""
    rows = classed(bill)
    gone = {name for one in earlier if one.kind in {"idle", "schedule"} for name in one.resources}
    left = {one.resources[0]: one.saving.expected for one in earlier if one.kind == "rightsize"}
    spot = [kind for kind in rows["usage_type"].unique() if usage_types.plain(kind).startswith("SpotUsage")]
    kept = rows.filter(
        pl.col("class") == MACHINE,
        (pl.col("pricing_category") != "Committed").fill_null(value=True),
        ~pl.col("usage_type").is_in(spot),
        ~pl.col("resource_id").is_in(list(gone)),
    )
    by_machine = kept.group_by("timestamp", "billing_currency", "resource_id").agg(pl.col("billed_cost").sum())
    saved = pl.col("resource_id").replace_strict(
        list(left), [value / HOURS_A_MONTH for value in left.values()], default=0.0, return_dtype=pl.Float64
    )
    cost = (pl.col("billed_cost") - saved).clip(lower_bound=0.0)
    return by_machine.group_by("billing_currency", pl.col("timestamp").dt.truncate("1h")).agg(cost.sum().alias("cost"))


def _whole_days(rows: pl.DataFrame, until: datetime) -> tuple[datetime, Array]:
    """Hours from the first midnight on, to the last whole day; an hour without usage costs nothing."""
    first: datetime = rows["timestamp"].min()  # type: ignore[assignment]
    start = first if first.hour == 0 else (first + timedelta(days=1)).replace(hour=0)
    n = max(int((until - start) / timedelta(days=1)), 0) * 24
    hourly = np.zeros(n)
    at = ((rows["timestamp"] - start).dt.total_hours()).to_numpy()
    inside = (at >= 0) & (at < n)
    hourly[at[inside]] = rows["cost"].to_numpy()[inside]
    return start, hourly


def _abstain(reason: str, collect: str) -> Abstained:
    return Abstained(what=_WHAT, reason=reason, collect=collect)


def _said(one: Commitment, hourly: Array, first: datetime, currency: str, until: datetime) -> Recommendation:
    month = float(hourly[-30 * 24 :].mean()) * HOURS_A_MONTH
    parts = "at once" if one.tranches == 1 else f"in {one.tranches} weekly parts, and stop if usage falls"
    days = hourly.reshape(-1, 24)[-30:]
    begin = first.date() + timedelta(days=len(hourly) // 24 - len(days))
    pays = f"{one.pays:.3f} {currency} an hour"
    return Recommendation(
        kind="commitment",
        resources=(one.offer,),
        account=None,
        region=None,
        service="Amazon Elastic Compute Cloud",
        what=f"commit to {pays} under {one.offer} {parts}; the last 30 days alone would say"
        f" {one.look_back_level * (1.0 - one.discount):.3f}",
        saving=Money(expected=one.saving * month, low=one.low * month, high=one.high * month, currency=currency),
        trouble=one.trouble,
        trouble_from=f"scenarios from {one.days} days with {one.falls_seen} falls seen and {one.falls_a_year:.1f} a"
        f" year reckoned with; the rate of {one.discount:.1%} is from {one.source}",
        effort="low",
        risk="the fee is owed for the whole term, whatever is used",
        evidence=Line(
            name="lowest hour of a day on demand, after all other advice",
            x=tuple(begin + timedelta(days=k) for k in range(len(days))),
            y=tuple(float(day.min()) for day in days),
        ),
        rollback="none after the purchase, but a plan bought by mistake can be returned within 7 days",
        expires=until + _EXPIRES,
        command="console: Billing and Cost Management > Savings Plans > Purchase; hourly commitment"
        f" {one.pays / one.tranches:.3f}" + ("" if one.tranches == 1 else " now, and as much again each week"),
    )
