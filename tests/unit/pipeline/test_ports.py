from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aws_auto.pipeline.ports import Window

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def span(start, end):
    return Window(DAY + timedelta(hours=start), DAY + timedelta(hours=end))


@pytest.mark.parametrize(
    ("closed", "open_parts"),
    [
        ([], [(0, 24)]),
        ([(0, 24)], []),
        ([(6, 12)], [(0, 6), (12, 24)]),
        ([(-5, 3), (20, 30)], [(3, 20)]),
        ([(10, 14), (4, 6), (5, 11)], [(0, 4), (14, 24)]),
        ([(30, 40)], [(0, 24)]),
    ],
)
def test_only_what_is_not_closed_is_left(closed, open_parts):
    assert span(0, 24).without(span(*c) for c in closed) == [span(*p) for p in open_parts]


def test_a_window_has_a_length():
    assert span(0, 24).length == timedelta(days=1)
