"""The documented class: its keys, its helpers, and answers with and without a bill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotFitted, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml.cost.bill import conformed
from aws_auto.ml.cost.cost_forecast import CostForecast
from aws_auto.ml.cost.usage_patterns_made import PATTERNS
from aws_auto.ml.cost_optimization import CostOptimizationAI
from aws_auto.ml.recipes import catalog, recipe
from aws_auto.protocols import silent
from aws_auto.results import Decision, TrainReport, as_json

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 30
MODELS = {"cost_predictor", "usage_classifier", "anomaly_detector", "optimizer"}


@pytest.fixture(scope="module")
def metrics():
    rng = np.random.default_rng(0)
    hours = DAYS * 24
    times = [START + timedelta(hours=h) for h in range(hours)]
    wave = 1.5 + np.sin(np.arange(hours) / 24 * 2 * np.pi)
    parts = []
    for name, top in (("busy", 70.0), ("roomy", 12.0), ("idle", 2.0)):
        cpu = top * wave / 2.5 + rng.normal(0, 0.02 * top, hours)
        parts.append(
            pl.DataFrame(
                {
                    "resource_id": name,
                    "timestamp": times,
                    "cpu_utilization": cpu.clip(0, 100),
                    "cpu_utilization_max": (1.1 * cpu).clip(0, 100),
                    "memory_utilization_max": 20.0,
                    "hourly_cost": 0.384 + 0.01 * rng.random(hours),
                    "instance_type": "m6i.2xlarge",
                    "region": "us-east-1",
                }
            )
        )
    return pl.concat(parts)


@pytest.fixture(scope="module")
def bill(metrics):
    rows = metrics.select(
        "timestamp",
        "resource_id",
        "instance_type",
        charge_period_end=pl.col("timestamp") + pl.duration(hours=1),
        billed_cost=pl.lit(0.384),
        effective_cost=pl.lit(0.384),
        consumed_quantity=pl.lit(1.0),
        charge_category=pl.lit("Usage"),
        charge_frequency=pl.lit("Usage-Based"),
        pricing_category=pl.lit("Standard"),
        service_name=pl.lit("Amazon Elastic Compute Cloud"),
        usage_type=pl.lit("BoxUsage:m6i.2xlarge"),
        operation=pl.lit("RunInstances"),
        sub_account_id=pl.lit("111122223333"),
        region_id=pl.lit("us-east-1"),
        billing_currency=pl.lit("USD"),
        billing_period_start=pl.col("timestamp").dt.truncate("1mo"),
    )
    return conformed(rows)


@pytest.fixture(scope="module")
def trained(metrics):
    """A trained door and what training returned, given its data as the specification does: beforehand."""
    door = CostOptimizationAI(metrics)
    return door, door.train_cost_optimization_model()


def test_training_returns_a_report_for_each_documented_model(trained, metrics):
    _, reports = trained
    assert set(reports) == MODELS
    assert all(isinstance(one, TrainReport) for one in reports.values())
    same = catalog.get("cost-optimizer").fit(MetricFrame.of(metrics), seed=0).report
    assert as_json(reports["cost_predictor"]) == as_json(same)
    (test,) = reports["usage_classifier"].backtests
    assert test.beats_baseline
    assert reports["usage_classifier"].decision is Decision.PROMOTE
    assert "made series" in reports["usage_classifier"].notes[0]
    assert "on your data" in reports["usage_classifier"].notes[1]
    assert reports["anomaly_detector"].backtests[0].baseline_name == "distance from the week"
    assert any("no reinforcement learning" in note for note in reports["optimizer"].notes)
    assert reports["optimizer"].backtests


def test_predictions_have_the_documented_keys_with_and_without_a_bill(trained, metrics, bill):
    door, _ = trained
    for given in (None, bill):
        answer = door.predict_cost_optimizations(metrics.to_pandas(), bill=given)
        assert set(answer) == {"predictions", "recommendations", "confidence_score", "expected_savings"}
        found = answer["predictions"]
        assert set(found) == {"cost_forecast", "optimization_opportunities", "usage_patterns", "anomaly_score"}
        assert {one.pattern for one in found["usage_patterns"]} <= {*PATTERNS, None}
        assert {one.resource_id: one.pattern for one in found["usage_patterns"]}["idle"] == "idle"
        assert [one.resource_id for one in found["anomaly_score"]]
        assert all(0.0 <= one.score <= 1.0 for one in found["anomaly_score"])
        assert 0.0 <= answer["confidence_score"] <= 1.0
        assert answer["expected_savings"] > 0
        assert "idle" in {one["resource_id"] for one in answer["recommendations"]}
    assert isinstance(found["cost_forecast"], CostForecast)
    assert sum(found["cost_forecast"].totals[0].expected) == pytest.approx(14 * 24 * 3 * 0.384)


def test_the_forecast_without_a_bill_is_a_table_of_the_kind_that_was_given(trained, metrics):
    door, _ = trained
    pandas = metrics.to_pandas()
    forecast = door.predict_cost_optimizations(pandas)["predictions"]["cost_forecast"]
    assert type(forecast) is type(pandas)
    assert len(forecast) == len(pandas)


def test_savings_are_of_each_resource_once_and_add_up(trained, metrics):
    door, _ = trained
    answer = door.predict_cost_optimizations(metrics)
    resources = [name for one in answer["recommendations"] for name in one["resources"]]
    assert len(resources) == len(set(resources))
    total = sum(one["saving"]["expected"] for one in answer["recommendations"])
    assert answer["expected_savings"] == pytest.approx(total)
    idle = next(one for one in answer["recommendations"] if one["kind"] == "idle")
    assert idle["saving"]["expected"] == pytest.approx(730 * 0.389, rel=0.01)
    assert idle["saving"]["low"] == 0.0


def test_a_machine_with_room_gets_a_smaller_size_where_the_fleet_has_taught_it(trained, metrics):
    door, _ = trained
    fleet = pl.concat(
        metrics.filter(pl.col("resource_id") == "roomy").with_columns(resource_id=pl.lit(f"roomy-{i}"))
        for i in range(24)
    )
    other = CostOptimizationAI()
    features = other.extract_infrastructure_features(fleet)
    origin = recipe.lineage(features.frame, seed=0, simulated=True)
    report = other.resource_optimizer.fit(features, seed=0, progress=silent, origin=origin)
    assert report.recipe == "optimizer"
    found = other.resource_optimizer.predict(other.extract_infrastructure_features(fleet))
    assert {one["kind"] for one in found} == {"rightsize"}
    assert all(0.0 <= one["trouble"] <= 0.05 for one in found)
    assert found[0]["saving"]["expected"] > 0
    unpriced = other.resource_optimizer.predict(other.extract_infrastructure_features(fleet.drop("hourly_cost")))
    assert unpriced[0]["saving"] is None
    assert (
        other.calculate_expected_savings(
            other.generate_optimization_recommendations({"optimization_opportunities": unpriced})
        )
        is None
    )
    assert door.resource_optimizer is not other.resource_optimizer


def test_savings_in_two_currencies_have_no_sum():
    mixed = [{"saving": {"expected": 1.0, "currency": c}} for c in ("USD", "EUR")]
    assert CostOptimizationAI().calculate_expected_savings(mixed) is None
    assert CostOptimizationAI().calculate_expected_savings(mixed[:1]) == 1.0


def test_without_sizes_to_learn_from_the_rules_stand_alone_and_that_is_said(metrics):
    door = CostOptimizationAI()
    reports = door.train_cost_optimization_model(metrics.drop("instance_type"), validation_split=0.3)
    assert reports["optimizer"].decision is Decision.SIMPLE_RULE
    assert "rules alone" in reports["optimizer"].reason
    assert reports["optimizer"].backtests == ()
    found = door.resource_optimizer.predict(door.extract_infrastructure_features(metrics))
    assert {one["kind"] for one in found} == {"idle"}


def test_where_no_metric_says_how_busy_or_dear_a_thing_is_nothing_is_said_of_it(trained, metrics):
    door, _ = trained
    features = door.extract_infrastructure_features(metrics.select("resource_id", "timestamp", latency=1.0))
    assert door.usage_analyzer.analyze(features) == ()
    assert door.anomaly_detector.predict(features) == ()


def test_the_helpers_of_the_specification_give_what_training_uses(metrics, bill):
    door = CostOptimizationAI(metrics, bill=bill)
    prepared = door.prepare_training_data()
    assert set(prepared) == {"temporal_features", "usage_features", "cost_features", "infrastructure_features"}
    assert prepared.bill is bill
    door.train_cost_optimization_model()
    assert isinstance(door.predict_cost_optimizations(metrics)["predictions"]["cost_forecast"], CostForecast)
    assert door.engineer_cost_features(prepared) is prepared
    assert door.prepare_training_data(metrics.head(48)).frame.data.height == 48


def test_before_there_is_data_or_training_the_next_step_is_said(metrics):
    door = CostOptimizationAI()
    with pytest.raises(NotFitted, match="nothing to train on") as caught:
        door.train_cost_optimization_model()
    assert "CostOptimizationAI(training_data)" in caught.value.hint
    with pytest.raises(NotFitted) as caught:
        door.predict_cost_optimizations(metrics)
    assert "train_cost_optimization_model" in caught.value.hint
    features = door.extract_infrastructure_features(metrics)
    for ask in (door.cost_predictor.predict, door.usage_analyzer.analyze, door.anomaly_detector.predict):
        with pytest.raises(NotFitted, match="not trained"):
            ask(features)
    assert door.calculate_confidence_score({"cost_forecast": None}) is None
    with pytest.raises(SchemaError, match="hourly_cost"):
        door.train_cost_optimization_model(metrics.drop("hourly_cost"))
