from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError, NotEnoughData, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml import files
from aws_auto.ml.cost.rightsizing_model import Fleet, Outcome, Windows, fit
from aws_auto.ml.recipes import catalog, resource_trial
from aws_auto.ml.recipes.recipe import REFERENCE
from aws_auto.ml.recipes.resource import NAME, ResourceOptimizer, SizePredictor, answers_now
from aws_auto.ml.recipes.resource_machines import Decisions, machines, newest, taught
from aws_auto.ml.recipes.resource_trees import Trees
from aws_auto.results import Decision

START = datetime(2026, 1, 5, tzinfo=UTC)


def machine(name, *, top=20.0, days=56, seed=0, kind="m6i.2xlarge", memory=10.0, **facts):
    """Hourly CPU maximum with a daily rhythm up to ``top`` per cent."""
    rng = np.random.default_rng(seed)
    hour = np.arange(days * 24)
    cpu = top * (0.6 + 0.3 * np.sin(hour / 24 * 2 * np.pi)) + rng.normal(0, 0.03 * top, len(hour))
    words = {"instance_type": kind, "region": "us-east-1", "resource_type": "ec2", **facts}
    return pl.DataFrame(
        {
            "resource_id": name,
            "timestamp": [START + timedelta(hours=int(h)) for h in hour],
            "cpu_utilization_max": cpu.clip(0, 100),
            "memory_utilization_max": pl.Series([memory] * len(hour), dtype=pl.Float64),
            "cpu_utilization": (cpu * 0.8).clip(0, 100),
            **words,
        }
    )


@pytest.fixture(scope="module")
def frame():
    """Machines with room, machines without, and two that nothing can be said of."""
    parts = [machine(f"roomy-{i:02}", top=15.0, seed=i) for i in range(26)]
    parts += [machine(f"full-{i}", top=95.0, seed=100 + i) for i in range(4)]
    parts += [machine("burst", kind="t3.large"), machine("db", resource_type="rds")]
    return MetricFrame.of(pl.concat(parts))


@pytest.fixture(scope="module")
def model(frame):
    return ResourceOptimizer().fit(frame, seed=0)


def test_the_catalogue_trains_it():
    assert catalog.get(NAME).name == NAME
    assert "size" in catalog.get(NAME).summary


def test_the_report_has_the_default_rule_beside_ours_and_the_whole_curve(model):
    report = model.report
    cost, trouble = report.backtests
    assert cost.baseline_name == resource_trial.DEFAULT_NAME
    assert cost.n == 30
    assert cost.unit_of_n == "machines"
    assert trouble.ours <= 0.1
    (curve,) = report.charts
    assert {line.name for line in curve.lines} >= {"ours at each risk", "simple rules", "had one known"}
    notes = " ".join(report.notes)
    assert "30 machines can be sized" in notes
    assert "t3.large" in notes
    assert "a rds is no single machine" in notes
    assert report.calibration[0].nominal <= 0.05


def test_the_same_frame_and_seed_give_the_same_bytes(frame, model):
    assert ResourceOptimizer().fit(frame, seed=0).files == model.files


def test_machines_with_room_get_a_smaller_size_at_a_stated_risk_and_full_ones_do_not(frame, model):
    said = {one["resource_id"]: one for one in answers_now(ResourceOptimizer().load(model.files), frame.data)}
    assert set(said) == {f"roomy-{i:02}" for i in range(26)} | {f"full-{i}" for i in range(4)}
    roomy, full = said["roomy-03"], said["full-1"]
    assert roomy["size"] == "m6i.large"
    assert roomy["capacity"] == 0.25
    assert roomy["risk"] <= 0.05
    assert roomy["saving"] == pytest.approx(0.75)
    assert (full["size"], full["saving"]) == ("m6i.2xlarge", 0.0)


