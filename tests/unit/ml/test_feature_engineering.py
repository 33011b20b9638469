from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
import pytest

from aws_auto.errors import SchemaError, UsageError
from aws_auto.frame import MetricFrame
from aws_auto.ml.feature_engineering import AdvancedFeatureEngineering, cost_features

START = datetime(2026, 7, 3, tzinfo=UTC)  # a Friday; the Fourth of July falls on the Saturday


def hourly(hours: int = 48, **columns: object) -> dict[str, list]:
    """One series as the specification's examples have it: a timestamp, metrics, no resource."""
    return {
        "timestamp": [START + timedelta(hours=h) for h in range(hours)],
        "cpu_utilization": [float(h) for h in range(hours)],
        "memory_utilization": [50.0] * hours,
        **columns,
    }


@pytest.fixture
def door() -> AdvancedFeatureEngineering:
    return AdvancedFeatureEngineering()


def test_the_door_has_the_three_attributes_of_the_specification(door: AdvancedFeatureEngineering) -> None:
    assert type(door.feature_selector).__name__ == "AutoFeatureSelector"
    assert type(door.feature_transformer).__name__ == "FeatureTransformer"
    assert type(door.feature_validator).__name__ == "FeatureValidator"


def test_time_features_carry_the_specifications_names(door: AdvancedFeatureEngineering) -> None:
    features = door.create_time_features(pd.DataFrame(hourly()))
    assert set(features) == {
        "hour_of_day",
        "day_of_week",
        "month",
        "quarter",
        "is_weekend",
        "is_business_hour",
        "days_since_epoch",
        "week_of_year",
        "month_of_year",
        "is_holiday",
        "hour_of_day_sin",
        "hour_of_day_cos",
        "day_of_week_sin",
        "day_of_week_cos",
        "month_sin",
        "month_cos",
    }


def test_time_features_equal_the_specifications_pandas_expressions(door: AdvancedFeatureEngineering) -> None:
    data = pd.DataFrame({"timestamp": pd.date_range("2024-12-28", periods=400, freq="7h")})
    features = door.create_time_features(data)
    clock = data.timestamp.dt
    assert features["hour_of_day"].tolist() == clock.hour.tolist()
    assert features["day_of_week"].tolist() == clock.day_of_week.tolist()
    assert features["month"].tolist() == clock.month.tolist()
    assert features["quarter"].tolist() == clock.quarter.tolist()
    assert features["is_weekend"].tolist() == (clock.day_of_week >= 5).astype(int).tolist()
    business = (clock.hour >= 9) & (clock.hour <= 17) & (clock.day_of_week < 5)
    assert features["is_business_hour"].tolist() == business.astype(int).tolist()
    assert features["days_since_epoch"].tolist() == (data.timestamp - pd.Timestamp("1970-01-01")).dt.days.tolist()
    assert features["week_of_year"].tolist() == clock.isocalendar().week.tolist()
    assert features["month_cos"].iloc[0] == pytest.approx(math.cos(2 * math.pi * 12 / 12))


def test_usage_features_equal_the_specifications_rolling_24_on_complete_hourly_data(
    door: AdvancedFeatureEngineering,
) -> None:
    data = pd.DataFrame(hourly(72, network_io=[float((7 * h) % 11) for h in range(72)]))
    features = door.create_usage_pattern_features(data)
    for metric in ("cpu_utilization", "memory_utilization", "network_io"):
        window = data[metric].rolling(24)
        for name, want in {
            "mean_24h": window.mean(),
            "std_24h": window.std(),
            "min_24h": window.min(),
            "max_24h": window.max(),
            "percentile_95_24h": window.quantile(0.95),
            "volatility_24h": window.std() / window.mean(),
        }.items():
            assert features[f"{metric}_{name}"][23:].tolist() == pytest.approx(want[23:].tolist()), (metric, name)
    assert features["cpu_utilization_trend_6h"][1:].tolist() == pytest.approx([1.0] * 71)
    assert features["cpu_memory_ratio"][10] == 10 / (50 + 1e-6)
    assert features["resource_efficiency"][10] == 30


