"""All features of a frame, computed by one kernel over whole resources.

The kernel is a pure function of complete series: `kernel` of a few resources gives what it gives of all of them, so
that one process, buckets of resources and a cluster agree by construction. `build` takes a frame in memory,
`build_batches` a scan of any size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import KEYS, RESOURCE, TIMESTAMP, MetricFrame
from aws_auto.ml.features import calendar, lags
from aws_auto.ml.features.feature_set import EVERYTHING, GROUPS, FeatureSet, cost_features

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from aws_auto.ml.features.feature import Feature

#: Rows that are computed at once, unless one resource alone has more. Twice as many took 0.8 to 1.0 GB instead of
#: 0.6 GB, and a tenth more CPU.
BUCKET_ROWS = 250_000


def build(
    frame: MetricFrame,
    *,
    tz: str = "UTC",
    country: str = "US",
    subdivision: str | None = None,
    groups: Sequence[str] = GROUPS,
    metrics: Sequence[str] | None = None,
) -> pl.DataFrame:
    """``resource_id, timestamp`` and every feature that the frame has the columns for, in the frame's row order.

    Options are those of `FeatureSet`; `FeatureSet.unavailable` names what is left out and why.

    Raises:
        SchemaError: a metric that was asked for by name is not there, or is no number.
        UsageError: unknown group, time zone, country or subdivision.
    """
    wanted = FeatureSet(tz=tz, country=country, subdivision=subdivision, groups=groups, metrics=metrics)
    return compute(frame, wanted)


def compute(frame: MetricFrame, features: FeatureSet = EVERYTHING) -> pl.DataFrame:
    """`build` with the options as one value; the work is done in buckets of resources, so that memory is bounded."""
    parts = [kernel(part, features) for part in _whole_resources(frame.data)]
    return pl.concat(parts) if parts else kernel(frame.data, features)


def build_cost_features(
    frame: MetricFrame, *lists: str, tz: str = "UTC", country: str = "US", subdivision: str | None = None
) -> pl.DataFrame:
    """``resource_id, timestamp`` and the columns of the named lists of `cost_features`, of all four when none is named.

    Raises:
        UsageError: an unknown list, time zone, country or subdivision.
    """
    place = FeatureSet(tz=tz, country=country, subdivision=subdivision)
    return compute(frame, place.for_lists(lists or tuple(cost_features)))


def build_batches(
    scan: pl.LazyFrame, features: FeatureSet = EVERYTHING, *, rows: int = BUCKET_ROWS
) -> Iterator[pl.DataFrame]:
    """The features of a scan of any size, in batches of whole resources, each sorted by resource and time.

    Memory is bounded by ``rows`` (or by the longest resource, where one alone is longer). Batches come in the order
    of resource ids; together they hold what `build` gives for the whole.

    Raises:
        SchemaError: a key column is missing or a value is mistyped.
        UsageError: unknown country or subdivision.
    """
    columns = scan.collect_schema().names()
    MetricFrame(scan.head(0).collect()).require(KEYS)
    wanted = [name for name in features.needs(columns) if name in columns]
    sizes = scan.select(pl.col(RESOURCE).cast(pl.String)).group_by(RESOURCE).len().sort(RESOURCE).collect()
    for bucket in _buckets(dict(sizes.iter_rows()), rows):
        part = scan.select(wanted).filter(pl.col(RESOURCE).cast(pl.String).is_in(bucket)).collect()
        yield kernel(MetricFrame.of(part).data, features)


def kernel(data: pl.DataFrame, features: FeatureSet = EVERYTHING) -> pl.DataFrame:
    """The features of whole resources: a pure function, the same for one resource as for many.

    Args:
        data: the table of a `MetricFrame`: sorted, unique on resource and time, no resource cut in two.
        features: what to compute.

    Raises:
        SchemaError: a metric that was asked for by name is not there, or is no number.
        UsageError: unknown country or subdivision.
    """
    _require_numbers(data, features.metrics or ())
    holidays: Sequence[date] = ()
    if "time" in features.groups and not data.is_empty():
        holidays = calendar.public_holidays(
            features.country, subdivision=features.subdivision, years=_years(data[TIMESTAMP], features.tz)
        )
    declared = [f for f in features.declared(data.columns, holidays) if not f.missing(data.columns)]
    known = data.select(features.needs(data.columns))
    return evaluate(known, declared).select(*KEYS, *features.names(data.columns)).collect()


def evaluate(data: pl.DataFrame, declared: Sequence[Feature]) -> pl.LazyFrame:
    """The columns of ``data``, as `kernel` wants it, and the declared features, intermediates included."""
    direct = {f.name: f.expr for f in declared if not f.derived}
    derived = {f.name: f.expr for f in declared if f.derived}
    data = _finite(data)
    if lags.needs_positions(declared):
        data = lags.with_positions(data)
    return data.lazy().with_columns(**direct).with_columns(**derived)


def _require_numbers(data: pl.DataFrame, metrics: Sequence[str]) -> None:
    MetricFrame(data).require(metrics)
    for name in metrics:
        if not data[name].dtype.is_numeric():
            raise SchemaError(f"holds {data[name].dtype}, not numbers", where=name, hint="name metrics, not labels")


def _finite(data: pl.DataFrame) -> pl.DataFrame:
    """Infinite values read as unknown: one of them would make every window that holds it infinite or undefined."""
    numbers = pl.selectors.float()
    return data.with_columns(pl.when(numbers.is_finite()).then(numbers).name.keep())


def _years(times: pl.Series, tz: str) -> range:
    local = times.dt.convert_time_zone(tz).dt.year()
    first, last = local.min(), local.max()
    assert isinstance(first, int)  # noqa: S101 - the caller has at least one row
    assert isinstance(last, int)  # noqa: S101
    return range(first, last + 1)


def _whole_resources(data: pl.DataFrame, rows: int = BUCKET_ROWS) -> Iterator[pl.DataFrame]:
    """Slices of a sorted table that hold whole resources, of about ``rows`` rows each."""
    runs = data[RESOURCE].rle()
    sizes = dict(zip(runs.struct.field("value"), runs.struct.field("len"), strict=True))
    start = 0
    for bucket in _buckets(sizes, rows):
        length = sum(sizes[resource] for resource in bucket)
        yield data.slice(start, length)
        start += length


def _buckets(sizes: Mapping[str, int], rows: int) -> Iterator[list[str]]:
    """Resources in the order given, packed until the next one would go over ``rows``."""
    bucket: list[str] = []
    filled = 0
    for resource, size in sizes.items():
        if bucket and filled + size > rows:
            yield bucket
            bucket, filled = [], 0
        bucket.append(resource)
        filled += size
    if bucket:
        yield bucket
