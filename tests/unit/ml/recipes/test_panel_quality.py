"""What the monitor asks a forecasting champion: how it did on hours that came after its training."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.recipes import catalog

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 24


def demand(days, *, level=1.0):
    rng = np.random.default_rng(4)
    hours = np.arange(24 * days)
    frames = []
    for name, size in (("a", 100.0), ("b", 900.0), ("c", 40.0)):
        wave = 1 + 0.6 * np.sin(2 * np.pi * hours / 24) + 0.1 * (hours // 24 % 7 >= 5)
        late = np.where(hours >= 24 * (days - 2), level, 1.0)
        values = size * wave * late * rng.normal(1, 0.05, len(hours))
        times = [START + timedelta(hours=int(h)) for h in hours]
        frames.append(pl.DataFrame({"resource_id": name, "timestamp": times, "request_count": values}))
    return MetricFrame.of(pl.concat(frames))


@pytest.fixture(scope="module")
def trained():
    recipe = catalog.get("demand-forecaster")
    frame = demand(DAYS)
    past = frame.between(end=START + timedelta(days=DAYS - 2))
    return recipe, recipe.fit(past, seed=0).files


def test_a_champion_is_judged_on_the_hours_since_its_training_only(trained):
    recipe, files = trained
    since = START + timedelta(days=DAYS - 2)
    found = recipe.evaluate(files, demand(DAYS), since=since)
    assert found.backtest.n == 3
    assert found.backtest.unit_of_n == "resources"
    assert found.accuracy > 0.9
    assert not found.degraded


def test_nothing_is_said_before_truth_has_arrived(trained):
    recipe, files = trained
    assert recipe.evaluate(files, demand(DAYS), since=START + timedelta(days=DAYS)) is None


def test_one_resource_is_too_few_to_say_anything(trained):
    recipe, files = trained
    lonely = MetricFrame.of(demand(DAYS).data.filter(pl.col("resource_id") == "a"))
    assert recipe.evaluate(files, lonely, since=START + timedelta(days=DAYS - 2)) is None


def test_a_changed_world_lowers_the_accuracy(trained):
    recipe, files = trained
    since = START + timedelta(days=DAYS - 2)
    usual, changed = (recipe.evaluate(files, demand(DAYS, level=level), since=since) for level in (1.0, 3.0))
    assert changed.accuracy < usual.accuracy


def test_alarms_cannot_be_judged_without_labels():
    recipe = catalog.get("anomaly-detector")
    assert recipe.evaluate({}, demand(DAYS), since=START) is None
    assert recipe.history == timedelta(0)


def test_a_model_that_is_told_what_came_answers_differently_and_is_not_fitted_again(trained):
    recipe, files = trained
    rows = demand(DAYS).data
    predictor = recipe.load(files)
    told = predictor.observed(rows, since=START + timedelta(days=DAYS - 2))
    assert told.forecaster.boosters is predictor.forecaster.boosters
    assert not told.predict(rows.tail(240)).equals(predictor.predict(rows.tail(240)))
    assert predictor.observed(rows, since=START + timedelta(days=DAYS + 1)) is predictor
