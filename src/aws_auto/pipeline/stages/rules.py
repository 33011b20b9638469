"""What counts as physical, complete and fresh: the thresholds of the stages, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_auto.frame import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.config.data import DataQuality


@dataclass(frozen=True, kw_only=True)
class Range:
    """What a metric can be.

    Attributes:
        low: below it a value is rejected.
        high: above it a value is rejected, None when there is no limit.
        slack: how far outside a value may lie to be rounding noise; it is then set to the limit, and counted.
        ceiling: values between ``high`` and this are real, are kept and reported; None when ``high`` is the end.
        kept_for: resource types for which ``ceiling`` holds; empty means all.
    """

    low: float = 0.0
    high: float | None = None
    slack: float = 1e-9
    ceiling: float | None = None
    kept_for: tuple[str, ...] = ()


#: By unit, for every metric of the vocabulary that has no line of its own below.
UNIT_RANGES: Mapping[str, Range] = {
    "Percent": Range(high=100.0, slack=1.0),
    "Bytes": Range(),
    "Count": Range(),
    "Milliseconds": Range(),
    "USD": Range(),
}

#: CPU passes 100 % for good reasons (turbo clocks, borrowed shares: 2.8 % of the hours of the Bitbrains VMs, up to
#: 106), so cutting it off would hide demand above capacity. An ECS service is measured against its reservation and may
#: pass 100 % in memory too (Amazon ECS developer guide, service utilisation metrics). Ten times that is another unit.
RANGES: Mapping[str, Range] = {
    "cpu_utilization": Range(high=100.0, ceiling=1000.0),
    "memory_utilization": Range(high=100.0, slack=1.0, ceiling=1000.0, kept_for=("ecs",)),
}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Thresholds of the stages; the defaults are those of the specification.

    Attributes:
        completeness: least share of expected points (``data_quality.completeness_threshold``).
        accuracy: least share of rows that pass every range and consistency check (``accuracy_threshold``).
        freshness: greatest age of the newest point (``freshness_threshold``).
        future: how far ahead of the clock a timestamp may lie.
        earliest: older timestamps are a missing clock (1970) and no measurement.
        require: columns that must be there.
        ranges: physical ranges by metric; others follow their unit.
        strict: a failed check raises instead of being reported.
    """

    completeness: float = 0.95
    accuracy: float = 0.90
    freshness: timedelta = timedelta(hours=1)
    future: timedelta = timedelta(hours=1)
    earliest: datetime = datetime(1980, 1, 1, tzinfo=UTC)
    require: tuple[str, ...] = ()
    ranges: Mapping[str, Range] = field(default_factory=lambda: RANGES)
    strict: bool = False

    @classmethod
    def of(cls, quality: DataQuality, **more: Any) -> Rules:  # noqa: ANN401 - the other fields of this class
        """The thresholds of ``data_pipeline.monitoring.data_quality``; what is not set there keeps its default."""
        set_there: dict[str, Any] = {
            "completeness": quality.completeness_threshold and quality.completeness_threshold.ratio,
            "accuracy": quality.accuracy_threshold and quality.accuracy_threshold.ratio,
            "freshness": quality.freshness_threshold and timedelta(seconds=quality.freshness_threshold.seconds),
        }
        return cls(**{name: value for name, value in set_there.items() if value is not None}, **more)

    def range_of(self, column: str) -> Range | None:
        """The range of that column, None when its unit is unknown. A sum of percentages has no upper end."""
        metric, stem = Metric.named(column), column
        while Metric.named(stem).statistic != "Average":
            stem = stem.rpartition("_")[0]
        found = self.ranges.get(stem, UNIT_RANGES.get(metric.unit))
        return Range(low=found.low) if found and metric.statistic == "Sum" else found
