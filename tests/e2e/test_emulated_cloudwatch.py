"""Real CloudWatch series go into an emulated CloudWatch and come back through the source, over HTTP, by boto3.

What the emulator does not enforce (500 queries, 100 800 points, pages, throttling) is tested against a stand-in that
does, in tests/unit/pipeline/aws/test_cloudwatch.py. Nothing here was seen on AWS itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.pipeline.aws.session import Clients
from aws_auto.pipeline.aws.sources import NAMES, open_source
from aws_auto.pipeline.collect import collect
from aws_auto.pipeline.local.clock import SystemClock
from aws_auto.pipeline.local.lake import LocalLake
from aws_auto.pipeline.local.state import State
from aws_auto.pipeline.ports import Window
from fakes import memory_workspace

pytestmark = pytest.mark.emulator

NAB = Path(__file__).parents[2].parent / "shared" / "data" / "anomaly" / "nab.parquet"
PETSHOP = NAB.parents[1] / "rootcause" / "petshop" / "low_traffic" / "noissue" / "metrics.csv"
WEEK = timedelta(weeks=1)
#: PutMetricData takes points of the last two weeks; the emulator forgets older ones as well.
OLDEST = timedelta(days=13, hours=20)
PLACE = {"account": "000000000000", "region": "us-east-1"}
DATABASE = "arn:aws:rds:{region}:{account}:db:orders"
BALANCER = "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/shop/50dc6c495c0c9188"
FUNCTION = "arn:aws:lambda:{region}:{account}:function:checkout"
GROUP = "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/grok"


def clients_of(emulator, region="us-east-1"):
    return Clients(emulator.environ(region))


def put(client, namespace, metric, dimensions, points, unit="None"):
    """``points``: (time, value) pairs; PutMetricData takes a thousand a call."""
    data = [
        {
            "MetricName": metric,
            "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
            "Timestamp": moment,
            "Value": value,
            "Unit": unit,
        }
        for moment, value in points
    ]
    for start in range(0, len(data), 1000):
        client.put_metric_data(Namespace=namespace, MetricData=data[start : start + 1000])


def source_of(emulator, region="us-east-1"):
    return open_source(
        "cloudwatch", environ=emulator.environ(region), clock=SystemClock(), rng=np.random.default_rng(0)
    )


def shifted(series, now):
    """A NAB series moved by whole weeks to end within the last one, on whole minutes, without its doubles."""
    rows = (
        series.with_columns(pl.col("timestamp").dt.truncate("1m")).unique("timestamp", keep="first").sort("timestamp")
    )
    weeks = int((now - rows["timestamp"].max()) / WEEK)
    rows = rows.with_columns(pl.col("timestamp") + weeks * WEEK)
    return rows.filter(pl.col("timestamp") >= now - OLDEST)


@pytest.mark.shared
def test_the_series_of_nab_come_back_as_they_were_put_in_by_way_of_a_lake_on_disk(emulated_aws, tmp_path):
    if not NAB.exists():
        pytest.skip("the development data is not beside this checkout")
    names = {
        "ec2_cpu_utilization": ("AWS/EC2", "CPUUtilization", "InstanceId", "Percent", "cpu_utilization"),
        "ec2_disk_write_bytes": ("AWS/EC2", "DiskWriteBytes", "InstanceId", "Bytes", "disk_write_bytes"),
        "iio_us-east-1": ("AWS/EC2", "NetworkIn", "InstanceId", "Bytes", "network_in"),
        "rds_cpu_utilization": ("AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "Percent", "cpu_utilization"),
        "elb_request_count": ("AWS/ELB", "RequestCount", "LoadBalancerName", "Count", "request_count"),
        "grok_asg": ("AWS/EC2", "CPUUtilization", "AutoScalingGroupName", "Percent", "cpu_utilization"),
    }
    now = SystemClock().now()
    data = pl.read_parquet(NAB).filter(pl.col("series").str.starts_with("realAWSCloudwatch__"))
    client = clients_of(emulated_aws).client("cloudwatch")
    expected = []
    for (series,), rows in data.group_by("series"):
        short = series.removeprefix("realAWSCloudwatch__")
        namespace, metric, dimension, unit, column = next(v for k, v in names.items() if short.startswith(k))
        moved = shifted(rows, now)
        put(client, namespace, metric, {dimension: short}, moved.select("timestamp", "value").iter_rows(), unit)
        expected.append(moved.select(pl.lit(short).alias("name"), pl.lit(column).alias("column"), "timestamp", "value"))
    expected = pl.concat(expected)

    lake = LocalLake(tmp_path / "lake", State(tmp_path / "state.db"), SystemClock())
    ws = memory_workspace(SystemClock(), lake)
    report = collect(ws, source_of(emulated_aws), Window(now - timedelta(days=14), now))
    rows = ws.lake.scan("metrics").collect()
    frame = MetricFrame.of(rows)
    assert report.rows == len(frame) + len(ws.lake.scan("resources").collect())
    back = (
        rows.select("resource_name", "timestamp", *sorted(set(expected["column"])))
        .unpivot(index=["resource_name", "timestamp"], variable_name="column", value_name="value")
        .drop_nulls("value")
        .rename({"resource_name": "name"})
    )
    order = ["name", "column", "timestamp"]
    both = expected.join(back, on=order, how="full", suffix="_back", coalesce=True)
    assert len(expected) > 10_000
    assert both["value"].null_count() == 0
    assert both["value_back"].null_count() == 0
    assert both.select((pl.col("value") - pl.col("value_back")).abs().max()).item() <= 1e-9
    # One value a period: the peak is the mean.
    peaks = rows.drop_nulls("cpu_utilization_max")
    assert peaks["cpu_utilization_max"].equals(peaks["cpu_utilization"])


@pytest.mark.shared
def test_requests_and_latency_of_a_real_load_balancer_come_back(emulated_aws):
    # The half of NAB beside this checkout has no series of a load balancer; the AWS PetShop has three.
    if not PETSHOP.exists():
        pytest.skip("the development data is not beside this checkout")
    table = pl.read_csv(PETSHOP, has_header=False)
    names, metrics, statistics = (table.row(i) for i in range(3))
    node = "servi-petsi.us-west-2.elb.amazonaws.com_remote"
    requests, latency = (
        next(i for i, key in enumerate(zip(names, metrics, statistics, strict=True)) if key == (node, *wanted))
        for wanted in (("requests", "Sum"), ("latency", "Average"))
    )
    now = SystemClock().now()
    moments = [now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=60, minutes=-5 * i) for i in range(589)]
    body = table.slice(4).select(
        requests=pl.nth(requests).cast(pl.Float64),
        latency=pl.nth(latency).cast(pl.Float64),
        at=pl.Series(moments).dt.cast_time_unit("us"),
    )
    client = clients_of(emulated_aws, "us-east-2").client("cloudwatch")
    balancer = {"LoadBalancer": "app/shop/50dc6c495c0c9188"}
    for metric, column in (("RequestCount", "requests"), ("TargetResponseTime", "latency")):
        put(client, "AWS/ApplicationELB", metric, balancer, body.select("at", column).drop_nulls().iter_rows())
    ws = memory_workspace(SystemClock())
    collect(ws, source_of(emulated_aws, "us-east-2"), Window(moments[0], now))
    back = body.join(ws.lake.scan("metrics").collect(), left_on="at", right_on="timestamp", how="left", suffix="_ms")
    assert body["requests"].drop_nulls().len() > 500
    assert back["request_count"].equals(back["requests"])
    assert back.select((pl.col("latency_ms") - 1000 * pl.col("latency")).abs().max()).item() < 1e-6
    assert back["latency_ms"].null_count() == body["latency"].null_count()
    assert set(back.drop_nulls("request_count")["error_count"]) == {0.0}


def test_percentiles_peaks_counts_and_units_come_back_for_every_kind(emulated_aws):
    region = "eu-west-1"
    now = datetime.now(UTC)
    minute = now.replace(second=0, microsecond=0) - timedelta(hours=1)
    client = clients_of(emulated_aws, region).client("cloudwatch")
    seconds = [i / 1000 for i in range(1, 101)]
    put(client, "AWS/EC2", "CPUUtilization", {"InstanceId": "i-1"}, [(minute, 10.0), (minute, 30.0)])
    put(client, "AWS/EC2", "CPUUtilization", {"AutoScalingGroupName": "grok"}, [(minute, 55.0)])
    put(client, "AWS/AutoScaling", "GroupInServiceInstances", {"AutoScalingGroupName": "grok"}, [(minute, 4.0)])
    put(client, "AWS/RDS", "CPUUtilization", {"DBInstanceIdentifier": "orders"}, [(minute, 41.0)])
    put(client, "AWS/RDS", "NetworkReceiveThroughput", {"DBInstanceIdentifier": "orders"}, [(minute, 100.0)])
    balancer = {"LoadBalancer": "app/shop/50dc6c495c0c9188"}
    put(client, "AWS/ApplicationELB", "TargetResponseTime", balancer, [(minute, s) for s in seconds])
    put(client, "AWS/ApplicationELB", "RequestCount", balancer, [(minute, 60.0), (minute, 40.0)])
    put(client, "AWS/ApplicationELB", "RequestCount", {**balancer, "AvailabilityZone": "eu-west-1a"}, [(minute, 60.0)])
    put(client, "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", balancer, [(minute, 3.0)])
    put(client, "AWS/Lambda", "Duration", {"FunctionName": "checkout"}, [(minute, 12.0)])
    put(client, "AWS/Lambda", "Invocations", {"FunctionName": "checkout"}, [(minute, 1.0)] * 7)
    put(client, "AWS/ECS", "MemoryUtilization", {"ClusterName": "web", "ServiceName": "api"}, [(minute, 70.0)])
    put(client, "CWAgent", "mem_used_percent", {"InstanceId": "i-1", "ImageId": "ami-1"}, [(minute, 62.0)])
    for operation, count in (("GetItem", 3), ("Query", 2)):
        table = {"TableName": "orders", "Operation": operation}
        put(client, "AWS/DynamoDB", "SuccessfulRequestLatency", table, [(minute, 4.0)] * count)
        put(client, "AWS/DynamoDB", "ThrottledRequests", table, [(minute, 1.0)] * count)

    ws = memory_workspace(SystemClock())
    collect(ws, source_of(emulated_aws, region), Window(minute - timedelta(hours=1), now))
    rows = {r["resource_id"]: r for r in ws.lake.scan("metrics").collect().to_dicts()}
    here = {**PLACE, "region": region}
    assert rows["i-1"]["timestamp"] == minute
    assert (rows["i-1"]["cpu_utilization"], rows["i-1"]["cpu_utilization_max"]) == (20.0, 30.0)
    assert rows["i-1"]["cpu_utilization_p95"] == pytest.approx(29.0)
    assert rows["i-1"]["memory_utilization"] == 62.0
    group = rows[GROUP.format(**here)]
    assert (group["cpu_utilization"], group["instance_count"], group["resource_type"]) == (55.0, 4.0, "asg")
    database = rows[DATABASE.format(**here)]
    assert (database["cpu_utilization"], database["network_in"]) == (41.0, 6000.0)
    elb = rows[BALANCER.format(**here)]
    assert (elb["request_count"], elb["error_count"], elb["error_rate"]) == (100.0, 3.0, 3.0)
    assert (elb["latency"], elb["latency_max"]) == (pytest.approx(50.5), pytest.approx(100.0))
    assert elb["latency_p95"] == pytest.approx(95.05)
    function = rows[FUNCTION.format(**here)]
    assert (function["request_count"], function["error_count"], function["latency"]) == (7.0, 0.0, 12.0)
    table = rows[f"arn:aws:dynamodb:{region}:000000000000:table/orders"]
    assert (table["request_count"], table["throttle_count"], table["error_count"]) == (5.0, 5.0, 0.0)
    service = rows["arn:aws:ecs:eu-west-1:000000000000:service/web/api"]
    assert (service["memory_utilization"], service["resource_type"]) == (70.0, "ecs")


def test_a_second_run_asks_only_for_what_is_new_and_stores_nothing_twice(emulated_aws):
    region = "eu-central-1"
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    client = clients_of(emulated_aws, region).client("cloudwatch")
    points = [(now - timedelta(minutes=5 * i), float(i)) for i in range(1, 100)]
    put(client, "AWS/EC2", "CPUUtilization", {"InstanceId": "i-1"}, points)
    ws = memory_workspace(SystemClock())
    window = Window(now - timedelta(hours=12), now)
    first = collect(ws, source_of(emulated_aws, region), window)
    stored = ws.lake.scan("metrics").collect()
    again = collect(ws, source_of(emulated_aws, region), window)
    assert first.pulled == (window,)
    assert len(again.pulled) == 1
    assert again.pulled[0].length <= timedelta(minutes=12)
    assert again.skipped[0].start == window.start
    assert again.estimate.price_usd < first.estimate.price_usd
    assert ws.lake.scan("metrics").collect().sort("timestamp").equals(stored.sort("timestamp"))


def test_a_dry_run_tells_calls_and_price_and_stores_nothing(emulated_aws):
    now = datetime.now(UTC)
    client = clients_of(emulated_aws, "us-west-2").client("cloudwatch")
    put(client, "AWS/EC2", "CPUUtilization", {"InstanceId": "i-1"}, [(now - timedelta(hours=2), 1.0)])
    ws = memory_workspace(SystemClock())
    report = collect(ws, source_of(emulated_aws, "us-west-2"), Window(now - timedelta(days=30), now), dry_run=True)
    assert report.estimate.calls > 0
    assert report.estimate.price_usd > 0
    assert ws.lake.datasets() == {}


def test_every_word_of_data_source_opens_a_source_of_its_own_scope(emulated_aws):
    scopes = {
        name: open_source(
            name,
            environ=emulated_aws.environ("eu-west-2"),
            clock=SystemClock(),
            rng=np.random.default_rng(0),
            log_groups=["/app/shop"],
        ).scope
        for name in NAMES
    }
    assert scopes == {
        "cloudwatch": "cloudwatch:eu-west-2:000000000000",
        "cost-explorer": "cost-explorer:000000000000",
        "application-logs": "logs:eu-west-2:000000000000:/app/shop",
    }
