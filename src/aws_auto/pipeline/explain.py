"""What is told of an alarm: its incident, its cause, its picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.pipeline.judge import HISTORY
from aws_auto.pipeline.ports import Window
from aws_auto.pipeline.process import process
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.ml.anomaly.root_cause.results import RootCause
    from aws_auto.ml.anomaly.root_cause.topology import Topology
    from aws_auto.ml.recipes.anomaly_predictor import AnomalyPredictor
    from aws_auto.pipeline.ports import Workspace

#: Alarms explained at most, of one incident and in one run, the most severe first; the rest is listed without a cause.
OF_ONE, IN_ALL = 5, 20
#: Alarms at most this far apart are one incident.
TOGETHER = timedelta(minutes=15)
#: Causes of an alarm whose curves are kept for the report.
MOST_DRAWN = 5
#: Span of the picture before and after an alarm.
AROUND = timedelta(hours=12)


class Severity(StrEnum):
    """How rare such a thing is by the series' own past, and so what to do about it; see `ml.anomaly.detect.alarms`."""

    NOTICE = "notice"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @classmethod
    def of(cls, severity: float) -> Severity:
        """The level of a severity between 0 and 1."""
        from aws_auto.ml.anomaly.detect import level

        return cls(level(severity))

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return list(Severity).index(self)

    @property
    def meaning(self) -> str:
        """What it asks of a person, as a clause."""
        return _MEANING[self]


_MEANING: Mapping[Severity, str] = {
    Severity.NOTICE: "chance alone makes such a thing about as often as the alarm budget allows;"
    " look when you are there anyway",
    Severity.MINOR: "ten times rarer by chance than that; look today",
    Severity.MAJOR: "a hundred times rarer; look now",
    Severity.CRITICAL: "a thousand times rarer or more; wake somebody",
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """One alarm: where, when, what was expected, why, and what people said about it.

    Attributes:
        incident: the most severe alarm of those at the same time.
        cause: None where the more severe alarms of the incident are explained instead.
        picture: the alarm's metric around it: timestamp, value, expected, low, high; empty without a cause.
        curves: by resource and metric of the ranked causes, the same hours: timestamp, value.
        suppressed: why it is not told, empty when it is.
    """

    anomaly_id: str
    incident: str
    resource: str
    metric: str
    start: datetime
    end: datetime
    score: float
    severity: Severity
    value: float | None
    expected: float | None
    low: float | None
    high: float | None
    cause: RootCause | None
    picture: pl.DataFrame = field(repr=False, compare=False)
    curves: Mapping[tuple[str, str], pl.DataFrame] = field(repr=False, compare=False)
    suppressed: str = ""


@dataclass(frozen=True)
class Story:
    """The scene of all alarms of a run.

    Attributes:
        incidents: alarm to the most severe alarm of its incident.
        causes: of the alarms that are explained.
        pictures: of the same.
        curves: of the same, by resource and metric.
    """

    incidents: Mapping[str, str]
    causes: Mapping[str, RootCause]
    pictures: Mapping[str, pl.DataFrame]
    curves: Mapping[str, Mapping[tuple[str, str], pl.DataFrame]]

    @classmethod
    def of(
        cls,
        ws: Workspace,
        predictor: AnomalyPredictor,
        raised: Sequence[Mapping[str, Any]],
        end: datetime,
        *,
        topology: Topology | None = None,
        progress: Progress = silent,
    ) -> Story:
        """Explain the most severe alarms of each incident.

        Args:
            ws: holds the metrics.
            predictor: says what was expected.
            raised: alarms as of `aws_auto.ml.anomaly.alarms.alarms`, the most severe first.
            end: of what may be looked at.
            topology: who calls whom.
            progress: told about every explanation.
        """
        from aws_auto.ml.anomaly.explain import cause_of

        incidents = together(raised)
        told = _worth(raised, incidents)
        if not told:
            return cls({}, {}, {}, {})
        frame = process(ws, Window(min(a["start"] for a in told) - HISTORY, end)).frame
        causes, pictures, curves = {}, {}, {}
        bands: dict[tuple[str, str], pl.DataFrame] = {}
        for number, alarm in enumerate(told):
            progress(f"explain {alarm[RESOURCE]}", number, len(told))
            name, series = alarm["anomaly_id"], (alarm[RESOURCE], alarm["metric"])
            if series not in bands:
                bands[series] = predictor.band(frame.data, *series)
            causes[name] = cause_of(frame, alarm, topology=topology)
            around = frame.data.filter(pl.col(TIMESTAMP).is_between(alarm["start"] - AROUND, alarm["end"] + AROUND))
            pictures[name] = _values(around, *series).join(
                bands[series], on=TIMESTAMP, how="left", maintain_order="left"
            )
            curves[name] = _curves(around, causes[name])
        return cls(incidents, causes, pictures, curves)

    def found(self, alarm: Mapping[str, Any], *, suppressed: str) -> Found:
        """All that is known of one of the alarms."""
        name = alarm["anomaly_id"]
        return Found(
            anomaly_id=name,
            incident=self.incidents[name],
            resource=alarm[RESOURCE],
            severity=Severity.of(alarm["severity"]),
            cause=self.causes.get(name),
            picture=self.pictures.get(name, pl.DataFrame()),
            curves=self.curves.get(name, {}),
            suppressed=suppressed,
            **{k: alarm[k] for k in ("metric", "start", "end", "score", "value", "expected", "low", "high")},
        )


def together(raised: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Each alarm's incident: the most severe (first in the order given) of those that touch in time."""
    leaders: dict[str, str] = {}
    group: list[str] = []
    rank = {alarm["anomaly_id"]: place for place, alarm in enumerate(raised)}
    until: datetime | None = None

    def close() -> None:
        leaders.update(dict.fromkeys(group, min(group, key=rank.__getitem__)))

    for alarm in sorted(raised, key=lambda a: (a["start"], a["end"])):
        if until is not None and alarm["start"] > until + TOGETHER:
            close()
            group, until = [], None
        group.append(alarm["anomaly_id"])
        until = alarm["end"] if until is None else max(until, alarm["end"])
    if group:
        close()
    return leaders


def _worth(raised: Sequence[Mapping[str, Any]], incidents: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """The alarms to explain: some of each incident, not too many in all."""
    explained: dict[str, int] = {}
    told: list[Mapping[str, Any]] = []
    for alarm in raised:
        incident = incidents[alarm["anomaly_id"]]
        if explained.get(incident, 0) < OF_ONE and len(told) < IN_ALL:
            explained[incident] = explained.get(incident, 0) + 1
            told.append(alarm)
    return told


def _values(around: pl.DataFrame, resource: str, metric: str) -> pl.DataFrame:
    return around.filter(pl.col(RESOURCE) == resource).select(TIMESTAMP, value=pl.col(metric))


def _curves(around: pl.DataFrame, cause: RootCause) -> dict[tuple[str, str], pl.DataFrame]:
    pairs = dict.fromkeys((f.resource, f.metric) for f in cause.contributing_factors[:MOST_DRAWN])
    return {pair: _values(around, *pair) for pair in pairs if pair[1] in around.columns}
