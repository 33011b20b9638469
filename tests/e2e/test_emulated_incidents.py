"""A disk that fills up and a machine whose CPU is stolen: from an emulated CloudWatch to a named cause.

The metrics are those of the CloudWatch agent with the dimensions that its wizard configures. The emulator only keeps
them; what is shown is that they are asked for, become the vocabulary's columns and reach the root cause. Nothing here
was seen on AWS itself.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from aws_auto.pipeline.aws.session import Clients
from aws_auto.pipeline.aws.sources import open_source
from aws_auto.pipeline.collect import collect
from aws_auto.pipeline.detect import detect
from aws_auto.pipeline.ports import Window
from aws_auto.pipeline.process import process
from aws_auto.pipeline.train import train
from aws_auto.pipeline.workspace import open_workspace

pytestmark = pytest.mark.emulator

REGION = "ap-south-1"
STEP = timedelta(minutes=5)
DAYS = 11
FILLS, STEALS = "i-0f0f0f0f0f0f0f0f0", "i-0a0a0a0a0a0a0a0a0"
WIZARD = {"ImageId": "ami-1", "InstanceType": "m5.large", "AutoScalingGroupName": "web"}
#: The CPU is stolen from so many steps before the end to so many; the disk fills up over the last ones.
STOLEN, FILLING = (120, 96), 30


def mount(path, kind):
    return {"path": path, "device": f"dev{path.replace('/', '-')}", "fstype": kind}


def told(n):
    """By instance, namespace, metric and its dimensions: the values of the last ``n`` steps."""
    rng = np.random.default_rng(3)
    day = np.sin(2 * np.pi * np.arange(n) / 288)
    left = n - np.arange(n)
    climb = np.clip(FILLING - left, 0, None) / FILLING
    taken = (left <= STOLEN[0]) & (left > STOLEN[1])

    def usual(level, swing, noise):
        return level + swing * day + rng.normal(0, noise, n)

    for instance in (FILLS, STEALS):
        mine, agent = {"InstanceId": instance}, {"InstanceId": instance, **WIZARD}
        full = 45 * climb if instance == FILLS else 0
        stolen = 22 * taken if instance == STEALS else 0
        yield "AWS/EC2", "CPUUtilization", mine, usual(35, 10, 1)
        yield "AWS/EC2", "NetworkIn", mine, usual(5e6, 2e6, 1e5)
        yield "CWAgent", "mem_used_percent", agent, usual(55, 3, 0.5)
        yield "CWAgent", "disk_used_percent", {**agent, **mount("/", "xfs")}, usual(30, 0, 0.05)
        yield "CWAgent", "disk_used_percent", {**agent, **mount("/data", "ext4")}, usual(52, 1, 0.1) + full
        yield "CWAgent", "disk_used_percent", {**agent, **mount("/snap/core", "squashfs")}, np.full(n, 100.0)
        yield "CWAgent", "cpu_usage_steal", {**agent, "cpu": "cpu-total"}, np.abs(usual(0.3, 0, 0.1)) + stolen


@pytest.fixture(scope="module")
def found(emulated_aws, tmp_path_factory):
    ws = open_workspace(tmp_path_factory.mktemp("incidents") / "w", target="local", environ={})
    now = ws.clock.now()
    n = DAYS * 288
    last = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0) - 3 * STEP
    times = [last - (n - 1 - k) * STEP for k in range(n)]
    client = Clients(emulated_aws.environ(REGION)).client("cloudwatch")
    for namespace, metric, dimensions, values in told(n):
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        data = [
            {"MetricName": metric, "Dimensions": named, "Timestamp": t, "Value": float(v)}
            for t, v in zip(times, values, strict=True)
        ]
        for start in range(0, n, 1000):
            client.put_metric_data(Namespace=namespace, MetricData=data[start : start + 1000])
    source = open_source(
        "cloudwatch", environ=emulated_aws.environ(REGION), clock=ws.clock, rng=np.random.default_rng(0)
    )
    collect(ws, source, Window(times[0], now))
    past = process(ws, Window(times[0], last - timedelta(hours=14))).frame
    train(ws, ["anomaly-detector"], past)
    return detect(ws, Window(last - timedelta(hours=12), now))


def the_alarm(found, resource, metric):
    return next(i for i in found.incidents if (i.resource, i.metric) == (resource, metric))


def test_a_disk_that_fills_up_is_found_with_its_evidence(found):
    alarm = the_alarm(found, FILLS, "disk_utilization")
    match = alarm.cause.pattern_match
    assert (match.name, match.resource) == ("disk_full", FILLS)
    assert "disk use climbed" in match.speaks_for
    assert any("modify-volume" in action.command for action in alarm.cause.recommended_actions)


def test_stolen_cpu_is_a_noisy_neighbour_with_its_evidence(found):
    alarm = the_alarm(found, STEALS, "cpu_steal")
    match = alarm.cause.pattern_match
    assert (match.name, match.resource) == ("noisy_neighbour", STEALS)
    assert "CPU was stolen" in match.speaks_for
    assert any("stop-instances" in action.command for action in alarm.cause.recommended_actions)


def test_nothing_else_is_wrong(found):
    assert {(i.resource, i.metric) for i in found.told} == {(FILLS, "disk_utilization"), (STEALS, "cpu_steal")}
