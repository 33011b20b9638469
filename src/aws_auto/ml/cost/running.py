"""Which resources are billed by the hour, when they were on, and what says that they serve development only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.cost import usage_types
from aws_auto.ml.cost.commitments_used import last_moment, require
from aws_auto.ml.cost.findings import Money, Running
from aws_auto.results import Line

if TYPE_CHECKING:
    from datetime import datetime

HOURS_A_MONTH = 730.0
DAYS_A_MONTH = HOURS_A_MONTH / 24
#: The resource of a line that names none.
UNNAMED = "not named on the bill"
#: What a resource costs now is read from its last fortnight.
RECENT = timedelta(days=14)
KEYS = ("billing_currency", "sub_account_id", "region_id", "service_name", "resource_id", "class")
#: Tags by which AWS says that something else starts and stops the instance.
_GROUPS = ("tag_aws_autoscaling_group_name", "tag_aws_ec2spot_fleet_request_id")
NEEDED = (
    "timestamp",
    "charge_category",
    "billing_currency",
    "sub_account_id",
    "region_id",
    "service_name",
    "resource_id",
    "instance_type",
    "usage_type",
    "pricing_category",
    "consumed_quantity",
    "billed_cost",
    "effective_cost",
)


@dataclass(frozen=True, kw_only=True)
class Office:
    """The hours in which people work: weekdays from ``opens`` to ``closes`` o'clock in the time zone ``tz``."""

    opens: int = 8
    closes: int = 20
    tz: str = "UTC"


def classed(bill: pl.DataFrame) -> pl.DataFrame:
    """Usage lines of resources whose usage type has a meaning, with its name as ``class``.

    Raises:
        SchemaError: a column of a bill is missing.
    """
    require(bill, NEEDED)
    known = usage_types.classes(bill["usage_type"])
    name = pl.col("usage_type").replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)
    # What AWS bills for lying idle is idle whether the bill names it or not.
    idle = [word for word, one in known.items() if usage_types.named(one).role == "unused"]
    nameless = pl.when(pl.col("usage_type").is_in(idle)).then(pl.lit(UNNAMED))
    resource = pl.coalesce("resource_id", nameless)
    wanted = (pl.col("charge_category") == "Usage") & resource.is_not_null()
    kept = [column for column in bill.columns if column in NEEDED or column.startswith("tag_")]
    return (
        bill.lazy()
        .filter(wanted, pl.col("usage_type").is_in(list(known)))
        .with_columns(resource_id=resource)
        .select(*kept, name.alias("class") if known else pl.lit(None, pl.String).alias("class"))
        .collect()
    )


def by_the_hour(bill: pl.DataFrame) -> bool:
    """True when the bill has hours: some usage does not start at midnight."""
    used = bill.filter(pl.col("charge_category") == "Usage")
    return bool((used["timestamp"].dt.hour() != 0).any())


def running(bill: pl.DataFrame, *, office: Office | None = None) -> tuple[Running, ...]:
    """Every resource that is billed while it runs, dearest first.

    A resource that changes its instance type is one resource; a resource in two currencies is two.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.
        office: working hours, for the shares of day and night.

    Raises:
        SchemaError: a column of a bill is missing.
    """
    office = office or Office()
    until, hourly = last_moment(bill), by_the_hour(bill)
    runs = [one.name for one in usage_types.TABLE if one.role == "runs"]
    rows = classed(bill).filter(pl.col("class").is_in(runs), pl.col("consumed_quantity") > 0)
    if rows.is_empty():
        return ()
    whole = _summary(rows, hourly=hourly, until=until)
    if hourly:
        whole = whole.join(_shares(rows, office), on=KEYS, nulls_equal=True, how="left")
    days = {tuple(key): part for key, part in _days(rows).group_by(KEYS, maintain_order=True)}
    tags = [*usage_types.tags_that_tell(bill.columns), *(name for name in _GROUPS if name in bill.columns)]
    said = _tags(rows, tags)
    found = [
        _one(row, days[tuple(row[k] for k in KEYS)], said.get(tuple(row[k] for k in KEYS), {}), until)
        for row in whole.iter_rows(named=True)
    ]
    return tuple(sorted(found, key=lambda one: (one.monthly.currency, -one.billed, one.resource_id)))


def monthly(days: pl.DataFrame, cost: str, currency: str, *, until: datetime) -> Money:
    """A month at the mean of the last fortnight's whole days; low and high are the 10 % and 90 % quantiles of days.

    ``days`` has a row per day, ``day`` and the cost; the day in which the resource appeared, and a last day that is
    not over, are left out where there are others.
    """
    from_day = (until - RECENT).date()
    recent = days.filter(pl.col("day") >= from_day).sort("day")
    inner = recent.filter(pl.col("day") > days["day"].min(), pl.col("day") < until.date())
    costs = (inner if len(inner) else recent if len(recent) else days)[cost].to_numpy()
    mean = float(costs.mean())
    low, high = np.quantile(costs, [0.1, 0.9])
    return Money(
        expected=mean * DAYS_A_MONTH,
        low=min(float(low), mean) * DAYS_A_MONTH,
        high=max(float(high), mean) * DAYS_A_MONTH,
        currency=currency,
    )


