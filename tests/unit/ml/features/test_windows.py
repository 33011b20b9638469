from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.ml.features.assemble import evaluate
from aws_auto.ml.features.feature import Feature
from aws_auto.ml.features.windows import slope, window

START = datetime(2026, 1, 1, tzinfo=UTC)


def series(minutes: list[float], values: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "resource_id": ["a"] * len(minutes),
            "timestamp": [START + timedelta(minutes=m) for m in minutes],
            "x": pl.Series(values, dtype=pl.Float64),
        },
        schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
    )


def windowed(data: pl.DataFrame, statistic: str, hours: int = 1) -> list[float | None]:
    return data.select(window(pl.col("x"), statistic, hours))["x"].to_list()


def trend(data: pl.DataFrame, hours: int = 6) -> list[float | None]:
    return evaluate(data, slope("trend", "x", hours)).collect()["trend"].to_list()


def test_a_window_is_open_at_its_old_end_and_closed_at_the_present() -> None:
    assert windowed(series([0, 1, 60], [1, 2, 6]), "mean") == [1, 1.5, 4]


def test_a_gap_makes_a_window_hold_fewer_points_never_older_ones() -> None:
    assert windowed(series([0, 30, 600], [1, 3, 5]), "max") == [1, 3, 5]


def test_unknown_values_are_skipped_and_an_empty_window_is_unknown() -> None:
    data = series([0, 30, 45, 200], [None, 4, None, None])
    assert windowed(data, "mean") == [None, 4, 4, None]
    assert windowed(data, "p95") == [None, 4, 4, None]


def test_a_deviation_of_one_value_is_unknown() -> None:
    assert windowed(series([0, 30], [1, 3]), "std") == [None, pytest.approx(2**0.5)]


def test_the_95th_percentile_is_interpolated_linearly_as_pandas_does() -> None:
    assert windowed(series([0, 30], [1, 3]), "p95")[1] == pytest.approx(2.9)


def test_resources_do_not_share_a_window() -> None:
    data = pl.concat([series([0], [1]), series([1], [9]).with_columns(resource_id=pl.lit("b"))])
    assert windowed(data, "mean") == [1, 9]


def test_a_line_has_its_own_slope_per_hour_whatever_the_gaps() -> None:
    minutes = [0, 5, 65, 70, 340, 345]
    assert trend(series(minutes, [3 + 2 * m / 60 for m in minutes])) == [None, *[pytest.approx(2.0)] * 5]


def test_a_constant_has_exactly_no_slope() -> None:
    assert trend(series([0, 7, 11, 400], [3.3] * 4)) == [None, 0.0, 0.0, None]


def test_the_scale_multiplies_the_slope() -> None:
    data = series([0, 60], [0, 1])
    assert evaluate(data, slope("t", "x", 6, scale=24)).collect()["t"].to_list() == [None, pytest.approx(24)]


def test_points_too_close_for_a_float_have_no_slope() -> None:
    assert trend(series([0, 1e-6], [0, 1])) == [None, None]


@pytest.mark.parametrize(("level", "deviation"), [(50.0, 5.0), (1e6, 1e2), (1e10, 1e4)])
def test_three_years_of_five_minute_points_cost_the_slope_no_digits(level: float, deviation: float) -> None:
    rng = np.random.default_rng(0)
    n = 3 * 365 * 288
    values = level + rng.normal(0, deviation, n)
    times = int(START.timestamp()) * 1_000_000 + 300_000_000 * np.arange(n)
    data = pl.DataFrame({"resource_id": "a", "timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")), "x": values})
    got = evaluate(data, slope("trend", "x", 6)).collect()["trend"].to_numpy()
    hours = np.arange(72) / 12
    for end in range(n - 1, n - 3000, -101):
        last = values[end - 71 : end + 1]
        want = np.sum((hours - hours.mean()) * (last - last.mean())) / np.sum((hours - hours.mean()) ** 2)
        assert abs(got[end] - want) < 1e-8 * deviation


def test_a_declared_feature_says_what_it_misses() -> None:
    assert Feature("f", ("a", "b"), pl.col("a")).missing(["b"]) == ("a",)
