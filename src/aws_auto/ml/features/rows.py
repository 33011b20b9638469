"""Between the rows that a user holds and the kernel: accept them as they are, give features back row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from aws_auto.errors import SchemaError, UsageError
from aws_auto.frame import KEYS, RESOURCE, TIMESTAMP, MetricFrame, like, to_polars
from aws_auto.ml.features.assemble import compute, evaluate
from aws_auto.ml.features.windows import slope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.ml.features.feature_set import FeatureSet

_ONE_SERIES = "series"


class Features(dict[str, Any]):
    """Column name to series, in the order of the rows that were given.

    Attributes:
        unavailable: features that were wanted and left out, each with the reason.
    """

    def __init__(self, columns: Mapping[str, Any], unavailable: Mapping[str, str]) -> None:
        super().__init__(columns)
        self.unavailable = dict(unavailable)


def features(data: Any, wanted: FeatureSet) -> Features:  # noqa: ANN401 - pandas must not be imported to be named
    """The wanted features of the rows of ``data``, as series of its kind.

    Raises:
        SchemaError: no timestamp, a mistyped value, or no column that any wanted feature needs.
    """
    columns = _columns(data)
    if TIMESTAMP not in columns:
        raise SchemaError(
            f"column {TIMESTAMP} missing; there: {', '.join(columns) or 'none'}",
            hint="pandas keeps times in the index? Pass data.reset_index(names='timestamp')",
        )
    if not wanted.names({*columns, *KEYS}):
        needed = sorted({name for f in wanted.declared(columns) for name in f.missing({*columns, *KEYS})})
        raise SchemaError(
            f"none of the columns {', '.join(needed)} is there; there: {', '.join(columns) or 'none'}",
            hint="rename your columns to these words; one of them is enough for the features that need only it",
        )
    unavailable = wanted.unavailable({*columns, *KEYS})
    if isinstance(data, MetricFrame):
        return Features(_series(data.data, compute(data, wanted)), unavailable)
    needed = [name for name in columns if name in wanted.needs({*columns, *KEYS})]
    table = _as_one_series(to_polars(_only(data, needed)))
    frame = MetricFrame.of(table)
    return Features(_series(data, _row_by_row(table, compute(frame, wanted))), unavailable)


def trend(data: Any, hours: float, timestamps: Any = None) -> Any:  # noqa: ANN401 - see features
    """Slope per hour over the last ``hours`` at each value, as a series of the kind of ``data``.

    Raises:
        UsageError: ``hours`` is not a positive whole number.
        SchemaError: as many times as values are wanted, or a value is no number.
    """
    if hours < 1 or hours != int(hours):
        raise UsageError(f"a window of {hours!r} hours is not a positive whole number", hint="write 6 for six hours")
    values, times = _values_and_times(data, timestamps)
    if len(values) != len(times):
        raise SchemaError(f"{len(values)} values have {len(times)} timestamps", hint="pass one for each value")
    table = _as_one_series(pl.DataFrame([values.alias("value").cast(pl.Float64), times.alias(TIMESTAMP)]))
    declared = slope("trend", "value", int(hours))
    built = evaluate(MetricFrame.of(table).data, declared).select(*KEYS, "trend").collect()
    name = getattr(data, "name", None) or "trend"
    answer = _row_by_row(table, built).to_series().alias(str(name))
    if not _is_pandas_series(data):
        return answer
    given = like(data.to_frame(), answer.to_frame())[str(name)]
    given.index, given.name = data.index, data.name
    return given


def _values_and_times(data: Any, timestamps: Any) -> tuple[pl.Series, pl.Series]:  # noqa: ANN401
    if _is_pandas_series(data):
        values = to_polars(data.to_frame(name="value"))["value"]
        if timestamps is None and getattr(data.index.dtype, "kind", "") == "M":
            timestamps = data.index.to_series()
    else:
        values = data if isinstance(data, pl.Series) else pl.Series("value", list(data), strict=False)
    if timestamps is None:
        first = pl.Series(TIMESTAMP, range(len(values)), dtype=pl.Int64)
        return values, (first * 3_600_000_000).cast(pl.Datetime("us", "UTC"))
    if _is_pandas_series(timestamps):
        return values, to_polars(timestamps.to_frame(name=TIMESTAMP))[TIMESTAMP]
    return values, timestamps if isinstance(timestamps, pl.Series) else pl.Series(TIMESTAMP, list(timestamps))


def _columns(data: Any) -> list[str]:  # noqa: ANN401
    if isinstance(data, MetricFrame):
        return data.data.columns
    if isinstance(data, pl.LazyFrame):
        return data.collect_schema().names()
    if isinstance(data, Mapping):
        return [str(name) for name in data]
    return [str(name) for name in data.columns] if hasattr(data, "columns") else to_polars(data).columns


def _only(data: Any, names: Sequence[str]) -> Any:  # noqa: ANN401
    """The named columns: what no feature reads need not be convertible."""
    if isinstance(data, pl.LazyFrame | pl.DataFrame):
        return data.select(names)
    if isinstance(data, Mapping):
        return {name: data[name] for name in names}
    return data[list(names)]


def _as_one_series(table: pl.DataFrame) -> pl.DataFrame:
    return table if RESOURCE in table.columns else table.with_columns(pl.lit(_ONE_SERIES).alias(RESOURCE))


def _row_by_row(table: pl.DataFrame, built: pl.DataFrame) -> pl.DataFrame:
    """The features of each row of ``table``, in its order, equal keys sharing theirs."""
    keys = table.select(pl.col(RESOURCE).cast(pl.String), _moments(table).alias(TIMESTAMP))
    if not keys.equals(built.select(KEYS)):
        built = keys.join(built, on=KEYS, how="left", maintain_order="left")
    return built.drop(KEYS)


def _moments(table: pl.DataFrame) -> pl.Series:
    """The timestamps as the frame reads them, one per row: as if each row were a resource of its own."""
    row = pl.int_range(pl.len()).cast(pl.String).str.zfill(len(str(len(table))))
    return MetricFrame.of(table.select(row.alias(RESOURCE), TIMESTAMP)).data[TIMESTAMP]


def _series(original: Any, built: pl.DataFrame) -> dict[str, Any]:  # noqa: ANN401
    built = built.drop(KEYS, strict=False)
    given = like(original, built)
    if not isinstance(given, pl.DataFrame):
        given.index = original.index
    return {name: given[name] for name in built.columns}


def _is_pandas_series(data: Any) -> bool:  # noqa: ANN401
    return type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "to_frame")
