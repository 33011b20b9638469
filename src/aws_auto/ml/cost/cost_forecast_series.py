"""A bill as daily costs to forecast: what runs on, spread over its days; what comes once is set apart and listed.

Costs are amortised where the bill says them of every line, else as billed. A charge for longer than a day (a month of a
reservation or a hosted zone) is spread evenly over the days that it is for, taxes over the days billed so far. Credits,
refunds, other adjustments and one-time payments are not forecast, since nobody can know them from a bill: they are
listed with their sums. A first or last day that the bill holds a part of is left out, and days without a single line
are unknown, not free.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import NotEnoughData, UsageError
from aws_auto.ml.cost.cells import tag_name
from aws_auto.ml.cost.commitments_used import is_usage, last_moment, require

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GROUPINGS = ("total", "service", "account", "tag:<key>")
OTHERS = "(all others)"
#: A series below this share of the last month, or beyond so many, is forecast with all others.
_OWN_SERIES, _MOST_SERIES = 0.002, 40
_MONTH = 28
_LONG = timedelta(hours=25)
_NEEDED = (
    "timestamp",
    "charge_period_end",
    "charge_category",
    "charge_frequency",
    "billed_cost",
    "effective_cost",
    "billing_currency",
    "service_name",
    "sub_account_id",
)


@dataclass(frozen=True, kw_only=True)
class Apart:
    """What is not forecast, by category and currency.

    Attributes:
        category: ``Credit``, ``Adjustment`` or ``Purchase`` (one-time).
        amount: sum on the bill; negative is money back.
        lines: how many line items.
        first: day of the first of them.
        last: day of the last.
    """

    category: str
    currency: str
    amount: float
    lines: int
    first: date
    last: date


@dataclass(frozen=True, eq=False)
class DailyCosts:
    """Series of one currency.

    Attributes:
        currency: of every cost.
        names: of each series; the last one may be `OTHERS`.
        days: whole days, without a hole.
        costs: ``(names, days)``; nan where the account has no line that day.
        basis: ``amortised`` or ``billed``.
        spread: of the costs, what was booked for longer than a day and is spread, in all.
    """

    currency: str
    names: tuple[str, ...]
    days: tuple[date, ...]
    costs: Floats
    basis: str
    spread: float


def daily_costs(bill: pl.DataFrame, by: str) -> tuple[tuple[DailyCosts, ...], tuple[Apart, ...], tuple[str, ...]]:
    """Series by currency, what is not in them, and what a reader must know.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.
        by: one of `GROUPINGS`.

    Raises:
        SchemaError: a column of a bill is missing.
        UsageError: an unknown grouping, or a tag that the bill does not have.
        NotEnoughData: the bill holds no whole day of usage.
    """
    require(bill, _NEEDED)
    key = _key(bill, by)
    used = bill.filter(is_usage())
    if used.is_empty():
        raise NotEnoughData("the bill holds no usage", where="billing", hint="collect a bill with usage by day or hour")
    until = last_moment(bill)
    whole, notes = _whole_days(used, until)
    runs_on, apart = _parted(bill)
    found = []
    for part in runs_on.partition_by("billing_currency", maintain_order=True):
        currency = part["billing_currency"][0] or "unknown"
        found.append(_of_currency(part, key, whole, until, currency))
    return tuple(sorted(found, key=lambda one: -np.nansum(one.costs))), _listed(apart), notes


def _key(bill: pl.DataFrame, by: str) -> pl.Expr:
    if by == "total":
        return pl.lit("total")
    if by == "service":
        return pl.col("service_name").fill_null("(no service)")
    if by == "account":
        return pl.col("sub_account_id").fill_null("(no account)")
    if by.startswith("tag:"):
        column, key = tag_name(by.removeprefix("tag:")), by.removeprefix("tag:")
        if column in bill.columns:
            return pl.col(column).fill_null(f"(no {key})")
        known = ", ".join(name.removeprefix("tag_") for name in bill.columns if name.startswith("tag_"))
        raise UsageError(f"the bill has no tag {key!r}", where="--by", hint=f"its tags: {known or 'none'}")
    raise UsageError(f"{by!r} is no way to group a bill", where="--by", hint=f"use {', '.join(GROUPINGS)}")


def _whole_days(used: pl.DataFrame, until: datetime) -> tuple[tuple[date, ...], tuple[str, ...]]:
    first: datetime = used["timestamp"].min()  # type: ignore[assignment] # the caller has rows with times
    start = first.date() if first.hour == 0 else first.date() + timedelta(days=1)
    end = (until - timedelta(seconds=1)).date() if until.hour == 0 else until.date() - timedelta(days=1)
    if end < start:
        raise NotEnoughData("the bill holds no whole day of usage", where="billing", hint="collect more of the bill")
    notes = []
    if until.hour != 0:
        notes.append(f"{until.date()} is not over on this bill ({until:%H:%M}) and is left out")
    days = tuple(start + timedelta(days=i) for i in range((end - start).days + 1))
    fewer = _fewer_lines(used, days)
    if fewer:
        notes.append(fewer)
    return days, tuple(notes)


def _fewer_lines(used: pl.DataFrame, days: tuple[date, ...]) -> str:
    """A last day with far fewer lines than usual may be restated: it is said, since a fall looks alike."""
    counts = dict(used.group_by(pl.col("timestamp").dt.date().alias("day")).len().iter_rows())
    usual = np.median([counts.get(day, 0) for day in days[-8:-1]]) if len(days) > 1 else 0.0
    now = counts.get(days[-1], 0)
    if now >= 0.7 * usual:
        return ""
    return f"{days[-1]} has {now} lines and the week before {usual:.0f} a day: it may still be restated upwards"


def _parted(bill: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines that run on with their ``cost``, and those that are set apart."""
    category = pl.col("charge_category").fill_null("Usage")
    recurring = (category == "Purchase") & (pl.col("charge_frequency") != "One-Time").fill_null(value=True)
    amortised = pl.col("effective_cost").is_not_null().all().over("billing_currency") & ~_rounded()
    rows = bill.with_columns(category=category, amortised=amortised).with_columns(
        cost=pl.when("amortised").then("effective_cost").otherwise("billed_cost").fill_null(0.0)
    )
    runs = category.is_in(["Usage", "Tax"]) | recurring | ((category == "Purchase") & pl.col("amortised"))
    return rows.filter(runs), rows.filter(~runs)


