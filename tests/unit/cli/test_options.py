"""Words on the command line become values, or a sentence that says what to write."""

from datetime import UTC, datetime, timedelta

import pytest

from aws_auto.cli import options
from aws_auto.errors import UsageError

NOW = datetime(2026, 3, 1, 12, 30, 45, tzinfo=UTC)
MINUTE = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def test_a_window_ends_on_the_minute():
    found = options.window("36h", NOW)
    assert (found.start, found.end) == (MINUTE - timedelta(hours=36), MINUTE)


def test_a_day_to_look_back_to_wins_over_the_length():
    found = options.window("1d", NOW, since="2018-10-01")
    assert (found.start, found.end) == (datetime(2018, 10, 1, tzinfo=UTC), MINUTE)


@pytest.mark.parametrize(
    ("window", "since", "said"),
    [
        ("soon", None, "is not a duration"),
        ("0d", None, "longer than nothing"),
        ("1d", "2026-03-02", "lies in the future"),
        ("1d", "october", "is not a time"),
    ],
)
def test_what_is_no_window_is_refused_with_its_flag(window, since, said):
    with pytest.raises(UsageError, match=said) as caught:
        options.window(window, NOW, since=since)
    assert caught.value.where == ("--window" if since is None else "--since")


def test_a_moment_with_a_zone_is_told_in_utc():
    assert options.moment("2026-03-01T14:00+02:00", "--on") == datetime(2026, 3, 1, 12, tzinfo=UTC)