def _summary(rows: pl.DataFrame, *, hourly: bool, until: datetime) -> pl.DataFrame:
    uncommitted = (pl.col("pricing_category") != "Committed").fill_null(value=True)
    whole = rows.group_by(KEYS, maintain_order=True).agg(
        first=pl.col("timestamp").min(),
        last=pl.col("timestamp").max(),
        slots=pl.col("timestamp").n_unique(),
        quantity=pl.col("consumed_quantity").sum(),
        billed=pl.col("billed_cost").sum(),
        effective=pl.col("effective_cost").sum(),
        effective_unknown=pl.col("effective_cost").null_count(),
        uncommitted=pl.col("billed_cost").filter(uncommitted).sum(),
        usage_type=pl.col("usage_type").last(),
        instance_type=pl.col("instance_type").drop_nulls().last(),
    )
    step = pl.duration(hours=1) if hourly else pl.duration(days=1)
    life = (pl.col("last") - pl.col("first") + step).dt.total_hours()
    # A line of a day says how many hours it stands for, but only where an instance bills one unit an hour.
    hours = pl.col("slots") if hourly else pl.min_horizontal(pl.col("quantity").round().cast(pl.Int64), life)
    return whole.with_columns(
        hours=hours.cast(pl.Int64),
        share=(hours / life).clip(0.0, 1.0),
        still_there=pl.col("last") >= until - timedelta(days=1),
    )


def _shares(rows: pl.DataFrame, office: Office) -> pl.DataFrame:
    """Of the hours of each life that fall into office hours, nights and weekends: the part that was billed."""
    seen = rows.select(*KEYS, "timestamp").unique()
    lives = seen.group_by(KEYS).agg(first=pl.col("timestamp").min(), last=pl.col("timestamp").max())
    grid = _grid(seen["timestamp"].min(), seen["timestamp"].max(), office)
    before = ["before_day", "before_night", "before_weekend"]
    parts = ["day", "night", "weekend"]
    on = seen.join(grid.select("timestamp", *parts), on="timestamp", how="left").group_by(KEYS).agg(pl.col(parts).sum())
    at_first = lives.join(grid.select(pl.col("timestamp").alias("first"), *before), on="first", how="left")
    at_last = grid.select(
        pl.col("timestamp").alias("last"), *(pl.col(b) + pl.col(p) for b, p in zip(before, parts, strict=True))
    ).rename({b: f"{p}_end" for b, p in zip(before, parts, strict=True)})
    both = at_first.join(at_last, on="last", how="left").join(on, on=KEYS, nulls_equal=True)
    lengths = {p: pl.col(f"{p}_end") - pl.col(f"before_{p}") for p in parts}
    return both.select(
        *KEYS, *(pl.when(n > 0).then(pl.col(p) / n).clip(0.0, 1.0).alias(f"{p}_share") for p, n in lengths.items())
    )


def _grid(first: Any, last: Any, office: Office) -> pl.DataFrame:  # noqa: ANN401 - polars says PythonLiteral
    """Every hour of the bill: whether it is a working hour, another one, one of a weekend; and how many came before."""
    local = pl.col("timestamp").dt.convert_time_zone(office.tz)
    weekend = local.dt.weekday() > 5
    day = ~weekend & local.dt.hour().is_between(office.opens, office.closes, closed="left")
    hours = pl.DataFrame({"timestamp": pl.datetime_range(first, last, "1h", eager=True)})
    flags = hours.with_columns(day=day.cast(pl.Int64), night=(~day).cast(pl.Int64), weekend=weekend.cast(pl.Int64))
    before = {f"before_{p}": pl.col(p).cum_sum() - pl.col(p) for p in ("day", "night", "weekend")}
    return flags.with_columns(**before)


def _days(rows: pl.DataFrame) -> pl.DataFrame:
    uncommitted = (pl.col("pricing_category") != "Committed").fill_null(value=True)
    return (
        rows.group_by(*KEYS, pl.col("timestamp").dt.date().alias("day"))
        .agg(
            billed=pl.col("billed_cost").sum(),
            cost=pl.coalesce("effective_cost", "billed_cost").sum(),
            uncommitted=pl.col("billed_cost").filter(uncommitted).sum(),
        )
        .sort("day")
    )


def _tags(rows: pl.DataFrame, tags: list[str]) -> dict[tuple[Any, ...], dict[str, str | None]]:
    if not tags:
        return {}
    known = rows.group_by(KEYS).agg(pl.col(tags).drop_nulls().last())
    return {tuple(row[k] for k in KEYS): {t: row[t] for t in tags} for row in known.iter_rows(named=True)}


def _one(row: dict[str, Any], days: pl.DataFrame, tags: dict[str, str | None], until: datetime) -> Running:
    meaning = usage_types.named(row["class"])
    tag = usage_types.not_production({name: value for name, value in tags.items() if name not in _GROUPS})
    group = next((tags[name] for name in _GROUPS if tags.get(name)), None)
    spot = "a Spot request" if usage_types.plain(row["usage_type"]).startswith("SpotUsage") else None
    by_kind = f"a {meaning.name} is a tool to develop with" if meaning.interactive else None
    currency = row["billing_currency"] or "unknown"
    return Running(
        resource_id=row["resource_id"],
        what=meaning.name,
        account=row["sub_account_id"],
        region=row["region_id"],
        service=row["service_name"] or "unknown",
        usage_type=row["usage_type"],
        instance_type=row["instance_type"],
        first=row["first"],
        last=row["last"],
        hours=row["hours"],
        share=row["share"],
        day_share=row.get("day_share"),
        night_share=row.get("night_share"),
        weekend_share=row.get("weekend_share"),
        billed=row["billed"],
        effective=None if row["effective_unknown"] else row["effective"],
        uncommitted=row["uncommitted"],
        monthly=monthly(days, "cost", currency, until=until),
        development=by_kind or (f"tag {tag}" if tag else None),
        production=usage_types.production(tags),
        managed_by=group or spot,
        still_there=row["still_there"],
        evidence=Line(name="cost a day", x=tuple(days["day"]), y=tuple(days["cost"]), style="bars"),
    )
