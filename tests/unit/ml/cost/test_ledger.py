"""What was applied is compared with the bill before and after; what cannot be known yet says from when it can."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from aws_auto.ml.cost.findings import Money
from aws_auto.ml.cost.ledger import LedgerEntry, realised

START = datetime(2026, 3, 2, tzinfo=UTC)
MACHINE = "i-1"
PLAN = "arn:aws:savingsplans::111122223333:savingsplan/x"


def entry(kind="rightsize", *, on=date(2026, 3, 16), resources=(MACHINE,), predicted=36.5, currency="USD"):
    return LedgerEntry(
        id=f"{kind}-1",
        kind=kind,
        resources=resources,
        account=None,
        region="us-east-1",
        service="EC2",
        what="do it",
        predicted=Money(expected=predicted, low=0.8 * predicted, high=1.2 * predicted, currency=currency),
        trouble=None,
        command="",
        rollback="",
        first_said=START,
        last_said=START,
        expires=START + timedelta(days=30),
        status="applied",
        applied_on=on,
    )


def resized(make, *, after=14, hours_after=range(24)):
    make.usage("BoxUsage:m5.xlarge", resource=MACHINE, cost=0.10, days=14)
    later = START + timedelta(days=14)
    return make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.05, days=after, start=later, hours=hours_after)


def test_a_resize_saves_the_difference_of_its_rates(make):
    found = realised(entry(), resized(make).bill)
    assert found.saving.expected == pytest.approx(0.05 * 730)
    assert found.held is True
    assert (found.before, found.after) == (14, 13)


def test_a_resized_machine_that_runs_half_as_long_is_compared_at_equal_use(make):
    found = realised(entry(), resized(make, hours_after=range(12)).bill)
    assert found.saving.expected == pytest.approx(0.05 * 365)
    assert found.held is False


def test_what_was_scheduled_is_compared_by_its_cost_a_day(make):
    make.usage("BoxUsage:m5.xlarge", resource=MACHINE, cost=0.10, days=14)
    make.usage(
        "BoxUsage:m5.xlarge", resource=MACHINE, cost=0.10, days=14, start=START + timedelta(days=14), hours=range(12)
    )
    found = realised(entry("schedule"), make.bill)
    assert found.saving.expected == pytest.approx(0.10 * 365)
    assert found.saving.low <= found.saving.expected <= found.saving.high


def test_what_was_deleted_and_left_the_bill_saved_all_of_it(make):
    make.usage("EBS:VolumeUsage.gp2", resource="vol-1", cost=0.01, days=14)
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.10, days=28)
    found = realised(entry("idle", resources=("vol-1",), predicted=7.3), make.bill)
    assert found.saving.expected == pytest.approx(7.3)


def test_days_that_differ_make_the_interval_wider(make):
    quiet = realised(entry("schedule"), resized(make).bill)
    noisy = type(make)()
    noisy.usage("BoxUsage:m5.xlarge", resource=MACHINE, cost=lambda d: 0.10 + 0.02 * (d % 3), days=14)
    noisy.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.05, days=14, start=START + timedelta(days=14))
    wide = realised(entry("schedule"), noisy.bill)
    assert wide.saving.high - wide.saving.low > 1.0 + quiet.saving.high - quiet.saving.low


def test_before_a_week_is_over_it_says_from_when_it_is_known(make):
    found = realised(entry(), resized(make, after=6).bill)
    assert found.saving is None
    assert found.held is None
    assert "known once the bill reaches 2026-03-24" in found.why


def test_without_a_week_before_there_is_nothing_to_compare_with(make):
    found = realised(entry(on=date(2026, 3, 5)), resized(make).bill)
    assert found.saving is None
    assert "fewer than 7 days before 2026-03-05" in found.why


def test_a_resized_machine_that_is_gone_cannot_be_compared_at_equal_use(make):
    make.usage("BoxUsage:m5.xlarge", resource=MACHINE, cost=0.10, days=14)
    make.usage("BoxUsage:m5.large", resource="i-2", cost=0.05, days=28)
    found = realised(entry(), make.bill)
    assert found.saving is None
    assert "not on the bill since" in found.why


def test_lines_in_another_currency_do_not_count(make):
    found = realised(entry(currency="EUR"), resized(make).bill)
    assert found.saving is None


def fee(make, month, *, cost):
    return make.line(
        timestamp=month,
        charge_period_end=(month + timedelta(days=32)).replace(day=1),
        charge_category="Purchase",
        commitment_discount_id="ri-1",
        billed_cost=cost,
    )


def test_a_commitment_that_was_sold_saves_its_fee(make):
    fee(make, START.replace(day=1), cost=31.0)
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1, days=60)
    found = realised(entry("unused commitment", resources=("ri-1",), on=date(2026, 4, 1), predicted=30.0), make.bill)
    assert found.saving.expected == pytest.approx(1.0 * 730 / 24)


def covered(make, *, list_cost: float | None = 0.10):
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.10, days=14)
    facts = {"list_cost": list_cost} if list_cost is not None else {}
    return make.usage(
        "BoxUsage:m5.large",
        resource=MACHINE,
        cost=0.07,
        days=14,
        start=START + timedelta(days=14),
        pricing_category="Committed",
        commitment_discount_id=PLAN,
        **facts,
    )


def test_a_commitment_that_was_bought_saves_list_price_less_its_cost(make):
    found = realised(entry("commitment", resources=("a plan",), predicted=21.9), covered(make).bill)
    assert found.saving.expected == pytest.approx(0.03 * 730)
    assert "1 commitments bought since" in found.why


def test_its_unused_part_counts_against_it(make):
    bill = covered(make)
    for day in range(14):
        at = START + timedelta(days=14 + day)
        facts = {"charge_category": "Purchase", "commitment_discount_id": PLAN, "list_cost": 0.0}
        bill.line(
            timestamp=at, charge_period_end=at + timedelta(hours=1), effective_cost=0.24, billed_cost=0.24, **facts
        )
    found = realised(entry("commitment", resources=("a plan",), predicted=21.9), bill.bill)
    assert found.saving.expected == pytest.approx(0.02 * 730)


@pytest.mark.parametrize(("list_cost", "why"), [(None, "no list price"), (0.1, "no commitment appears")])
def test_what_a_commitment_saved_is_unknown_without_it_or_its_list_price(make, list_cost, why):
    bill = covered(make, list_cost=list_cost).bill
    on = date(2026, 3, 16) if list_cost is None else date(2026, 3, 20)
    found = realised(replace(entry("commitment"), applied_on=on), bill)
    assert found.saving is None
    assert why in found.why


def test_what_was_not_applied_has_saved_nothing_that_is_known(make):
    found = realised(replace(entry(), applied_on=None, status="accepted"), resized(make).bill)
    assert (found.saving, found.why) == (None, "it was not applied")
