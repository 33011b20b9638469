from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.ml.drift.test import BlockDriftTest

START = datetime(2026, 1, 5, tzinfo=UTC)


def hours(n, first=0, **columns):
    times = [START + timedelta(hours=first + k) for k in range(n)]
    return pl.DataFrame({"timestamp": times, **columns}).with_columns(pl.col("timestamp").dt.cast_time_unit("us"))


def seasonal(rng, n, first=0):
    k = np.arange(first, first + n)
    return 50 + 20 * np.sin(2 * np.pi * k / 24) + 10 * (k // 24 % 7 >= 5) + rng.normal(0, 3, n)


def column(report):
    (only,) = report.columns
    return only


@pytest.fixture
def history():
    rng = np.random.default_rng(3)
    x = seasonal(rng, 24 * 66)
    return hours(24 * 56, x=x[: 24 * 56]), hours(24 * 10, 24 * 56, x=x[24 * 56 :])


def test_a_week_like_the_others_is_no_drift(history):
    reference, current = history
    assert not column(BlockDriftTest(least=100).compare(reference, current.head(24 * 7))).drifted


def test_a_shifted_level_is_drift(history):
    reference, current = history
    moved = current.head(24 * 7).with_columns(pl.col("x") + 8)
    found = column(BlockDriftTest(least=100).compare(reference, moved))
    assert found.drifted
    assert found.distance > found.threshold


def test_the_time_of_day_of_the_window_does_not_matter():
    rng = np.random.default_rng(5)
    reference = hours(24 * 56, x=seasonal(rng, 24 * 56))
    night = hours(6, 24 * 56, x=seasonal(rng, 6, 24 * 56))
    assert not column(BlockDriftTest(least=6).compare(reference, night)).drifted


def test_one_drifting_column_does_not_need_the_others():
    rng = np.random.default_rng(1)
    reference = pl.DataFrame({f"c{k}": rng.normal(size=4000) for k in range(10)})
    current = pl.DataFrame({f"c{k}": rng.normal(0.8 * (k == 4), 1, 400) for k in range(10)})
    report = BlockDriftTest().compare(reference, current)
    assert [c.column for c in report.columns if c.drifted] == ["c4"]
    assert report.score == 0.1


def test_a_tiny_unit_hides_nothing():
    rng = np.random.default_rng(1)
    reference = pl.DataFrame({"usd_per_request": rng.normal(1e-5, 1e-6, 4000)})
    current = pl.DataFrame({"usd_per_request": rng.normal(1.5e-5, 1e-6, 400)})
    assert column(BlockDriftTest().compare(reference, current)).drifted


def test_categories_drift_by_their_shares():
    rng = np.random.default_rng(1)
    reference = pl.DataFrame({"zone": rng.choice(["a", "b", "c"], 4000)})
    same = pl.DataFrame({"zone": rng.choice(["a", "b", "c"], 400)})
    lost = pl.DataFrame({"zone": rng.choice(["a", "b"], 400)})
    assert not column(BlockDriftTest().compare(reference, same)).drifted
    assert column(BlockDriftTest().compare(reference, lost)).drifted


def test_a_constant_that_moved_is_drift():
    reference = pl.DataFrame({"x": [5.0] * 4000})
    assert column(BlockDriftTest().compare(reference, pl.DataFrame({"x": [6.0] * 400}))).drifted
    assert not column(BlockDriftTest().compare(reference, pl.DataFrame({"x": [5.0] * 400}))).drifted


def test_each_resource_is_compared_with_itself():
    rng = np.random.default_rng(2)
    big, small = rng.normal(1e6, 1e4, 3000), rng.normal(10, 1, 3000)
    reference = pl.DataFrame({"resource_id": ["big", "small"] * 3000, "x": np.ravel([big, small], order="F")})
    only_small = pl.DataFrame({"resource_id": ["small"] * 400, "x": rng.normal(10, 1, 400)})
    assert not column(BlockDriftTest().compare(reference, only_small)).drifted


@pytest.mark.parametrize("n", [0, 10])
def test_too_few_values_are_not_judged_and_the_reason_is_given(n):
    reference = pl.DataFrame({"x": np.arange(4000.0)})
    report = BlockDriftTest().compare(reference, pl.DataFrame({"x": np.arange(float(n))}))
    assert report.columns == ()
    assert f"{n} current" in report.not_judged["x"]


def test_resources_that_the_reference_does_not_know_are_not_judged():
    reference = pl.DataFrame({"resource_id": ["a"] * 900, "x": np.arange(900.0)})
    report = BlockDriftTest().compare(reference, reference.with_columns(resource_id=pl.lit("b")))
    assert report.not_judged == {"x": "the reference does not know the current resources"}


def test_a_short_reference_falls_back_and_says_so():
    rng = np.random.default_rng(2)
    reference, current = pl.DataFrame({"x": rng.normal(size=900)}), pl.DataFrame({"x": rng.normal(1, 1, 900)})
    found = column(BlockDriftTest().compare(reference, current))
    assert found.drifted
    assert "effective sample size" in found.note


def test_nulls_are_not_values():
    x = pl.Series(np.random.default_rng(2).normal(size=4400))
    holes = x.scatter(list(range(0, 4400, 3)), None)
    report = BlockDriftTest().compare(pl.DataFrame({"x": holes[:4000]}), pl.DataFrame({"x": holes[4000:]}))
    assert column(report).n_reference == 4000 - len(range(0, 4000, 3))
