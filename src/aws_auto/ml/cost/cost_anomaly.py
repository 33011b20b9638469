"""Cost anomalies: when, how much over the expectation, and through what.

Daily usage is judged by resource, usage type, service, region and account, each in its own currency; what the finer
series explain is not said again by the coarser. Money that moves from one resource or usage type to another of the
same service (a machine that is replaced, a fleet that changes its instance type) is no event. Fees, upfront payments,
taxes and recurring credits raise no alarm (`cost_series.bookings` lists them); a refund is an event of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from aws_auto.errors import NotEnoughData
from aws_auto.ml.cost import cost_cause
from aws_auto.ml.cost.cost_band import Rules, Span, expected, least
from aws_auto.ml.cost.cost_candidates import Candidate, candidates
from aws_auto.ml.cost.cost_series import Booking, Series, bookings, midnight, series
from aws_auto.results import Line

if TYPE_CHECKING:
    from datetime import date, datetime

    import polars as pl
    from numpy.typing import NDArray

    from aws_auto.ml.cost.cost_cause import Cause

    Floats = NDArray[np.float64]


#: A bill with lines on fewer of its days than this is no bill by the day.
_SEEN = 0.5


@dataclass(frozen=True, kw_only=True)
class CostEvent:
    """Some days on which an account cost something else than expected.

    Attributes:
        kind: ``spike`` (one or two days), ``rise``, ``growth`` (small steps that add up), ``fall``, ``refund``.
        start: its first hour where the bill has hours, else its first day.
        end: the end of its last hour or day; None while it goes on.
        noticed: the day at whose end it was known to matter.
        money: spent over the expectation, negative for less, in ``currency``.
        per_day: mean of that over its days.
        new_level: after a fortnight it became what is expected; ``money`` ends there.
        cause: what stands behind it.
        ending: what stands behind the return to the usual; None while it goes on.
        evidence: cost a day of what changed, with what was expected of each day.
    """

    kind: Literal["spike", "rise", "growth", "fall", "refund"]
    account: str | None
    currency: str
    start: datetime
    end: datetime | None
    noticed: date
    money: float
    per_day: float
    new_level: bool
    cause: Cause
    ending: Cause | None
    evidence: Line

    def __str__(self) -> str:
        where = ", ".join(f"{step.value} ({step.share:.0%})" for step in self.cause.steps)
        until = f"to {self.end:%Y-%m-%d %H:%M}" if self.end else "and goes on"
        until = "and is the new level" if self.new_level else until
        return f"{self.kind} from {self.start:%Y-%m-%d %H:%M} {until}: {self.money:+,.2f} {self.currency}; {where}"


@dataclass(frozen=True, kw_only=True)
class CostAnomalies:
    """Events, what was booked at once, and what could not be judged, a reason for each account."""

    events: tuple[CostEvent, ...]
    bookings: tuple[Booking, ...]
    not_judged: tuple[str, ...]


def cost_anomalies(bill: pl.DataFrame, *, rules: Rules | None = None) -> CostAnomalies:
    """The events on a bill, by account and in time; each judged from days before it only.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`; a month is little, three months know weekdays.
        rules: when a distance from the expected is an event.

    Raises:
        SchemaError: a column of a bill is missing.
        NotEnoughData: no account has a day to judge.
    """
    rules = rules or Rules()
    accounts = series(bill)
    reasons = [_why_not(one, rules) for one in accounts]
    judged = [one for one, reason in zip(accounts, reasons, strict=True) if reason is None]
    if not judged:
        why = next((reason for reason in reasons if reason), "0 whole days of usage")
        raise NotEnoughData(f"{why}; a day is judged by at least {rules.learn} days before it", where="billing")
    apart = bookings(bill)
    found, refunds = [], []
    for one in judged:
        everybody = np.sum([other.total for other in judged if other.currency == one.currency], axis=0)
        matters = least(one.total, everybody, rules)
        found += [_event(bill, one, candidate) for candidate in candidates(one, matters, rules)]
        refunds += [_refund(booking, one) for booking in apart if _is_refund(booking, one, matters)]
    short = [reason for reason in reasons if reason]
    untold = bill["charge_category"].null_count()
    if untold:
        short.append(f"{untold} lines do not say whether they are usage or a fee: a fee among them looks like a rise")
    ordered = sorted([*found, *refunds], key=lambda event: (event.start, -abs(event.money)))
    return CostAnomalies(events=tuple(ordered), bookings=apart, not_judged=tuple(short))


def _why_not(account: Series, rules: Rules) -> str | None:
    if len(account.days) <= rules.learn:
        return f"{len(account.days)} whole days of usage"
    costs = account.total
    if costs.sum() <= 0:
        return "an account whose usage costs nothing"
    first = int(np.argmax(costs != 0))
    seen = int((costs[first:] != 0).sum())
    if seen < _SEEN * (len(costs) - first):
        return f"lines on {seen} of {len(costs) - first} days: a bill by the month cannot be judged by the day"
    return None


def _event(bill: pl.DataFrame, account: Series, found: Candidate) -> CostEvent:
    span = found.span
    cause = cost_cause.of_rise(bill, account, found.rows, span)
    start, end = cost_cause.hours(bill, account, cause, span)
    days = span.last - span.first + 1
    goes_on = span.open or span.accepted
    return CostEvent(
        kind=_kind(span),
        account=account.account,
        currency=account.currency,
        start=start,
        end=None if goes_on else end,
        noticed=account.days[span.noticed],
        money=span.money,
        per_day=span.money / days,
        new_level=span.accepted,
        cause=cause,
        ending=None if goes_on else cost_cause.of_ending(bill, account, found.rows, span),
        evidence=_evidence(account, found),
    )


def _kind(span: Span) -> Literal["spike", "rise", "growth", "fall"]:
    if span.sign < 0:
        return "fall"
    if span.last - span.first < 2 and not span.open:
        return "spike"
    return "growth" if span.gradual else "rise"


def _evidence(account: Series, found: Candidate) -> Line:
    costs = account.costs[sorted(found.rows)].sum(axis=0)
    past = list(found.span.reference)
    begin = max(0, found.span.first - 14)
    shown = range(begin, min(len(costs), found.span.last + 4))
    band = [expected(costs, past or [begin], day) for day in shown]
    return Line(
        name="cost a day, and what was expected",
        x=tuple(account.days[day] for day in shown),
        y=tuple(float(costs[day]) for day in shown),
        low=tuple(low for low, _ in band),
        high=tuple(high for _, high in band),
    )


def _is_refund(booking: Booking, account: Series, matters: Floats) -> bool:
    if not booking.unexpected or (booking.account, booking.currency) != (account.account, account.currency):
        return False
    day = min(max((booking.day - account.days[0]).days, 1), len(matters) - 1)
    return abs(booking.amount) >= float(matters[day])


def _refund(booking: Booking, account: Series) -> CostEvent:
    return CostEvent(
        kind="refund",
        account=booking.account,
        currency=account.currency,
        start=midnight(booking.day),
        end=midnight(booking.day) + cost_cause.DAY,
        noticed=booking.day,
        money=booking.amount,
        per_day=booking.amount,
        new_level=False,
        cause=cost_cause.of_booking(booking),
        ending=None,
        evidence=Line(name="booked", x=(booking.day,), y=(booking.amount,), style="bars"),
    )
