"""What a user may say about demand: which column it is, what is known of hours to come, which members forecast it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aws_auto.errors import NotEnoughData, SchemaError, UsageError
from aws_auto.frame import Metric
from aws_auto.ml.forecast.ahead import Ahead, Event
from aws_auto.ml.forecast.ensemble import CHOICE, Blend
from aws_auto.ml.forecast.grid import DAY, STEPS, step_for, usual_gaps

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from aws_auto.frame import MetricFrame

#: The first of these that is there is the demand, unless a metric is named.
CHOICES = ("request_count_sum", "request_count", "cpu_utilization")
KINDS = ("sum", "mean")
#: The shipped booster learned from hours; all other groups of members are fitted, whatever a step is.
HOURS_ONLY = ("cold",)


@dataclass(frozen=True, kw_only=True)
class DemandSettings:
    """Everything has a default.

    Attributes:
        metric: the column that is the demand; None takes the first of `CHOICES` that is there.
        kind: ``sum`` for what is counted over the hour, ``mean`` for levels and rates; None decides by the unit.
        ahead: events and holidays that are known before they come.
        members: groups of members of the ensemble, out of `CHOICE`; None takes all that is installed.
        hours: length of a step, one of `STEPS`; None takes an hour, or as long as the points of most series lie apart.
    """

    metric: str | None = None
    kind: str | None = None
    ahead: Ahead = field(default_factory=Ahead)
    members: tuple[str, ...] | None = None
    hours: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in (None, *KINDS):
            raise UsageError(f"{self.kind!r} is no way to make hours", where="kind", hint=f"use {' or '.join(KINDS)}")
        if unknown := [name for name in self.members or () if name not in CHOICE]:
            raise UsageError(f"no member is called {unknown[0]!r}", where="members", hint=f"use {', '.join(CHOICE)}")
        if self.hours not in (None, *STEPS):
            raise UsageError(
                f"{self.hours} hours are no length of a step",
                where="period",
                hint=f"use {', '.join(str(step) for step in STEPS)} hours",
            )
        if self.members == ():
            raise UsageError("an ensemble needs a member", where="members", hint=f"use {', '.join(CHOICE)}")

    def blend(self) -> Blend:
        """The ensemble to fit; the shipped booster knows hours only."""
        usual = Blend.usual().members if self.members is None else self.members
        return Blend(tuple(name for name in usual if name not in HOURS_ONLY or self.hours == 1) or ("rules",))

    def chosen(self, frame: MetricFrame) -> DemandSettings:
        """With metric, kind and step as this frame has them.

        Raises:
            SchemaError: the metric, or every usual one, holds no value.
            NotEnoughData: its points lie more than a week apart.
        """
        wanted = CHOICES if self.metric is None else (self.metric,)
        numbers = {m.name for m in frame.metrics}
        for metric in wanted:
            if metric in numbers and frame.data[metric].count():
                counted = Metric.named(metric).unit == "Count" and not metric.endswith(("_max", "_min"))
                return replace(
                    self,
                    metric=metric,
                    kind=self.kind or ("sum" if counted else "mean"),
                    hours=self.hours or usual_step(frame.data, metric),
                )
        raise SchemaError(
            f"no demand: none of {', '.join(wanted)} holds a value",
            where="demand-forecaster",
            hint="collect request counts of load balancers, or CPU of instances"
            if self.metric is None
            else f"there is {', '.join(sorted(numbers)) or 'no metric'}",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        ahead = asdict(self.ahead)
        ahead["events"] = [
            {**asdict(e), "start": e.start.isoformat(), "end": e.end.isoformat()} for e in self.ahead.events
        ]
        members = None if self.members is None else list(self.members)
        return {"metric": self.metric, "kind": self.kind, "ahead": ahead, "members": members, "hours": self.hours}

    @classmethod
    def restored(cls, said: Mapping[str, Any]) -> DemandSettings:
        """The inverse of `to_json`."""
        ahead = dict(said["ahead"])
        times = ("start", "end")
        events = [Event(**{**e, **{t: datetime.fromisoformat(e[t]) for t in times}}) for e in ahead.pop("events")]
        members = None if said["members"] is None else tuple(said["members"])
        return cls(
            metric=said["metric"],
            kind=said["kind"],
            ahead=Ahead(events=tuple(events), **ahead),
            members=members,
            hours=said["hours"],
        )


def usual_step(data: pl.DataFrame, metric: str) -> int:
    """Hours of the step that most series have points for, the longer of two that as many have.

    Raises:
        NotEnoughData: the points of every series lie more than a week apart.
    """
    gaps = usual_gaps(data, metric)
    steps = Counter(step for step in map(step_for, gaps.values()) if step)
    if gaps and not steps:
        raise NotEnoughData(
            f"comes every {min(gaps.values()) / 3600 / DAY:.0f} days; a forecast needs a point a week or more",
            where=metric,
            hint="collect it more often",
        )
    return max(steps, key=lambda step: (steps[step], step), default=1)
