from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import SchemaError, UsageError
from aws_auto.ml.forecast.ahead import Ahead, Event, events_of
from aws_auto.ml.forecast.grid import DAY, HourGrid

START = datetime(2026, 12, 24, tzinfo=UTC)
GRID = HourGrid(("a", "b"), int(START.timestamp()) // 3600, np.zeros((2, 48)))


def test_an_event_marks_every_hour_that_it_touches_also_those_to_come():
    half = timedelta(minutes=30)
    event = Event(START + timedelta(hours=46) + half, START + timedelta(hours=49) + half, "sale", "b")
    (signal,) = Ahead(events=(event,)).signals(GRID)
    assert signal.shape == (2, 48 + DAY)
    assert np.flatnonzero(signal[1]).tolist() == [46, 47, 48, 49]
    assert not signal[0].any()


def test_an_event_without_a_resource_is_one_of_all_and_one_outside_of_the_grid_of_none():
    event = Event(START - timedelta(hours=3), START + timedelta(hours=1), "all")
    (signal,) = Ahead(events=(event,)).signals(GRID)
    assert signal.sum(axis=1).tolist() == [1, 1]
    gone = Event(START - timedelta(days=3), START - timedelta(days=2), "gone")
    assert not Ahead(events=(gone,)).signals(GRID)[0].any()


@pytest.mark.parametrize(("tz", "first"), [("UTC", 24), ("Europe/Berlin", 23), ("America/New_York", 29)])
def test_a_holiday_is_a_day_of_the_place_where_people_live(tz, first):
    (signal,) = Ahead(country="US", tz=tz).signals(GRID)
    assert np.flatnonzero(signal[0]).tolist()[:1] == [first]
    assert signal[0].sum() == DAY


def test_without_events_or_country_there_are_no_signals():
    assert Ahead().signals(GRID) == ()


def test_an_unknown_country_is_refused():
    with pytest.raises(UsageError, match="no holidays are known"):
        Ahead(country="XX").signals(GRID)


def test_a_table_of_events_is_read_with_and_without_resources_and_offsets():
    table = pl.DataFrame(
        {
            "start": ["2026-11-27T06:00:00Z", "2026-11-27T08:00:00+01:00"],
            "end": ["2026-11-27T09:00:00Z", "2026-11-27T10:00:00+01:00"],
            "name": ["sale", None],
            "resource_id": ["a", ""],
        }
    )
    first, second = events_of(table)
    assert (first.name, first.resource_id) == ("sale", "a")
    assert (second.name, second.resource_id) == ("", None)
    assert second.start == datetime(2026, 11, 27, 7, tzinfo=UTC)
    stamped = table.with_columns(pl.col("start", "end").str.to_datetime(time_zone="UTC")).drop("resource_id")
    assert events_of(stamped)[0].start == first.start


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": "27/11/2026"}, "row 1: '27/11/2026' in column start is no time"),
        ({"end": "2026-11-27T05:00:00Z"}, "row 1 ends before it begins"),
        ({"start": 5}, "column start holds no times"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_row(change, said):
    row = {"start": "2026-11-27T06:00:00Z", "end": "2026-11-27T09:00:00Z", "name": "sale", **change}
    with pytest.raises(SchemaError, match=said):
        events_of(pl.DataFrame([row]), where="events.csv")


def test_a_missing_column_is_named():
    with pytest.raises(SchemaError, match="no column end, name"):
        events_of(pl.DataFrame({"start": []}))
