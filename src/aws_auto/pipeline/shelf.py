"""Files, wherever they lie: the door through which file sources read a disk or a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from aws_auto.pipeline.ports import Estimate


@dataclass(frozen=True, order=True)
class Item:
    """One file.

    Attributes:
        address: full path or URI; unique.
        size: bytes.
        version: changes whenever the content does (an ETag, a modification time).
    """

    address: str
    size: int
    version: str

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.address.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The address without its last part."""
        return self.address.rpartition("/")[0]


class Shelf(Protocol):
    """A place that holds files."""

    def items(self, address: str) -> list[Item]:
        """The files at that address, sorted: a file, everything below a folder or prefix, or what a glob matches.

        Raises:
            SchemaError: there is nothing.
            TargetError: the place refused.
        """
        ...

    def open(self, item: Item) -> AbstractContextManager[Path]:
        """A local file with the content of exactly that version, readable until the context ends.

        Raises:
            SchemaError: the file is gone.
            ConflictError: the file is another version by now.
            TargetError: the place refused.
        """
        ...

    def price(self, items: list[Item]) -> Estimate:
        """What it costs to list the place and to open each of these once."""
        ...
