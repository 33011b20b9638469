from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from aws_auto.ml.cost.backtest_commitments import CLAIRVOYANT, LOOKING_BACK, OURS, replay_commitments
from aws_auto.ml.cost.commitments import Offer, Plan, bought

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


def test_the_ladder_goes_on_while_usage_holds():
    held = bought(Plan(4.0, 0.25, 3), np.full(30 * 24, 4.0), np.full(30 * 24, 4.0))
    assert held[[0, 7 * 24, 14 * 24, 21 * 24, -1]].tolist() == [1.0, 2.0, 3.0, 4.0, 4.0]


def test_the_ladder_stops_when_a_day_or_a_week_is_lower():
    ahead = np.concatenate([np.full(6 * 24, 4.0), np.full(24 * 24, 2.0)])
    assert bought(Plan(4.0, 0.25, 3), np.full(30 * 24, 4.0), ahead)[-1] == 1.0
    slow = np.repeat(4.0 * 0.98 ** np.arange(30), 24)
    assert bought(Plan(4.0, 0.25, 3), np.full(30 * 24, 4.0), slow)[-1] == 2.0


def test_the_ladder_ends_with_the_history():
    assert bought(Plan(4.0, 0.25, 3), np.full(30 * 24, 4.0), np.full(10 * 24, 4.0))[-1] == 2.0
