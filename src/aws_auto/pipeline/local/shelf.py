"""Files on this machine. Fulfils `aws_auto.pipeline.shelf.Shelf`."""

from __future__ import annotations

import glob
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aws_auto.errors import ConflictError, SchemaError
from aws_auto.pipeline.ports import Estimate
from aws_auto.pipeline.shelf import Item

if TYPE_CHECKING:
    from collections.abc import Iterator


class LocalShelf:
    """The disk."""

    def items(self, address: str) -> list[Item]:
        """The file, the files below the folder, or the files that match the glob; hidden ones are left out.

        Raises:
            SchemaError: there is nothing.
        """
        path = Path(address).expanduser().absolute()
        if path.is_file():
            found = [path]
        elif path.is_dir():
            found = [p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path))]
        else:
            found = [p for p in map(Path, _matches(str(path))) if p.is_file()]
        if not found:
            raise SchemaError(
                "no file is there" if path.is_dir() else "no such file",
                where=address,
                hint="give a file, a folder, or a pattern such as 'cur/**'",
            )
        return sorted(_item(p) for p in found)

    @contextmanager
    def open(self, item: Item) -> Iterator[Path]:
        """The file itself.

        Raises:
            SchemaError: the file is gone.
            ConflictError: the file was changed since it was listed.
        """
        path = Path(item.address)
        if not path.is_file():
            raise SchemaError("the file is gone", where=item.address)
        if _item(path) != item:
            raise ConflictError("the file was changed while it was read", where=item.address)
        yield path

    def price(self, items: list[Item]) -> Estimate:
        """Nothing."""
        size = sum(item.size for item in items)
        line = f"{len(items)} local file{'s' if len(items) != 1 else ''}, {size / 1e6:.1f} MB: no calls, free"
        return Estimate(calls=0, price_usd=0.0, lines=(line,))


def _matches(pattern: str) -> list[str]:
    return glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern


def _item(path: Path) -> Item:
    facts = path.stat()
    return Item(path.as_posix(), facts.st_size, str(facts.st_mtime_ns))


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)
