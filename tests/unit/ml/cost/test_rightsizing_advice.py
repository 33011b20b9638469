"""A smaller size is advice only where the bill's own rate, type and owner agree with it; what is taken is netted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.cost import prices
from aws_auto.ml.cost.commitments import Offer
from aws_auto.ml.cost.commitments_advice import Hours
from aws_auto.ml.cost.recommend import recommend
from aws_auto.ml.cost.terms import Terms

START = datetime(2026, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 3, 31, tzinfo=UTC)
KIND = "m5.2xlarge"
PRICE = prices.table()[KIND].usd_per_hour
PLAN = Offer(name="a one-year plan", discount=0.27, source="a quote of 2026-03-30", term=timedelta(days=365))


def machine(k: int) -> str:
    return f"i-{k:017x}"


def fleet(make, n: int = 20, *, rate: float = PRICE, **facts):
    for k in range(n):
        make.usage(f"BoxUsage:{KIND}", resource=machine(k), cost=rate, instance_type=KIND, **facts)
    return make.bill


def metrics(n: int = 20, *, peak: float = 18.0, memory: float = 20.0) -> MetricFrame:
    hours = np.arange(28 * 24)
    cpu = np.where(hours % 24 == 10, peak, peak - 1.0).tolist()
    return MetricFrame.of(
        pl.concat(
            pl.DataFrame(
                {
                    "resource_id": [machine(k)] * len(hours),
                    "timestamp": [START + timedelta(hours=int(h)) for h in hours],
                    "cpu_utilization_max": cpu,
                    "memory_utilization_max": [memory] * len(hours),
                }
            )
            for k in range(n)
        )
    )


def of_kind(found, kind):
    return [one for one in found.items if one.kind == kind]


def reasons(found) -> str:
    return "; ".join(one.reason for one in found.abstained)


def test_a_machine_with_room_gets_a_size_its_saving_its_risk_and_both_ways(make):
    found = recommend(fleet(make), now=NOW, metrics=metrics())
    sizes = of_kind(found, "rightsize")
    assert len(sizes) == 20
    one = sizes[0]
    assert "make this m5.2xlarge a m5.large" in one.what
    assert one.saving.expected == pytest.approx((PRICE - prices.table()["m5.large"].usd_per_hour) * 730)
    assert 0 < one.trouble <= 0.05
    assert "--instance-type Value=m5.large" in one.command
    assert "--instance-type Value=m5.2xlarge" in one.rollback


def test_a_rate_that_is_not_the_list_price_is_refused_not_scaled(make):
    found = recommend(fleet(make, rate=PRICE * 1.9), now=NOW, metrics=metrics())
    assert not of_kind(found, "rightsize")
    assert "another system, tenancy, contract or year" in reasons(found)


def test_under_a_commitment_a_smaller_size_saves_nothing(make):
    found = recommend(fleet(make, pricing_category="Committed"), now=NOW, metrics=metrics())
    assert not of_kind(found, "rightsize")


def test_metrics_from_before_a_machine_changed_its_type_do_not_count(make):
    fleet(make, 19)
    make.usage("BoxUsage:m5.4xlarge", resource=machine(19), cost=2 * PRICE, instance_type="m5.4xlarge", days=20)
    late = START + timedelta(days=20)
    make.usage(f"BoxUsage:{KIND}", resource=machine(19), cost=PRICE, instance_type=KIND, days=8, start=late)
    found = recommend(make.bill, now=NOW, metrics=metrics())
    assert machine(19) not in {name for one in of_kind(found, "rightsize") for name in one.resources}
    (said,) = [one for one in found.abstained if one.what.startswith(machine(19))]
    assert f"it has this type since {late:%Y-%m-%d}" in said.reason


def test_metrics_from_before_the_day_that_the_ledger_names_do_not_count(make):
    late = START + timedelta(days=20)
    found = recommend(fleet(make), now=NOW, metrics=metrics(), terms=Terms(changed={machine(0): late}))
    (said,) = [one for one in found.abstained if one.what.startswith(machine(0))]
    assert f"it has this type since {late:%Y-%m-%d}" in said.reason


def test_a_risk_that_nobody_would_take_leaves_every_machine_as_it_is(make):
    found = recommend(fleet(make), now=NOW, metrics=metrics(), terms=Terms(risk=0.0001))
    assert not of_kind(found, "rightsize")


def test_a_bill_in_another_currency_needs_its_worth_in_dollars(make):
    bill = fleet(make, rate=PRICE / 1.25, billing_currency="EUR")
    silent = recommend(bill, now=NOW, metrics=metrics())
    assert not of_kind(silent, "rightsize")
    assert any("--dollars EUR=1.10" in one.reason for one in silent.abstained)
    plain = of_kind(recommend(fleet(type(make)()), now=NOW, metrics=metrics()), "rightsize")
    known = of_kind(recommend(bill, now=NOW, metrics=metrics(), terms=Terms(dollars={"EUR": 1.25})), "rightsize")
    assert known[0].saving.currency == "EUR"
    assert known[0].saving.expected == pytest.approx(plain[0].saving.expected / 1.25)


def test_what_was_rejected_is_not_said_again_and_its_hours_are_committed_on(make):
    bill = fleet(make)
    said = recommend(bill, now=NOW, metrics=metrics(), terms=Terms(offers=(PLAN,)))
    rejected = frozenset(one.id for one in of_kind(said, "rightsize"))
    found = recommend(bill, now=NOW, metrics=metrics(), terms=Terms(offers=(PLAN,), rejected=rejected))
    assert rejected
    assert not rejected & {one.id for one in found.items}
    assert of_kind(found, "commitment")[0].saving.expected > of_kind(said, "commitment")[0].saving.expected


def test_a_machine_that_is_idle_is_stopped_and_not_resized_as_well(make):
    found = recommend(fleet(make), now=NOW, metrics=metrics(peak=3.0))
    assert {one.kind for one in found.items} == {"idle"}


def test_without_an_offer_no_commitment_is_advised(make):
    assert not of_kind(recommend(fleet(make), now=NOW), "commitment")


def test_a_commitment_covers_what_the_other_advice_leaves(make):
    bill = fleet(make)
    moves = frozenset(one.id for one in of_kind(recommend(bill, now=NOW), "family"))
    alone = of_kind(recommend(bill, now=NOW, terms=Terms(offers=(PLAN,), rejected=moves)), "commitment")[0]
    after = of_kind(recommend(bill, now=NOW, terms=Terms(offers=(PLAN,)), metrics=metrics()), "commitment")[0]
    assert alone.saving.expected > 0
    assert after.saving.expected == pytest.approx(alone.saving.expected / 4, rel=0.01)
    assert "a quote of 2026-03-30" in after.trouble_from
    assert recommend(bill, now=NOW, terms=Terms(offers=(PLAN,)), metrics=metrics()).items[-1].kind == "commitment"


def test_machines_under_a_commitment_are_not_committed_on_again(make):
    found = recommend(fleet(make, pricing_category="Committed"), now=NOW, terms=Terms(offers=(PLAN,)))
    assert not of_kind(found, "commitment")


def test_a_reservation_is_bought_by_the_instance_and_a_plan_by_the_money(make):
    bill = fleet(make)
    plan = of_kind(recommend(bill, now=NOW, terms=Terms(offers=(PLAN,))), "commitment")[0]
    assert "Savings Plans > Purchase; hourly commitment" in plan.command
    assert "returned within 7 days" in plan.rollback
    facts = {"source": "AWS", "term": timedelta(days=365), "region": "us-east-1", "family": "m5", "reservation": True}
    offer = Offer(name="a reservation", discount=0.4, **facts)
    found = recommend(bill, now=NOW, terms=Terms(offers=(PLAN, offer)))
    first = of_kind(found, "commitment")[0]
    assert first.resources == ("a reservation",)
    assert "EC2 in us-east-1 > Reserved Instances > Purchase: m5" in first.command
    assert "can be sold" in first.rollback
    assert first.saving.low <= first.saving.expected <= first.saving.high


def test_a_plan_that_can_be_returned_says_until_when_and_how(make):
    offer = replace(PLAN, returnable=True)
    early = (datetime(2026, 4, 3, tzinfo=UTC) - START).days
    bill = fleet(make, days=early)
    found = of_kind(recommend(bill, now=START + timedelta(days=early), terms=Terms(offers=(offer,))), "commitment")[0]
    assert "by 2026-04-10 00:00 UTC" in found.rollback
    assert "aws savingsplans return-savings-plan" in found.rollback
    assert "once it can no longer be returned" in found.risk


def test_what_one_commitment_covers_is_not_committed_on_again():
    flat = {("us-east-1", "m5"): np.full(48, 3.0), ("us-east-1", "c5"): np.full(48, 1.0)}
    hours = Hours(START, flat)
    family = Offer(name="m5", discount=0.4, source="x", term=timedelta(days=365), region="us-east-1", family="m5")
    assert hours.of(family).tolist() == [3.0] * 48
    left = hours.without(family, 2.0)
    assert left.of(family)[0] == pytest.approx(1.0)
    assert left.of(PLAN)[0] == pytest.approx(2.0)
    assert left.without(PLAN, 5.0).of(PLAN).max() == 0.0
    assert hours.days == 2
