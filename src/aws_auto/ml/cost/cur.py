"""The Cost and Usage Report, legacy and 2.0, in FOCUS words.

Both are read under the column names of CUR 2.0 and Athena (``line_item_unblended_cost``); the slash headers of legacy
CSV (``lineItem/UnblendedCost``) are renamed to them. CUR 2.0 keeps tags and product facts in maps (``resource_tags``,
``product``).

Amortised cost follows the definition of the AWS Cloud Intelligence Dashboards: a covered hour carries the effective
cost of its reservation or plan; a fee carries what was paid for and not used; negations and upfront fees carry nothing,
because the covered hours carry them already.

``SavingsPlanCoveredUsage`` is billed on demand in a CUR and taken back by ``SavingsPlanNegation``. Both are kept as
``Usage``: they cancel in ``billed_cost``, as the invoice does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl

from aws_auto.ml.cost import cells
from aws_auto.ml.cost.services import CATEGORY_OF

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REQUIRED = ("line_item_usage_start_date", "line_item_line_item_type", "line_item_unblended_cost")

_RESERVED, _PLAN = "Reserved Instance", "Savings Plan"


@dataclass(frozen=True)
class Kind:
    """What a line-item type means in FOCUS: category, frequency, kind of commitment, and the amortised cost.

    ``effective`` is ``billed`` (as billed), ``nothing``, or ``covered``/``unused`` (from the commitment's columns).
    """

    category: Literal["Usage", "Purchase", "Tax", "Credit", "Adjustment"]
    frequency: Literal["Usage-Based", "Recurring", "One-Time"]
    commitment: str | None = None
    effective: Literal["billed", "nothing", "covered", "unused"] = "billed"


_KINDS: Mapping[str, Kind] = {
    "Usage": Kind("Usage", "Usage-Based"),
    "DiscountedUsage": Kind("Usage", "Usage-Based", _RESERVED, "covered"),
    "SavingsPlanCoveredUsage": Kind("Usage", "Usage-Based", _PLAN, "covered"),
    "SavingsPlanNegation": Kind("Usage", "Usage-Based", _PLAN, "nothing"),
    "RIFee": Kind("Purchase", "Recurring", _RESERVED, "unused"),
    "SavingsPlanRecurringFee": Kind("Purchase", "Recurring", _PLAN, "unused"),
    "SavingsPlanUpfrontFee": Kind("Purchase", "One-Time", _PLAN, "nothing"),
    "Fee": Kind("Purchase", "One-Time"),
    "Tax": Kind("Tax", "One-Time"),
    "Credit": Kind("Credit", "One-Time"),
    "Refund": Kind("Adjustment", "One-Time"),
    "BundledDiscount": Kind("Adjustment", "Usage-Based"),
    "Discount": Kind("Adjustment", "Usage-Based"),
    "EdpDiscount": Kind("Adjustment", "Usage-Based"),
    "PrivateRateDiscount": Kind("Adjustment", "Usage-Based"),
    "RiVolumeDiscount": Kind("Adjustment", "One-Time"),
    "SppDiscount": Kind("Adjustment", "Usage-Based"),
}

_TEXTS = {
    "line_item_usage_type": "usage_type",
    "line_item_operation": "operation",
    "line_item_line_item_type": "line_item_type",
    "line_item_line_item_description": "charge_description",
    "line_item_resource_id": "resource_id",
    "line_item_availability_zone": "availability_zone",
    "line_item_currency_code": "billing_currency",
    "line_item_product_code": "product_code",
    "pricing_unit": "consumed_unit",
    "pricing_term": "pricing_term",
    "product_product_name": "product_name",
    "product_region_code": "region_code",
    "product_region": "region",
    "product_instance_type": "product_instance_type",
    "reservation_reservation_a_r_n": "reservation",
    "savings_plan_savings_plan_a_r_n": "plan",
}
_NUMBERS = {
    "line_item_unblended_cost": "billed_cost",
    "line_item_usage_amount": "consumed_quantity",
    "pricing_public_on_demand_cost": "public_cost",
    "reservation_effective_cost": "reservation_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period": "unused_upfront",
    "reservation_unused_recurring_fee": "unused_recurring",
    "savings_plan_savings_plan_effective_cost": "plan_cost",
    "savings_plan_total_commitment_to_date": "plan_commitment",
    "savings_plan_used_commitment": "plan_used",
}
_MOMENTS = {
    "bill_billing_period_start_date": "billing_period_start",
    "line_item_usage_start_date": "timestamp",
    "line_item_usage_end_date": "charge_period_end",
}
_ACCOUNTS = {"bill_payer_account_id": "billing_account_id", "line_item_usage_account_id": "sub_account_id"}
_MAPS = ("resource_tags", "product")
#: When a commitment ends; some reports hold other words in it, which then mean nothing.
_ENDS = ("reservation_end_time", "savings_plan_end_time")
_READ = {*_TEXTS, *_NUMBERS, *_MOMENTS, *_ACCOUNTS, *_MAPS, *_ENDS}


def renames(columns: Sequence[str]) -> dict[str, str]:
    """Names as in the file to names of CUR 2.0, for the columns that are read."""
    named = {name: _athena(name) for name in columns}
    return {name: new for name, new in named.items() if new in _READ or new.startswith("resource_tags_")}


def _athena(name: str) -> str:
    if name.startswith("resourceTags/"):
        return "resource_tags_" + cells.tag_name(name).removeprefix("tag_")
    small = cells.snake(name) if "/" in name else name.lower()
    return re.sub(r"^resource_tags_user_", "resource_tags_", small)


def rows(table: pl.DataFrame) -> pl.DataFrame:
    """The line items, one for one and in order. ``table`` has the columns that `renames` named.

    Raises:
        SchemaError: a cell is no number or no time.
    """
    read = pl.DataFrame(
        [cells.text(table[old]).rename(new) for old, new in _TEXTS.items() if old in table.columns]
        + [cells.number(table[old]).rename(new) for old, new in _NUMBERS.items() if old in table.columns]
        + [cells.moment(table[old]).rename(new) for old, new in _MOMENTS.items() if old in table.columns]
        + [cells.account(table[old]).rename(new) for old, new in _ACCOUNTS.items() if old in table.columns]
    )
    read = _with_product_map(read, table)
    absent = [name for name in (*_TEXTS.values(), *_ACCOUNTS.values()) if name not in read.columns]
    read = read.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    unknown = [name for name in _NUMBERS.values() if name not in read.columns]
    read = read.with_columns(pl.lit(None, pl.Float64).alias(name) for name in unknown)
    read = read.with_columns(_ends(table))
    read = read.with_columns(_kinds(read["line_item_type"])).with_columns(_facts(read)).with_columns(_costs())
    return pl.concat([read, _tags(table)], how="horizontal")


def _ends(table: pl.DataFrame) -> pl.Series:
    """When the commitment of each line ends; null where that is not said."""
    kept = table.select(pl.col(one).cast(pl.String) for one in _ENDS if one in table.columns)
    texts = [
        pl.col(one).str.replace(" UTC", "").str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        for one in kept.columns
    ]
    if not texts:
        return pl.Series("commitment_discount_end", [None] * len(table), pl.Datetime("us", "UTC"))
    return kept.select(pl.coalesce(texts).alias("commitment_discount_end")).to_series()


def unknown_types(line_item_type: pl.Series) -> dict[str, int]:
    """Rows by line-item type that has no known meaning."""
    counts = line_item_type.fill_null("").value_counts()
    return {name: count for name, count in counts.iter_rows() if name not in _KINDS}


def _with_product_map(read: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    if "product" not in table.columns:
        return read
    wanted = {"product_name", "region", "instance_type"}
    product = cells.mapping(table["product"], cells.snake)
    product = product.select(name for name in product.columns if name in wanted)
    product = product.rename({"instance_type": "product_instance_type"}, strict=False)
    new = [product[name] for name in product.columns if name not in read.columns]
    return read.with_columns(new)


def _kinds(line_item_type: pl.Series) -> list[pl.Expr]:
    """Category, frequency, commitment and amortisation of each row, by its line-item type."""
    other = Kind("Adjustment", "One-Time")
    names = list(_KINDS)

    def column(values: list[str | None], default: str | None) -> pl.Expr:
        kinds = pl.Series(values, dtype=pl.String)
        return pl.lit(line_item_type).replace_strict(names, kinds, default=default, return_dtype=pl.String)

    kinds = list(_KINDS.values())
    return [
        column([k.category for k in kinds], other.category).alias("charge_category"),
        column([k.frequency for k in kinds], other.frequency).alias("charge_frequency"),
        column([k.commitment for k in kinds], None).alias("commitment"),
        column([k.effective for k in kinds], other.effective).alias("amortised"),
        pl.when(pl.lit(line_item_type) == "Refund").then(pl.lit("Correction")).alias("charge_class"),
    ]


def _facts(read: pl.DataFrame) -> list[pl.Expr]:
    zone = pl.col("availability_zone")
    is_zone = zone.str.contains(r"[a-z]$")
    fee_of_reservation = (pl.col("line_item_type") == "Fee") & pl.col("reservation").is_not_null()
    commitment = pl.when(fee_of_reservation).then(pl.lit(_RESERVED)).otherwise("commitment")
    product = cells_of(read["product_code"], CATEGORY_OF)
    facts = {
        "provider_name": pl.lit("AWS"),
        "service_name": pl.coalesce("product_name", "product_code"),
        "service_category": product,
        "region_id": pl.coalesce("region_code", "region", zone.str.replace(r"[a-z]$", "")),
        "availability_zone": pl.when(is_zone).then(zone),
        "instance_type": pl.coalesce(
            "product_instance_type", pl.col("usage_type").str.extract(r"(?:Box|Spot|Instance)Usage:([\w.-]+)$")
        ),
        "pricing_category": _pricing(),
        "commitment_discount_id": pl.when(commitment == _PLAN)
        .then("plan")
        .when(commitment == _RESERVED)
        .then("reservation"),
        "commitment_discount_type": commitment,
        "amortised": pl.when(fee_of_reservation).then(pl.lit("nothing")).otherwise("amortised"),
    }
    return [expression.alias(name) for name, expression in facts.items()]


def cells_of(column: pl.Series, meaning: Mapping[str, str]) -> pl.Expr:
    """Each value's meaning, null where it has none."""
    return pl.lit(column).replace_strict(list(meaning), list(meaning.values()), default=None, return_dtype=pl.String)


def _pricing() -> pl.Expr:
    priced = pl.col("charge_category").is_in(["Usage", "Purchase"])
    return (
        pl.when(pl.col("amortised") == "covered")
        .then(pl.lit("Committed"))
        .when(pl.col("usage_type").str.contains("SpotUsage", literal=True))
        .then(pl.lit("Dynamic"))
        .when(priced)
        .then(pl.lit("Standard"))
    )


def _costs() -> list[pl.Expr]:
    """Amortised and on-demand-equivalent cost, and whether a commitment was used.

    A public on-demand cost of 0 beside a billed cost that is not 0 means "not stated" (spot rows are so), not "free".
    """
    reserved = pl.col("commitment_discount_type") == _RESERVED
    billed, amortised = pl.col("billed_cost"), pl.col("amortised")
    covered = pl.when(reserved).then("reservation_cost").otherwise("plan_cost")
    unused = (
        pl.when(reserved)
        .then(pl.col("unused_upfront") + pl.col("unused_recurring"))
        .otherwise(pl.col("plan_commitment") - pl.col("plan_used"))
    )
    effective = (
        pl.when(amortised == "covered")
        .then(covered)
        .when(amortised == "unused")
        .then(unused)
        .when(amortised == "nothing")
        .then(0.0)
        .otherwise(billed)
    )
    stated = (pl.col("public_cost") != 0.0) | (billed == 0.0)
    listed = (
        pl.when(pl.col("commitment_discount_type").is_not_null() & (amortised != "covered"))
        .then(0.0)
        .when(pl.col("charge_category") == "Usage")
        .then(pl.when(stated).then("public_cost"))
        .otherwise(billed)
    )
    idle = (amortised == "unused") & (effective > 0.0)
    status = pl.when(amortised == "covered").then(pl.lit("Used")).when(idle).then(pl.lit("Unused"))
    return [
        effective.alias("effective_cost"),
        listed.alias("list_cost"),
        status.alias("commitment_discount_status"),
    ]


def _tags(table: pl.DataFrame) -> pl.DataFrame:
    """Tag columns, from a map or from a column each."""
    if "resource_tags" in table.columns:
        return cells.mapping(table["resource_tags"], cells.tag_name)
    names = [name for name in table.columns if name.startswith("resource_tags_")]
    if not names:
        return pl.DataFrame()
    return pl.DataFrame([cells.text(table[name]).rename("tag" + name.removeprefix("resource_tags")) for name in names])
