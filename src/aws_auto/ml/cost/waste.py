"""What costs money and does nothing: said only as far as the bill itself proves it, else what would settle it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from aws_auto.ml.cost import usage_types
from aws_auto.ml.cost.commitments_used import is_usage, last_moment
from aws_auto.ml.cost.findings import Running, Waste
from aws_auto.ml.cost.running import Office, classed, monthly, running
from aws_auto.results import Line

if TYPE_CHECKING:
    from datetime import datetime

    from aws_auto.ml.cost.usage_types import Meaning

#: An unused hour proves little; a fortnight holds every day of the week twice.
LEAST = timedelta(days=14)
#: Of that fortnight: what is billed now and then comes and goes.
_MOST_DAYS = 12
#: A development tool that ran day and night for less is told from a long day's work no better than by luck.
_LEAST_LIFE = timedelta(days=3)
_PLACE = ("billing_currency", "sub_account_id", "region_id")
#: Everything that a volume can be attached to is billed under one of these words.
_COMPUTE = r"BoxUsage|SpotUsage|Dedicated|HostUsage|UnusedBox|UnusedDed|Fargate"


def waste(
    bill: pl.DataFrame, *, office: Office | None = None, things: tuple[Running, ...] | None = None
) -> tuple[Waste, ...]:
    """Idle things, development that runs day and night, and what the bill cannot tell; in this order, dearest first.

    Proven idle are: addresses that AWS bills as idle; load balancers, NAT gateways, endpoints, attachments, shards and
    magnetic volumes without one unit of traffic in at least 14 days; volumes in a region in which nothing ran that they
    could serve. Everything else is unknown until something is collected: whether a volume is attached, a snapshot
    needed or an instance busy is on no bill.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.
        office: working hours.
        things: what `running` said of this bill, where it was asked before.

    Raises:
        SchemaError: a column of a bill is missing.
    """
    rows = classed(bill)
    until = last_moment(bill)
    if rows.is_empty():
        return ()
    idle = [*_idle_by_name(rows, until), *_without_traffic(bill, rows, until), *_without_compute(bill, rows, until)]
    development = _development(running(bill, office=office) if things is None else things)
    known = {resource for one in (*idle, *development) for resource in one.resource_ids}
    unknown = _unknown(bill, rows.filter(~pl.col("resource_id").is_in(list(known))), until)
    order = {"idle": 0, "development": 1, "unknown": 2}
    found = [*idle, *development, *unknown]
    return tuple(sorted(found, key=lambda one: (order[one.verdict], -one.monthly.expected, one.resource_ids)))


def _idle_by_name(rows: pl.DataFrame, until: datetime) -> list[Waste]:
    names = [one.name for one in usage_types.TABLE if one.role == "unused"]
    return [
        _group(part, part["class"][0], "idle", until, f"AWS has billed it as idle on {_days(part)} days")
        for part in _still_there(rows.filter(pl.col("class").is_in(names)), until)
    ]


def _without_traffic(bill: pl.DataFrame, rows: pl.DataFrame, until: datetime) -> list[Waste]:
    found = []
    for one in usage_types.TABLE:
        hours = rows.filter(pl.col("class") == one.name) if one.traffic else rows.clear()
        if hours.is_empty():
            continue
        served = _served(bill, one)
        if served.null_count():
            # Traffic without a resource could be anybody's: then nothing is proven.
            continue
        words = re.sub(r"[\^$()]|\?:", "", one.traffic or "").replace("|", " or ")
        found += [
            _group(part, one.name, "idle", until, f"no {words} was billed in {_days(part)} days")
            for part in _still_there(hours.filter(~pl.col("resource_id").is_in(served.to_list())), until)
        ]
    return found


def _served(bill: pl.DataFrame, meaning: Meaning) -> pl.Series:
    """The resources of that class's traffic, null where a line of traffic names none."""
    types = usage_types.traffic_types(bill["usage_type"], meaning)
    return bill.filter(pl.col("usage_type").is_in(types), pl.col("consumed_quantity") > 0)["resource_id"].unique()


def _without_compute(bill: pl.DataFrame, rows: pl.DataFrame, until: datetime) -> list[Waste]:
    """Volumes of an account and region in which nothing ran in the last fortnight."""
    ran = bill.filter(pl.col("usage_type").str.contains(_COMPUTE), pl.col("timestamp") >= until - LEAST)
    places = ran.select(_PLACE).unique()
    volumes = rows.filter(pl.col("class") == "EBS volume").join(places, on=_PLACE, how="anti", nulls_equal=True)
    found = []
    for part in volumes.partition_by(_PLACE, maintain_order=True):
        lasting = _still_there(part, until)
        if lasting:
            proof = f"no instance or container ran in this account and region in the last {LEAST.days} days"
            found.append(_group(pl.concat(lasting), "EBS volume", "idle", until, proof))
    return found


