"""Columns that follow from what CloudWatch tells, and what no column tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_auto.frame import RESOURCE
from aws_auto.pipeline.aws.vocabulary import FREE_MEMORY, FREE_STORAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from aws_auto.pipeline.aws.asks import Series

GIB = 1024**3
#: In the id of a DynamoDB table.
TABLE = ":table/"
#: The fact that a free size is compared with.
STORAGE_FACT = "allocated_storage_gib"
#: Columns that only the agent can fill, as a person calls them.
AGENT_TELLS = {"memory_utilization": "memory", "disk_utilization": "disk fullness", "cpu_steal": "stolen CPU"}


def joined() -> pl.Expr:
    """Values of one column at one time as one value, as ``join`` says."""
    import polars as pl

    value, how = pl.col("value"), pl.col("join").first()
    ways = pl.when(how == "max").then(value.max()).when(how == "min").then(value.min())
    return ways.when(how == "mean").then(value.mean()).otherwise(value.sum()).alias("value")


def derived(wide: pl.DataFrame) -> pl.DataFrame:
    """Adds the columns that follow from others.

    ``network_io`` and ``storage_io`` are sums, null where one side is unknown. ``error_count`` is zero beside a request
    count, because AWS publishes no zeros; ``error_rate`` is percent of requests, null where there were none. Errors
    that a balancer made itself are not among its requests, so the rate is taken of whichever is larger. A table that
    was asked and told of no throttles had none.
    """
    import polars as pl

    for total, part, other in (
        ("network_io", "network_in", "network_out"),
        ("storage_io", "disk_read_bytes", "disk_write_bytes"),
    ):
        if {part, other} <= set(wide.columns):
            wide = wide.with_columns((pl.col(part) + pl.col(other)).alias(total))
    if "request_count" not in wide.columns:
        return wide
    if "error_count" not in wide.columns:
        wide = wide.with_columns(pl.lit(None, dtype=pl.Float64).alias("error_count"))
    requests = pl.col("request_count")
    errors = pl.when(requests.is_not_null()).then(pl.col("error_count").fill_null(0.0)).otherwise(pl.col("error_count"))
    wide = wide.with_columns(errors.alias("error_count"))
    wide = _unthrottled(wide)
    of = pl.max_horizontal("request_count", "error_count")
    rate = pl.when(requests.is_not_null() & (of > 0)).then(100.0 * pl.col("error_count") / of)
    return wide.with_columns(rate.alias("error_rate"))


def _unthrottled(wide: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    if RESOURCE not in wide.columns or not wide[RESOURCE].str.contains(TABLE).any():
        return wide
    if "throttle_count" not in wide.columns:
        wide = wide.with_columns(pl.lit(None, dtype=pl.Float64).alias("throttle_count"))
    silent = pl.col(RESOURCE).str.contains(TABLE) & pl.col("request_count").is_not_null()
    count = pl.col("throttle_count")
    return wide.with_columns(pl.when(silent).then(count.fill_null(0.0)).otherwise(count).alias("throttle_count"))


def shares(rows: pl.DataFrame) -> pl.DataFrame:
    """Turns free bytes into ``disk_utilization`` and ``memory_utilization`` of the whole, where the whole is known.

    The whole of a disk is the fact ``allocated_storage_gib`` of today: RDS storage only grows, so that older points
    look fuller than they were, never emptier. The memory of ``db.m5.large`` is that of ``m5.large`` (RDS user guide,
    DB instance classes); what the system itself holds counts as used.
    """
    import polars as pl

    for free, share, whole in (
        (FREE_STORAGE, "disk_utilization", _storage),
        (FREE_MEMORY, "memory_utilization", _memory),
    ):
        if free not in rows.columns:
            continue
        used = (100.0 * (1.0 - pl.col(free) / whole(rows))).clip(0.0, 100.0)
        known = [pl.col(share)] if share in rows.columns else []
        rows = rows.with_columns(pl.coalesce(*known, used).alias(share)).drop(free)
    return rows


def _storage(rows: pl.DataFrame) -> pl.Expr:
    import polars as pl

    if STORAGE_FACT not in rows.columns:
        return pl.lit(None, dtype=pl.Float64)
    gib = pl.col(STORAGE_FACT).cast(pl.Float64, strict=False)
    return pl.when(gib > 0).then(gib * GIB)


def _memory(rows: pl.DataFrame) -> pl.Expr:
    import polars as pl

    from aws_auto.ml.cost import prices

    if "instance_type" not in rows.columns:
        return pl.lit(None, dtype=pl.Float64)
    known = {f"db.{name}": p.memory_gib * GIB for name, p in prices.table().items() if p.memory_gib is not None}
    return pl.col("instance_type").replace_strict(known, default=None, return_dtype=pl.Float64)


def unseen(series: Iterable[Series], instances: int) -> list[str]:
    """A sentence on what is not known of how many EC2 instances because no agent tells it; none where all is known."""
    known: dict[str, set[str]] = {column: set() for column in AGENT_TELLS}
    for one in series:
        if one.line.resource_type == "ec2" and one.line.column in known:
            known[one.line.column].add(one.resource_id)
    if all(len(ids) >= instances for ids in known.values()):
        return []
    parts = [f"{AGENT_TELLS[column]} is known of {len(ids)}" for column, ids in known.items()]
    said = f"of {instances} EC2 instances {', '.join(parts)}"
    return [f"{said}: the CloudWatch agent of the others does not publish it, or there is none"]


def by_namespace(counts: Mapping[str, int]) -> str:
    """``AWS/EC2 12, CWAgent 4``."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
