"""Cost Explorer as a `Source`: what each service of each account cost, by day, in FOCUS words.

Good for "now"; a Cost and Usage Report or FOCUS export is better for everything else (per resource, no price per call).
What Cost Explorer does not say here, and is therefore null: ``list_cost``, the resource, and ``charge_category`` of
everything but tax. Credits and refunds are netted into the service that they were given for, because a request may
group by two things only, and those are service and account.

Price: 0.01 USD per paginated request (Cost Explorer pricing page as of 2026-11-24, not checked against a bill). The
size of a page is not documented, so an estimate counts one page a month and says so.

Months are final five days after their end: AWS restates the last month until its invoice is issued, and may restate
later by credit notes, which a later export shows. The month in progress is asked again on every run.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_auto.errors import AwsCallError
from aws_auto.frame import TIMESTAMP
from aws_auto.ml.cost.bill import COLUMNS
from aws_auto.pipeline.aws.calls import Tokens, address
from aws_auto.pipeline.aws.pace import TokenBucket
from aws_auto.pipeline.aws.periods import ceil, floor
from aws_auto.pipeline.ports import Batch, Estimate, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from aws_auto.pipeline.aws.calls import Caller
    from aws_auto.pipeline.aws.session import Place
    from aws_auto.pipeline.ports import Clock

#: What the calls of this file need; Cost Explorer knows no narrower resource than "*".
PERMISSIONS = ("ce:GetCostAndUsage",)

USD_PER_PAGE = 0.01
#: Not documented; five a second is far below what accounts report as throttled.
CALLS_PER_SECOND = 5
SETTLE = timedelta(days=5)
DAY = 86_400
METRICS = ("UnblendedCost", "AmortizedCost", "NetAmortizedCost")


class CostExplorerSource:
    """The bill of one payer or member account. See `aws_auto.pipeline.aws.sources.open_source`."""

    name = "cost-explorer"
    simulated = False

    def __init__(self, caller: Caller, clock: Clock, place: Place) -> None:
        self._caller = caller
        self._clock = clock
        self._place = place
        self.scope = f"cost-explorer:{place.account}"
        self._requests = TokenBucket.under(clock, limit=CALLS_PER_SECOND, burst=1)

    @property
    def calls(self) -> int:
        """Attempts made so far."""
        return self._caller.made

    def estimate(self, window: Window) -> Estimate:
        """One page a month of the window at least; nothing is asked for it."""
        pages = len(months(window, now=self._clock.now()))
        price = pages * USD_PER_PAGE
        line = f"GetCostAndUsage: {pages} pages (one a month; more in large accounts) at 0.01 USD: {price:.2f} USD"
        return Estimate(calls=pages, price_usd=price, lines=(line,))

    def pull(self, window: Window) -> Iterator[Batch]:
        """A batch a month; its rows replace what the lake holds for those days.

        Raises:
            CredentialsError: AWS does not know us.
            AwsCallError: AWS refused, or answered an amount that is no number.
        """
        now = self._clock.now()
        for month in months(window, now=now):
            final = _following(month.start) + SETTLE <= now
            yield Batch(dataset="billing", rows=self._rows(month), window=month, keys=(), final=final)

    def _rows(self, month: Window) -> pl.DataFrame:
        import polars as pl

        request = {
            "TimePeriod": {"Start": f"{month.start:%Y-%m-%d}", "End": f"{month.end:%Y-%m-%d}"},
            "Granularity": "DAILY",
            "Metrics": list(METRICS),
            "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "DIMENSION", "Key": "LINKED_ACCOUNT"}],
        }
        tokens = Tokens("NextPageToken", "NextPageToken")
        pages = self._caller.pages("ce", "GetCostAndUsage", request, tokens=tokens, gate=self._requests.take)
        rows = [
            self._row(day, group) for page in pages for day in page.get("ResultsByTime", ()) for group in day["Groups"]
        ]
        table = pl.DataFrame([{c: r.get(c) for c in COLUMNS} for r in rows], schema=dict(COLUMNS))
        return table.sort(TIMESTAMP, "service_name", "sub_account_id")

    def _row(self, day: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
        service, account = group["Keys"]
        amounts = group["Metrics"]
        amortised = amounts.get("NetAmortizedCost") or amounts.get("AmortizedCost")
        start = datetime.strptime(day["TimePeriod"]["Start"], "%Y-%m-%d").replace(tzinfo=UTC)
        return {
            "billing_period_start": start.replace(day=1),
            TIMESTAMP: start,
            "charge_period_end": start + timedelta(days=1),
            "sub_account_id": account,
            "service_name": service,
            "charge_category": "Tax" if service == "Tax" else None,
            "billed_cost": self._number(amounts["UnblendedCost"]["Amount"], service),
            "effective_cost": self._number(amortised["Amount"], service) if amortised else None,
            "billing_currency": amounts["UnblendedCost"].get("Unit"),
        }

    def _number(self, text: str, service: str) -> float:
        try:
            return float(text)
        except ValueError as error:
            raise AwsCallError(
                f"{text!r} is not an amount, for the service {service!r}",
                where=address("ce", "GetCostAndUsage", self._place.region),
                hint="run the command again; if it happens again, report it to AWS support",
            ) from error


def months(window: Window, *, now: datetime) -> list[Window]:
    """The window on whole days, cut at months, up to the end of today."""
    start, end = floor(window.start, DAY), min(ceil(window.end, DAY), ceil(now, DAY))
    parts = []
    while start < end:
        parts.append(Window(start, min(_following(start), end)))
        start = parts[-1].end
    return parts


def _following(day: datetime) -> datetime:
    """The first day of the next month."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
