from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from aws_auto.ml.cost.backtest_commitments import CLAIRVOYANT, LOOKING_BACK, OURS, replay_commitments
from aws_auto.ml.cost.commitments import Offer

START = datetime(2026, 3, 2, tzinfo=UTC)
PLAN = Offer(name="plan", discount=0.3, source="a quote", term=timedelta(days=365))


def replay(hours, offers=(PLAN,)):
    return replay_commitments({"plan": hours}, offers, first=START, currency="USD", seed=0)


def test_flat_usage_is_committed_on_by_all_alike():
    found = replay(np.full(90 * 24, 2.0))
    ways = {one.method: one for one in found.methods}
    assert ways[CLAIRVOYANT].saving == pytest.approx(0.3)
    assert ways[LOOKING_BACK].saving == pytest.approx(0.3)
    assert 0.29 < ways[OURS].saving <= 0.3 + 1e-9
    assert ways[CLAIRVOYANT].monthly == pytest.approx(0.3 * 2.0 * 730)
    assert (found.decisions, found.first, found.why) == (5, date(2026, 3, 2), "")
    assert all(one.lost == 0.0 for one in found.methods)


def test_after_a_fall_the_look_back_loses_and_who_knew_does_not():
    hours = np.concatenate([np.full(60 * 24, 4.0), np.full(30 * 24, 1.0)])
    found = replay(hours)
    ways = {one.method: one for one in found.methods}
    assert ways[LOOKING_BACK].worst < 0.0
    assert ways[LOOKING_BACK].lost > 0.0
    assert ways[CLAIRVOYANT].lost == 0.0
    assert ways[OURS].saving >= ways[LOOKING_BACK].saving
    assert (
        found.difference["plan"].low <= ways[OURS].saving - ways[LOOKING_BACK].saving <= found.difference["plan"].high
    )


def test_two_months_are_the_least():
    found = replay(np.ones(59 * 24))
    assert found.methods == ()
    assert found.why == "59 days of on-demand hours are known; 60 are needed"


def test_without_rates_nothing_is_replayed_and_the_next_step_is_said():
    found = replay(np.ones(90 * 24), offers=())
    assert "prices refresh" in found.why


def test_one_decision_has_an_interval_of_its_own():
    found = replay(np.ones(60 * 24))
    assert found.decisions == 1
    assert found.difference["plan"].low == found.difference["plan"].high


def test_a_plan_that_can_be_returned_loses_less_when_usage_falls_within_days():
    """The decision falls on 1 April and the fall on the 4th."""
    hours = np.concatenate([np.full(33 * 24, 4.0), np.full(27 * 24, 1.0)])
    kept, back = (replay(hours, (replace(PLAN, returnable=one),)) for one in (False, True))
    worst = [next(way.worst for way in one.methods if way.method == OURS) for one in (kept, back)]
    assert worst[0] < 0.0 < worst[1]
