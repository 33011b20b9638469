"""The shipped IAM policies allow what the code declares that it calls, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aws_auto.pipeline.aws import cloudwatch, cost_explorer, discovery, logs, prices, readings, s3, session, xray
from aws_auto.pipeline.web.grafana import NAMESPACE

IAM = Path(__file__).parents[4] / "templates" / "iam"
READING = (cloudwatch, cost_explorer, discovery, logs, prices, s3, session, xray)


def statements(name):
    policy = json.loads((IAM / f"{name}.json").read_text())
    assert policy["Version"] == "2012-10-17"
    return policy["Statement"]


@pytest.mark.parametrize(("name", "modules"), [("read", READING), ("publish-readings", (readings,))])
def test_a_policy_allows_what_is_declared_and_nothing_else(name, modules):
    allowed = [action for statement in statements(name) for action in statement["Action"]]
    assert len(allowed) == len(set(allowed))
    assert set(allowed) == {permission for module in modules for permission in module.PERMISSIONS}
    assert {statement["Effect"] for statement in statements(name)} == {"Allow"}


def test_reading_writes_nothing():
    verbs = {action.split(":")[1] for statement in statements("read") for action in statement["Action"]}
    # Logs Insights queries are started to read, and stopped when nobody waits any more.
    assert {verb for verb in verbs if not verb.startswith(("Get", "List", "Describe"))} == {"StartQuery", "StopQuery"}


def test_readings_may_be_written_to_the_dashboards_namespace_only():
    (statement,) = statements("publish-readings")
    assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}


def test_bills_are_read_from_one_bucket_only():
    places = {s["Resource"] for s in statements("read") if any(a.startswith("s3:") for a in s["Action"])}
    assert places == {"arn:aws:s3:::YOUR-BUCKET", "arn:aws:s3:::YOUR-BUCKET/*"}
