"""What stands behind a change of cost: a walk from service and account down to the resource.

At each step the part that changed most in the event's direction is followed. Its share is its change in cost a day over
the whole change, both as means of the event's days against the usual days before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.ml.cost.commitments_used import is_usage
from aws_auto.ml.cost.cost_series import midnight

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from aws_auto.ml.cost.cost_band import Span
    from aws_auto.ml.cost.cost_series import Booking, Series

DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
#: A resource is named as the cause when it explains at least half; else the change is spread over many.
_NAMED = 0.5


@dataclass(frozen=True)
class Step:
    """One step of the walk: the dimension, its value, and the share of the whole change that it explains."""

    dimension: str
    value: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Where a change of cost happened.

    Attributes:
        per_day: the whole change in cost a day.
        steps: service, account, region, usage type, resource, as far as one part explains half of the change.
        resource_id: the resource behind it, None where it is spread or the bill names none.
        new: the resource was not on the bill until two days before the event.
        resources: how many resources of that usage type changed in the event's direction.
    """

    per_day: float
    service: str
    account: str | None
    region: str
    usage_type: str
    resource_id: str | None
    new: bool
    resources: int
    steps: tuple[Step, ...]


def of_rise(bill: pl.DataFrame, account: Series, rows: frozenset[int], span: Span) -> Cause:
    """What changed from the usual days before to the days of the event."""
    days = list(range(span.first, span.last + 1))
    return _walk(bill, account, rows, span.reference or tuple(range(span.first)), _strongest(days, span), span.sign)


def of_ending(bill: pl.DataFrame, account: Series, rows: frozenset[int], span: Span) -> Cause:
    """What changed from the last days of the event to the days after it."""
    after = list(range(span.last + 1, min(span.last + 4, len(account.days))))
    before = list(range(max(span.first, span.last - 3), span.last + 1))
    return _walk(bill, account, rows, before, after or [span.last], -span.sign)


def of_booking(booking: Booking) -> Cause:
    """A booking names its own cause."""
    parts = {
        "service": booking.service,
        "account": booking.account,
        "region": booking.region,
        "usage type": booking.usage_type,
        "resource": booking.resource_id,
    }
    steps = tuple(Step(name, value, 1.0) for name, value in parts.items() if value)
    return Cause(
        per_day=booking.amount,
        service=booking.service,
        account=booking.account,
        region=booking.region or "unknown",
        usage_type=booking.usage_type or "unknown",
        resource_id=booking.resource_id,
        new=False,
        resources=1 if booking.resource_id else 0,
        steps=steps,
    )


def hours(bill: pl.DataFrame, account: Series, cause: Cause, span: Span) -> tuple[datetime, datetime]:
    """First and last hour in which the cause cost more (or less) than in any hour before; days where hours are unknown.

    A new resource starts with its first line, which may lie in the evening of the day before.
    """
    first, last = midnight(account.days[span.first]), midnight(account.days[span.last]) + DAY
    lines = _lines(bill, account, cause).filter(
        (pl.col("resource_id") == cause.resource_id) if cause.resource_id else pl.lit(value=True)
    )
    by_hour = lines.group_by("timestamp").agg(cost=pl.col("billed_cost").sum()).sort("timestamp")
    if by_hour.is_empty() or not (by_hour["timestamp"].dt.hour() != 0).any():
        return first, last
    known = [account.days[i] for i in span.reference]
    usual = by_hour.filter(pl.col("timestamp").dt.date().is_in(known))["cost"]
    edge = (float(usual.max() if span.sign > 0 else usual.min())) if len(usual) and not cause.new else 0.0  # type: ignore[arg-type]
    away = (pl.col("cost") > edge * 1.001 + 1e-9) if span.sign > 0 else (pl.col("cost") < edge * 0.999 - 1e-9)
    near = pl.col("timestamp").is_between(first - 2 * DAY if cause.new else first, last + DAY / 2, closed="left")
    moments = by_hour.filter(away, near)["timestamp"].to_list()
    return (moments[0], min(moments[-1] + _HOUR, last + DAY / 2)) if moments else (first, last)


