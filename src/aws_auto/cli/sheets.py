"""Tables as CSV files that a spreadsheet opens without running anything."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import render

if TYPE_CHECKING:
    from aws_auto.ml.cost.findings import Recommendation
    from aws_auto.ml.cost.ledger import LedgerEntry, Realised

Csv = Annotated[Path | None, typer.Option("--csv", help="Write the table to this CSV file as well.")]

_SAVING = ("saving_expected", "saving_low", "saving_high", "currency")
ADVICE = (
    "id",
    "status",
    "kind",
    "account",
    "region",
    "service",
    "resources",
    "what",
    *_SAVING,
    "trouble",
    "trouble_from",
    "effort",
    "risk",
    "expires",
    "command",
    "rollback",
    "alternatives",
)
LEDGER = (
    "id",
    "status",
    "kind",
    "account",
    "region",
    "resources",
    "what",
    *_SAVING,
    "trouble",
    "first_said",
    "expires",
    "decided_at",
    "applied_on",
    "because",
)
REALISED = (
    "id",
    "applied_on",
    *_SAVING,
    "realised_expected",
    "realised_low",
    "realised_high",
    "as_predicted",
    "days_before",
    "days_after",
    "from",
)


def write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write them and say where.

    Raises:
        UsageError: the place cannot be written to.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    render.talk(f"CSV: {render.write(path, out.getvalue())}")


def of_advice(one: Recommendation, status: str) -> tuple[object, ...]:
    """The cells of `ADVICE`."""
    saving = one.saving
    return (
        *(one.id, status, one.kind, one.account, one.region, one.service, " ".join(one.resources), one.what),
        *(round(saving.expected, 2), round(saving.low, 2), round(saving.high, 2), saving.currency),
        *(one.trouble, one.trouble_from, one.effort, one.risk, one.expires.isoformat(), one.command, one.rollback),
        "; ".join(one.alternatives),
    )


def of_entry(one: LedgerEntry) -> tuple[object, ...]:
    """The cells of `LEDGER`."""
    said = one.predicted
    return (
        *(one.id, one.status, one.kind, one.account, one.region, " ".join(one.resources), one.what),
        *(round(said.expected, 2), round(said.low, 2), round(said.high, 2), said.currency),
        *(one.trouble, one.first_said.isoformat(), one.expires.isoformat()),
        *(one.decided_at and one.decided_at.isoformat(), one.applied_on, one.because),
    )


def of_realised(one: Realised) -> tuple[object, ...]:
    """The cells of `REALISED`."""
    said, saved = one.entry.predicted, one.saving
    known = (round(saved.expected, 2), round(saved.low, 2), round(saved.high, 2)) if saved else (None, None, None)
    return (
        *(one.entry.id, one.entry.applied_on),
        *(round(said.expected, 2), round(said.low, 2), round(said.high, 2), said.currency),
        *(*known, one.held, one.before, one.after, one.why),
    )


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe: strangers name resources."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value
