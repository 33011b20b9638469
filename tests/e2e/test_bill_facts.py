"""Facts of a real month: unused reservations, development that runs day and night, and what moved the bill."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from aws_auto.ml.cost.commitments_used import commitment_use
from aws_auto.ml.cost.cost_anomaly import cost_anomalies
from aws_auto.ml.cost.normalise import needed, normalise
from aws_auto.ml.cost.recommend import recommend
from aws_auto.ml.cost.running import running
from aws_auto.ml.cost.waste import waste

CUR = Path(__file__).parents[2] / ".." / "shared" / "data" / "billing" / "cur"
NOW = datetime(2018, 11, 1, tzinfo=UTC)
DPU_HOURS = "USE1-DEVED-DPU-Hour"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not CUR.is_dir(), reason="the development data is not beside the checkout"),
]


@pytest.fixture(scope="module")
def bill():
    (path,) = CUR.glob("*.parquet")
    raw = pl.read_parquet(path)
    return normalise(raw.select(needed(raw.columns))).rows


@pytest.fixture(scope="module")
def anomalies(bill):
    return cost_anomalies(bill)


def test_three_of_nine_reservations_are_not_fully_used(bill):
    unused = {one.instance_type + f" {one.unused:.0f} h": one for one in commitment_use(bill) if one.unused}
    assert set(unused) == {"c4.large 744 h", "t2.micro 335 h", "t2.micro 46 h"}
    assert unused["c4.large 744 h"].unused_fee == pytest.approx(22.32, abs=0.005)
    assert unused["t2.micro 335 h"].unused_fee == pytest.approx(3.957, abs=0.005)
    assert unused["t2.micro 46 h"].unused_fee == pytest.approx(0.382, abs=0.005)
    assert len(commitment_use(bill)) == 9


def test_hours_and_money_agree_for_every_reservation(bill):
    assert all(not one.notes for one in commitment_use(bill))


def test_three_development_endpoints_run_day_and_night_for_three_fifths_of_the_bill(bill):
    endpoints = [one for one in running(bill) if one.what == "Glue development endpoint"]
    assert [round(one.billed) for one in endpoints] == [1473, 587, 329]
    assert all(one.always_on and one.development for one in endpoints)
    assert sum(one.billed for one in endpoints) / bill["billed_cost"].sum() == pytest.approx(0.588, abs=0.001)
    named = [one for one in waste(bill) if one.what == "Glue development endpoint"]
    assert [one.verdict for one in named] == ["development"] * 3


def test_304_volumes_are_counted_and_said_to_be_unknown(bill):
    volumes = [one for one in waste(bill) if one.what == "EBS volume"]
    assert sum(one.count for one in volumes) == 304
    assert {one.verdict for one in volumes} == {"unknown"}


def test_fees_of_the_month_are_listed_and_no_alarm(anomalies):
    fees = [one for one in anomalies.bookings if one.category == "Purchase"]
    assert sum(one.amount for one in fees) == pytest.approx(149.78, abs=0.005)
    assert not any(event.start.date() == date(2018, 10, 1) for event in anomalies.events)
    assert all(not one.unexpected for one in anomalies.bookings)


def test_the_rise_of_9_october_and_the_fall_of_16_october_have_one_resource_behind_them(anomalies):
    event = next(e for e in anomalies.events if e.start.date() == date(2018, 10, 9))
    assert event.start == datetime(2018, 10, 9, 23, tzinfo=UTC)
    assert event.end == datetime(2018, 10, 16, 6, tzinfo=UTC)
    assert event.cause.usage_type == DPU_HOURS
    assert event.cause.resource_id.endswith(":devEndpoint/CUR-test")
    assert event.cause.new
    assert event.ending.resource_id == event.cause.resource_id
    assert 300 < event.money < 329


def test_the_rise_of_18_october_has_another(anomalies):
    event = next(e for e in anomalies.events if e.start == datetime(2018, 10, 17, 23, tzinfo=UTC))
    assert event.noticed <= date(2018, 10, 19)
    assert event.cause.resource_id.endswith(":devEndpoint/testing")
    assert event.cause.new


def test_no_account_has_more_than_two_alarms_in_the_month(anomalies):
    accounts = [event.account for event in anomalies.events]
    assert max(accounts.count(account) for account in accounts) <= 2


def test_what_is_recommended_is_what_still_runs_with_a_way_back(bill):
    found = recommend(bill, now=NOW)
    schedules = [one for one in found.items if one.kind == "schedule"]
    names = {one.resources[0].rsplit("/")[-1] for one in schedules if one.service == "AWS Glue"}
    assert names == {"CUR-NoKey", "testing"}
    assert all(one.command and one.rollback for one in found.items)
    assert sorted(one.kind for one in found.items) == ["schedule"] * 3 + ["unused commitment"] * 3
    taken = [resource for one in found.items for resource in one.resources]
    assert len(taken) == len(set(taken))
    assert 0.2 < found.totals["USD"].share < 0.6


def test_half_a_month_is_too_little_to_recommend_from(bill):
    early = bill.filter(pl.col("timestamp") < datetime(2018, 10, 13, tzinfo=UTC))
    assert recommend(early, now=NOW).items == ()