def _development(things: tuple[Running, ...]) -> list[Waste]:
    return [
        Waste(
            what=one.what,
            verdict="development",
            account=one.account,
            region=one.region,
            resource_ids=(one.resource_id,),
            monthly=one.monthly,
            first=one.first,
            last=one.last,
            proof=f"{one.development}, and it was on for {one.hours} hours, {one.share:.0%} of the time"
            + ("" if one.night_share is None else f" ({one.night_share:.0%} of the nights)")
            + f", for {one.billed:,.2f} {one.monthly.currency}"
            + ("" if one.still_there else "; it is gone"),
            collect=usage_types.named(one.what).collect,
            evidence=one.evidence,
        )
        for one in things
        if one.development and one.always_on and one.last - one.first >= _LEAST_LIFE
    ]


def _unknown(bill: pl.DataFrame, rows: pl.DataFrame, until: datetime) -> list[Waste]:
    found = []
    for part in rows.partition_by("class", *_PLACE, maintain_order=True):
        meaning = usage_types.named(part["class"][0])
        if meaning.traffic and not _served(bill, meaning).null_count():
            continue  # each is used, or too young to say that it is not
        now = part.filter(pl.col("timestamp") >= until - timedelta(days=1))["resource_id"].n_unique()
        seen = part["resource_id"].n_unique()
        proof = f"{seen} on the bill, {now} of them still on its last day; {_what_is_missing(meaning)}"
        proof += _age(part, bill, until)
        found.append(_group(part, meaning.name, "unknown", until, proof))
    return found


def _age(part: pl.DataFrame, bill: pl.DataFrame, until: datetime) -> str:
    """How many are at least as old as the bill, which is all that it tells of an age."""
    if part["class"][0] not in ("EBS snapshot", "RDS backup storage"):
        return ""
    start: Any = bill.filter(is_usage())["timestamp"].min()
    old = part.filter((pl.col("timestamp").min() < start + timedelta(days=1)).over("resource_id"))
    if old.is_empty():
        return ""
    now = old.filter((pl.col("timestamp").max() >= until - timedelta(days=1)).over("resource_id"))
    days, count = (until - start).days, now["resource_id"].n_unique()
    return f"; {count} of them, for {now['billed_cost'].sum():,.2f} in that time, are at least {days} days old"


def _what_is_missing(meaning: Meaning) -> str:
    if meaning.name == "EBS volume":
        return "which are attached, and to a running or a stopped instance, is not on a bill"
    if meaning.name in ("EBS snapshot", "RDS backup storage"):
        return "how old each is, and what needs it, is not on a bill"
    if meaning.name == "extended support of an old version":
        return "it is a surcharge for a version that is out of standard support"
    return "how busy each is, is not on a bill"


def _still_there(rows: pl.DataFrame, until: datetime) -> list[pl.DataFrame]:
    """The lines of each resource that was billed for a fortnight and still is."""
    first, last = pl.col("timestamp").min(), pl.col("timestamp").max()
    days = pl.col("timestamp").dt.date().n_unique()
    lasting = (last >= until - timedelta(days=1)) & (last - first >= LEAST - timedelta(days=1)) & (days >= _MOST_DAYS)
    kept = rows.filter(lasting.over(*_PLACE, "resource_id"))
    return kept.partition_by(*_PLACE, "resource_id", maintain_order=True)


def _days(part: pl.DataFrame) -> int:
    return int(part["timestamp"].dt.date().n_unique())


def _group(rows: pl.DataFrame, what: str, verdict: Any, until: datetime, proof: str) -> Waste:  # noqa: ANN401 - a literal
    cost = pl.coalesce("effective_cost", "billed_cost").sum().alias("cost")
    ids = rows.group_by("resource_id").agg(cost).sort("cost", "resource_id", descending=[True, False])
    days = rows.group_by(pl.col("timestamp").dt.date().alias("day")).agg(cost).sort("day")
    first: Any = rows["timestamp"].min()
    last: Any = rows["timestamp"].max()
    return Waste(
        what=what,
        verdict=verdict,
        account=rows["sub_account_id"][0],
        region=rows["region_id"][0],
        resource_ids=tuple(ids["resource_id"]),
        monthly=monthly(days, "cost", rows["billing_currency"][0] or "unknown", until=until),
        first=first,
        last=last,
        proof=proof,
        collect=usage_types.named(what).collect,
        evidence=Line(name="cost a day", x=tuple(days["day"]), y=tuple(days["cost"]), style="bars"),
    )
