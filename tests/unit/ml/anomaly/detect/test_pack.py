"""States as bytes: whatever is wrong with them is said, never guessed."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field

import numpy as np
import pytest

from aws_auto.errors import ArtifactError
from aws_auto.ml.anomaly.detect import pack


@dataclass
class Inner:
    codes: np.ndarray = field(default_factory=lambda: np.arange(6, dtype=np.uint8).reshape(2, 3))


@dataclass
class Outer:
    inner: Inner = field(default_factory=Inner)
    number: float = 1.5
    name: str = "not kept"


def framed(head, rest=b""):
    said = json.dumps(head).encode()
    return struct.pack("<I", len(said)) + said + rest


def test_numbers_and_arrays_come_back_in_their_places():
    settings, values = pack.load(pack.dump({"tail": [1, 2]}, Outer()))
    again = Outer(Inner(np.zeros((2, 3), np.uint8)), 0.0)
    pack.restore(again, values)
    assert settings == {"tail": [1, 2]}
    assert again.number == 1.5
    np.testing.assert_array_equal(again.inner.codes, Outer().inner.codes)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xff\xff\xff",
        pack.dump({}, Outer())[:-1],
        pack.dump({}, Outer()) + b"x",
        framed({"format": pack.FORMAT, "settings": {}, "numbers": {}, "arrays": [["a", "|O", [1]]]}, b"12345678"),
        framed({"format": pack.FORMAT}),
    ],
)
def test_damaged_bytes_are_refused(content):
    with pytest.raises(ArtifactError, match="no anomaly detector"):
        pack.load(content)


@pytest.mark.parametrize("head", [["a list"], {"format": "another"}])
def test_a_foreign_format_is_named(head):
    with pytest.raises(ArtifactError, match="was written as"):
        pack.load(framed(head))


def test_a_state_with_something_missing_is_refused():
    with pytest.raises(ArtifactError, match="number is missing"):
        pack.restore(Outer(), {"inner.codes": np.zeros((2, 3))})


@pytest.mark.parametrize("parts", [[], [b""], [b"one", b"", b"three"]])
def test_joined_parts_are_split_again(parts):
    assert pack.split(pack.join(parts)) == parts
