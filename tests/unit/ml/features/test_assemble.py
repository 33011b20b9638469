from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aws_auto.errors import SchemaError, UsageError
from aws_auto.frame import MetricFrame
from aws_auto.ml.features import assemble
from aws_auto.ml.features.assemble import build, build_batches, build_cost_features, compute
from aws_auto.ml.features.feature_set import GROUPS, FeatureSet

START = datetime(2026, 1, 1, tzinfo=UTC)


def rows(*resources: str, hours: int = 30, **columns: object) -> dict[str, list]:
    n = len(resources) * hours
    return {
        "resource_id": [resource for resource in resources for _ in range(hours)],
        "timestamp": [START + timedelta(hours=h) for _ in resources for h in range(hours)],
        "cpu_utilization": [float(i % 17) for i in range(n)],
        **{name: value if isinstance(value, list) else [value] * n for name, value in columns.items()},
    }


def test_keys_come_first_and_rows_keep_the_order_of_the_frame() -> None:
    frame = MetricFrame.of(rows("b", "a"))
    built = build(frame)
    assert built.columns[:2] == ["resource_id", "timestamp"]
    assert built.select("resource_id", "timestamp").equals(frame.data.select("resource_id", "timestamp"))


def test_only_the_groups_asked_for_are_built() -> None:
    built = build(MetricFrame.of(rows("a")), groups=("lag",), metrics=("cpu_utilization", "cpu_utilization"))
    assert built.columns[2:] == ["cpu_utilization_lag_1h", "cpu_utilization_lag_24h", "cpu_utilization_lag_7d"]


def test_any_metric_can_be_followed() -> None:
    built = build(MetricFrame.of(rows("a", queue_depth=3.0)), groups=("usage", "rolling"), metrics=["queue_depth"])
    assert {"queue_depth_mean_24h", "queue_depth_trend_6h", "queue_depth_zscore_7d"} <= set(built.columns)
    assert "cpu_utilization_mean_24h" not in built.columns


def test_a_metric_asked_for_by_name_must_be_there_and_be_a_number() -> None:
    frame = MetricFrame.of(rows("a", region="eu-west-1"))
    with pytest.raises(SchemaError, match=r"memory missing; there: resource_id, timestamp, cpu_utilization, region"):
        build(frame, metrics=["memory"])
    with pytest.raises(SchemaError, match="region: holds String, not numbers"):
        build(frame, metrics=["region"])


def test_an_unknown_group_is_refused_with_the_near_one() -> None:
    with pytest.raises(UsageError, match="'lags' is no kind of feature") as refused:
        FeatureSet(groups=("lags",))
    assert refused.value.hint == "did you mean 'lag'?"
    with pytest.raises(UsageError) as refused:
        FeatureSet(groups=("%",))
    assert refused.value.hint == f"use some of {', '.join(GROUPS)}"


def test_holidays_are_looked_up_only_when_the_calendar_is_wanted() -> None:
    frame = MetricFrame.of(rows("a"))
    build(frame, groups=("lag",), country="??")
    with pytest.raises(UsageError, match="country"):
        build(frame, groups=("time",), country="??")


def test_a_frame_with_no_rows_gives_the_same_columns() -> None:
    frame = MetricFrame.of(rows("a", hourly_cost=1.0, request_count=1.0))
    empty = build(MetricFrame(frame.data.clear()))
    assert empty.schema == build(frame).schema
    assert empty.is_empty()


def test_building_in_buckets_changes_nothing() -> None:
    frame = MetricFrame.of(rows("a", "b", "c", "d"))
    slices = list(assemble._whole_resources(frame.data, rows=65))
    assert [part["resource_id"].unique().sort().to_list() for part in slices] == [["a", "b"], ["c", "d"]]
    assert_frame_equal(pl.concat(assemble.kernel(part) for part in slices), compute(frame))


def test_batches_of_an_untidy_scan_hold_what_build_gives() -> None:
    data = pl.DataFrame(rows("b", "a", "c", hourly_cost=0.3, comment="unused"))
    untidy = pl.concat([data, data[:5]]).sample(fraction=1, shuffle=True, seed=3)
    batches = list(build_batches(untidy.lazy(), rows=35))
    assert [batch["resource_id"].unique().to_list() for batch in batches] == [["a"], ["b"], ["c"]]
    assert_frame_equal(pl.concat(batches), build(MetricFrame.of(data)))


def test_a_scan_without_keys_is_refused_with_what_is_there() -> None:
    with pytest.raises(SchemaError, match="resource_id missing; there: timestamp, cpu_utilization"):
        next(build_batches(pl.LazyFrame(rows("a")).drop("resource_id")))


def test_an_infinite_value_reads_as_unknown() -> None:
    frame = MetricFrame.of(rows("a", hours=3, memory_utilization=[1.0, float("inf"), 3.0]))
    assert build(frame)["memory_utilization_mean_24h"].to_list() == [1.0, 1.0, 2.0]


def test_unavailable_features_are_named_with_what_they_need() -> None:
    missing = FeatureSet(groups=("cost",)).unavailable(["resource_id", "timestamp", "hourly_cost", "cpu_utilization"])
    assert missing == {"cost_per_request": "needs request_count", "cost_per_user": "needs active_users"}


def test_the_listed_features_are_built_as_a_table() -> None:
    frame = MetricFrame.of(rows("a", hourly_cost=0.3, instance_type="db.m5.large"))
    assert build_cost_features(frame, "cost_features", "infrastructure_features").columns == [
        "resource_id",
        "timestamp",
        "hourly_cost",
        "daily_cost_trend",
        "cost_efficiency_score",
        "instance_type",
        "instance_family",
    ]
    assert "is_holiday" in build_cost_features(frame).columns
