from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from botocore.exceptions import ClientError

from aws_auto.errors import AwsCallError
from aws_auto.frame import MetricFrame
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.aws.cloudwatch import CloudWatchSource, derived
from aws_auto.pipeline.aws.session import Place
from aws_auto.pipeline.aws.vocabulary import TABLE
from aws_auto.pipeline.collect import collect
from aws_auto.pipeline.ports import Window
from fakes import NOW, FakeClients, FakeClock, memory_workspace

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
PLACE = Place(account="123456789012", region="eu-west-1")
DATABASE = "arn:aws:rds:eu-west-1:123456789012:db:orders"
BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c"


def listed(namespace, metric, **dimensions):
    return {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
    }


class CloudWatch:
    """Keeps to the documented limits of GetMetricData and refuses whoever does not.

    Every metric has one value in each five minutes: ``value(name, statistic, moment)``.
    """

    def __init__(self, metrics, value=lambda _name, _statistic, _moment: 1.0, *, page=100_800):
        self.metrics, self.value, self.page = metrics, value, page
        self.requests = []
        self.pages = 0

    def list_metrics(self, *, Namespace, NextToken="0"):
        mine = [m for m in self.metrics if m["Namespace"] == Namespace]
        start = int(NextToken)
        more = {"NextToken": str(start + 2)} if start + 2 < len(mine) else {}
        return {"Metrics": mine[start : start + 2], **more}

    def get_metric_data(self, *, MetricDataQueries, StartTime, EndTime, ScanBy, NextToken=None):
        self.pages += 1
        assert len(MetricDataQueries) <= 500
        periods = {q["MetricStat"]["Period"] for q in MetricDataQueries}
        (period,) = periods
        points = math.ceil((EndTime - StartTime).total_seconds() / period)
        assert points * len(MetricDataQueries) <= 100_800
        assert ScanBy == "TimestampAscending"
        if NextToken is None:
            self.requests.append((StartTime, EndTime, period, len(MetricDataQueries)))
        answers = [(q["Id"], *point) for q in MetricDataQueries for point in self._points(q, StartTime, EndTime)]
        start = int(NextToken or 0)
        part, rest = answers[start : start + self.page], answers[start + self.page :]
        unfinished = {name for name, *_ in rest}
        results = [
            {
                "Id": q["Id"],
                "StatusCode": "PartialData" if q["Id"] in unfinished else "Complete",
                "Timestamps": [t for name, t, _ in part if name == q["Id"]],
                "Values": [v for name, _, v in part if name == q["Id"]],
            }
            for q in MetricDataQueries
        ]
        return {"MetricDataResults": results, **({"NextToken": str(start + self.page)} if rest else {})}

    def _points(self, query, start, end):
        stat = query["MetricStat"]
        step = max(300, stat["Period"])
        epoch = datetime.fromtimestamp(0, tz=start.tzinfo)
        moment = epoch + math.ceil((start - epoch).total_seconds() / step) * timedelta(seconds=step)
        while moment < end:
            yield moment, self.value(stat["Metric"]["MetricName"], stat["Stat"], moment)
            moment += timedelta(seconds=step)


class NoResources:
    """Every discovery call finds nothing."""

    def __getattr__(self, name):
        return lambda **_: {}


def source_of(cloudwatch, *, clock=None, others=None, **options):
    clock = clock or FakeClock()
    services = dict.fromkeys(
        ("ec2", "autoscaling", "elb", "elbv2", "rds", "lambda", "ecs", "resourcegroupstaggingapi"), NoResources()
    )
    clients = FakeClients({**services, "cloudwatch": cloudwatch, **(others or {})})
    return CloudWatchSource(Caller(clients, clock, np.random.default_rng(0)), clock, PLACE, **options)


def metrics_of(source, window):
    return [b for b in source.pull(window) if b.dataset == "metrics"]


CPU = listed("AWS/EC2", "CPUUtilization", InstanceId="i-1")


def test_statistics_become_columns_of_the_vocabulary():
    values = {"Average": 10.0, "Maximum": 50.0, "p95": 40.0}
    source = source_of(CloudWatch([CPU], lambda _n, s, _t: values[s]))
    settled, _moving = metrics_of(source, Window(NOW - HOUR, NOW))
    row = settled.rows.row(0, named=True)
    assert (row["cpu_utilization"], row["cpu_utilization_max"], row["cpu_utilization_p95"]) == (10.0, 50.0, 40.0)
    assert MetricFrame.of(settled.rows).resources == ("i-1",)


def test_units_are_converted():
    metrics = [
        listed("AWS/RDS", "NetworkReceiveThroughput", DBInstanceIdentifier="orders"),
        listed("AWS/RDS", "NetworkTransmitThroughput", DBInstanceIdentifier="orders"),
        listed("AWS/ApplicationELB", "TargetResponseTime", LoadBalancer="app/shop/50dc6c"),
    ]
    values = {"NetworkReceiveThroughput": 2.0, "NetworkTransmitThroughput": 3.0, "TargetResponseTime": 0.25}
    source = source_of(CloudWatch(metrics, lambda n, _s, _t: values[n]))
    rows = metrics_of(source, Window(NOW - HOUR, NOW))[0].rows
    database = rows.filter(pl.col("resource_id") == DATABASE).row(0, named=True)
    assert (database["network_in"], database["network_out"], database["network_io"]) == (120.0, 180.0, 300.0)
    balancer = rows.filter(pl.col("resource_id") == BALANCER).row(0, named=True)
    assert (balancer["latency"], balancer["latency_p95"]) == (250.0, 250.0)
    assert balancer["network_io"] is None


