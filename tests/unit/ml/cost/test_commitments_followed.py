"""What is bought, returned and bought anew by who follows the advice day by day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from aws_auto.ml.cost import commitments_followed
from aws_auto.ml.cost.commitments import Offer, decide
from aws_auto.ml.cost.commitments_followed import Follower, days_left, decide_with_returns, return_days

if TYPE_CHECKING:
    from aws_auto.ml.cost.findings import Commitment

PLAN = Offer(name="plan", discount=0.19, source="a quote", term=timedelta(days=30), returnable=True)


def flat(days: int, level: float = 4.0) -> np.ndarray:
    return np.full(days * 24, level)


def then(*parts: tuple[int, float]) -> np.ndarray:
    return np.concatenate([flat(days, level) for days, level in parts])


def held(ahead: np.ndarray, *, month_ends: int, says=None) -> np.ndarray:
    def decided(known: np.ndarray, returns: int) -> Commitment:
        return says(known, returns) if says else decide_with_returns(known, PLAN, seed=0, returns=returns)

    return Follower(decide=decided, month_ends=month_ends).held(flat(60), ahead).reshape(-1, 24)[:, 0]


def always(**values):
    """Whatever the past, the same is decided."""
    one = replace(decide(flat(30), PLAN, seed=0), **values)
    return lambda *_: one


def test_a_plan_can_be_returned_for_a_week_and_not_after_its_month():
    assert return_days(PLAN, datetime(2026, 4, 3, 5, tzinfo=UTC), "USD") == 7
    assert return_days(PLAN, datetime(2026, 4, 28, 5, tzinfo=UTC), "USD") == 2
    assert return_days(PLAN, datetime(2026, 4, 30, 5, tzinfo=UTC), "USD") == 0
    assert days_left(datetime(2026, 12, 1, tzinfo=UTC)) == 31


def test_what_cannot_be_returned_or_is_not_known_to_be_has_no_days():
    moment = datetime(2026, 4, 3, tzinfo=UTC)
    assert return_days(replace(PLAN, returnable=False), moment, "USD") == 0
    assert return_days(PLAN, moment, "CNY") == 0


def test_a_purchase_over_the_limit_is_decided_as_one_that_is_kept():
    small, large = (decide_with_returns(flat(60, level), PLAN, seed=0, returns=7) for level in (4.0, 4000.0))
    assert small.returns == 7
    assert large.returns == 0
    assert large == decide(flat(60, 4000.0), PLAN, seed=0)


def test_what_fell_in_the_first_week_is_returned_at_the_end_of_the_day_and_bought_for_what_is_left():
    levels = held(then((3, 4.0), (27, 1.0)), month_ends=20)
    assert levels[3] > 3.0
    assert levels[4] == pytest.approx(1.0, abs=0.1)
    assert levels[-1] == levels[4]


def test_after_the_week_or_the_month_or_without_the_right_it_is_kept():
    late, soon = then((8, 4.0), (22, 1.0)), then((3, 4.0), (27, 1.0))
    for ahead, month_ends in ((late, 20), (soon, 3), (soon, 0)):
        levels = held(ahead, month_ends=month_ends)
        assert (levels >= levels[0]).all()


def test_what_was_bought_in_the_next_month_can_be_returned_in_it():
    windows = set()

    def says(known, returns):
        windows.add(returns)
        return always(level=float(known[-24:].mean()), first=0.5, weeks=1)()

    levels = held(then((10, 4.0), (20, 1.0)), month_ends=6, says=says)
    # Half was bought in the month before; the other half a week later, and that one goes back.
    assert levels[[0, 7, 10, 11]].tolist() == [2.0, 4.0, 4.0, 2.0]
    assert windows == {6, 7}


def test_a_dip_after_which_as_much_would_be_bought_returns_nothing():
    says = always(level=4.0, first=1.0, weeks=0)
    assert held(then((2, 4.0), (1, 1.0), (27, 4.0)), month_ends=20, says=says).tolist() == [4.0] * 30


def test_no_more_is_returned_than_a_year_allows():
    book = commitments_followed._Book(month_ends=20)
    book.bought = [(0, 1.0)]
    book.returned = commitments_followed.RETURNS_A_YEAR
    assert not book.can_return(1)


LADDER = always(level=4.0, first=0.25, weeks=3)


def test_the_ladder_goes_on_while_usage_holds():
    assert held(flat(30), month_ends=0, says=LADDER)[[0, 6, 7, 14, 21, 29]].tolist() == [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]


def test_the_ladder_stops_when_a_day_or_a_week_is_lower():
    assert held(then((6, 4.0), (24, 2.0)), month_ends=0, says=LADDER)[-1] == 1.0
    assert held(np.repeat(4.0 * 0.98 ** np.arange(30), 24), month_ends=0, says=LADDER)[-1] == 2.0


def test_the_ladder_ends_with_the_history():
    assert held(flat(10), month_ends=0, says=LADDER)[-1] == 2.0
