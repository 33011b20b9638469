"""What GetMetricData is asked, in its own shape and within its limits on one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_auto.pipeline.aws.discovery import identify
from aws_auto.pipeline.aws.vocabulary import SUFFIX, Mapped, mapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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

    @property
    def part(self) -> str | None:
        """Which mount or core it tells of; None for a series of the whole resource."""
        return dict(self.dimensions).get(self.line.part)


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
    line = mapped(metric["Namespace"], metric["MetricName"], dimensions)
    if line is None:
        return None
    return Series(identify(line.resource_id, place, dimensions), line, tuple(sorted(dimensions.items())))


def told(found: Iterable[Series]) -> list[Series]:
    """Of all series that are listed, those that together tell each metric of each resource once.

    The agent may publish one value under several sets of dimensions: the smallest set is taken, in all of its values,
    because an instance that was resized goes on under another type. Parts are taken where there is no whole; of mounts
    always, because the whole of a maximum is not published.
    """
    by_metric: dict[tuple[str, str, str], dict[str | None, list[Series]]] = {}
    for one in found:
        parts = by_metric.setdefault((one.resource_id, one.line.namespace, one.line.metric), {})
        parts.setdefault(one.part, []).append(one)
    chosen: list[Series] = []
    for _, parts in sorted(by_metric.items()):
        for _, series in sorted(_parts(parts).items(), key=str):
            names = min((len(s.dimensions), [n for n, _ in s.dimensions]) for s in series)[1]
            chosen += sorted(
                (s for s in set(series) if [n for n, _ in s.dimensions] == names), key=lambda s: s.dimensions
            )
    return chosen


def _parts(parts: Mapping[str | None, list[Series]]) -> Mapping[str | None, list[Series]]:
    line = next(iter(parts.values()))[0].line
    whole = next((s[0].line.whole for name, s in parts.items() if name is not None), "")
    if whole in parts:
        return {whole: parts[whole]}
    if None not in parts or len(parts) == 1:
        return parts
    if line.join == "mean":
        return {None: parts[None]}
    return {name: series for name, series in parts.items() if name is not None}


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
