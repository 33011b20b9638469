"""What reservations and Savings Plans were bought for and not used, with what the unused part cost.

Used hours are counted in hours of the reserved type: a size-flexible reservation that covers another size of its
family is used by the ratio of the normalisation factors that AWS publishes (nano 0.25, micro 0.5, small 1, medium 2,
large 4, xlarge 8, n times xlarge 8 n). Where the bill states the unused money as well (CUR), it is the second witness:
where both differ, this is said and the money is believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.ml.cost.findings import CommitmentUse
from aws_auto.results import Line

if TYPE_CHECKING:
    from datetime import datetime

RESERVED, PLAN = "Reserved Instance", "Savings Plan"
_FACTORS = {"nano": 0.25, "micro": 0.5, "small": 1.0, "medium": 2.0, "large": 4.0, "xlarge": 8.0}
#: Less than this share of what was purchased is rounding, not waste; more than that is a disagreement.
_NOTHING, _AGREE = 1e-4, 0.02
_NEEDED = (
    "timestamp",
    "charge_category",
    "commitment_discount_id",
    "commitment_discount_type",
    "commitment_discount_status",
    "consumed_quantity",
    "billed_cost",
    "effective_cost",
    "billing_currency",
    "usage_type",
    "billing_period_start",
    "charge_period_end",
)


def commitment_use(bill: pl.DataFrame) -> tuple[CommitmentUse, ...]:
    """Every reservation and Savings Plan by billing month, up to the last hour of usage on the bill; worst first.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.

    Raises:
        SchemaError: a column of a bill is missing.
    """
    require(bill, _NEEDED)
    rows = bill.filter(pl.col("commitment_discount_id").is_not_null())
    if rows.is_empty():
        return ()
    until = last_moment(bill)
    keys = ["commitment_discount_id", "billing_period_start", "billing_currency"]
    parts = [_Part(part, until) for part in rows.partition_by(keys, maintain_order=True)]
    known = [part for part in parts if len(part.fees) + len(part.used)]
    found = [_plan(part) if part.kind == PLAN else _reservation(part) for part in known]
    return tuple(sorted(found, key=lambda one: (-(one.unused_fee or 0.0), one.commitment_id, one.start)))


def size_factor(instance_type: str) -> float | None:
    """AWS's normalisation factor of an instance type; None where the size has none by itself (metal)."""
    size = instance_type.rsplit(".", 1)[-1]
    times = re.fullmatch(r"(\d+)xlarge", size)
    return 8.0 * int(times.group(1)) if times else _FACTORS.get(size)


def require(bill: pl.DataFrame, columns: tuple[str, ...]) -> None:
    """Refuse a table that is no bill in FOCUS words.

    Raises:
        SchemaError: columns are missing; names them.
    """
    missing = [name for name in columns if name not in bill.columns]
    if missing:
        raise SchemaError(
            f"this is no bill in FOCUS words: {', '.join(missing)} missing",
            where="billing",
            hint="collect it with the data source cur, focus or cost-explorer",
        )


def is_usage() -> pl.Expr:
    """Lines of usage. Cost Explorer without ``RECORD_TYPE`` does not tell usage from fees: then everything is usage."""
    return (pl.col("charge_category") == "Usage").fill_null(value=True)


def last_moment(bill: pl.DataFrame) -> datetime:
    """The end of the last hour (or day) of usage on the bill; fees reach to the end of their month and do not count."""
    used = bill.lazy().filter(is_usage())
    by_hour = used.select((pl.col("timestamp").dt.hour() != 0).any()).collect().item()
    length = pl.col("charge_period_end") - pl.col("timestamp")
    of_a_day = pl.when(length <= timedelta(days=1)).then("charge_period_end")
    line = pl.duration(hours=1 if by_hour else 24)
    end = (of_a_day + pl.duration(seconds=1)).dt.truncate("1m").fill_null(pl.col("timestamp") + line)
    found: datetime | None = used.select(end.max()).collect().item()
    return found or bill["timestamp"].max() + timedelta(hours=1)  # type: ignore[operator, return-value]


