"""The models that the specification names: their thresholds, their confidence, and what they cannot do."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest

from aws_auto.ml.anomaly.grid import DAY, grids
from aws_auto.ml.anomaly.models import documented_models
from aws_auto.ml.anomaly.settings import AnomalySettings

START = 1_767_571_200  # Monday 2026-01-05
KINDS = ("univariate", "multivariate", "time_series")
METRICS = ("cpu_utilization", "latency")
SETTINGS = AnomalySettings()


def rows(days=12, name="a", seed=0, period=3600):
    times = START + period * np.arange(days * DAY // period)
    rng = np.random.default_rng(seed)
    wave = np.sin(times / DAY * 2 * np.pi)
    at = pl.from_epoch(pl.Series(times), "s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return pl.DataFrame(
        {
            "resource_id": name,
            "timestamp": at,
            "cpu_utilization": 50 + 20 * wave + rng.normal(0, 1, len(times)),
            "latency": 100 + 40 * wave + rng.normal(0, 2, len(times)),
        }
    )


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    if request.param == "time_series":
        pytest.importorskip("torch", reason="the extra `deep` is not installed")
    return documented_models()[request.param].fitted(grids(rows(), METRICS), SETTINGS, seed=0)


def spiked(table, at):
    return table.with_row_index().with_columns(
        cpu_utilization=pl.when(pl.col("index") == at).then(160.0).otherwise("cpu_utilization"),
    )


def test_a_spike_is_over_the_threshold_and_quiet_hours_are_not(model):
    scores = model.predict(spiked(rows(seed=1), 200))["score"].to_numpy()
    assert scores[200:204].max() >= model.threshold == 0.5
    assert (scores[:200] >= 0.5).mean() < 0.05


def test_no_score_depends_on_what_comes_after_it(model):
    table = spiked(rows(seed=1), 200)
    whole = model.predict(table)["score"].to_numpy()
    assert model.predict(table.head(120))["score"].to_numpy() == pytest.approx(whole[:120], abs=1e-5)


def test_confidence_is_the_share_of_planted_anomalies_that_was_found(model):
    assert 0 < model.confidence_score <= 1


def test_the_budget_sets_the_threshold(model):
    wide = documented_models()[next(k for k in KINDS if documented_models()[k].what == model.what)].fitted(
        grids(rows(), METRICS), AnomalySettings(budget_per_week=30), seed=0
    )
    assert wide.resources["a"].limit < model.resources["a"].limit
    assert wide.confidence_score >= model.confidence_score


def test_missing_values_and_metrics_are_survived_and_strangers_get_no_score(model):
    table = rows(seed=1).with_columns(latency=pl.lit(None, pl.Float64))
    assert np.isfinite(model.predict(table)["score"].to_numpy()).all()
    assert model.predict(rows(name="stranger"))["score"].null_count() == 12 * 24
    assert model.predict(rows().clear()).is_empty()


def test_a_model_that_was_not_fitted_says_so():
    model = documented_models()["univariate"]
    assert model.threshold is None
    assert model.unavailable


def test_a_fleet_without_enough_points_leaves_every_model_unavailable():
    for model in documented_models().values():
        fitted = model.fitted(grids(rows(days=1), METRICS), SETTINGS, seed=0)
        assert fitted.unavailable == "no resource has enough points to learn from"
        assert fitted.confidence_score is None


def test_a_metric_that_is_mostly_missing_is_left_out():
    table = rows().with_columns(latency=pl.when(pl.int_range(pl.len()) % 3 == 0).then("latency"))
    fitted = documented_models()["multivariate"].fitted(grids(table, METRICS), SETTINGS, seed=0)
    assert fitted.resources["a"].metrics == ("cpu_utilization",)


def test_without_torch_only_the_autoencoder_is_missing_and_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    fitted = {k: m.fitted(grids(rows(), METRICS), SETTINGS, seed=0) for k, m in documented_models().items()}
    assert "deep" in fitted["time_series"].unavailable or "torch" in fitted["time_series"].unavailable
    assert [k for k, m in fitted.items() if not m.unavailable] == ["univariate", "multivariate"]
