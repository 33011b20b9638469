"""One answer function behind every way to ask a model: local HTTP, and later the container, Lambda and batch.

Pure: bytes in, bytes out. It checks a request against the model's schema, asks the model, and marks the rows that lie
outside what the model has seen in training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import AwsAutoError, DataError, NotFitted
from aws_auto.pipeline.serve.parse import WORDS, RefusedError, column, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.protocols import Predictor
    from aws_auto.results import Field

#: Of a request body. What is larger belongs into a batch, not into a request that somebody waits for.
MOST_BYTES = 6 * 1024 * 1024
MOST_ROWS = 10_000
EXTRAPOLATED = "extrapolated"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What goes back, and what is worth capturing.

    Attributes:
        status: of HTTP.
        body: JSON: ``{"predictions": [...], "notes": [...]}``, or ``{"error": sentence, "hint": next step}``.
        features: the rows as the model read them, None when nothing was answered.
        predictions: one row each, with a column ``extrapolated`` that lists the columns outside the training range.
    """

    status: int
    body: bytes
    features: pl.DataFrame | None = None
    predictions: pl.DataFrame | None = None


def answer(predictor: Predictor, schema: Sequence[Field], body: bytes, content_type: str) -> Answer:
    """Answer one request.

    JSON bodies are ``{"instances": [{column: value}, ...]}`` or the bare list; CSV bodies name the columns in the
    first line. Faults of the request give 400, 413 or 415 with the row and column; faults of the model give 500, a
    model that was never fitted 503. A value outside the training range is answered and marked.
    """
    try:
        rows, notes = read(schema, body, content_type)
        predictions = predictor.predict(rows)
    except RefusedError as refused:
        return failure(refused.status, refused.sentence, refused.hint)
    except DataError as error:
        return failure(400, str(error), error.hint)
    except NotFitted as error:
        return failure(503, str(error), error.hint)
    except AwsAutoError as error:
        return failure(500, str(error), error.hint)
    marked = predictions.with_columns(extrapolated(rows, schema))
    listed = marked.write_json().encode()
    noted = b',"notes":' + json.dumps(notes).encode() if notes else b""
    return Answer(status=200, body=b'{"predictions":' + listed + noted + b"}", features=rows, predictions=marked)


def read(schema: Sequence[Field], body: bytes, content_type: str) -> tuple[pl.DataFrame, list[str]]:
    """The rows of a request with exactly the columns of the schema, and what was decided on the way in.

    Raises:
        RefusedError: the request cannot be answered as it is.
    """
    if len(body) > MOST_BYTES:
        raise too_large()
    given = table(body, content_type)
    if given.count == 0:
        raise RefusedError(400, "the request holds no rows", f"send at least one, such as {example(schema)}")
    if given.count > MOST_ROWS:
        raise RefusedError(413, f"{given.count} rows are more than {MOST_ROWS}", "split the request")
    if missing := [f.name for f in schema if f.required and f.name not in given.columns]:
        needed = ", ".join(f"{f.name} ({WORDS[f.kind]})" for f in schema if f.required)
        raise RefusedError(400, f"columns are missing: {', '.join(missing)}", f"the model needs {needed}")
    notes: set[str] = set()
    if absent := [f.name for f in schema if f.name not in given.columns]:
        notes.add(f"not sent, counts as missing: {', '.join(absent)}")
    if extra := sorted(set(given.columns) - {f.name for f in schema}):
        notes.add(f"the model does not read: {', '.join(extra)}")
    return pl.DataFrame([column(field, given, notes) for field in schema]), sorted(notes)


def extrapolated(rows: pl.DataFrame, schema: Sequence[Field]) -> pl.Series:
    """For each row the columns whose value lies outside the range seen in training."""
    outside: list[list[str]] = [[] for _ in range(len(rows))]
    for field in schema:
        if field.kind != "number" or (field.low is None and field.high is None):
            continue
        values = rows[field.name]
        beyond = pl.repeat(value=False, n=len(rows), eager=True)
        if field.low is not None:
            beyond |= (values < field.low).fill_null(value=False)
        if field.high is not None:
            beyond |= (values > field.high).fill_null(value=False)
        for index in beyond.arg_true():
            outside[index].append(field.name)
    return pl.Series(EXTRAPOLATED, outside, dtype=pl.List(pl.String))


def example(schema: Sequence[Field]) -> str:
    """A request body that the schema accepts, as JSON."""
    return json.dumps({"instances": [{field.name: _sample(field) for field in schema if field.required}]})


def failure(status: int, sentence: str, hint: str | None = None) -> Answer:
    """An answer that says what is wrong and what to do next."""
    return Answer(status=status, body=json.dumps({"error": sentence, "hint": hint}).encode())


def too_large() -> RefusedError:
    """The body is over the limit."""
    return RefusedError(413, f"the request is larger than {MOST_BYTES // 2**20} MiB", "split the request")


def _sample(field: Field) -> str | float:
    if field.kind == "time":
        return "2026-01-05T09:00:00Z"
    if field.kind == "text":
        return "i-0abc" if field.name == "resource_id" else "text"
    if field.low is None or field.high is None:
        return 1.0
    return float(f"{(field.low + field.high) / 2:.4g}")
