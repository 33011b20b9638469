"""The critical fractile and the plan with its ladder and premium against trying everything, hour by hour."""

from __future__ import annotations

import numpy as np

from aws_auto.ml.cost.commitments import _LADDERS, FELL, PREMIUM, Plan, _savings, best_level, best_plan, cost
from aws_auto.ml.cost.commitments_scenarios import Scenarios


def test_no_level_costs_less_than_the_quantile_at_the_discount():
    rng = np.random.default_rng(0)
    for _ in range(100):
        hours = np.round(rng.gamma(2.0, 3.0, rng.integers(5, 200)), 1)
        discount = float(rng.uniform(0.05, 0.9))
        spent = cost(hours, best_level(hours, discount), discount).sum()
        assert all(spent <= cost(hours, level, discount).sum() + 1e-6 for level in (0.0, *hours))


def test_the_plan_costs_least_under_stress_of_all_that_cost_little_more_than_the_cheapest():
    rng = np.random.default_rng(1)
    for seed in range(4):
        returns = 7 * (seed % 2)
        ahead, stressed = _scenes(rng, rarely=1.5), _scenes(rng, rarely=1.0)
        discount = 0.2 + 0.2 * seed
        plan = best_plan(ahead, stressed, discount, returns=returns)
        assert plan.returns == returns
        levels = np.quantile(ahead.paths, np.linspace(0.01, 0.99, 25))
        tried = [Plan(float(level), *ladder, returns) for level in levels for ladder in _LADDERS]
        everything = [(_slow(ahead, one, discount), one) for one in tried]
        least = min(spent for spent, _ in everything)
        allowed = least + PREMIUM * ahead.paths.mean()
        assert _slow(ahead, plan, discount) <= allowed + 1e-9
        likely = [one for spent, one in everything if spent <= allowed]
        assert _slow(stressed, plan, discount) <= min(_slow(stressed, one, discount) for one in likely) + 1e-9
        whole = ahead.paths.sum(axis=1)
        saved = _savings(ahead, plan, discount)
        assert np.isclose(((1 - saved) * whole).sum() / ahead.paths.size, _slow(ahead, plan, discount))


def _scenes(rng: np.random.Generator, *, rarely: float) -> Scenarios:
    hours = 24 * 28
    paths = rng.gamma(4.0, 1.0, (4, hours))
    falls = rng.uniform(0, rarely * hours, 4)
    paths[np.arange(hours)[None] >= falls[:, None]] *= 0.3
    return Scenarios(paths, falls, np.full(4, 0.3), np.arange(hours, dtype=float))


def _slow(scenes: Scenarios, plan: Plan, discount: float) -> float:
    """Mean cost of an hour: a part is bought at the start of each of the weeks while usage has not fallen.

    A fall shows at the end of the first day that is `FELL` lower; then all is returned and bought for what is left.
    """
    total = 0.0
    for path, fall, left in zip(scenes.paths, scenes.falls_at, scenes.left, strict=True):
        held, returned = plan.level * plan.first, False
        for hour, value in enumerate(path.tolist()):
            lower = max(hour - max(fall, hour - 24), 0.0) / 24 * (1 - left) >= FELL
            if hour % 24 == 0 and lower and hour <= plan.returns * 24 and not returned:
                held, returned = plan.level * left, True
            if hour and hour % 168 == 0 and hour // 168 <= plan.weeks and hour <= fall:
                held += plan.level * (1 - plan.first) / plan.weeks
            total += held * (1 - discount) + max(value - held, 0.0)
    return total / scenes.paths.size
