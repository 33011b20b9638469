"""What GetMetricData is asked, in its own shape and within its limits on one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_auto.pipeline.aws.discovery import identify
from aws_auto.pipeline.aws.vocabulary import SUFFIX, Mapped, mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.pipeline.aws.periods import Span
    from aws_auto.pipeline.aws.session import Place

#: API reference, GetMetricData.
QUERIES_PER_CALL = 500
POINTS_PER_CALL = 100_800


@dataclass(frozen=True)
class Series:
    """One metric of one resource, as CloudWatch names it."""

    resource_id: str
    line: Mapped
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Query:
    """One statistic of a series, and the column that it fills."""

    series: Series
    statistic: str

    @property
    def column(self) -> str:
        """Name in the frame."""
        return self.series.line.column + SUFFIX[self.statistic]

    def request(self, number: int, period: int) -> dict[str, Any]:
        """As GetMetricData takes it."""
        return {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": self.series.line.namespace,
                    "MetricName": self.series.line.metric,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in self.series.dimensions],
                },
                "Period": period,
                "Stat": self.statistic,
            },
            "ReturnData": True,
        }


@dataclass(frozen=True)
class Ask:
    """All statistics of some resources over one span; ``last`` when it completes the span."""

    span: Span
    queries: tuple[Query, ...]
    last: bool

    @property
    def calls(self) -> list[tuple[Query, ...]]:
        """The queries as GetMetricData takes them, within its limits on queries and points."""
        size = max(1, min(QUERIES_PER_CALL, POINTS_PER_CALL // max(1, self.span.points)))
        return [self.queries[i : i + size] for i in range(0, len(self.queries), size)]


def series_of(metric: Mapping[str, Any], place: Place) -> Series | None:
    """The series of an entry of ListMetrics, None when the vocabulary has no name for it."""
    dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions", ())}
    line = mapped(metric["Namespace"], metric["MetricName"], frozenset(dimensions))
    if line is None:
        return None
    return Series(identify(line.resource_id, place, dimensions), line, tuple(sorted(dimensions.items())))


def grouped(resources: list[list[Query]], most: int) -> list[tuple[Query, ...]]:
    """Whole resources together, at most ``most`` queries at a time (more only where one resource has more)."""
    groups: list[tuple[Query, ...]] = []
    current: list[Query] = []
    for queries in resources:
        if current and len(current) + len(queries) > most:
            groups.append(tuple(current))
            current = []
        current.extend(queries)
    return [*groups, tuple(current)] if current else groups
