"""What a day should cost, from its past alone, and the spans of days that cost something else.

A day is expected at the level of the last week and of the same weekday of up to four weeks before. While fewer than
three weeks are known, everything between those two is expected. Usual distance from that is measured by its median
(MAD); a span opens on one day far outside, or when small distances of one sign add up (CUSUM, Page 1954), and while it
is open its days are no history. It closes after two usual days in a row, or becomes the new level after a fortnight
(after two while it is too small to be noticed).

A span counts only when its money reaches what matters (`Rules.matters`); otherwise its days stay history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.robust import MAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_WEEK, _MONTH = 7, 28
#: Days after which the level of a step is known, and what comes on top of it can be seen.
_STEP_KNOWN = 3
#: A step back of this many times the step before it is the return from it.
_BACK = (0.6, 1.4)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When a distance from the expected is an event.

    Attributes:
        matters: least money of an event, as a share of its account's usual cost of 30 days.
        matters_of_bill: the same, as a share of the bill's usual cost of 30 days in that currency.
        least: the same in the bill's currency: cents are no event, whatever their share.
        far: a day this many usual distances outside opens a span.
        drift: distances up to this are forgotten by the sum of small ones.
        adds_up: the sum of small ones that opens a span.
        usual: a day nearer than this is usual again.
        learn: days of history before the first judgement.
        accept: after so many days the new level is expected.
        floor: the smallest usual distance, as a share of the series' level.
        floor_of_account: the same, as a share of the account's usual day.
    """

    matters: float = 0.02
    matters_of_bill: float = 0.005
    least: float = 1.0
    far: float = 4.0
    drift: float = 1.0
    adds_up: float = 8.0
    usual: float = 2.0
    learn: int = 7
    accept: int = 14
    floor: float = 0.03
    floor_of_account: float = 0.002


@dataclass(frozen=True, kw_only=True)
class Span:
    """Days that cost something else than expected; days are column numbers.

    Attributes:
        first: first day outside.
        last: last day outside.
        noticed: the day at whose end the span was known to matter.
        sign: 1 for more than expected, -1 for less.
        excess: money outside the expected of each day from first to last, signed.
        reference: usual days before it that the expected rests on.
        gradual: it opened because small distances added up.
        accepted: it became the new level.
        open: it had not ended when the series did.
    """

    first: int
    last: int
    noticed: int
    sign: int
    excess: tuple[float, ...]
    reference: tuple[int, ...]
    gradual: bool
    accepted: bool
    open: bool

    @property
    def money(self) -> float:
        """All that was spent above (or below) the expected."""
        return float(sum(self.excess))


def least(account: Floats, bill: Floats, rules: Rules) -> Floats:
    """The money that matters, by day: from the usual day of the four weeks before it."""
    usual = [
        (np.median(account[max(0, day - _MONTH) : day]), np.median(bill[max(0, day - _MONTH) : day]))
        for day in range(1, len(account))
    ]
    shares = 30 * np.array([(0.0, 0.0), *usual]) * (rules.matters, rules.matters_of_bill)
    return np.asarray(np.maximum(shares.max(axis=1), rules.least))


def spans(costs: Floats, account: Floats, matters: Floats, rules: Rules) -> list[Span]:
    """The spans of one series, in order.

    Args:
        costs: cost by day.
        account: cost by day of the account that it is part of.
        matters: least money of a span, by the day on which it is noticed, see `least`.
        rules: when a distance counts.
    """
    outer = _scanned(costs, account, matters, rules)
    return sorted(
        [*_joined(outer), *(inner for span in outer for inner in _on_top(span, costs, account, matters, rules))],
        key=lambda span: span.first,
    )


def _scanned(costs: Floats, account: Floats, matters: Floats, rules: Rules) -> list[Span]:
    scan = _Scan(costs, account, matters, rules)
    for day in range(rules.learn, len(costs)):
        scan.step(day)
    scan.finish()
    return scan.found


def _on_top(span: Span, costs: Floats, account: Floats, matters: Floats, rules: Rules) -> list[Span]:
    """What comes on top of a step while it lasts, judged from the days of the step alone."""
    days = slice(span.first, span.last + 1)
    if span.gradual or span.last - span.first < _STEP_KNOWN:
        return []
    inner = _scanned(costs[days], account[days], matters[days], replace(rules, learn=_STEP_KNOWN))
    return [
        replace(
            one,
            first=one.first + span.first,
            last=one.last + span.first,
            noticed=one.noticed + span.first,
            reference=tuple(day + span.first for day in one.reference),
            open=one.open and span.open,
        )
        for one in inner
        if one.sign == span.sign
    ]


def expected(costs: Floats, past: list[int], day: int) -> tuple[float, float]:
    """The least and the most that is expected of that day, from usual days before it."""
    known = costs[past[-_MONTH:]]
    week = float(np.median(known[-_WEEK:]))
    same = [i for i in past if (day - i) % _WEEK == 0][-4:]
    if not same:
        return week, week
    weekday = float(np.median(costs[same]))
    if len(known) >= 3 * _WEEK:
        level = weekday + week - float(np.median(known))
        return level, level
    return min(week, weekday), max(week, weekday)