def test_every_row_is_answered_in_order_from_the_days_before_its_own(frame, model):
    predictor = ResourceOptimizer().load(model.files)
    rows = frame.data.filter(pl.col("resource_id").is_in(["roomy-01", "burst", "full-0"]))
    rows = rows.sample(fraction=1.0, shuffle=True, seed=1)
    answers = predictor.predict(rows)
    assert answers.select("resource_id", "timestamp").equals(rows.select("resource_id", "timestamp"))
    early = answers.filter(pl.col("timestamp") < START + timedelta(days=14))
    assert early["size"].null_count() == len(early)
    assert "t3.large" in answers.filter(pl.col("resource_id") == "burst")["note"][0]
    assert "14 days" in early.filter(pl.col("resource_id") == "full-0")["note"][0]
    border = START + timedelta(days=30, hours=5)
    whole = answers.filter(pl.col("timestamp") < border)
    assert predictor.predict(rows.filter(pl.col("timestamp") < border)).equals(whole)


def test_memory_that_is_needed_or_not_measured_is_not_reduced(model):
    predictor = ResourceOptimizer().load(model.files)
    for name, memory in (("needed", 70.0), ("unknown", None)):
        one = machine(name, top=15.0, memory=memory)
        assert answers_now(predictor, one)[0]["size"] == "m6i.2xlarge", name
    assert "not measured" in predictor.predict(machine("unknown", memory=None))["note"][-1]
    half = machine("half", top=15.0, memory=35.0)
    assert answers_now(predictor, half)[0]["size"] == "m6i.xlarge"


def test_the_reference_holds_the_numbers_of_the_schema(model):
    reference = files.from_parquet(model.files[REFERENCE])
    assert reference.columns == ["resource_id", "timestamp", "cpu_utilization_max", "memory_utilization_max"]
    assert [f.name for f in model.schema if f.kind == "text" and f.required] == ["resource_id", "instance_type"]


def test_a_champion_is_asked_about_the_same_machines(frame, model):
    early = MetricFrame.of(frame.data.filter(pl.col("timestamp") < START + timedelta(days=42)))
    champion = ResourceOptimizer().load(ResourceOptimizer().fit(early, seed=0).files)
    test = ResourceOptimizer().fit(frame, seed=0, champion=champion).report.backtests[0]
    assert test.fresh.n == test.n
    seen = ResourceOptimizer().fit(frame, seed=0, champion=ResourceOptimizer().load(model.files)).report
    assert seen.backtests[0].fresh is None
    assert any("the champion was not compared" in note for note in seen.notes)


def test_a_month_is_judged_on_other_machines_and_one_machine_on_itself(frame):
    short = frame.data.filter(pl.col("timestamp") < START + timedelta(days=30))
    report = ResourceOptimizer().fit(MetricFrame.of(short), seed=0).report
    assert any("judged on other machines" in note for note in report.notes)
    assert report.backtests[0].n == 15
    alone = MetricFrame.of(short.filter(pl.col("resource_id") == "roomy-01"))
    assert any("one machine" in note for note in ResourceOptimizer().fit(alone, seed=0).report.notes)


def test_where_nothing_beats_the_default_the_default_answers_with_its_own_rate():
    fleet = MetricFrame.of(pl.concat(machine(f"full-{i}", top=95.0, seed=i) for i in range(6)))
    model = ResourceOptimizer().fit(fleet, seed=0)
    assert model.report.decision is Decision.SIMPLE_RULE
    predictor = ResourceOptimizer().load(model.files)
    assert predictor.fleet.rule == resource_trial.DEFAULT
    earlier = replace(predictor, trained_until=START)
    again = ResourceOptimizer().fit(fleet, seed=0, champion=earlier)
    assert again.report.decision is Decision.KEEP_CHAMPION


def test_what_is_missing_is_said():
    whole = machine("a")
    with pytest.raises(SchemaError, match="cpu_utilization_max") as caught:
        ResourceOptimizer().fit(MetricFrame.of(whole.drop("cpu_utilization_max")), seed=0)
    assert "28 days" in caught.value.hint
    with pytest.raises(SchemaError, match="instance_type"):
        ResourceOptimizer().fit(MetricFrame.of(whole.drop("instance_type")), seed=0)
    with pytest.raises(NotEnoughData, match="no machine can be judged"):
        ResourceOptimizer().fit(MetricFrame.of(machine("a", days=20)), seed=0)
    with pytest.raises(NotEnoughData, match=r"no price of m9\.huge"):
        ResourceOptimizer().fit(MetricFrame.of(machine("a", kind="m9.huge")), seed=0)


