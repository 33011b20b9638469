from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError, ModelNotFound, NotEnoughData, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml import files
from aws_auto.ml.recipes import catalog
from aws_auto.ml.recipes.demand_settings import DemandSettings
from aws_auto.ml.recipes.recipe import REFERENCE
from aws_auto.results import Decision, as_json

START = datetime(2026, 1, 5, tzinfo=UTC)
NAMES = ("anomaly-detector", "cost-optimizer", "demand-forecaster")


def make(days=14, resources=2, seed=0, level_noise=0.05):
    """Hourly load with a daily rhythm and a slow wander that no naive rule follows at four hours."""
    rng = np.random.default_rng(seed)
    hours = days * 24
    parts = []
    for r in range(resources):
        t = np.arange(hours)
        wander = np.zeros(hours)
        for i in range(1, hours):
            wander[i] = 0.9 * wander[i - 1] + rng.normal(0, level_noise)
        load = 100 * (r + 1) * np.exp(wander) * (1.3 + np.sin((t - 6) / 24 * 2 * np.pi))
        cpu = np.clip(load / (4 * (r + 1)) + rng.normal(0, 1, hours), 0, 100)
        parts.append(
            pl.DataFrame(
                {
                    "resource_id": f"r{r}",
                    "timestamp": [START + timedelta(hours=int(h)) for h in t],
                    "request_count": load,
                    "cpu_utilization": cpu,
                    "hourly_cost": 0.1 * (r + 1) * np.exp(wander),
                    "region": "us-east-1",
                }
            )
        )
    return MetricFrame.of(pl.concat(parts))


@pytest.fixture(scope="module")
def frame():
    return make()


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def trained(frame, told):
    return {name: catalog.get(name).fit(frame, seed=0, progress=lambda *step: told.append(step)) for name in NAMES}


def test_the_catalogue_knows_names_and_feature_words_and_suggests_the_nearest():
    assert set(NAMES) < set(catalog.names())
    words = {"anomaly-detection", "cost-optimization", "predictive-scaling"}
    assert {catalog.get(w).name for w in words} == set(NAMES)
    with pytest.raises(ModelNotFound) as caught:
        catalog.get("demand-forcaster")
    assert "demand-forecaster" in caught.value.hint


@pytest.mark.parametrize("name", NAMES)
def test_the_same_frame_and_seed_give_the_same_bytes(name, frame, trained):
    assert catalog.get(name).fit(frame, seed=0).files == trained[name].files


@pytest.mark.parametrize("name", NAMES)
def test_every_report_has_a_baseline_an_interval_calibration_lineage_and_pictures(name, frame, trained):
    report = trained[name].report
    for test in report.backtests:
        assert test.baseline_name
        assert test.n >= 3
        assert test.difference.low <= test.ours - test.baseline <= test.difference.high
    assert report.calibration
    assert len(report.charts) == 3
    assert report.lineage.data_fingerprint == frame.fingerprint()
    assert {"python", "numpy", "polars", "xgboost"} <= set(report.lineage.versions)
    assert as_json(report)["decision"] in set(Decision)


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_model_answers_one_row_for_each_row_in_the_order_given(name, frame, trained):
    predictor = catalog.get(name).load(trained[name].files)
    rows = frame.data.select(f.name for f in trained[name].schema).sample(fraction=1.0, shuffle=True, seed=3)
    answers = predictor.predict(rows)
    assert answers.select("resource_id", "timestamp").equals(rows.select("resource_id", "timestamp"))
    again = catalog.get(name).load(predictor.files())
    assert again.predict(rows).equals(answers)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_never_depends_on_later_rows(name, frame, trained):
    predictor = catalog.get(name).load(trained[name].files)
    rows = frame.data.select(f.name for f in trained[name].schema)
    border = START + timedelta(days=11, hours=7)
    whole = predictor.predict(rows).filter(pl.col("timestamp") < border)
    alone = predictor.predict(rows.filter(pl.col("timestamp") < border))
    for column in whole.columns:
        if whole[column].dtype.is_float():
            np.testing.assert_allclose(
                alone[column].to_numpy(), whole[column].to_numpy(), rtol=1e-5, atol=1e-8, err_msg=column
            )
        else:
            assert alone[column].equals(whole[column]), column


@pytest.mark.parametrize("name", NAMES)
def test_a_resource_or_history_that_is_not_known_gets_an_empty_answer_with_a_reason(name, frame, trained):
    predictor = catalog.get(name).load(trained[name].files)
    row = frame.data.head(1).with_columns(resource_id=pl.lit("stranger"))
    answer = predictor.predict(row).row(0, named=True)
    assert answer["note"]
    assert answer.get("expected_1h", answer.get("expected_24h", answer.get("score"))) is None


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_holds_the_columns_of_the_schema(name, frame, trained):
    reference = files.from_parquet(trained[name].files[REFERENCE])
    assert reference.columns == [f.name for f in trained[name].schema]
    assert len(reference) == len(frame.data)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "demand-forecaster"])
