from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_auto.pipeline.aws.periods import CHUNK_POINTS, RETENTION, SETTLE, floor, spans
from aws_auto.pipeline.ports import Window
from fakes import NOW

DAY = timedelta(days=1)
minutes = st.integers(0, 460 * 1440).map(lambda m: timedelta(minutes=m))


@given(back=minutes, length=minutes, now_offset=st.integers(0, 86_399), finest=st.sampled_from([60, 300, 3600]))
def test_spans_cover_the_window_without_hole_or_overlap_and_keep_every_promise(back, length, now_offset, finest):
    now = NOW + timedelta(seconds=now_offset)
    window = Window(now - back, now - back + length)
    cut = spans(window, now=now, finest=finest)
    kept = dict(RETENTION)
    for span in cut:
        assert span.window.start < span.window.end <= floor(now, 60)
        if span.period:
            assert span.points <= CHUNK_POINTS
            assert span.period >= finest
            assert floor(span.window.start, span.period) == span.window.start
            assert floor(span.window.end, span.period) == span.window.end
            assert now - span.window.start <= kept[span.period]
        if span.final:
            assert span.window.end <= now - SETTLE or not span.period
    for before, after in pairwise(cut):
        assert before.window.end == after.window.start
    if cut:
        longest = timedelta(hours=1)
        assert window.start - longest < cut[0].window.start <= window.start
        assert cut[-1].window.end > min(window.end, now) - longest


def test_an_empty_window_asks_nothing_however_old_it_is():
    long_ago = NOW - 456 * DAY
    assert spans(Window(long_ago, long_ago), now=NOW) == []


@given(back=minutes, length=minutes)
def test_what_was_final_is_never_asked_again(back, length):
    window = Window(NOW - back, min(NOW, NOW - back + length))
    closed = [s.window for s in spans(window, now=NOW) if s.final]
    later = NOW + timedelta(minutes=1)
    again = [s.window for part in window.without(closed) for s in spans(part, now=later) if s.final]
    for old in closed:
        assert not any(old.start < new.end and new.start < old.end for new in again if new != old)


def test_periods_follow_retention():
    cut = spans(Window(NOW - 100 * DAY, NOW), now=NOW)
    seen = {s.period: (s.window.start, s.window.end) for s in reversed(cut)}
    assert list(dict.fromkeys(s.period for s in cut)) == [3600, 300, 60]
    border = timedelta(hours=1)
    assert seen[300][0] == NOW - 63 * DAY + border
    assert min(s.window.start for s in cut if s.period == 60) == NOW - 15 * DAY + border


def test_what_is_older_than_any_retention_is_one_span_that_asks_nothing():
    (span,) = spans(Window(NOW - 600 * DAY, NOW - 500 * DAY), now=NOW)
    assert (span.period, span.points, span.final) == (0, 0, True)


def test_the_newest_minutes_are_delivered_but_not_final():
    now = NOW + timedelta(seconds=30)
    settled, moving = spans(Window(NOW - timedelta(hours=1), now), now=now)
    assert (settled.window.end, settled.final) == (NOW - timedelta(minutes=10), True)
    assert (moving.window.end, moving.final) == (NOW, False)


def test_the_future_is_not_asked():
    assert spans(Window(NOW, NOW + DAY), now=NOW) == []


@pytest.mark.parametrize("finest", [300, 3600])
def test_coarser_periods_cost_fewer_points(finest):
    window = Window(NOW - 14 * DAY, NOW)
    fine = sum(s.points for s in spans(window, now=NOW))
    assert sum(s.points for s in spans(window, now=NOW, finest=finest)) <= fine * 60 / finest + 1