def test_machines_that_cannot_be_judged_say_why():
    changed = pl.concat([machine("a", days=20), machine("a", days=40, kind="m6i.large").tail(20 * 24)])
    nameless = machine("b").with_columns(instance_type=pl.lit(None, pl.String))
    _, reasons = machines(pl.concat([changed, nameless]))
    assert "changed its instance type" in reasons["a"]
    assert "not known" in reasons["b"]
    _, reasons = machines(machine("c").drop("cpu_utilization_max"))
    assert "average hides its peaks" in reasons["c"]


def test_what_taught_had_ended_before_the_judged_decision(frame):
    found, _ = machines(frame.data)
    judged, hour = newest(found)
    before = taught(found, until=hour)
    assert len(judged) == len(found) == 30
    (one,) = [m for m in found if m.name == "roomy-00"]
    assert hour == one.first + len(one.cpu) - 14 * 24
    then = frame.data.filter(pl.col("timestamp") < START + timedelta(days=42))
    known_then = taught(machines(then)[0])
    assert len(before) == len(known_then) > 0
    for ours, theirs in zip(before.windows.future, known_then.windows.future, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    none, _ = newest(found, since=hour + 1)
    assert len(none) == 0


def test_a_fortnight_after_deployment_the_model_is_judged_and_before_it_is_not(frame, model):
    recipe = ResourceOptimizer()
    late = START + timedelta(days=41)
    assert recipe.evaluate(model.files, frame, since=late).backtest.n == 30
    assert recipe.evaluate(model.files, frame, since=START + timedelta(days=50)) is None
    assert recipe.history == timedelta(days=56)


# --- trees as arrays


@pytest.fixture(scope="module")
def forest():
    rng = np.random.default_rng(0)
    known = rng.random((120, 24))
    return fit(known, 0.2 + known[:, 0], seed=0), known


def test_arrays_answer_as_the_forest_does(forest):
    fitted, known = forest
    np.testing.assert_allclose(Trees.of(fitted).predict(known), fitted.predict(known), atol=2e-5)


def test_arrays_survive_a_file_and_foreign_ones_are_refused(forest):
    fitted, known = forest
    trees = Trees.of(fitted)
    again = Trees.from_bytes(trees.to_bytes())
    np.testing.assert_array_equal(again.predict(known), trees.predict(known))
    with pytest.raises(ArtifactError, match="arrays of trees"):
        Trees.from_bytes(files.to_skops({"roots": np.zeros(1)}))


def test_a_forest_is_stored_with_its_model_and_says_the_same(forest):
    fitted, _ = forest
    fleet = Fleet(Trees.of(fitted), resource_trial.DEFAULT, Outcome(0.3, 0.05, 9), Outcome(0.2, 0.04, 9), 24, 9.0)
    stored = SizePredictor(schema=(), fleet=fleet, trained_until=START)
    past = np.random.default_rng(1).random(14 * 24)
    again = SizePredictor.load(stored.files())
    ladder = [(0.25, 0.5, 1.0)]
    for one in (again, stored):
        (trouble,) = one.fleet.trouble([past], ladder)
        assert (np.diff(trouble) <= 0).all()
    with pytest.raises(ArtifactError, match="does not hold"):
        SizePredictor.load(files.bundle(NAME, {"risk": 0.05}, {}))


def test_nothing_asked_is_nothing_answered_and_nothing_resized_has_no_calibration():
    windows = Windows(("a",), (np.full(336, 0.9),), (np.full(336, 0.95),), 24)
    fleet = Fleet(None, resource_trial.DEFAULT, None, Outcome(0.0, 0.0, 1), 24, 1.0)
    found = resource_trial.run(fleet, Decisions(windows, ((0.5, 1.0),)), champion=None, seed=0)
    assert found.calibration == ()
