"""The tables inside bill files: only the columns that are read, cells of CSV as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import DataError, SchemaError
from aws_auto.ml.cost.cells import moment
from aws_auto.ml.cost.normalise import needed, normalise, recognise

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from aws_auto.ml.cost.bill import Bill
    from aws_auto.pipeline.ports import Window
    from aws_auto.pipeline.shelf import Item, Shelf

ENDINGS = (".csv", ".csv.gz", ".parquet")

#: What a line's month is read from, the best first, in the names that `Format.renames` gives.
_PERIODS = (
    "bill_billing_period_start_date",
    "BillingPeriodStart",
    "line_item_usage_start_date",
    "ChargePeriodStart",
    "timestamp",
)


def bill(shelf: Shelf, item: Item, only: Window | None = None) -> Bill:
    """The bill in that file; with ``only`` its lines whose billing period begins in that window.

    Raises:
        SchemaError: the file is damaged, of an unknown format, or holds a cell that is no number or no time; names
            file, column and row.
    """
    with shelf.open(item) as path:
        try:
            table = _read(path, needed(_header(path)))
            return normalise(table) if only is None else _part(table, only)
        except DataError as error:
            raise located(error, item, path) from error


def periods(shelf: Shelf, item: Item) -> list[datetime]:
    """The first moments of the months (UTC) that the billing periods of a file begin in.

    Raises:
        SchemaError: as `bill`.
    """
    with shelf.open(item) as path:
        try:
            table = _read(path, [_period_column(_header(path))])
            return moment(table.to_series()).dt.truncate("1mo").unique().drop_nulls().sort().to_list()
        except DataError as error:
            raise located(error, item, path) from error


def located(error: DataError, item: Item, path: Path) -> DataError:
    """The same error with the file's true address, where the reader knew the path only that was opened, or none."""
    inner = (error.where or "").replace(str(path), "").lstrip(": ")
    return type(error)(error.message, where=f"{item.address}: {inner}" if inner else item.address, hint=error.hint)


def _part(table: pl.DataFrame, only: Window) -> Bill:
    start = moment(table[_period_column(table.columns)])
    try:
        return normalise(table.filter(start.is_between(only.start, only.end, closed="left")))
    except DataError:
        normalise(table)  # For the row number: the user counts in the file, not in a part of it.
        raise


def _period_column(header: list[str]) -> str:
    found = {new: old for old, new in recognise(header).renames(header).items()}
    return next(found[name] for name in _PERIODS if name in found)


def _header(path: Path) -> list[str]:
    try:
        if path.name.endswith(".parquet"):
            return list(pl.read_parquet_schema(path))
        return pl.read_csv(path, n_rows=0, infer_schema=False).columns
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(error) from error


def _read(path: Path, columns: list[str]) -> pl.DataFrame:
    try:
        if path.name.endswith(".parquet"):
            return pl.read_parquet(path, columns=columns)
        return pl.read_csv(path, columns=columns, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> SchemaError:
    return SchemaError(f"cannot be read: {str(error).splitlines()[0]}", hint="is the file complete?")
