"""Resources that cost money and do nothing, said only where the evidence is complete."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP

CPU_MAX = "cpu_utilization_max"
COST = "hourly_cost"
#: The highest CPU maximum of an idle resource, in per cent; see the finops notes on idle rules in use.
IDLE_CPU = 5.0
LEAST_DAYS = 14
LEAST_SEEN = 0.9
HOURS_A_MONTH = 730


@dataclass(frozen=True, kw_only=True)
class Idle:
    """A resource whose CPU maximum stayed under `IDLE_CPU` for at least a fortnight.

    ``monthly_usd`` is what it costs, so the most that can be saved.
    """

    resource_id: str
    days: float
    highest_cpu: float
    monthly_usd: float


def idle(data: pl.DataFrame) -> list[Idle]:
    """Idle resources, dearest first; empty without the CPU *maximum* (an average hides peaks) or without cost.

    Args:
        data: the table of a `MetricFrame`.
    """
    if not {CPU_MAX, COST} <= set(data.columns):
        return []
    found = (
        data.group_by(RESOURCE)
        .agg(
            days=(pl.col(TIMESTAMP).max() - pl.col(TIMESTAMP).min()).dt.total_seconds() / 86_400,
            highest_cpu=pl.col(CPU_MAX).max(),
            seen=pl.col(CPU_MAX).count() / pl.len(),
            monthly_usd=pl.col(COST).mean() * HOURS_A_MONTH,
        )
        .filter(
            pl.col("days") >= LEAST_DAYS,
            pl.col("seen") >= LEAST_SEEN,
            pl.col("highest_cpu") < IDLE_CPU,
            pl.col("monthly_usd") > 0,
        )
        .sort(pl.col("monthly_usd"), RESOURCE, descending=[True, False])
    )
    return [Idle(**row) for row in found.drop("seen").iter_rows(named=True)]
