"""The anomaly recipe where its learned detector answers: both sides of the end of training, files, and damage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError
from aws_auto.ml import files
from aws_auto.ml.anomaly.answers import EXCLUDED, LATE, UNJUDGED
from aws_auto.ml.anomaly.detector import FleetDetector
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import grids
from aws_auto.ml.anomaly.rules import ROLLING_MAD
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.recipes import catalog
from aws_auto.ml.recipes.anomaly import decide, drawn
from aws_auto.ml.recipes.anomaly_predictor import AnomalyPredictor
from aws_auto.results import BackTest, Decision, Field, Interval

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS, STEP = 20, timedelta(minutes=15)
PER_DAY = 96
END = START + timedelta(days=DAYS)


def rows(days=DAYS, seed=0):
    """Three resources with a strong day, whose noise hangs together from point to point."""
    n = days * PER_DAY
    parts = []
    for r in range(3):
        rng = np.random.default_rng((seed, r))
        noise = np.zeros(n)
        for i in range(1, n):
            noise[i] = 0.8 * noise[i - 1] + rng.normal(0, 0.3)
        wave = np.sin(np.arange(n) / PER_DAY * 2 * np.pi)
        parts.append(
            pl.DataFrame(
                {
                    "resource_id": f"r{r}",
                    "timestamp": [START + STEP * k for k in range(n)],
                    "cpu_utilization": 40 + 25 * wave + noise,
                    "latency": 100 + 30 * wave + rng.normal(0, 1, n),
                }
            )
        )
    return pl.concat(parts).with_columns(pl.col("timestamp").dt.cast_time_unit("us"))


def with_spike(table, at):
    mine = (pl.col("resource_id") == "r1") & (pl.col("timestamp") == at)
    return table.with_columns(cpu_utilization=pl.when(mine).then(99.0).otherwise("cpu_utilization"))


def answer_at(answers, at):
    return answers.filter((pl.col("resource_id") == "r1") & (pl.col("timestamp") == at)).row(0, named=True)


@pytest.fixture(scope="module")
def model():
    """The files of a model whose learned detector was promoted, whatever a back-test would say."""
    metrics = ("cpu_utilization", "latency")
    border = int((START + timedelta(days=9)).timestamp())
    return AnomalyPredictor(
        recipe="anomaly-detector",
        schema=tuple(Field(name=name, kind="number") for name in metrics),
        detector=FleetDetector.fit(Ensemble.kind, grids(rows(), metrics), until=border, settings=AnomalySettings()),
        settings=AnomalySettings(),
        trained_until=END,
    ).files()


@pytest.fixture(scope="module")
def rule():
    """A predictor whose detector is the rolling median."""
    metrics = ("cpu_utilization", "latency")
    border = int((START + timedelta(days=9)).timestamp())
    return AnomalyPredictor(
        recipe="anomaly-detector",
        schema=tuple(Field(name=name, kind="number") for name in metrics),
        detector=FleetDetector.fit(ROLLING_MAD, grids(rows(), metrics), until=border, settings=AnomalySettings()),
        settings=AnomalySettings(),
        trained_until=END,
    )


@pytest.fixture(scope="module")
def predictor(model):
    return catalog.get("anomaly-detector").load(model)


@pytest.mark.parametrize("day", [14, 19, 24])
def test_a_spike_is_found_inside_the_training_span_and_after_it(predictor, day):
    at = START + timedelta(days=day, hours=5)
    answer = answer_at(predictor.predict(with_spike(rows(days=26), at)), at)
    assert answer["is_anomaly"]
    assert answer["metric"] == "cpu_utilization"
    assert answer["value"] > answer["high"] >= answer["expected"] >= answer["low"]


def test_what_came_after_training_is_judged_the_same_with_and_without_the_rows_before(predictor):
    table = rows(days=26)
    whole = predictor.predict(table).filter(pl.col("timestamp") >= END)
    assert predictor.predict(table.filter(pl.col("timestamp") >= END)).equals(whole)
    assert whole["score"].null_count() == 0


@pytest.mark.parametrize("day", [16, 23])
def test_no_answer_of_the_learned_detector_depends_on_later_rows(predictor, day):
    table, border = rows(days=26), START + timedelta(days=day, hours=7)
    whole = predictor.predict(table).filter(pl.col("timestamp") < border)
    alone = predictor.predict(table.filter(pl.col("timestamp") < border))
    for column in ("score", "expected", "low", "high"):
        np.testing.assert_allclose(alone[column].to_numpy(), whole[column].to_numpy(), rtol=1e-6, err_msg=column)


def test_rows_that_the_model_was_fitted_on_get_a_reason_instead_of_an_answer(predictor):
    first = predictor.predict(rows().filter(pl.col("timestamp") < START + timedelta(days=2)))
    assert set(first["note"]) == {UNJUDGED}
    assert first["score"].null_count() == len(first)


def test_a_value_lies_outside_its_range_exactly_where_it_is_an_alarm(predictor):
    table = with_spike(rows(), START + timedelta(days=18))
    judged = predictor.predict(table).drop_nulls("score")
    inside = pl.col("value").is_between(pl.col("low") - 1e-9, pl.col("high") + 1e-9)
    assert judged["is_anomaly"].any()
    assert judged.select("low", "high", "expected").null_count().sum_horizontal().item() == 0
    assert judged.filter(~pl.col("is_anomaly")).select(inside.all()).item()
    assert not judged.filter(pl.col("is_anomaly")).select(inside.any()).item()


def test_the_files_hold_one_part_for_each_resource_and_no_detector_in_json(model):
    parts = [name for name in model if name.startswith("detectors-")]
    assert len(parts) == 3
    assert len(model[files.META]) < 10_000


def test_a_changed_or_missing_part_is_refused(model):
    part = next(name for name in model if name.startswith("detectors-"))
    changed = bytearray(model[part])
    changed[5000] ^= 1
    for damaged in ({**model, part: bytes(changed)}, {n: d for n, d in model.items() if n != part}):
        with pytest.raises(ArtifactError) as caught:
            catalog.get("anomaly-detector").load(damaged)
        assert caught.value.where == part


def test_a_model_of_an_older_kind_is_refused_with_the_next_step(model):
    body, _ = files.open_bundle(model, "anomaly-detector")
    for said in body["resources"].values():
        said["scorer"] = {"kind": "profile and autoregression", "centre": 0.0}
    with pytest.raises(ArtifactError, match="profile and autoregression") as caught:
        catalog.get("anomaly-detector").load(files.bundle("anomaly-detector", body, {}))
    assert "train-models" in caught.value.hint


def streamed(predictor, table, *, hours):
    """Answers of a detection that comes back every few hours, and the states it leaves."""
    states, parts, at = {}, [], END
    while at < table["timestamp"].max():
        new = table.filter(pl.col("timestamp").is_between(at, at + timedelta(hours=hours), closed="left"))
        answers, states = predictor.stream(states, new)
        parts.append(answers)
        at += timedelta(hours=hours)
    return pl.concat(parts).sort("resource_id", "timestamp"), states


@pytest.mark.parametrize("kind", ["predictor", "rule"])
def test_a_stream_gives_the_answers_of_one_batch(kind, request):
    asked = request.getfixturevalue(kind)
    table = with_spike(rows(days=23), END + timedelta(days=1)).filter(pl.col("timestamp") >= END)
    holes = table.filter(~pl.col("timestamp").is_between(END + timedelta(hours=30), END + timedelta(hours=41)))
    whole = asked.predict(holes).sort("resource_id", "timestamp")
    parts, _ = streamed(asked, holes, hours=5)
    assert parts.select("is_anomaly", "metric", "note").equals(whole.select("is_anomaly", "metric", "note"))
    assert whole["is_anomaly"].any()
    for column in ("score", "expected", "low", "high"):
        np.testing.assert_allclose(parts[column].to_numpy(), whole[column].to_numpy(), rtol=1e-6, err_msg=column)


def test_a_stream_says_how_far_it_has_come_and_answers_late_rows_with_a_reason(predictor):
    table = rows(days=21).filter(pl.col("timestamp") >= END)
    assert set(predictor.reached({}).values()) == {END}
    _, states = predictor.stream({}, table)
    assert set(predictor.reached(states).values()) == {END + timedelta(days=1)}
    again, same = predictor.stream(states, table.head(10))
    assert set(again["note"]) == {LATE}
    assert predictor.reached(same) == predictor.reached(states)


def test_a_stream_of_another_model_starts_at_the_end_of_training(predictor, rule):
    table = rows(days=21).filter(pl.col("timestamp") >= END)
    _, foreign = rule.stream({}, table)
    assert set(predictor.reached(foreign).values()) == {END}
    answers, _ = predictor.stream(foreign, table)
    assert answers.equals(predictor.predict(table))


def test_a_damaged_state_is_refused_with_the_next_step(predictor):
    table = rows(days=21).filter(pl.col("timestamp") >= END)
    _, states = predictor.stream({}, table)
    for damaged in (b"", b"xxxxxxxx", states["r1"][:-3]):
        with pytest.raises(ArtifactError) as caught:
            predictor.stream({"r1": damaged}, table)
        assert caught.value.hint


def test_a_stream_keeps_the_state_of_a_silent_resource_and_forgets_strangers(predictor):
    table = rows(days=21).filter(pl.col("timestamp") >= END)
    _, states = predictor.stream({}, table)
    stranger = table.with_columns(resource_id=pl.lit("new"))
    answers, after = predictor.stream({**states, "gone": b"x"}, stranger)
    assert after == states
    assert set(answers["note"]) == {"this resource was not there in training"}


def test_a_loaded_predictor_takes_other_settings_without_a_new_training(predictor):
    at = START + timedelta(days=24, hours=5)
    table = with_spike(rows(days=26), at)
    there = ((at - timedelta(hours=1), at + timedelta(hours=1)),)
    muted = predictor.configured(AnomalySettings(maintenance=there))
    blind = predictor.configured(AnomalySettings(excluded=there))
    assert predictor.settings == AnomalySettings()
    told, unjudged = answer_at(muted.predict(table), at), answer_at(blind.predict(table), at)
    assert (told["is_anomaly"], told["score"] > 0.5) == (False, True)
    assert (unjudged["score"], unjudged["note"]) == (None, EXCLUDED)


def test_settings_and_severity_are_in_the_model_and_its_answers(predictor):
    some = AnomalySettings(budget_per_week=0.1, minimum_effect={"latency": 3.0})
    again = catalog.get("anomaly-detector").load(predictor.configured(some).files())
    assert again.settings == some
    at = START + timedelta(days=24, hours=5)
    answers = again.predict(with_spike(rows(days=26), at))
    assert answer_at(answers, at)["severity"] > 0.5
    assert answers.filter(~pl.col("is_anomaly"))["severity"].max() == 0


def back_test(ours, rule, low, high):
    return BackTest(
        metric="share",
        unit="share",
        ours=ours,
        baseline=rule,
        baseline_name="rolling median",
        lower_is_better=False,
        difference=Interval(low, high, 0.95),
        n=3,
        unit_of_n="days",
    )


@pytest.mark.parametrize(
    ("test", "decision", "by_prior"),
    [
        (back_test(0.6, 0.4, 0.1, 0.3), Decision.PROMOTE, False),
        (back_test(0.5, 0.4, -0.1, 0.3), Decision.PROMOTE, False),
        (back_test(0.4, 0.4, -0.1, 0.1), Decision.PROMOTE, True),
        (back_test(0.3, 0.4, -0.3, 0.1), Decision.PROMOTE, True),
        (back_test(0.0, 0.0, 0.0, 0.0), Decision.PROMOTE, True),
        (back_test(0.3, 0.4, -0.2, -0.01), Decision.SIMPLE_RULE, False),
    ],
)
def test_a_simple_rule_wins_only_where_it_is_clearly_better(test, decision, by_prior):
    decided, reason = decide((test,), None)
    assert decided is decision
    assert ("labelled public series" in reason) == by_prior


def test_the_back_test_of_a_large_fleet_is_made_on_a_part_that_the_seed_draws():
    fleet = {f"r{i}": i for i in range(250)}
    some = drawn(fleet, 0)
    assert len(some) == 100
    assert all(fleet[name] == grid for name, grid in some.items())
    assert drawn(fleet, 0) == some != drawn(fleet, 1)
    assert drawn({"b": 1, "a": 2}, 0) == {"a": 2, "b": 1}
