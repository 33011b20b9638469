from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.forecast.demand import DemandPanel
from aws_auto.ml.forecast.ensemble import USUAL, Blend
from aws_auto.ml.forecast.grid import DAY, HourGrid
from aws_auto.ml.forecast.group import DENSE
from aws_auto.ml.forecast.theta import Theta, theta
from aws_auto.ml.recipes import catalog
from aws_auto.ml.recipes.demand_settings import DemandSettings
from aws_auto.results import Decision

STEPS = (1, 2, 3, 4)
MEDIAN = DENSE.index(0.5)


def rhythm(hours, *, noise=0.0, seed=0):
    """A daily wave."""
    t = np.arange(hours)
    wave = 100 * (1.5 + np.sin(2 * np.pi * t / DAY))
    return wave * np.random.default_rng(seed).lognormal(0, noise, hours)


def test_a_season_without_noise_is_forecast_without_error():
    y = rhythm(400)
    said = theta(y[None], STEPS, cycle=DAY)[:, 0]
    for step, answers in zip(STEPS, said, strict=True):
        np.testing.assert_allclose(answers[200:-step], y[200 + step :], rtol=0.02)


def test_half_of_the_drift_of_a_line_is_added_for_each_hour():
    line = 10.0 + 0.5 * np.arange(600)
    said = theta(line[None], STEPS, cycle=DAY)[:, 0, -1]
    np.testing.assert_allclose(np.diff(said), 0.25, rtol=0.05)


@pytest.mark.parametrize("cycle", [2, 4, 7, 24])
def test_no_answer_knows_an_hour_after_its_own(cycle):
    y = np.stack([rhythm(300, noise=0.1), rhythm(300, noise=0.3, seed=1) - 100])
    whole = theta(y, STEPS, cycle=cycle)
    for cut in (60, 150, 231):
        np.testing.assert_allclose(theta(y[:, :cut], STEPS, cycle=cycle), whole[:, :, :cut], rtol=1e-9)


def test_series_of_every_kind_have_a_finite_answer_where_they_can_be_answered():
    usual = rhythm(400, noise=0.05)
    gap = np.where((np.arange(400) > 330) & (np.arange(400) < 398), np.nan, usual)
    rows = {
        "constant": np.full(400, 7.0),
        "gap": gap,
        "negative": usual - 200,
        "silent": np.full(400, np.nan),
        "sparse": np.where(np.random.default_rng(0).random(400) < 0.6, np.nan, usual),
        "zero": np.zeros(400),
    }
    design = DemandPanel(HourGrid(tuple(rows), 490_000, np.stack(list(rows.values())))).design(np.arange(40, 400))
    group = Theta.fit(design)
    answers = group.members(design)
    known = design.answerable()
    assert np.isfinite(answers[0][known]).all()
    assert np.isnan(answers[0][~known]).all()
    at = dict(zip(rows, answers[0, :, -1, 0, MEDIAN] * design.scale[:, -1] + design.center[:, -1], strict=True))
    assert at["zero"] == pytest.approx(0, abs=1e-6)
    assert at["constant"] == pytest.approx(7, rel=0.01)
    np.testing.assert_array_equal(Theta.of_parts(*group.parts()).members(design), answers)


def test_a_series_whose_values_all_lie_far_back_is_answered_with_its_level():
    values = np.concatenate([rhythm(48), np.full(900, np.nan), [50.0]])
    design = DemandPanel(HourGrid(("a",), 490_000, values[None])).design(np.array([940]))
    assert np.isnan(Theta.fit(design).members(design)).all()


def wandering(hours, seed):
    """A daily wave whose level wanders, so that no day says what the next one is like."""
    rng = np.random.default_rng(seed)
    wander = np.zeros(hours)
    for hour in range(1, hours):
        wander[hour] = 0.95 * wander[hour - 1] + rng.normal(0, 0.05)
    return rhythm(hours) * np.exp(wander)


@pytest.mark.parametrize("members", [("theta",), ("rules", "theta")])
def test_a_recipe_may_name_theta_and_is_stored_and_asked_with_it(members):
    start, hours = datetime(2026, 3, 2, tzinfo=UTC), 24 * 12
    times = [start + timedelta(hours=h) for h in range(hours)]
    history = MetricFrame.of(
        pl.concat(
            pl.DataFrame({"resource_id": name, "timestamp": times, "request_count": wandering(hours, seed)})
            for seed, name in enumerate("abc")
        )
    )
    recipe = catalog.get("demand-forecaster").configured(DemandSettings(members=members))
    model = recipe.fit(history, seed=0)
    assert model.report.decision is Decision.PROMOTE
    predictor = recipe.load(model.files)
    assert "theta" in predictor.forecaster.names
    newest = predictor.predict(history.data).group_by("resource_id").last()
    assert newest["expected_4h"].null_count() == 0


def test_theta_is_a_member_unless_others_are_named():
    assert "theta" in Blend.usual().members
    assert "theta" in USUAL
