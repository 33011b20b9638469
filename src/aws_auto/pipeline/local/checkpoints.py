"""Checkpoints of detections in ``state.db``: one row per resource, replaced as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_auto.pipeline.local.state import micros, moment
from aws_auto.pipeline.ports import Checkpoint

if TYPE_CHECKING:
    from aws_auto.pipeline.local.state import State

#: Of one model; older ones belong to versions or settings that are no longer in use.
KEPT = 3


class LocalCheckpoints:
    """`Checkpoints` in a workspace."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, name: str, variant: str) -> Checkpoint | None:
        """The last one that was put, None without one."""
        with self._state.read() as db:
            head = db.execute(
                "SELECT id, at FROM checkpoints WHERE name = ? AND variant = ?", (name, variant)
            ).fetchone()
            if head is None:
                return None
            rows = db.execute(
                "SELECT resource, state, seen FROM checkpoint_states WHERE checkpoint = ?", (head["id"],)
            ).fetchall()
        return Checkpoint(
            at=moment(head["at"]),
            states={row["resource"]: row["state"] for row in rows if row["state"] is not None},
            seen={row["resource"]: row["seen"] for row in rows},
        )

    def put(self, name: str, variant: str, checkpoint: Checkpoint) -> None:
        """Keep it in place of the one before, all of it or nothing."""
        names = sorted({*checkpoint.states, *checkpoint.seen})
        with self._state.transaction() as db:
            db.execute("DELETE FROM checkpoints WHERE name = ? AND variant = ?", (name, variant))
            new = db.execute(
                "INSERT INTO checkpoints (name, variant, at) VALUES (?, ?, ?)", (name, variant, micros(checkpoint.at))
            ).lastrowid
            db.executemany(
                "INSERT INTO checkpoint_states (checkpoint, resource, state, seen) VALUES (?, ?, ?, ?)",
                [(new, n, checkpoint.states.get(n), checkpoint.seen.get(n, 0)) for n in names],
            )
            db.execute(
                "DELETE FROM checkpoints WHERE name = ? AND id NOT IN"
                " (SELECT id FROM checkpoints WHERE name = ? ORDER BY id DESC LIMIT ?)",
                (name, name, KEPT),
            )
