"""demand-forecaster: demand of each resource for the next four hours, or days, with an 80 % interval."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.errors import UsageError
from aws_auto.frame import RESOURCE, MetricFrame
from aws_auto.ml.forecast.demand import HORIZON, DemandPanel
from aws_auto.ml.forecast.ensemble import CHOICE, YOUNG, Blend
from aws_auto.ml.forecast.further import FurtherPanel, fit_further
from aws_auto.ml.forecast.grid import DAY, LATE, gridded, named, step_for, step_name, usual_gaps
from aws_auto.ml.recipes import charts, recipe
from aws_auto.ml.recipes.demand_settings import HOURS_ONLY, DemandSettings
from aws_auto.ml.recipes.panel import PanelPredictor
from aws_auto.ml.recipes.panel_quality import quality
from aws_auto.ml.recipes.panel_trial import LEAST_COLUMNS, LEAST_DAYS, Trial, is_young, run_trial
from aws_auto.protocols import Progress, silent
from aws_auto.results import Chart, Decision, TrainedModel, TrainReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aws_auto.ml.forecast.ahead import Event
    from aws_auto.ml.forecast.grid import HourGrid
    from aws_auto.ml.forecast.panel import Panel
    from aws_auto.protocols import Predictor
    from aws_auto.results import Quality

#: Held-back origins lie this many hours apart: coprime to a day, so that every hour of the day is one. Longer periods
#: are fewer, and each is one.
EVERY = 5


@dataclass(frozen=True)
class DemandForecaster:
    """Lines, boosted quantiles, a net and moved rules, weighed by series, against three naive rules."""

    name: str = "demand-forecaster"
    feature: str | None = "predictive-scaling"
    summary: str = "forecasts demand of each resource four hours (or days) ahead, with an 80 % interval"
    settings: DemandSettings = field(default_factory=DemandSettings)

    def configured(self, settings: DemandSettings) -> DemandForecaster:
        """The same recipe with settings of the user's own; they are stored in what it trains."""
        return replace(self, settings=settings)

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
            NotEnoughData: fewer than two days (16 periods where they are longer than an hour), points more than a week
                apart, or demand that is zero everywhere.
            SchemaError: the metric of the settings, or every usual one, is not there.
        """
        chosen = self.settings.chosen(frame)
        metric, settings = str(chosen.metric), chosen.to_json()
        panel = panel_of(frame.data, settings)
        step, young = panel.grid.step, is_young(panel.grid)
        blend = Blend(YOUNG if step == 1 else ("rules",)) if young else chosen.blend()
        floor = 0.0 if np.nanmin(panel.grid.values) >= 0 else None
        trial = run_trial(
            panel,
            metric=metric,
            every=EVERY if step == 1 else 1,
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
            steps=tuple(step_name(i, step) for i in range(1, HORIZON + 1)),
            hours=step,
            schema=fields,
            forecaster=trial.rule if decision is Decision.SIMPLE_RULE else trial.learned,
            trained_until=origin.end,
            settings=settings,
            panel_of=panel_of,
            further=fit_further(further_of(panel), floor=floor) if panel.grid.cycle > HORIZON else None,
            further_of=further_of,
        )
        report = TrainReport(
            recipe=self.name,
            decision=decision,
            reason=reason,
            backtests=trial.backtests,
            calibration=trial.calibration,
            lineage=origin,
            charts=_charts(panel, trial, metric),
            notes=(*_notes(frame, panel, settings, blend), *trial.notes),
        )
        return recipe.packed(predictor, frame, report, seed=seed)

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


def panel_of(rows: pl.DataFrame, settings: Mapping[str, Any]) -> DemandPanel:
    """The forecasting problem in these rows, with what was known before it came.

    Series whose points lie farther apart than a step are left out: a day's demand is not an hour's.
    """
    said = DemandSettings.restored(settings)
    metric, step = str(said.metric), said.hours or 1
    coarse = _coarser(rows, metric, step)
    kept = rows.filter(~pl.col(RESOURCE).is_in(coarse)) if coarse else rows
    grid = gridded(kept, metric, "sum" if said.kind == "sum" else "mean", step=step)
    return DemandPanel(grid, said.ahead.signals(grid))


def _coarser(rows: pl.DataFrame, metric: str, step: int) -> list[str]:
    """Series that have no point for most steps of so many hours."""
    return sorted(name for name, gap in usual_gaps(rows, metric).items() if (step_for(gap) or step + 1) > step)


def knowing(predictor: PanelPredictor, events: Sequence[Event]) -> PanelPredictor:
    """The same model with these events known as well, such as those announced since it was trained.

    Raises:
        UsageError: it was trained without any event, so it does not know what one does.
    """
    said = DemandSettings.restored(predictor.settings)
    if not said.ahead.events:
        raise UsageError(
            "this model was trained without events and does not know what they do",
            where=predictor.recipe,
            hint="train again with past events: aws-auto ml train-models --events FILE",
        )
    ahead = replace(said.ahead, events=tuple(dict.fromkeys((*said.ahead.events, *events))))
    return replace(predictor, settings=replace(said, ahead=ahead).to_json())


def further_of(panel: Panel) -> FurtherPanel:
    """The same grid, five hours to a day ahead, or five days to a week, with the same events."""
    assert isinstance(panel, DemandPanel)  # noqa: S101 - `panel_of` gives one
    return FurtherPanel(panel.grid, panel.known)


def _notes(frame: MetricFrame, panel: DemandPanel, settings: Mapping[str, Any], blend: Blend) -> list[str]:
    """What the report says about the data and the members."""
    metric = settings["metric"]
    grid = panel.grid
    how = "summed" if settings["kind"] == "sum" else "averaged"
    notes = [f"demand is {metric}, {how} over the {named(grid.step)}"]
    gaps = usual_gaps(frame.data, metric)
    if finer := {gap for gap in gaps.values() if gap < 3600 * grid.step / LATE}:
        apart = ", ".join(_spelt(gap) for gap in sorted(finer)[:3]) + (", ..." if len(finer) > 3 else "")
        notes.append(f"points {apart} apart make one value for each {named(grid.step)}")
    if grid.step > 1:
        notes.append(f"steps are {named(grid.step, many=True)} of UTC: instances cannot be planned from them")
    if coarse := _coarser(frame.data, metric, grid.step):
        shown = ", ".join(coarse[:5]) + (", ..." if len(coarse) > 5 else "")
        notes.append(f"{len(coarse)} resources have no point each {named(grid.step)} and are not forecast: {shown}")
    ahead = DemandSettings.restored(settings).ahead
    if ahead.events:
        notes.append(f"{len(ahead.events)} events are known before they come")
    if ahead.country:
        notes.append(f"public holidays of {ahead.subdivision or ahead.country} are known before they come")
    notes += _members_said(grid, blend)
    if absent := len(frame.resources) - len(grid.resources) - len(coarse):
        notes.append(f"{absent} of {len(frame.resources)} resources have no {metric} and are not forecast")
    return notes


def _members_said(grid: HourGrid, blend: Blend) -> list[str]:
    """Which members there are not, and why."""
    missing = [name for name in CHOICE if name not in blend.members]
    if blend.members == YOUNG:
        days = f"{grid.hours * grid.step / DAY:.1f} days are too few to fit, {LEAST_DAYS} are needed"
        return [f"{days}: the booster that ships with aws-auto answers, judged on the second half"]
    if is_young(grid):
        least = max(LEAST_DAYS * grid.cycle, LEAST_COLUMNS)
        said = f"{grid.hours} {named(grid.step, many=True)} are too few to fit, {least} are needed"
        return [f"{said}: simple rules answer, weighed by how each did, judged on the second half"]
    notes = []
    if grid.step > 1:
        missing = [name for name in missing if name not in HOURS_ONLY]
        notes = ["the booster that ships with aws-auto knows hours only and is no member"]
    if missing:
        notes.append(f"the ensemble has no member {', '.join(missing)}: pip install 'aws-auto[deep]' adds it")
    return notes


def _spelt(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"


def _charts(panel: DemandPanel, trial: Trial, metric: str) -> tuple[Chart, ...]:
    seen = np.isfinite(trial.ours[..., 1]) & np.isfinite(trial.test.truth)
    show = int(np.argmax(seen.sum(axis=(1, 2)) * np.nanmean(np.nan_to_num(trial.test.truth), axis=(1, 2))))
    name = panel.grid.resources[show]
    return (
        charts.band(
            f"{metric} of {name}, forecast one {named(panel.grid.step)} ahead",
            times=[panel.grid.time(int(o) + 1) for o in trial.origins],
            truth=trial.test.truth[show, :, 0],
            quantiles=trial.ours[show, :, 0],
            y_title=metric,
            note=f"held-back origins, {EVERY} hours apart" if panel.grid.step == 1 else "held-back origins",
        ),
        charts.daily("Quantile loss over time", days=trial.units, losses=trial.daily, y_title="share of mean demand"),
        charts.promised("Calibration", trial.calibration),
    )
