"""Workloads: what is asked of a fleet, by how many instances it is served, and how long that takes.

A fleet behind a load balancer does not know its latency, and the balancer does not know its instances: the two are
brought together here. Containers and functions know both, or have no instances to count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Requests of a balancer and of its fleet differ by less than this, in logs, in the middle of the time.
SAME_LOAD = 0.2
LATENCIES = ("latency", "latency_p50", "latency_p95", "latency_p99")
#: Columns of a table of workloads, beside the keys and the latencies.
COLUMNS = {
    "load": "request_count",
    "instances": "instance_count",
    "cpu": "cpu_utilization",
    "memory": "memory_utilization",
    "errors": "error_rate",
    "cost": "hourly_cost",
}


@dataclass(frozen=True)
class Layout:
    """How rows of resources become rows of workloads.

    Attributes:
        fronts: for a fleet, the resource in front of it whose latency is taken.
        periods: seconds between the rows of a resource, over which its requests were counted.
    """

    fronts: Mapping[str, str]
    periods: Mapping[str, float]

    @property
    def behind(self) -> dict[str, str]:
        """For a resource in front, its fleet."""
        return {front: fleet for fleet, front in self.fronts.items()}


@dataclass(frozen=True)
class Workloads:
    """Workloads over time.

    Attributes:
        table: sorted by ``resource_id, timestamp``; `COLUMNS` and those of `LATENCIES` that there are; ``load`` is in
            requests a second and never null, what is unknown is null.
        layout: how it was made.
    """

    table: pl.DataFrame
    layout: Layout

    @property
    def latencies(self) -> tuple[str, ...]:
        """The latency columns that hold a value."""
        return tuple(n for n in LATENCIES if n in self.table.columns and self.table[n].count())


def workloads(data: pl.DataFrame, layout: Layout | None = None) -> Workloads:
    """The workloads in the rows of a `MetricFrame`.

    Args:
        data: the rows.
        layout: as it was found before; then rows that hold nothing but a load are workloads as well.

    Raises:
        SchemaError: nothing has both a request count and instances, or a request count and latency.
    """
    rows = _plain(data, {} if layout is None else layout.periods)
    found = layout or Layout(
        _fronts(rows, data), dict(rows.group_by(RESOURCE).agg(pl.col("period").first()).iter_rows())
    )
    behind = found.behind
    seen = [n for n in LATENCIES if n in rows.columns]
    table = (
        rows.with_columns(pl.col(RESOURCE).replace(behind), in_front=pl.col(RESOURCE).is_in(list(behind)))
        .sort(RESOURCE, TIMESTAMP, "in_front")
        .group_by(RESOURCE, TIMESTAMP, maintain_order=True)
        .agg(pl.col(*COLUMNS, *seen).drop_nulls().first())
        .filter(pl.col("load").is_not_null())
    )
    if layout is None:
        table = table.filter(
            pl.any_horizontal(pl.col(n).is_not_null().any().over(RESOURCE) for n in ("instances", *seen))
        )
    if table.is_empty():
        raise SchemaError(
            "no workload: nothing has a request count together with instances or latency",
            where="request_count",
            hint="collect a load balancer or a service with its fleet, or a file with request_count and instance_count",
        )
    return Workloads(table, found)


def _plain(data: pl.DataFrame, periods: Mapping[str, float]) -> pl.DataFrame:
    """Our columns by their short names; requests as a rate."""
    step = pl.col(TIMESTAMP).diff().dt.total_seconds().median().over(RESOURCE).fill_null(3600.0).clip(1.0)
    period = pl.coalesce(pl.col(RESOURCE).replace_strict(dict(periods), default=None, return_dtype=pl.Float64), step)
    asked = [n for n in ("request_count_sum", "request_count") if n in data.columns]
    count = pl.coalesce(asked) if asked else pl.lit(None, pl.Float64)
    columns = {
        name: pl.col(source) if source in data.columns else pl.lit(None, pl.Float64)
        for name, source in COLUMNS.items()
        if name != "load"
    }
    ours = pl.col("instances")
    return (
        data.sort(RESOURCE, TIMESTAMP)
        .select(
            RESOURCE,
            TIMESTAMP,
            period.alias("period"),
            (count / period).alias("load"),
            *(e.alias(n) for n, e in columns.items()),
            *(n for n in LATENCIES if n in data.columns),
        )
        .with_columns(instances=pl.when(ours > 0).then(ours))
    )


def _fronts(rows: pl.DataFrame, data: pl.DataFrame) -> dict[str, str]:
    """The balancer of each fleet that has none of its own latency: of the same service, and with the same load."""
    if "service" not in data.columns or not {*LATENCIES} & {*rows.columns}:
        return {}
    seen = [n for n in LATENCIES if n in rows.columns]
    service = dict(data.group_by(RESOURCE).agg(pl.col("service").drop_nulls().last()).iter_rows())
    has = rows.group_by(RESOURCE).agg(
        fleet=pl.col("instances").count() > 0,
        timed=pl.sum_horizontal(pl.col(n).count() for n in seen) > 0,
        asked=pl.col("load").count() > 0,
    )
    fleets = has.filter("fleet", ~pl.col("timed"))[RESOURCE].sort()
    doors = has.filter("timed", "asked", ~pl.col("fleet"))[RESOURCE].sort()
    found = {}
    for fleet in fleets:
        beside = [d for d in doors if service[fleet] is not None and service[d] == service[fleet]]
        if (front := _nearest(rows, fleet, beside)) is not None:
            found[fleet] = front
    return found


def _nearest(rows: pl.DataFrame, fleet: str, doors: list[str]) -> str | None:
    """The one with the load of the fleet; of a fleet that counts no requests, the only one there is."""
    mine = rows.filter(pl.col(RESOURCE) == fleet).select(TIMESTAMP, mine="load")
    if mine["mine"].count() == 0:
        return doors[0] if len(doors) == 1 else None
    distance = {}
    for door in doors:
        both = (
            rows.filter(pl.col(RESOURCE) == door)
            .join(mine, on=TIMESTAMP)
            .filter(pl.col("load") > 0, pl.col("mine") > 0)
        )
        off = both.select((pl.col("load") / pl.col("mine")).log().abs().median()).item()
        if off is not None and off < SAME_LOAD:
            distance[door] = off
    return min(distance, key=lambda d: (distance[d], d)) if distance else None
