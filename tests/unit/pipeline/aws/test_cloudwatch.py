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
from aws_auto.pipeline.aws.cloudwatch import CloudWatchSource
from aws_auto.pipeline.aws.columns import derived, shares
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


def test_the_operations_of_a_table_are_added_and_a_silent_throttle_metric_is_zero():
    def table(metric, operation):
        return listed("AWS/DynamoDB", metric, TableName="orders", Operation=operation)

    asked = [table("SuccessfulRequestLatency", "GetItem"), table("SuccessfulRequestLatency", "Query")]
    values = {"SuccessfulRequestLatency": 40.0, "ThrottledRequests": 3.0, "SystemErrors": 1.0, "Invocations": 9.0}
    function = listed("AWS/Lambda", "Invocations", FunctionName="checkout")

    def row(*metrics):
        source = source_of(CloudWatch([*metrics, function], lambda n, _s, _t: values[n]))
        rows = metrics_of(source, Window(NOW - HOUR, NOW))[0].rows
        assert rows.filter(pl.col("resource_type") == "lambda")["throttle_count"].null_count() == 10
        return rows.filter(pl.col("resource_type") == "dynamodb").row(0, named=True)

    quiet = row(*asked)
    assert quiet["resource_id"] == "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    assert (quiet["resource_name"], quiet["request_count"]) == ("orders", 80.0)
    assert (quiet["throttle_count"], quiet["error_count"]) == (0.0, 0.0)
    loud = row(*asked, table("ThrottledRequests", "Query"), table("SystemErrors", "Query"))
    assert (loud["throttle_count"], loud["error_count"], loud["error_rate"]) == (3.0, 1.0, 1.25)


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


def first(metrics, value=lambda *_: 30.0, **options):
    """The first row of the only resource."""
    return metrics_of(source_of(CloudWatch(metrics, value), **options), Window(NOW - HOUR, NOW))[0].rows.row(
        0, named=True
    )


def agent(metric, **dimensions):
    return listed("CWAgent", metric, InstanceId="i-1", **dimensions)


class Agent(CloudWatch):
    """Answers by a dimension of the metric, whatever its statistic."""

    def __init__(self, metrics, dimension, values):
        super().__init__(metrics)
        self.dimension, self.values, self.asked = dimension, values, []

    def _points(self, query, start, end):
        stat = query["MetricStat"]
        value = {d["Name"]: d["Value"] for d in stat["Metric"]["Dimensions"]}.get(self.dimension)
        self.asked.append((value, stat["Stat"]))
        return ((moment, self.values[value]) for moment, _ in super()._points(query, start, end))


def seen(metrics, dimension, values):
    """The first row, and by which values of the dimension and by which statistics it was asked for."""
    cloudwatch = Agent(metrics, dimension, values)
    row = metrics_of(source_of(cloudwatch), Window(NOW - HOUR, NOW))[0].rows.row(0, named=True)
    return row, set(cloudwatch.asked)


def test_the_fullest_mount_counts_and_what_is_always_full_does_not():
    mounts = {"/": ("xfs", 40.0), "/data": ("ext4", 91.0), "/snap/core": ("squashfs", 100.0), "/run": ("tmpfs", 99.0)}
    metrics = [
        agent("disk_used_percent", path=path, device="d", fstype=kind, **more)
        for path, (kind, _) in mounts.items()
        for more in ({}, {"ImageId": "ami", "InstanceType": "m5.large", "AutoScalingGroupName": "web"})
    ]
    row, asked = seen(metrics, "path", {path: value for path, (_, value) in mounts.items()})
    assert row["disk_utilization"] == 91.0
    assert asked == {("/", "Average"), ("/data", "Average")}


def test_of_mounts_that_are_published_together_only_the_maximum_is_asked_for_and_only_without_the_single_ones():
    together = agent("disk_used_percent")
    row, asked = seen([together], "path", {None: 88.0})
    assert row["disk_utilization_max"] == 88.0
    assert asked == {(None, "Maximum")}
    single = agent("disk_used_percent", path="/", fstype="xfs")
    row, asked = seen([together, single], "path", {None: 100.0, "/": 20.0})
    assert "disk_utilization_max" not in row
    assert row["disk_utilization"] == 20.0


def test_free_space_of_windows_drives_becomes_what_is_used_of_the_fullest():
    drives = {"C:": 60.0, "D:": 5.0, "_Total": 50.0, "HarddiskVolume1": 1.0}
    metrics = [agent("LogicalDisk % Free Space", instance=name, objectname="LogicalDisk") for name in drives]
    row, asked = seen(metrics, "instance", drives)
    assert row["disk_utilization"] == 95.0
    assert {name for name, _ in asked} == {"C:", "D:"}


def test_stolen_cpu_is_that_of_the_whole_machine_or_the_mean_of_its_cores():
    cores = {"cpu0": 10.0, "cpu1": 30.0}
    metrics = [agent("cpu_usage_steal", cpu=name) for name in cores]
    assert seen(metrics, "cpu", cores)[0]["cpu_steal"] == 20.0
    row, asked = seen([*metrics, agent("cpu_usage_steal")], "cpu", {None: 19.0})
    assert (row["cpu_steal"], asked) == (19.0, {(None, "Average")})
    row, asked = seen([*metrics, agent("cpu_usage_steal", cpu="cpu-total")], "cpu", {"cpu-total": 21.0})
    assert (row["cpu_steal"], asked) == (21.0, {("cpu-total", "Average")})


