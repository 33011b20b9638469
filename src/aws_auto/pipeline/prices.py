"""Prices: ask for the rates of what is on the bill, keep them with their day and source, say what is known."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from aws_auto.errors import AwsAutoError, UsageError
from aws_auto.ml.cost.price_book import Book, Rate
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.protocols import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aws_auto.pipeline.ports import Workspace
    from aws_auto.protocols import Progress

DATASET = "prices"
#: What makes two rates the same one, on one day.
_KEYS = ("kind", "region", "item", "currency", "plan", "payment", "term_days")
_SCHEMA: dict[str, type[pl.DataType]] = {
    "kind": pl.String,
    "region": pl.String,
    "item": pl.String,
    "price": pl.Float64,
    "unit": pl.String,
    "currency": pl.String,
    "source": pl.String,
    "plan": pl.String,
    "payment": pl.String,
    "term_days": pl.Int64,
    "vcpu": pl.Int64,
    "memory_gib": pl.Float64,
    "architecture": pl.String,
    "generation": pl.Int64,
    "gpus": pl.Int64,
}
#: A bill names many regions in which hardly anything is spent.
_LOOK_BACK = timedelta(days=90)


class PriceSource(Protocol):
    """Where rates are asked for; `aws_auto.pipeline.aws.prices.PriceLists` is the real one."""

    calls: int

    def machines(self, region: str) -> list[Rate]:
        """On-demand prices of all instance types there."""
        ...

    def storage(self, region: str) -> list[Rate]:
        """Prices of storage there."""
        ...

    def plans(self, region: str, types: Sequence[str]) -> list[Rate]:
        """What an hour of these types costs there under each Savings Plan."""
        ...

    def reservations(self, region: str, types: Sequence[str]) -> list[Rate]:
        """What an hour of these types costs there under each reservation."""
        ...


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """What was asked for and stored; ``refused`` says which list could not be had, and why."""

    regions: tuple[str, ...]
    types: tuple[str, ...]
    rates: int
    calls: int
    refused: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Known:
    """The rates of one kind, region and source; ``stale`` of them are too old to rely on."""

    kind: str
    region: str
    rates: int
    oldest: str
    newest: str
    stale: int
    source: str


def refresh(
    ws: Workspace, source: PriceSource, *, regions: Sequence[str] = (), progress: Progress = silent
) -> Refreshed:
    """Ask for the rates of these regions and keep them, all in one step.

    Args:
        ws: its bill says which instance types, and where none are given which regions, are asked for.
        source: where rates come from.
        regions: default those of the bill.
        progress: told after each list.

    Raises:
        UsageError: no region is given and there is no bill.
        TargetError: nothing at all could be had.
    """
    used = _on_the_bill(ws)
    wanted = sorted(set(regions) or set(used))
    if not wanted:
        raise UsageError(
            "there is no bill that names a region",
            where="--region",
            hint="name one: aws-auto ml prices refresh --region us-east-1",
        )
    found: list[Rate] = []
    refused: dict[str, AwsAutoError] = {}
    lists = [(region, *one) for region in wanted for one in _lists(source, region, used.get(region, ()))]
    for done, (region, name, ask) in enumerate(lists, start=1):
        try:
            found += ask()
        except AwsAutoError as error:
            refused[f"{name} in {region}"] = error
        progress(f"{name} in {region}", done, len(lists))
    if not found and refused:
        raise next(iter(refused.values()))
    _store(ws, found)
    return Refreshed(
        regions=tuple(wanted),
        types=tuple(sorted({kind for region in wanted for kind in used.get(region, ())})),
        rates=len(found),
        calls=source.calls,
        refused=tuple(f"{name}: {error}" for name, error in refused.items()),
    )


def book(ws: Workspace) -> Book:
    """Every rate that was ever asked for, each as it was last seen, and the shipped table behind them."""
    scan = ws.lake.scan(DATASET)
    if not scan.collect_schema():
        return Book()
    newest = scan.sort("timestamp").group_by(_KEYS, maintain_order=True).last().collect()
    return Book(tuple(_rate(row) for row in newest.sort(_KEYS).iter_rows(named=True)))


def known(ws: Workspace) -> tuple[Known, ...]:
    """What is known and how old it is, the shipped table included."""
    from aws_auto.ml.cost import prices

    today, asked = ws.clock.now().date(), book(ws).rates
    shipped = [
        Rate(
            kind="on-demand",
            region=one.region,
            item=one.instance_type,
            price=one.usd_per_hour,
            unit="Hrs",
            currency="USD",
            as_of=one.as_of,
            source=f"shipped: {one.source}",
        )
        for one in prices.table().values()
    ]
    groups: dict[tuple[str, str, str], list[Rate]] = {}
    for one in (*asked, *shipped):
        groups.setdefault((one.kind, one.region, one.source), []).append(one)
    return tuple(
        Known(
            kind=kind,
            region=region,
            rates=len(rates),
            oldest=min(one.as_of for one in rates).isoformat(),
            newest=max(one.as_of for one in rates).isoformat(),
            stale=sum(one.stale(today) for one in rates),
            source=source,
        )
        for (kind, region, source), rates in sorted(groups.items())
    )


def _lists(source: PriceSource, region: str, types: Sequence[str]) -> list[tuple[str, Callable[[], list[Rate]]]]:
    return [
        ("on-demand prices", lambda: source.machines(region)),
        ("storage prices", lambda: source.storage(region)),
        ("Savings Plan rates", lambda: source.plans(region, types)),
        ("reservation rates", lambda: source.reservations(region, types)),
    ]


def _on_the_bill(ws: Workspace) -> dict[str, tuple[str, ...]]:
    """Instance types by region, of machines of the last three months of the bill."""
    scan = ws.lake.scan("billing")
    if "usage_type" not in scan.collect_schema().names():
        return {}
    regions = scan.filter(
        pl.col("timestamp") >= pl.col("timestamp").max() - _LOOK_BACK, pl.col("region_id").is_not_null()
    )
    machine = pl.col("usage_type").str.contains("BoxUsage")
    used = regions.group_by("region_id").agg(pl.col("instance_type").filter(machine).drop_nulls().unique()).collect()
    return {row["region_id"]: tuple(sorted(row["instance_type"])) for row in used.iter_rows(named=True) if _named(row)}


def _named(row: dict[str, Any]) -> bool:
    """True for a region; bills call what is nowhere ``global``, ``us-east-1`` and other things."""
    return str(row["region_id"]).count("-") >= 2


def _store(ws: Workspace, rates: Sequence[Rate]) -> None:
    days = sorted({one.as_of for one in rates})
    if not days:
        return
    rows = [
        {name: getattr(one, name) for name in _SCHEMA}
        | {"plan": one.plan or "", "payment": one.payment or "", "term_days": one.term_days or 0}
        | {"timestamp": datetime.combine(one.as_of, time(), UTC)}
        for one in rates
    ]
    table = pl.DataFrame(rows, schema={**_SCHEMA, "timestamp": pl.Datetime("us", "UTC")})
    first, last = (datetime.combine(day, time(), UTC) for day in (days[0], days[-1]))
    # One rate may be listed twice (two offerings of one plan); the lake takes one row a key.
    table = table.unique(subset=[*_KEYS, "timestamp"], keep="last", maintain_order=True)
    ws.lake.write(
        Batch(dataset=DATASET, rows=table, window=Window(first, last + timedelta(days=1)), keys=(*_KEYS, "timestamp"))
    )


def _rate(row: dict[str, Any]) -> Rate:
    names = {one.name for one in fields(Rate)}
    said = {name: value for name, value in row.items() if name in names}
    said |= {"plan": row["plan"] or None, "payment": row["payment"] or None, "term_days": row["term_days"] or None}
    return Rate(as_of=row["timestamp"].date(), **said)
