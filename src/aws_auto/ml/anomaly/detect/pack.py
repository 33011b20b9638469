"""Nested dataclasses of numbers and arrays as bytes and back, without pickle; and several such as one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import struct
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FORMAT = "aws-auto anomaly detector 4"
#: Kinds of arrays that a state may hold.
KINDS = ("<f2", "<f4", "<f8", "|u1")


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
    listed = [[path, a.dtype.str, a.shape] for path, a in arrays.items()]
    head = json.dumps({"format": FORMAT, "settings": dict(settings), "numbers": numbers, "arrays": listed}).encode()
    return b"".join([struct.pack("<I", len(head)), head, *(a.tobytes() for a in arrays.values())])


def load(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings, and numbers and arrays by path.

    Raises:
        ArtifactError: the bytes are damaged or of another format.
    """
    try:
        start = 4 + struct.unpack_from("<I", content)[0]
        head = json.loads(content[4:start])
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise _foreign(head)
        values = dict(head["numbers"])
        for path, kind, shape in head["arrays"]:
            if kind not in KINDS:
                raise damaged()
            size = math.prod(shape)
            values[path] = np.frombuffer(content, kind, size, start).reshape(shape)
            start += size * np.dtype(kind).itemsize
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise damaged() from error
    if start != len(content):
        raise damaged()
    return head["settings"], values


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


def join(parts: Iterable[bytes]) -> bytes:
    """Several byte strings as one: how many, how long each is, and then themselves."""
    every = list(parts)
    return b"".join([struct.pack(f"<{len(every) + 1}I", len(every), *map(len, every)), *every])


def split(content: bytes) -> list[bytes]:
    """The inverse of `join`.

    Raises:
        ArtifactError: something is missing or left over.
    """
    try:
        count = struct.unpack_from("<I", content)[0]
        sizes = struct.unpack_from(f"<{count}I", content, 4)
    except struct.error as error:
        raise damaged() from error
    ends = list(accumulate(sizes, initial=4 + 4 * count))
    if ends[-1] != len(content):
        raise damaged()
    return [content[a:b] for a, b in pairwise(ends)]


def _foreign(head: object) -> ArtifactError:
    said = head.get("format") if isinstance(head, dict) else None
    return ArtifactError(
        f"this detector was written as {said!r}, not {FORMAT!r}",
        where="detector",
        hint="train it again: aws-auto ml train-models",
    )


def damaged() -> ArtifactError:
    """What is raised for bytes that are none of ours."""
    return ArtifactError(
        "these bytes are no anomaly detector", where="detector", hint="train it again: aws-auto ml train-models"
    )
