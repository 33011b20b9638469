"""CostOptimizationAI: what a bill will be, what is unusual on it, how things are used, and what could be saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_auto.errors import NotFitted
from aws_auto.ml.cost.cost_features import CostFeatures
from aws_auto.ml.recipes import cost_parts, recipe
from aws_auto.ml.recipes.cost_parts import CostAnomalyDetector, CostPredictor, Optimizer, UsageAnalyzer
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.results import TrainReport


class CostOptimizationAI:
    """The documented cost models on the recipes ``cost-optimizer`` and ``resource-optimizer`` of the command line.

    Train on at least ten days with ``hourly_cost``, better sixty with CPU maxima and instance types; then ask about the
    present. Data are pandas or Polars tables, or a `MetricFrame`, with ``resource_id``, ``timestamp``, ``hourly_cost``
    and metrics. A bill (CUR, FOCUS, Cost Explorer, or our own words) beside them makes the forecast one of the bill and
    the advice complete.

    Attributes:
        cost_predictor: ``predict(features)``.
        resource_optimizer: ``predict(features)``; rules and learned sizes. No reinforcement learning is part of it.
        usage_analyzer: ``analyze(features)``.
        anomaly_detector: ``predict(features)``.
    """

    def __init__(self, training_data: Any = None, *, bill: Any = None) -> None:  # noqa: ANN401 - see CostFeatures.of
        """Take what to train on, so that `train_cost_optimization_model` needs no argument."""
        self._training, self._bill = training_data, bill
        self._report: TrainReport | None = None
        self.cost_predictor = CostPredictor()
        self.resource_optimizer = Optimizer()
        self.usage_analyzer = UsageAnalyzer()
        self.anomaly_detector = CostAnomalyDetector()

    def prepare_training_data(self, training_data: Any = None, *, bill: Any = None) -> CostFeatures:  # noqa: ANN401
        """Check what to train on and keep it.

        Raises:
            NotFitted: nothing was given, here or to the constructor.
            SchemaError: a key column is missing, or the bill is of no known format.
        """
        self._training = self._training if training_data is None else training_data
        self._bill = self._bill if bill is None else bill
        if self._training is None:
            raise NotFitted(
                "there is nothing to train on",
                hint="give it: CostOptimizationAI(training_data), or train_cost_optimization_model(training_data)",
            )
        features = self.engineer_cost_features(self._training, bill=self._bill)
        self._bill = features.bill
        return features

    def engineer_cost_features(self, training_data: Any, *, bill: Any = None) -> CostFeatures:  # noqa: ANN401
        """The four documented lists of features as tables; what cannot be computed is named, not filled with zeros.

        Raises:
            SchemaError: a key column is missing, or the bill is of no known format.
        """
        return training_data if isinstance(training_data, CostFeatures) else CostFeatures.of(training_data, bill=bill)

    def extract_infrastructure_features(self, current_infrastructure: Any, *, bill: Any = None) -> CostFeatures:  # noqa: ANN401
        """The same of the present."""
        return self.engineer_cost_features(current_infrastructure, bill=bill)

    def train_cost_optimization_model(
        self,
        training_data: Any = None,  # noqa: ANN401 - see CostFeatures.of
        *,
        bill: Any = None,  # noqa: ANN401
        validation_split: float = 0.2,
        seed: int = 0,
        progress: Progress = silent,
    ) -> dict[str, TrainReport]:
        """Train all four models; each report holds its figures on held-back data beside the best simple rule.

        Args:
            training_data: as for the constructor, which may have been given it.
            bill: the same.
            validation_split: share of the days, the last ones, that the anomaly detector is judged on. The other
                models hold back what their own back-tests need: a third of the days at most, the newest decision of
                each machine, and series of their own.
            seed: of everything random.
            progress: told what is done.

        Returns:
            ``cost_predictor``, ``usage_classifier``, ``anomaly_detector`` and ``optimizer``.

        Raises:
            NotFitted: there is nothing to train on.
            NotEnoughData: fewer than ten days, or nothing that costs anything.
            SchemaError: ``hourly_cost`` or a key column is missing.
        """
        features = self.prepare_training_data(training_data, bill=bill)
        origin = recipe.lineage(features.frame, seed=seed, simulated=False)
        self._report = self.cost_predictor.fit(features, seed=seed, progress=progress)
        return {
            "cost_predictor": self._report,
            "usage_classifier": self.usage_analyzer.fit(features, seed=seed, origin=origin),
            "anomaly_detector": self.anomaly_detector.fit(
                features, seed=seed, validation_split=validation_split, origin=origin
            ),
            "optimizer": self.resource_optimizer.fit(features, seed=seed, progress=progress, origin=origin),
        }

    def predict_cost_optimizations(self, current_infrastructure: Any, *, bill: Any = None) -> dict[str, Any]:  # noqa: ANN401
        """What is coming, what is unusual, how things are used, and what could be saved.

        Args:
            current_infrastructure: metrics of the present, as for training.
            bill: the bill up to now; that of the training where none is given.

        Returns:
            ``predictions``: ``cost_forecast`` (a table as it was given, one row per row, ``expected_24h``, ``low_24h``,
            ``high_24h``; with a bill the coming fortnight by service), ``optimization_opportunities`` (dicts),
            ``usage_patterns`` and ``anomaly_score`` (one value a resource). ``recommendations``: what to do, one dict
            each. ``confidence_score``: see `calculate_confidence_score`. ``expected_savings``: USD a month, or the
            bill's currency; None where nothing can be said.

        Raises:
            NotFitted: `train_cost_optimization_model` was not called.
        """
        if self._report is None:
            raise NotFitted("CostOptimizationAI was not trained", hint=cost_parts.TRAIN_FIRST)
        features = self.extract_infrastructure_features(
            current_infrastructure, bill=self._bill if bill is None else bill
        )
        predictions = {
            "cost_forecast": self.cost_predictor.predict(features),
            "optimization_opportunities": self.resource_optimizer.predict(features),
            "usage_patterns": self.usage_analyzer.analyze(features),
            "anomaly_score": self.anomaly_detector.predict(features),
        }
        recommendations = self.generate_optimization_recommendations(predictions)
        return {
            "predictions": predictions,
            "recommendations": recommendations,
            "confidence_score": self.calculate_confidence_score(predictions),
            "expected_savings": self.calculate_expected_savings(recommendations),
        }

    def generate_optimization_recommendations(self, predictions: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What to do about each opportunity: ``resource_id`` (the first), ``resources``, ``kind``, ``action``,
        ``evidence``, ``saving``, ``trouble``, ``command``. Nothing is executed.
        """  # noqa: D205 - the keys are the summary
        return [
            {
                "resource_id": one["resources"][0] if one["resources"] else None,
                "resources": one["resources"],
                "kind": one["kind"],
                "action": one["what"],
                "evidence": one["evidence"],
                "saving": one["saving"],
                "trouble": one["trouble"],
                "command": one["command"],
            }
            for one in predictions["optimization_opportunities"]
        ]

    def calculate_confidence_score(self, predictions: Mapping[str, Any]) -> float | None:
        """Share of held-back truths inside their 80 % interval: of the bill's total, else of the resources' days.

        None where that is not known yet.
        """
        totals = getattr(predictions["cost_forecast"], "totals", None)
        if totals is not None:
            return next((one.covered for one in totals), None)
        return self._report.calibration[0].observed if self._report else None

    def calculate_expected_savings(self, recommendations: Sequence[Mapping[str, Any]]) -> float | None:
        """The sum of the expected savings of a month; None without any, or in more than one currency."""
        known = [one["saving"] for one in recommendations if one["saving"]]
        if len({saving["currency"] for saving in known}) != 1:
            return None
        return float(sum(saving["expected"] for saving in known))
