from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError, NotEnoughData, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml import files
from aws_auto.ml.recipes.performance import PerformancePredictor
from aws_auto.ml.recipes.recipe import REFERENCE
from aws_auto.ml.scaling.performance import situations, with_latencies
from aws_auto.ml.scaling.workload import workloads
from aws_auto.results import Decision, as_json

START = datetime(2026, 1, 5, tzinfo=UTC)
STEP = timedelta(minutes=15)


def fleet(days=14, *, percentiles=True, crowded=True, seed=0):
    """A balancer with a fleet of a fixed size behind it, whose latency is that of a queue."""
    rng = np.random.default_rng(seed)
    n = days * 96
    t = np.arange(n)
    day = 1 + 0.8 * np.sin(2 * np.pi * t / 96) * (1 if crowded else 0.1)
    load = 900 * 20 * day * rng.lognormal(0, 0.15, n)
    instances = np.where(t // 48 % 3 == 0, 5.0, 4.0)
    busy = np.clip(load / 900 / instances / 14, 0, 0.97)
    latency = 40 * (1 + 0.3 * busy**2 / (1.02 - busy)) * rng.lognormal(0, 0.05, n)
    front = {"request_count": load, "latency": latency}
    if percentiles:
        front["latency_p95"] = 2.2 * latency
    times = [START + i * STEP for i in range(n)]
    parts = (
        ("alb", front),
        ("web", {"request_count": load, "instance_count": instances, "cpu_utilization": 100 * busy}),
    )
    rows = [pl.DataFrame({"resource_id": r, "timestamp": times, "service": "shop", **m}) for r, m in parts]
    return MetricFrame.of(pl.concat(rows, how="diagonal"))


@pytest.fixture(scope="module")
def frame():
    return fleet()


@pytest.fixture(scope="module")
def trained(frame):
    return PerformancePredictor().fit(frame, seed=0, simulated=True)


@pytest.fixture(scope="module")
def predictor(trained):
    return PerformancePredictor().load(trained.files)


def test_it_beats_both_simple_rules_where_latency_is_a_matter_of_load(trained):
    report = trained.report
    assert report.decision is Decision.PROMOTE, report.reason
    spread, risk = report.backtests
    assert spread.beats_baseline
    assert risk.ours < risk.baseline
    assert spread.baseline_name in ("as usual", "as an hour ago")
    assert len(report.charts) == 3
    assert report.lineage.simulated
    assert "no objective was given" in report.notes[0]
    assert "web is judged by the latency of alb" in report.notes


def test_what_it_promises_is_kept_on_held_back_days(trained):
    for said in trained.report.calibration:
        if said.n > 100:
            assert said.observed == pytest.approx(said.nominal, abs=0.08), said.what


def test_the_rows_of_the_balancer_are_answered_for_the_fleet_behind_it(frame, predictor):
    day = frame.data.filter(pl.col("timestamp") >= START + timedelta(days=13))
    answers = predictor.predict(day.sample(fraction=1.0, shuffle=True, seed=1))
    assert set(answers["workload"]) == {"web"}
    both = answers.filter(pl.col("resource_id") == "alb").join(
        answers.filter(pl.col("resource_id") == "web"), on="timestamp"
    )
    assert both["p95_latency"].to_list() == both["p95_latency_right"].to_list()
    assert (answers["p50_latency"] <= answers["p95_latency"]).all()
    assert (answers["p95_latency"] <= answers["p99_latency"]).all()
    truth = day.filter(pl.col("resource_id") == "alb").select("timestamp", "latency_p95")
    off = (both.join(truth, on="timestamp").select(pl.col("p95_latency") / pl.col("latency_p95")).to_series() - 1).abs()
    assert off.median() < 0.1


def test_more_load_never_lowers_and_more_instances_never_raise_risk_or_latency(predictor):
    load = np.geomspace(900, 900 * 200, 40)
    many = np.arange(1.0, 21.0)

    def asked(**columns):
        n = len(next(iter(columns.values())))
        rows = {"resource_id": ["web"] * n, "timestamp": [START + timedelta(days=i) for i in range(n)], **columns}
        return predictor.predict(pl.DataFrame(rows))

    rising = asked(request_count=load, instance_count=np.full(40, 4.0))
    falling = asked(request_count=np.full(20, 900 * 40.0), instance_count=many)
    for name in ("p50_latency", "p95_latency", "p99_latency", "breach_probability"):
        assert (rising[name].diff().drop_nulls() >= -1e-9).all(), name
        assert (falling[name].diff().drop_nulls() <= 1e-9).all(), name
    assert rising["breach_probability"][-1] > 0.9
    assert falling["breach_probability"][-1] < 0.1


def test_a_row_without_requests_and_a_stranger_have_a_defined_answer(predictor):
    rows = pl.DataFrame(
        {"resource_id": ["web", "new"], "timestamp": [START, START], "request_count": [None, 9000.0]},
        schema_overrides={"request_count": pl.Float64},
    )
    known, stranger = predictor.predict(rows).rows(named=True)
    assert known["p50_latency"] is None
    assert "unknown" in known["note"]
    assert stranger["p50_latency"] > 0
    assert stranger["breach_probability"] is None
    nothing = predictor.predict(rows.with_columns(request_count=pl.lit(None, pl.Float64)))
    assert nothing["p50_latency"].null_count() == 2


def test_another_objective_can_be_asked_about_after_training(frame, predictor):
    table = with_latencies(workloads(frame.data, predictor.layout).table).tail(50)
    asked = situations(table, table, predictor.objectives)
    strict, own, lax = (
        predictor.answer(asked, {"web": ms} if ms else None)["breach_probability"].mean() for ms in (60.0, None, 900.0)
    )
    assert strict > own > lax


def test_a_source_of_means_only_is_answered_in_quantiles_over_periods():
    model = PerformancePredictor(objective_ms=55.0).fit(fleet(percentiles=False), seed=0)
    predictor = PerformancePredictor().load(model.files)
    assert predictor.objectives == {"web": 55.0}
    assert model.report.notes[0] == "the objective is 55 ms"
    last = predictor.predict(fleet(percentiles=False).data.tail(20)).row(-1, named=True)
    assert last["p50_latency"] < last["p95_latency"] < last["p99_latency"]


def test_where_latency_does_not_follow_load_the_simple_rule_answers():
    quiet = fleet(crowded=False, seed=3)
    noise = pl.Series(np.random.default_rng(0).lognormal(0, 0.3, len(quiet.data)))
    data = quiet.data.with_columns(
        latency=pl.when(pl.col("latency").is_not_null()).then(50 * noise), latency_p95=None, cpu_utilization=None
    )
    model = PerformancePredictor().fit(MetricFrame.of(data), seed=0)
    assert model.report.decision is Decision.SIMPLE_RULE
    predictor = PerformancePredictor().load(model.files)
    assert predictor.is_rule
    answers = predictor.predict(data.tail(10))
    assert answers["p95_latency"].null_count() == 0
    assert answers["breach_probability"].is_between(0, 1).all()


def test_a_champion_is_compared_on_the_days_that_it_has_not_seen(frame, trained, predictor):
    recipe = PerformancePredictor()
    earlier = recipe.load(recipe.fit(fleet(days=10), seed=0).files)
    spread, risk = recipe.fit(frame, seed=0, champion=earlier).report.backtests
    assert (spread.fresh.n, risk.fresh.n, spread.n) == (4, 4, 4)
    again = recipe.fit(frame, seed=0, champion=predictor).report
    assert again.backtests[0].fresh is None
    assert any("was not compared" in note for note in again.notes)
    assert again.decision is trained.report.decision


def test_its_quality_is_judged_on_what_came_since(trained):
    recipe = PerformancePredictor()
    later = fleet(days=20)
    quality = recipe.evaluate(trained.files, later, since=START + timedelta(days=15))
    assert not quality.degraded
    assert quality.backtest.n == 5
    other = MetricFrame.of({"resource_id": ["x"], "timestamp": [START], "cpu_utilization": [1.0]})
    assert recipe.evaluate(trained.files, other, since=START) is None
    stranger = MetricFrame.of({"resource_id": ["x"], "timestamp": [START], "request_count": [1.0], "latency": [1.0]})
    assert recipe.evaluate(trained.files, stranger, since=START) is None


def test_the_same_frame_and_seed_give_the_same_bytes_and_the_reference_is_there(frame, trained):
    assert PerformancePredictor().fit(frame, seed=0, simulated=True).files == trained.files
    assert REFERENCE in trained.files
    assert as_json(trained.report)["decision"] == "promote"


def test_what_cannot_be_learned_from_says_why(frame):
    with pytest.raises(NotEnoughData, match="8 are needed"):
        PerformancePredictor().fit(frame.between(end=START + timedelta(days=4)), seed=0)
    with pytest.raises(NotEnoughData, match="passed its objective in 0 of"):
        PerformancePredictor(objective_ms=1e6).fit(frame, seed=0)
    with pytest.raises(SchemaError, match="no latency"):
        PerformancePredictor().fit(MetricFrame(frame.data.drop("latency", "latency_p95")), seed=0)
    with pytest.raises(SchemaError, match="no workload"):
        PerformancePredictor().fit(MetricFrame(frame.data.drop("request_count")), seed=0)


def test_foreign_files_and_rows_are_refused(trained, predictor):
    body, _ = files.open_bundle(trained.files, "performance-predictor")
    with pytest.raises(ArtifactError, match="does not hold"):
        PerformancePredictor().load(files.bundle("performance-predictor", {k: body[k] for k in ("schema",)}, {}))
    with pytest.raises(SchemaError, match="request_count"):
        predictor.predict(pl.DataFrame({"resource_id": ["web"], "timestamp": [START]}))
