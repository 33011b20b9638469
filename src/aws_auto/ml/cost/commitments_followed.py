"""A commitment as it is lived: bought in parts, and given back while that can be done.

A Savings Plan of at most 100 USD an hour can be returned within seven days of its purchase and in the same calendar
month (UTC), ten times a year; a reservation cannot (AWS Savings Plans User Guide, "Returning a purchased Savings Plan",
read in November 2026). That is a right on the costliest falls, those soon after the purchase: when usage fell and
leaves a part of the commitment unused, it is decided on anew, and where much less would be bought now, what can still
be returned is, and that is bought. A part that is due is not bought once usage fell: the last day cost `FELL` less than
its weekday did a week before, or the last week than the week before the decision.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.cost.commitments import FELL, decide, fell

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aws_auto.ml.cost.commitments import Array, Offer
    from aws_auto.ml.cost.findings import Commitment

RETURN_DAYS = 7
#: In USD an hour.
RETURNED_AT_MOST = 100.0
RETURNS_A_YEAR = 10
_WEEK = 7


def return_days(offer: Offer, decided: datetime, currency: str) -> int:
    """For how many whole days what is bought at that moment can be given back; 0 where it cannot or is not known."""
    if not offer.returnable or currency != "USD":
        return 0
    return min(RETURN_DAYS, days_left(decided))


def days_left(moment: datetime) -> int:
    """Whole days to the end of the month."""
    end = (moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
    return (end - moment).days


def decide_with_returns(
    hourly: Array, offer: Offer, *, seed: int, returns: int, falls_a_year: float | None = None
) -> Commitment:
    """As `commitments.decide`; without a return where more would be bought at once than can be returned.

    Args:
        hourly: on-demand cost an hour of what the offer would cover, whole days, newest last.
        offer: its rate.
        seed: of the scenarios.
        returns: for how many days what is bought can be given back.
        falls_a_year: how often usage falls, where the caller knows better than the history.
    """
    found = decide(hourly, offer, seed=seed, returns=returns, falls_a_year=falls_a_year)
    if found.pays * found.first <= RETURNED_AT_MOST:
        return found
    return decide(hourly, offer, seed=seed, falls_a_year=falls_a_year)


@dataclass(frozen=True, kw_only=True)
class Follower:
    """Who does what the advice says, every day.

    Attributes:
        decide: what the advice says of the hours known so far, when a purchase can be given back for so many days.
        month_ends: days from the first purchase to the end of its month; 0 for what cannot be returned.
    """

    decide: Callable[[Array, int], Commitment]
    month_ends: int

    def held(self, past: Array, ahead: Array) -> Array:
        """What is committed in each hour ahead.

        Args:
            past: hours up to the first decision, whole days.
            ahead: the hours that came, whole days; none is known before it is over.
        """
        known = np.concatenate([past, ahead])
        book = _Book(month_ends=self.month_ends)
        book.buy(self._decided(past, 0), now=0)
        levels = np.zeros(len(ahead))
        for day in range(len(ahead) // 24):
            if day:
                self._look(book, known[: len(past) + day * 24], day)
            levels[day * 24 : (day + 1) * 24] = book.level
        return levels

    def _decided(self, known: Array, day: int) -> Commitment:
        # Of a purchase in a later month the whole window is left.
        left = self.month_ends - day if day < self.month_ends else RETURN_DAYS
        return self.decide(known, min(left, RETURN_DAYS) if self.month_ends else 0)

    def _look(self, book: _Book, known: Array, day: int) -> None:
        """The end of a day: give back and buy anew, buy the part that is due, or go on."""
        lower = fell(known)
        used = np.minimum(known[-24:], book.level).mean()
        if lower and used < (1.0 - FELL) * book.level and book.can_return(day):
            new = self._decided(known, day)
            if new.level < (1.0 - FELL) * book.level:
                book.give_back(day)
                book.buy(replace(new, level=max(new.level - book.level, 0.0)), now=day)
                return
        before = known[-(day + _WEEK) * 24 :][: _WEEK * 24].sum()
        slower = not book.returned and known[-_WEEK * 24 :].sum() < (1.0 - FELL) * before
        book.go_on(day, stop=lower or slower)


@dataclass
class _Book:
    """What was bought on which day, and what is still to be bought."""

    month_ends: int
    bought: list[tuple[int, float]] = field(default_factory=list)
    due: list[tuple[int, float]] = field(default_factory=list)
    returned: int = 0

    @property
    def level(self) -> float:
        return sum(amount for _, amount in self.bought)

    def buy(self, plan: Commitment, *, now: int) -> None:
        self.bought.append((now, plan.level * plan.first))
        part = plan.level * (1.0 - plan.first) / max(plan.weeks, 1)
        self.due = [(now + _WEEK * (k + 1), part) for k in range(plan.weeks)]

    def _returnable(self, day: int) -> list[tuple[int, float]]:
        if not self.month_ends or self.returned >= RETURNS_A_YEAR:
            return []
        same_month = [one for one in self.bought if (one[0] < self.month_ends) == (day <= self.month_ends)]
        return [one for one in same_month if day - one[0] <= RETURN_DAYS]

    def can_return(self, day: int) -> bool:
        return bool(self._returnable(day))

    def give_back(self, day: int) -> None:
        back = self._returnable(day)
        self.bought = [one for one in self.bought if one not in back]
        self.returned += len(back)

    def go_on(self, day: int, *, stop: bool) -> None:
        """Buy what is due today; nothing more once usage fell."""
        now = [one for one in self.due if one[0] == day]
        if now and stop:
            self.due = []
        elif now:
            self.bought += now
