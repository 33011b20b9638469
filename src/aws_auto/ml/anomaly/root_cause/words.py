"""What a metric can tell: demand, work, symptom or money. Causes run from the first to the last."""

from __future__ import annotations

from typing import Literal

from aws_auto.frame import STATISTICS, Metric

Family = Literal["demand", "work", "symptom", "money", "other"]

#: Causes on one resource run from low to high.
DEPTH: dict[Family, int] = {"demand": 0, "work": 1, "other": 1, "symptom": 2, "money": 3}

_FAMILY: dict[str, Family] = {
    "request_count": "demand",
    "active_users": "demand",
    "network_in": "demand",
    "network_out": "demand",
    "network_io": "demand",
    "cpu_utilization": "work",
    "memory_utilization": "work",
    "disk_utilization": "work",
    "storage_io": "work",
    "disk_read_bytes": "work",
    "disk_write_bytes": "work",
    "instance_count": "work",
    "latency": "symptom",
    "error_count": "symptom",
    "error_rate": "symptom",
    "hourly_cost": "money",
}
#: Columns that count the same thing: one of them is no cause of another.
_SAME_THING = {
    "network_in": "network",
    "network_out": "network",
    "network_io": "network",
    "error_count": "errors",
    "error_rate": "errors",
}
#: The smallest spread that counts, by unit: a tenth of a per cent of CPU on an idle machine is no event.
_LEAST_SPREAD = {"Percent": 0.25, "Count": 1.0}


def stem(metric: str) -> str:
    """``cpu_utilization`` for ``cpu_utilization_p95``."""
    head, _, suffix = metric.rpartition("_")
    return head if head and suffix in STATISTICS else metric


def family(metric: str) -> Family:
    """What kind of thing the metric tells; ``other`` for a name outside the vocabulary."""
    return _FAMILY.get(stem(metric), "other")


def thing(metric: str) -> str:
    """The thing that is counted: equal for ``error_count`` and ``error_rate``, for a metric and its percentiles."""
    return _SAME_THING.get(stem(metric), stem(metric))


def least_spread(metric: str) -> float:
    """Spread below which a change does not count, in the metric's unit."""
    return _LEAST_SPREAD.get(Metric.named(metric).unit, 0.0)
