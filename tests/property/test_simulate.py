"""A simulated value depends on its moment, never on the window that was asked for."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from aws_auto.ml.simulate.account import simulate

START = datetime(2026, 3, 6, tzinfo=UTC)  # Daylight saving begins inside.
WHOLE = simulate(START, START + timedelta(days=4), seed=11)
SECONDS = int(timedelta(days=4).total_seconds())


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, SECONDS), length=st.integers(0, SECONDS // 2))
def test_any_window_is_a_cut_of_any_larger_one(first, length):
    start = START + timedelta(seconds=first)
    end = min(start + timedelta(seconds=length), START + timedelta(seconds=SECONDS))
    part = simulate(start, end, seed=11)
    inside = pl.col("timestamp").is_between(start, end, closed="left")
    for mine, all_of_it in ((part.metrics, WHOLE.metrics), (part.billing, WHOLE.billing), (part.truth, WHOLE.truth)):
        assert_frame_equal(mine, all_of_it.filter(inside), check_exact=True)
