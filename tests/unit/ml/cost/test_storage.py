"""Cheaper storage at rates of the bill itself or of a refreshed list; without one, which rate is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from aws_auto.ml.cost.price_book import Book, Rate
from aws_auto.ml.cost.recommend import recommend
from aws_auto.ml.cost.terms import Terms

START = datetime(2026, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 3, 31, tzinfo=UTC)
MARCH = 744.0


def rate(item, price, unit="GB-Mo", **facts):
    words = {
        "kind": "storage",
        "region": "us-east-1",
        "currency": "USD",
        "as_of": date(2026, 3, 1),
        "source": "AWS",
        **facts,
    }
    return Rate(item=item, price=price, unit=unit, **words)


GP3 = rate("EBS:VolumeUsage.gp3", 0.08)
IOPS = rate("EBS:VolumeP-IOPS.gp3", 0.005, "IOPS-Mo")
THROUGHPUT = rate("EBS:VolumeP-Throughput.gp3", 40.96, "GiBps-mo")


def volume(make, gib, *, name="vol-0a1b2c3d", kind="gp2", price=0.10, **facts):
    quantity = gib / MARCH
    facts = {"operation": "CreateVolume-Gp2", **facts}
    make.usage(f"EBS:VolumeUsage.{kind}", resource=name, cost=price * quantity, quantity=quantity, **facts)
    # Something that runs: a volume where nothing does is idle, and idle things are not moved.
    money = {"billing_currency": facts["billing_currency"]} if "billing_currency" in facts else {}
    return make.usage("BoxUsage:m5.large", resource="i-1", cost=0.096, instance_type="m5.large", **money)


def said(bill, *rates, **terms):
    found = recommend(bill, now=NOW, terms=Terms(book=Book(rates), **terms))
    return [one for one in found.items if one.kind == "storage"], found


def reasons(found):
    return [f"{one.what}: {one.reason}" for one in found.abstained]


def test_without_a_rate_of_gp3_nothing_is_said_but_which_is_missing(make):
    found, whole = said(volume(make, 100).bill)
    assert not found
    assert any("the rate of EBS:VolumeUsage.gp3 in us-east-1 is neither on this bill" in one for one in reasons(whole))


def test_a_volume_is_moved_at_the_rate_of_the_list(make):
    (one,), _ = said(volume(make, 100).bill, GP3)
    assert one.saving.expected == pytest.approx(100 * 0.02)
    assert one.resources == ("vol-0a1b2c3d",)
    assert one.command == "aws ec2 modify-volume --region us-east-1 --volume-id vol-0a1b2c3d --volume-type gp3"
    assert one.rollback.endswith("--volume-type gp2")
    assert "AWS of 2026-03-01" in one.what
    assert one.subject == "gp2"


def test_the_rate_of_the_bill_itself_comes_first(make):
    volume(make, 10, name="vol-0b", kind="gp3", price=0.06)
    (one,), _ = said(volume(make, 100).bill, GP3)
    assert one.saving.expected == pytest.approx(100 * 0.04)
    assert "this bill" in one.what


def test_between_what_is_free_and_what_gp2_gave_lies_the_saving_of_a_middle_volume(make):
    (plain,), _ = said(volume(make, 500).bill, GP3)
    assert (plain.saving.low, plain.saving.expected) == (0.0, pytest.approx(10.0))
    (known,), _ = said(volume(type(make)(), 500).bill, GP3, THROUGHPUT)
    assert known.saving.low == pytest.approx(500 * 0.02 - 125 * 0.04)


def test_a_large_volume_keeps_its_speed_or_is_left_alone(make):
    found, whole = said(volume(make, 2000).bill, GP3)
    assert not found
    assert any("1 gp2 volumes of more than 1000 GiB" in one for one in reasons(whole))
    (one,), _ = said(volume(type(make)(), 2000).bill, GP3, IOPS, THROUGHPUT)
    assert one.saving.expected == pytest.approx(2000 * 0.02 - 3000 * 0.005 - 125 * 0.04)
    assert "--iops 6000 --throughput 250" in one.command


def test_a_volume_that_costs_more_with_its_speed_is_left_out(make):
    found, _ = said(volume(make, 2000).bill, rate("EBS:VolumeUsage.gp3", 0.095), IOPS, THROUGHPUT)
    assert not found


def test_a_list_in_dollars_needs_the_worth_of_another_currency(make):
    bill = volume(make, 100, billing_currency="EUR").bill
    assert not said(bill, GP3)[0]
    (one,), _ = said(bill, GP3, dollars={"EUR": 1.25})
    assert one.saving.currency == "EUR"
    assert one.saving.expected == pytest.approx(100 * (0.10 - 0.08 / 1.25))


def test_a_volume_that_is_gone_or_new_is_not_moved(make):
    volume(make, 100, days=5)
    volume(make, 100, name="vol-0b", days=10)
    assert not said(make.bill, GP3)[0]


def test_a_volume_with_no_volumes_name_gets_the_console(make):
    (one,), _ = said(volume(make, 100, name="strange").bill, GP3)
    assert one.command.startswith("console")


SIA = rate("TimedStorage-SIA-ByteHrs", 0.0125)


def bucket(make, *, days=30, price=0.023, tb=1.0):
    quantity = tb * 1000 / MARCH
    facts = {"days": days, "service_name": "Amazon Simple Storage Service", "operation": "StandardStorage"}
    make.usage("TimedStorage-ByteHrs", resource="logs", cost=price * quantity, quantity=quantity, **facts)
    return make.usage("BoxUsage:m5.large", resource="i-1", cost=0.096, instance_type="m5.large", days=days)


def test_a_bucket_that_nobody_reads_may_move_and_may_save_nothing(make):
    (one,), _ = said(bucket(make).bill, SIA)
    assert one.resources == ("logs",)
    assert one.saving.expected == pytest.approx(23.0 * 730 / 744 * (1 - 0.0125 / 0.023), rel=1e-6)
    assert one.saving.low == 0.0
    assert "get-bucket-lifecycle-configuration --bucket logs" in one.command
    assert "under 128 KB" in one.risk


def test_without_the_rate_of_the_other_class_it_is_named(make):
    found, whole = said(bucket(make).bill)
    assert not found
    assert any("TimedStorage-SIA-ByteHrs" in one for one in reasons(whole))


@pytest.mark.parametrize(
    ("usage_type", "operation"), [("Requests-Tier2", "GetObject"), ("DataTransfer-Out-Bytes", "GetObject")]
)
def test_a_bucket_that_is_read_stays(make, usage_type, operation):
    make.usage(usage_type, resource="logs", cost=0.0, operation=operation, days=1)
    assert not said(bucket(make).bill, SIA)[0]


def test_three_weeks_without_a_read_are_too_few(make):
    assert not said(bucket(make, days=21).bill, SIA)[0]


def test_a_bucket_of_cents_is_not_said(make):
    assert not said(bucket(make, tb=0.01).bill, SIA)[0]


def test_a_class_that_is_hardly_cheaper_is_not_said(make):
    assert not said(bucket(make).bill, rate("TimedStorage-SIA-ByteHrs", 0.0225))[0]


def test_what_is_idle_is_not_moved(make):
    quantity = 100 / MARCH
    make.usage("EBS:VolumeUsage.gp2", resource="vol-0a", cost=0.1 * quantity, quantity=quantity, region_id="eu-west-1")
    found, whole = said(make.bill, rate("EBS:VolumeUsage.gp3", 0.08, region="eu-west-1"))
    assert not found
    assert [one.kind for one in whole.items] == ["idle"]


def test_a_price_list_by_the_megabyte_is_read_as_it_is(make):
    mb = rate("EBS:VolumeP-Throughput.gp3", 0.04, "MiBps-Mo")
    (one,), _ = said(volume(make, 500).bill, GP3, mb)
    assert one.saving.low == pytest.approx(500 * 0.02 - 125 * 0.04)
    assert one.expires == START + timedelta(days=58)
