"""The local endpoint as a process of its own: a real socket, a real workspace, real signals."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import polars as pl
import pytest

from aws_auto.errors import TargetError, UsageError
from aws_auto.pipeline.plan import Create, Resource
from aws_auto.pipeline.serve.app import run
from aws_auto.pipeline.serve.capture import captured, ingest_truth
from aws_auto.pipeline.workspace import open_workspace

SCRIPT = Path(__file__).parent / "serving.py"
BODY = {
    "instances": [{"resource_id": "i-1", "timestamp": "2026-01-05T09:00:00Z", "cpu_utilization": cpu} for cpu in (4, 5)]
}


@pytest.fixture(scope="module")
def serving():
    spec = importlib.util.spec_from_file_location("serving", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path):
    return tmp_path / "w"


@contextlib.contextmanager
def server(root, *models):
    """The process, and the address it listens at."""
    command = [sys.executable, "-W", "error", str(SCRIPT), str(root), *models]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:[0-9]+", line)
            assert address, (line, process.stderr.read())
            yield process, address[0]
        finally:
            process.kill()


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read())


def predictions(root):
    return captured(open_workspace(root, target="local").lake, "times")


def test_a_server_started_before_training_answers_when_a_champion_arrives_and_follows_the_next(serving, root):
    ws = open_workspace(root, target="local")
    ws.target.apply(Create(Resource(kind="endpoint", name="times-model", properties={"model": "times"})))
    with server(root, "times-model") as (_, url):
        assert call(f"{url}/ping")[0] == 503
        assert call(f"{url}/invocations", BODY)[0] == 503
        serving.crown(root, 2)
        assert call(f"{url}/ping")[0] == 200
        first = call(f"{url}/invocations", BODY)[1]
        serving.crown(root, 3)
        second = call(f"{url}/invocations", BODY)[1]
    assert [p["answer"] for p in first["predictions"]] == [8.0, 10.0]
    assert [p["answer"] for p in second["predictions"]] == [12.0, 15.0]
    assert (first["version"], second["version"]) == (1, 2)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_leaves_every_answer_in_the_lake(serving, root, stop):
    serving.crown(root, 2)
    with server(root) as (process, url):
        asked = [call(f"{url}/invocations", BODY)[1]["request_id"] for _ in range(3)]
        process.send_signal(stop)
        _, trouble = process.communicate(timeout=20)
    assert trouble == ""
    rows = predictions(root)
    assert rows["request_id"].unique(maintain_order=True).to_list() == asked
    assert rows["answer"].to_list() == [8.0, 10.0] * 3
    ws = open_workspace(root, target="local")
    truth = pl.DataFrame({"request_id": [asked[0]] * 2, "row": [0, 1], "observed": [7.5, 10.5]})
    assert ingest_truth(ws, truth).stored == 2
    assert ws.lake.scan("truth_labels").collect()["observed"].to_list() == [7.5, 10.5]


def test_a_server_that_is_killed_loses_at_most_what_was_answered_since_the_last_flush(serving, root):
    serving.crown(root, 2)
    with server(root) as (process, url):
        flushed = call(f"{url}/invocations", BODY)[1]["request_id"]
        deadline = time.monotonic() + 30
        while predictions(root).is_empty() and time.monotonic() < deadline:
            time.sleep(0.1)
        call(f"{url}/invocations", BODY)
        process.kill()
        process.wait()
    assert predictions(root)["request_id"].unique().to_list() == [flushed]


def test_a_port_that_is_taken_is_an_error_with_a_next_step(serving, root):
    serving.crown(root, 2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TargetError, match="in use") as caught:
            run(open_workspace(root, target="local"), port=port)
    assert caught.value.where == f"127.0.0.1:{port}"


def test_nothing_deployed_and_nothing_trained_is_a_usage_error(root):
    with pytest.raises(UsageError, match="no model is named"):
        run(open_workspace(root, target="local"))
