"""Cost anomalies: when, how much over the expectation, and through what.

Daily usage is judged by usage type, by service, by region and by account, each in its own currency; what the finer
series explain is not said again by the coarser. Money that moves from one usage type to another of the same service
(a fleet that changes its instance type) is no event. Fees, upfront payments, taxes and recurring credits raise no alarm
(`cost_series.bookings` lists them); a refund is an event of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from aws_auto.errors import NotEnoughData
from aws_auto.ml.cost import cost_cause
from aws_auto.ml.cost.cost_band import Rules, Span, expected, least, spans
from aws_auto.ml.cost.cost_series import Booking, Series, bookings, midnight, series
from aws_auto.results import Line

if TYPE_CHECKING:
    from datetime import date, datetime

    import polars as pl
    from numpy.typing import NDArray

    from aws_auto.ml.cost.cost_cause import Cause

    Floats = NDArray[np.float64]

#: An event is the same as one of a coarser series when it explains this much of it.
_EXPLAINS = 0.5
#: Two spans are one event when they share so much of their days.
_SAME_DAYS = 0.6


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
    """Events, what was booked at once, and which accounts could not be judged, with the reason."""

    events: tuple[CostEvent, ...]
    bookings: tuple[Booking, ...]
    not_judged: tuple[str, ...]


@dataclass(frozen=True)
class _Candidate:
    rows: frozenset[int]
    span: Span


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
    judged = [one for one in accounts if len(one.days) > rules.learn and one.total.sum() > 0]
    if not judged:
        longest = max((len(one.days) for one in accounts), default=0)
        raise NotEnoughData(
            f"{longest} whole days of usage; a day is judged by at least {rules.learn} before it", where="billing"
        )
    apart = bookings(bill)
    found, refunds = [], []
    for one in judged:
        everybody = np.sum([other.total for other in judged if other.currency == one.currency], axis=0)
        matters = least(one.total, everybody, rules)
        found += [_event(bill, one, candidate) for candidate in _candidates(one, matters, rules)]
        refunds += [_refund(booking, one) for booking in apart if _is_refund(booking, one, matters)]
    short = [f"{len(one.days)} whole days, or nothing that costs" for one in accounts if one not in judged]
    ordered = sorted([*found, *refunds], key=lambda event: (event.start, -abs(event.money)))
    return CostAnomalies(events=tuple(ordered), bookings=apart, not_judged=tuple(short))


def _candidates(account: Series, matters: Floats, rules: Rules) -> list[_Candidate]:
    """Events by usage type first; coarser series add only what those do not explain."""
    chosen: list[_Candidate] = []
    for level, groups in enumerate(_levels(account)):
        fresh = []
        for rows in groups:
            costs = account.costs[sorted(rows)].sum(axis=0)
            # Never as much as what matters above or below anything: nothing can be found here.
            if np.abs(costs - np.median(costs)).sum() < matters[1:].min() / 4:
                continue
            fresh += [_Candidate(rows, span) for span in spans(costs, account.total, matters, rules)]
        chosen = _with_coarser(chosen, fresh) if level else _without_moves(fresh, account, matters)
    return _together(chosen, account)


def _levels(account: Series) -> list[list[frozenset[int]]]:
    def by(*parts: int) -> list[frozenset[int]]:
        groups: dict[tuple[str, ...], set[int]] = {}
        for row, leaf in enumerate(account.leaves):
            groups.setdefault(tuple(leaf[p] for p in parts), set()).add(row)
        return [frozenset(rows) for rows in groups.values()]

    return [by(0, 1, 2), by(0, 1), by(0), by(1), by()]


def _without_moves(found: list[_Candidate], account: Series, matters: Floats) -> list[_Candidate]:
    """Leave out what rises in one usage type and falls in another of the same service and region at the same time."""
    kept = []
    for one in found:
        place = {account.leaves[row][:2] for row in one.rows}
        against = [
            other
            for other in found
            if other.span.sign != one.span.sign
            and abs(other.span.first - one.span.first) <= 1
            and {account.leaves[row][:2] for row in other.rows} == place
        ]
        net = one.span.money + sum(other.span.money for other in against)
        if not against or (abs(net) >= matters[one.span.noticed] and net * one.span.sign > 0):
            kept.append(one)
    return kept


def _with_coarser(chosen: list[_Candidate], coarser: list[_Candidate]) -> list[_Candidate]:
    for one in coarser:
        inside = [
            c
            for c in chosen
            if c.rows <= one.rows
            and c.span.sign == one.span.sign
            and c.span.first <= one.span.last
            and c.span.last >= one.span.first
        ]
        explained = sum(_overlap(c.span, one.span) for c in inside)
        # The other half of a span: the usual after a rise looks like a fall to a series that learned the rise.
        if abs(explained) < _EXPLAINS * abs(one.span.money):
            chosen = [c for c in chosen if c not in inside or c.span.first < one.span.first - 1] + [one]
    return chosen


def _overlap(part: Span, whole: Span) -> float:
    return sum(e for i, e in enumerate(part.excess, start=part.first) if whole.first <= i <= whole.last)


def _together(chosen: list[_Candidate], account: Series) -> list[_Candidate]:
    """What starts and ends on the same days in one service and region, or all new in one region, is one event."""
    out: list[_Candidate] = []
    for one in sorted(chosen, key=lambda c: (c.span.first, -abs(c.span.money))):
        same = next((c for c in out if _alike(c.span, one.span) and _related(account, c, one)), None)
        if same is None:
            out.append(one)
        else:
            out[out.index(same)] = _Candidate(same.rows | one.rows, _both(same.span, one.span))
    return out


def _alike(a: Span, b: Span) -> bool:
    shared = min(a.last, b.last) - max(a.first, b.first) + 1
    either = max(a.last, b.last) - min(a.first, b.first) + 1
    return a.sign == b.sign and abs(a.first - b.first) <= 1 and shared >= _SAME_DAYS * either


def _related(account: Series, a: _Candidate, b: _Candidate) -> bool:
    """One service in one region, or a region in which there was nothing before."""
    places = {account.leaves[row][:2] for row in a.rows | b.rows}
    regions = {region for _, region in places}
    before = account.costs[sorted(a.rows | b.rows)][:, list(a.span.reference)].sum()
    return len(places) == 1 or (len(regions) == 1 and before == 0.0)


def _both(a: Span, b: Span) -> Span:
    first, last = min(a.first, b.first), max(a.last, b.last)
    excess = np.zeros(last - first + 1)
    for span in (a, b):
        excess[span.first - first : span.first - first + len(span.excess)] += span.excess
    leading = a if abs(a.money) >= abs(b.money) else b
    return Span(
        first=first,
        last=last,
        noticed=min(a.noticed, b.noticed),
        sign=a.sign,
        excess=tuple(excess.tolist()),
        reference=leading.reference,
        gradual=leading.gradual,
        accepted=leading.accepted,
        open=a.open or b.open,
    )


def _event(bill: pl.DataFrame, account: Series, found: _Candidate) -> CostEvent:
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


def _evidence(account: Series, found: _Candidate) -> Line:
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
