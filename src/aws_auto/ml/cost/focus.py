"""FOCUS 1.0, 1.1 and 1.2 (https://focus.finops.org) as AWS exports them: the names are ours already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.ml.cost import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

REQUIRED = ("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart")

_TEXTS = {
    "ProviderName": "provider_name",
    "BillingAccountId": "billing_account_id",
    "SubAccountId": "sub_account_id",
    "ServiceName": "service_name",
    "ServiceCategory": "service_category",
    "RegionId": "region_id",
    "AvailabilityZone": "availability_zone",
    "ResourceId": "resource_id",
    "ResourceType": "resource_type",
    "x_UsageType": "usage_type",
    "x_Operation": "operation",
    "ChargeCategory": "charge_category",
    "ChargeClass": "charge_class",
    "ChargeFrequency": "charge_frequency",
    "ChargeDescription": "charge_description",
    "PricingCategory": "pricing_category",
    "CommitmentDiscountId": "commitment_discount_id",
    "CommitmentDiscountType": "commitment_discount_type",
    "CommitmentDiscountStatus": "commitment_discount_status",
    "ConsumedUnit": "consumed_unit",
    "BillingCurrency": "billing_currency",
}
_ACCOUNTS = ("billing_account_id", "sub_account_id")
_NUMBERS = {
    "ConsumedQuantity": "consumed_quantity",
    "BilledCost": "billed_cost",
    "EffectiveCost": "effective_cost",
    "ListCost": "list_cost",
    "ContractedCost": "contracted_cost",
}
_MOMENTS = {
    "BillingPeriodStart": "billing_period_start",
    "ChargePeriodStart": "timestamp",
    "ChargePeriodEnd": "charge_period_end",
}
_NULL = "NULL"
_READ = {name.lower(): name for name in (*_TEXTS, *_NUMBERS, *_MOMENTS, "Tags")}
#: Columns that came with a version: https://focus.finops.org/focus-specification/changelog
_SINCE_1_2 = {"billingaccounttype", "invoiceid", "pricingcurrency", "subaccounttype"}
_SINCE_1_1 = {
    "servicesubcategory",
    "skumeter",
    "skupricedetails",
    "commitmentdiscountquantity",
    "capacityreservationid",
}


def renames(columns: Sequence[str]) -> dict[str, str]:
    """Names as in the file to FOCUS's own spelling, for the columns that are read (Athena writes small letters)."""
    return {name: _READ[_plain(name)] for name in columns if _plain(name) in _READ}


def version(columns: Sequence[str]) -> str:
    """The lowest version that has these columns."""
    there = {_plain(name) for name in columns}
    return "1.2" if there & _SINCE_1_2 else "1.1" if there & _SINCE_1_1 else "1.0"


def rows(table: pl.DataFrame) -> pl.DataFrame:
    """The charges, one for one and in order. ``table`` has the columns that `renames` named.

    Raises:
        SchemaError: a cell is no number or no time.
    """
    read = pl.DataFrame(
        [
            (cells.account if new in _ACCOUNTS else cells.text)(table[old], null_word=_NULL).rename(new)
            for old, new in _TEXTS.items()
            if old in table.columns
        ]
        + [
            cells.number(table[old], null_word=_NULL).rename(new)
            for old, new in _NUMBERS.items()
            if old in table.columns
        ]
        + [
            cells.moment(table[old], null_word=_NULL).rename(new)
            for old, new in _MOMENTS.items()
            if old in table.columns
        ]
    )
    if "usage_type" in read.columns:
        instance = pl.col("usage_type").str.extract(r"(?:Box|Spot|Instance)Usage:([\w.-]+)$")
        read = read.with_columns(instance_type=instance)
    if "charge_frequency" in read.columns:
        read = read.with_columns(pl.col("charge_frequency").replace({"Usage-based": "Usage-Based"}))
    tags = cells.mapping(table["Tags"], cells.tag_name) if "Tags" in table.columns else pl.DataFrame()
    return pl.concat([read, tags], how="horizontal")


def looks_rounded(read: pl.DataFrame) -> bool:
    """True when effective costs of usage are whole numbers although the billed costs beside them are not.

    Seen in the AWS rows of the FOCUS sample data: 0 or 1 where cents were billed.
    """
    usage = (pl.col("provider_name").fill_null("AWS") == "AWS") & (pl.col("charge_category") == "Usage")
    fractional = usage & (pl.col("billed_cost") % 1 != 0) & pl.col("effective_cost").is_not_null()
    whole = fractional & (pl.col("effective_cost") % 1 == 0)
    cents, rounded = read.select(cents=fractional.sum(), rounded=whole.sum()).row(0)
    return bool(cents >= 20 and rounded > 0.95 * cents)


def _plain(name: str) -> str:
    """One spelling for ``BilledCost``, ``billedcost`` and ``billed_cost``; a provider's own columns keep their x_."""
    small = name.lower()
    return small if small.startswith("x_") else small.replace("_", "")
