"""The billing table: what every format of bill is turned into, in the words of FOCUS 1.2.

https://focus.finops.org: names are FOCUS's own in snake case. Of our own are ``timestamp``, the moment that a charge is
filed under (``charge_period_start``, moved into its billing period where it lies outside); ``instance_type``;
``usage_type`` and ``operation``, the AWS words (FOCUS: x_UsageType, x_Operation); ``commitment_discount_end``, when a
commitment ends, on the lines of its fee where the bill says so; and ``line_item_type``, the word that
``charge_category`` was read from. Tags are columns ``tag_<key>``, the key in snake case.

Four costs stand side by side, and a sum is meaningful within one of them only:

- ``billed_cost``: what the invoice says (CUR: unblended).
- ``effective_cost``: amortised; a commitment's fee is spread over the usage it covers. Null where unknown.
- ``list_cost``: what the usage would cost on demand at list price. Null where unknown.
- ``contracted_cost``: at negotiated rates, before commitments. Null where unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIME = pl.Datetime("us", "UTC")

#: Every fixed column of the table, in order.
COLUMNS: Mapping[str, pl.DataType] = {
    "billing_period_start": _TIME,
    "timestamp": _TIME,
    "charge_period_start": _TIME,
    "charge_period_end": _TIME,
    "provider_name": pl.String(),
    "billing_account_id": pl.String(),
    "sub_account_id": pl.String(),
    "service_name": pl.String(),
    "service_category": pl.String(),
    "region_id": pl.String(),
    "availability_zone": pl.String(),
    "resource_id": pl.String(),
    "resource_type": pl.String(),
    "instance_type": pl.String(),
    "usage_type": pl.String(),
    "operation": pl.String(),
    "line_item_type": pl.String(),
    "charge_category": pl.String(),
    "charge_class": pl.String(),
    "charge_frequency": pl.String(),
    "charge_description": pl.String(),
    "pricing_category": pl.String(),
    "commitment_discount_id": pl.String(),
    "commitment_discount_type": pl.String(),
    "commitment_discount_status": pl.String(),
    "commitment_discount_end": _TIME,
    "consumed_quantity": pl.Float64(),
    "consumed_unit": pl.String(),
    "billed_cost": pl.Float64(),
    "effective_cost": pl.Float64(),
    "list_cost": pl.Float64(),
    "contracted_cost": pl.Float64(),
    "billing_currency": pl.String(),
}
COSTS = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")


@dataclass(frozen=True, kw_only=True)
class BillReport:
    """What was found while a bill was read: nothing is dropped or guessed in silence.

    Attributes:
        rows: line items.
        currencies: rows by currency; more than one means that no cost column may be summed over all rows.
        billed: sum of ``billed_cost`` by currency.
        unknown_types: rows by line-item type that has no known charge category (kept, as ``Adjustment``).
        empty_costs: rows without a billed cost; they count as nothing in every sum.
        unknown_effective: rows whose amortised cost is unknown.
        unknown_list: rows whose on-demand-equivalent cost is unknown.
        rounded_effective: True when the effective costs look rounded to whole units and are not to be trusted.
        other_providers: rows by provider that is not AWS.
    """

    rows: int = 0
    currencies: Mapping[str, int] = field(default_factory=dict)
    billed: Mapping[str, float] = field(default_factory=dict)
    unknown_types: Mapping[str, int] = field(default_factory=dict)
    empty_costs: int = 0
    unknown_effective: int = 0
    unknown_list: int = 0
    rounded_effective: bool = False
    other_providers: Mapping[str, int] = field(default_factory=dict)

    def sentences(self) -> tuple[str, ...]:
        """What a reader must know, as short sentences; empty when there is nothing to know."""
        said = []
        if len(self.currencies) > 1:
            said.append(f"the bill mixes currencies ({_counts(self.currencies)}); sum each one by itself")
        if self.unknown_types:
            said.append(f"line-item types without a known charge category: {_counts(self.unknown_types)}")
        if self.empty_costs:
            said.append(f"{self.empty_costs} rows have no billed cost")
        if self.unknown_effective:
            said.append(f"the amortised cost of {self.unknown_effective} of {self.rows} rows is unknown")
        if self.unknown_list:
            said.append(f"the on-demand-equivalent cost of {self.unknown_list} of {self.rows} rows is unknown")
        if self.rounded_effective:
            said.append("effective costs are rounded to whole units in this file; use billed costs")
        if self.other_providers:
            said.append(f"rows of other providers: {_counts(self.other_providers)}")
        return tuple(said)


def conformed(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` with every column of `COLUMNS` in order and of its type (null where absent), then its tags, sorted."""
    if "charge_period_start" not in rows.columns:
        rows = rows.with_columns(charge_period_start=pl.col("timestamp"))
    tags = sorted(name for name in rows.columns if name.startswith("tag_"))
    fixed = [
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
    ]
    return rows.select(*fixed, *tags)


@dataclass(frozen=True)
class Bill:
    """A bill in FOCUS words.

    Attributes:
        rows: the columns of `COLUMNS`, then ``tag_*``.
        format: the format that was recognised, for example ``CUR (legacy)``.
        report: what was found on the way.
    """

    rows: pl.DataFrame
    format: str
    report: BillReport


def _counts(by: Mapping[str, int]) -> str:
    return ", ".join(f"{name or 'empty'} {count}" for name, count in sorted(by.items()))
