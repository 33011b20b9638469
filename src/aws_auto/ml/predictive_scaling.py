"""PredictiveScalingAI: what is coming, on the recipe ``demand-forecaster`` of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_auto.errors import NotFitted, NotYet
from aws_auto.frame import MetricFrame, like
from aws_auto.ml.recipes import catalog
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from aws_auto.protocols import Predictor
    from aws_auto.results import TrainReport


class PredictiveScalingAI:
    """Forecasts hourly demand of each resource for the next four hours.

    Train on at least ten days with ``request_count`` or ``cpu_utilization``, then ask. Data are pandas or Polars
    tables, or a `MetricFrame`, with ``resource_id``, ``timestamp`` and metrics.
    """

    def __init__(self) -> None:
        self._recipe = catalog.get("demand-forecaster")
        self._predictor: Predictor | None = None

    def train_scaling_models(
        self,
        training_data: Any,  # noqa: ANN401 - pandas must not be imported to be named
        *,
        seed: int = 0,
        progress: Progress = silent,
    ) -> dict[str, TrainReport]:
        """Train what there is: ``demand_forecasting``. The report holds the back-test against the best naive rule.

        Raises:
            NotEnoughData: fewer than ten days, or demand that is zero everywhere.
            SchemaError: a key column or every demand metric is missing.
        """
        model = self._recipe.fit(MetricFrame.of(training_data), seed=seed, progress=progress)
        self._predictor = self._recipe.load(model.files)
        return {"demand_forecasting": model.report}

    def forecast_demand(self, metrics_data: Any) -> Any:  # noqa: ANN401 - gives back what was given
        """Demand one to four hours after each row: ``expected_1h``, ``low_1h``, ``high_1h`` (80 %), ... ``_4h``.

        Raises:
            NotFitted: `train_scaling_models` was not called.
        """
        if self._predictor is None:
            raise NotFitted(
                "PredictiveScalingAI was not trained", hint="call train_scaling_models(training_data) first"
            )
        frame = MetricFrame.of(metrics_data)
        return like(metrics_data, self._predictor.predict(frame.data))

    def predict_scaling_requirements(self, current_state: Any, horizon_hours: int = 4) -> dict[str, Any]:  # noqa: ANN401
        """Instances, performance and cost that the forecast demand asks for.

        Raises:
            NotYet: always; capacity planning and performance prediction are not built yet.
        """
        raise NotYet(
            f"no capacity for the next {horizon_hours} hours from {type(current_state).__name__}: it is not built yet",
            hint="forecast_demand(metrics_data) gives the demand with its interval",
        )