class _Scan:
    """One pass over the days of a series; nothing is read that lies ahead of `step`'s day."""

    def __init__(self, costs: Floats, account: Floats, matters: Floats, rules: Rules) -> None:
        self.costs, self.account, self.matters, self.rules = costs, account, matters, rules
        self.past = list(range(min(rules.learn, len(costs))))
        self.distances: list[float] = []
        self.sums = {1: 0.0, -1: 0.0}
        self.since = {1: rules.learn, -1: rules.learn}
        self.first: int | None = None
        self.sign, self.gradual, self.noticed = 1, False, -1
        self.reference: tuple[int, ...] = ()
        self.excess: list[float] = []
        self.quiet = 0
        self.found: list[Span] = []

    def step(self, day: int) -> None:
        low, high = expected(self.costs, self.past, day)
        cost = float(self.costs[day])
        outside = cost - high if cost > high else cost - low if cost < low else 0.0
        score = outside / self._usual_distance(day, (low + high) / 2)
        if self.first is None and not self._opens(day, score, cost - (low + high) / 2):
            return
        self._go_on(day, outside, score)

    def _usual_distance(self, day: int, level: float) -> float:
        usual_day = float(np.median(self.account[max(0, day - _MONTH) : day]))
        measured = MAD * float(np.median(np.abs(self.distances[-_MONTH:]))) if len(self.distances) >= 5 else 0.0
        return max(measured, self.rules.floor * abs(level), self.rules.floor_of_account * abs(usual_day), 1e-9)

    def _opens(self, day: int, score: float, distance: float) -> bool:
        """Whether a span opens on this day; if not, the day is history."""
        for sign in (1, -1):
            grown = self.sums[sign] + sign * score - self.rules.drift
            if grown <= 0.0:
                grown, self.since[sign] = 0.0, day + 1
            self.sums[sign] = grown
        sign = 1 if score > 0 else -1
        far = abs(score) > self.rules.far
        if far or self.sums[sign] > self.rules.adds_up:
            self.first = day if far and self.sums[sign] <= abs(score) else min(self.since[sign], day)
            self.sign, self.gradual = sign, not far
            self.past = [i for i in self.past if i < self.first]
            self.reference = tuple(self.past[-2 * _WEEK :])
            self.excess = [self._outside(earlier) for earlier in range(self.first, day)]
            return True
        self.past.append(day)
        self.distances.append(distance)
        return False

    def _outside(self, day: int) -> float:
        low, high = expected(self.costs, self.past, day)
        cost = float(self.costs[day])
        return max(cost - high, 0.0) if self.sign > 0 else min(cost - low, 0.0)

    def _go_on(self, day: int, outside: float, score: float) -> None:
        self.excess.append(max(outside, 0.0) if self.sign > 0 else min(outside, 0.0))
        self.quiet = 0 if self.sign * score > self.rules.usual else self.quiet + 1
        if self.noticed < 0 and self.quiet == 0 and abs(sum(self.excess)) >= self.matters[day]:
            self.noticed = day
        if self.quiet >= 2:
            self._close(day, accepted=False, open_=False)
        elif self.first is not None and day - self.first + 1 >= self.rules.accept * (1 if self.noticed >= 0 else 2):
            self._close(day, accepted=True, open_=False)

    def finish(self) -> None:
        if self.first is not None:
            self._close(len(self.costs) - 1, accepted=False, open_=self.quiet == 0)

    def _close(self, day: int, *, accepted: bool, open_: bool) -> None:
        first = day if self.first is None else self.first
        last = day - self.quiet
        if self.noticed >= 0:
            self.found.append(
                Span(
                    first=first,
                    last=last,
                    noticed=self.noticed,
                    sign=self.sign,
                    excess=tuple(self.excess[: last - first + 1]),
                    reference=self.reference,
                    gradual=self.gradual,
                    accepted=accepted,
                    open=open_,
                )
            )
        if accepted:
            self.past = list(range(max(first, day - _WEEK + 1), day + 1))
        elif self.noticed >= 0:
            self.past += list(range(last + 1, day + 1))
        else:
            self.past += list(range(first, day + 1))
        self.first, self.noticed, self.quiet, self.excess = None, -1, 0, []
        self.sums = {1: 0.0, -1: 0.0}
        self.since = {1: day + 1, -1: day + 1}


def _joined(found: list[Span]) -> list[Span]:
    """One span of what belongs together: growth that goes on after it became the new level, and the return from it."""
    out: list[Span] = []
    for span in found:
        before = out[-1] if out else None
        if before and before.accepted and before.sign == span.sign and span.first - before.last <= 4:
            out[-1] = _longer(before, span.first - 1, 0.0, span)
        elif before and before.accepted and _returns(before, span):
            usual = float(np.mean(before.excess[-_WEEK:]))
            out[-1] = replace(_longer(before, span.first - 1, usual, None), accepted=False, open=False)
        else:
            out.append(span)
    return out


def _returns(before: Span, span: Span) -> bool:
    """Whether a span goes back to where the one before it came from, by its first days."""
    step = float(np.mean(before.excess[-_WEEK:]))
    back = float(np.median(span.excess[:_WEEK]))
    return before.sign == -span.sign and _BACK[0] <= -back / step <= _BACK[1]


def _longer(before: Span, until: int, each: float, then: Span | None) -> Span:
    """The span with ``each`` on every further day up to ``until``, and then another span's days."""
    filled = (*before.excess, *([each] * (until - before.last)))
    if then is None:
        return replace(before, last=until, excess=filled)
    whole = (*filled, *then.excess)
    return replace(before, last=then.last, excess=whole, gradual=True, accepted=then.accepted, open=then.open)
