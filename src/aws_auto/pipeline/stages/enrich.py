"""Enrich: add what is known about a resource beside what was measured on it.

Static facts (type, zone, purchase option, tags) come from what discovery saw, as of the row's own time; the family from
the type; the region from the zone; the hourly cost from the price table where it was not measured. A fact or a rate
that is not known stays null and is counted. The calendar is added where a country is named, by the kernel that makes
the features, so that both agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.frame import KEYS, RESOURCE, TIMESTAMP, MetricFrame
from aws_auto.ml.cost import prices
from aws_auto.ml.features.assemble import build
from aws_auto.pipeline.stages.report import Finding, Level, Staged, StageReport, counted, listed, no_rejects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STAGE = "enrich"
CALENDAR = ("is_weekend", "is_business_hour", "is_holiday")
#: Says of each row where its ``hourly_cost`` comes from: one of the three values below, null where it is unknown.
BASIS = "hourly_cost_basis"
MEASURED = "measured"
LIST_PRICE = "on-demand list price"
ASSUMED = "on-demand list price, purchase option unknown"

#: ``us-east-1`` in ``us-east-1a``; a local zone (``us-east-1-bos-1a``) has prices of its own and does not match.
_ZONE = r"^([a-z]{2}(?:-[a-z]+)+-\d)[a-z]$"
#: Only these are EC2 instances by the hour; a database on ``db.m5.large`` has a price list of its own.
_PRICED = ("ec2", "asg")


def enrich(
    rows: pl.DataFrame,
    *,
    resources: pl.DataFrame | None = None,
    price: Callable[[str, str | None], prices.Price | None] = prices.lookup,
    country: str | None = None,
    tz: str = "UTC",
) -> Staged:
    """The rows with static facts, ``instance_family``, ``region`` and ``hourly_cost`` filled in where they are known.

    Args:
        rows: unique on ``resource_id`` and ``timestamp``. A value that is there is never replaced.
        resources: facts over time: ``resource_id, timestamp`` and text columns; None when there are none.
        price: the price list.
        country: adds ``is_weekend``, ``is_business_hour`` and ``is_holiday`` of that country; None adds no calendar.
        tz: the time zone of the calendar.

    Raises:
        UsageError: no such country or time zone.
    """
    findings: list[Finding] = []
    out = rows
    if resources is not None and not resources.is_empty():
        out, said = _with_facts(out, resources)
        findings.extend(said)
    out = _with_places(out)
    out, said = _with_cost(out, price)
    findings.extend(said)
    findings.extend(_tags(out))
    if country is not None:
        out = _with_calendar(out, country=country, tz=tz)
    report = StageReport(stage=STAGE, rows_in=len(rows), rows_out=len(out), findings=tuple(findings))
    return Staged(out, no_rejects(), report)


def _with_calendar(rows: pl.DataFrame, *, country: str, tz: str) -> pl.DataFrame:
    """The three columns as booleans, so that no row counts them as metrics."""
    days = build(MetricFrame(rows), tz=tz, country=country, groups=("time",))
    return rows.hstack(days.select(pl.col(CALENDAR).cast(pl.Boolean)).get_columns())


def _with_facts(rows: pl.DataFrame, resources: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """Facts as of the row's time; before the first sighting of a resource, the first fact, which is said."""
    facts = [n for n, dtype in resources.schema.items() if n not in KEYS and dtype in (pl.String, pl.Boolean)]
    seen = (
        resources.select(pl.col(RESOURCE).cast(pl.String), TIMESTAMP, *facts)
        .sort(KEYS)
        .with_columns(pl.col(facts).forward_fill().over(RESOURCE))
    )
    first = seen.group_by(RESOURCE).agg(
        pl.col(TIMESTAMP).min().alias("_first"), *(pl.col(n).drop_nulls().first().alias(f"_first_{n}") for n in facts)
    )
    dated = seen.rename({n: f"_then_{n}" for n in facts})
    # Both sides are sorted within a resource, which is what the join by resource needs and Polars cannot check.
    joined = (
        rows.sort(KEYS)
        .join_asof(dated, on=TIMESTAMP, by=RESOURCE, strategy="backward", check_sortedness=False)
        .join(first, on=RESOURCE, how="left", maintain_order="left")
    )
    filled = joined.with_columns(
        pl.coalesce(*([n] if n in rows.columns else []), f"_then_{n}", f"_first_{n}").alias(n) for n in facts
    )
    early = int((filled[TIMESTAMP] < filled["_first"]).sum())
    strangers = rows.join(seen, on=RESOURCE, how="anti")[RESOURCE].unique().sort().to_list()
    said = []
    if early:
        said.append(
            Finding(
                code="facts-from-later",
                level=Level.NOTE,
                count=early,
                text=f"{counted(early, 'row')} before the first discovery of a resource took its first known facts",
            )
        )
    if strangers:
        said.append(
            Finding(
                code="unknown-resources",
                level=Level.NOTE,
                count=len(strangers),
                text=f"nothing is known about {counted(len(strangers), 'resource')}: {listed(strangers)}",
            )
        )
    return filled.select(*rows.columns, *(n for n in facts if n not in rows.columns)), said


