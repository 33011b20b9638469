"""Daily cost by account, service, region, usage type and resource; what is booked once is kept apart from usage.

Only usage is judged by statistics. Fees, upfront payments, taxes, credits and refunds are *bookings*: they are listed
with their dates, and the first of a month full of them is no surprise. Usage that is booked for longer than a day (a
month of a hosted zone) is spread over its days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.cost.commitments_used import is_usage, last_moment, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ACCOUNT = ("billing_currency", "sub_account_id")
LEAF = (*ACCOUNT, "service_name", "region_id", "usage_type")
_ROW = (*LEAF, "resource_id")
NEEDED = (
    "timestamp",
    "charge_period_end",
    "charge_category",
    "charge_class",
    "charge_frequency",
    "charge_description",
    "billed_cost",
    "resource_id",
    *LEAF,
)
_LONG = timedelta(hours=25)
#: A resource that costs less of its account than this shares a row with its like: by itself it cannot matter.
_OWN_ROW = 0.001


@dataclass(frozen=True, kw_only=True)
class Booking:
    """What an account was charged or given at once: a fee, an upfront payment, a tax, a credit, a refund.

    Attributes:
        day: when it was booked.
        category: ``Purchase``, ``Tax``, ``Credit`` or ``Adjustment``, as in FOCUS.
        amount: of all its lines of that day; negative is money back.
        unexpected: money back, or a correction, that no earlier month had on the same day.
    """

    day: date
    account: str | None
    service: str
    region: str | None
    usage_type: str | None
    resource_id: str | None
    category: str
    amount: float
    currency: str
    unexpected: bool


@dataclass(frozen=True)
class Series:
    """Cost by leaf (rows) and day (columns) of one account in one currency.

    Attributes:
        currency: of every cost.
        account: its number, None where the bill has none.
        days: whole days, without a gap.
        leaves: service, region, usage type and resource of each row; the small resources of a usage type share a row,
            whose resource is empty.
        costs: ``(leaves, days)``; a day without a line cost nothing.
    """

    currency: str
    account: str | None
    days: tuple[date, ...]
    leaves: tuple[tuple[str, str, str, str], ...]
    costs: Floats

    @property
    def total(self) -> Floats:
        """Cost of each day."""
        return np.asarray(self.costs.sum(axis=0))


def series(bill: pl.DataFrame) -> tuple[Series, ...]:
    """Usage by account and currency, on whole days. A first or last day that is not whole is left out.

    Raises:
        SchemaError: a column of a bill is missing.
    """
    require(bill, NEEDED)
    rows = daily_usage(bill)
    if rows.is_empty():
        return ()
    days = _whole_days(bill)
    if not days:
        return ()
    rows = rows.filter(pl.col("day").is_between(days[0], days[-1]))
    return tuple(_of_account(part, days) for part in rows.partition_by(ACCOUNT, maintain_order=True))


def daily_usage(bill: pl.DataFrame) -> pl.DataFrame:
    """``cost`` by leaf, resource and day; charges for longer than a day are spread evenly."""
    used = bill.lazy().filter(is_usage())
    length = pl.col("charge_period_end") - pl.col("timestamp")
    short = used.filter((length <= _LONG).fill_null(value=True))
    day = pl.col("timestamp").dt.date().alias("day")
    costs = short.group_by(*_ROW, day).agg(cost=pl.col("billed_cost").sum()).collect()
    long = used.filter(length > _LONG).select(*_ROW, "timestamp", "charge_period_end", "billed_cost").collect()
    if len(long):
        costs = pl.concat([costs, _spread(long)]).group_by(*_ROW, "day").agg(pl.col("cost").sum())
    return costs.sort(*_ROW, "day", nulls_last=True)


def bookings(bill: pl.DataFrame) -> tuple[Booking, ...]:
    """Everything that is not usage and is booked at once, by day; hourly discounts and plan fees are no bookings.

    Raises:
        SchemaError: a column of a bill is missing.
    """
    require(bill, NEEDED)
    once = (pl.col("charge_frequency") != "Usage-Based").fill_null(value=True)
    hourly_fee = (pl.col("charge_category") == "Purchase") & (
        (pl.col("charge_period_end") - pl.col("timestamp")) <= timedelta(hours=1)
    ).fill_null(value=False)
    rows = bill.filter(pl.col("charge_category") != "Usage", once, ~hourly_fee)
    keys = (*ACCOUNT, "charge_category", "service_name", "region_id", "usage_type", "resource_id")
    by_day = (
        rows.group_by(*keys, pl.col("timestamp").dt.date().alias("day"))
        .agg(amount=pl.col("billed_cost").sum(), corrects=(pl.col("charge_class") == "Correction").any())
        .sort("day", *keys, nulls_last=True)
    )
    seen: set[tuple[Any, ...]] = set()
    found = []
    for row in by_day.iter_rows(named=True):
        habit = (*(row[k] for k in keys[:4]), row["day"].day)
        back = row["charge_category"] in ("Credit", "Adjustment") and row["amount"] < 0
        recurring = row["charge_category"] == "Credit" and (habit in seen or row["day"].day == 1)
        found.append(_booking(row, unexpected=(back or bool(row["corrects"])) and not recurring))
        seen.add(habit)
    return tuple(found)


def _booking(row: dict[str, Any], *, unexpected: bool) -> Booking:
    return Booking(
        day=row["day"],
        account=row["sub_account_id"],
        service=row["service_name"] or "unknown",
        region=row["region_id"],
        usage_type=row["usage_type"],
        resource_id=row["resource_id"],
        category=row["charge_category"],
        amount=row["amount"],
        currency=row["billing_currency"] or "unknown",
        unexpected=unexpected,
    )


def _spread(long: pl.DataFrame) -> pl.DataFrame:
    """The same money on every day that the charge is for."""
    end = pl.col("charge_period_end") - pl.duration(seconds=1)
    days = pl.date_ranges(pl.col("timestamp").dt.date(), end.dt.date())
    spread = long.with_columns(day=days).with_columns(cost=pl.col("billed_cost") / pl.col("day").list.len())
    return spread.explode("day").group_by(*_ROW, "day").agg(pl.col("cost").sum())


def _whole_days(bill: pl.DataFrame) -> tuple[date, ...]:
    used = bill.filter(is_usage())["timestamp"]
    first: Any = used.min()
    until = last_moment(bill)
    start = first.date() if first.hour == 0 else first.date() + timedelta(days=1)
    # A day's last lines come late: the day is whole when something was used in its last hour, or bills are by the day.
    end = (until - timedelta(seconds=1)).date() if until.hour == 0 else until.date() - timedelta(days=1)
    return tuple(start + timedelta(days=i) for i in range((end - start).days + 1))


def _of_account(part: pl.DataFrame, days: tuple[date, ...]) -> Series:
    own = pl.col("cost").abs().sum().over(_ROW) >= _OWN_ROW * pl.col("cost").abs().sum()
    part = part.with_columns(pl.when(own).then("resource_id"))
    leaves = part.select(_ROW[2:]).unique(maintain_order=True)
    number = leaves.with_row_index("row")
    placed = part.join(number, on=_ROW[2:], how="left", nulls_equal=True)
    costs = np.zeros((len(leaves), len(days)))
    column = (placed["day"] - days[0]).dt.total_days().to_numpy()
    np.add.at(costs, (placed["row"].to_numpy(), column), placed["cost"].to_numpy())
    return Series(
        currency=part["billing_currency"][0] or "unknown",
        account=part["sub_account_id"][0],
        days=days,
        leaves=tuple((s or "unknown", r or "unknown", u or "unknown", i or "") for s, r, u, i in leaves.iter_rows()),
        costs=costs,
    )


def midnight(day: date) -> datetime:
    """The start of that day, UTC."""
    from datetime import UTC

    return datetime(day.year, day.month, day.day, tzinfo=UTC)
