"""Readings of the monitor as CloudWatch metrics, against moto in this process: the panels ask for what is written.

moto keeps what it is given and checks little of it, so this shows that requests are well formed and that writer and
dashboard mean the same metrics, not that AWS agrees.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aws_auto.cli import monitoring
from aws_auto.errors import AwsCallError, CredentialsError, UsageError
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.aws.readings import PERMISSIONS, publish
from aws_auto.pipeline.aws.session import Clients
from aws_auto.pipeline.monitor import ModelHealth, MonitorReport
from aws_auto.pipeline.ports import Window
from aws_auto.pipeline.web.grafana import DIMENSION, NAMESPACE, dashboard
from aws_auto.pipeline.workspace import open_workspace, publish_readings
from fakes import FakeClients, FakeClock

REGION = "eu-west-1"
ENVIRON = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
NOW = datetime.now(UTC).replace(microsecond=0)
READINGS = {
    "data_drift_score": 0.25,
    "prediction_drift_score": 0.5,
    "prediction_accuracy": 0.875,
    "model_latency": 0.125,
}


def health(model, *, simulated=False, **readings):
    return ModelHealth(model=model, version=1, simulated=simulated, readings={**READINGS, **readings})


def report(*models):
    return MonitorReport(at=NOW, window=Window(NOW - timedelta(days=1), NOW), data=(), models=models)


@pytest.fixture
def ws(tmp_path):
    return open_workspace(tmp_path / "w", target="aws", environ=ENVIRON)


@pytest.fixture
def cloudwatch():
    moto = pytest.importorskip("moto")
    with moto.mock_aws():
        yield Clients(ENVIRON).client("cloudwatch")


def drawn(cloudwatch, target):
    """The value that a panel's query finds."""
    (point,) = cloudwatch.get_metric_statistics(
        Namespace=target["namespace"],
        MetricName=target["metricName"],
        Dimensions=[{"Name": name, "Value": value} for name, (value,) in target["dimensions"].items()],
        StartTime=NOW - timedelta(minutes=5),
        EndTime=NOW + timedelta(minutes=5),
        Period=600,
        Statistics=[target["statistic"]],
    )["Datapoints"]
    return point[target["statistic"]]


def test_every_panel_draws_what_was_written(ws, cloudwatch):
    done = publish_readings(ws, report(health("demand"), health("cost", data_drift_score=0.75)), environ=ENVIRON)
    assert (done.metrics, done.usd_a_month, done.simulated) == (8, pytest.approx(2.4), ())
    panels = dashboard(["demand", "cost"])["panels"]
    found = {(t["metricName"], t["label"]): drawn(cloudwatch, t) for p in panels for t in p["targets"]}
    assert found == {
        (name, model): 0.75 if (name, model) == ("data_drift_score", "cost") else value
        for name, value in READINGS.items()
        for model in ("demand", "cost")
    }


def test_what_is_unknown_and_what_is_simulated_is_not_written(ws, cloudwatch):
    quiet = health("demand", model_latency=None, prediction_accuracy=None)
    done = publish_readings(ws, report(quiet, health("sample", simulated=True)), environ=ENVIRON)
    assert (done.metrics, done.simulated) == (2, ("sample",))
    there = cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert {(m["MetricName"], m["Dimensions"][0]["Value"]) for m in there} == {
        ("data_drift_score", "demand"),
        ("prediction_drift_score", "demand"),
    }
    assert publish_readings(ws, report(health("sample", simulated=True)), environ=ENVIRON).metrics == 0


def test_a_local_target_writes_nothing_to_aws(tmp_path):
    local = open_workspace(tmp_path / "w", target="local", environ={})
    with pytest.raises(UsageError, match="only where the target is AWS") as caught:
        publish_readings(local, report(health("demand")), environ=ENVIRON)
    assert "--target aws" in caught.value.hint


def test_without_credentials_it_is_said(ws):
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        publish_readings(
            ws, report(health("demand")), environ={"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nowhere"}
        )


def test_a_call_takes_a_thousand_metrics_and_latency_is_told_in_seconds():
    class CloudWatch:
        def __init__(self):
            self.asked = []

        def put_metric_data(self, **request):
            self.asked.append(request)
            return {}

    fake = CloudWatch()
    caller = Caller(FakeClients({"cloudwatch": fake}), FakeClock(), np.random.default_rng(0))
    many = {f"m{n}": READINGS for n in range(251)}
    assert publish(caller, many, at=NOW, namespace=NAMESPACE, dimension=DIMENSION) == 1004
    assert [len(r["MetricData"]) for r in fake.asked] == [1000, 4]
    assert {r["Namespace"] for r in fake.asked} == {NAMESPACE}
    units = {d["MetricName"]: d["Unit"] for d in fake.asked[1]["MetricData"]}
    assert (units["model_latency"], units["prediction_accuracy"]) == ("Seconds", "None")
    assert PERMISSIONS == ("cloudwatch:PutMetricData",)


def told(ws, found, capsys, monkeypatch):
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    monitoring.tell(ws, found, channels=[], dashboard=None, publish=True)
    return capsys.readouterr().err


@pytest.mark.usefixtures("cloudwatch")
def test_who_publishes_is_told_what_it_costs(ws, capsys, monkeypatch):
    said = told(ws, report(health("demand"), health("sample", simulated=True)), capsys, monkeypatch)
    assert "simulated, so not written: sample" in said
    assert "4 readings written" in said
    assert "1.20 USD a month" in said


@pytest.mark.usefixtures("cloudwatch")
def test_a_refusal_is_raised_after_everything_else_was_told(ws, capsys, monkeypatch):
    nameless = replace(health("demand"), model="")
    with pytest.raises(AwsCallError):
        told(ws, report(nameless), capsys, monkeypatch)