def test_a_machine_that_was_resized_keeps_what_it_published_under_its_former_type():
    kinds = {"m5.large": 40.0, "m5.xlarge": 20.0}
    metrics = [agent("swap_used_percent", InstanceType=kind) for kind in kinds]
    row, asked = seen(metrics, "InstanceType", kinds)
    assert {kind for kind, _ in asked} == set(kinds)
    assert row["swap_utilization"] == 40.0


def test_of_two_balances_of_a_disk_the_lower_one_counts():
    metrics = [listed("AWS/EC2", name, InstanceId="i-1") for name in ("EBSIOBalance%", "EBSByteBalance%")]
    metrics += [listed("AWS/EC2", name, InstanceId="i-1") for name in ("CPUCreditBalance", "CPUSurplusCreditBalance")]
    values = {"EBSIOBalance%": 97.0, "EBSByteBalance%": 3.0, "CPUCreditBalance": 288.0, "CPUSurplusCreditBalance": 0.0}
    row = first(metrics, lambda name, *_: values[name])
    assert (row["burst_balance"], row["cpu_credit_balance"], row["cpu_surplus_credits"]) == (3.0, 288.0, 0.0)


class Databases:
    def __init__(self, **facts):
        self.facts = facts

    def describe_db_instances(self, **_):
        return {"DBInstances": [{"DBInstanceIdentifier": "orders", **self.facts}]}


def database(**facts):
    metrics = [
        listed("AWS/RDS", name, DBInstanceIdentifier="orders")
        for name in ("CPUUtilization", "FreeStorageSpace", "FreeableMemory")
    ]
    values = {"CPUUtilization": 10.0, "FreeStorageSpace": 5 * 1024**3, "FreeableMemory": 2 * 1024**3}
    return first(metrics, lambda name, *_: values[name], others={"rds": Databases(**facts)})


def test_free_bytes_of_a_database_become_shares_of_what_it_has():
    row = database(DBInstanceClass="db.m5.large", AllocatedStorage=100)
    assert (row["disk_utilization"], row["memory_utilization"]) == (95.0, 75.0)
    assert row["allocated_storage_gib"] == "100"
    assert not {"free_storage_bytes", "free_memory_bytes"} & set(row)


def test_a_share_of_an_unknown_whole_is_unknown():
    row = database(DBInstanceClass="db.serverless")
    assert (row["disk_utilization"], row["memory_utilization"]) == (None, None)
    assert not {"free_storage_bytes", "free_memory_bytes"} & set(row)


def test_free_bytes_of_which_nothing_is_known_at_all_leave_an_empty_share():
    out = shares(pl.DataFrame({"free_storage_bytes": [1.0], "free_memory_bytes": [1.0]}))
    assert out.to_dicts() == [{"disk_utilization": None, "memory_utilization": None}]


def test_a_share_that_was_told_is_not_replaced():
    told = pl.DataFrame({"free_storage_bytes": [0.0], "disk_utilization": [50.0], "allocated_storage_gib": ["10"]})
    assert shares(told)["disk_utilization"].to_list() == [50.0]


class TwoMachines:
    def describe_instances(self, **_):
        found = [{"InstanceId": name, "State": {"Name": "running"}} for name in ("i-1", "i-2")]
        return {"Reservations": [{"Instances": found}]}


def test_what_no_agent_tells_is_said():
    def notes(metrics):
        ws = memory_workspace()
        return collect(ws, source_of(CloudWatch(metrics), others={"ec2": TwoMachines()}), Window(NOW - HOUR, NOW)).notes

    (said,) = notes([CPU, agent("mem_used_percent"), agent("disk_used_percent", path="/", fstype="xfs")])
    assert said.startswith(
        "of 2 EC2 instances memory is known of 1, disk fullness is known of 1, stolen CPU is known of 0:"
    )
    every = [
        listed("CWAgent", name, InstanceId=machine)
        for name in ("mem_used_percent", "disk_used_percent", "cpu_usage_steal")
        for machine in ("i-1", "i-2")
    ]
    assert notes(every) == ()


def test_the_estimate_says_what_each_namespace_costs():
    metrics = [CPU, agent("disk_used_percent", path="/", fstype="xfs"), agent("cpu_usage_steal", cpu="cpu-total")]
    (line, *_) = source_of(CloudWatch(metrics), finest=3600).estimate(Window(NOW - 3 * HOUR, NOW - HOUR)).lines
    assert line == "GetMetricData: 1 calls, 5 metrics (AWS/EC2 3, CWAgent 2) at 0.01 USD per 1,000: 0.0001 USD"


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
    counts = ("request_count", "error_count", "throttle_count")
    assert all(line.statistics in (("Sum",), ("SampleCount",)) for line in TABLE if line.column in counts)
