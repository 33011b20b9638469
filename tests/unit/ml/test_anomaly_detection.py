"""AnomalyDetectionAI: settings, labels, and one result for each documented model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotFitted, SchemaError, UsageError
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.anomaly_detection import AnomalyDetectionAI, AnomalyEnsemble

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 12
SPIKE = START + timedelta(days=DAYS, hours=5)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    hours = (DAYS + 2) * 24
    wave = np.sin(np.arange(hours) / 24 * 2 * np.pi)
    return pl.DataFrame(
        {
            "resource_id": "a",
            "timestamp": [START + timedelta(hours=h) for h in range(hours)],
            "cpu_utilization": 40 + 20 * wave + rng.normal(0, 1, hours),
            "latency": 100 + 30 * wave + rng.normal(0, 2, hours),
        }
    ).with_columns(
        pl.col("timestamp").dt.cast_time_unit("us"),
        cpu_utilization=pl.when(pl.col("timestamp") == SPIKE).then(170.0).otherwise("cpu_utilization"),
    )


def old(table):
    return table.filter(pl.col("timestamp") < START + timedelta(days=DAYS))


@pytest.fixture(scope="module")
def door(table):
    trained = AnomalyDetectionAI(models=("univariate", "multivariate"))
    trained.train(old(table))
    return trained


@pytest.fixture(scope="module")
def found(door, table):
    return door.detect_anomalies(table)


def test_every_documented_model_stands_under_its_name():
    assert list(AnomalyDetectionAI().anomaly_models) == ["univariate", "multivariate", "time_series", "ensemble"]
    assert list(AnomalyDetectionAI(models=()).anomaly_models) == ["ensemble"]


def test_each_model_gives_anomalies_scores_threshold_and_confidence(found, table):
    assert list(found["models"]) == ["univariate", "multivariate", "ensemble"]
    for said in found["models"].values():
        assert set(said) == {"anomalies", "scores", "threshold", "confidence", "unavailable"}
        assert len(said["scores"]) == len(table)
        assert said["threshold"] == 0.5
        assert 0 <= said["confidence"] <= 1
        assert not said["unavailable"]


def test_the_ensemble_raises_the_alarm_and_says_who_agrees(found):
    (alarm,) = [a for a in found["detected_anomalies"] if a["start"] <= SPIKE <= a["end"]]
    assert alarm["metric"] == "cpu_utilization"
    assert alarm["votes"] == ["univariate", "multivariate", "ensemble"]
    assert found["severity_scores"][alarm["anomaly_id"]] == alarm["severity"] > 0.5


def test_a_pandas_user_gets_the_scores_as_pandas(door, table):
    given = table.to_pandas()
    scores = door.detect_anomalies(given)["models"]["univariate"]["scores"]
    assert type(scores) is type(given)


def test_the_parts_of_a_cause_are_those_of_the_whole(door, found):
    alarm = found["detected_anomalies"][0]
    (whole,) = door.perform_root_cause_analysis([alarm])
    parts = {
        **door.analyze_feature_importance(alarm),
        **door.analyze_correlations(alarm),
        **door.match_known_patterns(alarm),
    }
    assert parts == {key: whole[key] for key in parts}
    assert len(parts) == 4
    assert door.generate_remediation_recommendations([alarm]) == [
        a for a in found["recommended_actions"] if a["anomaly_id"] == alarm["anomaly_id"]
    ]


def test_a_model_that_was_not_fitted_is_unavailable_and_the_others_go_on(door, table):
    half = AnomalyDetectionAI()
    half.anomaly_models["ensemble"] = door.anomaly_models["ensemble"]
    found = half.detect_anomalies(table)
    assert found["models"]["time_series"]["unavailable"] == "it was not fitted"
    assert found["models"]["time_series"]["anomalies"] == []
    assert found["detected_anomalies"][0]["votes"] == ["ensemble"]


def test_settings_reach_the_trained_model(table):
    muted = AnomalyDetectionAI(AnomalySettings(minimum_effect={"cpu_utilization": 500.0}), models=())
    muted.train(old(table))
    assert not [a for a in muted.detect_anomalies(table)["detected_anomalies"] if a["metric"] == "cpu_utilization"]


def test_an_alarm_that_was_called_false_is_not_raised_again(table):
    told = AnomalyDetectionAI(models=())
    labels = pl.DataFrame({"resource_id": ["a"], "timestamp": [SPIKE], "end": [SPIKE], "verdict": ["false"]})
    told.train(table, labels=labels.to_pandas())
    assert not [a for a in told.detect_anomalies(table)["detected_anomalies"] if a["start"] <= SPIKE <= a["end"]]


def test_labels_without_their_columns_are_refused(table):
    with pytest.raises(SchemaError, match="has no end, verdict"):
        AnomalyDetectionAI(models=()).train(table, labels=table)


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(UsageError) as caught:
        AnomalyDetectionAI(models=("prophet",))
    assert "univariate, multivariate, time_series" in caught.value.hint


def test_an_ensemble_that_was_not_trained_has_no_threshold_and_no_answer(table):
    model = AnomalyEnsemble()
    assert model.threshold is None
    with pytest.raises(NotFitted):
        model.predict(table)
