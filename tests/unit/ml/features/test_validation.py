from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.features.assemble import build
from aws_auto.ml.features.validation import FeatureValidator

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def frame() -> MetricFrame:
    hours = range(100)
    return MetricFrame.of(
        {
            "resource_id": ["a"] * 100,
            "timestamp": [START + timedelta(hours=h) for h in hours],
            "cpu_utilization": [float((h * 37) % 100) for h in hours],
            "instance_type": ["m5.large"] * 100,
        }
    )


def said(features: pl.DataFrame, **options: float) -> list[str]:
    return [str(problem) for problem in FeatureValidator(**options).validate(features)]


def test_our_own_features_are_valid(frame: MetricFrame) -> None:
    assert said(build(frame), completeness=0.0) == []


def test_missing_values_beyond_the_threshold_are_named() -> None:
    features = pl.DataFrame({"x": [1.0, None, 2.0, 3.0]})
    assert said(features) == ["x: 75.0% is known, 95.0% is wanted"]
    assert said(features, completeness=0.75) == []
    assert said(features.clear()) == ["x: has no rows"]


def test_values_outside_what_a_name_promises_are_counted() -> None:
    features = pl.DataFrame(
        {"hour_of_day": [0, 24], "is_new": [0, 2], "month_sin": [1.5, -2.0], "x_std_24h": [-1.0, 1.0]}
    )
    assert said(features) == [
        "hour_of_day: 1 values lie outside 0 to 23",
        "is_new: 1 values lie outside 0 to 1",
        "month_sin: 2 values lie outside -1 to 1",
        "x_std_24h: 1 values lie outside 0 to inf",
    ]


def test_values_that_are_not_finite_are_named() -> None:
    assert said(pl.DataFrame({"x": [1.0, float("inf")]})) == ["x: holds values that are not finite"]


def test_minimum_mean_and_maximum_must_stand_in_this_order() -> None:
    features = pl.DataFrame({"x_min_24h": [3.0], "x_mean_24h": [2.0], "x_max_24h": [1.0]})
    assert said(features) == ["x_mean_24h: is above x_max_24h in 1 rows", "x_min_24h: is above x_mean_24h in 1 rows"]


def test_our_own_features_do_not_look_ahead(frame: MetricFrame) -> None:
    for hour in (0, 7, 50, 99):
        assert not FeatureValidator().looks_ahead(frame, build, at=START + timedelta(hours=hour))


def test_a_feature_that_looks_ahead_is_caught(frame: MetricFrame) -> None:
    def centred(metrics: MetricFrame) -> pl.DataFrame:
        cpu = pl.col("cpu_utilization")
        return metrics.data.select("resource_id", "timestamp", honest=cpu, leaking=cpu - cpu.mean(), label=pl.len())

    found = FeatureValidator().looks_ahead(frame, centred, at=START + timedelta(hours=50))
    assert [problem.column for problem in found] == ["leaking", "label"]
    assert "2026-01-03T02:00Z" in found[0].message


def test_a_column_that_exists_only_with_the_future_is_caught(frame: MetricFrame) -> None:
    def fickle(metrics: MetricFrame) -> pl.DataFrame:
        extra = {"extra": pl.lit(1)} if len(metrics) > 60 else {}
        return metrics.data.select("resource_id", "timestamp", **extra)

    found = FeatureValidator().looks_ahead(frame, fickle, at=START + timedelta(hours=50))
    assert [problem.column for problem in found] == ["extra"]
