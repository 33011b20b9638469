"""Detect: what is wrong in the newest window, why, and what a person can do.

The champion of ``anomaly-detector`` judges the window (`aws_auto.pipeline.judge`). Alarms at the same time are one
incident; the most severe of each are explained from the metrics of all resources. What people answered to earlier
alarms is respected: an alarm that was called false, or is to be ignored until a day, is kept in the table but not told
again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from aws_auto.errors import ModelNotFound, UsageError
from aws_auto.frame import RESOURCE, TIME_DTYPE, TIMESTAMP
from aws_auto.pipeline.explain import Found, Story
from aws_auto.pipeline.feedback import INCIDENTS, Verdict, verdicts
from aws_auto.pipeline.judge import MODEL, judged
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.ml.anomaly.root_cause.topology import Topology
    from aws_auto.ml.anomaly.settings import AnomalySettings
    from aws_auto.ml.recipes.anomaly_predictor import AnomalyPredictor
    from aws_auto.pipeline.ports import Workspace

#: Alarms that people were told of, by the severity that they had.
TOLD = "told"
KEYS = (RESOURCE, TIMESTAMP)


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One run of the detection."""

    at: datetime
    window: Window
    version: int
    simulated: bool
    incidents: tuple[Found, ...]
    judged: int
    unknown: Mapping[str, int]

    @property
    def told(self) -> tuple[Found, ...]:
        """The alarms that nobody has answered yet."""
        return tuple(i for i in self.incidents if not i.suppressed)


