"""Model files by content: a file's name is the SHA-256 of its bytes, checked whenever it is read."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_auto.errors import ArtifactError
from aws_auto.pipeline.local.files import make_folder, refusals, write_whole

if TYPE_CHECKING:
    from pathlib import Path

#: A temporary file older than this belongs to a killed process.
_STALE_S = 3600.0


@dataclass(frozen=True)
class Artifacts:
    """Files under ``root/ab/abcdef...``; equal content is stored once."""

    root: Path

    def put(self, data: bytes) -> str:
        """Store the bytes, or find them stored; returns their SHA-256.

        Raises:
            TargetError: the disk refused.
        """
        sha = hashlib.sha256(data).hexdigest()
        path = self._path(sha)
        with refusals(path):
            if path.is_file() and path.read_bytes() == data:
                return sha
            folder = self.root / "tmp"
            make_folder(folder)
            handle, temporary = tempfile.mkstemp(prefix=f"{sha[:8]}-", dir=folder)
            os.close(handle)
        write_whole(path, data, temporary=folder / temporary)
        self._sweep(folder, now=path.stat().st_mtime)
        return sha

    def get(self, sha: str, *, what: str) -> bytes:
        """The bytes of that SHA-256.

        Args:
            sha: 64 hexadecimal digits.
            what: whose file it is, for the error: ``anomaly-detector version 3: model.ubj``.

        Raises:
            ArtifactError: the file is missing or was changed.
        """
        if not re.fullmatch(r"[0-9a-f]{64}", sha):
            raise ArtifactError(f"{sha!r} is not a SHA-256", where=what)
        path = self._path(sha)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise ArtifactError(f"its file {path} is missing", where=what) from error
        except OSError as error:
            raise ArtifactError(f"its file {path} cannot be read: {error.strerror}", where=what) from error
        actual = hashlib.sha256(data).hexdigest()
        if actual != sha:
            raise ArtifactError(
                f"its file {path} was changed or damaged: expected SHA-256 {sha}, found {actual}", where=what
            )
        return data

    def _path(self, sha: str) -> Path:
        return self.root / sha[:2] / sha

    def _sweep(self, folder: Path, *, now: float) -> None:
        """Delete what killed processes left. ``now`` is the disk's own time, the one that file times are told in."""
        with refusals(folder):
            for left in folder.iterdir():
                with suppress(FileNotFoundError):  # Its owner may be renaming it at this moment.
                    if left.stat().st_mtime < now - _STALE_S:
                        left.unlink()
