from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml.forecast.grid import (
    MOST_HOURS,
    STEPS,
    HourGrid,
    columns_at,
    gridded,
    hours_of,
    starts,
    step_name,
    trailing_mean,
    usual_gaps,
)

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday


def table(values, minutes=5, resource="a", metric="request_count"):
    times = [START + timedelta(minutes=minutes * i) for i in range(len(values))]
    return MetricFrame.of(pl.DataFrame({"resource_id": resource, "timestamp": times, metric: values})).data


def test_counts_are_summed_and_levels_averaged():
    data = table([2.0] * 24)
    assert gridded(data, "request_count", "sum").values.tolist() == [[24.0, 24.0]]
    assert gridded(data, "request_count", "mean").values.tolist() == [[2.0, 2.0]]


def test_an_hour_with_missing_points_keeps_its_size():
    values = [2.0] * 24
    values[3] = values[7] = None
    assert gridded(table(values), "request_count", "sum").values.tolist() == [[24.0, 24.0]]


def test_an_hour_with_fewer_than_half_of_its_points_is_unknown():
    values = [2.0] * 36
    values[12:20] = [None] * 8
    assert np.isnan(gridded(table(values), "request_count", "sum").values[0, 1])


def test_a_gap_shifts_nothing():
    data = table([1.0, 2.0, 3.0, 4.0], minutes=60)
    grid = gridded(data.filter(pl.col("request_count") != 2), "request_count", "sum")
    assert grid.at(np.array([0, 2, 3, 99])).tolist()[0][:3] == [1.0, 3.0, 4.0]
    assert np.isnan(grid.at(np.array([1, 99]))).all()


def test_hours_and_days_are_those_of_the_calendar():
    grid = gridded(table([1.0] * 48, minutes=60), "request_count", "sum")
    assert grid.time(0) == START
    assert grid.hour_of_day(np.array([0, 25])).tolist() == [0, 1]
    assert grid.day_of_week(np.array([0, 25])).tolist() == [0, 1]


def test_one_stray_timestamp_does_not_make_the_grid_decades_wide():
    stray = pl.DataFrame({"resource_id": "a", "timestamp": [datetime(1990, 1, 1, tzinfo=UTC)], "request_count": 1.0})
    data = MetricFrame.of(pl.concat([stray, table([1.0] * 5, minutes=60)], how="vertical_relaxed")).data
    assert gridded(data, "request_count", "sum").hours <= MOST_HOURS


def test_a_missing_or_empty_metric_is_said():
    with pytest.raises(SchemaError, match="no column 'latency'"):
        gridded(table([1.0]), "latency", "mean")
    with pytest.raises(NotEnoughData, match="holds no value"):
        gridded(table([None, None]), "request_count", "mean")


def test_the_last_seen_column_is_found_and_none_is_minus_one():
    grid = HourGrid(("a", "b"), 0, np.array([[1.0, 2.0, np.nan], [np.nan] * 3]))
    assert grid.last_seen().tolist() == [1, -1]


def test_the_trailing_mean_agrees_with_a_plain_loop():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 40))
    values[rng.random(values.shape) < 0.3] = np.nan
    fast = trailing_mean(values, 6, 3)
    for r in range(3):
        for t in range(40):
            seen = [v for v in values[r, max(t - 5, 0) : t + 1] if np.isfinite(v)]
            if len(seen) < 3:
                assert np.isnan(fast[r, t])
            else:
                assert fast[r, t] == pytest.approx(np.mean(seen))


@pytest.mark.parametrize("step", STEPS)
def test_the_column_of_a_moment_begins_at_or_before_it_and_ends_after_it(step):
    seconds = np.arange(0, 60 * 86_400, 5_000)
    begins = starts(columns_at(seconds, step), step) // 1_000_000
    assert (begins <= seconds).all()
    assert (begins + 3600 * step > seconds).all()
    assert hours_of(step_name(3, step)) == 3 * step


def test_weeks_begin_on_mondays_and_days_at_midnight():
    table_of_days = table([1.0] * 15, minutes=1440)
    weeks = gridded(table_of_days, "request_count", "sum", step=168)
    assert weeks.time(0) == START
    assert weeks.values.tolist() == [[7.0, 7.0]]
    days = gridded(table_of_days, "request_count", "sum", step=24)
    assert days.time(0) == START
    assert days.day_of_week(np.arange(8)).tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert days.hour_of_day(np.arange(2)).tolist() == [0, 0]


def test_a_series_of_which_two_thirds_are_missing_keeps_the_period_that_it_is_sampled_with():
    values = [1.0 if i % 10 in {0, 1, 4, 7} else None for i in range(100)]
    assert usual_gaps(table(values, minutes=60), "request_count") == {"a": 3600.0}
    assert usual_gaps(table([1.0], minutes=60), "request_count") == {}


def aged(metric):
    """Ten days by the hour, then ten by five minutes and ten by the minute, as CloudWatch keeps them: one a minute."""
    parts = []
    for first, minutes in ((0, 60), (10, 5), (20, 1)):
        times = [START + timedelta(days=first, minutes=minutes * i) for i in range(10 * 1440 // minutes)]
        parts.append(pl.DataFrame({"resource_id": "a", "timestamp": times, metric: float(minutes)}))
    return MetricFrame.of(pl.concat(parts)).data


@pytest.mark.parametrize(("step", "most_unknown"), [(1, 24), (24, 1)])
def test_points_that_became_coarser_with_age_are_not_lost(step, most_unknown):
    counts = gridded(aged("request_count"), "request_count", "sum", step=step).values[0]
    assert len(counts) == 30 * 24 // step
    assert np.isnan(counts).sum() <= most_unknown
    np.testing.assert_allclose(counts[np.isfinite(counts)], 60 * step)


def test_a_metric_of_which_no_hour_has_half_of_its_points_is_said():
    values = [1.0, 1.0, *[None] * 300, 1.0, 1.0]
    with pytest.raises(NotEnoughData, match="no hour has half of its points"):
        gridded(table(values), "request_count", "sum")
