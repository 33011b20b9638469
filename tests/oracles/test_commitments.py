"""The critical fractile and the laddered cost against trying everything, hour by hour."""

from __future__ import annotations

import numpy as np

from aws_auto.ml.cost.commitments import Scenarios, _savings, best_level, best_plan, cost


def test_no_level_costs_less_than_the_quantile_at_the_discount():
    rng = np.random.default_rng(0)
    for _ in range(100):
        hours = np.round(rng.gamma(2.0, 3.0, rng.integers(5, 200)), 1)
        discount = float(rng.uniform(0.05, 0.9))
        spent = cost(hours, best_level(hours, discount), discount).sum()
        assert all(spent <= cost(hours, level, discount).sum() + 1e-6 for level in (0.0, *hours))


def test_the_plan_is_the_cheapest_of_all_levels_and_ladders():
    rng = np.random.default_rng(1)
    for seed in range(5):
        paths = rng.gamma(4.0, 1.0, (6, 24 * 28))
        falls = rng.uniform(0, 1.5 * paths.shape[1], 6)
        paths[np.arange(paths.shape[1])[None] >= falls[:, None]] *= 0.3
        discount = 0.2 + 0.1 * seed
        _, tranches = plan = best_plan(Scenarios(paths, falls), discount)
        spent = _spent(paths, falls, *plan, discount)
        for other in (1, 2, 4):
            for level in np.quantile(paths, np.linspace(0.01, 0.99, 25)):
                assert spent <= _spent(paths, falls, float(level), other, discount) + 1e-9
        saved = _savings(Scenarios(paths, falls), plan[0], tranches, discount)
        whole = paths.sum(axis=1)
        assert np.isclose(((1 - saved) * whole).sum(), spent)


def _spent(paths: np.ndarray, falls: np.ndarray, level: float, tranches: int, discount: float) -> float:
    """A tranche is bought at the start of each week while usage has not fallen."""
    total = 0.0
    for path, fall in zip(paths, falls, strict=True):
        held, bought = 0.0, 0
        for hour, value in enumerate(path):
            if hour % 168 == 0 and bought < tranches and hour <= fall:
                held, bought = held + level / tranches, bought + 1
            total += held * (1 - discount) + max(value - held, 0.0)
    return total
