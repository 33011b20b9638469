"""What a resource costs, what one unit of work costs, and how much of the money pays for capacity that is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.features.feature import Feature, hidden, ratio
from aws_auto.ml.features.windows import HOURS_PER_US, slope, window

if TYPE_CHECKING:
    from collections.abc import Collection

COST = "hourly_cost"


def features(columns: Collection[str]) -> list[Feature]:
    """Cost features; ``hourly_cost`` is in USD per hour, the statistic that every formula here starts from."""
    cost, period = pl.col(COST), hidden("period_hours")
    per_request = ratio(cost * pl.col(period), pl.col("request_count"))
    return [
        Feature(COST, (COST,), cost),
        # USD per hour, per hour -> USD per day, per day: 24 hours in a day on both sides.
        *slope("daily_cost_trend", COST, 7 * 24, scale=24 * 24),
        Feature(period, (COST, "request_count"), _period_hours()),
        Feature("cost_per_request", (COST, "request_count"), per_request, derived=True),
        Feature("cost_per_user", (COST, "active_users"), ratio(cost, pl.col("active_users"))),
        *_efficiency_score(columns),
    ]


def _efficiency_score(columns: Collection[str]) -> list[Feature]:
    """Of the money of the last 24 hours, the share that paid for capacity in use: ``sum(cost * used) / sum(cost)``.

    ``used`` is the mean of CPU and memory utilisation, or the one that there is: EC2 reports no memory by itself.
    """
    used = [name for name in ("cpu_utilization", "memory_utilization") if name in columns] or ["cpu_utilization"]
    share = pl.sum_horizontal(used, ignore_nulls=False) * (0.01 / len(used))
    paid = pl.when(share.is_not_null()).then(pl.col(COST))
    needs, paid_name, used_name = (COST, *used), hidden("paid"), hidden("paid_for_use")
    return [
        Feature(paid_name, needs, window(paid, "mean", 24)),
        Feature(used_name, needs, window(paid * share, "mean", 24)),
        Feature("cost_efficiency_score", needs, ratio(pl.col(used_name), pl.col(paid_name)), derived=True),
    ]


def _period_hours() -> pl.Expr:
    """Hours that one point stands for: the shortest step of the last day, carried on over longer gaps.

    A request count belongs to its period, a cost rate does not, so the two meet only through the period. The first
    point of a resource has none yet. Looking back only, it follows a series whose period changes (CloudWatch keeps
    one-minute points for 15 days and five-minute points for 63).
    """
    step = pl.col(TIMESTAMP).to_physical().diff().over(RESOURCE) * HOURS_PER_US
    shortest = window(pl.when(step <= 24).then(step), "min", 24)
    return shortest.forward_fill().over(RESOURCE)