def _with_places(rows: pl.DataFrame) -> pl.DataFrame:
    """``instance_family`` from ``instance_type`` and ``region`` from ``availability_zone``, where they are absent."""
    if "availability_zone" in rows.columns:
        derived = pl.col("availability_zone").str.extract(_ZONE)
        rows = rows.with_columns(_or(rows, "region", derived))
    if "instance_type" in rows.columns:
        derived = pl.col("instance_type").str.replace(r"\.[a-z0-9-]+$", "")
        rows = rows.with_columns(_or(rows, "instance_family", derived))
    return rows


def _with_cost(
    rows: pl.DataFrame, price: Callable[[str, str | None], prices.Price | None]
) -> tuple[pl.DataFrame, list[Finding]]:
    """``hourly_cost`` = list price x instances, and its basis, for rows that have none and whose rate is known."""
    if "instance_type" not in rows.columns:
        known = "hourly_cost" in rows.columns and rows["hourly_cost"].count() > 0
        basis = pl.when(pl.col("hourly_cost").is_not_null()).then(pl.lit(MEASURED)) if known else None
        return (rows.with_columns(basis.alias(BASIS)) if basis is not None else rows), []
    described = rows.with_columns(
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in (
            ("hourly_cost", pl.Float64),
            ("instance_count", pl.Float64),
            ("resource_type", pl.String),
            ("purchase_option", pl.String),
            ("region", pl.String),
        )
        if name not in rows.columns
    )
    rates = _rates(described, price)
    option, kind = pl.col("purchase_option").str.to_lowercase(), pl.col("resource_type")
    billable = kind.is_null() | kind.is_in(_PRICED)
    # One machine is one machine; how many a group had must have been measured.
    count = pl.when(kind == "asg").then(pl.col("instance_count")).otherwise(pl.col("instance_count").fill_null(1.0))
    listed_cost = (
        pl.when(billable & (option.is_null() | (option == "on-demand"))).then(pl.col("_usd") * count).otherwise(None)
    )
    measured = pl.col("hourly_cost").is_not_null()
    priced = described.join(
        rates, on=["instance_type", "region"], how="left", nulls_equal=True, maintain_order="left"
    ).with_columns(
        hourly_cost=pl.coalesce("hourly_cost", listed_cost),
        **{
            BASIS: pl.when(measured)
            .then(pl.lit(MEASURED))
            .when(listed_cost.is_null())
            .then(None)
            .when(option.is_null())
            .then(pl.lit(ASSUMED))
            .otherwise(pl.lit(LIST_PRICE))
        },
    )
    said = list(_cost_findings(priced, option, billable))
    if not priced["hourly_cost"].count():
        return rows, said
    extra = [n for n in ("hourly_cost", BASIS) if n not in rows.columns]
    return priced.select(*rows.columns, *extra), said


def _rates(rows: pl.DataFrame, price: Callable[[str, str | None], prices.Price | None]) -> pl.DataFrame:
    pairs = rows.select("instance_type", "region").filter(pl.col("instance_type").is_not_null()).unique()
    found = [(t, r, price(t, r)) for t, r in pairs.iter_rows()]
    return pl.DataFrame(
        [(t, r, p.usd_per_hour if p else None) for t, r, p in found],
        schema={"instance_type": pl.String, "region": pl.String, "_usd": pl.Float64},
        orient="row",
    )


def _cost_findings(rows: pl.DataFrame, option: pl.Expr, billable: pl.Expr) -> Iterator[Finding]:
    priced = rows.filter(pl.col(BASIS).is_in((LIST_PRICE, ASSUMED)))
    assumed = len(priced.filter(pl.col(BASIS) == ASSUMED))
    if len(priced):
        doubt = f"; of {assumed} the purchase option is unknown" if assumed else ""
        yield Finding(
            code="priced",
            level=Level.NOTE,
            column="hourly_cost",
            count=len(priced),
            text=f"hourly_cost of {counted(len(priced), 'row')} is the Linux on-demand list price{doubt}",
        )
    unknown = rows.filter(pl.col("hourly_cost").is_null() & pl.col("instance_type").is_not_null())
    discounted = billable & option.is_not_null() & (option != "on-demand")
    reasons = (
        ("what spot and reserved capacity costs is not on the price list", discounted),
        ("it is no EC2 instance", ~billable),
        ("the list has no price for the type in that region", billable & ~discounted & pl.col("_usd").is_null()),
        ("the number of instances is unknown", billable & ~discounted & pl.col("_usd").is_not_null()),
    )
    for why, condition in reasons:
        rest = unknown.filter(condition.fill_null(value=False))
        if len(rest):
            types = sorted(set(rest["instance_type"]))
            yield Finding(
                code="cost-unknown",
                level=Level.NOTE,
                column="hourly_cost",
                count=len(rest),
                text=f"hourly_cost of {counted(len(rest), 'row')} ({listed(types)}) is unknown: {why}",
            )


def _tags(rows: pl.DataFrame) -> Iterator[Finding]:
    """How many resources carry each tag: an untagged share is what cost reports trip over."""
    total = rows[RESOURCE].n_unique()
    for name in sorted(c for c in rows.columns if c.startswith("tag_")):
        tagged = rows.filter(pl.col(name).is_not_null())[RESOURCE].n_unique()
        if tagged < total:
            yield Finding(
                code="untagged",
                level=Level.NOTE,
                column=name,
                count=total - tagged,
                text=f"{total - tagged} of {counted(total, 'resource')} carry no {name}",
            )


def _or(rows: pl.DataFrame, name: str, derived: pl.Expr) -> pl.Expr:
    return (pl.coalesce(name, derived) if name in rows.columns else derived).alias(name)
