"""What a root cause analysis says: frozen, ranked, with the evidence it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime, timedelta

Direction = Literal["up", "down"]
Basis = Literal["given", "relations", "learned"]


class Incident(NamedTuple):
    """What was noticed: ``start <= t < end``, aware times.

    ``metric`` is None when the resource as a whole was found unusual, as a multivariate detector does.
    """

    resource: str
    metric: str | None
    start: datetime
    end: datetime

    @property
    def anomaly_id(self) -> str:
        """Equal for the same resource, metric and start, on every machine."""
        return f"{self.resource}/{self.metric or '*'}/{self.start.isoformat()}"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one metric of one resource did around the incident.

    Attributes:
        resource: whose metric.
        metric: column name.
        before: expected level during the incident, from the metric's own past; in its unit.
        during: level while the symptom was felt.
        z_past: change in units of the usual spread of such means in its past.
        z_local: change against just before, in units of the usual change over such a span.
        strength: both together, 0 (usual) to 1.
        share: largest change from just before, over the range of all that was ever seen of it, 0 to 1.
        onset: first moment of a lasting change, None when it never left its usual range.
        correlation: with the symptom at the best lag, None with fewer than four common points.
        lag: by how long this metric leads the symptom (negative: it follows), None without a correlation.
        trend: correlation of the metric with time during the incident: near 1 for a steady climb, near 0 for a step.
        points: observed points before and during the incident.
    """

    resource: str
    metric: str
    before: float
    during: float
    z_past: float
    z_local: float
    strength: float
    share: float
    onset: datetime | None
    correlation: float | None
    lag: timedelta | None
    trend: float
    points: tuple[int, int]

    @property
    def change(self) -> float:
        """During minus before, in the metric's unit."""
        return self.during - self.before

    @property
    def relative(self) -> float:
        """Change over the level before; 10 at most, so that a rise from nothing stays finite."""
        return max(min(self.change / max(abs(self.before), 1e-9), 10.0), -10.0)

    @property
    def direction(self) -> Direction:
        """Which way it went."""
        return "up" if self.change >= 0 else "down"


@dataclass(frozen=True, kw_only=True)
class Factor:
    """One possible cause. Weights of all factors of an analysis sum to one; ``why`` says what counted."""

    resource: str
    metric: str
    weight: float
    direction: Direction
    own_share: float
    evidence: Evidence
    why: str


@dataclass(frozen=True, kw_only=True)
class Correlated:
    """A metric that moves with the symptom; a positive lag means that it leads."""

    resource: str
    metric: str
    correlation: float
    lag: timedelta


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something a person can do. It is text: nothing here is ever executed by itself.

    Attributes:
        title: what it does.
        command: AWS CLI command or console step; ``<...>`` marks what only the reader knows.
        risk: what may go wrong, and how to go back.
        changes: whether it changes anything; False for looking.
        note: said with every action.
    """

    title: str
    command: str
    risk: str
    changes: bool
    note: str = "never executed by itself"


@dataclass(frozen=True, kw_only=True)
class PatternMatch:
    """The known pattern that fits best, with the sentences for and against it."""

    name: str
    title: str
    score: float
    resource: str
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RootCause:
    """The answer for one incident.

    Attributes:
        incident: what was asked.
        primary_cause: the first factor, None when nothing unusual was found.
        contributing_factors: all of them, best first; weights sum to one.
        correlated_metrics: those with a correlation of at least 0.6, strongest first.
        pattern_match: None when no known pattern fits well.
        recommended_actions: for the pattern, or for looking further when there is none.
        confidence_score: how often the first resource is the right one at such evidence, as measured on simulated
            incidents; 0 without any factor.
        evidence: every metric looked at, strongest first.
        topology: what the call graph rests on.
        notes: what weakens the answer, in sentences.
    """

    incident: Incident
    primary_cause: Factor | None
    contributing_factors: tuple[Factor, ...]
    correlated_metrics: tuple[Correlated, ...]
    pattern_match: PatternMatch | None
    recommended_actions: tuple[Action, ...]
    confidence_score: float
    evidence: tuple[Evidence, ...]
    topology: Basis
    notes: tuple[str, ...]

    @property
    def anomaly_id(self) -> str:
        """Of the incident."""
        return self.incident.anomaly_id

    @property
    def ranked_resources(self) -> tuple[str, ...]:
        """Resources in the order of their best factor."""
        return tuple(dict.fromkeys(f.resource for f in self.contributing_factors))
