"""What became of recommendations, and what those that were applied have saved by the bill before and after.

A resized thing is compared at equal use: what its hours (or gigabytes) since then would have cost at the rate of
before, less what they did cost. A thing that was stopped, scheduled or deleted is compared by its cost a day before and
since. Intervals are Welch's for means of days (B. L. Welch, 1947, Biometrika 34) at 80 %, on as many independent days
as the correlation of neighbouring days leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from aws_auto.ml.cost.commitments_used import is_usage, last_moment
from aws_auto.ml.cost.findings import Kind, Money
from aws_auto.ml.cost.running import DAYS_A_MONTH

if TYPE_CHECKING:
    from datetime import date, datetime

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Status = Literal["open", "expired", "accepted", "applied", "rejected"]

#: A week before and a week after hold every weekday once.
LEAST = timedelta(days=7)
#: Older days tell less of what it would cost today.
_BEFORE = timedelta(days=28)
_LEVEL = 0.8
#: Compared at equal use: the thing stays, at another rate.
_BY_RATE = frozenset({"rightsize", "family", "graviton", "storage"})


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One recommendation as it was last said before it was decided on, and what was decided.

    Attributes:
        id: of the recommendation.
        predicted: saving a month, as it was said.
        first_said: when it was first recommended.
        last_said: when it was last recommended; what is decided is not said anew.
        expires: after this the evidence is too old to act on; counted from the end of the evidence, so that what an old
            bill says has expired when it is said.
        status: as of when it was read; see `standing`.
        decided_at: when the last decision was entered.
        applied_on: the day on which it was done.
        because: why it was rejected.
    """

    id: str
    kind: Kind
    resources: tuple[str, ...]
    account: str | None
    region: str | None
    service: str
    what: str
    predicted: Money
    trouble: float | None
    command: str
    rollback: str
    first_said: datetime
    last_said: datetime
    expires: datetime
    status: Status = "open"
    decided_at: datetime | None = None
    applied_on: date | None = None
    because: str = ""


def standing(decided: Status, expires: datetime, now: datetime) -> Status:
    """What a recommendation is now: ``open`` becomes ``expired`` with its evidence; a decision stays one.

    Every list of recommendations says this word, the same everywhere. Said again from newer evidence, it is open again.
    """
    return "expired" if decided == "open" and expires < now else decided


@dataclass(frozen=True, kw_only=True)
class Realised:
    """What an applied recommendation saves a month by the bill, or why that is not known.

    Attributes:
        saving: None where it is not known.
        why: what was compared, or why it is not known, and from when it will be.
        before: days before that were compared.
        after: days since.
        held: the predicted interval and the realised one meet; None where nothing is known.
    """

    entry: LedgerEntry
    saving: Money | None
    why: str
    before: int = 0
    after: int = 0
    held: bool | None = None


def realised(entry: LedgerEntry, bill: pl.DataFrame) -> Realised:
    """Compare the bill since the day on which it was applied with the weeks before.

    Args:
        entry: an applied one.
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`, from four weeks before that day on.
    """
    if entry.applied_on is None:
        return Realised(entry=entry, saving=None, why="it was not applied")
    until = last_moment(bill)
    known_from = entry.applied_on + LEAST + timedelta(days=1)
    if until.date() < known_from:
        why = f"the bill ends {until:%Y-%m-%d}; it is known once the bill reaches {known_from:%Y-%m-%d}"
        return Realised(entry=entry, saving=None, why=why)
    if entry.kind == "commitment":
        return _bought(entry, bill, until)
    return _compared(entry, _days(entry, bill), entry.applied_on, until)


def _compared(entry: LedgerEntry, days: pl.DataFrame, applied: date, until: datetime) -> Realised:
    day = pl.col("day")
    before = days.filter(day < pl.lit(applied), day >= pl.lit(applied - _BEFORE))
    start: Any = before["day"].min()
    if start is None or applied - start < LEAST:
        why = f"the bill shows it on fewer than {LEAST.days} days before {applied}: nothing to compare with"
        return Realised(entry=entry, saving=None, why=why)
    then = _calendar(start, applied).join(before, on="day", how="left").fill_null(0.0)
    every = _calendar(applied + timedelta(days=1), until.date())
    now = every.join(days, on="day", how="left").fill_null(0.0)
    over = f"over {len(then)} days before and {len(now)} since"
    if entry.kind not in _BY_RATE:
        money = _interval(-now["cost"].to_numpy(), -then["cost"].to_numpy(), entry.predicted.currency)
        return _known(entry, money, f"its cost a day before and since, {over}", len(then), len(now))
    quantity, cost = now["quantity"].to_numpy(), now["cost"].to_numpy()
    if not quantity.any():
        return Realised(entry=entry, saving=None, why="it is not on the bill since: its use cannot be compared")
    rate = float(then["cost"].to_numpy().sum() / then["quantity"].to_numpy().sum())
    money = _interval(quantity * rate - cost, np.zeros(0), entry.predicted.currency)
    how = f"its use since at the rate of before ({rate:.4g} a unit), less what it cost, {over}"
    return _known(entry, money, how, len(then), len(now))


