"""Off-hours schedules: what runs day and night though its kind, its tags or its own habit say that nobody is there.

Where metrics are, working hours are learned from the resource itself: the shortest window of weekday hours that holds
what it did in the first half of its metrics. How often it worked outside that window is measured on the second half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.cost import commands, usage_types
from aws_auto.ml.cost.findings import Abstained, Money, Recommendation
from aws_auto.ml.cost.idle import CPU_MAX, IDLE_CPU
from aws_auto.ml.cost.running import Office

if TYPE_CHECKING:
    from aws_auto.frame import MetricFrame
    from aws_auto.ml.cost.findings import Running

LEAST_HISTORY = timedelta(days=14)
_LEAST_LIFE = timedelta(days=3)
_WEEK = 168
#: People come for ten hours, or stay for sixteen: the bounds of what office hours save.
_SHORT_DAY, _LONG_DAY = 10, 16
#: CPU maximum above this is work, whatever the machine's own peak.
_REST = 10.0
#: A window this long is no working day.
_LONGEST = 16
#: An hour of the day in which it worked on more weekdays than this belongs to its working hours.
_WORKS = 0.1
#: It works in more than this share of the hours outside its window: it keeps no hours.
_BUSY = 0.05


@dataclass(frozen=True)
class Habit:
    """When a resource works.

    Attributes:
        office: its window on weekdays; None where it works at all hours, or never.
        busy: share of the hours outside the window, in the second half, in which it worked (Laplace's estimate).
        hours: how many such hours were seen.
        why: one sentence.
    """

    office: Office | None
    busy: float
    hours: int
    why: str


def habit(metrics: MetricFrame | None, resource: str, office: Office) -> Habit | None:
    """When that resource works, None where fewer than 14 days of its CPU maximum are known."""
    if metrics is None or CPU_MAX not in metrics.data.columns:
        return None
    rows = metrics.data.filter(pl.col(RESOURCE) == resource, pl.col(CPU_MAX).is_not_null())
    if rows.is_empty() or rows[TIMESTAMP].max() - rows[TIMESTAMP].min() < LEAST_HISTORY:  # type: ignore[operator]
        return None
    local = pl.col(TIMESTAMP).dt.convert_time_zone(office.tz)
    above = _works_above(rows[CPU_MAX])
    hours = (
        rows.group_by(pl.col(TIMESTAMP).dt.truncate("1h"))
        .agg(busy=pl.col(CPU_MAX).max() > above)
        .sort(TIMESTAMP)
        .with_columns(weekday=local.dt.weekday(), hour=local.dt.hour().cast(pl.Int64))
    )
    first, second = hours.head(len(hours) // 2), hours.tail(len(hours) - len(hours) // 2)
    window = _window(first, office.tz)
    if window is None:
        always = bool(first["busy"].mean() > 0.5)  # type: ignore[operator]
        return Habit(None, 1.0 if always else 0.0, 0, "it works at all hours" if always else "it never works")
    outside = second.filter(~_inside(window))
    # Laplace's rule: never seen in n hours is not never.
    busy = (float(outside["busy"].sum()) + 1) / (len(outside) + 2)
    return Habit(window, busy, len(outside), f"its CPU is above {above:.0f} % from {_clock(window)} on weekdays")


def _works_above(cpu: pl.Series) -> float:
    """A fifth of the way from its own rest to its own peak, but never what another machine would call work."""
    rest, peak = (float(cpu.quantile(q) or 0.0) for q in (0.05, 0.95))
    return max(IDLE_CPU, min(_REST, rest + 0.2 * (peak - rest)))


def proposal(
    thing: Running, base: Recommendation, *, metrics: MetricFrame | None, office: Office
) -> Recommendation | Abstained | None:
    """A schedule, why there is none though its kind or tags ask for one, or None.

    Args:
        thing: what runs.
        base: a recommendation that carries what all about this resource share.
        metrics: for its own habit, ids as on the bill.
        office: working hours where no habit is known.
    """
    meaning = usage_types.named(thing.what)
    if not thing.always_on or not thing.still_there or not meaning.off or thing.last - thing.first < _LEAST_LIFE:
        return None
    known = habit(metrics, thing.resource_id, office)
    keeps_hours = known is not None and known.office is not None and known.busy <= _BUSY
    if not thing.development and (thing.production or not keeps_hours):
        return None
    reason = _against(thing, known)
    if reason:
        what = f"{thing.what} {thing.resource_id}"
        return Abstained(what=what, reason=reason, collect=meaning.collect, monthly=thing.monthly)
    window = known.office if known and known.office else office
    command, rollback = commands.schedule(thing.what, thing.resource_id, thing.region, window)
    deletes = meaning.off == "delete"
    verb = "delete it every evening and make it again in the morning" if deletes else "switch it off"
    why = " and ".join(filter(None, (thing.development, known.why if known else None)))
    measured = f"share of {known.hours} later hours outside that window in which it worked" if known else None
    return replace(
        base,
        kind="schedule",
        what=f"{verb} outside {_clock(window)} on weekdays ({window.tz}): {why}; it runs {thing.share:.0%} of the time",
        saving=_saving(thing, window, measured=known is not None),
        trouble=known.busy if known else None,
        trouble_from=measured or meaning.collect,
        effort="medium" if deletes else "low",
        risk="somebody works at night or on a weekend"
        + ("; what is not saved in its notebook is lost" if deletes else ""),
        command=command,
        rollback=rollback,
    )


def _against(thing: Running, known: Habit | None) -> str | None:
    life = thing.last - thing.first + timedelta(hours=1)
    if life < LEAST_HISTORY:
        return f"it is on the bill for {life / timedelta(days=1):.1f} days, less than {LEAST_HISTORY.days}"
    if thing.managed_by:
        return f"{thing.managed_by} would replace it: schedule that instead"
    if known and known.office is None:
        return f"{thing.development}, but {known.why}"
    if known and known.busy > _BUSY:
        return f"{thing.development}, but it works in {known.busy:.0%} of the hours outside {_clock(known.office)}"
    return None


def free_share(thing: Running) -> float:
    """The part of what a thing costs that no commitment pays for anyway: only that stops when it does."""
    whole = thing.effective or thing.billed
    return min(thing.uncommitted / whole, 1.0) if whole > 0 else 0.0


def _saving(thing: Running, window: Office, *, measured: bool) -> Money:
    """Two hours a day less than its own measured hours allow; else people come for ten hours or stay for sixteen."""
    free, money = free_share(thing), thing.monthly

    def off(hours: int) -> float:
        return 1.0 - hours * 5 / _WEEK

    day = window.closes - window.opens
    least, most = (
        (off(min(24, day + 2)), off(day)) if measured else (off(max(_LONG_DAY, day)), off(min(_SHORT_DAY, day)))
    )
    return Money(
        expected=money.expected * off(day) * free,
        low=money.low * least * free,
        high=money.high * most * free,
        currency=money.currency,
    )


def _window(hours: pl.DataFrame, tz: str) -> Office | None:
    """The shortest run of hours of a weekday that holds every hour in which it often works; it may cross midnight."""
    often = (
        hours.filter(pl.col("weekday") <= 5).group_by("hour").agg(pl.col("busy").mean()).filter(pl.col("busy") > _WORKS)
    )
    works = set(often["hour"])
    runs = [
        (length, start)
        for start in works
        for length in range(1, _LONGEST + 1)
        if works <= {(start + i) % 24 for i in range(length)}
    ]
    if not runs:
        return None
    length, start = min(runs)
    return Office(opens=start, closes=start + length, tz=tz)


def _inside(window: Office) -> pl.Expr:
    """Whether an hour lies in the window; what goes on after midnight belongs to the weekday before."""
    hour, weekday = pl.col("hour"), pl.col("weekday")
    same_day = (weekday <= 5) & (hour >= window.opens) & (hour < window.closes)
    after_midnight = weekday.is_between(2, 6) & (hour < window.closes - 24)
    return same_day | after_midnight


def _clock(window: Office | None) -> str:
    return "its hours" if window is None else f"{window.opens}:00 to {window.closes % 24}:00"