def detect(
    ws: Workspace,
    window: Window,
    *,
    topology: Topology | None = None,
    maintenance: Sequence[Window] = (),
    settings: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Detection:
    """Judge the window, explain each alarm, and store what was found.

    Args:
        ws: holds data and champion.
        window: what to judge. An alarm that was on when it started is told with its true start.
        topology: who calls whom; without one it is read from the resources and learned.
        maintenance: spans in which nothing is told.
        settings: fields of `aws_auto.ml.anomaly.settings.AnomalySettings` to use instead of the model's own; excluded
            spans come on top of its own.
        progress: told about every explanation.

    Raises:
        ModelNotFound: no champion of anomaly-detector.
        NotEnoughData: the lake holds nothing there.
        UsageError: a setting is not usable.
    """
    from aws_auto.ml.anomaly.alarms import alarms
    from aws_auto.ml.recipes.anomaly import AnomalyDetector

    champion = ws.registry.champion(MODEL)
    if champion is None:
        raise ModelNotFound(
            f"no champion of {MODEL}",
            where=str(ws.root),
            hint=f"train first: aws-auto ml train-models --models {MODEL} --data-source sample",
        )
    progress("judge", 0, 1)
    predictor = AnomalyDetector().load(ws.registry.files(champion))
    if settings:
        predictor = predictor.configured(_settings(predictor, settings))
    answers, periods = judged(ws, predictor, _variant(champion.version, predictor), window)
    new = answers.filter((pl.col(TIMESTAMP) >= window.start) & (pl.col(TIMESTAMP) < window.end))
    told = alarms(answers, periods, cool_down=predictor.settings.cool_down)
    raised = sorted((a for a in told if a["end"] >= window.start), key=lambda a: (-a["severity"], -a["score"]))
    said = verdicts(ws)
    story = Story.of(ws, predictor, raised, window.end, topology=topology, progress=progress)
    incidents = [
        story.found(alarm, suppressed=_suppressed(alarm, said, maintenance, ws.clock.now())) for alarm in raised
    ]
    progress("done", 1, 1)
    notes = new.filter(pl.col("note").is_not_null()).group_by("note").len()
    detection = Detection(
        at=ws.clock.now(),
        window=window,
        version=champion.version,
        simulated=bool(champion.report.get("lineage", {}).get("simulated", False)),
        incidents=tuple(incidents),
        judged=new["score"].count(),
        unknown=dict(notes.iter_rows()),
    )
    _store(ws, detection)
    return detection


def untold(ws: Workspace, found: Detection) -> list[Found]:
    """The alarms that nobody was told of yet, or that have become more severe since."""
    scan = ws.lake.scan(TOLD)
    known = dict(scan.select("anomaly_id", "rank").collect().iter_rows()) if scan.collect_schema() else {}
    return [i for i in found.told if i.severity.rank > known.get(i.anomaly_id, -1)]


def tell(ws: Workspace, alarms: Sequence[Found]) -> None:
    """Remember that people were told of these."""
    if not alarms:
        return
    starts = [i.start for i in alarms]
    rows = pl.DataFrame(
        {
            RESOURCE: [i.resource for i in alarms],
            TIMESTAMP: pl.Series(starts, dtype=TIME_DTYPE),
            "anomaly_id": [i.anomaly_id for i in alarms],
            "rank": [i.severity.rank for i in alarms],
        }
    )
    span = Window(min(starts), max(starts) + timedelta(microseconds=1))
    ws.lake.write(Batch(dataset=TOLD, rows=rows, window=span, keys=KEYS, final=False))


def _settings(predictor: AnomalyPredictor, asked: Mapping[str, Any]) -> AnomalySettings:
    """The model's own settings with what was asked for laid over them."""
    watched = [f.name for f in predictor.schema if f.kind == "number"]
    for metric in asked.get("minimum_effect", ()):
        if metric not in watched:
            raise UsageError(
                f"the model watches no metric {metric!r}",
                where="--minimum-effect",
                hint=f"it watches {', '.join(sorted(watched))}",
            )
    own = predictor.settings
    effects = {**own.minimum_effect, **asked.get("minimum_effect", {})}
    spans = (*own.excluded, *asked.get("excluded", ()))
    return replace(own, **{**asked, "minimum_effect": effects, "excluded": spans})


def _variant(version: int, predictor: AnomalyPredictor) -> str:
    """What a checkpoint belongs to: a version, and the excluded spans, which leave their mark in what it remembers."""
    excluded = predictor.settings.to_json()["excluded"]
    return f"{version}{json.dumps(sorted(excluded))}" if excluded else str(version)


def _suppressed(alarm: Mapping[str, Any], said: pl.DataFrame, maintenance: Sequence[Window], now: datetime) -> str:
    if any(w.start <= alarm["start"] and alarm["end"] < w.end for w in maintenance):
        return "maintenance window"
    if said.is_empty():
        return ""
    same = said.filter((pl.col(RESOURCE) == alarm[RESOURCE]) & (pl.col("metric") == alarm["metric"]))
    this = same.filter((pl.col(TIMESTAMP) <= alarm["end"]) & (pl.col("end") >= alarm["start"]))
    if this.filter(pl.col("verdict") == Verdict.FALSE).height:
        return "called false"
    ignored = same.filter((pl.col("verdict") == Verdict.IGNORE) & (pl.col("until") > now))
    return f"ignored until {max(ignored['until']):%Y-%m-%d}" if ignored.height else ""


def _store(ws: Workspace, detection: Detection) -> None:
    """Alarms by resource and start, so that feedback finds them; judging a window again replaces them."""
    if detection.incidents:
        first = min(detection.window.start, *(i.start for i in detection.incidents))
        rows = pl.DataFrame(
            {
                RESOURCE: [i.resource for i in detection.incidents],
                TIMESTAMP: pl.Series([i.start for i in detection.incidents], dtype=TIME_DTYPE),
                "end": pl.Series([i.end for i in detection.incidents], dtype=TIME_DTYPE),
                "anomaly_id": [i.anomaly_id for i in detection.incidents],
                "metric": [i.metric for i in detection.incidents],
                "score": [i.score for i in detection.incidents],
            }
        )
        ws.lake.write(
            Batch(dataset=INCIDENTS, rows=rows, window=Window(first, detection.window.end), keys=KEYS, final=False)
        )
    ws.journal.append("detect", version=detection.version, incidents=len(detection.incidents), told=len(detection.told))
