from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from aws_auto.errors import DataError, NotEnoughData, NotFitted, SchemaError, UsageError
from aws_auto.frame import MetricFrame
from aws_auto.ml.predictive_scaling import PredictiveScalingAI, ScalingState
from aws_auto.ml.scaling import words
from aws_auto.ml.scaling.timeline import Constraints
from aws_auto.results import TrainReport, as_json
from scaling_estate import trained

KEYS = {
    "scaling_timeline",
    "resource_requirements",
    "performance_forecast",
    "cost_impact",
    "confidence_intervals",
}


@pytest.fixture(scope="module")
def state(scaling_estate):
    border = scaling_estate.span[1] - timedelta(days=1)
    return ScalingState(metrics=scaling_estate.between(start=border), history=scaling_estate.between(end=border))


@pytest.fixture(scope="module")
def answer(scaling_door, state):
    return scaling_door.predict_scaling_requirements(state)


def test_the_door_gives_the_figures_of_the_recipes_and_only_the_parts_that_were_asked_for(scaling_estate):
    door = PredictiveScalingAI()
    reports = door.train_scaling_models(scaling_estate, {"capacity_planning": {}, "performance_prediction": {}}, seed=0)
    assert set(reports) == {"capacity_planning", "performance_prediction"}
    for report in reports.values():
        assert as_json(report) == as_json(trained()[report.recipe].report)


def test_requirements_have_exactly_the_documented_keys_for_the_documented_horizon(answer, state):
    assert set(answer) == KEYS
    assert set(answer["resource_requirements"]) == {"web", "box"}
    last = state.metrics.span[1]
    starts = sorted({row["start"] for row in answer["scaling_timeline"]})
    assert len(starts) == 4
    assert timedelta(0) <= starts[0] - last <= timedelta(hours=1)
    assert len(answer["scaling_timeline"]) == 8
    assert as_json(answer)["cost_impact"]["web"]["hours"] == 4.0


def test_the_timeline_says_what_changes_and_when_to_start_it(answer):
    mine = [row for row in answer["scaling_timeline"] if row["resource_id"] == "web"]
    for before, after in itertools.pairwise(mine):
        assert after["from"] == before["to"]
    for row in mine:
        sign = (row["to"] > row["from"]) - (row["to"] < row["from"])
        assert row["action"] == {1: "scale_out", 0: "hold", -1: "scale_in"}[sign]
        assert row["start"] - row["launch"] == timedelta(minutes=5)
        assert sum(row["instances"].values()) == row["to"]


def test_demand_instances_latency_and_money_of_a_fleet_fit_together(answer):
    for name, hours in answer["performance_forecast"].items():
        said = answer["confidence_intervals"][name]
        for hour, shown in zip(hours, said, strict=True):
            assert hour.p50 < hour.p95 <= hour.p99
            assert 0 <= hour.breach <= 1
            assert shown["demand"].low < shown["demand"].high
            assert shown["instances"].low < shown["instances"].high
            assert shown["p95_latency"].low <= hour.p95 <= shown["p95_latency"].high + 1e-9
        cost = answer["cost_impact"][name]
        assert cost["usd_planned"] - cost["usd_as_it_is"] == pytest.approx(cost["usd_difference"])
    pools = answer["resource_requirements"]["web"]
    assert set(pools) == {"m6i.large on-demand"}
    assert pools["m6i.large on-demand"]["min"] >= 1


def test_any_object_with_the_documented_attributes_and_a_mapping_do_as_well(scaling_door, state, answer):
    bare = SimpleNamespace(**vars(state))
    mapping = dict(vars(state))
    for given in (bare, mapping):
        assert as_json(scaling_door.predict_scaling_requirements(given)) == as_json(answer)


def test_a_given_capacity_and_bounds_are_respected(scaling_door, state):
    bounded = replace(state, capacity={"web": 3, "box": {"task spot": 1}}, constraints={"least": 2, "most": 5})
    found = scaling_door.predict_scaling_requirements(bounded, horizon_hours=6)
    first = next(row for row in found["scaling_timeline"] if row["resource_id"] == "web")
    assert first["from"] == 3
    assert all(2 <= row["to"] <= 5 for row in found["scaling_timeline"])
    assert len({row["start"] for row in found["scaling_timeline"]}) == 6
    assert found["cost_impact"]["box"]["usd_as_it_is"] is None
    by_fleet = replace(state, constraints={"web": {"most": 4}, "box": Constraints(least=3)})
    found = scaling_door.predict_scaling_requirements(by_fleet)
    assert max(r["to"] for r in found["scaling_timeline"] if r["resource_id"] == "web") <= 4
    assert min(r["to"] for r in found["scaling_timeline"] if r["resource_id"] == "box") >= 3


