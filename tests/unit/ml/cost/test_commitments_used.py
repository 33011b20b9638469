from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import SchemaError
from aws_auto.ml.cost.commitments_used import commitment_use, size_factor

START = datetime(2026, 3, 1, tzinfo=UTC)
RESERVATION = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/0000"
HOURS = 31 * 24


def fee(make, usage_type="HeavyUsage:m5.large", *, billed, unused, quantity=HOURS, **facts):
    return make.line(
        timestamp=START,
        charge_period_end=datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC),
        charge_category="Purchase",
        charge_frequency="Recurring",
        line_item_type="RIFee",
        usage_type=usage_type,
        commitment_discount_id=RESERVATION,
        commitment_discount_type="Reserved Instance",
        commitment_discount_status="Unused" if unused > 0 else None,
        consumed_quantity=float(quantity),
        billed_cost=billed,
        effective_cost=unused,
        **facts,
    )


def covered(make, instance_type, *, days, effective, quantity=1.0, start=START):
    return make.usage(
        f"BoxUsage:{instance_type}",
        resource="i-1",
        cost=0.0,
        days=days,
        start=start,
        quantity=quantity,
        instance_type=instance_type,
        pricing_category="Committed",
        commitment_discount_id=RESERVATION,
        commitment_discount_type="Reserved Instance",
        commitment_discount_status="Used",
        effective_cost=effective,
    )


def elsewhere(make, days=31):
    """Something else that ran all month, so that the bill reaches its end."""
    return make.usage("BoxUsage:c5.large", resource="i-else", cost=0.1, days=days, start=START)


def test_a_reservation_that_nothing_used_is_unused_for_the_whole_month(make):
    (one,) = commitment_use(elsewhere(fee(make, billed=22.32, unused=22.32)).bill)
    assert (one.instance_type, one.count, one.purchased, one.used, one.unused) == ("m5.large", 1, HOURS, 0, HOURS)
    assert one.unused_fee == pytest.approx(22.32)


def test_unused_hours_cost_their_part_of_the_fee(make):
    used = covered(elsewhere(fee(make, billed=74.4, unused=26.4)), "m5.large", days=20, effective=0.1)
    (one,) = commitment_use(used.bill)
    assert one.used == 480
    assert one.unused == HOURS - 480
    assert one.unused_fee == pytest.approx(26.4)
    assert one.notes == ()
    assert sum(one.evidence.y) == 480


def test_another_size_of_the_family_counts_by_its_factor(make):
    # An xlarge is worth two large: half of it is covered by one reservation of a large.
    used = covered(elsewhere(fee(make, billed=74.4, unused=0.0)), "m5.xlarge", days=31, effective=0.1, quantity=0.5)
    (one,) = commitment_use(used.bill)
    assert one.used == HOURS
    assert one.unused == 0
    assert one.unused_fee == 0


def test_where_hours_and_money_disagree_the_money_is_believed_and_it_is_said(make):
    used = covered(elsewhere(fee(make, billed=74.4, unused=37.2)), "m5.large", days=31, effective=0.05)
    (one,) = commitment_use(used.bill)
    assert one.unused == pytest.approx(HOURS / 2)
    assert "the money is believed" in one.notes[0]


def test_a_month_that_is_not_over_is_counted_up_to_the_last_hour(make):
    (one,) = commitment_use(elsewhere(fee(make, billed=74.4, unused=24.0), days=10).bill)
    assert one.purchased == 240
    assert one.unused == 240
    assert one.unused_fee == pytest.approx(24.0)
    assert "not over" in one.notes[0]


def test_usage_without_a_fee_on_the_bill_says_that_the_purchase_is_unknown(make):
    (one,) = commitment_use(covered(make, "m5.large", days=3, effective=0.1).bill)
    assert one.purchased is None
    assert one.unused is None
    assert "unknown" in one.notes[0]


def test_a_savings_plan_is_counted_in_money(make):
    plan = {
        "commitment_discount_id": "arn:aws:savingsplans::111122223333:savingsplan/0",
        "commitment_discount_type": "Savings Plan",
    }
    for hour in range(48):
        make.line(
            timestamp=START + timedelta(hours=hour),
            charge_period_end=START + timedelta(hours=hour + 1),
            charge_category="Purchase",
            charge_frequency="Recurring",
            line_item_type="SavingsPlanRecurringFee",
            commitment_discount_status="Unused",
            billed_cost=1.0,
            effective_cost=0.25,
            consumed_quantity=1.0,
            **plan,
        )
    make.usage(
        "BoxUsage:m5.large",
        resource="i-1",
        cost=0.0,
        days=2,
        start=START,
        effective_cost=0.75,
        commitment_discount_status="Used",
        **plan,
    )
    (one,) = commitment_use(make.bill)
    assert (one.kind, one.unit) == ("Savings Plan", "USD")
    assert (one.purchased, one.used, one.unused, one.unused_fee) == pytest.approx((48.0, 36.0, 12.0, 12.0))


def test_a_bill_without_commitments_has_none(make):
    assert commitment_use(elsewhere(make).bill) == ()


def test_a_table_that_is_no_bill_is_refused_by_its_columns():
    with pytest.raises(SchemaError, match="commitment_discount_id"):
        commitment_use(pl.DataFrame({"timestamp": [START]}))


@pytest.mark.parametrize(
    ("instance_type", "factor"),
    [("t2.nano", 0.25), ("m5.large", 4), ("db.r4.xlarge", 8), ("m5.24xlarge", 192), ("i3.metal", None)],
)
def test_normalisation_factors_are_those_of_aws(instance_type, factor):
    assert size_factor(instance_type) == factor
