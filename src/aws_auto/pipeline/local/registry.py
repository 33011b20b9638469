"""Model versions in ``state.db``, their files in `Artifacts`.

Promotions form a stack: `promote` puts a version on top, `rollback` takes the top off, and whatever is then on top is
champion. So a second rollback goes one step further back and never forward to what was just rolled back. The stack is
never stored: it is read from the promotion history, which only grows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from aws_auto.errors import ModelNotFound
from aws_auto.pipeline.local.state import micros, moment
from aws_auto.results import Field, ModelVersion, Promotion, Stage, as_json

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

    from aws_auto.pipeline.local.artifacts import Artifacts
    from aws_auto.pipeline.local.state import State
    from aws_auto.pipeline.ports import Clock
    from aws_auto.results import TrainedModel


class LocalRegistry:
    """`Registry` in a workspace."""

    def __init__(self, state: State, artifacts: Artifacts, clock: Clock) -> None:
        self._state = state
        self._artifacts = artifacts
        self._clock = clock

    def register(self, name: str, model: TrainedModel) -> ModelVersion:
        """Store the files by content and give the next version number, as a candidate.

        Equal bytes share their file, but each call is a version of its own: it has its own report.

        Raises:
            TargetError: the disk refused.
        """
        files = {file: self._artifacts.put(data) for file, data in sorted(model.files.items())}
        fields, report = as_json(model.schema), as_json(model.report)
        with self._state.transaction() as db:
            last = db.execute("SELECT COALESCE(MAX(version), 0) FROM versions WHERE name = ?", (name,)).fetchone()[0]
            db.execute(
                "INSERT INTO versions (name, version, stage, created_at, recipe, files, fields, report)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    last + 1,
                    Stage.CANDIDATE,
                    micros(self._clock.now()),
                    model.recipe,
                    *(json.dumps(part, allow_nan=False) for part in (files, fields, report)),
                ),
            )
            return _version(db, name, last + 1)

    def promote(self, name: str, version: int, *, reason: str) -> ModelVersion:
        """Make it champion; the former champion becomes archived. Nothing changes when it is champion already.

        Raises:
            ModelNotFound: no such version.
        """
        with self._state.transaction() as db:
            wanted = _version(db, name, version)
            if wanted.stage == Stage.CHAMPION:
                return wanted
            self._crown(db, name, version, reason=reason, kind="promote")
            return _version(db, name, version)

    def rollback(self, name: str, *, reason: str) -> ModelVersion:
        """Make the champion before the present one champion again.

        Raises:
            ModelNotFound: there was none before.
        """
        with self._state.transaction() as db:
            stack = _stack(_history(db, name))
            if len(stack) < 2:
                raise ModelNotFound(
                    "there is no champion before the present one" if stack else "it never had a champion",
                    where=name,
                    hint=f"`aws-auto ml models {name}` shows who was champion when",
                )
            self._crown(db, name, stack[-2], reason=reason, kind="rollback")
            return _version(db, name, stack[-2])

    def champion(self, name: str) -> ModelVersion | None:
        """The version that answers now."""
        with self._state.read() as db:
            row = db.execute("SELECT * FROM versions WHERE name = ? AND stage = ?", (name, Stage.CHAMPION)).fetchone()
        return None if row is None else _as_version(row)

    def champion_at(self, name: str, at: datetime) -> ModelVersion | None:
        """The version that was champion at that time, with the stage that it has now."""
        with self._state.read() as db:
            row = db.execute(
                "SELECT v.* FROM promotions p JOIN versions v ON v.name = p.name AND v.version = p.version"
                " WHERE p.name = ? AND p.at <= ? ORDER BY p.id DESC LIMIT 1",
                (name, micros(at)),
            ).fetchone()
        return None if row is None else _as_version(row)

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """All versions, newest first."""
        with self._state.read() as db:
            rows = db.execute(
                "SELECT * FROM versions WHERE ?1 IS NULL OR name = ?1 ORDER BY rowid DESC", (name,)
            ).fetchall()
        return [_as_version(row) for row in rows]

    def history(self, name: str) -> list[Promotion]:
        """Every promotion and rollback, newest first."""
        with self._state.read() as db:
            return _history(db, name)[::-1]

    def files(self, version: ModelVersion) -> dict[str, bytes]:
        """The model's files, each checked against its SHA-256.

        Raises:
            ArtifactError: a file is missing or was changed.
        """
        model = f"{version.name} version {version.version}"
        return {file: self._artifacts.get(sha, what=f"{model}: {file}") for file, sha in version.files.items()}

    def _crown(
        self, db: sqlite3.Connection, name: str, version: int, *, reason: str, kind: Literal["promote", "rollback"]
    ) -> None:
        row = db.execute("SELECT version FROM versions WHERE name = ? AND stage = ?", (name, Stage.CHAMPION)).fetchone()
        previous = None if row is None else row["version"]
        set_stage = "UPDATE versions SET stage = ? WHERE name = ? AND version = ?"
        db.execute(set_stage, (Stage.ARCHIVED, name, previous))
        db.execute(set_stage, (Stage.CHAMPION, name, version))
        db.execute(
            "INSERT INTO promotions (name, version, previous, at, reason, kind) VALUES (?, ?, ?, ?, ?, ?)",
            (name, version, previous, micros(self._clock.now()), reason, kind),
        )


def _stack(history: Iterable[Promotion]) -> list[int]:
    """Versions that were promoted and not rolled back, the champion last; ``history`` is oldest first."""
    stack: list[int] = []
    for event in history:
        if event.kind == "promote":
            stack.append(event.version)
        else:
            stack.pop()
    return stack


def _history(db: sqlite3.Connection, name: str) -> list[Promotion]:
    rows = db.execute("SELECT * FROM promotions WHERE name = ? ORDER BY id", (name,)).fetchall()
    return [
        Promotion(
            name=row["name"],
            version=row["version"],
            previous=row["previous"],
            at=moment(row["at"]),
            reason=row["reason"],
            kind=row["kind"],
        )
        for row in rows
    ]


def _version(db: sqlite3.Connection, name: str, version: int) -> ModelVersion:
    row = db.execute("SELECT * FROM versions WHERE name = ? AND version = ?", (name, version)).fetchone()
    if row is not None:
        return _as_version(row)
    there = [r["version"] for r in db.execute("SELECT version FROM versions WHERE name = ? ORDER BY 1", (name,))]
    known = f"there are {', '.join(map(str, there))}" if there else "no version of it is registered"
    raise ModelNotFound(f"there is no version {version}; {known}", where=name)


def _as_version(row: sqlite3.Row) -> ModelVersion:
    return ModelVersion(
        name=row["name"],
        version=row["version"],
        stage=Stage(row["stage"]),
        created_at=moment(row["created_at"]),
        recipe=row["recipe"],
        files=json.loads(row["files"]),
        schema=tuple(Field(**field) for field in json.loads(row["fields"])),
        report=json.loads(row["report"]),
    )
