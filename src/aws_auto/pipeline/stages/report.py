"""What every stage hands back: the rows that go on, the rows that do not and why, and a report of what it did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from aws_auto.errors import DataError, SchemaError
from aws_auto.frame import RESOURCE, TIME_DTYPE, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Iterable

#: One rejected row or value. ``column`` names the value's column; for a whole row it names the column at fault and
#: ``value`` holds the row as JSON, so that nothing is lost. ``timestamp`` is null where the row has none.
REJECTED = pl.Schema(
    {
        RESOURCE: pl.String(),
        TIMESTAMP: TIME_DTYPE,
        "column": pl.String(),
        "value": pl.String(),
        "reason": pl.String(),
        "stage": pl.String(),
    }
)


class Level(StrEnum):
    """How much a finding matters; the worst one is the status of its report."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILED = "failed"

    @property
    def rank(self) -> int:
        """0 for ok, 3 for failed."""
        return list(Level).index(self)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a stage changed, checked or suspects.

    Attributes:
        code: stable name for machines, such as ``completeness``.
        level: how much it matters.
        text: one sentence for people.
        column: the column it speaks of, None when it speaks of the table.
        count: rows, values or series concerned.
        observed: the figure that was compared, where there is one.
        threshold: what it was compared with.
    """

    code: str
    level: Level
    text: str
    column: str | None = None
    count: int = 0
    observed: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, kw_only=True)
class StageReport:
    """What one stage did. ``rejected`` counts the entries for the quarantine: whole rows and single values."""

    stage: str
    rows_in: int
    rows_out: int
    rejected: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def status(self) -> Level:
        """The worst level of the findings, ok when there are none."""
        return max((f.level for f in self.findings), key=lambda level: level.rank, default=Level.OK)

    def sentences(self) -> tuple[str, ...]:
        """The findings as sentences, the worst first."""
        return tuple(f.text for f in sorted(self.findings, key=lambda f: -f.level.rank))

    def refuse_if_failed(self) -> None:
        """Raise when a check failed.

        Raises:
            SchemaError: a required column is missing.
            DataError: another check failed.
        """
        failed = [f for f in self.findings if f.level is Level.FAILED]
        if failed:
            kind = SchemaError if failed[0].code == "schema" else DataError
            raise kind(
                "; ".join(f.text for f in failed),
                where=self.stage,
                hint="collect again, or relax data_pipeline.monitoring.data_quality",
            )

    def finding(self, code: str) -> Finding | None:
        """The first finding of that code."""
        return next((f for f in self.findings if f.code == code), None)


class Staged(NamedTuple):
    """``rows, rejected, report = clean(...)``."""

    rows: pl.DataFrame
    rejected: pl.DataFrame
    report: StageReport


def no_rejects() -> pl.DataFrame:
    """An empty table of rejected rows."""
    return pl.DataFrame(schema=REJECTED)


def all_rejects(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """One table of rejected rows from several."""
    return pl.concat([no_rejects(), *parts])


def listed(names: list[str], *, most: int = 3) -> str:
    """``a, b, c and 4 more``."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def counted(n: int, noun: str) -> str:
    """``1 value``, ``2 values``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
