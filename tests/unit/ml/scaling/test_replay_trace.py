"""A recorded load becomes a regular one, or it is said why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import DataError, GapError, NotEnoughData
from aws_auto.ml.scaling.replay_trace import observed, trace

START = datetime(2026, 3, 1, tzinfo=UTC)
FIVE = timedelta(minutes=5)


def rows(values, *, every=FIVE, skip=(), shift=timedelta(0)):
    kept = [k for k in range(len(values)) if k not in skip]
    return pl.DataFrame(
        {"timestamp": [START + shift + every * k for k in kept], "load": [float(values[k]) for k in kept]},
        schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
    )


def test_a_regular_load_stays_as_it_is():
    found = trace(rows([1, 2, 3, 4]), name="x")
    assert found.values.tolist() == [1, 2, 3, 4]
    assert (found.start, found.period, found.length, found.notes) == (START, FIVE, FIVE * 4, ())


def test_values_off_the_grid_fall_into_their_step_and_doubles_are_averaged():
    shifted = pl.concat([rows([1, 2, 3], shift=timedelta(seconds=7)), rows([3], shift=timedelta(seconds=20))])
    assert trace(shifted, name="x").values.tolist() == [2, 2, 3]


def test_a_coarser_step_is_the_mean_of_its_values():
    assert trace(rows(range(24)), name="x", period=timedelta(hours=1)).values.tolist() == [5.5, 17.5]


def test_short_gaps_are_interpolated_and_said():
    found = trace(rows(range(100), skip=(40, 41)), name="x")
    assert found.values.tolist() == list(range(100))
    assert found.notes == ("2 of 100 steps had no value and were interpolated",)


def test_many_gaps_are_refused_with_their_number():
    with pytest.raises(GapError, match="10 of 100 steps of 0:05:00 have no value") as refused:
        trace(rows(range(100), skip=range(40, 50)), name="x")
    assert "--period 1h" in refused.value.hint


def test_a_value_that_is_none_counts_as_missing():
    holes = rows(range(100)).with_columns(
        pl.when(pl.col("load") == 50).then(float("nan")).otherwise(pl.col("load")).alias("load")
    )
    assert trace(holes, name="x").values[50] == 50


@pytest.mark.parametrize(
    ("table", "error", "said"),
    [
        (rows([1, 2]), NotEnoughData, "2 values are no history"),
        (rows([0, 0, 0]), DataError, "zero everywhere"),
        (rows([1, -1, 0]), DataError, "cannot be negative"),
        (rows([1, 2, 3], every=timedelta(0)), DataError, "one moment"),
        (rows([1, 2, 3], every=timedelta(days=1)), DataError, "one value every 1 day"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_reason(table, error, said):
    with pytest.raises(error, match=said):
        trace(table, name="x")


def test_what_an_instance_carries_and_costs_is_read_from_a_fleet_that_was_measured():
    n = 48
    table = pl.DataFrame(
        {
            "request_count": np.full(n, 600.0),
            "instance_count": np.full(n, 3.0),
            "cpu_utilization": np.full(n, 40.0),
            "hourly_cost": np.full(n, 0.3),
        }
    )
    capacity, price = observed(table, "request_count")
    assert capacity == pytest.approx(400.0)
    assert price == pytest.approx(0.1)
    assert observed(table.drop("hourly_cost"), "request_count") == (pytest.approx(400.0), None)
    assert observed(table.drop("cpu_utilization"), "request_count") == (None, None)
    assert observed(table.head(10), "request_count") == (None, None)
