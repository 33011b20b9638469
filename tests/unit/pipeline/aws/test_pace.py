from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_auto.pipeline.aws.pace import Backoff, TokenBucket
from fakes import FakeClock


@given(
    limit=st.floats(2.0, 500.0),
    burst_share=st.floats(0.05, 0.9),
    steps=st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 0.5)), min_size=1, max_size=40),
)
def test_no_second_ever_sees_more_than_the_limit(limit, burst_share, steps):
    clock = FakeClock()
    burst = limit * burst_share
    bucket = TokenBucket.under(clock, limit=limit, burst=burst)
    passed = []
    for share, idle in steps:
        bucket.take(share * burst)
        passed.append((clock.now(), share * burst))
        clock.moment += timedelta(seconds=idle)
    for start, _ in passed:
        within = sum(amount for at, amount in passed if start <= at < start + timedelta(seconds=1))
        # The clock counts microseconds; each of up to forty waits may be rounded by one.
        assert within <= limit * (1 + 1e-4)


def test_a_steady_stream_flows_at_the_rate():
    clock = FakeClock()
    bucket = TokenBucket(clock, rate=10.0, burst=5.0)
    start = clock.now()
    for _ in range(105):
        bucket.take()
    assert (clock.now() - start).total_seconds() == pytest.approx(10.0, rel=1e-3)


def test_what_fits_the_burst_does_not_wait():
    clock = FakeClock()
    bucket = TokenBucket(clock, rate=1.0, burst=5.0)
    for _ in range(5):
        bucket.take()
    assert clock.slept == []


def test_an_amount_above_the_burst_leaves_a_debt_that_the_next_one_pays():
    clock = FakeClock()
    bucket = TokenBucket(clock, rate=10.0, burst=10.0)
    bucket.take(30.0)
    assert clock.slept == []
    bucket.take(10.0)
    assert sum(clock.slept) == pytest.approx(3.0, rel=1e-3)


def test_a_clock_that_is_set_back_gives_nothing_away_and_does_not_hang():
    clock = FakeClock()
    bucket = TokenBucket(clock, rate=1.0, burst=1.0)
    bucket.take()
    clock.moment -= timedelta(hours=1)
    bucket.take()
    assert sum(clock.slept) == pytest.approx(1.0, rel=1e-3)


def test_waits_are_spread_between_nothing_and_a_growing_then_capped_limit():
    rng = np.random.default_rng(0)
    backoff = Backoff(base=0.5, cap=4.0)
    for attempt, limit in enumerate([0.5, 1.0, 2.0, 4.0, 4.0]):
        waits = [backoff.delay(attempt, rng) for _ in range(400)]
        assert 0.0 <= min(waits) < 0.05 * limit
        assert 0.95 * limit < max(waits) <= limit