def test_errors_of_target_and_balancer_are_added_and_a_silent_error_metric_is_zero():
    def balancer(name):
        return listed("AWS/ApplicationELB", name, LoadBalancer="app/shop/50dc6c")

    quiet = source_of(CloudWatch([balancer("RequestCount")], lambda *_: 200.0))
    row = metrics_of(quiet, Window(NOW - HOUR, NOW))[0].rows.row(0, named=True)
    assert (row["request_count"], row["error_count"], row["error_rate"]) == (200.0, 0.0, 0.0)

    values = {"RequestCount": 200.0, "HTTPCode_Target_5XX_Count": 6.0, "HTTPCode_ELB_5XX_Count": 4.0}
    loud = source_of(CloudWatch([balancer(n) for n in values], lambda n, _s, _t: values[n]))
    row = metrics_of(loud, Window(NOW - HOUR, NOW))[0].rows.row(0, named=True)
    assert (row["error_count"], row["error_rate"]) == (10.0, 5.0)


def test_no_requests_have_no_error_rate_and_more_errors_than_requests_are_all_errors():
    wide = pl.DataFrame({"request_count": [0.0, 2.0, None], "error_count": [None, 5.0, None]})
    out = derived(wide.cast(pl.Float64))
    assert out["error_rate"].to_list() == [None, 100.0, None]
    assert out["error_count"].to_list() == [0.0, 5.0, None]


def test_metrics_by_zone_or_target_group_are_not_counted_twice():
    extra = listed("AWS/ApplicationELB", "RequestCount", LoadBalancer="app/shop/50dc6c", AvailabilityZone="a")
    whole = listed("AWS/ApplicationELB", "RequestCount", LoadBalancer="app/shop/50dc6c")
    source = source_of(CloudWatch([extra, whole], lambda *_: 7.0))
    assert metrics_of(source, Window(NOW - HOUR, NOW))[0].rows["request_count"].to_list() == [7.0] * 10


def test_memory_of_the_agent_is_taken_once_from_its_smallest_set_of_dimensions():
    many = listed("CWAgent", "mem_used_percent", InstanceId="i-1", ImageId="ami", InstanceType="m5.large")
    few = listed("CWAgent", "mem_used_percent", InstanceId="i-1")
    for metrics in ([many, few], [few, many], [many]):
        source = source_of(CloudWatch(metrics, lambda *_: 30.0))
        assert metrics_of(source, Window(NOW - HOUR, NOW))[0].rows["memory_utilization"].to_list() == [30.0] * 10


def test_two_thousand_series_over_a_hundred_days_stay_within_the_limits_of_a_call():
    metrics = [listed("AWS/ECS", "CPUUtilization", ClusterName="c", ServiceName=f"s{i}") for i in range(1000)]
    source = source_of(CloudWatch(metrics), finest=3600)
    window = Window(NOW - 100 * DAY, NOW)
    asks = source._asks(window)
    for ask in asks:
        for call in ask.calls:
            assert len(call) <= 500
            assert len(call) * ask.span.points <= 100_800
    assert {len(a.queries) * a.span.points <= 1_000_000 for a in asks} == {True}
    estimate = source.estimate(window)
    assert estimate.calls == sum(len(a.calls) for a in asks)
    assert estimate.price_usd == pytest.approx(sum(len(a.queries) for a in asks) * 0.01 / 1000)


def test_the_estimate_is_what_the_pull_then_does():
    metrics = [listed("AWS/EC2", "CPUUtilization", InstanceId=f"i-{i}") for i in range(40)]
    cloudwatch = CloudWatch(metrics)
    source = source_of(cloudwatch)
    window = Window(NOW - 2 * DAY, NOW)
    estimate = source.estimate(window)
    assert cloudwatch.requests == []
    assert len(metrics_of(source, window)) >= 2
    assert len(cloudwatch.requests) == estimate.calls
    assert sum(count for *_, count in cloudwatch.requests) * 0.01 / 1000 == pytest.approx(estimate.price_usd)


def test_pages_with_partial_data_add_up_to_the_whole():
    def value(_name, _stat, moment):
        return float(moment.hour)

    metrics = [CPU, listed("AWS/EC2", "NetworkIn", InstanceId="i-1")]
    window = Window(NOW - DAY, NOW)
    whole = metrics_of(source_of(CloudWatch(metrics, value)), window)
    paged = CloudWatch(metrics, value, page=37)
    parts = metrics_of(source_of(paged), window)
    assert paged.pages > len(paged.requests)
    assert all(a.rows.equals(b.rows) for a, b in zip(whole, parts, strict=True))


