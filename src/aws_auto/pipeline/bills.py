"""The bill of a workspace: which one stays where there are two for one month, and reading it.

A month of the lake is one bill. A source that is pulled replaces the month, so that what AWS restates is replaced and
never added. What would be lost by that is refused, or left out with a sentence:

- A coarse bill (Cost Explorer: no usage types, no resources) never replaces one in detail; it fills other months.
- A bill in detail replaces a coarse one.
- Of two bills in detail the later one replaces the earlier when both are of the same payer: it is restated, or exported
  in another format. Of another payer it is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import NotEnoughData, UsageError

if TYPE_CHECKING:
    from aws_auto.pipeline.ports import Batch, Window, Workspace


def bill_of(ws: Workspace, window: Window, *, command: str) -> pl.DataFrame:
    """The bill of that window.

    Raises:
        NotEnoughData: there is none; the error says what the lake holds instead.
    """
    bill = ws.lake.scan("billing", window).collect()
    if not bill.is_empty():
        return bill
    if "billing" not in ws.lake.datasets():
        hint = f"add one: aws-auto ml {command} --data-source cur --path FILE, or --data-source sample"
        raise NotEnoughData("the lake holds no bill", where=str(ws.root), hint=hint)
    time = pl.col("timestamp")
    first, last = ws.lake.scan("billing").select(time.min().alias("first"), time.max().alias("last")).collect().row(0)
    raise NotEnoughData(
        f"the lake's bill is of {first:%Y-%m-%d} to {last:%Y-%m-%d}, which is outside of the window",
        where=str(ws.root),
        hint=f"read it: aws-auto ml {command} --since {first:%Y-%m-%d}",
    )


def admitted(ws: Workspace, batch: Batch) -> tuple[Batch | None, str]:
    """The batch if it may replace what the lake holds for its window, else None; and what a reader must know.

    Raises:
        UsageError: it is the bill of another payer.
    """
    if batch.dataset != "billing" or batch.rows.is_empty():
        return batch, ""
    scan = ws.lake.scan("billing", batch.window)
    if "usage_type" not in scan.collect_schema().names():
        return batch, ""
    there = scan.select("usage_type", "billing_account_id").unique().collect()
    if there.is_empty():
        return batch, ""
    month = f"{batch.window.start:%Y-%m}"
    if _coarse(batch.rows):
        said = f"{month}: a bill in detail is there already and stays; the one by service and day is left out"
        return (batch, "") if _coarse(there) else (None, said)
    if _coarse(there):
        return batch, f"{month}: the bill in detail replaces the one by service and day"
    old, new = _payers(there), _payers(batch.rows)
    if old and new and not old & new:
        raise UsageError(
            f"the bill of payer {_some(new)} would replace that of payer {_some(old)} for {month}",
            where=str(ws.root),
            hint="keep each payer in a workspace of its own: --workspace .aws-auto-other",
        )
    return batch, ""


def _coarse(rows: pl.DataFrame) -> bool:
    return "usage_type" not in rows.columns or rows["usage_type"].null_count() == len(rows)


def _payers(rows: pl.DataFrame) -> set[str]:
    return set(rows["billing_account_id"].drop_nulls()) if "billing_account_id" in rows.columns else set()


def _some(payers: set[str]) -> str:
    return ", ".join(sorted(payers)[:3])
