from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, UsageError
from aws_auto.ml.scaling.requirements import forecast_demand, plan_capacity, predict_performance
from aws_auto.ml.scaling.timeline import LEVELS, Constraints


@pytest.fixture(scope="module")
def forecast(scaling_door, scaling_estate):
    return forecast_demand(scaling_door.demand_predictor.model, scaling_estate.data, horizon=4)


def test_demand_is_in_requests_a_second_and_its_quantiles_ascend(forecast, scaling_estate):
    assert {"web", "web-alb", "box"} == set(forecast.demand)
    seen = scaling_estate.data.filter(pl.col("resource_id") == "web")["request_count"] / 1800
    for quantiles in forecast.demand["web"]:
        assert (quantiles[1:] >= quantiles[:-1]).all()
        assert 0.3 * seen.min() < quantiles[LEVELS.index(0.5)] < 1.5 * seen.max()


def test_a_forecast_of_something_else_or_of_nothing_is_refused(scaling_door, scaling_estate):
    model = scaling_door.demand_predictor.model
    with pytest.raises(UsageError, match="planned for requests"):
        forecast_demand(replace(model, metric="cpu_utilization"), scaling_estate.data, horizon=4)
    with pytest.raises(NotEnoughData):
        forecast_demand(model, scaling_estate.data.head(2), horizon=4)


def test_a_fleet_that_counts_no_requests_is_planned_for_those_of_its_balancer(scaling_door, forecast):
    model = scaling_door.capacity_planner.model
    without = replace(forecast, demand={k: v for k, v in forecast.demand.items() if k != "web"})
    assert {p.resource for p in plan_capacity(model, without).plans} == {"web", "box"}


def test_a_fleet_without_forecast_or_without_metrics_of_late_is_left_out_with_the_reason(scaling_door, forecast):
    model = scaling_door.capacity_planner.model
    without = replace(forecast, demand={k: v for k, v in forecast.demand.items() if k != "box"})
    assert plan_capacity(model, without).left_out == {"box": "its demand could not be forecast"}
    silent = replace(forecast, rows=forecast.rows.filter(pl.col("resource_id") != "box"))
    assert plan_capacity(model, silent).left_out == {"box": "it sent no metrics of late"}


def test_no_demand_at_all_asks_for_the_least_that_is_allowed(scaling_door, forecast):
    none = replace(forecast, demand={name: 0 * quantiles for name, quantiles in forecast.demand.items()})
    plans = plan_capacity(scaling_door.capacity_planner.model, none)
    for plan in plans.plans:
        assert plan.steps[-1].need.high < 1
        assert plan.steps[-1].total <= max(1, plan.steps[0].total // 2)
    told = predict_performance(scaling_door.performance_predictor.model, plans)
    assert all(hour.p95 > 0 for hours in told.values() for hour in hours)


def test_a_lower_objective_is_broken_more_often(scaling_door, forecast):
    plans = plan_capacity(scaling_door.capacity_planner.model, forecast)
    model = scaling_door.performance_predictor.model
    own = predict_performance(model, plans)["web"][0]
    strict = predict_performance(model, plans, objectives={"web": own.p50})["web"][0]
    assert strict.breach > own.breach
    assert strict.objective == own.p50
    assert strict.p95 == own.p95


def test_a_fleet_whose_objective_is_unknown_has_a_latency_and_no_risk(scaling_door, forecast):
    plans = plan_capacity(scaling_door.capacity_planner.model, forecast)
    model = replace(scaling_door.performance_predictor.model, objectives={})
    told = predict_performance(model, plans)["web"][0]
    assert told.breach is None
    assert told.objective is None
    assert told.p95 > 0


def test_a_longer_horizon_is_planned_with_what_is_known_of_four_hours(scaling_door, scaling_estate):
    far = forecast_demand(scaling_door.demand_predictor.model, scaling_estate.data, horizon=12)
    plans = plan_capacity(scaling_door.capacity_planner.model, far)
    assert [len(p.steps) for p in plans.plans] == [12, 12]
    told = predict_performance(scaling_door.performance_predictor.model, plans)
    assert all(hour.p95 > 0 for hours in told.values() for hour in hours)


def test_constraints_by_fleet_leave_the_others_free(scaling_door, forecast):
    plans = plan_capacity(scaling_door.capacity_planner.model, forecast, constraints={"web": Constraints(most=2)})
    by_name = {p.resource: p for p in plans.plans}
    assert by_name["web"].most == 2
    assert SimpleNamespace(**by_name["box"].resources)


def test_a_fleet_on_spot_may_move_to_demand_where_not_all_of_it_may_stay(scaling_door, forecast):
    model = scaling_door.capacity_planner.model
    on_spot = replace(forecast, rows=forecast.rows.with_columns(purchase_option=pl.lit("spot")))
    half = plan_capacity(model, on_spot, constraints=Constraints(spot_share=0.5), only=["web"]).plans[0]
    for step in half.steps[1:]:
        assert step.instances.get("m6i.large spot", 0) <= step.instances["m6i.large on-demand"]
    whole = plan_capacity(model, on_spot, only=["web"]).plans[0]
    assert set(whole.resources) == {"m6i.large spot"}
    assert any("may be reclaimed is not counted" in note for note in whole.notes)
    with pytest.raises(UsageError, match="on demand is not known"):
        plan_capacity(model, on_spot, constraints=Constraints(spot_share=0.5), only=["box"])