def _strongest(days: list[int], span: Span) -> list[int]:
    """The days of the event on which its excess is at least half of its greatest: the others blur the cause."""
    excess = np.abs(np.array(span.excess))
    return [day for day, e in zip(days, excess, strict=True) if e >= 0.5 * excess.max()] or days


def _walk(
    bill: pl.DataFrame,
    account: Series,
    rows: frozenset[int],
    before: Sequence[int],
    after: Sequence[int],
    sign: int,
) -> Cause:
    change = account.costs[:, list(after)].mean(axis=1) - account.costs[:, list(before)].mean(axis=1)
    inside = sorted(rows)
    whole = float(change[inside].sum())
    followed = inside
    steps: list[Step] = []
    for place, dimension in ((0, "service"), (1, "region"), (2, "usage type")):
        parts: dict[str, list[int]] = {}
        for row in followed:
            parts.setdefault(account.leaves[row][place], []).append(row)
        value, followed = max(parts.items(), key=lambda item: sign * float(change[item[1]].sum()))
        steps.append(Step(dimension, value, _share(float(change[followed].sum()), whole)))
        if dimension == "service" and account.account:
            steps.append(Step("account", account.account, 1.0))
    service, region, usage_type, _ = account.leaves[followed[0]]
    named = {account.leaves[row][3] for row in followed}
    cause = Cause(
        per_day=whole,
        service=service,
        account=account.account,
        region=region,
        usage_type=usage_type,
        resource_id=None,
        new=False,
        resources=0,
        steps=tuple(steps),
    )
    days = [account.days[i] for i in before], [account.days[i] for i in after]
    lines = _lines(bill, account, cause).filter(pl.col("resource_id").is_not_null())
    if "" not in named:
        lines = lines.filter(pl.col("resource_id").is_in(list(named)))
    return _with_resource(lines, cause, days, sign, account.days[0])


def _with_resource(
    lines: pl.DataFrame, cause: Cause, days: tuple[list[date], list[date]], sign: int, bill_starts: date
) -> Cause:
    before, after = days
    day = pl.col("timestamp").dt.date()
    cost = pl.col("billed_cost")
    by = lines.group_by("resource_id").agg(
        before=cost.filter(day.is_in(before)).sum() / len(before),
        since=day.min(),
        after=cost.filter(day.is_in(after)).sum() / len(after),
    )
    moved = by.with_columns(change=sign * (pl.col("after") - pl.col("before"))).filter(pl.col("change") > 0)
    if moved.is_empty():
        return cause
    top = moved.sort("change", "resource_id", descending=[True, False]).row(0, named=True)
    share = _share(sign * top["change"], cause.per_day)
    named = share >= _NAMED * min(1.0, cause.steps[-1].share)
    return Cause(
        per_day=cause.per_day,
        service=cause.service,
        account=cause.account,
        region=cause.region,
        usage_type=cause.usage_type,
        resource_id=top["resource_id"] if named else None,
        new=named and sign > 0 and top["since"] > bill_starts and top["since"] >= after[0] - 2 * DAY,
        resources=len(moved),
        steps=(*cause.steps, Step("resource", top["resource_id"], share)) if named else cause.steps,
    )


def _lines(bill: pl.DataFrame, account: Series, cause: Cause) -> pl.DataFrame:
    """The usage lines of the followed leaf."""

    def equal(column: str, value: str | None) -> pl.Expr:
        # A cell that is empty on the bill is called unknown in the series.
        return pl.col(column).is_null() if value in (None, "unknown") else pl.col(column) == value

    return bill.filter(
        is_usage(),
        equal("usage_type", cause.usage_type),
        equal("service_name", cause.service),
        equal("region_id", cause.region),
        equal("sub_account_id", account.account),
        equal("billing_currency", account.currency),
    )


def _share(part: float, whole: float) -> float:
    return float(np.clip(part / whole, 0.0, 1.0)) if abs(whole) > 1e-12 else 0.0
