"""The ledger of recommendations: what was said, decided and done, and what it has saved. Nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from aws_auto.ml.cost.findings import Recommendation
    from aws_auto.ml.cost.ledger import LedgerEntry, Realised
    from aws_auto.pipeline.ports import Workspace

#: How much of the bill from before a change is looked at.
_BEFORE = timedelta(days=35)


@dataclass(frozen=True, kw_only=True)
class Sum:
    """Predicted beside realised, a month, of the entries in one currency whose saving is known."""

    currency: str
    entries: int
    predicted: float
    realised: float


@dataclass(frozen=True, kw_only=True)
class Account:
    """What every applied recommendation saved, and their sums by currency."""

    items: tuple[Realised, ...]
    sums: tuple[Sum, ...]


def say(ws: Workspace, items: Sequence[Recommendation]) -> None:
    """Remember what is recommended now."""
    from aws_auto.ml.cost.ledger import LedgerEntry

    now = ws.clock.now()
    ws.ledger.say(
        [
            LedgerEntry(
                id=one.id,
                kind=one.kind,
                resources=one.resources,
                account=one.account,
                region=one.region,
                service=one.service,
                what=one.what,
                predicted=one.saving,
                trouble=one.trouble,
                command=one.command,
                rollback=one.rollback,
                first_said=now,
                last_said=now,
                expires=one.expires,
            )
            for one in items
        ]
    )


def find(ws: Workspace, word: str) -> LedgerEntry:
    """The entry of that id, or of the one id that begins so.

    Raises:
        UsageError: there is none, or more than one.
    """
    entries = ws.ledger.entries()
    found = [one for one in entries if one.id == word] or [one for one in entries if one.id.startswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{word!r} begins {len(found)} ids: {', '.join(one.id for one in found[:5])}")
    raise UsageError(
        f"nothing of the name {word!r} was recommended", hint="see: aws-auto ml ledger, or run: aws-auto ml recommend"
    )


def accept(ws: Workspace, word: str) -> LedgerEntry:
    """Say that it will be done.

    Raises:
        UsageError: as `find`.
    """
    return ws.ledger.decide(find(ws, word).id, "accepted")


def reject(ws: Workspace, word: str, *, because: str) -> LedgerEntry:
    """Say that it will not be done, and why; it is not recommended again until it is accepted.

    Raises:
        UsageError: as `find`, or no reason is given.
    """
    if not because.strip():
        raise UsageError("a rejection needs its reason", where="--because", hint="who reads it next year has only that")
    return ws.ledger.decide(find(ws, word).id, "rejected", because=because.strip())


def applied(ws: Workspace, word: str, *, on: date) -> LedgerEntry:
    """Say that it was done on that day (UTC).

    Raises:
        UsageError: as `find`, or the day is not over yet.
    """
    if on > ws.clock.now().date():
        raise UsageError(f"{on} is in the future", where="--on", hint="enter it on the day on which it is done")
    return ws.ledger.decide(find(ws, word).id, "applied", applied_on=on)


def changes(entries: Sequence[LedgerEntry]) -> Mapping[str, datetime]:
    """From when on each resource is what it is now: the end of the day on which its last change was applied."""
    found: dict[str, datetime] = {}
    for one in entries:
        if one.applied_on is not None and one.kind in {"rightsize", "family", "graviton"}:
            over = datetime.combine(one.applied_on + timedelta(days=1), time(), UTC)
            found |= {name: max(over, found.get(name, over)) for name in one.resources}
    return found


def account(ws: Workspace) -> Account:
    """What the applied ones have saved by the bill in the lake."""
    from aws_auto.ml.cost.ledger import Realised, realised
    from aws_auto.pipeline.ports import Window

    done = [one for one in ws.ledger.entries() if one.applied_on is not None]
    if not done:
        return Account(items=(), sums=())
    earliest = min(one.applied_on for one in done if one.applied_on is not None)
    start = datetime.combine(earliest, time(), UTC) - _BEFORE
    bill = ws.lake.scan("billing", Window(start, max(ws.clock.now(), start + _BEFORE))).collect()
    if bill.is_empty():
        nothing = f"the lake holds no bill since {start:%Y-%m-%d}"
        return Account(items=tuple(Realised(entry=one, saving=None, why=nothing) for one in done), sums=())
    items = tuple(realised(one, bill) for one in done)
    return Account(items=items, sums=_sums(items))


def _sums(items: Sequence[Realised]) -> tuple[Sum, ...]:
    known = [(one.entry.predicted, one.saving) for one in items if one.saving is not None]
    return tuple(
        Sum(
            currency=currency,
            entries=sum(said.currency == currency for said, _ in known),
            predicted=sum(said.expected for said, _ in known if said.currency == currency),
            realised=sum(saved.expected for _, saved in known if saved.currency == currency),
        )
        for currency in sorted({said.currency for said, _ in known})
    )
