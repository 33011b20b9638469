"""How a resource is used: statistics of the last 24 hours, longer and shorter windows, and room left.

The specification writes ``rolling(24)`` on hourly rows. It is read here as 24 hours of time, so that it means the same
on five-minute data and on data with gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import polars as pl

from aws_auto.ml.features.feature import Feature, ratio
from aws_auto.ml.features.windows import Statistic, slope, window

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

#: The metrics whose usage pattern the specification asks for.
PATTERN_METRICS = ("cpu_utilization", "memory_utilization", "network_io")
#: The metrics whose average the specification lists as usage features.
AVERAGED = (*PATTERN_METRICS, "storage_io")
#: Metrics in percent of a capacity, so that headroom means something.
PERCENTAGES = ("cpu_utilization", "memory_utilization", "disk_utilization")
IDLE_BELOW, BUSY_ABOVE = 5.0, 80.0

_WORDS = {"p95": "percentile_95"}


def pattern_features(metrics: Sequence[str]) -> list[Feature]:
    """The specification's usage pattern of each metric, and the two cross-metric ratios."""
    found = [feature for metric in metrics for feature in _pattern(metric)]
    cpu, memory = pl.col("cpu_utilization"), pl.col("memory_utilization")
    both = ("cpu_utilization", "memory_utilization")
    found.append(Feature("cpu_memory_ratio", both, ratio(cpu, memory + 1e-6)))
    found.append(Feature("resource_efficiency", both, (cpu + memory) / 2))
    return found


def _pattern(metric: str) -> list[Feature]:
    value = pl.col(metric)
    found = [Feature(f"{metric}_{_WORDS.get(s, s)}_24h", (metric,), window(value, s, 24)) for s in get_args(Statistic)]
    found += slope(f"{metric}_trend_6h", metric, 6)
    volatility = ratio(pl.col(f"{metric}_std_24h"), pl.col(f"{metric}_mean_24h"))
    found.append(Feature(f"{metric}_volatility_24h", (metric,), volatility, derived=True))
    return found


def rolling_features(metrics: Sequence[str]) -> list[Feature]:
    """The last hour and the last week of each metric, and how unusual the present value is in that week."""
    found = []
    for metric in metrics:
        value, mean, deviation = pl.col(metric), pl.col(f"{metric}_mean_7d"), pl.col(f"{metric}_std_7d")
        found += [
            Feature(f"{metric}_mean_1h", (metric,), window(value, "mean", 1)),
            Feature(f"{metric}_max_1h", (metric,), window(value, "max", 1)),
            Feature(f"{metric}_mean_7d", (metric,), window(value, "mean", 7 * 24)),
            Feature(f"{metric}_std_7d", (metric,), window(value, "std", 7 * 24)),
            Feature(f"{metric}_zscore_7d", (metric,), ratio(value - mean, deviation), derived=True),
        ]
    return found


def utilization_features(columns: Collection[str]) -> list[Feature]:
    """Levels of the present point, and for percentages the room left and the time spent idle or busy.

    Headroom is taken from the ``Maximum`` statistic where ``columns`` has it: the average of five minutes hides the
    peak that a smaller instance would have to carry.
    """
    found = [Feature(f"{metric}_avg", (metric,), pl.col(metric)) for metric in AVERAGED]
    found += [Feature(metric, (metric,), pl.col(metric)) for metric in ("request_count", "error_rate")]
    for metric in PERCENTAGES:
        value, peak = pl.col(metric), f"{metric}_max" if f"{metric}_max" in columns else metric
        found += [
            Feature(f"{metric}_headroom_24h", (peak,), 100 - window(pl.col(peak), "max", 24)),
            Feature(f"{metric}_idle_share_24h", (metric,), _share(value < IDLE_BELOW)),
            Feature(f"{metric}_busy_share_24h", (metric,), _share(value > BUSY_ABOVE)),
        ]
    return found


def _share(condition: pl.Expr) -> pl.Expr:
    return window(condition.cast(pl.Float64), "mean", 24)
