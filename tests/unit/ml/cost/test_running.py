from datetime import timedelta

import pytest

from aws_auto.ml.cost.running import Office, running


def only(bill, **options):
    (one,) = running(bill, **options)
    return one


def test_day_and_night_is_seen_by_the_hour(make):
    one = only(make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1).bill)
    assert (one.share, one.day_share, one.night_share, one.weekend_share) == (1.0, 1.0, 1.0, 1.0)
    assert one.always_on
    assert one.hours == 28 * 24
    assert one.billed == pytest.approx(67.2)
    assert one.monthly.expected == pytest.approx(73.0)


def test_office_hours_are_not_day_and_night(make):
    hours = {"hours": range(8, 20), "weekdays": range(1, 6)}
    one = only(make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1, **hours).bill)
    assert one.day_share == 1.0
    assert one.night_share == 0.0
    assert not one.always_on


def test_the_same_hours_are_other_hours_in_another_time_zone(make):
    bill = make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1, hours=range(13, 24), weekdays=range(1, 6)).bill
    assert only(bill, office=Office(tz="America/New_York")).day_share > only(bill).day_share


def test_a_resource_that_changes_its_type_is_one_resource(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1, days=14, instance_type="m5.large")
    later = {"start": make.bill["timestamp"].max() + timedelta(hours=1)}
    make.usage("BoxUsage:m5.xlarge", resource="i-1", cost=0.2, days=14, instance_type="m5.xlarge", **later)
    one = only(make.bill)
    assert one.instance_type == "m5.xlarge"
    assert one.share == 1.0


def test_currencies_are_never_added(make):
    for currency in ("USD", "EUR"):
        make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1, billing_currency=currency)
    assert [(one.monthly.currency, round(one.billed, 1)) for one in running(make.bill)] == [
        ("EUR", 67.2),
        ("USD", 67.2),
    ]


def test_what_a_commitment_pays_for_is_not_its_own(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=0.0, effective_cost=0.06, pricing_category="Committed")
    one = only(make.bill)
    assert one.uncommitted == 0.0
    assert one.effective == pytest.approx(0.06 * 28 * 24)


def test_a_bill_by_the_day_knows_hours_but_no_nights(make):
    one = only(make.usage("BoxUsage:m5.large", resource="i-1", cost=2.4, hours=[0], quantity=24.0).bill)
    assert one.hours == 28 * 24
    assert one.night_share is None


def test_storage_and_traffic_do_not_run(make):
    make.usage("EBS:VolumeUsage.gp2", resource="vol-1", cost=0.01)
    make.usage("NatGateway-Bytes", resource="nat-1", cost=0.01)
    assert running(make.bill) == ()
