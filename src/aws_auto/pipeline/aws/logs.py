"""CloudWatch Logs Insights as a `Source`: how many lines of each level a log group had each minute, and how slow.

Logs Insights aggregates in AWS, so lines never leave it. Dataset ``logs``, one row per log group, minute and level:
``resource_id`` (the log group), ``timestamp`` (the minute), ``level`` (upper case, ``UNKNOWN`` where a line has none),
``request_count`` (lines), ``error_count`` (lines of an error level), ``latency_ms_mean`` (null where no line has it).

A query returns 10 000 rows at most (API reference, StartQuery), so a span that fills them is cut in half until it does
not. Price: 0.005 USD per GB scanned, us-east-1, CloudWatch pricing page as of 2026-11-24, not checked against a bill.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_auto.errors import AwsCallError, UsageError
from aws_auto.frame import RESOURCE, TIME_DTYPE, TIMESTAMP
from aws_auto.pipeline.aws.calls import Tokens, address
from aws_auto.pipeline.aws.pace import TokenBucket
from aws_auto.pipeline.aws.periods import MINUTE, ceil, floor
from aws_auto.pipeline.ports import Batch, Estimate, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from aws_auto.pipeline.aws.calls import Caller
    from aws_auto.pipeline.aws.session import Place
    from aws_auto.pipeline.ports import Clock

#: What the calls of this file need; the first three can be narrowed to the log groups.
PERMISSIONS = ("logs:DescribeLogGroups", "logs:GetQueryResults", "logs:StartQuery", "logs:StopQuery")

ROWS_PER_QUERY = 10_000
USD_PER_GB = 0.005
CALLS_PER_SECOND = 5
#: Lines may arrive this late and still be counted.
SETTLE = timedelta(minutes=15)
PIECE = timedelta(days=1)
#: Logs Insights itself gives up after 60 minutes.
LONGEST_WAIT = timedelta(minutes=61)
ERROR_LEVELS = frozenset({"ERROR", "CRITICAL", "FATAL", "ALERT", "EMERGENCY", "SEVERE"})
KEYS = (RESOURCE, TIMESTAMP, "level")
MINUTE_FIELD = "bin(1m)"


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Where a log line keeps its level and its latency in milliseconds, as Logs Insights finds them in JSON lines."""

    level: str = "level"
    latency: str = "latency_ms"

    @property
    def query(self) -> str:
        """The query over one span."""
        return (
            f"stats count(*) as lines, avg({self.latency}) as latency by {MINUTE_FIELD}, {self.level}"
            f" | limit {ROWS_PER_QUERY}"
        )


