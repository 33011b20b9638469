from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aws_auto.ml.anomaly.root_cause.axis import Axis
from aws_auto.ml.anomaly.root_cause.measure import evidence, pearson, whole
from aws_auto.ml.anomaly.root_cause.trace import noise, row_median, row_spread, trace


def test_the_row_median_leaves_out_what_was_not_seen():
    values = np.array([[1.0, np.nan, 3.0, 2.0], [np.nan] * 4, [5.0, np.nan, np.nan, 6.0]])
    found = row_median(values)
    assert found[[0, 2]].tolist() == [2.0, 5.5]
    assert np.isnan(found[1])


def test_the_spread_is_that_of_a_normal_sample():
    sample = np.random.default_rng(0).normal(3, 2, (1, 20_000))
    assert row_spread(sample)[0] == pytest.approx(2, rel=0.03)


def test_the_spread_of_a_machine_that_works_a_fifth_of_the_time_is_not_zero():
    values = np.tile(np.repeat([0.0, 80.0], [80, 20]), 10)[None]
    assert row_spread(values)[0] > 40


def test_pearson_agrees_with_numpy_over_the_points_both_have():
    rng = np.random.default_rng(1)
    row, other = rng.normal(size=50), rng.normal(size=50)
    row[::7] = np.nan
    both = np.isfinite(row)
    assert pearson(row[None], other)[0] == pytest.approx(np.corrcoef(row[both], other[both])[0, 1])


def test_a_constant_correlates_with_nothing_and_three_points_are_too_few():
    other = np.arange(6.0)
    assert pearson(np.ones((1, 6)), other)[0] == 0.0
    assert np.isnan(pearson(np.array([[1.0, 2.0, 3.0, np.nan, np.nan, np.nan]]), other)[0])


def test_with_four_days_of_past_the_daily_peak_is_no_surprise():
    per_day = 96
    day = 50 + 40 * np.sin(np.arange(5 * per_day) * 2 * np.pi / per_day)
    noise = np.random.default_rng(2).normal(0, 1, day.size)
    axis = Axis(0, 900, 4 * per_day + 20, 4 * per_day + 28)
    values = (day + noise)[None, : axis.end]
    traced = trace("r", ["cpu_utilization"], values, axis, calm=np.zeros(8, dtype=bool))
    (usual,) = evidence(traced, whole(axis), axis)
    values = values.copy()
    values[0, axis.start :] += 15
    traced = trace("r", ["cpu_utilization"], values, axis, calm=np.zeros(8, dtype=bool))
    (unusual,) = evidence(traced, whole(axis), axis)
    assert usual.strength < 0.1 < unusual.strength
    assert unusual.change == pytest.approx(15, abs=2)


def test_a_steady_climb_has_trend_one_and_a_step_none():
    axis = Axis(0, 300, 100, 112)
    values = 50 + np.random.default_rng(3).normal(0, 0.5, (2, 112))
    values[0, 100:] += np.linspace(0, 40, 12)
    values[1, 100:] += 40
    traced = trace("r", ["memory_utilization", "cpu_utilization"], values, axis, calm=np.zeros(12, dtype=bool))
    climb, step = evidence(traced, whole(axis), axis)
    assert climb.trend > 0.95
    assert abs(step.trend) < 0.6
    assert step.onset == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=100 * 300)


def test_noise_needs_points_and_at_level_zero_it_is_absolute():
    rng = np.random.default_rng(4)
    values = np.stack([100 + rng.normal(0, 5, 200), np.zeros(200), np.full(200, np.nan)])
    found = noise(values, ["latency", "error_rate", "network_in"])
    assert set(found) == {"latency", "error_rate"}
    assert found["latency"].at(200.0) == pytest.approx(10, rel=0.25)
    assert found["latency"].at(0.0) == pytest.approx(5, rel=0.25)
    assert found["error_rate"].at(3.0) == 0.0
