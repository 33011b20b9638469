"""demand-forecaster: hourly demand of each resource for the next four hours, with an 80 % interval."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.errors import SchemaError
from aws_auto.ml.forecast.demand import HORIZON, DemandPanel
from aws_auto.ml.forecast.ensemble import CHOICE, YOUNG, Blend
from aws_auto.ml.forecast.further import FurtherPanel, fit_further
from aws_auto.ml.forecast.grid import DAY, hourly
from aws_auto.ml.recipes import charts, recipe
from aws_auto.ml.recipes.panel import PanelPredictor
from aws_auto.ml.recipes.panel_quality import quality
from aws_auto.ml.recipes.panel_trial import LEAST_DAYS, Trial, run_trial
from aws_auto.protocols import Progress, silent
from aws_auto.results import Chart, Decision, TrainedModel, TrainReport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import polars as pl

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.forecast.panel import Panel
    from aws_auto.protocols import Predictor
    from aws_auto.results import Quality

#: The first of these that is there is the demand; a count is summed over the hour, a level is averaged.
CHOICES = (("request_count_sum", "sum"), ("request_count", "sum"), ("cpu_utilization", "mean"))
#: Held-back origins lie this many hours apart: coprime to a day, so that every hour of the day is one.
EVERY = 5


@dataclass(frozen=True)
class DemandForecaster:
    """Lines, boosted quantiles and moved rules, weighed by series, against three naive rules."""

    name: str = "demand-forecaster"
    feature: str | None = "predictive-scaling"
    summary: str = "forecasts hourly demand of each resource four hours ahead, with an 80 % interval"

    def fit(
        self,
        frame: MetricFrame,
        *,
        seed: int,
        champion: Predictor | None = None,
        simulated: bool = False,
        labels: pl.DataFrame | None = None,  # noqa: ARG002 - of alarms, and this raises none
        progress: Progress = silent,
    ) -> TrainedModel:
        """See `aws_auto.protocols.Recipe.fit`.

        Raises:
            NotEnoughData: fewer than two days, or demand that is zero everywhere.
            SchemaError: neither ``request_count`` nor ``cpu_utilization`` is there.
        """
        metric, kind = chosen(frame)
        settings = {"kind": kind, "metric": metric}
        panel = panel_of(frame.data, settings)
        young = panel.grid.hours < LEAST_DAYS * DAY
        blend = Blend(YOUNG) if young else Blend.usual()
        trial = run_trial(
            panel,
            metric=metric,
            every=EVERY,
            what="demand",
            seed=seed,
            champion=champion,
            rows=frame.data,
            progress=progress,
            family=blend,
            young=young,
        )
        decision, reason = recipe.decide(trial.backtests, champion_is_rule=trial.champion_is_rule)
        origin = recipe.lineage(frame, seed=seed, simulated=simulated)
        fields = recipe.schema(frame.data, required=[metric])
        predictor = PanelPredictor(
            recipe=self.name,
            metric=metric,
            steps=tuple(f"{h}h" for h in range(1, HORIZON + 1)),
            schema=fields,
            forecaster=trial.rule if decision is Decision.SIMPLE_RULE else trial.learned,
            trained_until=origin.end,
            settings=settings,
            panel_of=panel_of,
            further=fit_further(further_of(panel), floor=0.0 if np.nanmin(panel.grid.values) >= 0 else None),
            further_of=further_of,
        )
        return TrainedModel(
            recipe=self.name,
            files={**predictor.files(), recipe.REFERENCE: recipe.reference(frame, fields, seed=seed)},
            schema=fields,
            report=TrainReport(
                recipe=self.name,
                decision=decision,
                reason=reason,
                backtests=trial.backtests,
                calibration=trial.calibration,
                lineage=origin,
                charts=_charts(panel, trial, metric),
                notes=(*_notes(frame, panel, settings, blend), *trial.notes),
            ),
        )

    @property
    def history(self) -> timedelta:
        """See `aws_auto.protocols.Recipe.history`: four weeks are the unit of change, and the errors of late."""
        return timedelta(days=30)

    def evaluate(self, files: Mapping[str, bytes], frame: MetricFrame, *, since: datetime) -> Quality | None:
        """See `aws_auto.protocols.Recipe.evaluate`."""
        return quality(self.load(files), frame, since=since, what="demand")

    def load(self, files: Mapping[str, bytes]) -> PanelPredictor:
        """See `aws_auto.protocols.Recipe.load`."""
        return PanelPredictor.load(self.name, files, panel_of, further_of)


def chosen(frame: MetricFrame) -> tuple[str, str]:
    """The column that is the demand, and how it is put into hours.

    Raises:
        SchemaError: no such column holds a value.
    """
    for metric, kind in CHOICES:
        if metric in frame.data.columns and frame.data[metric].count():
            return metric, kind
    raise SchemaError(
        f"no demand: none of {', '.join(m for m, _ in CHOICES)} holds a value",
        where="demand-forecaster",
        hint="collect request counts of load balancers, or CPU of instances",
    )


def panel_of(rows: pl.DataFrame, settings: Mapping[str, Any]) -> DemandPanel:
    """The forecasting problem in these rows."""
    return DemandPanel(hourly(rows, settings["metric"], settings["kind"]))


def further_of(panel: Panel) -> FurtherPanel:
    """The same grid, five hours to a day ahead."""
    return FurtherPanel(panel.grid)


def _notes(frame: MetricFrame, panel: DemandPanel, settings: Mapping[str, Any], blend: Blend) -> list[str]:
    """What the report says about the data and the members."""
    metric = settings["metric"]
    how = "summed over the hour" if settings["kind"] == "sum" else "averaged over the hour"
    notes = [f"demand is {metric}, {how}"]
    if blend.members == YOUNG:
        days = f"{panel.grid.hours / DAY:.1f} days are too few to fit, {LEAST_DAYS} are needed"
        notes.append(f"{days}: the booster that ships with aws-auto answers, judged on the second half")
    elif missing := [name for name in CHOICE if name not in blend.members]:
        notes.append(f"the ensemble has no member {', '.join(missing)}: pip install 'aws-auto[deep]' adds it")
    if absent := len(frame.resources) - len(panel.grid.resources):
        notes.append(f"{absent} of {len(frame.resources)} resources have no {metric} and are not forecast")
    return notes


def _charts(panel: DemandPanel, trial: Trial, metric: str) -> tuple[Chart, ...]:
    seen = np.isfinite(trial.ours[..., 1]) & np.isfinite(trial.test.truth)
    show = int(np.argmax(seen.sum(axis=(1, 2)) * np.nanmean(np.nan_to_num(trial.test.truth), axis=(1, 2))))
    name = panel.grid.resources[show]
    return (
        charts.band(
            f"{metric} of {name}, forecast one hour ahead",
            times=[panel.grid.time(int(o) + 1) for o in trial.origins],
            truth=trial.test.truth[show, :, 0],
            quantiles=trial.ours[show, :, 0],
            y_title=metric,
            note=f"held-back origins, {EVERY} hours apart",
        ),
        charts.daily("Quantile loss over time", days=trial.units, losses=trial.daily, y_title="share of mean demand"),
        charts.promised("Calibration", trial.calibration),
    )