def _rounded() -> pl.Expr:
    """Whether a currency's amortised costs are whole units and its billed ones are not: a file that rounds them."""
    effective, billed = pl.col("effective_cost"), pl.col("billed_cost")
    whole = (effective.round(0) == effective).fill_null(value=True).all().over("billing_currency")
    return whole & ~(billed.round(0) == billed).fill_null(value=True).all().over("billing_currency")


def _of_currency(
    part: pl.DataFrame, key: pl.Expr, days: tuple[date, ...], until: datetime, currency: str
) -> DailyCosts:
    length = pl.col("charge_period_end") - pl.col("timestamp")
    keyed = part.with_columns(series=key, long=(length > _LONG).fill_null(value=False))
    spread = _spread(keyed.filter("long"), until)
    costs = keyed.filter(~pl.col("long")).select("series", pl.col("timestamp").dt.date().alias("day"), "cost")
    costs = pl.concat([costs, spread]).filter(pl.col("day").is_between(days[0], days[-1]))
    costs = costs.group_by("series", "day").agg(pl.col("cost").sum())
    names = _own_series(costs, days)
    table = np.zeros((len(names), len(days)))
    place = {name: i for i, name in enumerate(names)}
    for name, day, cost in costs.iter_rows():
        table[place.get(name, len(names) - 1), (day - days[0]).days] += cost
    seen = set(part.filter(is_usage())["timestamp"].dt.date().unique())
    table[:, [day not in seen for day in days]] = np.nan
    return DailyCosts(
        currency=currency,
        names=names,
        days=days,
        costs=table,
        basis="amortised" if part["amortised"][0] else "billed",
        spread=float(keyed.filter("long")["cost"].sum()),
    )


def _spread(long: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """The same money on every day that a charge is for; a tax is known for the days so far only."""
    end = pl.col("charge_period_end") - pl.duration(seconds=1)
    end = (
        pl.when(pl.col("category") == "Tax")
        .then(pl.min_horizontal(end, pl.lit(until - timedelta(seconds=1))))
        .otherwise(end)
    )
    day = pl.col("timestamp").dt.date()
    days = pl.date_ranges(day, pl.max_horizontal(end.dt.date(), day))
    rows = long.select("series", "cost", day=days).with_columns(pl.col("cost") / pl.col("day").list.len())
    return rows.explode("day").select("series", "day", "cost")


def _own_series(costs: pl.DataFrame, days: tuple[date, ...]) -> tuple[str, ...]:
    """Names by what they cost of late, dearest first; `OTHERS` at the end where some are too small."""
    recent = costs.filter(pl.col("day") > days[-1] - timedelta(days=_MONTH))
    sizes = recent.group_by("series").agg(pl.col("cost").sum()).sort(["cost", "series"], descending=[True, False])
    least = _OWN_SERIES * max(float(sizes["cost"].sum()), 0.0)
    own = tuple(name for name, cost in sizes.iter_rows() if cost > least)[:_MOST_SERIES]
    rest = set(costs["series"].unique()) - set(own)
    return (*own, OTHERS) if rest else own


def _listed(apart: pl.DataFrame) -> tuple[Apart, ...]:
    day = pl.col("timestamp").dt.date()
    rows = (
        apart.group_by("category", "billing_currency")
        .agg(pl.col("billed_cost").sum(), lines=pl.len(), first=day.min(), last=day.max())
        .sort("category", "billing_currency", nulls_last=True)
    )
    return tuple(
        Apart(category=c, currency=currency or "unknown", amount=amount, lines=lines, first=first, last=last)
        for c, currency, amount, lines, first, last in rows.iter_rows()
    )