@pytest.mark.parametrize("status", ["InternalError", "Forbidden", "PartialData"])
def test_an_answer_that_is_not_complete_is_refused_and_closes_nothing(status):
    class Broken(CloudWatch):
        def get_metric_data(self, **request):
            results = [
                {"Id": q["Id"], "StatusCode": status, "Messages": [{"Code": "Oops", "Value": "try later"}]}
                for q in request["MetricDataQueries"]
            ]
            return {"MetricDataResults": results}

    ws = memory_workspace()
    source = source_of(Broken([CPU]))
    with pytest.raises(AwsCallError, match=f"AWS/EC2 CPUUtilization Average of i-1 was not answered: {status}"):
        collect(ws, source, Window(NOW - HOUR, NOW))
    assert ws.lake.closed(source.scope) == []


def test_a_second_collect_asks_only_for_what_is_new():
    clock = FakeClock()
    ws = memory_workspace(clock)
    cloudwatch = CloudWatch([CPU])
    collect(ws, source_of(cloudwatch, clock=clock), Window(NOW - 20 * DAY, NOW))
    first = len(cloudwatch.requests)
    assert first > 0
    cloudwatch.requests.clear()
    clock.moment = NOW + HOUR
    collect(ws, source_of(cloudwatch, clock=clock), Window(NOW - 20 * DAY, clock.moment))
    assert cloudwatch.requests
    assert min(start for start, *_ in cloudwatch.requests) == NOW - timedelta(minutes=10)
    stamps = ws.lake.scan("metrics").collect()["timestamp"]
    assert stamps.n_unique() == len(stamps)
    newest = stamps.max()
    assert newest >= NOW + HOUR - timedelta(minutes=5)


def test_the_same_old_window_is_asked_once_even_when_it_starts_and_ends_between_periods():
    clock = FakeClock()
    ws = memory_workspace(clock)
    cloudwatch = CloudWatch([CPU])
    odd = Window(NOW - 100 * DAY + timedelta(minutes=7), NOW - 20 * DAY + timedelta(minutes=13))
    for _ in range(2):
        collect(ws, source_of(cloudwatch, clock=clock), odd)
    assert len({(start, end) for start, end, *_ in cloudwatch.requests}) == len(cloudwatch.requests)


def test_resources_that_are_gone_keep_their_rows_with_unknown_facts():
    class Ec2:
        def describe_instances(self, **_):
            instance = {
                "InstanceId": "i-1",
                "InstanceType": "m5.large",
                "InstanceLifecycle": "spot",
                "Placement": {"AvailabilityZone": "eu-west-1a"},
                "State": {"Name": "running"},
                "Tags": [{"Key": "team", "Value": "shop"}],
            }
            return {"Reservations": [{"Instances": [instance]}]}

    metrics = [CPU, listed("AWS/EC2", "CPUUtilization", InstanceId="i-gone")]
    source = source_of(CloudWatch(metrics), others={"ec2": Ec2()})
    facts, *_ = list(source.pull(Window(NOW - HOUR, NOW)))
    rows = {r["resource_id"]: r for r in metrics_of(source, Window(NOW - HOUR, NOW))[0].rows.to_dicts()}
    assert rows["i-1"]["instance_type"] == "m5.large"
    assert (rows["i-1"]["purchase_option"], rows["i-1"]["tag_team"]) == ("spot", "shop")
    assert rows["i-gone"]["resource_type"] == "ec2"
    assert (rows["i-gone"]["instance_type"], rows["i-gone"]["tag_team"]) == (None, None)
    assert (facts.dataset, facts.final) == ("resources", False)
    assert facts.rows["resource_id"].to_list() == ["i-1", "i-gone"]


def test_a_service_that_may_not_be_listed_is_named_and_does_not_stop_the_rest():
    class NotMine:
        def describe_db_instances(self, **_):
            answer = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(answer, "DescribeDBInstances")

    source = source_of(CloudWatch([CPU]), others={"rds": NotMine()})
    lines = source.estimate(Window(NOW - HOUR, NOW)).lines
    assert any("RDS" in line and "rds:DescribeDBInstances" in line for line in lines)
    assert metrics_of(source, Window(NOW - HOUR, NOW))[0].rows.height == 10


def test_nothing_listed_still_closes_the_window_without_a_paid_call():
    ws = memory_workspace()
    cloudwatch = CloudWatch([])
    source = source_of(cloudwatch)
    report = collect(ws, source, Window(NOW - DAY, NOW))
    assert report.estimate.price_usd == 0.0
    assert cloudwatch.requests == []
    assert ws.lake.closed(source.scope) == [Window(NOW - DAY, NOW - timedelta(minutes=10))]


def test_scope_tells_accounts_and_regions_apart():
    assert source_of(CloudWatch([])).scope == "cloudwatch:eu-west-1:123456789012"


def test_no_percentile_is_asked_where_only_statistic_sets_are_published():
    assert all("p95" not in line.statistics for line in TABLE if line.namespace == "AWS/ECS")
    assert all(line.statistics == ("Sum",) for line in TABLE if line.column in ("request_count", "error_count"))