def test_everything_together_is_the_union_of_the_six_steps(door: AdvancedFeatureEngineering) -> None:
    data = hourly(network_io=[1.0] * 48, hourly_cost=[0.5] * 48, request_count=[10.0] * 48, active_users=[3.0] * 48)
    steps = (
        door.create_time_features,
        door.create_usage_pattern_features,
        door.create_cost_efficiency_features,
        door.create_utilization_features,
        door.create_lag_features,
        door.create_rolling_statistics,
    )
    union: dict[str, pl.Series] = {}
    for step in steps:
        union.update(step(data))
    together = door.engineer_cost_optimization_features(data)
    assert set(together) == set(union)
    assert all(together[name].equals(union[name]) for name in union)


def test_pandas_rows_keep_their_order_index_and_duplicates(door: AdvancedFeatureEngineering) -> None:
    data = pd.DataFrame(
        {
            "resource_id": ["b", "a", "b", "b"],
            "timestamp": pd.to_datetime(
                ["2026-07-03 01:00", "2026-07-03 00:00", "2026-07-03 00:00", "2026-07-03 01:00"]
            ),
            "cpu_utilization": [10.0, 5.0, 4.0, 30.0],
        },
        index=[7, 3, 9, 1],
    )
    features = door.create_usage_pattern_features(data)
    mean = features["cpu_utilization_mean_24h"]
    assert isinstance(mean, pd.Series)
    assert mean.index.tolist() == [7, 3, 9, 1]
    assert mean.tolist() == [12.0, 5.0, 4.0, 12.0]


def test_polars_rows_give_polars_series(door: AdvancedFeatureEngineering) -> None:
    data = pl.DataFrame(hourly(4)).reverse()
    lag = door.create_lag_features(data)["cpu_utilization_lag_1h"]
    assert isinstance(lag, pl.Series)
    assert lag.to_list() == [2.0, 1.0, 0.0, None]
    assert door.create_lag_features(data.lazy())["cpu_utilization_lag_1h"].equals(lag)


def test_a_metric_frame_is_taken_as_it_is(door: AdvancedFeatureEngineering) -> None:
    frame = MetricFrame.of({"resource_id": ["a"] * 4, **hourly(4)})
    assert door.create_lag_features(frame)["cpu_utilization_lag_1h"].to_list() == [None, 0.0, 1.0, 2.0]


def test_a_missing_metric_makes_its_features_unavailable_and_says_why(door: AdvancedFeatureEngineering) -> None:
    data = hourly(3)
    del data["memory_utilization"]
    features = door.create_usage_pattern_features(data)
    assert "cpu_utilization_mean_24h" in features
    assert "cpu_memory_ratio" not in features
    assert features.unavailable["cpu_memory_ratio"] == "needs memory_utilization"
    assert features.unavailable["network_io_trend_6h"] == "needs network_io"


def test_data_without_any_needed_metric_are_refused_with_what_is_there(door: AdvancedFeatureEngineering) -> None:
    with pytest.raises(SchemaError, match=r"hourly_cost.* is there; there: timestamp, cpu_utilization, memory_util"):
        door.create_cost_efficiency_features(hourly(3))


def test_a_missing_timestamp_is_refused_with_what_is_there(door: AdvancedFeatureEngineering) -> None:
    with pytest.raises(SchemaError, match="timestamp missing; there: cpu_utilization"):
        door.create_time_features({"cpu_utilization": [1.0]})


def test_what_is_no_table_is_refused(door: AdvancedFeatureEngineering) -> None:
    with pytest.raises(SchemaError, match="got list"):
        door.create_time_features([1, 2])


def test_columns_that_no_feature_reads_may_hold_anything(door: AdvancedFeatureEngineering) -> None:
    data = pd.DataFrame(hourly(2, note=[{"a": 1}, object()]))
    assert len(door.create_time_features(data)["hour_of_day"]) == 2


def test_no_rows_give_empty_features(door: AdvancedFeatureEngineering) -> None:
    features = door.engineer_cost_optimization_features(pl.DataFrame(hourly(1)).clear())
    assert all(len(column) == 0 for column in features.values())
    assert "cpu_utilization_trend_6h" in features


def test_the_four_lists_are_the_specifications() -> None:
    assert list(cost_features) == ["temporal_features", "usage_features", "cost_features", "infrastructure_features"]
    assert cost_features["cost_features"][-1] == "cost_efficiency_score"


