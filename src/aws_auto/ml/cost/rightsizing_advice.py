"""Smaller sizes as recommendations on a bill: what they save of what is billed, and the commands both ways."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.cost import commands
from aws_auto.ml.cost.findings import Abstained, Money, Recommendation
from aws_auto.ml.cost.rightsizing import sizings
from aws_auto.ml.cost.running import HOURS_A_MONTH
from aws_auto.ml.cost.schedule import free_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.cost.findings import Running, Sizing
    from aws_auto.ml.cost.terms import Terms

MACHINE = "EC2 instance"
#: Of the forest; the same bill and metrics give the same advice.
_SEED = 0
#: A billed rate that differs more than this from the list price is of another system, tenancy or contract.
_SAME_RATE = 0.05


def proposals(
    things: Iterable[Running],
    bill: pl.DataFrame,
    metrics: MetricFrame | None,
    base: Callable[[Running], Recommendation],
    *,
    terms: Terms,
) -> tuple[list[Recommendation], list[Abstained]]:
    """Smaller sizes for machines that run and have metrics, and why others get none.

    Metrics from before a machine got its present type do not count, whether the bill or the caller says when that was.

    Args:
        things: machines that no earlier recommendation is about.
        bill: where it is seen when one changed its type, and at what rate it is billed.
        metrics: ids as on the bill; without any of CPU nothing is said.
        base: a recommendation that carries what all about a thing share.
        terms: prices, risk, and what was changed.
    """
    if metrics is None or not any(name.startswith("cpu_utilization") for name in metrics.data.columns):
        return [], []
    measured = set(metrics.data[RESOURCE].unique())
    known = [one for one in things if one.what == MACHINE and one.still_there and one.instance_type]
    known = [one for one in known if one.resource_id in measured]
    if not known:
        return [], []
    since = {**type_since(bill), **terms.changed}
    rates = billed_rates(bill)
    reasons = {one.resource_id: against(one, rates.get(one.resource_id), terms) for one in known}
    abstained = [_abstain(one, reasons[one.resource_id]) for one in known if reasons[one.resource_id]]
    items = []
    for region in sorted({one.region or "" for one in known}):
        here = {one.resource_id: one for one in known if (one.region or "") == region and not reasons[one.resource_id]}
        types = {name: one.instance_type or "" for name, one in here.items()}
        rows = present(metrics.data, since)
        found = sizings(rows, types, region=region or None, seed=_SEED, risk=terms.risk, book=terms.book)
        abstained += [_dated(one, since) for one in found.abstained]
        items += [_said(one, here[one.resource_id], base(here[one.resource_id]), terms) for one in found.items]
    return items, abstained


def type_since(bill: pl.DataFrame) -> dict[str, datetime]:
    """From when on each machine that changed its type has the one that it has now."""
    known = bill.lazy().filter(pl.col("resource_id").is_not_null(), pl.col("instance_type").is_not_null())
    spans = known.group_by("resource_id", "instance_type").agg(
        first=pl.col("timestamp").min(), last=pl.col("timestamp").max()
    )
    changed = spans.sort("last").group_by("resource_id").agg(pl.col("first").last(), types=pl.len())
    rows = changed.filter(pl.col("types") > 1).select("resource_id", "first").collect()
    return dict(rows.iter_rows())


def billed_rates(bill: pl.DataFrame) -> dict[str, float]:
    """What an hour of each machine is billed at in its present type, on demand."""
    on_demand = (pl.col("pricing_category") != "Committed").fill_null(value=True)
    hours = bill.lazy().filter(
        pl.col("usage_type").str.contains("BoxUsage"), pl.col("consumed_quantity") > 0, on_demand
    )
    rates = hours.group_by("resource_id", "instance_type").agg(
        rate=pl.col("billed_cost").sum() / pl.col("consumed_quantity").sum(), last=pl.col("timestamp").max()
    )
    present = rates.filter(pl.col("resource_id").is_not_null()).sort("last").group_by("resource_id").last()
    return dict(present.select("resource_id", "rate").collect().iter_rows())


def against(thing: Running, rate: float | None, terms: Terms) -> str:
    """Why no other type of this machine can be priced; empty where it can."""
    if thing.managed_by:
        return f"{thing.managed_by} decides its type: change it there"
    if free_share(thing) < 1.0 - _SAME_RATE:
        return "a commitment pays for part of it: another type saves nothing until that ends"
    dollars = terms.in_dollars(thing.monthly.currency)
    if dollars is None:
        return (
            f"the bill is in {thing.monthly.currency} and prices are in USD: say what one is worth,"
            f" for example --dollars {thing.monthly.currency}=1.10"
        )
    price = terms.book.price(thing.instance_type or "", thing.region)
    if price is not None and rate is not None and abs(rate * dollars / price.usd_per_hour - 1.0) > _SAME_RATE:
        return (
            f"it is billed at {rate:.4f} {thing.monthly.currency} an hour and the list says {price.usd_per_hour:.4f}"
            " USD (Linux): another system, tenancy, contract or year, for which the price of another type is not known"
        )
    return ""


def present(rows: pl.DataFrame, since: Mapping[str, datetime]) -> pl.DataFrame:
    """What was measured since each machine has its present type."""
    if not since:
        return rows
    starts = pl.DataFrame({RESOURCE: list(since), "since": list(since.values())})
    starts = starts.with_columns(pl.col("since").cast(rows.schema[TIMESTAMP]))
    joined = rows.join(starts, on=RESOURCE, how="left", maintain_order="left")
    return joined.filter((pl.col(TIMESTAMP) >= pl.col("since")).fill_null(value=True)).drop("since")


def _dated(one: Abstained, since: Mapping[str, datetime]) -> Abstained:
    """Say where a history is short because it begins with a change."""
    began = next((at for name, at in since.items() if one.what.startswith(f"{name} ")), None)
    if began is None:
        return one
    return replace(
        one, reason=f"{one.reason}; it has this type since {began:%Y-%m-%d}, and what was before is not used"
    )


def _abstain(thing: Running, reason: str) -> Abstained:
    what = f"{thing.resource_id} ({thing.instance_type})"
    return Abstained(what=what, reason=reason, collect="nothing; decide by hand", monthly=thing.monthly)


def _said(one: Sizing, thing: Running, base: Recommendation, terms: Terms) -> Recommendation:
    hourly = one.saving / (terms.in_dollars(thing.monthly.currency) or 1.0)
    expected = hourly * HOURS_A_MONTH * thing.share
    month = thing.monthly
    spread = (month.low / month.expected, month.high / month.expected) if month.expected > 0 else (1.0, 1.0)
    most = hourly * HOURS_A_MONTH
    return replace(
        base,
        kind="rightsize",
        what=f"make this {one.now} a {one.to}: {one.saving_share:.0%} less an hour; {one.memory}",
        saving=Money(
            expected=expected,
            low=expected * spread[0],
            high=max(min(expected * spread[1], most), expected),
            currency=month.currency,
        ),
        trouble=one.trouble,
        trouble_from=f"{one.trouble_from}; trouble is CPU above the new size in more than 0.5 % of the next 14 days",
        effort="medium",
        risk="it is slow at its peaks; a stop loses instance store data and an address that is not elastic",
        evidence=one.evidence,
        command=commands.resize(one.resource_id, one.to, thing.region),
        rollback=commands.resize(one.resource_id, one.now, thing.region),
        subject=one.now,
    )
