"""Monitor: what the champions meet now, beside what they learned from, and what their rules say about it.

Three questions per champion: does the newest window drift from its reference, is the data behind it sound, and where
truth has arrived, is it still better than the simple rule. Readings carry the specification's names (`METRICS`); the
rules of ``model_monitoring`` are judged on them and on the readings of earlier runs, which the journal keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import ModelNotFound, NotEnoughData
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.pipeline.ports import Alert, Window
from aws_auto.pipeline.process import process
from aws_auto.pipeline.serve.capture import TRUTH, captured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.config.monitoring import ModelMonitoring
    from aws_auto.pipeline.ports import Workspace
    from aws_auto.pipeline.process import Processed
    from aws_auto.pipeline.stages.report import StageReport
    from aws_auto.protocols import DriftTest
    from aws_auto.results import DriftReport, ModelVersion, Quality

KIND = "monitor"
#: Readings of earlier runs that a rule such as ``for 3 of 5`` may look back on.
LOOK_BACK = 100
#: Metrics of which less is worse; of all others more is.
WORSE_BELOW = frozenset({"prediction_accuracy"})
REFERENCE = "reference.parquet"
#: Columns of a captured answer that are no input and no output of the model.
BOOKKEEPING = ("answered_at", "version", "request_id", "row", "latency_ms", "extrapolated")


class Health(StrEnum):
    """The state of one model, the worst last."""

    HEALTHY = "healthy"
    UNKNOWN = "not enough data"
    DRIFT = "drift"
    DEGRADED = "degraded"


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A rule that holds: which reading is beyond which limit, and what the configuration wants done."""

    metric: str
    value: float
    rule: str
    actions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ModelHealth:
    """What was found about one champion. What could not be judged is in ``notes``, with the reason."""

    model: str
    version: int
    simulated: bool
    readings: Mapping[str, float | None]
    drift: DriftReport | None = None
    prediction_drift: DriftReport | None = None
    quality: Quality | None = None
    breaches: tuple[Breach, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> Health:
        """Degraded beats drift beats not enough data."""
        worse = self.quality is not None and self.quality.degraded
        beyond = {b.metric for b in self.breaches}
        if worse or beyond - {"data_drift_score", "prediction_drift_score"}:
            return Health.DEGRADED
        drifted = [r for r in (self.drift, self.prediction_drift) if r and any(c.drifted for c in r.columns)]
        if drifted or beyond:
            return Health.DRIFT
        judged = (self.drift is not None and self.drift.columns) or self.quality is not None
        return Health.HEALTHY if judged else Health.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class MonitorReport:
    """One run of the monitor."""

    at: datetime
    window: Window
    data: tuple[StageReport, ...]
    models: tuple[ModelHealth, ...]
    alerts: tuple[Alert, ...] = field(default=())

    @property
    def trouble(self) -> bool:
        """True when a model drifted or degraded: what ``--exit-code`` turns into 10."""
        return any(m.status in (Health.DRIFT, Health.DEGRADED) for m in self.models)


def check(
    ws: Workspace,
    window: Window,
    *,
    rules: ModelMonitoring | None,
    models: Sequence[str] = (),
    drift: DriftTest | None,
) -> MonitorReport:
    """Judge the champions on the newest window.

    Args:
        ws: where models, data and captured answers are.
        window: the current window.
        rules: thresholds and escalation; None judges without rules.
        models: names; empty means every model with a champion.
        drift: the test; None leaves drift out.

    Raises:
        ModelNotFound: there is no champion to judge.
    """
    champions = _champions(ws, models)
    try:
        processed: Processed | None = process(ws, window)
        why = ""
    except NotEnoughData as error:
        processed, why = None, str(error)
    health = [_judge(ws, champion, window, processed, rules, drift, why) for champion in champions]
    report = MonitorReport(
        at=ws.clock.now(),
        window=window,
        data=processed.reports if processed else (),
        models=tuple(health),
        alerts=tuple(alert for h in health for alert in _alerts(h, ws.clock.now())),
    )
    for h in health:
        ws.journal.append(KIND, model=h.model, version=h.version, status=str(h.status), readings=dict(h.readings))
    return report


def _champions(ws: Workspace, models: Sequence[str]) -> list[ModelVersion]:
    names = list(dict.fromkeys(models)) or sorted({v.name for v in ws.registry.versions()})
    found = [(name, ws.registry.champion(name)) for name in names]
    lost = [name for name, champion in found if champion is None]
    if lost or not found:
        raise ModelNotFound(
            f"no champion of {', '.join(lost)}" if lost else "there is no model to monitor",
            where=str(ws.root),
            hint="train first, for example: aws-auto ml train-models --data-source sample",
        )
    return [champion for _, champion in found if champion is not None]


def _judge(
    ws: Workspace,
    champion: ModelVersion,
    window: Window,
    processed: Processed | None,
    rules: ModelMonitoring | None,
    test: DriftTest | None,
    why: str,
) -> ModelHealth:
    files = ws.registry.files(champion)
    notes: list[str] = [f"the newest window was not judged: {why}"] if why else []
    data_drift = quality = None
    if processed is not None and test is not None:
        data_drift = _data_drift(test, files, processed, champion, window, notes)
    if processed is not None:
        quality = _quality(ws, champion, files, window, notes)
    answers = captured(ws.lake, champion.name, window=window, version=champion.version)
    prediction_drift = _prediction_drift(ws, test, champion, window, answers, notes) if test is not None else None
    labelled = _labelled(ws, champion, answers)
    readings = {
        "data_drift_score": data_drift.score if data_drift and data_drift.columns else None,
        "prediction_drift_score": prediction_drift.score if prediction_drift and prediction_drift.columns else None,
        "prediction_accuracy": labelled if labelled is not None else quality.accuracy if quality else None,
        "model_latency": _latency(answers),
    }
    return ModelHealth(
        model=champion.name,
        version=champion.version,
        simulated=bool(champion.report.get("lineage", {}).get("simulated", False)),
        readings=readings,
        drift=data_drift,
        prediction_drift=prediction_drift,
        quality=quality,
        breaches=_breaches(rules, readings, _earlier(ws, champion)) if rules else (),
        notes=tuple(notes),
    )


def _quality(
    ws: Workspace, champion: ModelVersion, files: Mapping[str, bytes], window: Window, notes: list[str]
) -> Quality | None:
    """Only what came after the training counts: on what it has seen, every model is good."""
    from aws_auto.ml.recipes import catalog

    recipe = catalog.get(champion.recipe)
    since = max(window.start, datetime.fromisoformat(champion.report["lineage"]["end"]))
    if since >= window.end:
        notes.append("quality: no data are newer than the training")
        return None
    found = recipe.evaluate(files, process(ws, Window(since - recipe.history, window.end)).frame, since=since)
    if found is None:
        notes.append("quality: no truth has arrived since the training that could be judged without labels")
    return found


def _data_drift(
    test: DriftTest,
    files: Mapping[str, bytes],
    processed: Processed,
    champion: ModelVersion,
    window: Window,
    notes: list[str],
) -> DriftReport | None:
    if REFERENCE not in files:
        notes.append("drift: the model carries no reference of its training data; train it again")
        return None
    whole = pl.read_parquet(files[REFERENCE])
    reference = whole.filter(pl.col(TIMESTAMP) < window.start)
    if len(reference) < len(whole):
        notes.append(f"drift: {len(whole) - len(reference)} reference rows lie in the window and were left out")
    inputs = {f.name for f in champion.schema}
    current = processed.frame.data.select([c for c in processed.frame.data.columns if c in inputs])
    return _explained("drift", test.compare(reference, current), notes)


def _explained(what: str, report: DriftReport, notes: list[str]) -> DriftReport:
    """The report, after a note on the columns that it says nothing about."""
    by_reason: dict[str, list[str]] = {}
    for column, reason in report.not_judged.items():
        by_reason.setdefault(reason, []).append(column)
    for reason, columns in by_reason.items():
        more = f" and {len(columns) - 3} more" if len(columns) > 3 else ""
        notes.append(f"{what}: {', '.join(columns[:3])}{more} not judged: {reason}")
    return report


def _prediction_drift(
    ws: Workspace,
    test: DriftTest,
    champion: ModelVersion,
    window: Window,
    answers: pl.DataFrame,
    notes: list[str],
) -> DriftReport | None:
    """The answers of this window beside all earlier answers of the same version."""
    if answers.is_empty():
        notes.append("prediction drift: no answer was captured in this window; models answer through aws-auto ml serve")
        return None
    earlier = captured(ws.lake, champion.name, version=champion.version)
    earlier = earlier.filter(pl.col("answered_at") < window.start)
    told = {f.name for f in champion.schema} | {RESOURCE, TIMESTAMP, *BOOKKEEPING}
    # Text in an answer says when and why (forecast_from, note): it is new each time and no prediction.
    outputs = [
        c
        for c, dtype in answers.schema.items()
        if (dtype.is_numeric() or dtype == pl.Boolean) and c in earlier.columns and c not in told
    ]
    if earlier.is_empty() or not outputs:
        notes.append("prediction drift: there are no earlier answers of this version to compare with")
        return None
    keys = [RESOURCE] if RESOURCE in answers.columns else []
    past, now = (f.select(pl.col("answered_at").alias(TIMESTAMP), *keys, *outputs) for f in (earlier, answers))
    return _explained("prediction drift", test.compare(past, now), notes)


def _labelled(ws: Workspace, champion: ModelVersion, answers: pl.DataFrame) -> float | None:
    """1 - WAPE of captured answers whose observed value was sent in, None without any."""
    output = _point_output(answers)
    scan = ws.lake.scan(TRUTH)
    if output is None or not scan.collect_schema():
        return None
    labels = scan.filter(pl.col("model") == champion.name).select("request_id", "row", "observed").collect()
    pairs = answers.join(labels, on=["request_id", "row"]).select(answer=output, observed="observed").drop_nulls()
    total = float(pairs["observed"].abs().sum())
    return 1 - float((pairs["answer"] - pairs["observed"]).abs().sum()) / total if len(pairs) and total else None


def _point_output(answers: pl.DataFrame) -> str | None:
    """The answer's expected value; of several steps ahead the nearest, which the recipes give first."""
    return next((c for c in answers.columns if c == "expected" or c.startswith("expected_")), None)


def _latency(answers: pl.DataFrame) -> float | None:
    """95th percentile of the answering time in seconds."""
    if answers.is_empty():
        return None
    value = answers.unique("request_id")["latency_ms"].quantile(0.95, interpolation="linear")
    return None if value is None else value / 1000


def _earlier(ws: Workspace, champion: ModelVersion) -> list[Mapping[str, float | None]]:
    """Readings of earlier runs of the same version, oldest first."""
    lines = [e.detail for e in ws.journal.entries(KIND, limit=LOOK_BACK)]
    mine = [d for d in lines if d.get("model") == champion.name and d.get("version") == champion.version]
    return [d["readings"] for d in reversed(mine)]


def _breaches(
    rules: ModelMonitoring, now: Mapping[str, float | None], earlier: list[Mapping[str, float | None]]
) -> tuple[Breach, ...]:
    found = []
    for watched in rules.metrics:
        value = now.get(watched.canonical)
        below = watched.canonical in WORSE_BELOW
        limit = watched.threshold.value
        if value is None or (value >= limit if below else value <= limit):
            continue
        actions = (
            *(("alert",) if watched.alert_on_degradation else ()),
            *(("schedule_retrain",) if watched.auto_retrain_trigger else ()),
            *(("scale",) if watched.scaling_trigger else ()),
        )
        rule = f"{watched.name} {'below' if below else 'above'} {watched.threshold}"
        found.append(Breach(metric=watched.canonical, value=value, rule=rule, actions=actions))
    history = {name: [r.get(name) for r in [*earlier, now]] for name in now}
    for escalation in rules.alerting.escalation_rules:
        if escalation.condition.judge(history):
            metric = escalation.condition.metrics[0]
            value = now.get(metric)
            if value is not None:
                rule = str(escalation.condition)
                found.append(Breach(metric=metric, value=value, rule=rule, actions=(escalation.action,)))
    return tuple(found)


def _alerts(health: ModelHealth, at: datetime) -> list[Alert]:
    if health.status not in (Health.DRIFT, Health.DEGRADED):
        return []
    urgent = any("immediate_alert" in b.actions for b in health.breaches)
    drifted = [c.column for r in (health.drift, health.prediction_drift) if r for c in r.columns if c.drifted]
    said = [f"{b.rule}: {b.value:.3g}" for b in health.breaches]
    if drifted:
        said.append(
            f"drifted: {', '.join(drifted[:5])}" + (f" and {len(drifted) - 5} more" if len(drifted) > 5 else "")
        )
    if health.quality and health.quality.degraded:
        said.append("the model is no longer better than the simple rule on the newest window")
    actions = sorted({a for b in health.breaches for a in b.actions})
    return [
        Alert(
            key=f"{health.model}:{health.status}",
            severity="critical" if urgent else "warning",
            title=f"{health.model} version {health.version}: {health.status}",
            text="; ".join(said) + (" (simulated data)" if health.simulated else ""),
            model=health.model,
            at=at,
            facts={"wanted": ", ".join(actions)} if actions else {},
        )
    ]
