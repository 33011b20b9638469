"""Which files hold the bill of which month.

Reports lie in folders by month (``20181001-20181101/``, ``BILLING_PERIOD=2018-10/``, ``year=2018/month=10/``). Where a
folder names the month, the name is believed before the file is opened; where none does, the billing periods are read
from the file.

A report that is delivered as new versions leaves old ones beside it. The manifest names the files of the current
version; where versions lie side by side and no manifest chooses, the month is refused: two versions would be twice the
money.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.pipeline.local.bill_tables import ENDINGS, bill, periods
from aws_auto.pipeline.ports import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.ml.cost.bill import Bill, BillReport
    from aws_auto.pipeline.shelf import Item, Shelf

_HINTS = (
    re.compile(r"(?:^|/)(?P<y>\d{4})(?P<m>\d{2})01-\d{8}$"),
    re.compile(r"(?:^|/)billing_period=(?P<y>\d{4})-(?P<m>\d{2})$", re.IGNORECASE),
    re.compile(r"(?:^|/)year=(?P<y>\d{4})/month=(?P<m>\d{1,2})$"),
)
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Part:
    """A file of a month. ``whole`` is True when the file holds no other month."""

    item: Item
    whole: bool


@dataclass(frozen=True)
class Month:
    """The files of one billing month."""

    window: Window
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Found:
    """What a file turned out to be."""

    item: Item
    format: str
    report: BillReport


def months(shelf: Shelf, items: Sequence[Item]) -> list[Month]:
    """The billing months that these files hold, oldest first.

    Raises:
        SchemaError: no bill is among the files, one is of an unknown format, or a month lies there in two versions.
    """
    tables = [item for item in items if item.name.endswith(ENDINGS)]
    if not tables:
        raise SchemaError(
            f"no bill is there; found {', '.join(item.name for item in items[:5])}",
            where=items[0].folder,
            hint="bills are .csv, .csv.gz or .parquet files; unpack .zip files first",
        )
    found: dict[datetime, list[Part]] = {}
    hinted: dict[tuple[str, datetime], list[Item]] = {}
    for item in tables:
        if named := named_month(item.folder):
            hinted.setdefault(named, []).append(item)
            continue
        starts = periods(shelf, item)
        for start in starts:
            found.setdefault(start, []).append(Part(item, whole=len(starts) == 1))
    for (folder, start), versions in hinted.items():
        current = _current(shelf, items, folder, start, versions)
        found.setdefault(start, []).extend(Part(item, whole=True) for item in current)
    return [Month(month_of(start), tuple(found[start])) for start in sorted(found)]


def read(shelf: Shelf, month: Month) -> tuple[pl.DataFrame, list[Found]]:
    """The line items of that month from all of its files, and what was found in each.

    Charges that begin outside their billing month are filed under its first or last moment; their own times stay in
    ``charge_period_start`` and ``charge_period_end``.

    Raises:
        SchemaError: a file is damaged, of an unknown format, or holds another month than its folder says.
    """
    last = pl.lit(month.window.end) - pl.duration(microseconds=1)
    filed = pl.col("timestamp").clip(month.window.start, last)
    tables, found = [], []
    for part in month.parts:
        one = bill(shelf, part.item, None if part.whole else month.window)
        _refuse_strays(one, part, month)
        tables.append(one.rows.with_columns(filed))
        found.append(Found(part.item, one.format, one.report))
    return pl.concat(tables, how="diagonal"), found


def month_of(moment: datetime) -> Window:
    """The calendar month (UTC) of that moment."""
    first = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    years, month = divmod(first.month, 12)
    return Window(first, first.replace(year=first.year + years, month=month + 1))


def _refuse_strays(found: Bill, part: Part, month: Month) -> None:
    start = pl.col("billing_period_start")
    strays = found.rows.filter((start < month.window.start) | (start >= month.window.end))
    if len(strays):
        raise SchemaError(
            f"{len(strays)} lines are of the billing period of {strays['billing_period_start'][0]:%Y-%m}, but the"
            f" folder says {month.window.start:%Y-%m}",
            where=part.item.address,
            hint="move the file into the folder of its month, or out of all of them",
        )


def _current(
    shelf: Shelf, items: Sequence[Item], folder: str, start: datetime, versions: Sequence[Item]
) -> Sequence[Item]:
    """Those of a month's files that its manifest names; all of them when they lie in one folder."""
    for item in items:
        if item.name.lower().endswith(_MANIFEST) and item.folder == folder:
            return _named(shelf, item, versions)
    exports = [
        item
        for item in items
        if item.name.lower().endswith(_MANIFEST)
        and "/metadata/" in item.folder
        and (named_month(item.folder) or ("", None))[1] == start
        and item.folder.partition("/metadata/")[0] == folder.partition("/data/")[0]
    ]
    if len(exports) == 1:
        return _named(shelf, exports[0], versions)
    folders = sorted({item.folder for item in versions})
    if len(folders) > 1:
        raise SchemaError(
            f"{start:%Y-%m} lies there in {len(folders)} versions: {', '.join(f.rpartition('/')[2] for f in folders)}",
            where=folder,
            hint="keep the report's manifest beside them, or give the path of one version",
        )
    return versions


def _named(shelf: Shelf, manifest: Item, versions: Sequence[Item]) -> Sequence[Item]:
    """The files that a manifest names, compared by their last two parts: copies of a bucket keep those."""
    with shelf.open(manifest) as path:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            keys = [str(key) for key in content.get("reportKeys") or content["dataFiles"]]
        except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
            raise SchemaError(
                "this manifest cannot be read", where=manifest.address, hint="delete it, or copy it again"
            ) from error
    named = [item for item in versions if any(_tail(item.address) == _tail(key) for key in keys)]
    if len(named) < len(keys):
        raise SchemaError(
            f"the manifest names {len(keys)} files, of which {len(named)} are there",
            where=manifest.address,
            hint="copy the whole version, or delete the manifest",
        )
    return named


def _tail(address: str) -> str:
    return "/".join(address.split("/")[-2:])


def named_month(folder: str) -> tuple[str, datetime] | None:
    """The folder on the way that names a month, and the month; the innermost counts."""
    parts = folder.split("/")
    for end in range(len(parts), 0, -1):
        here = "/".join(parts[:end])
        match = next((m for pattern in _HINTS if (m := pattern.search(here))), None)
        if match and 1 <= int(match["m"]) <= 12:
            return here, datetime(int(match["y"]), int(match["m"]), 1, tzinfo=UTC)
    return None
