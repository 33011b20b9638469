from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError, NotEnoughData, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml import files
from aws_auto.ml.recipes.capacity import RULE, CapacityPlanner
from aws_auto.ml.scaling import capacity
from aws_auto.ml.scaling.performance import objectives_of, with_latencies
from aws_auto.ml.scaling.workload import workloads
from aws_auto.results import Decision

START = datetime(2026, 1, 5, tzinfo=UTC)
STEP = timedelta(minutes=15)


def fleet(days=16, *, drifting=True, seed=0):
    """A fleet that tracks its CPU; with ``drifting``, requests are heavier in some hours of the day and some days."""
    rng = np.random.default_rng(seed)
    n = days * 96
    t = np.arange(n)
    load = 900 * 20 * (1 + 0.8 * np.sin(2 * np.pi * t / 96)) * rng.lognormal(0, 0.08, n)
    heavier = 1 + 0.6 * (t % 96 > 72) + 0.4 * (t // 96 % 3 == 0) if drifting else np.ones(n)
    work = load / 900 / 10 * heavier * rng.lognormal(0, 0.02, n)
    instances = np.ceil(np.convolve(work, np.ones(4) / 4, mode="same") / 0.55)
    busy = np.clip(work / instances, 0.01, 1)
    return MetricFrame.of(
        pl.DataFrame(
            {
                "resource_id": "web",
                "timestamp": [START + i * STEP for i in range(n)],
                "request_count": load,
                "instance_count": instances,
                "cpu_utilization": 100 * busy,
                "latency": 50 * (1 + 0.35 * busy**3 / np.maximum(1.02 - busy, 0.03)),
                "hourly_cost": 0.1 * instances,
                "instance_type": "m6i.large",
                "region": "us-east-1",
            }
        )
    )


@pytest.fixture(scope="module")
def frame():
    return fleet()


@pytest.fixture(scope="module")
def trained(frame):
    return CapacityPlanner().fit(frame, seed=0, simulated=True)


def test_it_beats_proportional_scaling_where_requests_are_not_always_equally_heavy(trained):
    report = trained.report
    assert report.decision is Decision.PROMOTE, report.reason
    need, whole = report.backtests
    assert need.beats_baseline
    assert whole.ours < whole.baseline
    assert need.baseline_name == RULE
    assert len(report.charts) == 3
    for said in report.calibration:
        assert said.observed == pytest.approx(said.nominal, abs=0.15), said.what


def test_proportional_scaling_wins_where_it_is_right_and_is_what_answers_then():
    model = CapacityPlanner().fit(fleet(drifting=False, seed=1), seed=0)
    assert model.report.decision is Decision.SIMPLE_RULE
    predictor = CapacityPlanner().load(model.files)
    assert predictor.is_rule
    answers = predictor.predict(fleet(drifting=False, seed=1).data.tail(40))
    assert (answers["low_instances"] <= answers["high_instances"]).all()
    assert answers["instances"].null_count() == 0


def test_each_row_is_answered_from_its_own_load_and_what_was_before(frame, trained):
    predictor = CapacityPlanner().load(trained.files)
    rows = frame.data.tail(3 * 96)
    answers = predictor.predict(rows)
    cut = predictor.predict(rows.head(200))
    assert answers.head(200).equals(cut)
    doubled = predictor.predict(
        rows.with_columns(
            request_count=pl.when(pl.col("timestamp") == rows["timestamp"][-1])
            .then(2 * pl.col("request_count"))
            .otherwise("request_count")
        )
    )
    assert doubled["expected_instances"][-1] > 1.5 * answers["expected_instances"][-1]
    assert doubled["expected_instances"][-2] == answers["expected_instances"][-2]


def test_work_is_conserved_so_the_need_does_not_depend_on_the_fleet_that_was_there(frame):
    table = with_latencies(workloads(frame.data).table)
    known = capacity.knees(table, objectives_of(table))
    bigger = table.with_columns(instances=pl.col("instances") * 2, cpu=pl.col("cpu") / 2)
    need = capacity.hourly(table, known)["need"]
    assert capacity.hourly(bigger, known)["need"].to_numpy() == pytest.approx(need.to_numpy())


def test_the_knee_is_where_latency_stops_holding():
    rng = np.random.default_rng(0)
    busy = rng.uniform(0.1, 0.95, 4000)
    rows = pl.DataFrame(
        {
            "resource_id": "web",
            "timestamp": [START + i * STEP for i in range(4000)],
            "load": 10 * busy,
            "instances": 4.0,
            "cpu": 100 * busy,
            "judged": np.where(busy > 0.7, 200.0, 50.0),
            "cost": None,
        },
        schema_overrides={"cost": pl.Float64},
    )
    knee = capacity.knees(rows, {"web": 100.0})["web"]
    assert knee.utilisation == pytest.approx(0.7)
    assert knee.measured
    assert knee.work == pytest.approx(0.4)
    assert np.isnan(knee.price)
    assert knee.proportional(np.array([14.0])) == pytest.approx(14 * 0.4 / 0.7)
    blind = capacity.knees(rows, {})["web"]
    assert (blind.utilisation, blind.measured) == (capacity.DEFAULT_KNEE, False)
    calm = capacity.knees(rows.filter(pl.col("cpu") < 50), {"web": 100.0})["web"]
    assert calm.utilisation == pytest.approx(0.5)


def test_a_group_of_features_can_be_left_out(frame, trained):
    groups = ("predicted_demand", "performance_metrics")
    fewer = CapacityPlanner(groups=groups).fit(frame, seed=0)
    assert fewer.files["excess.ubj"] != trained.files["excess.ubj"]
    assert CapacityPlanner().load(fewer.files).model.groups == groups


def test_strangers_and_rows_without_requests_are_said_not_to_be_known(trained):
    predictor = CapacityPlanner().load(trained.files)
    rows = {"resource_id": ["x"], "timestamp": [START], "request_count": [5.0], "instance_count": [1.0]}
    answer = predictor.predict(pl.DataFrame(rows)).row(0, named=True)
    assert answer["instances"] is None
    assert "nothing is known" in answer["note"]
    nothing = predictor.predict(pl.DataFrame(rows).with_columns(request_count=pl.lit(None, pl.Float64)))
    assert nothing["note"].null_count() == 0
    with pytest.raises(SchemaError, match="request_count"):
        predictor.predict(pl.DataFrame({"resource_id": ["x"], "timestamp": [START]}))


def test_a_champion_is_compared_and_quality_is_judged_on_what_came_since(frame, trained):
    recipe = CapacityPlanner()
    earlier = recipe.load(recipe.fit(fleet(days=12), seed=0).files)
    test = recipe.fit(frame, seed=0, champion=earlier).report.backtests[0]
    assert test.fresh.n == 4
    assert test.n == 5
    again = recipe.fit(frame, seed=0, champion=recipe.load(trained.files))
    assert again.report.backtests[0].fresh is None
    assert any("was not compared" in note for note in again.report.notes)
    quality = recipe.evaluate(trained.files, fleet(days=20), since=START + timedelta(days=17))
    assert not quality.degraded
    assert quality.backtest.n == 3
    assert recipe.evaluate(trained.files, frame, since=START + timedelta(days=90)) is None
    other = MetricFrame.of({"resource_id": ["x"], "timestamp": [START], "cpu_utilization": [1.0]})
    assert recipe.evaluate(trained.files, other, since=START) is None
    assert recipe.history == timedelta(days=2)


def test_the_same_frame_and_seed_give_the_same_bytes_and_foreign_files_are_refused(frame, trained):
    assert CapacityPlanner().fit(frame, seed=0, simulated=True).files == trained.files
    body, _ = files.open_bundle(trained.files, "capacity-planner")
    with pytest.raises(ArtifactError, match="does not hold"):
        CapacityPlanner().load(files.bundle("capacity-planner", {"own": body["own"]}, {}))


def test_what_cannot_be_learned_from_says_why(frame):
    with pytest.raises(NotEnoughData, match="8 are needed"):
        CapacityPlanner().fit(frame.between(end=START + timedelta(days=4)), seed=0)
    with pytest.raises(SchemaError, match="no fleet"):
        CapacityPlanner().fit(MetricFrame(frame.data.drop("cpu_utilization")), seed=0)
    late = frame.data.with_columns(
        cpu_utilization=pl.when(pl.col("timestamp") > START + timedelta(days=14)).then("cpu_utilization")
    )
    with pytest.raises(NotEnoughData, match="too few hours"):
        CapacityPlanner().fit(MetricFrame(late), seed=0)


def test_without_latency_a_usual_utilisation_is_assumed_and_said(frame):
    model = CapacityPlanner(objective_ms=None).fit(MetricFrame(frame.data.drop("latency")), seed=0)
    assert "no latency tells how busy web may be: 60% is assumed" in model.report.notes
    assert CapacityPlanner(objective_ms=70.0).fit(frame, seed=0).report.notes[0] == "the objective is 70 ms"
