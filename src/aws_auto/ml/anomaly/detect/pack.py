"""Nested dataclasses of numbers and arrays as bytes and back, without pickle."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT = "aws-auto anomaly detector 1"


def flatten(value: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and array of a dataclass with its dotted path; None and plain names are left out."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from flatten(getattr(value, field.name), f"{path}.{field.name}" if path else field.name)
    elif isinstance(value, (bool, int, float, np.ndarray)):
        yield path, value


def dump(settings: Mapping[str, Any], state: object) -> bytes:
    """Settings (plain JSON) and every number and array of ``state``."""
    arrays: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    for path, value in flatten(state):
        if isinstance(value, np.ndarray):
            arrays[path] = value
        else:
            numbers[path] = value
    head = json.dumps({"format": FORMAT, "settings": dict(settings), "numbers": numbers}, sort_keys=True)
    out = io.BytesIO()
    np.savez(out, head=np.frombuffer(head.encode(), np.uint8), **arrays)
    return out.getvalue()


def load(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings, and numbers and arrays by path.

    Raises:
        ArtifactError: the bytes are damaged or of another format.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            head = json.loads(bytes(file["head"]))
            values = {name: file[name] for name in file.files if name != "head"}
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            "these bytes are no anomaly detector", where="detector", hint="train it again: aws-auto ml train-models"
        ) from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ArtifactError(
            f"this detector was written as {head.get('format') if isinstance(head, dict) else None!r}, not {FORMAT!r}",
            where="detector",
            hint="train it again: aws-auto ml train-models",
        )
    return head["settings"], values | head["numbers"]


def restore(state: object, values: Mapping[str, Any]) -> None:
    """Set every number and array of ``state`` from what `load` gave.

    Raises:
        ArtifactError: something is missing.
    """
    for path, _ in list(flatten(state)):
        if path not in values:
            raise ArtifactError(f"{path} is missing", where="detector", hint="train it again")
        *parents, name = path.split(".")
        owner = state
        for parent in parents:
            owner = getattr(owner, parent)
        with contextlib.suppress(dataclasses.FrozenInstanceError):  # settings hold those already
            setattr(owner, name, values[path])
