"""Columns of a bill as they come from a file: text or typed, empty in several spellings. Made whole here."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import TIME_DTYPE

if TYPE_CHECKING:
    from collections.abc import Callable

_ACCOUNT_DIGITS = 12


def text(column: pl.Series, *, null_word: str = "") -> pl.Series:
    """As text; empty cells, and cells that hold ``null_word``, are null."""
    values = column.cast(pl.String)
    blank = values.is_in(["", null_word])
    return values.set(blank, None) if blank.any() else values


def account(column: pl.Series, *, null_word: str = "") -> pl.Series:
    """Account numbers with the leading zeros that a reader may have taken for arithmetic."""
    values = text(column, null_word=null_word)
    return values.str.zfill(_ACCOUNT_DIGITS) if column.dtype.is_numeric() else values


def number(column: pl.Series, *, null_word: str = "") -> pl.Series:
    """As Float64; empty is null.

    Raises:
        SchemaError: a cell holds something else; names column and row.
    """
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return column.cast(pl.Float64)
    values = text(column, null_word=null_word).str.strip_chars()
    numbers = values.cast(pl.Float64, strict=False)
    bad = (numbers.is_null() | numbers.is_nan()) & values.is_not_null()
    if bad.any():
        row = bad.arg_true()[0]
        raise SchemaError(f"{values[row]!r} in row {row + 1} is not a number", where=column.name)
    return numbers


def moment(column: pl.Series, *, null_word: str = "") -> pl.Series:
    """As UTC in microseconds. Bills are in UTC: a time without a zone is read so.

    Raises:
        SchemaError: a cell holds something else; names column and row.
    """
    if isinstance(column.dtype, pl.Datetime):
        micros = column.dt.cast_time_unit("us")
        return micros.dt.convert_time_zone("UTC") if column.dtype.time_zone else micros.dt.replace_time_zone("UTC")
    if column.dtype in (pl.Date, pl.Null):
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return _each(text(column, null_word=null_word), _parsed, TIME_DTYPE)


def snake(name: str) -> str:
    """``user:Cost Center`` and ``user_cost_center`` as ``user_cost_center``; ``UsageARN`` as ``usage_a_r_n``.

    The rule is the one by which AWS names the columns of a report in Athena: a capital starts a word.
    """
    spaced = re.sub(r"(?<=[A-Za-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def tag_name(key: str) -> str:
    """The column of a tag key: ``user:Team`` and ``Team`` make ``tag_team``, ``aws:by`` makes ``tag_aws_by``."""
    plain = re.sub(r"^(resource_?tags?[/:_])?(user[:_])?", "", key, flags=re.IGNORECASE)
    joined = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain)
    return "tag_" + re.sub(r"[^a-z0-9]+", "_", joined.lower()).strip("_")


def mapping(column: pl.Series, rename: Callable[[str], str]) -> pl.DataFrame:
    """A map column as one text column per key, null where a row lacks the key.

    The map may be a Parquet map (a list of key and value), a struct, or JSON text. Keys that get the same name share a
    column; the first that has a value wins.

    Raises:
        SchemaError: text that is no JSON object; names column and row.
    """
    if isinstance(column.dtype, pl.Struct):
        return _shared(column.struct.unnest(), rename)
    if isinstance(column.dtype, pl.List):
        return _from_list(column, rename)
    texts = text(column, null_word="NULL")
    distinct = texts.unique().drop_nulls()
    dicts = [_object(value, column.name, texts) for value in distinct]
    keys = sorted({key for one in dicts for key in one})
    if not keys:
        return pl.DataFrame()
    table = pl.DataFrame(
        {key: [_word(one.get(key)) for one in dicts] for key in keys}, schema=dict.fromkeys(keys, pl.String)
    )
    places = distinct.to_frame("text").with_row_index("place")
    place = texts.to_frame("text").join(places, on="text", how="left", maintain_order="left")["place"]
    return _shared(table.select(pl.all().gather(place)), rename)


def _from_list(column: pl.Series, rename: Callable[[str], str]) -> pl.DataFrame:
    pairs = column.rename("pair").to_frame().with_row_index("row").explode("pair").drop_nulls("pair").unnest("pair")
    if pairs.is_empty():
        return pl.DataFrame()
    wide = pairs.filter(pl.col("value").is_not_null()).pivot(
        on="key", index="row", values="value", aggregate_function="first"
    )
    rows = pl.DataFrame({"row": pl.int_range(len(column), eager=True, dtype=pl.UInt32)})
    return _shared(rows.join(wide, on="row", how="left", maintain_order="left").drop("row"), rename)


def _shared(table: pl.DataFrame, rename: Callable[[str], str]) -> pl.DataFrame:
    groups: dict[str, list[str]] = {}
    for key in sorted(table.columns):
        groups.setdefault(rename(key), []).append(key)
    empty = pl.col(pl.String).replace("", None)
    return (
        table.cast(pl.String)
        .with_columns(empty)
        .select(pl.coalesce(keys).alias(name) for name, keys in sorted(groups.items()))
    )


def _object(value: str, where: str, texts: pl.Series) -> dict[str, object]:
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        row = (texts == value).arg_true()[0]
        raise SchemaError(f"{value[:60]!r} in row {row + 1} is no JSON object", where=where)
    return parsed


def _word(value: object) -> str | None:
    return None if value is None else value if isinstance(value, str) else json.dumps(value)


def _each(column: pl.Series, parse: Callable[[str], object], dtype: pl.DataType) -> pl.Series:
    """Parse each distinct text once: a month of a million rows has some seven hundred hours."""
    distinct = column.unique().drop_nulls()
    parsed = [parse(value) for value in distinct]
    if None in parsed:
        bad = distinct[parsed.index(None)]
        row = (column == bad).arg_true()[0]
        raise SchemaError(
            f"{bad!r} in row {row + 1} is not a time", where=column.name, hint="write ISO 8601, as AWS does"
        )
    if not len(distinct):
        return pl.Series(column.name, [None] * len(column), dtype)
    return column.replace_strict(distinct, pl.Series(parsed, dtype=dtype), default=None, return_dtype=dtype)


def _parsed(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value.removesuffix(" UTC"))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
