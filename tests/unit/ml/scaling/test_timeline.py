from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.scaling.fleet import Offer
from aws_auto.ml.scaling.requirements import offers_of, present_offer
from aws_auto.ml.scaling.timeline import LEVELS, Constraints, exceeding, guarded, mixed, plan_fleet

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
ONE = Offer(name="m6i.large", capacity=1.0, price=0.096)
RUNNING = {("m6i.large", "on-demand"): 4}


def around(*middles):
    """Quantiles of a need that is spread evenly, 20 % around the middle."""
    return np.array([[m * (0.8 + 0.4 * level) for level in LEVELS] for m in middles])


def planned(*middles, constraints=None, reactive=0.0, offers=(ONE,), running=None):
    need = around(*middles)
    return plan_fleet(
        "web",
        starts=[START + timedelta(hours=h) for h in range(len(middles))],
        demand=need * 10,
        need=need,
        reactive=reactive,
        running=RUNNING if running is None else running,
        constraints=constraints or Constraints(),
        offers=offers,
    )


def test_each_hour_has_the_fewest_whole_instances_that_keep_the_promise():
    plan = planned(5.0, 9.0, constraints=Constraints(slo=0.1))
    assert [s.total for s in plan.steps] == [6, 11]
    for step, need in zip(plan.steps, around(5.0, 9.0), strict=True):
        assert step.short <= 0.1
        assert exceeding(need, step.total - 1) > 0.1
    assert plan.usd == pytest.approx(17 * 0.096)
    assert plan.usd_difference == pytest.approx((17 - 8) * 0.096)
    assert plan.steps[0].launch == START - timedelta(minutes=5)
    assert plan.resources == {"m6i.large on-demand": {"min": 6, "max": 11, "now": 4, "next": 6}}
    assert plan.most >= 11


def test_the_first_hour_never_falls_below_what_the_present_load_needs():
    assert planned(1.0, 1.0, reactive=3.4, running={("m6i.large", "on-demand"): 0}).steps[0].total == 4


def test_the_fleet_shrinks_later_and_slower_than_the_need_and_grows_at_once():
    counts = np.array([[10], [2], [2], [2], [9]])
    one = np.array([1.0])
    out = guarded(counts, np.array([4]), one, Constraints(hold=timedelta(hours=2), shrink=0.4))
    assert out.ravel().tolist() == [10, 10, 10, 6, 9]
    at_once = guarded(counts, np.array([4]), one, Constraints(hold=timedelta(0), shrink=1.0))
    assert at_once.ravel().tolist() == counts.ravel().tolist()
    bounded = guarded(np.array([[2]]), np.array([8]), one, Constraints(most=5))
    assert bounded.ravel().tolist() == [2]


def test_a_change_of_types_keeps_only_what_is_missing_of_the_old_ones():
    size = np.array([1.0, 4.0])
    assert guarded(np.array([[0, 2]]), np.array([6, 0]), size, Constraints()).tolist() == [[0, 2]]
    assert guarded(np.array([[0, 1]]), np.array([6, 0]), size, Constraints()).tolist() == [[2, 1]]


def test_a_bound_or_a_budget_that_is_too_low_is_kept_or_told():
    plan = planned(9.0, 9.0, 3.0, constraints=Constraints(most=6, budget=0.5))
    assert max(s.total for s in plan.steps) == 6
    assert any("bound of 6 instances is too low for the promise in 2 of 3 hours" in n for n in plan.notes)
    assert any("budget of 0.5 USD an hour" in n for n in plan.notes)
    assert plan.steps[0].short > 0.9
    assert planned(3.0, constraints=Constraints(budget=9.0)).notes == ()