class LogsSource:
    """Minutes of some log groups. See `aws_auto.pipeline.aws.sources.open_source`."""

    name = "application-logs"
    simulated = False

    def __init__(
        self, caller: Caller, clock: Clock, place: Place, groups: Sequence[str], *, fields: Fields | None = None
    ) -> None:
        if not groups:
            raise UsageError(
                "no log group is named",
                where="application-logs",
                hint="name some, for example AWS_AUTO_LOG_GROUPS=/aws/lambda/checkout",
            )
        self._caller = caller
        self._clock = clock
        self._place = place
        self._groups = tuple(sorted(groups))
        self._fields = fields or Fields()
        self._requests = TokenBucket.under(clock, limit=CALLS_PER_SECOND, burst=1)
        self.scope = f"logs:{place.region}:{place.account}:{','.join(self._groups)}"

    @property
    def calls(self) -> int:
        """Attempts made so far."""
        return self._caller.made

    def estimate(self, window: Window) -> Estimate:
        """Price of scanning the window, from the size and age of the groups; asks only for those (free).

        Raises:
            UsageError: a log group does not exist.
            AwsCallError: AWS refused.
        """
        pieces = self._pieces(window)
        span = sum((piece.length for piece, _ in pieces), timedelta())
        gigabytes = sum(self._scanned(group, span) for group in self._groups)
        calls = 2 * len(pieces) * len(self._groups)
        price = gigabytes * USD_PER_GB
        line = (
            f"StartQuery: {calls // 2} queries over about {gigabytes:.2f} GB at 0.005 USD: {price:.4f} USD"
            " (from the size of the log groups, as if they grew evenly)"
        )
        return Estimate(calls=calls, price_usd=price, lines=(line,))

    def pull(self, window: Window) -> Iterator[Batch]:
        """A batch per day, of all groups.

        Raises:
            CredentialsError: AWS does not know us.
            AwsCallError: AWS refused, or a query failed or did not end.
        """
        import polars as pl

        for piece, final in self._pieces(window):
            found = [row for group in self._groups for row in self._rows(group, piece)]
            rows = pl.DataFrame(found, schema=_schema(), orient="row").group_by(KEYS).agg(*_merged()).sort(KEYS)
            yield Batch(dataset="logs", rows=rows, window=piece, keys=KEYS, final=final)

    def _pieces(self, window: Window) -> list[tuple[Window, bool]]:
        now = self._clock.now()
        start, settled = floor(window.start, MINUTE), floor(now - SETTLE, MINUTE)
        end = min(ceil(window.end, MINUTE), floor(now, MINUTE))
        pieces = []
        while start < end:
            limit = settled if start < settled else end
            stop = min(start + PIECE, end, limit)
            pieces.append((Window(start, stop), stop <= settled))
            start = stop
        return pieces

    def _rows(self, group: str, span: Window) -> Iterator[tuple[str, datetime, str, int, int, float | None, int]]:
        answer = self._answer(group, span)
        if len(answer) >= ROWS_PER_QUERY and span.length > timedelta(minutes=1):
            middle = ceil(span.start + span.length / 2, MINUTE)
            yield from self._rows(group, Window(span.start, middle))
            yield from self._rows(group, Window(middle, span.end))
            return
        if len(answer) >= ROWS_PER_QUERY:
            raise AwsCallError(
                f"{group} has {ROWS_PER_QUERY} levels or more in one minute, {span.start:%Y-%m-%dT%H:%MZ}",
                where=address("logs", "GetQueryResults", self._place.region),
                hint=f"is {self._fields.level!r} the field that holds the level?",
            )
        for line in answer:
            minute = datetime.strptime(line[MINUTE_FIELD][:16], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
            level = (line.get(self._fields.level) or "unknown").upper()
            count = int(float(line["lines"]))
            latency = float(line["latency"]) if line.get("latency") else None
            yield (
                group,
                minute,
                level,
                count,
                count if level in ERROR_LEVELS else 0,
                latency,
                count if latency is not None else 0,
            )

    def _answer(self, group: str, span: Window) -> list[dict[str, str]]:
        """The rows of one query, waited for."""
        request = {
            "logGroupName": group,
            # Both ends are inclusive, in whole seconds.
            "startTime": int(span.start.timestamp()),
            "endTime": int(span.end.timestamp()) - 1,
            "queryString": self._fields.query,
            "limit": ROWS_PER_QUERY,
        }
        query = {"queryId": self._caller.call("logs", "StartQuery", request, gate=self._requests.take)["queryId"]}
        deadline, pause = self._clock.now() + LONGEST_WAIT, 0.5
        while True:
            answer = self._caller.call("logs", "GetQueryResults", query, gate=self._requests.take)
            status = str(answer.get("status", "Unknown"))
            if status == "Complete":
                return [{f["field"]: f.get("value", "") for f in row} for row in answer.get("results", ())]
            late = self._clock.now() >= deadline
            if late:
                self._caller.call("logs", "StopQuery", query)
            if late or status not in ("Scheduled", "Running", "Unknown"):
                raise AwsCallError(
                    f"the query on {group} ended as {status}" if not late else f"the query on {group} did not end",
                    where=address("logs", "GetQueryResults", self._place.region),
                    hint="run the command again: what was stored is not asked for again",
                )
            self._clock.sleep(pause)
            pause = min(5.0, 2 * pause)

    def _scanned(self, group: str, span: timedelta) -> float:
        """GB that a query over ``span`` reads, if the group grew evenly since it was made or since retention cut it."""
        pages = self._caller.pages(
            "logs",
            "DescribeLogGroups",
            {"logGroupNamePrefix": group},
            tokens=Tokens("nextToken", "nextToken"),
            gate=self._requests.take,
        )
        about = next((g for page in pages for g in page.get("logGroups", ()) if g["logGroupName"] == group), None)
        if about is None:
            raise UsageError(
                "no such log group",
                where=group,
                hint=f"list them with: aws logs describe-log-groups --region {self._place.region}",
            )
        return _share(about, span, self._clock.now()) * float(about.get("storedBytes", 0)) / 1e9


def _share(about: Mapping[str, Any], span: timedelta, now: datetime) -> float:
    age = max(timedelta(minutes=1), now - datetime.fromtimestamp(about["creationTime"] / 1000, UTC))
    if days := about.get("retentionInDays"):
        age = min(age, timedelta(days=days))
    return min(1.0, span / age)


def _merged() -> list[pl.Expr]:
    """Levels that differ only in case become one; the mean stays a mean over lines."""
    import polars as pl

    timed = pl.col("timed").sum()
    mean = (pl.col("latency_ms_mean") * pl.col("timed")).sum() / timed
    return [
        pl.col("request_count").sum(),
        pl.col("error_count").sum(),
        pl.when(timed > 0).then(mean).alias("latency_ms_mean"),
    ]


def _schema() -> dict[str, Any]:
    import polars as pl

    return {
        RESOURCE: pl.String,
        TIMESTAMP: TIME_DTYPE,
        "level": pl.String,
        "request_count": pl.Int64,
        "error_count": pl.Int64,
        "latency_ms_mean": pl.Float64,
        "timed": pl.Int64,
    }