def test_a_workload_profile_says_how_things_are_now(scaling_door, state, answer):
    hot = MetricFrame(
        state.metrics.data.with_columns(latency=pl.col("latency") * 3, latency_p95=pl.col("latency_p95") * 3)
    )
    found = scaling_door.predict_scaling_requirements(replace(state, workload=hot))
    assert found["performance_forecast"] != answer["performance_forecast"]
    assert found["resource_requirements"] == answer["resource_requirements"]


def test_the_parts_can_be_called_as_the_specification_calls_them(scaling_door, state):
    forecast = scaling_door.demand_predictor.forecast(
        current_metrics=state.metrics, historical_data=state.history, horizon=2
    )
    plan = scaling_door.capacity_planner.plan(demand_forecast=forecast, current_capacity=None, constraints=None)
    told = scaling_door.performance_predictor.predict(capacity_plan=plan, workload_profile=None)
    assert set(told) == {p.resource for p in plan.plans} == set(plan.resources)
    assert all(len(hours) == 2 for hours in told.values())
    assert forecast.notes == ("1 resources have no requests to forecast",)


def test_what_the_data_do_not_allow_has_its_reason_in_place_of_a_report(scaling_estate):
    door = PredictiveScalingAI()
    config = {"capacity_planning": {}, "performance_prediction": {}}
    less = MetricFrame(scaling_estate.data.drop("latency", "latency_p95"))
    reports = door.train_scaling_models(less, config)
    assert isinstance(reports["capacity_planning"], TrainReport)
    assert isinstance(reports["performance_prediction"], SchemaError)
    with pytest.raises(NotFitted, match="no demand model"):
        door.predict_scaling_requirements({"metrics": less})
    with pytest.raises(DataError):
        door.train_scaling_models(MetricFrame(less.data.drop("request_count")), config)
    with pytest.raises(NotEnoughData):
        door.train_scaling_models(less.between(end=less.span[0] + timedelta(days=2)), {"capacity_planning": {}})


def test_without_a_performance_model_everything_else_is_answered(scaling_door, state, answer):
    door = PredictiveScalingAI()
    door.demand_predictor, door.capacity_planner = scaling_door.demand_predictor, scaling_door.capacity_planner
    found = door.predict_scaling_requirements(state)
    assert found["performance_forecast"] == {}
    assert found["resource_requirements"] == answer["resource_requirements"]
    assert found["confidence_intervals"]["web"][0]["p95_latency"] is None


def test_the_documented_configuration_is_accepted_and_honoured():
    documented = {part: dict(said) for part, said in words.DOCUMENTED.items()}
    assert set(words.recipes_of(documented)) == set(words.recipes_of(None)) == set(documented)
    some = words.recipes_of({"capacity_planning": {"features": ["predicted_demand", "performance_metrics"]}})
    assert some["capacity_planning"].groups == ("predicted_demand", "performance_metrics")


def test_what_is_known_of_demand_reaches_the_forecaster():
    from aws_auto.ml.recipes.demand_settings import DemandSettings

    settings = DemandSettings(metric="orders", kind="sum")
    assert words.recipes_of(None, settings)["demand_forecasting"].settings == settings


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"pricing": {}}, "no part is called"),
        ({"capacity_planning": {"depth": 3}}, "is no setting"),
        ({"demand_forecasting": {"model_type": "Prophet"}}, "not offered"),
        ({"demand_forecasting": {"sequence_length": 48}}, "not offered"),
        ({"capacity_planning": {"features": ["moon"]}}, "moon is not offered"),
        ({"capacity_planning": {"features": []}}, "at least one"),
        ({"performance_prediction": {"features": ["infrastructure_state"]}}, "all of them"),
    ],
)
def test_a_configuration_that_is_not_offered_is_refused_with_what_is(config, text):
    with pytest.raises(UsageError, match=text) as caught:
        words.recipes_of(config)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("capacity", "constraints"),
    [({"web": -1}, None), ({"web": True}, None), ({"web": {"m6i.large cheap": 2}}, None), ({}, 7), ({}, {"web": 7})],
)
def test_a_capacity_or_constraint_that_is_none_is_refused(scaling_door, state, capacity, constraints):
    with pytest.raises(UsageError):
        scaling_door.predict_scaling_requirements(replace(state, capacity=capacity, constraints=constraints))


def test_no_metrics_are_refused(scaling_door):
    with pytest.raises(UsageError, match="no metrics"):
        scaling_door.predict_scaling_requirements(ScalingState(metrics=None))
