"""The next run of a schedule, against a slow twin that tries every minute."""

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aws_auto.config.units import Schedule, UnitError

HIGHS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
ONE_WEEK = 7 * 24 * 60


def matches(field, value, low, high):
    """Whether one field of a cron line names the value: by counting from the start of each range."""
    for part in field.split(","):
        span, _, step = part.partition("/")
        start, stop = (low, high) if span == "*" else (int(span.split("-")[0]), int(span.split("-")[-1]))
        named = list(range(start, stop + 1))[:: int(step or 1)]
        if value in named or (low == 0 and high == 7 and value == 0 and 7 in named):
            return True
    return False


def runs(line, moment):
    minute, hour, day, month, weekday = line.split()
    in_month = matches(day, moment.day, 1, 31)
    in_week = matches(weekday, (moment.weekday() + 1) % 7, 0, 7)
    either = in_month or in_week if not (day.startswith("*") or weekday.startswith("*")) else in_month and in_week
    clock = matches(minute, moment.minute, 0, 59) and matches(hour, moment.hour, 0, 23)
    return clock and matches(month, moment.month, 1, 12) and either


def minute_by_minute(line, moment):
    now = moment.replace(second=0, microsecond=0)
    for _ in range(ONE_WEEK):
        now += timedelta(minutes=1)
        if runs(line, now):
            return now
    return None


def field(low, high):
    numbers = st.integers(low, high)
    ranges = st.tuples(numbers, numbers).map(sorted).map(lambda p: f"{p[0]}-{p[1]}")
    steps = st.tuples(ranges | st.just("*"), st.integers(1, 40)).map(lambda p: f"{p[0]}/{p[1]}")
    part = numbers.map(str) | ranges | steps
    return st.just("*") | st.lists(part, min_size=1, max_size=3).map(",".join)


LINES = st.tuples(*(field(*limits) for limits in HIGHS.values())).map(" ".join)
MOMENTS = st.datetimes(datetime(2023, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


@settings(max_examples=120, deadline=None, database=None, derandomize=True)
@given(LINES, MOMENTS)
def test_the_next_run_is_the_first_matching_minute(line, moment):
    try:
        schedule = Schedule.parse(line)
    except UnitError as error:
        assert "never happens" in error.message  # noqa: PT017 - the other branch is the test
        assume(False)
    found = schedule.next_after(moment)
    slow = minute_by_minute(line, moment)
    assert found == slow if slow is not None else found > moment + timedelta(minutes=ONE_WEEK - 1)
    assert runs(line, found)


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(st.integers(1, 3000), st.sampled_from(["minute", "hour", "day"]), MOMENTS)
def test_a_rate_runs_within_one_period_and_at_a_multiple_of_it(count, unit, moment):
    schedule = Schedule.parse(f"rate({count} {unit}{'s' if count > 1 else ''})")
    found = schedule.next_after(moment)
    assert moment < found <= moment + timedelta(seconds=schedule.every_s)
    assert found.timestamp() % schedule.every_s == 0


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(st.sampled_from([60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 3 * 3600, 6 * 3600, 12 * 3600, 86400]), MOMENTS)
def test_a_rate_and_its_cron_line_run_at_the_same_moments(seconds, moment):
    rate = Schedule(f"every {seconds} s", every_s=seconds)
    assert Schedule.parse(rate.cron()).next_after(moment) == rate.next_after(moment)
