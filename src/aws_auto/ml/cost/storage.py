"""Storage that costs less in another class, as far as the bill shows it: gp2 volumes, and buckets that nobody reads.

A rate is taken from the bill itself (what a gigabyte of that class cost there in the last weeks) or from a refreshed
price list. Without one nothing is said but which rate is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.ml.cost import commands, usage_types
from aws_auto.ml.cost.commitments_used import is_usage
from aws_auto.ml.cost.findings import Abstained, Money, Recommendation
from aws_auto.ml.cost.running import monthly
from aws_auto.results import Line

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from aws_auto.ml.cost.terms import Terms

GP2, GP3 = "EBS:VolumeUsage.gp2", "EBS:VolumeUsage.gp3"
IOPS, THROUGHPUT = "EBS:VolumeP-IOPS.gp3", "EBS:VolumeP-Throughput.gp3"
STANDARD, INFREQUENT = "TimedStorage-ByteHrs", "TimedStorage-SIA-ByteHrs"
#: What gp3 has without surcharge, and what gp2 gives by size (Amazon EBS User Guide, "General Purpose SSD volumes").
_FREE_IOPS, _IOPS_A_GIB, _MOST_IOPS = 3000, 3, 16_000
_FREE_THROUGHPUT, _GP2_THROUGHPUT, _SMALL_GIB = 125, 250, 170
#: Infrequent Access bills at least 30 days; a month without a read is the least that speaks for it.
_UNREAD = timedelta(days=30)
_LEAST_LIFE = timedelta(days=13)
_LEAST_MONEY = 1.0
_LASTS = timedelta(days=30)
_PLACE = ("billing_currency", "sub_account_id", "region_id")
#: Operations by which the content of an object leaves a bucket.
_READS = r"^(?:GetObject|SelectObjectContent|HeadObject|CopyObject|ReadObject\w*)"


@dataclass(frozen=True)
class _Rate:
    """Price of a unit in the currency of the bill, and where it is from."""

    price: float
    source: str


@dataclass(frozen=True)
class _Stored:
    """The lines of one class of storage in one place, and what is known of rates there."""

    bill: pl.DataFrame
    rows: pl.DataFrame
    terms: Terms
    until: datetime

    @property
    def currency(self) -> str:
        return str(self.rows["billing_currency"][0] or "unknown")

    @property
    def region(self) -> str | None:
        found: str | None = self.rows["region_id"][0]
        return found

    def rate(self, item: str) -> _Rate | None:
        """From the bill, else from a price list."""
        words = [w for w in self.bill["usage_type"].drop_nulls().unique() if usage_types.plain(w) == item]
        here = self.bill.filter(
            pl.col("usage_type").is_in(words),
            pl.col("region_id").eq_missing(pl.lit(self.region)),
            pl.col("billing_currency").eq_missing(pl.lit(self.rows["billing_currency"][0])),
            pl.col("consumed_quantity") > 0,
            pl.col("billed_cost") > 0,
        )
        if len(here):
            price = float(here["billed_cost"].sum()) / float(here["consumed_quantity"].sum())
            return _Rate(price, "this bill")
        dollars = self.terms.in_dollars(self.currency)
        listed = self.terms.book.storage(item, self.region, "USD")
        if listed is None or dollars is None:
            return None
        unit = 1024.0 if listed.unit.lower().startswith("gibps") else 1.0
        return _Rate(listed.price / dollars / unit, f"{listed.source} of {listed.as_of}")

    def month(self, rows: pl.DataFrame) -> tuple[Money, Line]:
        """What these lines cost in a month, and by day."""
        cost = pl.coalesce("effective_cost", "billed_cost").sum().alias("cost")
        days = rows.group_by(pl.col("timestamp").dt.date().alias("day")).agg(cost).sort("day")
        line = Line(name="cost a day", x=tuple(days["day"]), y=tuple(days["cost"]), style="bars")
        return monthly(days, "cost", self.currency, until=self.until), line


def proposals(
    bill: pl.DataFrame, taken: Collection[str], *, terms: Terms, until: datetime
) -> tuple[list[Recommendation], list[Abstained]]:
    """Cheaper classes for volumes and buckets that no earlier recommendation is about.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.
        taken: resources that earlier recommendations are about.
        terms: prices.
        until: the end of the bill.
    """
    used = bill.filter(is_usage(), pl.col("resource_id").is_not_null(), ~pl.col("resource_id").is_in(list(taken)))
    items: list[Recommendation] = []
    silent: list[Abstained] = []
    for item, judge in ((GP2, _volumes), (STANDARD, _buckets)):
        for part in _lasting(used, item, until).partition_by(_PLACE, maintain_order=True):
            said = judge(_Stored(bill, part, terms, until))
            items += [one for one in said if isinstance(one, Recommendation)]
            silent += [one for one in said if isinstance(one, Abstained)]
    return items, silent


def _lasting(used: pl.DataFrame, item: str, until: datetime) -> pl.DataFrame:
    """Lines of that class, of what was there for a fortnight and still is."""
    words = [w for w in used["usage_type"].drop_nulls().unique() if usage_types.plain(w) == item]
    first, last = pl.col("timestamp").min(), pl.col("timestamp").max()
    lasting = (last >= until - timedelta(days=1)) & (last - first >= _LEAST_LIFE)
    kept = used.filter(pl.col("usage_type").is_in(words), pl.col("consumed_quantity") > 0)
    return kept.filter(lasting.over("resource_id"))


def _volumes(stored: _Stored) -> list[Recommendation | Abstained]:
    """gp2 volumes of one place as gp3: those that need no surcharge, and those that do where its rate is known."""
    money, evidence = stored.month(stored.rows)
    gp3, gp2 = stored.rate(GP3), stored.rate(GP2)
    if gp3 is None or gp2 is None:
        return [_missing(stored, "gp2 volumes as gp3", GP3, money)]
    tariff = _Tariff(gp2.price, gp3.price, stored.rate(IOPS), stored.rate(THROUGHPUT))
    volumes = [_volume(name, gib, tariff) for name, gib in _sizes(stored.rows).iter_rows()]
    said: list[Recommendation | Abstained] = []
    if None in volumes:
        what = f"{volumes.count(None)} gp2 volumes of more than {_FREE_IOPS // _IOPS_A_GIB} GiB as gp3"
        said.append(_missing(stored, what, f"{IOPS} and {THROUGHPUT}", None))
    cheaper = [one for one in volumes if one is not None and one.high > 0.0]
    if sum(one.expected for one in cheaper) < _LEAST_MONEY:
        return said
    spread = money.low / money.expected if money.expected > 0 else 1.0
    names = tuple(one.name for one in sorted(cheaper, key=lambda one: (-one.expected, one.name)))
    said.append(
        Recommendation(
            kind="storage",
            resources=names,
            account=stored.rows["sub_account_id"][0],
            region=stored.region,
            service="EBS volume",
            what=f"make {len(names)} gp2 volumes gp3: {gp3.price:.4f} for {gp2.price:.4f} {stored.currency} a GB and"
            f" month (the rate of gp3 is from {gp3.source})",
            saving=Money(
                expected=sum(one.expected for one in cheaper),
                low=sum(one.low for one in cheaper) * spread,
                high=sum(one.high for one in cheaper),
                currency=stored.currency,
            ),
            trouble=None,
            trouble_from="CloudWatch VolumeReadBytes and VolumeWriteBytes of 14 days: whether one passes 125 MB/s",
            effort="low",
            risk=f"volumes over {_SMALL_GIB} GiB may be read faster than gp3's {_FREE_THROUGHPUT} MB/s; a volume is"
            " slower while it is changed, and cannot be changed again for six hours",
            evidence=evidence,
            rollback="\n".join(commands.volume(one.name, stored.region, "gp2") for one in cheaper),
            expires=stored.until + _LASTS,
            command="\n".join(
                commands.volume(one.name, stored.region, "gp3", iops=one.iops, throughput=one.throughput)
                for one in cheaper
            ),
            subject="gp2",
        )
    )
    return said


@dataclass(frozen=True)
class _Tariff:
    """Prices of a gigabyte a month, and of what gp3 asks more for where that is known."""

    gp2: float
    gp3: float
    iops: _Rate | None
    throughput: _Rate | None


@dataclass(frozen=True)
class _Volume:
    """One volume as gp3: what it saves a month, and what must be bought beside its size (None for nothing)."""

    name: str
    expected: float
    low: float
    high: float
    iops: int | None
    throughput: int | None


def _volume(name: str, gib: float, tariff: _Tariff) -> _Volume | None:
    """None where it needs a surcharge that is not known."""
    plain = gib * (tariff.gp2 - tariff.gp3)
    if gib <= _SMALL_GIB:
        return _Volume(name, plain, plain, plain, None, None)
    surcharge = tariff.throughput
    faster = None if surcharge is None else (_GP2_THROUGHPUT - _FREE_THROUGHPUT) * surcharge.price
    if gib * _IOPS_A_GIB <= _FREE_IOPS:
        # As fast as it was at the worst, as cheap as it can be at the best.
        return _Volume(name, plain, 0.0 if faster is None else max(plain - faster, 0.0), plain, None, None)
    if tariff.iops is None or faster is None:
        return None
    wanted = min(round(gib * _IOPS_A_GIB), _MOST_IOPS)
    kept = plain - (wanted - _FREE_IOPS) * tariff.iops.price - faster
    return _Volume(name, kept, kept, kept, wanted, _GP2_THROUGHPUT)


def _sizes(rows: pl.DataFrame) -> pl.DataFrame:
    """GiB of each volume: a line bills its share of the month."""
    start = pl.col("timestamp").dt.truncate("1mo")
    month = start.dt.offset_by("1mo") - start
    length = pl.coalesce(pl.col("charge_period_end") - pl.col("timestamp"), pl.duration(hours=1))
    share = (length + timedelta(seconds=1)).dt.total_hours().clip(lower_bound=1) / month.dt.total_hours()
    last = pl.col("timestamp") >= pl.col("timestamp").max() - timedelta(days=2)
    day = pl.col("timestamp").dt.date()
    # Two lines of one hour (an old and a new rate) are one volume: add within the hour, then take the median hour.
    hours = rows.filter(last).with_columns(gib=pl.col("consumed_quantity") / share)
    added = hours.group_by("resource_id", day.alias("day"), "timestamp").agg(pl.col("gib").sum())
    return added.group_by("resource_id").agg(pl.col("gib").median()).sort("resource_id")


def _buckets(stored: _Stored) -> list[Recommendation | Abstained]:
    """Buckets whose standard storage nobody read for a month, as infrequent access."""
    unread = stored.rows.filter(~pl.col("resource_id").is_in(_read(stored.bill)))
    first, last = pl.col("timestamp").min(), pl.col("timestamp").max()
    unread = unread.filter((last - first >= _UNREAD - timedelta(days=1)).over("resource_id"))
    said: list[Recommendation | Abstained] = []
    for part in unread.partition_by("resource_id", maintain_order=True):
        money, evidence = stored.month(part)
        if money.expected < _LEAST_MONEY:
            continue
        name = str(part["resource_id"][0])
        standard, infrequent = stored.rate(STANDARD), stored.rate(INFREQUENT)
        if standard is None or infrequent is None:
            said.append(_missing(stored, f"the bucket {name}, which nobody read for a month", INFREQUENT, money))
            continue
        share = 1.0 - infrequent.price / standard.price
        if share * money.expected >= _LEAST_MONEY:
            said.append(_bucket(name, stored, share, money, evidence, infrequent.source))
    return said


def _bucket(name: str, stored: _Stored, share: float, money: Money, evidence: Line, source: str) -> Recommendation:
    command, rollback = commands.infrequent(name)
    return Recommendation(
        kind="storage",
        resources=(name,),
        account=stored.rows["sub_account_id"][0],
        region=stored.region,
        service="S3 bucket",
        what=f"keep {name} in Standard-IA: nothing of it was read in {_UNREAD.days} days, and a GB is {share:.0%} less"
        f" (the rate is from {source})",
        # Objects under 128 KB are billed as 128 KB: with many small ones nothing is left.
        saving=Money(expected=share * money.expected, low=0.0, high=share * money.high, currency=money.currency),
        trouble=None,
        trouble_from="S3 Storage Lens or an inventory: how many objects are under 128 KB, and how old they are",
        effort="low",
        risk="a read costs by the gigabyte; objects under 128 KB cost as much as 128 KB, and each move of one costs",
        evidence=evidence,
        rollback=rollback,
        expires=stored.until + _LASTS,
        command=command,
        subject="standard",
    )


def _read(bill: pl.DataFrame) -> list[str]:
    """Buckets of which something was read or sent out."""
    served = pl.col("operation").str.contains(_READS) | pl.col("usage_type").str.contains("Out-Bytes|Select-Returned")
    kept = bill.filter(is_usage(), served, pl.col("consumed_quantity") > 0, pl.col("resource_id").is_not_null())
    return kept["resource_id"].unique().to_list()


def _missing(stored: _Stored, what: str, item: str, money: Money | None) -> Abstained:
    place = stored.region or "no region"
    return Abstained(
        what=f"{what}, {place}",
        reason=f"the rate of {item} in {place} is neither on this bill nor asked for yet",
        collect="rates of storage: aws-auto ml prices refresh",
        monthly=money,
    )
