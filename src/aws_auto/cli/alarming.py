"""Flags that say how many alarms, how large, and when not; shared by ``train-models`` and ``detect``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aws_auto.cli import options
from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_auto.ml.recipes.anomaly import AnomalyDetector

BUDGET, EFFECT, EXCLUDE, COOL_DOWN = "--alarm-budget", "--minimum-effect", "--exclude", "--cool-down"
FLAGS = (BUDGET, EFFECT, EXCLUDE, COOL_DOWN)

Budget = Annotated[
    str | None,
    typer.Option(
        BUDGET,
        help="False alarms that are bearable, per resource: a number a week, or '1 per month'. Fewer also means later"
        " and less found. Default: 1 per week; in detect, as trained.",
    ),
]
Effect = Annotated[
    list[str] | None,
    typer.Option(
        EFFECT,
        help="METRIC=VALUE: a smaller distance from the expected value raises no alarm, in the metric's unit, such as"
        " latency=50 (ms) or cpu_utilization=10 (points of per cent). May be repeated.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        EXCLUDE,
        help="START/END in ISO 8601: a span that is neither learned from nor judged, such as an outage or a load test."
        " May be repeated.",
    ),
]
CoolDown = Annotated[
    str | None,
    typer.Option(
        COOL_DOWN,
        help="After an alarm of a resource, how long only a more severe one is told, such as 1h. Default: not at all.",
    ),
]

_PER_WEEK = {"day": 7.0, "week": 1.0, "month": 12 / 52.18, "year": 1 / 52.18}
_BUDGET = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:(?:per|/|an?)\s*(day|week|month|year))?\s*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The flags as written; every one may be absent."""

    budget: str | None = None
    effect: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    cool_down: str | None = None

    def settings(self) -> dict[str, Any]:
        """Fields of `aws_auto.ml.anomaly.settings.AnomalySettings` that were asked for.

        Raises:
            UsageError: a value cannot be read; says which flag.
        """
        found: dict[str, Any] = {}
        if self.budget is not None:
            found["budget_per_week"] = budget(self.budget)
        if self.effect:
            found["minimum_effect"] = effects(self.effect)
        if self.exclude:
            found["excluded"] = tuple(excluded(text) for text in self.exclude)
        if self.cool_down is not None:
            found["cool_down"] = cool_down(self.cool_down)
        return found

    def argv(self) -> tuple[str, ...]:
        """The flags again, for a stored schedule."""
        pairs = [(BUDGET, self.budget), (COOL_DOWN, self.cool_down)]
        pairs += [*((EFFECT, text) for text in self.effect), *((EXCLUDE, text) for text in self.exclude)]
        return tuple(word for flag, text in pairs if text is not None for word in (flag, text))

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Asked:
        """The inverse of `argv`, from pairs of flag and value; other flags are left out."""
        known = list(pairs)
        one = dict(known)
        return cls(
            budget=one.get(BUDGET),
            effect=tuple(text for flag, text in known if flag == EFFECT),
            exclude=tuple(text for flag, text in known if flag == EXCLUDE),
            cool_down=one.get(COOL_DOWN),
        )

    def recipe(self, metrics: Iterable[str]) -> AnomalyDetector:
        """The recipe with these settings, for a frame with these metrics.

        Raises:
            UsageError: a minimum effect names none of them.
        """
        from aws_auto.ml.anomaly.settings import AnomalySettings
        from aws_auto.ml.recipes.anomaly import AnomalyDetector

        wanted = self.settings()
        known(wanted.get("minimum_effect", {}), metrics)
        return AnomalyDetector().configured(AnomalySettings(**wanted))


def asked(budget: str | None, effect: list[str] | None, exclude: list[str] | None, cool_down: str | None) -> Asked:
    """The flags as they were given."""
    return Asked(budget=budget, effect=tuple(effect or ()), exclude=tuple(exclude or ()), cool_down=cool_down)


def budget(text: str) -> float:
    """False alarms a week.

    Raises:
        UsageError: it is no number of alarms, or none at all.
    """
    match = _BUDGET.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no number of alarms", where=BUDGET, hint="write 1, or '2 per month'")
    per_week = float(match[1]) * _PER_WEEK[(match[2] or "week").lower()]
    if per_week <= 0:
        raise UsageError("no false alarm at all cannot be promised", where=BUDGET, hint="write '1 per year'")
    return per_week


def effects(texts: Iterable[str]) -> dict[str, float]:
    """``METRIC=VALUE`` each, the last of a metric counts.

    Raises:
        UsageError: one is not.
    """
    found = {}
    for text in texts:
        metric, equals, value = (part.strip() for part in text.partition("="))
        if not (metric and equals) or re.fullmatch(r"\d+(\.\d*)?([eE][+-]?\d+)?", value) is None:
            raise UsageError(f"{text!r} is not METRIC=VALUE with a value of 0 or more", where=EFFECT, hint="latency=50")
        found[metric] = float(value)
    return found


def known(effect: Mapping[str, float], metrics: Iterable[str]) -> None:
    """Refuse a metric that is not there.

    Raises:
        UsageError: it is not.
    """
    names = sorted(metrics)
    for metric in effect:
        if metric not in names:
            raise UsageError(f"there is no metric {metric!r}", where=EFFECT, hint=f"there are {', '.join(names)}")


def excluded(text: str) -> tuple[Any, Any]:
    """Start and end.

    Raises:
        UsageError: it is no span, or an empty one.
    """
    found = options.span(text, EXCLUDE)
    return found.start, found.end


def cool_down(text: str) -> timedelta:
    """A duration; 0 means none.

    Raises:
        UsageError: it is no duration.
    """
    if text.strip() == "0":
        return timedelta(0)
    return options.length(text, COOL_DOWN, example="1h", least=timedelta(0))
