"""The ledger of recommendations in ``state.db``: what was said as JSON, what was decided in columns."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

from aws_auto.errors import UsageError
from aws_auto.pipeline.local.state import micros, moment
from aws_auto.results import as_json

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

    from aws_auto.ml.cost.ledger import LedgerEntry, Status
    from aws_auto.pipeline.local.state import State
    from aws_auto.pipeline.ports import Clock

#: Fields of an entry that are words and figures of the recommendation, and never change once it is decided on.
_SAID = (
    "kind",
    "resources",
    "account",
    "region",
    "service",
    "what",
    "predicted",
    "trouble",
    "command",
    "rollback",
)
_SAY = """
    INSERT INTO ledger (id, said, first_said, last_said, expires) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET said = excluded.said, last_said = excluded.last_said, expires = excluded.expires
    WHERE status = 'open'
"""


class LocalLedger:
    """`Ledger` in a workspace."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def say(self, entries: Sequence[LedgerEntry]) -> None:
        """Remember what is recommended now, all of it or nothing; what was decided stays as it was decided on."""
        rows = [
            (
                one.id,
                json.dumps({name: as_json(getattr(one, name)) for name in _SAID}, allow_nan=False),
                micros(one.first_said),
                micros(one.last_said),
                micros(one.expires),
            )
            for one in entries
        ]
        with self._state.transaction() as db:
            db.executemany(_SAY, rows)

    def entries(self) -> list[LedgerEntry]:
        """All of them, first said first."""
        with self._state.read() as db:
            rows = db.execute("SELECT * FROM ledger ORDER BY first_said, rowid").fetchall()
        return [_entry(row, self._clock.now()) for row in rows]

    def decide(
        self, entry_id: str, status: Status, *, applied_on: date | None = None, because: str = ""
    ) -> LedgerEntry:
        """Enter a decision in place of any earlier one.

        Raises:
            UsageError: there is no such entry.
        """
        decided = (status, micros(self._clock.now()), applied_on and applied_on.isoformat(), because, entry_id)
        with self._state.transaction() as db:
            db.execute(
                "UPDATE ledger SET status = ?, decided_at = ?, applied_on = ?, because = ? WHERE id = ?", decided
            )
            row = db.execute("SELECT * FROM ledger WHERE id = ?", (entry_id,)).fetchone()
        if row is None:
            raise UsageError(f"nothing of the name {entry_id!r} was recommended", hint="see: aws-auto ml ledger")
        return _entry(row, self._clock.now())


def _entry(row: sqlite3.Row, now: datetime) -> LedgerEntry:
    from aws_auto.ml.cost.findings import Money
    from aws_auto.ml.cost.ledger import LedgerEntry, standing

    said: dict[str, Any] = json.loads(row["said"])
    said |= {"resources": tuple(said["resources"]), "predicted": Money(**said["predicted"])}
    return LedgerEntry(
        id=row["id"],
        first_said=moment(row["first_said"]),
        last_said=moment(row["last_said"]),
        expires=moment(row["expires"]),
        status=standing(row["status"], moment(row["expires"]), now),
        decided_at=None if row["decided_at"] is None else moment(row["decided_at"]),
        applied_on=date.fromisoformat(row["applied_on"]) if row["applied_on"] else None,
        because=row["because"],
        **said,
    )
