from __future__ import annotations

import numpy as np
import pytest

from aws_auto.ml.forecast import conformal
from aws_auto.ml.forecast.boosted import QuantileBooster, least_absolute
from aws_auto.ml.forecast.daily_cost import DailyCostPanel
from aws_auto.ml.forecast.demand import DemandPanel
from aws_auto.ml.forecast.grid import HourGrid
from aws_auto.ml.forecast.naive import ErrorBand

LEVELS = (0.1, 0.5, 0.9)


def test_the_robust_line_is_not_moved_by_a_few_wild_points():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    y = x @ [2.0, -1.0] + rng.normal(0, 0.01, 500)
    y[:50] += 1000
    np.testing.assert_allclose(least_absolute(x, y), [2, -1], atol=0.02)


def test_boosted_quantiles_never_cross_and_hold_about_their_share():
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, (4000, 1))
    y = x[:, 0] + rng.normal(0, 0.1 + x[:, 0], 4000)
    model = QuantileBooster.fit(x[:3000], x[:3000], y[:3000], LEVELS, seed=0)
    q = model.predict(x[3000:], x[3000:])
    assert (np.diff(q, axis=1) >= 0).all()
    assert 0.72 < ((y[3000:] >= q[:, 0]) & (y[3000:] <= q[:, 2])).mean() < 0.88


def test_the_same_rows_and_seed_give_the_same_bytes():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(500, 3))
    first, second = (QuantileBooster.fit(x, x, x[:, 0], LEVELS, seed=5).parts() for _ in range(2))
    assert first == second


def test_a_stored_booster_answers_the_same():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 3))
    model = QuantileBooster.fit(x, x, x[:, 0], LEVELS, seed=0)
    assert (QuantileBooster.of_parts(*model.parts()).predict(x, x) == model.predict(x, x)).all()


def test_stretched_intervals_hold_what_they_promise_on_new_points():
    rng = np.random.default_rng(4)
    y, scale = rng.normal(0, 3, 4000), np.ones(4000)
    q = np.tile([-1.0, 0.0, 1.0], (4000, 1))
    factors = conformal.stretch(y[:2000], q[:2000], LEVELS, scale[:2000])
    wide = conformal.stretched(q[2000:], factors, LEVELS, scale[2000:])
    assert ((y[2000:] >= wide[:, 0]) & (y[2000:] <= wide[:, 2])).mean() == pytest.approx(0.8, abs=0.03)


def test_without_held_back_rows_nothing_is_stretched():
    factors = conformal.stretch(np.full(50, np.nan), np.zeros((50, 3)), LEVELS, np.ones(50))
    assert factors.tolist() == [1.0, 1.0, 1.0]


def test_the_error_band_has_its_own_errors_by_resource_and_pooled_ones_for_strangers():
    errors = np.stack([np.full((40, 1), 1.0), np.full((40, 1), 10.0)])
    band = ErrorBand.fit("rule", ("a", "b"), errors, np.array([10.0, 100.0]), LEVELS)
    known = band.around(np.zeros((1, 1, 1)), ["b"], np.full((1, 1), 100.0))
    stranger = band.around(np.zeros((1, 1, 1)), ["z"], np.full((1, 1), 50.0))
    assert known.ravel().tolist() == [10.0, 10.0, 10.0]
    assert stranger.ravel().tolist() == [5.0, 5.0, 5.0]
    assert ErrorBand.from_json(band.to_json()).own.tolist() == band.own.tolist()


def _grid(seed=0, resources=2, hours=400):
    rng = np.random.default_rng(seed)
    values = 10 + 5 * np.sin(np.arange(hours) / 24 * 2 * np.pi) + rng.normal(0, 1, (resources, hours))
    values[rng.random(values.shape) < 0.05] = np.nan
    return HourGrid(tuple("abcdef"[:resources]), 490_000, values)


@pytest.mark.parametrize("kind", ["demand", "cost"])
def test_a_design_never_looks_past_its_origin(kind):
    whole = _grid()
    origins = np.arange(200, 300, 7)

    def panel(grid):
        if kind == "demand":
            return DemandPanel(grid)
        return DailyCostPanel(grid, np.zeros((2, grid.hours, 1)))

    seen = panel(whole).design(origins)
    for place, origin in enumerate(origins):
        cut = HourGrid(whole.resources, whole.first, whole.values[:, : origin + 1])
        alone = panel(cut).design(np.array([origin]))
        np.testing.assert_array_equal(alone.features[:, 0], seen.features[:, place])
        np.testing.assert_array_equal(alone.base[:, 0], seen.base[:, place])
        for name, rule in alone.rules.items():
            np.testing.assert_array_equal(rule[:, 0], seen.rules[name][:, place])


def test_lags_of_the_demand_design_are_what_the_grid_holds():
    grid = _grid()
    design = DemandPanel(grid).design(np.array([250]))
    np.testing.assert_array_equal(design.truth[:, 0], grid.values[:, 251:255])
    yesterday = design.rules["same hour yesterday"][:, 0]
    known = np.isfinite(grid.values[:, 227:231])
    np.testing.assert_array_equal(yesterday[known], grid.values[:, 227:231][known])


def test_the_cost_target_is_the_sum_of_the_next_day():
    grid = HourGrid(("a",), 0, np.arange(100.0)[None])
    design = DailyCostPanel(grid, np.zeros((1, 100, 0))).design(np.array([30]))
    assert design.truth.item() == pytest.approx(sum(range(31, 55)))
    assert design.rules["cost of the last day"].item() == pytest.approx(sum(range(7, 31)))


def test_the_base_of_the_line_is_finite_wherever_the_scale_is():
    grid = _grid(hours=600)
    design = DemandPanel(grid).design(np.arange(30, 590))
    assert np.isfinite(design.base[design.answerable()]).all()
