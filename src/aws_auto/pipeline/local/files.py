"""What the local adapters need of a disk: whole files or none, one writer at a time, and refusals as sentences."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from aws_auto.errors import ConflictError, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REFUSALS = {
    errno.ENOSPC: ("the disk is full", "free some space, or choose another folder with AWS_AUTO_HOME"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or choose another folder with AWS_AUTO_HOME"),
    errno.EACCES: ("we may not write here", "change its permissions, or choose another folder with AWS_AUTO_HOME"),
    errno.EPERM: ("we may not write here", "change its permissions, or choose another folder with AWS_AUTO_HOME"),
    errno.EROFS: ("this disk is read-only", "choose another folder with AWS_AUTO_HOME"),
    errno.ENOTDIR: ("a file is in the way of a folder", "move the file, or choose another folder with AWS_AUTO_HOME"),
    errno.EEXIST: ("a file is in the way of a folder", "move the file, or choose another folder with AWS_AUTO_HOME"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n 4096) and run the command again"),
}

_DAMAGED = (
    "the workspace's state is damaged",
    "restore the file from a backup, or move the folder away: a new one is made and filled again",
)
_UNWRITABLE = (
    "the workspace's state cannot be written",
    "change the permissions of the folder, or choose another one with AWS_AUTO_HOME",
)
_DATABASE_REFUSALS = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: _UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: _UNWRITABLE,
    sqlite3.SQLITE_PERM: _UNWRITABLE,
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and run the command again"),
    sqlite3.SQLITE_IOERR: ("the disk failed", "check the disk and its free space, then run the command again"),
}

#: How long we wait for another process to finish a transaction.
PATIENCE_S = 60.0


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into an error with an address and a next step.

    Raises:
        TargetError: the disk refused.
    """
    try:
        yield
    except OSError as error:
        said, hint = _REFUSALS.get(error.errno or 0, (error.strerror or str(error), None))
        raise TargetError(said, where=str(error.filename or path), hint=hint) from error


def make_folder(folder: Path) -> None:
    """Make the folder and its parents, each entry on the disk before we go on."""
    missing = [folder]
    while not missing[-1].exists() and missing[-1].parent != missing[-1]:
        missing.append(missing[-1].parent)
    folder.mkdir(parents=True, exist_ok=True)
    for parent in missing[1:]:
        sync_folder(parent)


def sync_folder(folder: Path) -> None:
    """Have the names in the folder on the disk; where folders cannot be opened (Windows) the system does it alone."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes, *, temporary: Path) -> None:
    """Write so that, whenever we are killed, ``path`` holds all of ``data`` or does not exist.

    Raises:
        TargetError: the disk refused.
    """
    with refusals(path):
        make_folder(path.parent)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)


@contextmanager
def only_one(path: Path, *, patience_s: float = 300.0) -> Iterator[None]:
    """Hold a lock that only one process or thread can hold and that the system drops when its holder is killed.

    The lock is SQLite's own on an empty database: portable, and it waits.

    Raises:
        ConflictError: somebody else held it longer than ``patience_s``.
        TargetError: the disk refused.
    """
    with refusals(path):
        make_folder(path.parent)
    with closing(sqlite3.connect(path, timeout=patience_s, isolation_level=None)) as lock:
        with database_refusals(path):
            lock.execute("PRAGMA journal_mode = MEMORY")  # Nothing is written, so there is nothing to keep on the disk.
            lock.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            lock.execute("ROLLBACK")


@contextmanager
def database_refusals(path: Path) -> Iterator[None]:
    """Turn what SQLite refuses into an error with an address and a next step.

    Raises:
        ConflictError: another process kept the database locked for as long as we were willing to wait.
        TargetError: the disk refused, or the database is damaged.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise ConflictError("another process keeps it locked", where=str(path)) from error
        if code not in _DATABASE_REFUSALS:
            raise
        said, hint = _DATABASE_REFUSALS[code]
        raise TargetError(f"{said} ({error})", where=str(path), hint=hint) from error