def test_every_listed_feature_is_delivered_in_the_order_of_the_lists(door: AdvancedFeatureEngineering) -> None:
    data = hourly(
        network_io=[1.0] * 48,
        storage_io=[1.0] * 48,
        request_count=[10.0] * 48,
        error_rate=[0.1] * 48,
        hourly_cost=[0.5] * 48,
        active_users=[3.0] * 48,
        instance_type=["m5.large"] * 48,
        availability_zone=["eu-west-1a"] * 48,
        region=["eu-west-1"] * 48,
        purchase_option=["spot"] * 48,
    )
    features = door.create_listed_features(data)
    assert list(features) == [name for names in cost_features.values() for name in names]
    assert not features.unavailable
    for name, names in cost_features.items():
        assert list(door.create_listed_features(data, name)) == names


def test_a_list_delivers_only_what_is_there_and_names_the_rest(door: AdvancedFeatureEngineering) -> None:
    features = door.create_listed_features(hourly(2), "usage_features")
    assert list(features) == ["cpu_utilization_avg", "memory_utilization_avg"]
    assert set(features.unavailable) == {"network_io_avg", "storage_io_avg", "request_count", "error_rate"}


def test_an_unknown_list_is_refused_with_the_known_ones(door: AdvancedFeatureEngineering) -> None:
    with pytest.raises(UsageError) as refused:
        door.create_listed_features(hourly(2), "usage")
    assert "usage_features" in (refused.value.hint or "")


def test_holidays_follow_the_country_and_the_local_date() -> None:
    data = {"timestamp": ["2026-07-04T12:00Z", "2026-10-02T22:30Z", "2026-10-03T22:30Z"]}
    assert AdvancedFeatureEngineering().create_time_features(data)["is_holiday"].to_list() == [1, 0, 0]
    german = AdvancedFeatureEngineering(tz="Europe/Berlin", country="DE")
    assert german.create_time_features(data)["is_holiday"].to_list() == [0, 1, 0]


def test_infrastructure_features_are_text_and_flags(door: AdvancedFeatureEngineering) -> None:
    data = pd.DataFrame(hourly(2, instance_type=["m5.large", None], purchase_option=["spot", "on-demand"]))
    features = door.create_infrastructure_features(data)
    assert features["instance_family"].tolist()[0] == "m5"
    assert features["spot_vs_ondemand"].tolist() == [1, 0]


def test_an_unknown_time_zone_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="not a time zone"):
        AdvancedFeatureEngineering(tz="Mars/Olympus")


def test_the_trend_of_a_bare_series_takes_its_values_as_hourly(door: AdvancedFeatureEngineering) -> None:
    values = pd.Series([1.0, 3.0, 5.0, 5.0, 5.0], name="cpu", index=list("abcde"))
    trend = door.calculate_trend(values, window=3)
    assert isinstance(trend, pd.Series)
    assert trend.name == "cpu"
    assert trend.index.tolist() == list("abcde")
    assert math.isnan(trend.iloc[0])
    assert trend.tolist()[1:] == pytest.approx([2.0, 2.0, 1.0, 0.0])


def test_the_trend_uses_a_time_index_or_timestamps_where_there_are_any(door: AdvancedFeatureEngineering) -> None:
    times = pd.to_datetime(["2026-07-03 00:00", "2026-07-03 00:30", "2026-07-03 08:00"])
    by_index = door.calculate_trend(pd.Series([0.0, 1.0, 9.0], index=times))
    assert by_index.tolist()[1] == pytest.approx(2.0)
    assert math.isnan(by_index.iloc[2])
    for given in (times, times.to_series(), times.tolist(), pl.Series(times.to_numpy())):
        assert door.calculate_trend(pl.Series([0.0, 1.0, 9.0]), timestamps=given).to_list() == [
            None,
            pytest.approx(2.0),
            None,
        ]


def test_the_trend_of_a_plain_list_is_a_polars_series(door: AdvancedFeatureEngineering) -> None:
    assert door.calculate_trend([2, None, 4]).to_list() == [None, None, pytest.approx(1.0)]


@pytest.mark.parametrize("window", [0, -1, 1.5])
def test_a_trend_over_no_whole_number_of_hours_is_refused(door: AdvancedFeatureEngineering, window: float) -> None:
    with pytest.raises(UsageError, match="positive whole number"):
        door.calculate_trend([1.0], window=window)


def test_a_trend_with_too_few_timestamps_is_refused(door: AdvancedFeatureEngineering) -> None:
    with pytest.raises(SchemaError, match="2 values have 1 timestamps"):
        door.calculate_trend([1.0, 2.0], timestamps=[START])
