"""What a detection that comes back every few minutes remembers of each resource, as bytes."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

from aws_auto.errors import ArtifactError


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Where the stream of one resource stands.

    Attributes:
        model: name of the model that it follows; it says nothing to another one.
        until: unix seconds; what lies before was judged.
        content: what the scorer remembers.
    """

    model: str
    until: int
    content: bytes

    def to_bytes(self) -> bytes:
        """A short head and the content."""
        head = json.dumps({"model": self.model, "until": self.until}).encode()
        return struct.pack("<I", len(head)) + head + self.content

    @classmethod
    def of(cls, said: bytes) -> Memory:
        """The inverse of `to_bytes`.

        Raises:
            ArtifactError: these are no such bytes.
        """
        try:
            (size,) = struct.unpack_from("<I", said)
            head = json.loads(said[4 : 4 + size])
            return cls(model=str(head["model"]), until=int(head["until"]), content=said[4 + size :])
        except (struct.error, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                "these bytes are no state of a detection",
                where="state",
                hint="forget it: the detection then goes on from the end of training",
            ) from error
