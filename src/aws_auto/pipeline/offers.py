"""Offers of commitments from a file of the user's: YAML with a list ``offers``, or CSV with the same words as columns.

::

    offers:
      - name: Compute Savings Plan, 1 year, no upfront
        discount: 27%
        term: 1y
        source: quote of our account manager, 2026-10-01
        region: eu-west-1      # left out: everywhere
        family: m5             # left out: every family
        kind: savings-plan     # or reservation; left out: it is not reckoned with that it can be returned
"""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_auto.config import marks
from aws_auto.config.quantities import UnitError
from aws_auto.config.units import Duration, Percent
from aws_auto.errors import ConfigError, Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aws_auto.ml.cost.commitments import Offer

_NEEDED = ("name", "discount", "term", "source")
_KNOWN = (*_NEEDED, "region", "family", "kind")
_PLAN, _RESERVATION = "savings-plan", "reservation"


def read(path: Path) -> tuple[Offer, ...]:
    """The offers of that file.

    Raises:
        UsageError: it cannot be read.
        ConfigError: something in it is no offer; all of it, with its line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}", where=str(path), hint="give a YAML or CSV file"
        ) from error
    problems: list[Problem] = []
    rows = _sheet(content, path) if path.suffix.lower() == ".csv" else _document(content, path, problems)
    offers = [_offer(row, at, problems) for row, at in rows]
    if not rows and not problems:
        problems.append(Problem(str(path), 1, 1, "offers", "there is no offer in it"))
    if problems:
        raise ConfigError(
            problems, hint="an offer is name, discount, term and source; region and family where it has one"
        )
    return tuple(one for one in offers if one is not None)


def _document(content: bytes, path: Path, problems: list[Problem]) -> list[tuple[Mapping[str, Any], Problem]]:
    marked = marks.read(content, str(path))
    problems += marked.problems
    entries = marked.data.get("offers", ())
    found: list[tuple[Mapping[str, Any], Problem]] = []
    for k, entry in enumerate(entries if isinstance(entries, tuple) else ()):
        mark = marked.mark(("offers", k))
        at = Problem(mark.file, mark.line, mark.column, f"offers.{k}", "is not a mapping")
        if isinstance(entry, dict):
            found.append((entry, at))
        else:
            problems.append(at)
    return found


def _sheet(content: bytes, path: Path) -> list[tuple[Mapping[str, Any], Problem]]:
    lines = csv.DictReader(content.decode("utf-8-sig", errors="replace").splitlines())
    return [
        (
            {
                str(name).strip(): value.strip()
                for name, value in row.items()
                if isinstance(value, str) and value.strip()
            },
            Problem(str(path), lines.line_num, 1, f"row {number}", ""),
        )
        for number, row in enumerate(lines, start=1)
    ]


def _offer(row: Mapping[str, Any], at: Problem, problems: list[Problem]) -> Offer | None:
    from aws_auto.ml.cost.commitments import Offer

    def complain(message: str) -> None:
        problems.append(Problem(at.file, at.line, at.column, at.path, message))

    faults = len(problems)
    for name in _NEEDED:
        if row.get(name) in (None, ""):
            complain(f"{name} is missing")
    for name in sorted(set(row) - set(_KNOWN)):
        complain(f"{name!r} is no word of an offer; there are {', '.join(_KNOWN)}")
    kind = row.get("kind")
    if kind not in (None, _PLAN, _RESERVATION):
        complain(f"{kind!r} is no kind of an offer; there are {_PLAN} and {_RESERVATION}")
    elif kind == _RESERVATION and not (row.get("region") and row.get("family")):
        complain("a reservation needs its region and its family")
    if len(problems) > faults:
        return None
    try:
        return Offer(
            name=str(row["name"]),
            discount=Percent.parse(row["discount"]).value / 100.0,
            source=str(row["source"]),
            term=timedelta(seconds=Duration.parse(row["term"]).seconds),
            region=row.get("region"),
            family=row.get("family"),
            reservation=kind == _RESERVATION,
            returnable=kind == _PLAN,
        )
    except (UnitError, ValueError) as error:
        complain(str(error))
        return None
