"""The documented classes stand on the same recipes as the command line, and give the same figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotFitted
from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly_detection import AnomalyDetectionAI
from aws_auto.ml.cost_optimization import CostOptimizationAI
from aws_auto.ml.predictive_scaling import PredictiveScalingAI
from aws_auto.ml.recipes import catalog
from aws_auto.results import as_json

START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    hours = 16 * 24
    times = [START + timedelta(hours=h) for h in range(hours)]
    wave = 1.5 + np.sin(np.arange(hours) / 24 * 2 * np.pi)
    return pl.concat(
        pl.DataFrame(
            {
                "resource_id": name,
                "timestamp": times,
                "request_count": 100 * wave + rng.normal(0, 3, hours),
                "cpu_utilization_max": 1.0 + rng.uniform(0, 1, hours),
                "hourly_cost": 0.1 + 0.01 * rng.random(hours),
            }
        )
        for name in ("a", "b")
    )


@pytest.fixture(scope="module")
def reports(table):
    """Three trained doors and what they reported, by recipe."""
    anomaly, cost, scaling = AnomalyDetectionAI(), CostOptimizationAI(), PredictiveScalingAI()
    return {
        "anomaly-detector": (anomaly, anomaly.train(table, seed=4)),
        "cost-optimizer": (cost, cost.train_cost_optimization_model(table, seed=4)["cost_predictor"]),
        "demand-forecaster": (scaling, scaling.train_scaling_models(table, seed=4)["demand_forecasting"]),
    }


@pytest.mark.parametrize("name", ["anomaly-detector", "cost-optimizer", "demand-forecaster"])
def test_a_door_trains_the_recipe_that_the_command_line_trains(name, table, reports):
    model = catalog.get(name).fit(MetricFrame.of(table), seed=4)
    assert as_json(reports[name][1]) == as_json(model.report)


def test_detected_anomalies_come_with_the_documented_keys(table, reports):
    door = reports["anomaly-detector"][0]
    spiked = table.with_row_index().with_columns(
        request_count=pl.when(pl.col("index").is_between(300, 302)).then(900.0).otherwise("request_count")
    )
    found = door.detect_anomalies(spiked.drop("index"))
    documented = {"detected_anomalies", "severity_scores", "root_cause_analysis", "recommended_actions"}
    assert set(found) == {*documented, "models"}
    planted = [a for a in found["detected_anomalies"] if a["start"] <= START + timedelta(hours=300) <= a["end"]]
    assert [(a["resource_id"], a["metric"]) for a in planted] == [("a", "request_count")]
    assert found["severity_scores"][planted[0]["anomaly_id"]] > 0.5
    cause = next(c for c in found["root_cause_analysis"] if c["anomaly_id"] == planted[0]["anomaly_id"])
    assert set(cause) >= {
        "anomaly_id",
        "primary_cause",
        "contributing_factors",
        "correlated_metrics",
        "pattern_match",
        "confidence_score",
    }
    assert ("a", "request_count") not in [(f["resource_id"], f["metric"]) for f in cause["contributing_factors"]]
    assert 0 <= cause["confidence_score"] <= 1
    assert door.perform_root_cause_analysis(planted) == [cause]


def test_causes_cannot_be_asked_for_before_there_are_metrics():
    with pytest.raises(NotFitted, match="no metrics"):
        AnomalyDetectionAI().perform_root_cause_analysis([])


def test_quiet_data_gives_empty_lists_with_the_same_keys(table, reports):
    door = reports["anomaly-detector"][0]
    quiet = table.filter(pl.col("timestamp") < START + timedelta(hours=2))
    assert door.detect_anomalies(quiet)["detected_anomalies"] == []


def test_cost_predictions_come_with_the_documented_keys_and_as_the_table_that_was_given(table, reports):
    door = reports["cost-optimizer"][0]
    pandas = table.to_pandas()
    answer = door.predict_cost_optimizations(pandas)
    assert set(answer) == {"predictions", "recommendations", "confidence_score", "expected_savings"}
    forecast = answer["predictions"]["cost_forecast"]
    assert type(forecast) is type(pandas)
    assert len(forecast) == len(pandas)
    assert {r["resource_id"] for r in answer["recommendations"]} == {"a", "b"}
    assert answer["expected_savings"] == pytest.approx(2 * 0.105 * 730, rel=0.02)
    assert 0 <= answer["confidence_score"] <= 1


def test_demand_is_forecast_for_every_row(table, reports):
    door = reports["demand-forecaster"][0]
    answer = door.forecast_demand(table)
    assert isinstance(answer, pl.DataFrame)
    last = answer.tail(1).row(0, named=True)
    assert last["low_4h"] <= last["expected_4h"] <= last["high_4h"]


def test_asking_before_training_says_what_to_call():
    for ask in (
        lambda: AnomalyDetectionAI().detect_anomalies(None),
        lambda: CostOptimizationAI().predict_cost_optimizations(None),
        lambda: PredictiveScalingAI().forecast_demand(None),
    ):
        with pytest.raises(NotFitted) as caught:
            ask()
        assert "train" in caught.value.hint
