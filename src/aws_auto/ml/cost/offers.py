"""Offers of commitments from refreshed rates: one discount for what an account really runs.

A Savings Plan has a rate for each instance type. What it is worth to an account is one number, the discount on the
on-demand cost of its own mix: one less the cost of its hours at the plan's rates, over their cost at list price, for
the types of which both are known. An offer is made where these types are nearly all of what it would cover.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.ml.cost import usage_types
from aws_auto.ml.cost.commitments import Offer
from aws_auto.ml.cost.prices import family
from aws_auto.ml.cost.rightsizing_advice import MACHINE
from aws_auto.ml.cost.running import classed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_auto.ml.cost.price_book import Book, Rate

#: The mix of the last month is what a commitment would cover next.
_RECENT = timedelta(days=30)
#: The share of the hours whose rates must be known.
_KNOWN = 0.9
_PAID_AT_ONCE = ("No Upfront", "Partial Upfront", "All Upfront")
_YEARS = {365: "1 year", 1095: "3 years"}

#: Hours by region and instance type.
Mix = dict[tuple[str, str], float]


def from_rates(book: Book, bill: pl.DataFrame) -> tuple[Offer, ...]:
    """The best plan of each reach and term that rates are known of, for what ran in the last month.

    Of the payment options the one with the least paid at once is taken: what paying earlier saves is interest.

    Args:
        book: what rates are known.
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.
    """
    rates = book.commitments()
    if not rates:
        return ()
    mix = _mix(bill)
    groups: dict[tuple[str, ...], list[Rate]] = defaultdict(list)
    for one in rates:
        place = ("", "") if one.plan == "Compute" else (one.region, family(one.item))
        groups[(*place, one.kind, one.plan or "", str(one.term_days), one.payment or "")].append(one)
    made: dict[tuple[str, ...], Offer] = {}
    for key in sorted(groups, key=lambda key: _PAID_AT_ONCE.index(key[-1]) if key[-1] in _PAID_AT_ONCE else 9):
        region, name, *_ = key
        here = {place: hours for place, hours in mix.items() if _covers(place, region, name)}
        offer = _offer(groups[key], book, here, region, name)
        if offer is not None:
            made.setdefault(key[:-1], offer)
    best: dict[tuple[str, str, timedelta], Offer] = {}
    for offer in made.values():
        reach = (offer.region or "", offer.family or "", offer.term)
        if reach not in best or offer.discount > best[reach].discount:
            best[reach] = offer
    return tuple(best[reach] for reach in sorted(best))


def _mix(bill: pl.DataFrame) -> Mix:
    """Hours on demand of the last month."""
    rows = classed(bill)
    spot = pl.col("usage_type").is_in([w for w in rows["usage_type"].unique() if "SpotUsage" in usage_types.plain(w)])
    on_demand = (pl.col("pricing_category") != "Committed").fill_null(value=True)
    kept = rows.filter(pl.col("class") == MACHINE, on_demand, ~spot, pl.col("instance_type").is_not_null())
    recent = kept.filter(pl.col("timestamp") >= pl.col("timestamp").max() - _RECENT)
    hours = recent.group_by("region_id", "instance_type").agg(pl.col("consumed_quantity").sum())
    return {(region or "", kind): quantity for region, kind, quantity in hours.iter_rows()}


def _covers(place: tuple[str, str], region: str, name: str) -> bool:
    return (not region or place[0] == region) and (not name or family(place[1]) == name)


def _offer(
    rates: Iterable[Rate], book: Book, mix: Mapping[tuple[str, str], float], region: str, name: str
) -> Offer | None:
    known = {(one.region, one.item): one for one in rates}
    listed = {place: price.usd_per_hour for place in mix if (price := book.price(place[1], place[0])) is not None}
    whole = sum(mix.values())
    both = [place for place in mix if place in known and place in listed]
    on_demand = sum(listed[place] * mix[place] for place in both)
    if not both or sum(mix[place] for place in both) < _KNOWN * whole:
        return None
    discount = 1.0 - sum(known[place].price * mix[place] for place in both) / on_demand
    if not 0.0 < discount < 1.0:
        return None
    first = known[both[0]]
    seen = min(known[place].as_of for place in both)
    return Offer(
        name=_name(first, region, name),
        discount=discount,
        source=f"{first.source} of {seen}, on the mix of the last {_RECENT.days} days",
        term=timedelta(days=first.term_days or 365),
        region=region or None,
        family=name or None,
        as_of=seen,
        reservation=first.kind == "reserved",
        returnable=first.kind != "reserved",
    )


def _name(rate: Rate, region: str, name: str) -> str:
    term = _YEARS.get(rate.term_days or 0, f"{rate.term_days} days")
    where = f" for {name} in {region}" if name else ""
    if rate.kind == "reserved":
        return f"{rate.plan} reservation{where}, {term}, {(rate.payment or '').lower()}"
    kind = "Compute Savings Plan" if rate.plan == "Compute" else "EC2 Instance Savings Plan"
    return f"{kind}{where}, {term}, {(rate.payment or '').lower()}"
