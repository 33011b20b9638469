"""PredictiveScalingAI: what is coming, how many instances it asks for, and how they will fare.

A thin door: the recipes of the command line do the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from aws_auto.errors import DataError, NotFitted, UsageError
from aws_auto.frame import RESOURCE, TIMESTAMP, MetricFrame, like
from aws_auto.ml.scaling import words
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from aws_auto.ml.recipes.capacity import CapacityAnswers
    from aws_auto.ml.recipes.demand_settings import DemandSettings
    from aws_auto.ml.recipes.panel import PanelPredictor
    from aws_auto.ml.recipes.performance import PerformanceAnswers
    from aws_auto.ml.scaling.requirements import CapacityPlans, DemandForecast, Expected
    from aws_auto.results import TrainReport

#: Report of each part by the documented names; a part that could not be trained has its error instead.
Reports = dict[str, "TrainReport | DataError"]


@dataclass(frozen=True)
class ScalingState:
    """What `PredictiveScalingAI.predict_scaling_requirements` is asked about; a mapping with these keys does as well.

    Attributes:
        metrics: the newest rows.
        history: the weeks before them; None when ``metrics`` holds them.
        capacity: instances that run, by fleet: a number, or numbers by type; None to read them from the metrics.
        constraints: a `Constraints` (or its fields as a mapping) for all fleets, or one by fleet.
        workload: rows that say how the workloads are now; None for those of ``metrics``.
    """

    metrics: Any
    history: Any = None
    capacity: Mapping[str, Any] = field(default_factory=dict)
    constraints: Any = None
    workload: Any = None


class DemandForecastingModel:
    """Forecasts requests a second of each resource; see the recipe ``demand-forecaster``."""

    def __init__(self) -> None:
        self.model: PanelPredictor | None = None

    def forecast(self, current_metrics: Any, historical_data: Any = None, horizon: int = 4) -> DemandForecast:  # noqa: ANN401
        """Demand of the next ``horizon`` hours (1 to 24), with quantiles.

        Raises:
            NotFitted: there is no model yet.
            NotEnoughData: no resource can be forecast.
        """
        from aws_auto.ml.scaling.requirements import forecast_demand

        rows = _joined(historical_data, current_metrics)
        return forecast_demand(_fitted(self.model, "demand"), rows, horizon=horizon)


class CapacityPlanningModel:
    """Plans instances; see the recipe ``capacity-planner``."""

    def __init__(self) -> None:
        self.model: CapacityAnswers | None = None

    def plan(
        self,
        demand_forecast: DemandForecast,
        current_capacity: Mapping[str, Any] | None = None,
        constraints: Any = None,  # noqa: ANN401 - see ScalingState
    ) -> CapacityPlans:
        """The cheapest fleet for each hour of the forecast.

        Raises:
            NotFitted: there is no model yet.
            UsageError: no fleet keeps to the constraints.
        """
        from aws_auto.ml.scaling.requirements import plan_capacity

        return plan_capacity(
            _fitted(self.model, "capacity"),
            demand_forecast,
            running=words.running_of(current_capacity or {}),
            constraints=words.constraints_of(constraints),
        )


class PerformancePredictionModel:
    """Foretells latency; see the recipe ``performance-predictor``."""

    def __init__(self) -> None:
        self.model: PerformanceAnswers | None = None

    def predict(self, capacity_plan: CapacityPlans, workload_profile: Any = None) -> dict[str, tuple[Expected, ...]]:  # noqa: ANN401
        """Latency and risk of each hour of each plan.

        Raises:
            NotFitted: there is no model yet.
        """
        from aws_auto.ml.scaling.requirements import predict_performance

        profile = None if workload_profile is None else MetricFrame.of(workload_profile).data
        return predict_performance(_fitted(self.model, "performance"), capacity_plan, profile=profile)


class PredictiveScalingAI:
    """Forecasts demand, plans instances for it, and foretells their latency.

    Train on at least ten days with ``request_count``, ``instance_count``, ``cpu_utilization`` and ``latency``; what can
    be trained from less is. Data are pandas or Polars tables, or a `MetricFrame`, with ``resource_id``, ``timestamp``.
    """

    def __init__(self) -> None:
        self.demand_predictor = DemandForecastingModel()
        self.capacity_planner = CapacityPlanningModel()
        self.performance_predictor = PerformancePredictionModel()

    def train_scaling_models(
        self,
        training_data: Any,  # noqa: ANN401 - pandas must not be imported to be named
        training_config: Mapping[str, Any] | None = None,
        *,
        demand: DemandSettings | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> Reports:
        """Train ``demand_forecasting``, ``capacity_planning`` and ``performance_prediction``.

        A part that the data do not allow has the error that says why in place of its report.

        Args:
            training_data: see the class.
            training_config: as documented, by part; see `aws_auto.ml.scaling.words.DOCUMENTED`.
            demand: which column is the demand, and which events and holidays are known before they come.
            seed: of everything random.
            progress: told what is done.

        Raises:
            DataError: nothing could be trained.
            UsageError: the configuration asks for what there is not.
        """
        frame = MetricFrame.of(training_data)
        recipes = words.recipes_of(training_config, demand)
        reports: Reports = {}
        for part, recipe in recipes.items():
            try:
                model = recipe.fit(frame, seed=seed, progress=progress)
            except DataError as error:
                reports[part] = error
            else:
                reports[part] = model.report
                self._home(part).model = recipe.load(model.files)  # type: ignore[assignment] # each recipe loads its own
        errors = [r for r in reports.values() if isinstance(r, DataError)]
        if len(errors) == len(reports):
            raise errors[0]
        return reports

    def forecast_demand(self, metrics_data: Any) -> Any:  # noqa: ANN401 - gives back what was given
        """Demand one to four hours after each row: ``expected_1h``, ``low_1h``, ``high_1h`` (80 %), ... ``_4h``.

        Raises:
            NotFitted: `train_scaling_models` was not called.
        """
        model = _fitted(self.demand_predictor.model, "demand")
        return like(metrics_data, model.predict(MetricFrame.of(metrics_data).data))

    def predict_scaling_requirements(self, current_state: Any, horizon_hours: int = 4) -> dict[str, Any]:  # noqa: ANN401
        """Instances, performance and cost that the forecast demand asks for.

        Args:
            current_state: a `ScalingState`, anything with its attributes, or a mapping with its keys.
            horizon_hours: 1 to 24.

        Returns:
            ``scaling_timeline``: a row for each fleet and hour, in order of time. ``resource_requirements``: by fleet
            and pool of instances, the fewest, the most, those of now and of the next hour. ``performance_forecast``:
            by fleet, latency and risk of each hour; empty where that model could not be trained. ``cost_impact``: by
            fleet, USD as it is and as planned.
            ``confidence_intervals``: by fleet, 80 % intervals of demand, instances and latency.

        Raises:
            NotFitted: `train_scaling_models` was not called, or could not train demand or capacity.
        """
        state = current_state if not isinstance(current_state, Mapping) else ScalingState(**current_state)
        demand_forecast = self.demand_predictor.forecast(
            current_metrics=state.metrics, historical_data=state.history, horizon=horizon_hours
        )
        capacity_plan = self.capacity_planner.plan(
            demand_forecast=demand_forecast, current_capacity=state.capacity, constraints=state.constraints
        )
        performance = {}
        if self.performance_predictor.model is not None:
            performance = self.performance_predictor.predict(
                capacity_plan=capacity_plan, workload_profile=state.workload
            )
        return {
            "scaling_timeline": words.timeline(capacity_plan),
            "resource_requirements": capacity_plan.resources,
            "performance_forecast": performance,
            "cost_impact": words.cost_impact(capacity_plan),
            "confidence_intervals": words.intervals(capacity_plan, performance),
        }

    def _home(self, part: str) -> DemandForecastingModel | CapacityPlanningModel | PerformancePredictionModel:
        homes = {
            "demand_forecasting": self.demand_predictor,
            "capacity_planning": self.capacity_planner,
            "performance_prediction": self.performance_predictor,
        }
        return homes[part]  # type: ignore[return-value] # the three kinds have no common base but object


def _fitted(model: Any, part: str) -> Any:  # noqa: ANN401 - one of three predictors
    if model is None:
        raise NotFitted(
            f"PredictiveScalingAI has no {part} model", hint="call train_scaling_models(training_data) first"
        )
    return model


def _joined(history: Any, metrics: Any) -> pl.DataFrame:  # noqa: ANN401 - tables
    """History and newest rows as one, the newer row of two alike."""
    parts = [MetricFrame.of(part).data for part in (history, metrics) if part is not None]
    if not parts:
        raise UsageError("there are no metrics", where="current_state")
    rows = pl.concat(parts, how="diagonal_relaxed")
    return rows.unique([RESOURCE, TIMESTAMP], keep="last", maintain_order=True).sort(RESOURCE, TIMESTAMP)
