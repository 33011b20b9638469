from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import numpy as np
import pytest
from botocore.stub import Stubber

from aws_auto.errors import AwsCallError
from aws_auto.ml.cost.bill import COLUMNS
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.aws.cost_explorer import CostExplorerSource, months
from aws_auto.pipeline.aws.session import Place
from aws_auto.pipeline.collect import collect
from aws_auto.pipeline.ports import Window
from fakes import NOBODY, NOW, FakeClients, FakeClock, memory_workspace

PLACE = Place(account="123456789012", region="eu-west-1")
GROUPS = [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "DIMENSION", "Key": "LINKED_ACCOUNT"}]


def day(year, month, number, hour=0):
    return datetime(year, month, number, hour, tzinfo=UTC)


@pytest.fixture(scope="module")
def client():
    return boto3.client("ce", region_name="us-east-1", **NOBODY)


@pytest.fixture
def stub(client):
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def source_of(client, clock=None):
    clock = clock or FakeClock()
    return CostExplorerSource(Caller(FakeClients({"ce": client}), clock, np.random.default_rng(0)), clock, PLACE)


def group(service, account, unblended, amortised, net=None):
    metrics = {
        "UnblendedCost": {"Amount": unblended, "Unit": "USD"},
        "AmortizedCost": {"Amount": amortised, "Unit": "USD"},
    }
    if net is not None:
        metrics["NetAmortizedCost"] = {"Amount": net, "Unit": "USD"}
    return {"Keys": [service, account], "Metrics": metrics}


def answer(*days, following=None):
    results = [
        {"TimePeriod": {"Start": start, "End": end}, "Groups": list(groups), "Estimated": False}
        for start, end, *groups in days
    ]
    return {"ResultsByTime": results, **({"NextPageToken": following} if following else {})}


def request(start, end, **more):
    return {
        "TimePeriod": {"Start": start, "End": end},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost", "AmortizedCost", "NetAmortizedCost"],
        "GroupBy": GROUPS,
        **more,
    }


def test_pages_become_rows_in_the_words_of_the_billing_table(client, stub):
    first = answer(
        ("2026-01-01", "2026-01-02", group("Amazon EC2", "111", "10.5", "9", net="8")),
        following="more",
    )
    second = answer(("2026-01-02", "2026-01-03", group("Tax", "111", "1.25", "1.25")))
    stub.add_response("get_cost_and_usage", first, request("2026-01-01", "2026-01-03"))
    stub.add_response("get_cost_and_usage", second, request("2026-01-01", "2026-01-03", NextPageToken="more"))
    (batch,) = source_of(client).pull(Window(day(2026, 1, 1), day(2026, 1, 3)))
    assert dict(batch.rows.schema) == dict(COLUMNS)
    ec2, tax = batch.rows.to_dicts()
    assert (ec2["timestamp"], ec2["charge_period_end"]) == (day(2026, 1, 1), day(2026, 1, 2))
    assert (ec2["billed_cost"], ec2["effective_cost"], ec2["list_cost"]) == (10.5, 8.0, None)
    assert (ec2["service_name"], ec2["sub_account_id"], ec2["charge_category"]) == ("Amazon EC2", "111", None)
    assert (tax["charge_category"], tax["effective_cost"], tax["billing_currency"]) == ("Tax", 1.25, "USD")
    assert (batch.dataset, batch.keys, batch.final) == ("billing", (), True)


def test_closed_months_are_paid_for_once_and_the_present_one_again(client, stub):
    clock = FakeClock()
    ws = memory_workspace(clock)
    window = Window(day(2026, 1, 1), NOW)
    jan = ("2026-01-01", "2026-02-01")
    feb = ("2026-02-01", "2026-03-01")
    mar = ("2026-03-01", "2026-03-03")
    for span in (jan, feb, mar):
        stub.add_response("get_cost_and_usage", answer((span[0], span[0], group("S3", "1", "1", "1"))), request(*span))
    first = collect(ws, source_of(client, clock), window)
    assert first.estimate.price_usd == pytest.approx(0.03)
    # On the second of March, February may still be restated.
    for span in (feb, mar):
        stub.add_response("get_cost_and_usage", answer((span[0], span[0], group("S3", "1", "2", "2"))), request(*span))
    second = collect(ws, source_of(client, clock), window)
    assert second.estimate.price_usd == pytest.approx(0.02)
    assert second.skipped == (Window(day(2026, 1, 1), day(2026, 2, 1)),)
    assert ws.lake.scan("billing").collect()["billed_cost"].to_list() == [1.0, 2.0, 2.0]


def test_a_part_of_a_month_is_final_only_when_the_month_is(client, stub):
    for now, final in ((day(2026, 1, 27), False), (day(2026, 2, 6), True)):
        stub.add_response("get_cost_and_usage", answer(), request("2026-01-10", "2026-01-20"))
        source = source_of(client, FakeClock(now))
        (batch,) = source.pull(Window(day(2026, 1, 10, 7), day(2026, 1, 19, 13)))
        assert (batch.window, batch.final) == (Window(day(2026, 1, 10), day(2026, 1, 20)), final)


def test_months_cut_a_window_over_a_new_year_without_a_hole_and_stop_today():
    window = Window(day(2025, 11, 15), NOW + timedelta(days=90))
    cut = months(window, now=NOW)
    assert [w.start for w in cut] == [
        day(2025, 11, 15),
        day(2025, 12, 1),
        day(2026, 1, 1),
        day(2026, 2, 1),
        day(2026, 3, 1),
    ]
    assert cut[-1].end == day(2026, 3, 3)


def test_a_denial_names_the_action(client, stub):
    stub.add_client_error("get_cost_and_usage", "AccessDeniedException", "not enabled", http_status_code=400)
    with pytest.raises(AwsCallError, match="ce:GetCostAndUsage") as caught:
        list(source_of(client).pull(Window(day(2026, 1, 1), day(2026, 1, 3))))
    assert "ce:GetCostAndUsage" in caught.value.hint


def test_an_amount_that_is_no_number_is_refused(client, stub):
    bad = answer(("2026-01-01", "2026-01-02", group("S3", "1", "n/a", "1")))
    stub.add_response("get_cost_and_usage", bad, request("2026-01-01", "2026-01-02"))
    with pytest.raises(AwsCallError, match="'n/a' is not an amount, for the service 'S3'"):
        list(source_of(client).pull(Window(day(2026, 1, 1), day(2026, 1, 2))))
