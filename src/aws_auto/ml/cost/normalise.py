"""Any bill, one table: CUR (legacy and 2.0), FOCUS (1.0 to 1.2) and Cost Explorer in the words of `bill`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.ml.cost import cur, explorer, focus
from aws_auto.ml.cost.bill import CATEGORIES, Bill, BillReport, conformed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Format:
    """A shape of bill: its name, the columns it must have (as its owner writes them), and how it is read."""

    name: str
    required: tuple[str, ...]
    renames: Callable[[Sequence[str]], dict[str, str]]
    rows: Callable[[pl.DataFrame], pl.DataFrame]
    unknown_types: Callable[[pl.Series], dict[str, int]] | None = None


KNOWN = (
    "CUR (legacy: lineItem/UnblendedCost; Athena: line_item_unblended_cost)",
    "CUR 2.0 (line_item_unblended_cost, product and resource_tags as maps)",
    "FOCUS 1.0 to 1.2 (BilledCost, ChargePeriodStart)",
    "Cost Explorer rows (start, UnblendedCost, Currency)",
)


def normalise(table: pl.DataFrame) -> Bill:
    """Read a bill of any known format, line by line and in order; no row is dropped and no cost is changed.

    Args:
        table: one row per line item, columns as in the file; text cells are fine.

    Raises:
        SchemaError: the format is not known, a column is missing, or a cell is no number or no time.
    """
    kind = recognise(table.columns)
    read = kind.rows(_renamed(table, kind.renames(table.columns)))
    if read["timestamp"].null_count():
        row = read["timestamp"].is_null().arg_true()[0]
        raise SchemaError(f"{kind.required[0]} is empty in row {row + 1}", where=kind.name)
    period = pl.col("billing_period_start").fill_null(pl.col("timestamp").dt.truncate("1mo"))
    rows = conformed(read).with_columns(period)
    return Bill(rows, kind.name, _report(rows, kind))


def recognise(columns: Sequence[str]) -> Format:
    """The format of a file with these headers.

    Raises:
        SchemaError: none fits, or one fits but for a missing column, which is named.
    """
    small = [name.lower() for name in columns]
    if any(name.startswith(("lineitem/", "line_item_")) for name in small):
        nested = {"resource_tags", "product", "bill_payer_account_name"} & set(small)
        required = tuple(_slashed(name) for name in cur.REQUIRED) if "lineitem/" in " ".join(small) else cur.REQUIRED
        kind = Format("CUR 2.0" if nested else "CUR (legacy)", required, cur.renames, cur.rows, cur.unknown_types)
    elif {"billedcost", "chargeperiodstart", "chargecategory"} & {name.replace("_", "") for name in small}:
        kind = Format(f"FOCUS {focus.version(columns)}", focus.REQUIRED, focus.renames, focus.rows)
    elif {"timestamp", "billed_cost"} <= set(explorer.renames(columns).values()):
        kind = Format("Cost Explorer", explorer.REQUIRED, explorer.renames, explorer.rows, explorer.unknown_types)
    else:
        raise SchemaError(
            f"this is no bill of a known format; its columns are {_some(columns)}",
            hint="known formats: " + "; ".join(KNOWN),
        )
    _refuse_missing(kind, columns)
    return kind


def needed(columns: Sequence[str]) -> list[str]:
    """Those of a file's columns that `normalise` reads: a reader that leaves out the rest saves most of its time.

    Raises:
        SchemaError: as in `recognise`.
    """
    return list(recognise(columns).renames(columns))


def _refuse_missing(kind: Format, columns: Sequence[str]) -> None:
    there = set(kind.renames(columns).values())
    missing = [name for name in kind.required if not set(kind.renames([name]).values()) <= there]
    if missing:
        raise SchemaError(
            f"this looks like {kind.name}, but {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing;"
            f" there: {_some(columns)}",
            hint="export the report with all of its columns; known formats: " + "; ".join(KNOWN),
        )


def _renamed(table: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """The columns that are read, under their new names; tags that get the same name share a column."""
    groups: dict[str, list[str]] = {}
    for old, new in names.items():
        groups.setdefault(new, []).append(old)
    return table.select(
        pl.col(olds[0]).alias(new)
        if len(olds) == 1
        else pl.coalesce(pl.col(old).cast(pl.String).replace("", None) for old in olds).alias(new)
        for new, olds in groups.items()
    )


def _report(rows: pl.DataFrame, kind: Format) -> BillReport:
    by_currency = (
        rows.select("billing_currency", "billed_cost")
        .group_by("billing_currency")
        .agg(rows=pl.len(), billed=pl.col("billed_cost").sum())
    )
    currencies = {currency or "unknown": (count, billed) for currency, count, billed in by_currency.iter_rows()}
    return BillReport(
        rows=len(rows),
        currencies={name: count for name, (count, _) in currencies.items()},
        billed={name: billed for name, (_, billed) in currencies.items()},
        unknown_types=_unknown(rows, kind),
        empty_costs=rows["billed_cost"].null_count(),
        unknown_effective=rows["effective_cost"].null_count(),
        unknown_list=rows["list_cost"].null_count(),
        rounded_effective=focus.looks_rounded(rows),
        other_providers=_others(rows),
    )


def _unknown(rows: pl.DataFrame, kind: Format) -> dict[str, int]:
    if kind.unknown_types is not None:
        return kind.unknown_types(rows["line_item_type"]) if rows["line_item_type"].dtype == pl.String else {}
    categories = rows["charge_category"].fill_null("").value_counts().iter_rows()
    return {category: count for category, count in categories if category not in CATEGORIES}


def _others(rows: pl.DataFrame) -> dict[str, int]:
    others = rows["provider_name"].drop_nulls()
    return dict(others.filter(others != "AWS").value_counts().iter_rows())


def _slashed(name: str) -> str:
    words = [word.capitalize() for word in name.removeprefix("line_item_").split("_")]
    return "lineItem/" + "".join(words)


def _some(columns: Sequence[str], most: int = 12) -> str:
    more = f" and {len(columns) - most} more" if len(columns) > most else ""
    return (", ".join(columns[:most]) or "none") + more
