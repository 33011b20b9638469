"""A plan is a value: it is computed by reading only, can be counted, priced, printed and judged, and is then applied.

``diff(observed, desired)`` gives creates first, then updates, then deletes in reverse order, so that what is needed
exists before what needs it, and nothing is taken away from under something that still uses it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_auto.errors import UnsafePlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One thing that a target can hold. ``properties`` is plain JSON; equality of it means nothing to do."""

    kind: str
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    monthly_usd: float | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """``kind/name``: identity across plans."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Create:
    """Make ``new``."""

    new: Resource


@dataclass(frozen=True)
class Update:
    """Turn ``old`` into ``new``."""

    old: Resource
    new: Resource

    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Property to (before, after), for those that differ."""
        names = sorted({*self.old.properties, *self.new.properties})
        pairs = {n: (self.old.properties.get(n), self.new.properties.get(n)) for n in names}
        return {n: pair for n, pair in pairs.items() if pair[0] != pair[1]}


@dataclass(frozen=True)
class Delete:
    """Take ``old`` away."""

    old: Resource


Change = Create | Update | Delete


@dataclass(frozen=True, kw_only=True)
class Repair:
    """A defect of the configuration that was repaired, with its address; ``--strict`` refuses instead."""

    where: str
    was: str
    became: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would be done, and what was decided on the way."""

    changes: tuple[Change, ...]
    observed: int = 0
    repairs: tuple[Repair, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def count(self, kind: type[Create] | type[Update] | type[Delete]) -> int:
        """How many changes are of that kind."""
        return sum(isinstance(c, kind) for c in self.changes)

    def monthly_usd(self) -> float:
        """Money per month that the plan adds (negative: saves). Resources without a known price count as 0."""
        total = 0.0
        for change in self.changes:
            if isinstance(change, (Create, Update)):
                total += change.new.monthly_usd or 0.0
            if isinstance(change, (Update, Delete)):
                total -= change.old.monthly_usd or 0.0
        return total

    def unpriced(self) -> tuple[str, ...]:
        """Keys of created or updated resources without a known price: said, never counted as free in silence."""
        return tuple(c.new.key for c in self.changes if isinstance(c, (Create, Update)) and c.new.monthly_usd is None)

    def checksum(self) -> str:
        """Identity of the plan: what was approved is what is applied."""
        body = [
            [type(c).__name__, *(r.key for r in _sides(c)), *(dict(r.properties) for r in _sides(c))]
            for c in self.changes
        ]
        return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()[:12]

    def refuse_if_unsafe(self, *, most_deleted: float = 0.3, least: int = 4) -> None:
        """Refuse a plan that deletes a large share of what is there.

        Raises:
            UnsafePlan: with at least ``least`` resources observed, more than ``most_deleted`` of them would go.
        """
        deletes = self.count(Delete)
        if self.observed >= least and deletes / self.observed > most_deleted:
            raise UnsafePlan(
                f"the plan deletes {deletes} of {self.observed} resources ({deletes / self.observed:.0%}),"
                f" more than the {most_deleted:.0%} that is applied unasked",
                hint="look at it with --dry-run; if it is meant, repeat with --force",
            )

    def __str__(self) -> str:
        return (
            f"{self.count(Create)} to create, {self.count(Update)} to update, {self.count(Delete)} to delete"
            if self
            else "nothing to do: what is wanted is there"
        )


def diff(observed: Mapping[str, Resource], desired: Iterable[Resource], **context: Any) -> Plan:  # noqa: ANN401
    """The plan that turns ``observed`` (by key) into ``desired``; ``context`` is repairs and notes of the plan."""
    want = {r.key: r for r in desired}
    creates = [Create(r) for key, r in want.items() if key not in observed]
    updates = [Update(observed[key], r) for key, r in want.items() if key in observed and observed[key] != r]
    deletes = [Delete(r) for key, r in observed.items() if key not in want]
    return Plan(changes=(*creates, *updates, *reversed(deletes)), observed=len(observed), **context)


def _sides(change: Change) -> tuple[Resource, ...]:
    match change:
        case Create(new):
            return (new,)
        case Update(old, new):
            return (old, new)
        case Delete(old):
            return (old,)
