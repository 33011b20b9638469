from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import numpy as np
import pytest
from botocore.stub import Stubber

from aws_auto.errors import AwsCallError, UsageError
from aws_auto.pipeline.aws import logs
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.aws.logs import Fields, LogsSource
from aws_auto.pipeline.aws.session import Place
from aws_auto.pipeline.collect import collect
from aws_auto.pipeline.ports import Window
from fakes import NOBODY, NOW, FakeClients, FakeClock, memory_workspace

HOUR = timedelta(hours=1)
GROUP = "/aws/lambda/checkout"
WINDOW = Window(NOW - 3 * HOUR, NOW - HOUR)


@pytest.fixture(scope="module")
def client():
    return boto3.client("logs", region_name="eu-west-1", **NOBODY)


@pytest.fixture
def stub(client):
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def source_of(client, clock=None, groups=(GROUP,), **options):
    clock = clock or FakeClock()
    place = Place(account="123456789012", region="eu-west-1")
    caller = Caller(FakeClients({"logs": client}), clock, np.random.default_rng(0))
    return LogsSource(caller, clock, place, groups, **options)


def line(minute, level, count, latency=None):
    fields = {"bin(1m)": f"{minute:%Y-%m-%d %H:%M}:00.000", "level": level, "lines": str(count)}
    if latency is not None:
        fields["latency"] = str(latency)
    return [{"field": n, "value": v} for n, v in fields.items() if v is not None]


def expect(stub, lines, *, window=WINDOW, before=()):
    stub.add_response(
        "start_query",
        {"queryId": "q"},
        {
            "logGroupName": GROUP,
            "startTime": int(window.start.timestamp()),
            "endTime": int(window.end.timestamp()) - 1,
            "queryString": Fields().query,
            "limit": 10_000,
        },
    )
    for status in before:
        stub.add_response("get_query_results", {"status": status, "results": []}, {"queryId": "q"})
    stub.add_response("get_query_results", {"status": "Complete", "results": lines}, {"queryId": "q"})


def test_minutes_and_levels_become_rows(client, stub):
    minute = WINDOW.start
    lines = [
        line(minute, "INFO", 90, 20.0),
        line(minute, "Error", 6, 50.0),
        line(minute, "ERROR", 4),
        line(minute, None, 1),
    ]
    clock = FakeClock()
    expect(stub, lines, before=("Scheduled", "Running"))
    (batch,) = source_of(client, clock).pull(WINDOW)
    rows = {r["level"]: r for r in batch.rows.to_dicts()}
    assert rows["INFO"] == {
        "resource_id": GROUP,
        "timestamp": minute,
        "level": "INFO",
        "request_count": 90,
        "error_count": 0,
        "latency_ms_mean": 20.0,
    }
    # Two spellings of a level are one; the mean is over the lines that have a latency.
    assert (rows["ERROR"]["request_count"], rows["ERROR"]["error_count"]) == (10, 10)
    assert rows["ERROR"]["latency_ms_mean"] == pytest.approx(50.0)
    assert (rows["UNKNOWN"]["request_count"], rows["UNKNOWN"]["latency_ms_mean"]) == (1, None)
    assert (batch.dataset, batch.final, batch.window) == ("logs", True, WINDOW)
    assert len(clock.slept) >= 2


def test_a_span_that_fills_the_row_limit_is_cut_in_half_until_it_does_not(client, stub, monkeypatch):
    monkeypatch.setattr(logs, "ROWS_PER_QUERY", 2)
    left, right = Window(WINDOW.start, WINDOW.start + HOUR), Window(WINDOW.start + HOUR, WINDOW.end)

    def expect_small(lines, window):
        stub.add_response("start_query", {"queryId": "q"}, None)
        stub.add_response("get_query_results", {"status": "Complete", "results": lines}, {"queryId": "q"})

    expect_small([line(left.start, "INFO", 1)] * 2, WINDOW)
    expect_small([line(left.start, "INFO", 3)], left)
    expect_small([line(right.start, "INFO", 4)], right)
    (batch,) = source_of(client).pull(WINDOW)
    assert batch.rows["request_count"].to_list() == [3, 4]


def test_a_minute_with_more_levels_than_rows_is_refused_with_a_guess_at_the_reason(client, stub, monkeypatch):
    monkeypatch.setattr(logs, "ROWS_PER_QUERY", 2)
    minute = Window(WINDOW.start, WINDOW.start + timedelta(minutes=1))
    stub.add_response("start_query", {"queryId": "q"}, None)
    lines = [line(minute.start, str(i), 1) for i in range(2)]
    stub.add_response("get_query_results", {"status": "Complete", "results": lines}, {"queryId": "q"})
    with pytest.raises(AwsCallError, match="2 levels or more in one minute") as caught:
        list(source_of(client).pull(minute))
    assert "'level'" in caught.value.hint


def test_a_query_that_fails_is_an_error_with_its_log_group(client, stub):
    stub.add_response("start_query", {"queryId": "q"}, None)
    stub.add_response("get_query_results", {"status": "Failed", "results": []}, {"queryId": "q"})
    with pytest.raises(AwsCallError, match=f"the query on {GROUP} ended as Failed"):
        list(source_of(client).pull(WINDOW))


def test_a_query_that_does_not_end_is_stopped(client, stub, monkeypatch):
    monkeypatch.setattr(logs, "LONGEST_WAIT", timedelta(0))
    stub.add_response("start_query", {"queryId": "q"}, None)
    stub.add_response("get_query_results", {"status": "Running", "results": []}, {"queryId": "q"})
    stub.add_response("stop_query", {"success": True}, {"queryId": "q"})
    with pytest.raises(AwsCallError, match="did not end"):
        list(source_of(client).pull(WINDOW))


def test_the_newest_quarter_of_an_hour_is_asked_again(client, stub):
    clock = FakeClock()
    ws = memory_workspace(clock)
    settled = NOW - timedelta(minutes=15)
    about = {
        "logGroups": [
            {"logGroupName": GROUP + "-2", "storedBytes": 1, "creationTime": 0},
            {"logGroupName": GROUP, "storedBytes": 48 * 10**9, "creationTime": _millis(NOW - 48 * HOUR)},
        ]
    }
    stub.add_response("describe_log_groups", about, {"logGroupNamePrefix": GROUP})
    expect(stub, [], window=Window(NOW - HOUR, settled))
    expect(stub, [], window=Window(settled, NOW))
    first = collect(ws, source_of(client, clock), Window(NOW - HOUR, NOW))
    # 48 GB in 48 hours: an hour is one of them.
    assert first.estimate.price_usd == pytest.approx(0.005)
    assert ws.lake.closed(f"logs:eu-west-1:123456789012:{GROUP}") == [Window(NOW - HOUR, settled)]


def test_a_group_that_does_not_exist_is_said_before_anything_is_paid(client, stub):
    stub.add_response("describe_log_groups", {"logGroups": []}, {"logGroupNamePrefix": GROUP})
    with pytest.raises(UsageError, match=f"{GROUP}: no such log group"):
        source_of(client).estimate(WINDOW)


def test_retention_bounds_what_is_scanned(client, stub):
    kept = {"logGroupName": GROUP, "storedBytes": 10**9, "creationTime": 0, "retentionInDays": 1}
    stub.add_response("describe_log_groups", {"logGroups": [kept]}, {"logGroupNamePrefix": GROUP})
    assert source_of(client).estimate(WINDOW).price_usd == pytest.approx(0.005 * 2 / 24)


def test_no_group_is_refused_at_once(client):
    with pytest.raises(UsageError, match="no log group is named"):
        source_of(client, groups=())


def _millis(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
