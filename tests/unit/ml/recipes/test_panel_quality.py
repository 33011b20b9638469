"""What the monitor asks a forecasting champion: how it did on hours that came after its training."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import UsageError
from aws_auto.frame import MetricFrame
from aws_auto.ml.forecast.demand import HORIZON
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


def served(recipe, files, rows):
    return recipe.load(files).predict(rows).filter(pl.col("timestamp") == rows["timestamp"].max())


def test_what_is_served_is_what_a_model_says_that_was_told_hour_by_hour_since_its_training(trained):
    recipe, files = trained
    rows = demand(DAYS).data
    predictor = recipe.load(files)
    panel = predictor.panel_of(rows, predictor.settings)
    model = predictor.forecaster
    for hour in range(24 * (DAYS - 2), 24 * DAYS):
        answers, model = model.played(panel.design(np.arange(hour - HORIZON, hour + 1)))
    for word, level in (("low", 0.1), ("expected", 0.5), ("high", 0.9)):
        said = served(recipe, files, rows).sort("resource_id")[f"{word}_4h"]
        np.testing.assert_allclose(said, answers[:, -1, -1, model.levels.index(level)])
    assert not np.allclose(predictor.forecaster.quantiles(panel.design(np.array([hour]))), answers[:, -1:])


def test_an_answer_is_the_same_whether_it_is_asked_alone_or_with_all_that_came_before(trained):
    recipe, files = trained
    rows = demand(DAYS).data
    cut = rows.filter(pl.col("timestamp") <= START + timedelta(hours=24 * DAYS - 20))
    both = recipe.load(files).predict(rows).join(served(recipe, files, cut), on=["resource_id", "timestamp"])
    assert len(both) == 3
    np.testing.assert_allclose(both["expected_4h"], both["expected_4h_right"])


def test_quantiles_of_the_next_hours_are_those_of_predict_and_further_ones(trained):
    recipe, files = trained
    rows = demand(DAYS).data
    table = recipe.load(files).quantiles(rows, (0.99, 0.5, 0.1, 0.05))
    assert table.columns == ["resource_id", "timestamp", "horizon", "q0.99", "q0.5", "q0.1", "q0.05"]
    assert table["horizon"].to_list() == [1, 2, 3, 4] * 3
    assert table["timestamp"][0] == rows["timestamp"].max() + timedelta(hours=1)
    assert (table["q0.99"] > table["q0.5"]).all()
    assert (table["q0.05"] < table["q0.1"]).all()
    said = served(recipe, files, rows).sort("resource_id")
    first = table.filter(pl.col("horizon") == 1)
    np.testing.assert_allclose(first["q0.5"], said["expected_1h"])
    np.testing.assert_allclose(first["q0.1"], said["low_1h"])


def test_a_whole_day_ahead_is_answered_by_the_calendar_and_follows_the_rhythm(trained):
    recipe, files = trained
    frame = demand(DAYS)
    past = frame.between(end=START + timedelta(days=DAYS - 1)).data
    table = recipe.load(files).quantiles(past, (0.1, 0.5, 0.9), horizon=24)
    assert table["horizon"].to_list() == [*range(1, 25)] * 3
    both = table.join(frame.data, on=["resource_id", "timestamp"])
    assert len(both) == 72
    assert ((both["q0.5"] - both["request_count"]).abs() / both["request_count"]).mean() < 0.1
    inside = (both["request_count"] >= both["q0.1"]) & (both["request_count"] <= both["q0.9"])
    assert 0.6 < inside.mean() < 0.97


@pytest.mark.parametrize("horizon", [0, 25])
def test_a_horizon_beyond_a_day_is_refused_with_what_there_is(trained, horizon):
    recipe, files = trained
    with pytest.raises(UsageError, match="looks 1 to 24 hours ahead"):
        recipe.load(files).quantiles(demand(DAYS).data, (0.5,), horizon=horizon)


def test_a_level_that_is_none_is_refused(trained):
    recipe, files = trained
    with pytest.raises(UsageError, match="1 is no quantile level"):
        recipe.load(files).quantiles(demand(DAYS).data, (0.5, 1))


def test_without_history_there_are_no_quantiles(trained):
    recipe, files = trained
    table = recipe.load(files).quantiles(demand(DAYS).data.with_columns(request_count=pl.lit(None, pl.Float64)), (0.5,))
    assert table.is_empty()
    assert table.columns == ["resource_id", "timestamp", "horizon", "q0.5"]
