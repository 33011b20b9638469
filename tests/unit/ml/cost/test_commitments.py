"""How much to commit follows the level of today and how often usage fell, and never invents a rate."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from aws_auto.errors import NotEnoughData
from aws_auto.ml.cost.commitments import PREMIUM, Offer, Plan, best_level, best_plan, cost, decide, look_back_level
from aws_auto.ml.cost.commitments_scenarios import fallen, scenarios, shifts


def offer(discount: float = 0.34, days: int = 30) -> Offer:
    return Offer(name="a plan", discount=discount, source="a quote of today", term=timedelta(days=days))


def usage(days: int = 60, *, seed: int = 0) -> np.ndarray:
    """Ten an hour, less at night and on weekends."""
    rng = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    shape = 10.0 - 2.0 * (hours % 24 < 8) - 3.0 * (hours // 24 % 7 >= 5)
    return shape * (1 + 0.02 * rng.standard_normal(len(hours)))


def test_a_commitment_below_usage_costs_its_fee_and_the_rest_on_demand():
    assert cost(np.array([10.0, 2.0]), 4.0, 0.25).tolist() == [9.0, 3.0]


def test_steady_usage_is_committed_as_the_look_back_would():
    hours = usage()
    said = decide(hours, offer(), seed=0)
    assert said.level == pytest.approx(look_back_level(hours, 0.34), rel=0.15)
    assert said.saving > said.look_back_saving - PREMIUM
    assert said.falls_seen == 0
    assert said.first >= 0.5
    assert said.pays == pytest.approx(said.level * 0.66)
    assert said.low <= said.saving <= said.high


def test_after_a_fall_two_days_ago_the_level_is_that_of_today_not_of_the_month():
    hours = usage()
    hours[-48:] *= 0.5
    said = decide(hours, offer(), seed=0)
    assert said.falls_seen == 1
    assert said.level == pytest.approx(0.5 * look_back_level(usage(), 0.34), rel=0.15)
    assert said.look_back_saving < 0 < said.saving


def test_a_weekend_is_no_fall():
    assert shifts(usage(58)) == ()
    assert shifts(usage(62)) == ()


def test_a_rise_is_believed_after_a_week_and_a_fall_after_a_day():
    risen, fallen = usage(), usage()
    risen[-72:] *= 2.0
    assert shifts(risen) == ()
    risen = usage()
    risen[-8 * 24 :] *= 2.0
    assert [round(one.ratio, 1) for one in shifts(risen)] == [2.0]
    fallen[-24:] *= 0.6
    assert [one.day for one in shifts(fallen)] == [59]


def test_frequent_falls_lower_the_level_or_ladder_it_and_the_look_back_would_lose():
    hours = usage()
    calm, wild = (decide(hours, offer(0.19), seed=0, falls_a_year=n) for n in (0.0, 20.0))
    assert calm.trouble == 0.0
    assert wild.look_back_saving < 0.0 < wild.saving < calm.saving
    assert wild.level < 0.9 * calm.level or wild.first < 0.9


def test_where_usage_falls_soon_less_is_bought_at_once():
    hours = usage()
    ahead = scenarios(hours, (), hours=24 * 28, rate=1 / 14, depths=(0.75,), seed=1)
    plan = best_plan(ahead, fallen(ahead, (0.75,), days=30, seed=1), 0.55)
    assert plan.first < 1.0
    assert plan.level > 0


def test_a_ladder_costs_no_more_than_its_premium_while_nothing_happens():
    ahead = scenarios(usage(), (), hours=24 * 30, rate=0.0, depths=(0.5,), seed=1)
    plan = best_plan(ahead, fallen(ahead, (0.5,), days=30, seed=1), 0.19)
    plain = Plan(best_level(ahead.paths, 0.19))
    held = [cost(ahead.paths, one.level * one.held(ahead.at, np.inf), 0.19).mean() for one in (plan, plain)]
    assert plan != plain
    assert held[0] - held[1] <= PREMIUM * ahead.paths.mean() * 1.0001
    soon = fallen(ahead, (0.5,), days=30, seed=9)
    after = [cost(soon.paths, one.level * one.held(soon.at, soon.falls_at), 0.19).mean() for one in (plan, plain)]
    assert after[0] < after[1]


def test_of_a_ladder_nothing_is_bought_after_the_fall():
    held = Plan(10.0, 0.4, 3).held(np.array([0.0, 167.0, 168.0, 336.0, 504.0, 999.0]), np.array([np.inf, 200.0]))
    assert held[0].tolist() == pytest.approx([0.4, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert held[1].tolist() == pytest.approx([0.4, 0.4, 0.6, 0.6, 0.6, 0.6])


def test_under_stress_every_path_falls_within_thirty_days():
    ahead = scenarios(usage(), (), hours=24 * 60, rate=0.0, depths=(0.5,), seed=1)
    soon = fallen(ahead, (0.5,), days=30, seed=1)
    assert 0.0 <= soon.falls_at.min() < soon.falls_at.max() <= 30 * 24
    assert soon.paths[:, -24:].mean() == pytest.approx(0.5 * ahead.paths[:, -24:].mean())


def test_no_scenario_has_a_fall_where_none_can_come():
    ahead = scenarios(usage(), (), hours=24 * 14, rate=0.0, depths=(0.5,), seed=1)
    assert not np.isfinite(ahead.falls_at).any()
    assert ahead.paths.min() > 4.0


def test_scenarios_keep_the_weekday():
    """Sixty days end on a Thursday of the made-up week, so the third and fourth day ahead are a weekend."""
    ahead = scenarios(usage(61), (), hours=24 * 7, rate=0.0, depths=(0.5,), seed=1)
    days = ahead.paths.reshape(len(ahead.paths), 7, 24).mean(axis=(0, 2))
    weekend = [day for day in range(7) if (61 + day) % 7 >= 5]
    assert sorted(np.argsort(days)[:2].tolist()) == weekend


def test_the_same_seed_gives_the_same_commitment():
    assert decide(usage(), offer(), seed=4) == decide(usage(), offer(), seed=4)


def test_less_than_a_fortnight_is_refused():
    with pytest.raises(NotEnoughData, match="13 days"):
        decide(usage(13), offer(), seed=0)


@pytest.mark.parametrize("discount", [0.0, 1.0, 34.0])
def test_a_discount_that_is_none_is_refused(discount: float):
    with pytest.raises(ValueError, match="between 0 and 1"):
        offer(discount)


def test_the_best_level_is_the_quantile_at_the_discount():
    assert best_level(np.arange(1.0, 101.0), 0.34) == 34.0