def test_a_short_history_is_refused(name):
    with pytest.raises(NotEnoughData, match="days of history"):
        catalog.get(name).fit(make(days=5), seed=0)


@pytest.mark.parametrize("name", NAMES)
def test_missing_metrics_are_refused_with_a_hint(name, frame):
    bare = MetricFrame.of(frame.data.select("resource_id", "timestamp", "region"))
    with pytest.raises(SchemaError) as caught:
        catalog.get(name).fit(bare, seed=0)
    assert caught.value.hint


@pytest.mark.parametrize("name", NAMES)
def test_a_consistent_bundle_with_another_body_is_refused(name):
    with pytest.raises(ArtifactError, match="does not hold"):
        catalog.get(name).load(files.bundle(name, {"anything": 1}, {}))


@pytest.mark.parametrize("name", NAMES)
def test_training_again_on_the_same_data_restates_the_verdict_and_compares_with_no_champion(name, frame, trained):
    champion = catalog.get(name).load(trained[name].files)
    again = catalog.get(name).fit(frame, seed=0, champion=champion).report
    assert again.backtests[0].fresh is None
    assert any("the champion was not compared: 0.0 of" in note for note in again.notes)
    assert again.backtests[0].ours == trained[name].report.backtests[0].ours
    assert again.decision == trained[name].report.decision


@pytest.mark.parametrize("name", NAMES)
def test_a_champion_is_compared_on_the_days_that_came_after_its_training(name, frame, trained):
    early = MetricFrame(frame.data.filter(pl.col("timestamp") < START + timedelta(days=11)))
    champion = catalog.get(name).load(catalog.get(name).fit(early, seed=0).files)
    tests = catalog.get(name).fit(frame, seed=0, champion=champion).report.backtests
    for test, alone in zip(tests, trained[name].report.backtests, strict=True):
        assert 0 < test.fresh.n <= test.n
        assert test.ours == alone.ours


def test_progress_is_told(trained, told):
    assert len(told) >= 12
    assert all(done < total for _, done, total in told)


def test_demand_is_requests_when_there_are_any_and_cpu_otherwise(frame, trained):
    assert catalog.get("demand-forecaster").load(trained["demand-forecaster"].files).metric == "request_count"
    assert any("request_count" in note for note in trained["demand-forecaster"].report.notes)
    found = DemandSettings().chosen(MetricFrame.of(frame.data.drop("request_count")))
    assert (found.metric, found.kind) == ("cpu_utilization", "mean")


def test_a_wandering_load_is_forecast_better_than_by_any_naive_rule(trained):
    report = trained["demand-forecaster"].report
    assert report.decision is Decision.PROMOTE
    assert report.backtests[0].difference.high < 0


def test_a_load_that_repeats_itself_is_left_to_the_simple_rule():
    steady = make(days=12, resources=1).data.with_columns(
        request_count=pl.lit(100.0) + (pl.col("timestamp").dt.hour() % 2)
    )
    report = catalog.get("demand-forecaster").fit(MetricFrame.of(steady), seed=0).report
    assert report.decision is Decision.SIMPLE_RULE


def test_a_constant_cost_is_left_to_the_simple_rule_and_said(frame):
    constant = MetricFrame.of(frame.data.with_columns(hourly_cost=pl.lit(0.25)))
    model = catalog.get("cost-optimizer").fit(constant, seed=0)
    assert model.report.decision is Decision.SIMPLE_RULE
    assert any("never changes" in note for note in model.report.notes)
    answer = catalog.get("cost-optimizer").load(model.files).predict(constant.data).tail(1).row(0, named=True)
    assert answer["expected_24h"] == pytest.approx(6.0)


def test_cost_answers_lie_inside_their_interval(frame, trained):
    answers = catalog.get("cost-optimizer").load(trained["cost-optimizer"].files).predict(frame.data)
    known = answers.drop_nulls("expected_24h")
    assert len(known) > 550
    assert (known["low_24h"] <= known["expected_24h"]).all()
    assert (known["expected_24h"] <= known["high_24h"]).all()


def test_a_planted_spike_is_an_anomaly_with_its_metric_and_band(frame, trained):
    predictor = catalog.get("anomaly-detector").load(trained["anomaly-detector"].files)
    spiked = frame.data.with_row_index().with_columns(
        cpu_utilization=pl.when(pl.col("index") == 310).then(99.0).otherwise("cpu_utilization")
    )
    answer = predictor.predict(spiked.drop("index")).row(310, named=True)
    assert answer["is_anomaly"]
    assert answer["metric"] == "cpu_utilization"
    assert answer["score"] > 0.5 == answer["threshold"]
    assert answer["value"] > answer["high"] > answer["expected"] > answer["low"]
