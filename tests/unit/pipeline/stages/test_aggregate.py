"""Aggregate: each column by its own statistic, buckets of UTC, partial ones marked."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import UsageError
from aws_auto.frame import Metric
from aws_auto.pipeline.stages.aggregate import PARTIAL, aggregate

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rows(n, *, minutes=15, resource="i-1", start=START, **columns):
    times = [start + timedelta(minutes=minutes * k) for k in range(n)]
    return pl.DataFrame({"resource_id": [resource] * n, "timestamp": times, **columns})


def one(period=HOUR, **columns):
    (n,) = {len(v) for v in columns.values()}
    return aggregate(rows(n, **columns), period=period).rows.row(0, named=True)


def test_every_statistic_is_aggregated_as_what_it_is():
    row = one(
        cpu_utilization=[10.0, 20.0, 30.0, 40.0],
        cpu_utilization_max=[15.0, 90.0, 35.0, 45.0],
        cpu_utilization_min=[5.0, 2.0, 3.0, 4.0],
        network_in_sum=[1.0, 2.0, 3.0, 4.0],
        request_count=[100.0, 200.0, 300.0, 400.0],
        throttle_count=[0.0, 5.0, 0.0, 1.0],
        instance_count=[2.0, 2.0, 4.0, 4.0],
        hourly_cost=[0.1, 0.1, 0.3, 0.3],
    )
    assert row["cpu_utilization"] == 25.0
    assert row["cpu_utilization_max"] == 90.0
    assert row["cpu_utilization_min"] == 2.0
    assert row["network_in_sum"] == 10.0
    assert row["request_count"] == 1000.0
    assert row["throttle_count"] == 6.0
    assert row["instance_count"] == 3.0
    assert row["hourly_cost"] == pytest.approx(0.2)


def test_the_maximum_of_percentiles_is_named_as_the_bound_that_it_is():
    out, _, report = aggregate(rows(4, latency_p95=[1.0, 7.0, 2.0, 3.0], latency_p50=[1.0] * 4), period=HOUR)
    assert out.columns == ["resource_id", "timestamp", "latency_p95_max", PARTIAL]
    assert out["latency_p95_max"].to_list() == [7.0]
    assert Metric.named("latency_p95_max").unit == "Milliseconds"
    assert "upper bound" in report.finding("percentile-bound").text
    assert "latency_p50" in report.finding("median-dropped").text


def test_the_error_rate_of_an_hour_is_its_errors_over_its_requests():
    row = one(request_count=[900.0, 100.0], error_count=[0.0, 50.0], error_rate=[0.0, 50.0])
    assert row["error_rate"] == pytest.approx(5.0)


def test_rates_and_latencies_without_counts_are_weighted_by_requests_where_there_are_any():
    assert one(request_count=[900.0, 100.0], latency=[10.0, 110.0])["latency"] == pytest.approx(20.0)
    assert one(request_count=[900.0, 100.0], error_rate=[0.0, 50.0])["error_rate"] == pytest.approx(5.0)
    assert one(latency=[10.0, 110.0])["latency"] == pytest.approx(60.0)
    assert one(request_count=[0.0, 0.0], latency=[10.0, 110.0])["latency"] == pytest.approx(60.0)


def test_what_was_not_measured_in_a_bucket_stays_unknown_and_is_not_zero():
    row = one(request_count=[None, None], cpu_utilization=[1.0, None], network_in_sum=[None, None])
    assert (row["request_count"], row["network_in_sum"], row["cpu_utilization"]) == (None, None, 1.0)


def test_buckets_start_on_whole_hours_of_utc():
    out = aggregate(rows(6, start=START + timedelta(minutes=45), cpu_utilization=[1.0] * 6), period=HOUR).rows
    assert out["timestamp"].to_list() == [START, START + HOUR, START + 2 * HOUR]


def test_days_are_days_of_utc():
    out = aggregate(rows(48, minutes=60, cpu_utilization=[1.0] * 48), period=timedelta(days=1)).rows
    assert out["timestamp"].to_list() == [START, START + timedelta(days=1)]


def test_a_bucket_with_missing_points_is_marked_partial_and_its_sum_is_not_scaled():
    given = rows(12, request_count=[10.0] * 12).with_row_index().filter(~pl.col("index").is_in([5, 6])).drop("index")
    out, _, report = aggregate(given, period=HOUR)
    assert out[PARTIAL].to_list() == [False, True, False]
    assert out["request_count"].to_list() == [40.0, 20.0, 40.0]
    assert report.finding("partial").count == 1


def test_empty_buckets_are_not_made():
    given = pl.concat([rows(4, cpu_utilization=[1.0] * 4), rows(4, start=START + 5 * HOUR, cpu_utilization=[1.0] * 4)])
    assert len(aggregate(given, period=HOUR).rows) == 2


def test_a_bucket_that_is_not_over_is_left_out_and_counted():
    given = rows(6, cpu_utilization=[1.0] * 6)
    out, _, report = aggregate(given, period=HOUR, now=START + timedelta(minutes=90))
    assert len(out) == 1
    assert report.finding("open-buckets").count == 1
    assert len(aggregate(given, period=HOUR, now=START + 2 * HOUR).rows) == 2


def test_statics_take_the_last_value_and_a_change_is_reported():
    given = rows(4, cpu_utilization=[1.0] * 4, instance_type=["m5.large", "m5.large", "m5.xlarge", None])
    out, _, report = aggregate(given, period=HOUR)
    assert out["instance_type"].to_list() == ["m5.xlarge"]
    assert report.finding("static-changed").text.startswith("instance_type changed")


def test_each_resource_keeps_its_own_pace():
    given = pl.concat(
        [
            rows(12, minutes=5, resource="fast", cpu_utilization=[1.0] * 12),
            rows(3, minutes=60, resource="slow", cpu_utilization=[1.0] * 3),
        ]
    )
    out = aggregate(given, period=HOUR).rows
    assert out.group_by("resource_id").len().sort("resource_id")["len"].to_list() == [1, 3]
    assert not out[PARTIAL].any()


def test_the_order_of_rows_does_not_matter():
    given = rows(8, cpu_utilization=[float(k) for k in range(8)])
    assert aggregate(given.reverse(), period=HOUR).rows.equals(aggregate(given, period=HOUR).rows)


@pytest.mark.parametrize(
    "period", [timedelta(minutes=7), timedelta(0), timedelta(milliseconds=500), timedelta(hours=36)]
)
def test_a_period_that_does_not_fit_the_day_is_refused(period):
    with pytest.raises(UsageError, match="does not fit the day"):
        aggregate(rows(2, cpu_utilization=[1.0, 2.0]), period=period)