def _days(entry: LedgerEntry, bill: pl.DataFrame) -> pl.DataFrame:
    """Cost and quantity a day of what the recommendation is about."""
    column = "commitment_discount_id" if entry.kind == "unused commitment" else "resource_id"
    lines = bill.filter(pl.col(column).is_in(list(entry.resources)), _same_money(entry))
    if entry.kind == "unused commitment":
        # What matters of a reservation is whether its fee goes on; what it covers moves elsewhere.
        return _fees(lines)
    day = pl.col("timestamp").dt.date().alias("day")
    cost = pl.coalesce("effective_cost", "billed_cost").sum().alias("cost")
    kept = lines.filter(is_usage())
    if entry.kind in _BY_RATE:
        kept = kept.filter(pl.col("consumed_quantity") > 0, _of(entry))
    return kept.group_by(day).agg(cost, pl.col("consumed_quantity").sum().alias("quantity")).sort("day")


def _of(entry: LedgerEntry) -> pl.Expr:
    """The lines that the change is about: traffic and disks of a machine are on other lines."""
    if entry.kind == "storage":
        return pl.col("usage_type").str.contains("VolumeUsage|TimedStorage")
    return pl.col("usage_type").str.contains("BoxUsage|DedicatedUsage")


def _fees(lines: pl.DataFrame) -> pl.DataFrame:
    """Recurring fees, spread over the days of their period."""
    fees = lines.filter(pl.col("charge_category") == "Purchase", pl.col("billed_cost") > 0).with_columns(
        last=pl.coalesce("charge_period_end", pl.col("timestamp") + timedelta(hours=1)) - timedelta(seconds=1)
    )
    spread = fees.with_columns(
        day=pl.date_ranges(pl.col("timestamp").dt.date(), pl.col("last").dt.date()),
    ).with_columns(cost=pl.col("billed_cost") / pl.col("day").list.len())
    days = spread.select("day", "cost").explode("day").group_by("day").agg(pl.col("cost").sum())
    return days.with_columns(quantity=pl.lit(0.0)).sort("day")


def _bought(entry: LedgerEntry, bill: pl.DataFrame, until: datetime) -> Realised:
    """What the commitments that first appear since then cover, at list price, less what they cost, used or not."""
    since = pl.lit(entry.applied_on)
    named = pl.col("commitment_discount_id").is_not_null()
    lines = bill.filter(named, _same_money(entry)).with_columns(day=pl.col("timestamp").dt.date())
    new = lines.group_by("commitment_discount_id").agg(pl.col("day").min()).filter(pl.col("day") >= since)
    mine = lines.join(new.select("commitment_discount_id"), on="commitment_discount_id")
    covered = mine.filter(is_usage(), pl.col("pricing_category") == "Committed")
    if covered.is_empty():
        return Realised(entry=entry, saving=None, why=f"no commitment appears on the bill since {entry.applied_on}")
    if covered["list_cost"].null_count() or mine["effective_cost"].null_count():
        return Realised(entry=entry, saving=None, why="what is covered has no list price on this bill")
    saved = pl.col("list_cost").filter(is_usage()).sum() - pl.col("effective_cost").sum()
    days = mine.group_by("day").agg(saved.alias("saved")).sort("day")
    first: Any = days["day"].min()
    every = _calendar(first, until.date()).join(days, on="day", how="left").fill_null(0.0)
    money = _interval(every["saved"].to_numpy(), np.zeros(0), entry.predicted.currency)
    how = f"what {len(new)} commitments bought since cover at list price, less their cost, over {len(every)} days"
    return _known(entry, money, how, 0, len(every))


def _known(entry: LedgerEntry, money: Money, why: str, before: int, after: int) -> Realised:
    held = money.high >= entry.predicted.low and money.low <= entry.predicted.high
    return Realised(entry=entry, saving=money, why=why, before=before, after=after, held=held)


def _interval(after: Array, before: Array, currency: str) -> Money:
    """Mean of ``after`` less that of ``before``, a month, with its interval."""
    from scipy import stats

    parts = [one for one in (after, before) if len(one)]
    spread = sum(float(one.var(ddof=1)) / _independent(one) for one in parts if len(one) > 1)
    mean = float(after.mean()) - (float(before.mean()) if len(before) else 0.0)
    freedom = max(min(_independent(one) for one in parts) - 1.0, 1.0)
    half = float(stats.t.ppf(0.5 + _LEVEL / 2.0, freedom)) * float(np.sqrt(spread))
    return Money(
        expected=mean * DAYS_A_MONTH,
        low=(mean - half) * DAYS_A_MONTH,
        high=(mean + half) * DAYS_A_MONTH,
        currency=currency,
    )


def _independent(days: Array) -> float:
    """How many independent days they are worth, by the correlation of neighbours (at least two)."""
    centred = days - days.mean()
    whole = float(centred @ centred)
    if len(days) < 3 or whole <= 0.0:
        return float(len(days))
    lag = min(max(float(centred[1:] @ centred[:-1]) / whole, 0.0), 0.9)
    return max(len(days) * (1.0 - lag) / (1.0 + lag), 2.0)


def _calendar(first: date, end: date) -> pl.DataFrame:
    return pl.DataFrame({"day": pl.date_range(first, end, closed="left", eager=True)})


def _same_money(entry: LedgerEntry) -> pl.Expr:
    return pl.col("billing_currency").fill_null("unknown") == entry.predicted.currency
