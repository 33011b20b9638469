from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.features.assemble import evaluate
from aws_auto.ml.features.calendar import features, public_holidays


def at(*moments: datetime, tz: str = "UTC", holidays: tuple[date, ...] = ()) -> pl.DataFrame:
    data = pl.DataFrame(
        {"resource_id": ["a"] * len(moments), "timestamp": moments},
        schema={"resource_id": pl.String, "timestamp": pl.Datetime("us", "UTC")},
    )
    return evaluate(data, features(tz=tz, holidays=holidays)).collect()


def test_the_local_hour_jumps_over_the_hour_that_does_not_exist() -> None:
    before, after = datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert at(before, after, tz="Europe/Berlin")["hour_of_day"].to_list() == [1, 3]


def test_the_local_hour_that_happens_twice_is_the_same_hour() -> None:
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert at(first, second, tz="Europe/Berlin")["hour_of_day"].to_list() == [2, 2]


def test_days_begin_at_local_midnight_and_weeks_on_monday() -> None:
    sunday_late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    here, there = at(sunday_late).row(0, named=True), at(sunday_late, tz="Europe/Berlin").row(0, named=True)
    assert (here["day_of_week"], here["is_weekend"]) == (6, 1)
    assert (there["day_of_week"], there["is_weekend"]) == (0, 0)
    assert there["days_since_epoch"] == here["days_since_epoch"] + 1
    assert there["week_of_year"] == here["week_of_year"] + 1


@pytest.mark.parametrize(("hour", "want"), [(8, 0), (9, 1), (17, 1), (18, 0)])
def test_business_hours_are_nine_to_seventeen_inclusive(hour: int, want: int) -> None:
    assert at(datetime(2026, 11, 24, hour, 59, tzinfo=UTC))["is_business_hour"].to_list() == [want]
    assert at(datetime(2026, 11, 28, hour, 59, tzinfo=UTC))["is_business_hour"].to_list() == [0]


def test_midnight_and_six_lie_a_quarter_turn_apart() -> None:
    day = at(datetime(2026, 1, 1, 0, tzinfo=UTC), datetime(2026, 1, 1, 6, tzinfo=UTC))
    assert day["hour_of_day_sin"].to_list() == pytest.approx([0, 1])
    assert day["hour_of_day_cos"].to_list() == pytest.approx([1, 0], abs=1e-12)


def test_a_holiday_is_marked_on_its_local_date() -> None:
    moment = datetime(2026, 12, 24, 23, 30, tzinfo=UTC)
    christmas = (date(2026, 12, 25),)
    assert at(moment, holidays=christmas)["is_holiday"].to_list() == [0]
    assert at(moment, tz="Europe/Berlin", holidays=christmas)["is_holiday"].to_list() == [1]


def test_observed_days_are_holidays_too() -> None:
    found = public_holidays("US", subdivision=None, years=[2026])
    assert date(2026, 7, 3) in found  # the Fourth of July 2026 is a Saturday
    assert date(2026, 7, 4) in found


def test_a_subdivision_adds_its_own_days() -> None:
    epiphany = date(2026, 1, 6)
    assert epiphany not in public_holidays("de", subdivision=None, years=[2026])
    assert epiphany in public_holidays("DE", subdivision="BY", years=[2026])
    assert epiphany in public_holidays("DE", subdivision="Bayern", years=[2026])


@pytest.mark.parametrize(("country", "near"), [("germny", "DE (germany)"), ("UZA", "UZ"), ("%", "such as US")])
def test_an_unknown_country_is_refused_with_near_names(country: str, near: str) -> None:
    with pytest.raises(UsageError, match="no holidays are known for the country") as refused:
        public_holidays(country, subdivision=None, years=[2026])
    assert near in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("country", "part", "near"),
    [("DE", "Bayren", "Bayern"), ("DE", "?", "use one of BB"), ("SG", "BY", "leave the subdivision out")],
)
def test_an_unknown_subdivision_is_refused_with_near_names(country: str, part: str, near: str) -> None:
    with pytest.raises(UsageError, match="as a part of") as refused:
        public_holidays(country, subdivision=part, years=[2026])
    assert near in (refused.value.hint or "")
