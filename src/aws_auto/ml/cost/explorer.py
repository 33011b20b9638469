"""Cost Explorer's answers, flattened to one row per period and group, in FOCUS words.

A row has ``start``, ``end``, one column per grouping key (``SERVICE``, ``LINKED_ACCOUNT``, ``REGION``, ``USAGE_TYPE``,
``OPERATION``, ``RECORD_TYPE``, ``RESOURCE_ID``, ``INSTANCE_TYPE``, ``AZ``), one per metric (``UnblendedCost``,
``AmortizedCost``, ``UsageQuantity``) and the ``Currency``. Cost Explorer knows no list price.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.ml.cost import cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REQUIRED = ("start", "UnblendedCost", "Currency")

_NAMES = {
    "start": "timestamp",
    "timeperiodstart": "timestamp",
    "end": "charge_period_end",
    "timeperiodend": "charge_period_end",
    "service": "service_name",
    "linkedaccount": "sub_account_id",
    "region": "region_id",
    "az": "availability_zone",
    "usagetype": "usage_type",
    "operation": "operation",
    "recordtype": "line_item_type",
    "resourceid": "resource_id",
    "instancetype": "instance_type",
    "unblendedcost": "billed_cost",
    "amortizedcost": "effective_cost",
    "usagequantity": "consumed_quantity",
    "usageunit": "consumed_unit",
    "currency": "billing_currency",
}
_NUMBERS = ("billed_cost", "effective_cost", "consumed_quantity")
_MOMENTS = ("timestamp", "charge_period_end")
_CATEGORIES: Mapping[str, str] = {
    "Usage": "Usage",
    "DiscountedUsage": "Usage",
    "Discounted Usage": "Usage",
    "SavingsPlanCoveredUsage": "Usage",
    "Savings Plan Covered Usage": "Usage",
    "SavingsPlanNegation": "Usage",
    "Savings Plan Negation": "Usage",
    "RIFee": "Purchase",
    "Recurring reservation fee": "Purchase",
    "Upfront reservation fee": "Purchase",
    "Savings Plan Recurring Fee": "Purchase",
    "Savings Plan Upfront Fee": "Purchase",
    "SavingsPlanRecurringFee": "Purchase",
    "SavingsPlanUpfrontFee": "Purchase",
    "Fee": "Purchase",
    "Other out-of-cycle charges": "Purchase",
    "Support fee": "Purchase",
    "Tax": "Tax",
    "Credit": "Credit",
    "Refund": "Adjustment",
}
_ABSENT = ("No resource id", "NoInstanceType", "NoUsageType", "NoOperation", "NoRegion", "NoAZ")


def renames(columns: Sequence[str]) -> dict[str, str]:
    """Names as in the table to the names of the billing table, for the columns that are read."""
    named = {name: _NAMES.get(_plain(name)) for name in columns}
    return {name: new for name, new in named.items() if new is not None}


def rows(table: pl.DataFrame) -> pl.DataFrame:
    """One charge per row, in order. ``table`` has the columns that `renames` named.

    Without the grouping ``RECORD_TYPE`` usage, fees, taxes and credits are one sum, and the category is unknown (null).

    Raises:
        SchemaError: a cell is no number or no time.
    """
    read = pl.DataFrame([_typed(column) for column in table])
    if "line_item_type" in read.columns:
        known = list(_CATEGORIES)
        category = pl.col("line_item_type").replace_strict(
            known, list(_CATEGORIES.values()), default="Adjustment", return_dtype=pl.String
        )
        read = read.with_columns(charge_category=category)
    return read.with_columns(provider_name=pl.lit("AWS"))


def unknown_types(line_item_type: pl.Series) -> dict[str, int]:
    """Rows by record type that has no known meaning."""
    counts = line_item_type.drop_nulls().value_counts()
    return {name: count for name, count in counts.iter_rows() if name not in _CATEGORIES}


def _typed(column: pl.Series) -> pl.Series:
    if column.name in _NUMBERS:
        return cells.number(column)
    if column.name in _MOMENTS:
        return cells.moment(column)
    if column.name == "sub_account_id":
        return cells.account(column)
    values = cells.text(column)
    return values.set(values.is_in(_ABSENT).fill_null(value=False), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
