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
    """
    with refusals(path):
        make_folder(path.parent)
    with closing(sqlite3.connect(path, timeout=patience_s, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise TargetError(f"cannot be locked: {error}", where=str(path)) from error
            raise ConflictError(
                f"another process has been writing for over {patience_s:.0f} s", where=str(path.parent)
            ) from error
        try:
            yield
        finally:
            lock.execute("ROLLBACK")
