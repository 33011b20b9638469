"""``state.db``: everything of a workspace that is not a table or a model file, in one SQLite database.

Each `State.read` and `State.transaction` opens a connection of its own and closes it again (0.15 ms), so that there
is none to share between threads or to carry over a fork. The journal mode is WAL: readers see the state before or
after a transaction, never between, and do not wait for its writer. ``synchronous=FULL`` because files are deleted on
the word of a committed transaction, which therefore must outlive a power cut.

Times are stored as whole microseconds since 1970 (UTC): see `micros` and `moment`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aws_auto.errors import ConflictError, TargetError, UsageError
from aws_auto.pipeline.local.files import PATIENCE_S, database_refusals, make_folder, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: One script per version of the schema; what was released is never edited, only followed by another.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE lake_datasets (dataset TEXT PRIMARY KEY, schema BLOB NOT NULL);
    CREATE TABLE lake_files (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        dataset TEXT NOT NULL,
        day TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'live', 'dead')),
        since INTEGER NOT NULL,
        rows INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        first INTEGER,
        last INTEGER
    );
    CREATE INDEX lake_files_by_day ON lake_files (dataset, state, day);
    CREATE TABLE lake_closed (
        scope TEXT NOT NULL,
        start INTEGER NOT NULL,
        until INTEGER NOT NULL CHECK (until > start),
        PRIMARY KEY (scope, start)
    );
    CREATE TABLE versions (
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        stage TEXT NOT NULL CHECK (stage IN ('candidate', 'champion', 'archived')),
        created_at INTEGER NOT NULL,
        recipe TEXT NOT NULL,
        files TEXT NOT NULL,
        fields TEXT NOT NULL,
        report TEXT NOT NULL,
        UNIQUE (name, version)
    );
    CREATE UNIQUE INDEX one_champion ON versions (name) WHERE stage = 'champion';
    CREATE TABLE promotions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        previous INTEGER,
        at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('promote', 'rollback')),
        FOREIGN KEY (name, version) REFERENCES versions (name, version)
    );
    CREATE TABLE schedules (
        job TEXT PRIMARY KEY,
        every TEXT NOT NULL,
        command TEXT NOT NULL,
        last_run INTEGER,
        next_run INTEGER NOT NULL
    );
    CREATE TABLE journal (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE INDEX journal_by_kind ON journal (kind);
    CREATE TABLE resources (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        properties TEXT NOT NULL,
        monthly_usd REAL,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (kind, name)
    );
    CREATE TABLE alerts (
        key TEXT PRIMARY KEY,
        severity TEXT NOT NULL,
        title TEXT NOT NULL,
        first_seen INTEGER NOT NULL,
        last_sent INTEGER,
        state TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE ledger (
        id TEXT PRIMARY KEY,
        said TEXT NOT NULL,
        first_said INTEGER NOT NULL,
        last_said INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'applied', 'rejected')),
        decided_at INTEGER,
        applied_on TEXT,
        because TEXT NOT NULL DEFAULT '',
        CHECK ((status = 'applied') = (applied_on IS NOT NULL))
    );
    """,
    """
    CREATE TABLE checkpoints (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        variant TEXT NOT NULL,
        at INTEGER NOT NULL,
        UNIQUE (name, variant)
    );
    CREATE TABLE checkpoint_states (
        checkpoint INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
        resource TEXT NOT NULL,
        state BLOB,
        seen INTEGER NOT NULL,
        PRIMARY KEY (checkpoint, resource)
    );
    """,
)


def micros(at: datetime) -> int:
    """Whole microseconds since 1970.

    Raises:
        UsageError: the time has no zone.
    """
    if at.tzinfo is None:
        raise UsageError(f"{at} has no time zone", hint="pass times in UTC: datetime(..., tzinfo=UTC)")
    return (at - _EPOCH) // _MICROSECOND


def moment(stored: int) -> datetime:
    """The time, in UTC, that `micros` stored."""
    return _EPOCH + stored * _MICROSECOND


class State:
    """The database at ``path``, made or brought up to date when it is opened.

    Args:
        path: the file.
        migrations: one script per version of the schema.

    Raises:
        TargetError: it is damaged, from a newer aws-auto, or cannot be written.
        ConflictError: another process kept it locked for a minute.
    """

    def __init__(self, path: Path, *, migrations: Sequence[str] = MIGRATIONS) -> None:
        self.path = path
        self._migrations = migrations
        with refusals(path):
            make_folder(path.parent)
        with database_refusals(self.path), closing(self._connect()) as db:
            if _version(db) != len(migrations):
                self._migrate(db)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection whose statements all see the same state; rows are `sqlite3.Row`."""
        with database_refusals(self.path), closing(self._connect()) as db:
            db.execute("BEGIN")
            yield db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose statements take effect together, when the block ends without an error.

        Writers wait for one another, so keep the block short and never open a second transaction inside it.
        """
        with database_refusals(self.path), closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None)
        db.row_factory = sqlite3.Row
        try:
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        _use_wal(db)
        db.execute("BEGIN IMMEDIATE")
        version, newest = _version(db), len(self._migrations)
        if version > newest:
            raise TargetError(
                f"this workspace was written by a newer aws-auto (state {version}, this one knows {newest})",
                where=str(self.path),
                hint="upgrade with `pip install -U aws-auto`, or choose another folder with AWS_AUTO_HOME",
            )
        for number, script in enumerate(self._migrations[version:], start=version + 1):
            for statement in script.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _use_wal(db: sqlite3.Connection, *, attempts: int = 100) -> None:
    """Switch to WAL. SQLite does not wait here when two processes do this at once, so we wait in a transaction."""
    for _ in range(attempts):
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        else:
            if mode == "wal":
                return
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
    raise ConflictError("another process keeps the workspace's state locked")