@dataclass(frozen=True)
class _Part:
    """The lines of one commitment in one billing month."""

    rows: pl.DataFrame
    until: datetime

    @property
    def kind(self) -> str:
        kinds = self.rows["commitment_discount_type"].drop_nulls()
        return str(kinds[0]) if len(kinds) else RESERVED

    @property
    def fees(self) -> pl.DataFrame:
        """Recurring fees, with the hours of their period and those that are over; upfront payments are no hours."""
        wanted = pl.col("line_item_type").is_in(["RIFee", "SavingsPlanRecurringFee"])
        recurring = wanted.fill_null(pl.col("charge_frequency") == "Recurring").fill_null(value=False)
        fees = self.rows.filter(pl.col("charge_category") == "Purchase", recurring)
        # Legacy reports end a period at 23:59:59.
        end = (pl.col("charge_period_end") + pl.duration(seconds=1)).dt.truncate("1m")
        end = end.fill_null(pl.col("timestamp") + pl.duration(hours=1))
        hours = pl.duration(hours=1)
        return fees.with_columns(
            end=end,
            whole=(end - pl.col("timestamp")) / hours,
            over=((pl.min_horizontal(end, pl.lit(self.until)) - pl.col("timestamp")) / hours).clip(lower_bound=0.0),
        ).with_columns(part=(pl.col("over") / pl.col("whole")).clip(0.0, 1.0).fill_nan(1.0))

    @property
    def used(self) -> pl.DataFrame:
        status = (pl.col("commitment_discount_status") == "Used").fill_null(value=False)
        return self.rows.filter(pl.col("charge_category") == "Usage", status)

    @property
    def stated(self) -> float | None:
        """The unused money that the bill states: amortised, with its share of the upfront payment."""
        fees = self.fees
        unused = self.rows.filter((pl.col("commitment_discount_status") == "Unused").fill_null(value=False))
        money = unused["effective_cost"] if len(unused) else fees["effective_cost"]
        return None if money.null_count() or not len(money) else max(float(money.sum()), 0.0)

    def values(self) -> dict[str, object]:
        """The fields that both kinds share."""
        fees, used = self.fees, self.used
        ends = fees["end"].max() if len(fees) else self.until
        first = (fees if len(fees) else used)["timestamp"].min()
        names = pl.concat([fees.select("sub_account_id", "region_id"), used.select("sub_account_id", "region_id")])
        return {
            "commitment_id": self.rows["commitment_discount_id"][0],
            "kind": self.kind,
            "account": _first(names["sub_account_id"]),
            "region": _first(names["region_id"]),
            "start": first,
            "end": min(ends, self.until),  # type: ignore[type-var]
            "currency": self.rows["billing_currency"][0] or "unknown",
            "ends": self.term_ends,
            "covers": self.covers,
        }

    @property
    def term_ends(self) -> datetime | None:
        """The latest end that its lines name."""
        if "commitment_discount_end" not in self.rows.columns:
            return None
        found: datetime | None = self.rows["commitment_discount_end"].max()  # type: ignore[assignment]
        return found

    @property
    def covers(self) -> float | None:
        """What the covered usage would cost on demand, less what it costs."""
        used = self.used
        if "list_cost" not in used.columns or used["list_cost"].null_count() or used["effective_cost"].null_count():
            return None
        return float(used["list_cost"].sum()) - float(used["effective_cost"].sum())

    def notes(self) -> list[str]:
        fees = self.fees
        if len(fees) and fees["over"].sum() < fees["whole"].sum() - 1:
            return [f"the month is not over: counted up to {self.until:%Y-%m-%d %H:%M} UTC"]
        return []


