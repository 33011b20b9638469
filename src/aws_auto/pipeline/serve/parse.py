"""The body of a request as typed columns: JSON or CSV goes in, what the model's schema asks for comes out.

Rows count from 1, as a person counts them in what they sent.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from aws_auto.frame import RESOURCE, TIME_DTYPE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.results import Field

WORDS = {"time": "an ISO 8601 time", "text": "text", "number": "a number"}


class RefusedError(Exception):
    """The request cannot be answered as it is: an HTTP status and a sentence. Never leaves this package."""

    def __init__(self, status: int, sentence: str, hint: str | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.hint = hint


@dataclass(frozen=True)
class Table:
    """Columns as they were sent. CSV knows no types: there (``untyped``) a number is text that reads as one."""

    count: int
    columns: Mapping[str, Sequence[Any]]
    untyped: bool


def table(body: bytes, content_type: str) -> Table:
    """The rows of a body; no content type means JSON.

    Raises:
        RefusedError: 400 for content at fault, 415 for a content type that is not read here.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media in {"application/json", ""}:
        return _json(body)
    if media == "text/csv":
        return _csv(body)
    raise RefusedError(
        415,
        f"the content type {media} is not read here",
        "send application/json or text/csv (curl needs -H 'Content-Type: application/json')",
    )


def _json(body: bytes) -> Table:
    try:
        document = json.loads(body)
    except RecursionError as error:
        raise RefusedError(400, "the JSON is nested too deeply to be read") from error
    except ValueError as error:
        raise RefusedError(400, f"the body is not JSON: {error}") from error
    instances = document.get("instances") if isinstance(document, dict) else document
    if not isinstance(instances, list):
        raise RefusedError(400, 'the JSON is neither a list of rows nor {"instances": [...]}')
    for number, row in enumerate(instances, 1):
        if not isinstance(row, dict):
            raise RefusedError(400, f"row {number} is not an object", "write each row as {column: value, ...}")
    names = dict.fromkeys(name for row in instances for name in row)
    return Table(len(instances), {name: [row.get(name) for row in instances] for name in names}, untyped=False)


def _csv(body: bytes) -> Table:
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line]
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"the body is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except csv.Error as error:
        raise RefusedError(400, f"the body is not CSV: {error}") from error
    if not lines:
        return Table(0, {}, untyped=True)
    names, rows = [name.strip() for name in lines[0]], lines[1:]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RefusedError(400, f"the first line names {', '.join(twice)} more than once")
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise RefusedError(400, f"row {number} has {len(row)} fields where the first line names {len(names)}")
    columns = {name: [row[i].strip() or None for row in rows] for i, name in enumerate(names)}
    return Table(len(rows), columns, untyped=True)


def column(field: Field, given: Table, notes: set[str]) -> pl.Series:
    """One column of the schema, typed; what was decided on the way is added to ``notes``.

    NaN reads as missing, as at every door of this package. Times without a zone read as UTC.

    Raises:
        RefusedError: 400 with the row and the column at fault.
    """
    values = given.columns.get(field.name, [None] * given.count)
    if field.kind == "number":
        return _numbers(field, values, notes, untyped=given.untyped)
    if field.kind == "time":
        return _times(field, values, notes)
    return _texts(field, values)


def _numbers(field: Field, values: Sequence[Any], notes: set[str], *, untyped: bool) -> pl.Series:
    if untyped:
        values = [_read_number(field, n, v) for n, v in enumerate(values, 1)]
    elif not set(map(type, values)) <= {int, float, type(None)}:
        row = next(n for n, v in enumerate(values, 1) if type(v) not in {int, float, type(None)})
        raise _mistyped(field, row, values[row - 1])
    try:
        floats = [None if v is None else float(v) for v in values]
    except OverflowError:
        floats = [None if v is None else math.inf if abs(v) > 1e300 else float(v) for v in values]
    series = pl.Series(field.name, floats, dtype=pl.Float64)
    if series.is_nan().any():
        notes.add(f"{field.name} holds NaN, which counts as missing")
        series = series.fill_nan(None)
    if series.is_infinite().any():
        raise RefusedError(400, f"row {_first(series.is_infinite())}, column {field.name}: the number is infinite")
    return series


def _read_number(field: Field, row: int, value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        raise _mistyped(field, row, value) from None


def _times(field: Field, values: Sequence[Any], notes: set[str]) -> pl.Series:
    moments: list[datetime | None] = []
    for row, value in enumerate(values, 1):
        if value is None and not field.required:
            moments.append(None)
            continue
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                notes.add(f"{field.name} has no time zone and was read as UTC")
                moment = moment.replace(tzinfo=UTC)
            moments.append(moment.astimezone(UTC))
        except (TypeError, ValueError, OverflowError):
            raise _mistyped(field, row, value) from None
    return pl.Series(field.name, moments, dtype=TIME_DTYPE)


def _texts(field: Field, values: Sequence[Any]) -> pl.Series:
    for row, value in enumerate(values, 1):
        if not isinstance(value, str) and (value is not None or field.name == RESOURCE):
            raise _mistyped(field, row, value)
    return pl.Series(field.name, values, dtype=pl.String)


def _mistyped(field: Field, row: int, value: object) -> RefusedError:
    shown = "nothing" if value is None else repr(value)
    return RefusedError(
        400, f"row {row}, column {field.name}: {shown[:80]} is not {WORDS[field.kind]}", _type_hint(field, value)
    )


def _type_hint(field: Field, value: object) -> str | None:
    if field.kind == "number" and isinstance(value, str):
        return "write numbers without quotation marks, and null for a missing one"
    if field.kind == "time":
        return "write for example 2026-01-05T09:00:00Z"
    return None


def _first(mask: pl.Series) -> int:
    return int(mask.arg_true()[0]) + 1
