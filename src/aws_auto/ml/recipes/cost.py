"""cost-optimizer: cost of each resource in the next 24 hours, and where money lies idle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP, MetricFrame
from aws_auto.ml.evaluation import metrics
from aws_auto.ml.features import assemble
from aws_auto.ml.features.feature_set import FeatureSet
from aws_auto.ml.forecast.daily_cost import DailyCostPanel
from aws_auto.ml.forecast.grid import HOUR_US, gridded
from aws_auto.ml.forecast.panel import Rule, recent_origins
from aws_auto.ml.recipes import charts, recipe
from aws_auto.ml.recipes.panel import PanelPredictor
from aws_auto.ml.recipes.panel_quality import quality
from aws_auto.ml.recipes.panel_trial import Trial, run_trial
from aws_auto.protocols import Progress, silent
from aws_auto.results import Calibration, Chart, Decision, TrainedModel, TrainReport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aws_auto.protocols import Predictor
    from aws_auto.results import Quality

COST = "hourly_cost"
STEP = "24h"
#: Kinds of engineered features that the trees read; lags of cost are made here, on the hourly grid.
GROUPS = ("time", "usage", "cost", "utilization")
EVERY = 24


@dataclass(frozen=True)
class CostOptimizer:
    """Boosted quantiles of the next day's cost on usage and cost features, against two naive rules."""

    name: str = "cost-optimizer"
    feature: str | None = "cost-optimization"
    summary: str = "forecasts each resource's cost of the next 24 hours, with an 80 % interval"

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
            NotEnoughData: fewer than ten days, or nothing that costs anything.
            SchemaError: there is no ``hourly_cost``.
        """
        if COST not in frame.data.columns or not frame.data[COST].count():
            raise SchemaError(
                f"no {COST}",
                where=self.name,
                hint="prices give it where instance_type and region are known; a metrics file may hold the column",
            )
        by_hour = hourly_frame(frame.data)
        settings = {"features": _features(by_hour)}
        panel = panel_of(frame.data, settings)
        trial = run_trial(
            panel,
            metric=COST,
            every=EVERY,
            what="daily cost",
            seed=seed,
            champion=champion,
            rows=frame.data,
            progress=progress,
        )
        decision, reason = recipe.decide(trial.backtests, champion_is_rule=trial.champion_is_rule)
        origin = recipe.lineage(frame, seed=seed, simulated=simulated)
        inputs = [m.name for m in frame.metrics if m.name in FeatureSet(groups=GROUPS).needs(frame.data.columns)]
        fields = recipe.schema(frame.data, required=[COST], optional=inputs)
        predictor = PanelPredictor(
            recipe=self.name,
            metric=COST,
            steps=(STEP,),
            schema=fields,
            forecaster=trial.rule if decision is Decision.SIMPLE_RULE else trial.learned,
            trained_until=origin.end,
            settings=settings,
            panel_of=panel_of,
        )
        report = TrainReport(
            recipe=self.name,
            decision=decision,
            reason=reason,
            backtests=trial.backtests,
            calibration=(_held_by_rule(panel, trial),) if predictor.is_rule else trial.calibration,
            lineage=origin,
            charts=_charts(panel, trial),
            notes=(*_notes(panel), *trial.notes),
        )
        return recipe.packed(predictor, frame, report, seed=seed)

    @property
    def history(self) -> timedelta:
        """See `aws_auto.protocols.Recipe.history`: the same hours of a week ago, and the errors of late."""
        return timedelta(days=16)

    def evaluate(self, files: Mapping[str, bytes], frame: MetricFrame, *, since: datetime) -> Quality | None:
        """See `aws_auto.protocols.Recipe.evaluate`."""
        return quality(self.load(files), frame, since=since, what="cost")

    def load(self, files: Mapping[str, bytes]) -> PanelPredictor:
        """See `aws_auto.protocols.Recipe.load`."""
        return PanelPredictor.load(self.name, files, panel_of)


def hourly_frame(data: pl.DataFrame) -> MetricFrame:
    """The hourly mean of every metric; of text the last word of the hour."""
    rows = data.group_by(RESOURCE, pl.col(TIMESTAMP).dt.truncate("1h"), maintain_order=True).agg(
        pl.selectors.numeric().mean(), (~pl.selectors.numeric() & ~pl.selectors.by_name(RESOURCE, TIMESTAMP)).last()
    )
    return MetricFrame.of(rows)


def panel_of(rows: pl.DataFrame, settings: Mapping[str, Any]) -> DailyCostPanel:
    """The forecasting problem in these rows, with the features that were learned from; absent ones are unknown."""
    grid = gridded(rows, COST, "mean")
    engineered = assemble.build(hourly_frame(rows), groups=GROUPS)
    row_of = {name: i for i, name in enumerate(grid.resources)}
    row = np.array([row_of.get(name, -1) for name in engineered[RESOURCE].to_list()])
    column = (engineered[TIMESTAMP].to_physical() // HOUR_US).to_numpy() - grid.first
    inside = (row >= 0) & (column >= 0) & (column < grid.hours)
    usage = np.full((len(grid.resources), grid.hours, len(settings["features"])), np.nan)
    for i, name in enumerate(settings["features"]):
        if name in engineered.columns:
            values = engineered[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            usage[row[inside], column[inside], i] = values[inside]
    return DailyCostPanel(grid, usage)


def _features(by_hour: MetricFrame) -> list[str]:
    """Names of the engineered columns that are numbers."""
    head = assemble.build(MetricFrame(by_hour.data.head(48)), groups=GROUPS)
    return [
        n
        for n, dtype in head.schema.items()
        if n not in (RESOURCE, TIMESTAMP) and (dtype.is_numeric() or dtype == pl.Boolean)
    ]


def _held_by_rule(panel: DailyCostPanel, trial: Trial) -> Calibration:
    """How often the 80 % interval of the rule that answers held on the same held-back days."""
    past = panel.design(recent_origins(panel, int(trial.origins[0]) + 1))
    quantiles = Rule.fit(trial.rule.band.rule, past, floor=trial.rule.floor).quantiles(trial.test)
    inside, n = metrics.coverage(trial.test.truth, quantiles[..., 0], quantiles[..., -1])
    return Calibration(what="80 % interval of daily cost, by the rule", nominal=0.8, observed=inside, n=n)


def _notes(panel: DailyCostPanel) -> list[str]:
    with np.errstate(all="ignore"):
        fixed = np.array([np.nanmax(row) - np.nanmin(row) < 1e-9 for row in panel.grid.values])
    if fixed.all():
        return [f"{COST} never changes for any resource: there is nothing to forecast that the last day does not say"]
    return [f"{COST} never changes for {int(fixed.sum())} of {len(fixed)} resources"] if fixed.any() else []


def _charts(panel: DailyCostPanel, trial: Trial) -> tuple[Chart, ...]:
    spread = np.nan_to_num(np.nanstd(np.nan_to_num(trial.test.truth[..., 0]), axis=1))
    show = int(np.argmax(spread * np.isfinite(trial.ours[..., 0, 1]).all(axis=1)))
    times = [panel.grid.time(int(o) + 1) for o in trial.origins]
    return (
        charts.band(
            f"Cost of {panel.grid.resources[show]} in the 24 hours from each midnight-aligned origin",
            times=times,
            truth=trial.test.truth[show, :, 0],
            quantiles=trial.ours[show, :, 0],
            y_title="USD a day",
            note="held-back days; the resource whose cost moves most",
        ),
        charts.daily(
            "Quantile loss per day",
            days=sorted({t.date() for t in times}),
            losses=trial.daily,
            y_title="share of mean daily cost",
        ),
        charts.promised("Calibration", trial.calibration),
    )
