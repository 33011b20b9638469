"""The door of the room: one incident in, ranked causes with their evidence out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import DataError, SchemaError
from aws_auto.frame import RESOURCE
from aws_auto.ml.anomaly.root_cause.actions import actions
from aws_auto.ml.anomaly.root_cause.axis import Axis
from aws_auto.ml.anomaly.root_cause.confidence import Signals, confidence, signals
from aws_auto.ml.anomaly.root_cause.match import match
from aws_auto.ml.anomaly.root_cause.measure import Symptom, evidence, first_look, symptom, whole
from aws_auto.ml.anomaly.root_cause.rank import Ranking
from aws_auto.ml.anomaly.root_cause.results import Correlated, Evidence, Factor, Incident, RootCause
from aws_auto.ml.anomaly.root_cause.topology import Topology, joined, learned, relations
from aws_auto.ml.anomaly.root_cause.trace import Noise, noise, trace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import polars as pl
    from numpy.typing import NDArray

    from aws_auto.frame import MetricFrame

HISTORY = timedelta(days=7)
_CORRELATED = 0.6
_SHORT_PAST = 36


def analyse(
    frame: MetricFrame,
    incident: Incident | tuple[str, str | None, datetime, datetime],
    *,
    topology: Topology | None = None,
    reference: MetricFrame | None = None,
    history: timedelta = HISTORY,
) -> RootCause:
    """Why that metric went wrong.

    Everything is judged against its own trailing past; rows at or after the end of the incident are not looked at. The
    symptom, its other statistics and columns that count the same thing are never listed as causes.

    Args:
        frame: the metrics of all resources that may matter, the past included.
        incident: resource, metric (None for the resource as a whole), start and end; see `Incident`.
        topology: who calls whom, by id or by a name that only one resource has. Without one, relations between AWS
            resources are read from the static columns (``service``, ``resource_type``, the scaling group's tag), and
            the rest is learned from lagged correlation.
        reference: a normal period from another time. It lends relative noise to metrics whose own past is too short,
            never a level.
        history: how much past to judge against; seven days know the time of day.

    Raises:
        SchemaError: the frame has no such metric.
        DataError: the frame has no such resource, times are naive, or the end does not lie after the start.
    """
    return explain(frame, incident, topology=topology, reference=reference, history=history)[0]


def explain(
    frame: MetricFrame,
    incident: Incident | tuple[str, str | None, datetime, datetime],
    *,
    topology: Topology | None = None,
    reference: MetricFrame | None = None,
    history: timedelta = HISTORY,
) -> tuple[RootCause, Signals | None]:
    """As `analyse`, and what the confidence was made of; None when there is no factor. The bench fits it on these."""
    asked = Incident(*incident)
    _checked(frame, asked)
    axis = Axis.of(frame.data, asked, history)
    found = _evidence(frame, asked, axis, _noise(reference, axis))
    graph = _graph(frame, asked, topology, found)
    ranking = Ranking.of(asked, found, graph)
    factors = ranking.factors()
    matched = match(ranking, factors, frame)
    suspect = matched.resource if matched else factors[0].resource if factors else asked.resource
    seen = signals(factors, ranking.score(factors[0].resource), graph.basis) if factors else None
    answer = RootCause(
        incident=asked,
        primary_cause=factors[0] if factors else None,
        contributing_factors=factors,
        correlated_metrics=_correlated(ranking, found),
        pattern_match=matched,
        recommended_actions=actions(matched, suspect, frame, asked),
        confidence_score=confidence(seen) if seen else 0.0,
        evidence=tuple(sorted(found, key=ranking.loudest)),
        topology=graph.basis,
        notes=_notes(ranking, factors),
    )
    return answer, seen


def _checked(frame: MetricFrame, asked: Incident) -> None:
    if asked.start.tzinfo is None or asked.end.tzinfo is None:
        raise DataError("start and end carry no time zone", where=asked.resource, hint="give aware times, such as UTC")
    if asked.end <= asked.start:
        raise DataError("the incident ends before it begins", where=asked.resource, hint="swap start and end")
    if asked.resource not in frame.resources:
        raise DataError("no such resource in the frame", where=asked.resource, hint="collect it first, or see its id")
    if asked.metric is not None and asked.metric not in {m.name for m in frame.metrics}:
        names = ", ".join(m.name for m in frame.metrics) or "none"
        raise SchemaError(f"no such metric; there: {names}", where=asked.metric, hint="name one of them, or None")


def _evidence(
    frame: MetricFrame, asked: Incident, axis: Axis, lent: Mapping[str, Mapping[str, Noise]]
) -> list[Evidence]:
    data = axis.window(frame.data)
    names = [m.name for m in frame.metrics]
    parts = {str(part[RESOURCE][0]): part for part in data.partition_by(RESOURCE, maintain_order=True)}
    felt = _symptom(parts.get(asked.resource), names, asked, axis, lent)
    found: list[Evidence] = []
    for resource, part in parts.items():
        there = _present(part, names)
        values = axis.values(part, there)
        traced = trace(resource, there, values, axis, calm=felt.calm, reference=lent.get(resource))
        found += evidence(traced, felt, axis) if there else []
    return found


def _symptom(
    part: pl.DataFrame | None,
    names: list[str],
    asked: Incident,
    axis: Axis,
    lent: Mapping[str, Mapping[str, Noise]],
) -> Symptom:
    """How the incident was felt; alike everywhere when no metric is named, or when it was not seen during it."""
    if part is None or asked.metric is None or asked.metric not in _present(part, names):
        return whole(axis)
    values = axis.values(part, [asked.metric])
    if not np.isfinite(values[0, axis.start :]).any():
        return whole(axis)
    calm: NDArray[np.bool_] = first_look(values[0], axis)
    traced = trace(asked.resource, [asked.metric], values, axis, calm=calm, reference=lent.get(asked.resource))
    return symptom(traced, 0, axis)


def _present(part: pl.DataFrame, names: list[str]) -> list[str]:
    return [n for n in names if part[n].count()]


def _noise(reference: MetricFrame | None, axis: Axis) -> dict[str, dict[str, Noise]]:
    """Noise by resource and metric of the reference, at the sampling of the symptom."""
    if reference is None or reference.span is None:
        return {}
    first, last = (int(t.timestamp()) for t in reference.span)
    own = Axis(first, axis.period, 0, (last - first) // axis.period + 1)
    names = [m.name for m in reference.metrics]
    return {
        str(part[RESOURCE][0]): noise(own.values(part, there), there)
        for part in reference.data.partition_by(RESOURCE, maintain_order=True)
        for there in [_present(part, names)]
        if there
    }


def _graph(frame: MetricFrame, asked: Incident, topology: Topology | None, found: list[Evidence]) -> Topology:
    if topology is not None:
        return topology.resolved(frame)
    suggested = learned(asked.resource, found)
    related = relations(frame)
    return joined(related, suggested) if related is not None else suggested


def _correlated(ranking: Ranking, found: list[Evidence]) -> tuple[Correlated, ...]:
    rows = [
        Correlated(resource=e.resource, metric=e.metric, correlation=e.correlation, lag=e.lag)
        for e in found
        if e.correlation is not None and e.lag is not None and abs(e.correlation) >= _CORRELATED
        if not ranking.is_symptom(e)
    ]
    return tuple(sorted(rows, key=lambda c: (-abs(c.correlation), c.resource, c.metric)))


def _notes(ranking: Ranking, factors: tuple[Factor, ...]) -> tuple[str, ...]:
    said = []
    if not factors:
        said.append("nothing but the symptom left its usual range")
    elif factors[0].evidence.points[0] < _SHORT_PAST:
        said.append(f"only {factors[0].evidence.points[0]} points before the incident: what is usual is a guess")
    if ranking.graph.basis == "learned":
        said.append("no call graph was given: dependence is guessed from lagged correlation, which is weaker")
    if ranking.graph.basis == "relations":
        said.append("no call graph was given: dependence is guessed from resource types within a service")
    if ranking.incident.metric is not None and ranking.symptom is None:
        said.append("the symptom itself was not seen during the incident")
    return tuple(said)
