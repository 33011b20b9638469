"""The journal in ``state.db``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_auto.pipeline.local.state import micros, moment
from aws_auto.pipeline.ports import Entry
from aws_auto.results import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.pipeline.local.state import State
    from aws_auto.pipeline.ports import Clock


class LocalJournal:
    """`Journal` in a workspace."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def append(self, kind: str, **detail: Any) -> None:  # noqa: ANN401 - plain JSON
        """Write one line; what is no JSON is written as its text."""
        line = json.dumps(as_json(detail), sort_keys=True, default=str)
        with self._state.transaction() as db:
            db.execute(
                "INSERT INTO journal (at, kind, detail) VALUES (?, ?, ?)", (micros(self._clock.now()), kind, line)
            )

    def entries(self, kind: str | None = None, limit: int = 100) -> Sequence[Entry]:
        """Newest first."""
        with self._state.read() as db:
            rows = db.execute(
                "SELECT at, kind, detail FROM journal WHERE ?1 IS NULL OR kind = ?1 ORDER BY id DESC LIMIT ?2",
                (kind, limit),
            ).fetchall()
        return [Entry(at=moment(row["at"]), kind=row["kind"], detail=json.loads(row["detail"])) for row in rows]
