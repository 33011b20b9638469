"""CostOptimizationAI: what is coming on the bill, on the recipe ``cost-optimizer`` of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_auto.errors import NotFitted
from aws_auto.frame import MetricFrame, like
from aws_auto.ml.recipes import catalog
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from aws_auto.protocols import Predictor
    from aws_auto.results import TrainReport


class CostOptimizationAI:
    """Forecasts each resource's cost of the next 24 hours and names what costs money and does nothing.

    Train on at least ten days with ``hourly_cost``, then ask about the present. Data are pandas or Polars tables, or
    a `MetricFrame`, with ``resource_id``, ``timestamp``, ``hourly_cost`` and metrics.
    """

    def __init__(self) -> None:
        self._recipe = catalog.get("cost-optimizer")
        self._predictor: Predictor | None = None
        self._report: TrainReport | None = None

    def train_cost_optimization_model(
        self,
        training_data: Any,  # noqa: ANN401 - pandas must not be imported to be named
        *,
        seed: int = 0,
        progress: Progress = silent,
    ) -> dict[str, TrainReport]:
        """Train what there is: ``cost_predictor``. The report holds the back-test against the best simple rule.

        Raises:
            NotEnoughData: fewer than ten days, or nothing that costs anything.
            SchemaError: ``hourly_cost`` or a key column is missing.
        """
        model = self._recipe.fit(MetricFrame.of(training_data), seed=seed, progress=progress)
        self._predictor, self._report = self._recipe.load(model.files), model.report
        return {"cost_predictor": model.report}

    def predict_cost_optimizations(self, current_infrastructure: Any) -> dict[str, Any]:  # noqa: ANN401 - see above
        """Cost of the next 24 hours after each row, and idle resources.

        Returns:
            ``predictions``: ``cost_forecast`` (a table as it was given, one row per row: ``expected_24h``, ``low_24h``,
            ``high_24h``), ``optimization_opportunities`` (idle resources), ``usage_patterns`` and ``anomaly_score``
            (None: not known yet). ``recommendations``: one per idle resource. ``confidence_score``: share of held-back
            costs that lay inside their 80 % interval. ``expected_savings``: the most that stopping the idle ones would
            save, in USD a month; None where nothing can be said.

        Raises:
            NotFitted: `train_cost_optimization_model` was not called.
        """
        from aws_auto.ml.cost.idle import idle

        if self._predictor is None or self._report is None:
            raise NotFitted(
                "CostOptimizationAI was not trained", hint="call train_cost_optimization_model(training_data) first"
            )
        frame = MetricFrame.of(current_infrastructure)
        found = idle(frame.data)
        return {
            "predictions": {
                "cost_forecast": like(current_infrastructure, self._predictor.predict(frame.data)),
                "optimization_opportunities": found,
                "usage_patterns": None,
                "anomaly_score": None,
            },
            "recommendations": [
                {
                    "resource_id": i.resource_id,
                    "action": "stop it, or say why it must run",
                    "evidence": f"CPU never above {i.highest_cpu:.1f} % in {i.days:.0f} days",
                    "monthly_usd_at_most": i.monthly_usd,
                }
                for i in found
            ],
            "confidence_score": self._report.calibration[0].observed,
            "expected_savings": sum(i.monthly_usd for i in found) if found else None,
        }
