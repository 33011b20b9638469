"""The local target: what is deployed on this machine, kept in the workspace's ``state.db``.

A resource here is the deployed configuration that the other commands act on: `aws-auto ml serve` answers for its
endpoints, `aws-auto ml monitor` judges by its rules. One change of a plan is one transaction.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from aws_auto.errors import ConflictError
from aws_auto.pipeline.local.state import micros
from aws_auto.pipeline.plan import Create, Delete, Resource, Update

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from aws_auto.config.document import Document
    from aws_auto.pipeline.local.state import State
    from aws_auto.pipeline.plan import Change
    from aws_auto.pipeline.ports import Clock


class LocalTarget:
    """`Target` over the table ``resources``."""

    name: Literal["local"] = "local"

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def desired(self, document: Document, champions: Mapping[str, int]) -> tuple[list[Resource], list[str]]:
        """What the document means on this machine; see `aws_auto.pipeline.local.desired`."""
        from aws_auto.pipeline.local.desired import desired

        return desired(document, champions)

    def observe(self) -> Mapping[str, Resource]:
        """What is deployed, by key."""
        with self._state.read() as db:
            rows = db.execute("SELECT * FROM resources ORDER BY kind, name").fetchall()
        return {resource.key: resource for resource in map(_resource, rows)}

    def apply(self, change: Change) -> None:
        """Do one change.

        Raises:
            ConflictError: what the plan saw is not what is there now.
        """
        with self._state.transaction() as db:
            match change:
                case Create(new):
                    _expect(db, new, None)
                    self._put(db, new)
                case Update(old, new):
                    _expect(db, old, old)
                    self._put(db, new)
                case Delete(old):
                    _expect(db, old, old)
                    db.execute("DELETE FROM resources WHERE kind = ? AND name = ?", (old.kind, old.name))

    def _put(self, db: sqlite3.Connection, new: Resource) -> None:
        properties = json.dumps(dict(new.properties), sort_keys=True)
        db.execute(
            "INSERT OR REPLACE INTO resources (kind, name, properties, monthly_usd, updated_at) VALUES (?, ?, ?, ?, ?)",
            (new.kind, new.name, properties, new.monthly_usd, micros(self._clock.now())),
        )


def _resource(row: sqlite3.Row) -> Resource:
    return Resource(
        kind=row["kind"],
        name=row["name"],
        properties=json.loads(row["properties"]),
        monthly_usd=row["monthly_usd"],
    )


def _expect(db: sqlite3.Connection, at: Resource, expected: Resource | None) -> None:
    row = db.execute("SELECT * FROM resources WHERE kind = ? AND name = ?", (at.kind, at.name)).fetchone()
    there = None if row is None else _resource(row)
    if there != expected:
        raise ConflictError("it was changed by somebody else after the plan was made", where=at.key)
