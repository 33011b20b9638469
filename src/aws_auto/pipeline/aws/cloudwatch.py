"""CloudWatch metrics as a `Source`: discovery, ListMetrics, and GetMetricData in as few and as cheap calls as can be.

Limits of GetMetricData: 500 queries and 100 800 points a call, 50 calls a second, 180 000 points a second when the span
starts within the last three hours and 396 000 otherwise, counted from what is asked, not from what comes back. Sources:
API reference of GetMetricData; AWS re:Post "GetMetricData or GetMetricStatistics", read 2026-11-24.

Prices, us-east-1, CloudWatch pricing page as of 2026-11-24, not checked against a bill: 0.01 USD per 1 000 metrics
requested with GetMetricData, never in the free tier; each metric and statistic is counted here as one, which can only
overstate. ListMetrics is an API request: 1 000 000 a month are free, then 0.01 USD per 1 000.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aws_auto.errors import AwsCallError
from aws_auto.frame import KEYS, RESOURCE, TIME_DTYPE, TIMESTAMP
from aws_auto.pipeline.aws.asks import POINTS_PER_CALL, Ask, Query, grouped, series_of, told
from aws_auto.pipeline.aws.calls import address
from aws_auto.pipeline.aws.columns import by_namespace, derived, joined, shares, unseen
from aws_auto.pipeline.aws.discovery import discover, name_of
from aws_auto.pipeline.aws.pace import TokenBucket
from aws_auto.pipeline.aws.periods import MINUTE, ceil, floor, spans
from aws_auto.pipeline.aws.vocabulary import NAMESPACES
from aws_auto.pipeline.ports import Batch, Estimate, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from aws_auto.pipeline.aws.asks import Series
    from aws_auto.pipeline.aws.calls import Caller
    from aws_auto.pipeline.aws.discovery import Discovery, Facts
    from aws_auto.pipeline.aws.periods import Span
    from aws_auto.pipeline.aws.session import Place
    from aws_auto.pipeline.ports import Clock

#: What the calls of this file need; CloudWatch knows no narrower resource than "*" for them.
PERMISSIONS = ("cloudwatch:GetMetricData", "cloudwatch:ListMetrics")

CALLS_PER_SECOND = 50
POINTS_PER_SECOND_RECENT = 180_000
POINTS_PER_SECOND_OLDER = 396_000
RECENT = timedelta(hours=3)
USD_PER_METRIC = 0.01 / 1000
#: Values held in memory at once.
POINTS_PER_BATCH = 1_000_000
DAY = 86_400


class CloudWatchSource:
    """The metrics of one account and region. See `aws_auto.pipeline.aws.sources.open_source`."""

    name = "cloudwatch"
    simulated = False

    def __init__(self, caller: Caller, clock: Clock, place: Place, *, finest: int = MINUTE) -> None:
        """``finest`` is the shortest period in seconds (60, 300, 3600) where minutes are not needed."""
        self._caller = caller
        self._clock = clock
        self._place = place
        self._finest = finest
        self.notes: list[str] = []
        self.scope = f"cloudwatch:{place.region}:{place.account}"
        self._requests = TokenBucket.under(clock, limit=CALLS_PER_SECOND, burst=10)
        self._recent = TokenBucket.under(clock, limit=POINTS_PER_SECOND_RECENT, burst=POINTS_PER_CALL)
        self._older = TokenBucket.under(clock, limit=POINTS_PER_SECOND_OLDER, burst=POINTS_PER_CALL)

    @property
    def calls(self) -> int:
        """Attempts made so far, of every operation."""
        return self._caller.made

    def estimate(self, window: Window) -> Estimate:
        """Calls and price of `pull`; discovery and ListMetrics are asked for it, once per run."""
        asks = self._asks(window)
        calls = sum(len(ask.calls) for ask in asks)
        counts = Counter(q.series.line.namespace for ask in asks for q in ask.queries)
        metrics = counts.total()
        price = metrics * USD_PER_METRIC
        told = f" ({by_namespace(counts)})" if metrics else ""
        pull = f"GetMetricData: {calls} calls, {metrics} metrics{told} at 0.01 USD per 1,000: {price:.4f} USD"
        listing = (
            f"ListMetrics: {len(self._series)} series found; free within 1,000,000 API requests a month,"
            " then 0.01 USD per 1,000"
        )
        return Estimate(calls=calls, price_usd=price, lines=(pull, listing, *self._discovery.refused))

    def pull(self, window: Window) -> Iterator[Batch]:
        """The facts about resources, then metrics span by span; the last batch of a settled span is final.

        Raises:
            CredentialsError: AWS does not know us.
            AwsCallError: AWS refused a call, or says that an answer is incomplete.
        """
        self.notes = unseen(self._series, sum(r["resource_type"] == "ec2" for r in self._discovery.resources))
        yield self._facts()
        for ask in self._asks(window):
            rows = shares(self._with_facts(self._rows(ask)))
            yield Batch(dataset="metrics", rows=rows, window=ask.span.window, final=ask.last and ask.span.final)

    @cached_property
    def _discovery(self) -> Discovery:
        return discover(self._caller, self._place)

    @cached_property
    def _series(self) -> tuple[Series, ...]:
        """What CloudWatch lists (about two weeks back) and we have a name for, by resource."""
        found: list[Series] = []
        for namespace in NAMESPACES:
            pages = self._caller.pages("cloudwatch", "ListMetrics", {"Namespace": namespace}, gate=self._requests.take)
            listed = (series_of(m, self._place) for page in pages for m in page.get("Metrics", ()))
            found.extend(series for series in listed if series is not None)
        return tuple(told(found))

    def _asks(self, window: Window) -> list[Ask]:
        by_resource: dict[str, list[Query]] = defaultdict(list)
        for series in self._series:
            by_resource[series.resource_id].extend(Query(series, s) for s in series.line.statistics)
        asks: list[Ask] = []
        for span in spans(window, now=self._clock.now(), finest=self._finest):
            groups = grouped(list(by_resource.values()), POINTS_PER_BATCH // max(1, span.points)) if span.period else []
            groups = groups or [()]
            asks.extend(Ask(span, group, last=group is groups[-1]) for group in groups)
        return asks

    def _rows(self, ask: Ask) -> pl.DataFrame:
        """Wide rows of one ask, with the columns that follow from others."""
        import polars as pl

        long = pl.concat([self._long(ask.span, queries) for queries in ask.calls] or [self._long(ask.span, ())])
        inside = (pl.col(TIMESTAMP) >= ask.span.window.start) & (pl.col(TIMESTAMP) < ask.span.window.end)
        # Joined before the pivot: a pivot that sums would turn what is missing into zeros.
        added = long.filter(inside).group_by(*KEYS, "column").agg(joined())
        return derived(added.sort("column").pivot(on="column", index=list(KEYS), values="value")).sort(KEYS)

    def _long(self, span: Span, queries: Sequence[Query]) -> pl.DataFrame:
        """The points of one call, a row each, in our units."""
        import polars as pl

        schema = {RESOURCE: pl.String, TIMESTAMP: pl.Int64, "column": pl.String, "join": pl.String, "value": pl.Float64}
        points: dict[str, list[Any]] = {name: [] for name in schema}
        for query, times, values in self._answers(span, queries) if queries else ():
            line = query.series.line
            points[RESOURCE].extend([query.series.resource_id] * len(times))
            points[TIMESTAMP].extend(int(t.timestamp() * 1_000_000) for t in times)
            points["column"].extend([query.column] * len(times))
            points["join"].extend([line.join] * len(times))
            points["value"].extend(v * line.factor + line.offset for v in values)
        return pl.DataFrame(points, schema=schema).with_columns(pl.col(TIMESTAMP).cast(TIME_DTYPE))

    def _answers(self, span: Span, queries: Sequence[Query]) -> Iterator[tuple[Query, list[Any], list[float]]]:
        """Each page's part of each query; raises unless every query was answered completely in the end."""
        request = {
            "MetricDataQueries": [q.request(i, span.period) for i, q in enumerate(queries)],
            "StartTime": span.window.start,
            "EndTime": span.window.end,
            "ScanBy": "TimestampAscending",
        }
        by_id = {f"q{i}": q for i, q in enumerate(queries)}
        state: dict[str, str] = {}

        def gate() -> None:
            self._requests.take()
            recent = self._clock.now() - span.window.start <= RECENT
            (self._recent if recent else self._older).take(float(len(queries) * span.points))

        for page in self._caller.pages("cloudwatch", "GetMetricData", request, gate=gate):
            for result in page.get("MetricDataResults", ()):
                status = str(result.get("StatusCode", "Complete"))
                if status not in ("Complete", "PartialData"):
                    raise self._refused(by_id[result["Id"]], status, result.get("Messages", ()))
                state[result["Id"]] = status
                yield by_id[result["Id"]], result.get("Timestamps", []), result.get("Values", [])
        for number, query in by_id.items():
            if state.get(number) != "Complete":
                raise self._refused(query, "PartialData, and no page follows", ())

    def _refused(self, query: Query, status: str, messages: Sequence[Mapping[str, str]]) -> AwsCallError:
        said = "; ".join(f"{m.get('Code')}: {m.get('Value')}" for m in messages)
        metric = f"{query.series.line.namespace} {query.series.line.metric} {query.statistic}"
        return AwsCallError(
            f"{metric} of {query.series.resource_id} was not answered: {status}{f' ({said})' if said else ''}",
            where=address("cloudwatch", "GetMetricData", self._place.region),
            hint="run the command again: what was stored is not asked for again; Forbidden means a missing permission",
        )

    def _facts(self) -> Batch:
        """One row a day and resource. Never final: finality speaks for metrics, and they share the scope."""
        import polars as pl

        now = self._clock.now()
        day = Window(floor(now, DAY), ceil(now + timedelta(microseconds=1), DAY))
        rows = self._statics.with_columns(pl.lit(day.start).cast(TIME_DTYPE).alias(TIMESTAMP))
        return Batch(dataset="resources", rows=rows, window=day, final=False)

    @cached_property
    def _statics(self) -> pl.DataFrame:
        """Facts by resource; of a resource that is listed but no longer there, only what its metrics tell."""
        import polars as pl

        known = {r[RESOURCE]: r for r in self._discovery.resources}
        listed = {s.resource_id: s.line.resource_type for s in self._series}
        gone: list[Facts] = [
            {
                RESOURCE: resource_id,
                "resource_name": name_of(resource_id),
                "resource_type": resource_type,
                "region": self._place.region,
                "account": self._place.account,
            }
            for resource_id, resource_type in listed.items()
            if resource_id not in known
        ]
        facts = [*known.values(), *gone]
        columns = dict.fromkeys(name for resource in facts for name in resource)
        schema = {RESOURCE: pl.String, **dict.fromkeys(columns, pl.String)}
        return pl.DataFrame([{c: r.get(c) for c in schema} for r in facts], schema=schema).sort(RESOURCE)

    def _with_facts(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.join(self._statics, on=RESOURCE, how="left", maintain_order="left")
