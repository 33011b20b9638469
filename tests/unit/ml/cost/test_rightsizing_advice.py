"""A smaller size is advice only where the bill's own rate, type and owner agree with it; what is taken is netted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.cost import prices
from aws_auto.ml.cost.commitments import Offer
from aws_auto.ml.cost.recommend import recommend

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


def test_a_machine_that_changed_its_type_is_left_alone(make):
    fleet(make, 19)
    make.usage("BoxUsage:m5.4xlarge", resource=machine(19), cost=2 * PRICE, instance_type="m5.4xlarge", days=14)
    late = START + timedelta(days=14)
    make.usage(f"BoxUsage:{KIND}", resource=machine(19), cost=PRICE, instance_type=KIND, days=14, start=late)
    found = recommend(make.bill, now=NOW, metrics=metrics())
    assert machine(19) not in {name for one in of_kind(found, "rightsize") for name in one.resources}
    assert "changed its type" in reasons(found)


def test_a_machine_that_is_idle_is_stopped_and_not_resized_as_well(make):
    found = recommend(fleet(make), now=NOW, metrics=metrics(peak=3.0))
    assert {one.kind for one in found.items} == {"idle"}


def test_without_an_offer_no_commitment_is_advised(make):
    assert not of_kind(recommend(fleet(make), now=NOW), "commitment")


def test_a_commitment_covers_what_the_other_advice_leaves(make):
    bill = fleet(make)
    alone = of_kind(recommend(bill, now=NOW, offers=[PLAN]), "commitment")[0]
    after = of_kind(recommend(bill, now=NOW, offers=[PLAN], metrics=metrics()), "commitment")[0]
    assert alone.saving.expected > 0
    assert after.saving.expected == pytest.approx(alone.saving.expected / 4, rel=0.01)
    assert "a quote of 2026-03-30" in after.trouble_from
    assert recommend(bill, now=NOW, offers=[PLAN], metrics=metrics()).items[-1].kind == "commitment"


def test_machines_under_a_commitment_are_not_committed_on_again(make):
    found = recommend(fleet(make, pricing_category="Committed"), now=NOW, offers=[PLAN])
    assert not of_kind(found, "commitment")
