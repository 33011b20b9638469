"""What the lake does to rows, as pure functions of frames: conform to a schema, merge by keys, replace a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import TIME_DTYPE, TIMESTAMP
from aws_auto.pipeline.local.state import micros, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.pipeline.ports import Batch, Window

_NEW = "\x00new"

#: Narrow types are stored as their wide twin, so that the next batch, which may need it, is no conflict.
_WIDE: Mapping[pl.DataType, pl.DataType] = {
    pl.Int8(): pl.Int64(),
    pl.Int16(): pl.Int64(),
    pl.Int32(): pl.Int64(),
    pl.UInt8(): pl.Int64(),
    pl.UInt16(): pl.Int64(),
    pl.UInt32(): pl.Int64(),
    pl.Float32(): pl.Float64(),
}


def conform(batch: Batch, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The rows as the lake stores them: wide types, times in UTC microseconds, one row per key.

    A column without any type (all null, never seen before) is left out: there is nothing in it yet.

    Args:
        batch: what a source delivered.
        schema: the dataset's columns so far; columns may be added, never retyped.

    Raises:
        SchemaError: a column conflicts with the dataset's, or the timestamps or keys are not usable.
    """
    rows = batch.rows
    if rows.is_empty() and TIMESTAMP not in rows.columns:
        return pl.DataFrame(schema={TIMESTAMP: TIME_DTYPE})
    _check(batch)
    rows = rows.select(
        _conformed(name, dtype, schema.get(name), batch.dataset)
        for name, dtype in rows.schema.items()
        if dtype != pl.Null or name in schema
    )
    return _one_per_key(rows, list(batch.keys)) if batch.keys else _all_inside(rows, batch)


def by_day(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows by UTC day (``2026-01-31``), in the order of days; the order of rows stays."""
    days = rows.with_columns(pl.col(TIMESTAMP).dt.date().alias(_NEW)).partition_by(
        _NEW, as_dict=True, include_key=False
    )
    return {str(day): days[day,] for (day,) in sorted(days)}


def span(rows: pl.DataFrame) -> tuple[int, int]:
    """First and last time of rows, which must not be empty, in microseconds since 1970."""
    low, high = (
        rows.select(low=pl.col(TIMESTAMP).min(), high=pl.col(TIMESTAMP).max()).select(pl.all().to_physical()).row(0)
    )
    return int(low), int(high)


def merged(old: pl.DataFrame, new: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Both, one row per key, column by column: what is new and not null wins. Sorted by key."""
    shared = [name for name in new.columns if name in old.columns and name not in keys]
    return (
        old.join(new, on=keys, how="full", coalesce=True, nulls_equal=True, suffix=_NEW)
        .with_columns(pl.coalesce(name + _NEW, name).alias(name) for name in shared)
        .drop(name + _NEW for name in shared)
        .sort(keys)
    )


def replaced(old: pl.DataFrame, new: pl.DataFrame, window: Window) -> pl.DataFrame:
    """The old rows outside the window, then the new ones, in the order of time (equal times keep their order)."""
    return pl.concat([old.filter(~inside(window)), new], how="diagonal").sort(TIMESTAMP, maintain_order=True)


def inside(window: Window) -> pl.Expr:
    """Whether a row lies in the window.

    Raises:
        UsageError: the window's times have no zone.
    """
    # Polars compares times of one zone only, so the window's are brought to UTC.
    start, end = (moment(micros(at)) for at in (window.start, window.end))
    return (pl.col(TIMESTAMP) >= start) & (pl.col(TIMESTAMP) < end)


def _check(batch: Batch) -> None:
    rows, where = batch.rows, f"lake/{batch.dataset}"
    missing = [name for name in dict.fromkeys((TIMESTAMP, *batch.keys)) if name not in rows.columns]
    if missing:
        raise SchemaError(
            f"no column {', '.join(missing)}; there are {', '.join(rows.columns)}",
            where=where,
            hint="every dataset has a timestamp, and every key is a column",
        )
    if batch.keys and TIMESTAMP not in batch.keys:
        raise SchemaError(
            f"the keys {', '.join(batch.keys)} do not hold {TIMESTAMP}",
            where=where,
            hint=f"add {TIMESTAMP} to the keys, or leave them empty to replace a window",
        )
    time = rows[TIMESTAMP]
    if not isinstance(time.dtype, pl.Datetime) or time.dtype.time_zone is None:
        raise SchemaError(f"{TIMESTAMP} holds {time.dtype}, not times in UTC", where=where)
    if time.null_count():
        raise SchemaError(f"{TIMESTAMP} is empty in row {time.is_null().arg_true()[0] + 1}", where=where)


def _conformed(name: str, dtype: pl.DataType, known: pl.DataType | None, dataset: str) -> pl.Expr:
    wide = _widened(dtype)
    if known is None or wide == known:
        return pl.col(name) if wide == dtype else _cast(name, wide)
    if wide == pl.Null or (wide == pl.Int64 and known == pl.Float64):
        return pl.col(name).cast(known)
    raise SchemaError(
        f"holds {known} in the lake and {wide} in the new rows",
        where=f"lake/{dataset}: {name}",
        hint=f"cast it to {known} first, or give the new column another name",
    )


def _widened(dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        return pl.String()
    if isinstance(dtype, pl.Datetime):
        return pl.Datetime("us", "UTC" if dtype.time_zone else None)
    return _WIDE.get(dtype, dtype)


def _cast(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return pl.col(name).dt.cast_time_unit("us").dt.convert_time_zone("UTC")
    return pl.col(name).cast(dtype)


def _one_per_key(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    rows = rows.sort(keys, maintain_order=True)
    if rows.select(_repeats(keys).any()).item():
        rows = rows.group_by(keys, maintain_order=True).agg(pl.exclude(keys).drop_nulls().last())
    return rows


def _repeats(keys: list[str]) -> pl.Expr:
    return pl.all_horizontal(pl.col(key).eq_missing(pl.col(key).shift(1)) for key in keys) & (
        pl.int_range(pl.len()) > 0
    )


def _all_inside(rows: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    strays = rows.filter(~inside(batch.window))
    if len(strays):
        raise SchemaError(
            f"{len(strays)} rows lie outside the window from {batch.window.start} to {batch.window.end} that they"
            f" replace, first at {strays[TIMESTAMP].sort()[0]}",
            where=f"lake/{batch.dataset}",
            hint="widen the window of the batch to what its rows span",
        )
    return rows
