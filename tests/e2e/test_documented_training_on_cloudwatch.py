"""The documented training line, word for word, against an emulated CloudWatch with a fortnight of an estate in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import boto3
import numpy as np
import pytest

pytestmark = pytest.mark.emulator

LINE = "ml train-models --models cost-optimizer,anomaly-detector --data-source cloudwatch --training-schedule weekly"
REGION = "sa-east-1"
#: The emulator forgets points older than fourteen days.
DAYS = 13


@pytest.fixture(scope="module")
def estate(emulated_aws):
    """Three instances, five-minute CPU with a daily cycle."""
    environ = emulated_aws.environ(REGION)

    def client(service):
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=emulated_aws.url,
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        )

    made = client("ec2").run_instances(ImageId="ami-12345678", MinCount=3, MaxCount=3, InstanceType="m5.large")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    now -= timedelta(minutes=now.minute % 5)
    times = [now - timedelta(minutes=5 * k) for k in range(1, 288 * DAYS)]
    cloudwatch = client("cloudwatch")
    for number, instance in enumerate(made["Instances"]):
        rng = np.random.default_rng(number)
        wave = 40 + 20 * np.sin(np.arange(len(times)) * 2 * np.pi / 288) + rng.normal(0, 2, len(times))
        data = [
            {
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": "InstanceId", "Value": instance["InstanceId"]}],
                "Timestamp": moment,
                "Value": float(value),
                "Unit": "Percent",
            }
            for moment, value in zip(times, wave, strict=True)
        ]
        for start in range(0, len(data), 1000):
            cloudwatch.put_metric_data(Namespace="AWS/EC2", MetricData=data[start : start + 1000])
    return environ


def run(home, environ, *words, code=0):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "aws_auto", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**kept, **environ, "HOME": str(home)},
    )
    assert done.returncode == code, done.stderr
    return done


def test_the_documented_line_trains_on_cloudwatch_and_says_the_price_before(estate, tmp_path):
    shown = run(tmp_path, estate, *LINE.split(), "--dry-run")
    assert "cloudwatch: " in shown.stderr
    assert "USD" in shown.stderr
    assert "nothing was trained" in shown.stderr
    done = run(tmp_path, estate, *LINE.split(), code=3)
    assert "target: aws (AWS credentials were found" in done.stderr
    # Prices are known for us-east-1 only, so no cost can be learned elsewhere: said, and the other model is trained.
    assert "error: cost-optimizer: " in done.stderr
    assert "anomaly-detector v1" in done.stdout
    assert "simulated" not in done.stderr
    models = json.loads(run(tmp_path, estate, "ml", "models", "--json").stdout)["versions"]
    assert [m["name"] for m in models] == ["anomaly-detector"]
    assert models[0]["report"]["lineage"]["resources"] == 3
    assert models[0]["report"]["lineage"]["simulated"] is False


def test_a_second_run_pulls_only_what_is_new(estate, tmp_path):
    run(tmp_path, estate, "ml", "collect", "--data-source", "cloudwatch", "--window", "13d")
    (again,) = json.loads(
        run(tmp_path, estate, "ml", "collect", "--data-source", "cloudwatch", "--window", "13d", "--json").stdout
    )
    assert again["skipped"] >= 1
    assert again["rows"] < 3 * 10
