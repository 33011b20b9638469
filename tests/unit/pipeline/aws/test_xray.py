"""The service graph, asked with AWS's own request validation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import numpy as np
import pytest
from botocore.stub import Stubber

from aws_auto.errors import AwsCallError, CredentialsError
from aws_auto.ml.anomaly.root_cause.topology import Edge, Topology
from aws_auto.pipeline.aws import xray
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.ports import Window
from aws_auto.pipeline.workspace import service_graph
from fakes import FakeClients, FakeClock, memory_workspace

END = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def stub():
    client = boto3.client("xray", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106 - of nobody
    with Stubber(client) as stubbed:
        yield stubbed


def asked(stub, length):
    caller = Caller(FakeClients({"xray": stub.client}), FakeClock(), np.random.default_rng(0))
    return xray.service_graph(caller, Window(END - length, END))


def service(number, name, *callees):
    return {"ReferenceId": number, "Name": name, "Edges": [{"ReferenceId": c} for c in callees]}


def test_all_pages_of_the_last_hours_are_one_graph(stub):
    span = {"StartTime": END - xray.SPAN, "EndTime": END}
    stub.add_response("get_service_graph", {"Services": [service(0, "site", 1)], "NextToken": "more"}, span)
    stub.add_response("get_service_graph", {"Services": [service(1, "search")]}, {**span, "NextToken": "more"})
    assert Topology.of_xray(asked(stub, timedelta(days=1))).edges == (Edge("site", "search"),)


def test_a_short_window_is_asked_for_as_it_is(stub):
    span = {"StartTime": END - timedelta(hours=1), "EndTime": END}
    stub.add_response("get_service_graph", {"Services": []}, span)
    assert asked(stub, timedelta(hours=1)) == {"Services": []}


def test_a_refusal_is_told(stub):
    stub.add_client_error("get_service_graph", "AccessDeniedException", "no")
    with pytest.raises(AwsCallError, match="GetServiceGraph"):
        asked(stub, timedelta(hours=1))


def test_without_credentials_nobody_is_asked(tmp_path):
    environ = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.raises(CredentialsError):
        service_graph(memory_workspace(), Window(END - timedelta(hours=1), END), environ=environ)