def _reservation(part: _Part) -> CommitmentUse:
    fees, stated, notes = part.fees, part.stated, part.notes()
    reserved = _reserved_type(fees, part.used)
    used = part.used.with_columns(hours=_hours_of(reserved, part.used))
    hours = float(used["hours"].sum())
    purchased = float((fees["consumed_quantity"] * fees["part"]).sum()) or None
    if purchased is None:
        notes.append("no fee of this reservation in hours is on the bill: what was purchased is unknown")
    unused = None if purchased is None else max(purchased - hours, 0.0)
    if purchased and unused is not None and stated is not None:
        money = stated + float(used["effective_cost"].sum())
        by_money = purchased * stated / money if money > 0 else unused
        if abs(by_money - unused) > max(_AGREE * purchased, 1.0):
            notes.append(
                f"{unused:.0f} h are unused by the hours on the bill and {by_money:.0f} h by the unused money that it"
                " states; the money is believed"
            )
            unused = by_money
    if purchased and unused is not None and unused < _NOTHING * purchased:
        unused = 0.0
    count = float((fees["consumed_quantity"] / fees["whole"]).sum()) if purchased else None
    return CommitmentUse(
        **part.values(),  # type: ignore[arg-type]
        instance_type=reserved,
        count=None if count is None else round(count, 2),
        unit="hours",
        purchased=purchased,
        used=hours,
        unused=unused,
        unused_fee=unused / purchased * float((fees["billed_cost"] * fees["part"]).sum())
        if purchased and unused is not None
        else None,
        unused_amortised=stated,
        evidence=_daily(used, "hours", "hours used a day"),
        notes=tuple(notes),
    )


def _plan(part: _Part) -> CommitmentUse:
    """A plan is a promise of money an hour: everything is in money."""
    used, stated, notes = part.used, part.stated, part.notes()
    spent = float(used["effective_cost"].sum())
    purchased = None if stated is None else spent + stated
    if purchased is None:
        notes.append("the bill does not say what of this plan was unused")
    fee = float(part.fees["billed_cost"].sum())
    return CommitmentUse(
        **part.values(),  # type: ignore[arg-type]
        instance_type=None,
        count=None,
        unit=part.rows["billing_currency"][0] or "unknown",
        purchased=purchased,
        used=spent,
        unused=stated,
        unused_fee=fee * stated / purchased if purchased and stated is not None else None,
        unused_amortised=stated,
        evidence=_daily(used, "effective_cost", "commitment used a day"),
        notes=tuple(notes),
    )


def _reserved_type(fees: pl.DataFrame, used: pl.DataFrame) -> str | None:
    """From the fee's usage type (``HeavyUsage:c4.large``), else its own column, else the one type that it covered."""
    named = fees["usage_type"].str.extract(r"HeavyUsage:\s*([\w.-]+)$").drop_nulls()
    own = fees["instance_type"].drop_nulls()
    covered = used["instance_type"].drop_nulls().unique()
    words = named if len(named) else own if len(own) else covered
    return str(words[0]) if len(words) and (len(named) or len(own) or len(covered) == 1) else None


def _hours_of(reserved: str | None, used: pl.DataFrame) -> pl.Expr:
    """Quantity in hours of the reserved type; as it is where a size has no factor."""
    base = size_factor(reserved) if reserved else None
    ratios = {
        kind: factor / base
        for kind in used["instance_type"].drop_nulls().unique()
        if base and (factor := size_factor(kind)) and kind != reserved
    }
    ratio = pl.col("instance_type").replace_strict(list(ratios), list(ratios.values()), default=1.0) if ratios else 1.0
    return (pl.col("consumed_quantity") * ratio).alias("hours")


def _daily(used: pl.DataFrame, column: str, name: str) -> Line:
    days = used.group_by(pl.col("timestamp").dt.date().alias("day")).agg(pl.col(column).sum()).sort("day")
    return Line(name=name, x=tuple(days["day"]), y=tuple(days[column]), style="bars")


def _first(column: pl.Series) -> str | None:
    known = column.drop_nulls()
    return str(known[0]) if len(known) else None