def test_the_cheapest_mix_of_types_is_taken_and_spot_only_as_far_as_it_is_allowed():
    large = Offer(name="m6i.2xlarge", capacity=4.0, price=0.30)
    plan = planned(16.0, offers=(ONE, large), running={})
    first = plan.steps[0]
    assert first.capacity >= 19
    assert first.usd <= min(5 * large.price, 19 * ONE.price)
    assert set(first.instances) == {"m6i.large on-demand", "m6i.2xlarge on-demand"}
    spot = Offer(name="m6i.large", capacity=1.0, price=0.03, purchase="spot", reclaim=0.02)
    half = planned(10.0, offers=(ONE, spot), running={}, constraints=Constraints(spot_share=0.5))
    assert 0 < half.steps[0].instances["m6i.large spot"] <= half.steps[0].total / 2


def test_an_unknown_price_is_unknown_and_types_cannot_be_chosen_among_then():
    unpriced = Offer(name="task", capacity=1.0, price=float("nan"))
    plan = planned(5.0, offers=(unpriced,), running={("task", "on-demand"): 2})
    assert plan.steps[0].total == 6
    assert (plan.usd, plan.usd_now, plan.usd_difference) == (None, None, None)
    with pytest.raises(UsageError, match="each has a price"):
        planned(5.0, offers=(unpriced, ONE))


@pytest.mark.parametrize(
    "wrong", [{"least": -1}, {"least": 5, "most": 3}, {"most": 0}, {"slo": 0.0}, {"shrink": 0.0}, {"spot_share": 2.0}]
)
def test_constraints_that_nothing_can_fulfil_are_refused(wrong):
    with pytest.raises(UsageError):
        Constraints(**wrong)


def test_the_spread_of_demand_and_of_what_it_asks_for_add_up():
    demand = around(10.0)
    sure = np.zeros((1, len(LEVELS), 3))
    levels = (0.1, 0.5, 0.9)
    assert mixed(demand, sure, levels)[0] == pytest.approx(demand[0], rel=0.01)
    unsure = np.broadcast_to(np.log([0.7, 1.0, 1.3]), (1, len(LEVELS), 3))
    wider = mixed(demand, unsure, levels)[0]
    assert wider[LEVELS.index(0.5)] == pytest.approx(10.0, rel=0.03)
    assert wider[-1] - wider[0] > 1.2 * (demand[0, -1] - demand[0, 0])


def test_what_was_never_seen_is_never_certain():
    row = around(10.0)[0]
    assert exceeding(row, 1e9) == pytest.approx(0.005)
    assert exceeding(row, 0.0) == pytest.approx(0.975)
    assert exceeding(row, 10.0) == pytest.approx(0.5)


def facts(**columns):
    return pl.DataFrame({"resource_id": ["web"], **{k: [v] for k, v in columns.items()}})


def test_the_present_pool_has_the_price_that_is_paid_else_the_listed_one():
    rows = facts(instance_type="m6i.large", region="us-east-1", purchase_option="spot")
    assert present_offer(rows, "web", 0.04) == Offer(name="m6i.large", capacity=1.0, price=0.04, purchase="spot")
    listed = present_offer(rows.drop("purchase_option"), "web", float("nan"))
    assert (listed.price, listed.purchase) == (pytest.approx(0.096, rel=0.1), "on-demand")
    assert present_offer(facts(resource_type="ecs"), "web", float("nan")).name == "task"
    assert present_offer(facts(), "web", float("nan")).name == "instance"


def test_other_types_carry_what_their_cpus_say_and_a_spot_price_is_the_users():
    found = offers_of(ONE, "us-east-1", ["m6i.xlarge"], {"m6i.xlarge": 0.05}, reclaim=0.1)
    assert [(o.name, o.purchase, o.capacity) for o in found] == [
        ("m6i.large", "on-demand", 1.0),
        ("m6i.xlarge", "on-demand", 2.0),
        ("m6i.xlarge", "spot", 2.0),
    ]
    assert (found[2].price, found[2].reclaim) == (0.05, 0.1)
    with pytest.raises(UsageError, match="not known"):
        offers_of(ONE, "eu-west-1", ["m6i.xlarge"], {}, reclaim=0.1)
