from datetime import UTC, datetime, timedelta

import pytest

from aws_auto.ml.cost.waste import waste

START = datetime(2026, 3, 2, tzinfo=UTC)


def verdicts(bill):
    return {(one.what, one.verdict) for one in waste(bill)}


def test_a_load_balancer_without_traffic_is_proven_idle_by_the_bill(make):
    make.usage("LoadBalancerUsage", resource="idle", cost=0.0225)
    make.usage("LoadBalancerUsage", resource="busy", cost=0.0225)
    make.usage("LCUUsage", resource="busy", cost=0.01, quantity=0.3)
    make.usage("LCUUsage", resource="idle", cost=0.0, quantity=0.0)
    (one,) = waste(make.bill)
    assert (one.verdict, one.resource_ids) == ("idle", ("idle",))
    assert one.monthly.expected == pytest.approx(0.0225 * 730)
    assert "28 days" in one.proof


def test_traffic_that_names_no_resource_proves_nothing(make):
    make.usage("NatGateway-Hours", resource="nat-1", cost=0.045)
    make.usage("NatGateway-Bytes", resource=None, cost=0.01)
    assert verdicts(make.bill) == {("NAT gateway", "unknown")}


def test_ten_days_without_traffic_prove_nothing_yet(make):
    make.usage("NatGateway-Hours", resource="nat-1", cost=0.045, days=10)
    assert verdicts(make.bill) == set()


def test_an_idle_address_is_idle_by_its_own_name(make):
    make.usage("ElasticIP:IdleAddress", resource="eipalloc-1", cost=0.005)
    assert verdicts(make.bill) == {("unused public address", "idle")}


def test_an_idle_address_that_the_bill_does_not_name_is_idle_all_the_same(make):
    (one,) = waste(make.usage("ElasticIP:IdleAddress", resource=None, cost=0.005).bill)
    assert (one.verdict, one.resource_ids) == ("idle", ("not named on the bill",))


def test_an_address_that_is_idle_now_and_then_is_used(make):
    make.usage("ElasticIP:IdleAddress", resource="eipalloc-1", cost=0.005, weekdays=[7])
    make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1, tag_environment="prod")
    assert ("unused public address", "idle") not in verdicts(make.bill)


def test_whether_a_volume_is_attached_is_unknown_from_a_bill(make):
    make.usage("EBS:VolumeUsage.gp2", resource="vol-1", cost=0.01)
    make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1)
    found = {one.what: one for one in waste(make.bill)}
    assert found["EBS volume"].verdict == "unknown"
    assert "attached" in found["EBS volume"].proof
    assert "describe-volumes" in found["EBS volume"].collect


def test_volumes_where_nothing_ran_serve_nothing(make):
    make.usage("EUW2-EBS:VolumeUsage.gp2", resource="vol-1", cost=0.01, region_id="eu-west-2")
    make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1)
    (one,) = [one for one in waste(make.bill) if one.what == "EBS volume"]
    assert (one.verdict, one.region) == ("idle", "eu-west-2")


def test_a_development_endpoint_that_runs_day_and_night_is_named_with_its_money(make):
    make.usage("USE1-DEVED-DPU-Hour", resource="arn:aws:glue:us-east-1:111122223333:devEndpoint/x", cost=2.2)
    (one,) = waste(make.bill)
    assert one.verdict == "development"
    assert "100% of the nights" in one.proof
    assert one.monthly.expected == pytest.approx(2.2 * 730)


def test_an_endpoint_of_office_hours_is_no_waste(make):
    hours = {"hours": range(8, 20), "weekdays": range(1, 6)}
    make.usage("USE1-DEVED-DPU-Hour", resource="arn:aws:glue:us-east-1:111122223333:devEndpoint/x", cost=2.2, **hours)
    assert ("Glue development endpoint", "development") not in verdicts(make.bill)


def test_a_production_tag_keeps_a_machine_out_of_it(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1, tag_environment="prod")
    make.usage("BoxUsage:m5.large", resource="i-2", cost=0.1, tag_environment="dev")
    assert [one.resource_ids for one in waste(make.bill) if one.verdict == "development"] == [("i-2",)]


def test_snapshots_are_unknown_and_say_what_to_collect(make):
    make.usage("EBS:SnapshotUsage", resource="arn:aws:ec2:us-east-1:111122223333:snapshot/snap-1", cost=0.001)
    (one,) = waste(make.bill)
    assert one.verdict == "unknown"
    assert "describe-snapshots" in one.collect


def test_a_snapshot_that_was_there_at_once_is_as_old_as_the_bill_at_least(make):
    make.usage("EBS:SnapshotUsage", resource="snap-1", cost=0.01)
    make.usage("EBS:SnapshotUsage", resource="snap-2", cost=0.01, days=10, start=START + timedelta(days=18))
    (one,) = [one for one in waste(make.bill) if one.what == "EBS snapshot"]
    assert "1 of them, for 6.72 in that time, are at least 28 days old" in one.proof


def test_of_snapshots_that_all_came_later_no_age_is_said(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1)
    make.usage("EBS:SnapshotUsage", resource="snap-2", cost=0.01, days=10, start=START + timedelta(days=18))
    (one,) = [one for one in waste(make.bill) if one.what == "EBS snapshot"]
    assert "days old" not in one.proof


@pytest.mark.parametrize(
    ("usage_type", "what"),
    [
        ("RDS:Multi-AZ-PIOPS", "RDS provisioned IOPS"),
        ("EUW2-EBS:VolumeP-IOPS.piops", "EBS provisioned IOPS"),
        ("USE1-ExtendedSupport:Yr1-Yr2:MySQL8.0", "extended support of an old version"),
        ("USE1-AmazonEKS-Hours:extendedSupport", None),
    ],
)
def test_what_is_paid_for_and_may_not_be_needed_is_named_with_its_money(make, usage_type, what):
    make.usage(usage_type, resource="arn:aws:rds:us-east-1:111122223333:db:orders", cost=0.27)
    found = waste(make.bill)
    if what is None:
        assert found == ()
        return
    (one,) = found
    assert (one.what, one.verdict) == (what, "unknown")
    assert one.monthly.expected == pytest.approx(0.27 * 730)
