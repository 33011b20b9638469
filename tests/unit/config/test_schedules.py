"""Schedules: words, cron lines, and AWS's two expressions."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from aws_auto.config.units import Schedule, UnitError

TUESDAY = datetime(2026, 11, 24, 20, 40, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "line", "following"),
    [
        ("hourly", "0 * * * *", "2026-11-24 21:00"),
        ("daily", "0 0 * * *", "2026-11-25 00:00"),
        ("weekly", "0 0 * * 0", "2026-11-29 00:00"),
        ("Monthly", "0 0 1 * *", "2026-12-01 00:00"),
        ("*/15 * * * *", "*/15 * * * *", "2026-11-24 20:45"),
        ("0  2 * * MON-fri", "0 2 * * MON-fri", "2026-11-25 02:00"),
        ("30 6 1,15 * *", "30 6 1,15 * *", "2026-12-01 06:30"),
        ("0 0 * * 7", "0 0 * * 7", "2026-11-29 00:00"),
        ("0 0 29 2 *", "0 0 29 2 *", "2028-02-29 00:00"),
        ("0 9-17/4 * jan *", "0 9-17/4 * jan *", "2027-01-01 09:00"),
        ("rate(1 hour)", "0 * * * *", "2026-11-24 21:00"),
        ("rate(15 minutes)", "*/15 * * * *", "2026-11-24 20:45"),
        ("rate(1 minute)", "* * * * *", "2026-11-24 20:41"),
        ("rate(6 hours)", "0 */6 * * *", "2026-11-25 00:00"),
        ("rate(1 day)", "0 0 * * *", "2026-11-25 00:00"),
        ("cron(0 2 ? * MON-FRI *)", "0 2 * * MON-FRI", "2026-11-25 02:00"),
        ("cron(0/15 8-18 ? * 2-6 *)", "0-59/15 8-18 * * 1-5", "2026-11-25 08:00"),
        ("cron(0 0 1 JUL ? *)", "0 0 1 JUL *", "2027-07-01 00:00"),
        ("cron(0 0 ? * 1,7 *)", "0 0 * * 0,6", "2026-11-28 00:00"),
    ],
)
def test_every_way_to_say_when_has_a_cron_line_and_a_next_run(text, line, following):
    schedule = Schedule.parse(text)
    assert schedule.cron() == line
    assert schedule.next_after(TUESDAY) == datetime.fromisoformat(following).replace(tzinfo=UTC)


def test_either_day_is_enough_when_both_are_restricted_as_in_vixie_cron():
    both = Schedule.parse("0 0 13 * 5")
    assert both.next_after(TUESDAY) == datetime(2026, 11, 27, tzinfo=UTC)
    assert both.next_after(datetime(2026, 12, 12, tzinfo=UTC)) == datetime(2026, 12, 13, tzinfo=UTC)


def test_the_next_run_is_strictly_later():
    on_the_hour = datetime(2026, 11, 24, 21, tzinfo=UTC)
    assert Schedule.parse("hourly").next_after(on_the_hour) == on_the_hour + timedelta(hours=1)
    assert Schedule.parse("rate(1 hour)").next_after(on_the_hour) == on_the_hour + timedelta(hours=1)


def test_moments_of_other_zones_are_read_as_the_same_instant():
    tokyo = TUESDAY.astimezone(timezone(timedelta(hours=9)))
    assert Schedule.parse("daily").next_after(tokyo) == Schedule.parse("daily").next_after(TUESDAY)


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(UnitError, match="time zone"):
        Schedule.parse("daily").next_after(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("text", ["rate(7 minutes)", "rate(90 minutes)", "rate(5 hours)", "rate(2 days)"])
def test_a_rate_that_no_cron_line_means_still_has_a_next_run(text):
    schedule = Schedule.parse(text)
    first = schedule.next_after(TUESDAY)
    assert first > TUESDAY
    assert schedule.next_after(first) - first == timedelta(seconds=schedule.every_s)
    with pytest.raises(UnitError, match="no cron line means"):
        schedule.cron()


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("yearly", "write hourly, daily, weekly, monthly"),
        ("0 2 * *", "a cron line has five fields, this has 4"),
        ("61 * * * *", "minute 61 is out of range (0 to 59)"),
        ("0 24 * * *", "hour 24 is out of range (0 to 23)"),
        ("0 0 * foo *", "'foo' is not a month (1 to 12, or JAN to DEC)"),
        ("0 0 * * 8", "day of week 8 is out of range"),
        ("5/15 * * * *", "steps without a range; write 5-59/15"),
        ("*/0 * * * *", "is not a number from 1"),
        ("30-10 * * * *", "runs backwards"),
        ("1,,2 * * * *", "'' is not a minute"),
        ("0 0 30 2 *", "never happens"),
        ("0 0 31 4,6 *", "never happens"),
        ("rate(1 hours)", "write rate(1 hour)"),
        ("rate(5 minute)", "write rate(5 minutes)"),
        ("rate(0 minutes)", "is not a rate"),
        ("rate(1 week)", "is not a rate"),
        ("cron(0 2 * * *)", "has 5 fields; AWS wants six"),
        ("cron(0 2 * * * *)", "wants ? in exactly one"),
        ("cron(0 2 ? * ? *)", "wants ? in exactly one"),
        ("cron(0 2 L * ? *)", "only AWS knows"),
        ("cron(0 2 ? * 2#1 *)", "only AWS knows"),
        ("cron(0 2 ? * 0 *)", "AWS counts from 1"),
        ("cron(0 2 ? * 9 *)", "AWS counts from 1"),
        ("cron(0 2 ? * MON 2027)", "names a year"),
        ("at(2026-01-01T00:00:00)", "runs once"),
        ("", "is not a schedule"),
        (5, "5 is not a schedule"),
        ("* " * 300, "is not a schedule"),
    ],
)
def test_what_is_no_schedule_says_why(value, part):
    with pytest.raises(UnitError) as caught:
        Schedule.parse(value)
    assert part in caught.value.message


@pytest.mark.parametrize("text", ["weekly", "0 2 * * 1", "rate(7 minutes)", "cron(0 2 ? * MON-FRI *)"])
def test_a_schedule_writes_itself_as_it_was_written(text):
    assert str(Schedule.parse(text)) == text
    assert Schedule.parse(str(Schedule.parse(text))) == Schedule.parse(text)
