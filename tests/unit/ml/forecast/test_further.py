"""Hours five to twenty-four, and what is known of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aws_auto.ml.forecast.ahead import Ahead, Event
from aws_auto.ml.forecast.effects import STEEPEST, Effects
from aws_auto.ml.forecast.further import FurtherPanel, fit_further
from aws_auto.ml.forecast.grid import DAY, HourGrid

START = datetime(2026, 3, 2, tzinfo=UTC)
HOURS = 24 * 42
MEDIAN = 5


def moment(hour):
    return START + timedelta(hours=hour)


#: Four hours of each, at different hours of the day.
EVENTS = tuple(
    Event(moment(24 * day + hour), moment(24 * day + hour + 4), "sale")
    for day, hour in zip((8, 12, 15, 19, 23, 26, 30, 34, 37, 40), (9, 14, 9, 3, 14, 20, 9, 14, 3, 9), strict=True)
)


def grid(*, more=0.0, times=1.0, events=EVENTS):
    """Two series with the rhythm of a day; in an event one is ``more`` higher and ``times`` as large."""
    rng = np.random.default_rng(3)
    wave = 100 * (1.5 + np.sin(np.arange(HOURS) / DAY * 2 * np.pi)) * rng.lognormal(0, 0.03, (2, HOURS))
    first = int(START.timestamp()) // 3600
    (marked,) = Ahead(events=events).signals(HourGrid(("a", "b"), first, wave))
    return HourGrid(("a", "b"), first, np.where(marked[:, :HOURS], times * wave + more, wave))


def effects(data, signals, *, moved=False):
    return Effects.of(data, signals, lags=range(DAY, 8 * DAY, DAY), moved=moved)


def median(data, events):
    """Said at the end of the data of the hours 5 to 24."""
    panel = FurtherPanel(data, Ahead(events=events).signals(data))
    model = fit_further(panel, floor=0.0)
    return model.quantiles(panel.design(np.array([HOURS - 1])))[:, 0, :, MEDIAN]


@pytest.mark.parametrize(("more", "sign"), [(300.0, 1), (-60.0, -1)])
def test_an_event_ten_hours_ahead_moves_its_hours_and_no_others(more, sign):
    data = grid(more=more)
    coming = Event(moment(HOURS + 9), moment(HOURS + 13), "sale")
    told, untold = median(data, (*EVENTS, coming)), median(data, EVENTS)
    moved = sign * (told - untold)
    its_hours = np.arange(5, 25)[None] - 10
    inside = np.broadcast_to((its_hours >= 0) & (its_hours < 4), moved.shape)
    assert (moved[inside] > 0.6 * abs(more)).all()
    np.testing.assert_array_equal(moved[~inside], 0.0)


def test_an_event_that_multiplies_is_as_large_as_its_hour():
    coming = Event(moment(HOURS + 5), moment(HOURS + 24), "sale")
    data = grid(times=3.0)
    told, untold = median(data, (*EVENTS, coming)), median(data, EVENTS)
    raised = (told / untold)[:, 1:]
    assert (raised > 1.8).all()
    assert (raised < 4.5).all()


def test_the_day_after_an_event_is_not_forecast_as_another_one():
    last = Event(moment(HOURS - 15), moment(HOURS - 11), "sale")
    data = grid(more=400.0, events=(*EVENTS, last))
    usual = 100 * (1.5 + np.sin(np.arange(HOURS + 4, HOURS + 24) / DAY * 2 * np.pi))
    error = np.abs(median(data, (*EVENTS, last)) - usual).max()
    assert error < 60
    assert error < np.abs(median(data, ()) - usual).max()


def test_without_anything_known_the_rules_are_those_of_the_calendar_alone():
    design = FurtherPanel(grid()).design(np.array([HOURS - 1]))
    assert design.marked is None
    assert not [name for name in design.points if "event" in name]


def test_an_announced_event_without_a_past_one_changes_nothing():
    coming = Event(moment(HOURS + 9), moment(HOURS + 13), "sale")
    later = Event(moment(HOURS + 900), moment(HOURS + 904), "sale")
    np.testing.assert_array_equal(median(grid(), (coming,)), median(grid(), (later,)))


@pytest.mark.parametrize("cut", [600, 801])
def test_an_effect_knows_nothing_after_its_origin(cut):
    data = grid(more=300.0)
    signals = Ahead(events=EVENTS).signals(data)
    short = HourGrid(data.resources, data.first, data.values[:, :cut])
    origins = np.full((2, 1), cut - 1)
    target = origins[..., None] + np.arange(5, 25)
    whole, part = (effects(one, signals, moved=True) for one in (data, short))
    np.testing.assert_array_equal(whole.usual(origins, target), part.usual(origins, target))
    np.testing.assert_array_equal(whole.added(origins, target), part.added(origins, target))
    np.testing.assert_array_equal(whole.factor(origins, target), part.factor(origins, target))


def test_of_an_event_on_a_holiday_the_event_counts():
    """Holidays did nothing so far; the sale of the day comes on one."""
    data = grid(more=300.0)
    (sales,) = Ahead(events=EVENTS).signals(data)
    origins = np.full((2, 1), 24 * 40 + 5)
    target = origins[..., None] + np.arange(5, 7)
    holidays = np.roll(sales, 24 * 2 + 6, axis=1)
    holidays[:, target[0, 0]] = True
    assert sales[:, target[0, 0]].all()
    assert (effects(data, (sales, holidays)).added(origins, target) > 200).all()
    assert (effects(data, (holidays, sales)).added(origins, target) < 100).all()


def test_a_factor_is_bounded_where_demand_was_almost_nothing():
    data = grid(more=1e6)
    said = effects(data, Ahead(events=EVENTS).signals(data))
    coming = np.full((2, 1, 1), 24 * 40 + 10)
    assert said.factor(np.full((2, 1), 24 * 40 + 5), coming).max() == STEEPEST
