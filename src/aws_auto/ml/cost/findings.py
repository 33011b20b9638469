"""What was found on a bill, as frozen values: money always beside its currency, hours in UTC."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aws_auto.results import Line

Kind = Literal["idle", "unused commitment", "schedule", "rightsize", "family", "graviton", "storage", "commitment"]


@dataclass(frozen=True, kw_only=True)
class Money:
    """An amount and how sure we are; ``low`` and ``high`` are the bounds of what is plausible, see who made it."""

    expected: float
    low: float
    high: float
    currency: str


@dataclass(frozen=True, kw_only=True)
class CommitmentUse:
    """One reservation or Savings Plan in one billing month, up to the last hour on the bill.

    Attributes:
        commitment_id: its ARN.
        kind: ``Reserved Instance`` or ``Savings Plan``.
        instance_type: what was reserved; None for a plan.
        count: instances reserved; None for a plan.
        unit: of ``purchased``, ``used`` and ``unused``: ``hours`` of the reserved type, or the currency for a plan.
        purchased: what the commitment covers, up to the last hour on the bill. None where the bill has no fee line.
        used: what was covered.
        unused: the difference; None where ``purchased`` is.
        unused_fee: the part of the recurring fee that bought nothing.
        unused_amortised: the same with the share of the upfront payment, None where the bill does not say.
        evidence: what was used, by day.
        ends: when its term is over; None where the bill does not say.
        covers: what the covered usage costs more on demand; None where the bill does not say.
        notes: what a reader must know.
    """

    commitment_id: str
    kind: str
    account: str | None
    region: str | None
    instance_type: str | None
    count: float | None
    start: datetime
    end: datetime
    unit: str
    purchased: float | None
    used: float
    unused: float | None
    unused_fee: float | None
    unused_amortised: float | None
    currency: str
    evidence: Line
    ends: datetime | None = None
    covers: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Running:
    """A resource that is billed by the hour, and when it was on.

    Shares are of the hours between ``first`` and ``last``: ``day_share`` of those on weekdays from 8 to 20 o'clock,
    ``night_share`` of the other hours of all days, ``weekend_share`` of Saturday and Sunday. None where a bill by the
    day cannot tell.

    Attributes:
        billed: what the invoice says, over the window.
        effective: with the share of commitments, None where unknown.
        uncommitted: the part of ``billed`` that no commitment covers: what stops when the resource does.
        monthly: what it costs in a month of 730 hours as of its last fortnight; low and high are the 10 % and 90 %
            quantiles of its days.
        development: what says that it serves development only; None where nothing does.
        production: a tag says that it serves somebody.
        managed_by: the Auto Scaling group or Spot fleet that would replace it when it stops; None where it is alone.
        still_there: it was billed in the last day of the bill.
    """

    resource_id: str
    what: str
    account: str | None
    region: str | None
    service: str
    usage_type: str
    instance_type: str | None
    first: datetime
    last: datetime
    hours: int
    share: float
    day_share: float | None
    night_share: float | None
    weekend_share: float | None
    billed: float
    effective: float | None
    uncommitted: float
    monthly: Money
    development: str | None
    production: bool
    managed_by: str | None
    still_there: bool
    evidence: Line

    @property
    def always_on(self) -> bool:
        """On for nine of ten hours of its life, nights and weekends too."""
        parts = (self.share, self.night_share, self.weekend_share)
        return all(part is None or part >= 0.9 for part in parts)


@dataclass(frozen=True, kw_only=True)
class Waste:
    """Something that costs money and, as far as the bill shows, does nothing.

    Attributes:
        verdict: ``idle``: the bill itself proves that it is not used. ``development``: it runs day and night and
            serves development. ``unknown``: the bill cannot tell; ``collect`` says what would.
        count: how many resources.
        resource_ids: which ones, dearest first.
        monthly: what they cost in a month at most.
        proof: what it rests on, one sentence.
    """

    what: str
    verdict: Literal["idle", "development", "unknown"]
    account: str | None
    region: str | None
    resource_ids: tuple[str, ...]
    monthly: Money
    first: datetime
    last: datetime
    proof: str
    collect: str
    evidence: Line

    @property
    def count(self) -> int:
        """How many resources."""
        return len(self.resource_ids)


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """One thing to do, what it saves, what it rests on, and how to take it back. Nothing here is ever executed.

    Attributes:
        id: the same for the same advice on any day: made of kind, place, resources and ``subject``.
        kind: in the order of netting.
        resources: what it is about; each resource is in one recommendation only.
        what: the advice, one sentence.
        saving: in a month of 730 hours, of the part that no commitment pays for anyway.
        trouble: probability that it is missed, measured; None is unknown.
        trouble_from: what ``trouble`` was measured on, or what would have to be collected.
        risk: what may go wrong.
        evidence: the series that it rests on.
        rollback: how to take it back.
        expires: after this the evidence is too old to act on.
        command: the exact command, or the step in the console.
        subject: what would be changed (an instance type, a class of storage): the next change of the same resource is
            other advice. Empty where that cannot be.
        alternatives: other ways to the same saving, a sentence each; not in any total.
    """

    kind: Kind
    resources: tuple[str, ...]
    account: str | None
    region: str | None
    service: str
    what: str
    saving: Money
    trouble: float | None
    trouble_from: str
    effort: Literal["low", "medium", "high"]
    risk: str
    evidence: Line
    rollback: str
    expires: datetime
    command: str
    subject: str = ""
    alternatives: tuple[str, ...] = ()
    id: str = field(init=False)

    def __post_init__(self) -> None:
        words = (self.kind, self.account or "", self.region or "", self.subject, *sorted(self.resources))
        digest = hashlib.sha256("\0".join(words).encode()).hexdigest()
        object.__setattr__(self, "id", f"{self.kind.replace(' ', '-')}-{digest[:8]}")


@dataclass(frozen=True, kw_only=True)
class Abstained:
    """Something that nothing is recommended for, why, and what would change that. ``monthly`` is what it costs."""

    what: str
    reason: str
    collect: str
    monthly: Money | None = None


@dataclass(frozen=True, kw_only=True)
class Total:
    """All savings in one currency, and what the bill comes to in a month of 730 hours."""

    saving: Money
    monthly_cost: float

    @property
    def share(self) -> float:
        """The part of the bill that would be saved."""
        return self.saving.expected / self.monthly_cost if self.monthly_cost else 0.0


@dataclass(frozen=True, kw_only=True)
class Recommendations:
    """What to do, what nothing is said about and why, totals by currency, and what a reader must know."""

    items: tuple[Recommendation, ...]
    abstained: tuple[Abstained, ...]
    totals: Mapping[str, Total]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """A smaller size for one machine.

    Attributes:
        now: the instance type that it has.
        to: the one that would be enough.
        saving: USD an hour at the list price, while it runs.
        saving_share: the same as a share of its present list price.
        trouble: probability that its CPU is above the new capacity in more than 0.5 % of the next fortnight's hours.
        trouble_from: what ``trouble`` was measured on.
        memory: what is known of its memory, one sentence.
        evidence: the daily maximum of its CPU, in per cent of the present size.
    """

    resource_id: str
    now: str
    to: str
    saving: float
    saving_share: float
    trouble: float
    trouble_from: str
    memory: str
    evidence: Line


@dataclass(frozen=True, kw_only=True)
class Commitment:
    """How much to commit under one offer; amounts are in the currency of the hours that it was decided on.

    Attributes:
        offer: what is bought.
        discount: the caller's rate.
        source: where that rate is from.
        level: on-demand cost an hour that is covered once all is bought; 0 is nothing.
        pays: the fee an hour for it.
        first: the share of it that is bought now.
        weeks: in how many weekly parts the rest is bought, unless usage falls; 0 where all is bought now.
        returns: for how many days it can be given back, which is reckoned with.
        saving: expected share of the on-demand cost over the term; ``low`` and ``high`` are its 10 % and 90 %
            quantiles over the scenarios.
        trouble: share of the scenarios in which it costs more than it saves.
        look_back_level: what would have saved most in the last 30 days.
        look_back_saving: what that is expected to save in the same scenarios.
        falls_seen: lasting falls of usage in the history.
        falls_a_year: the rate that was reckoned with.
        days: length of the history.
    """

    offer: str
    discount: float
    source: str
    level: float
    pays: float
    first: float
    weeks: int
    saving: float
    low: float
    high: float
    trouble: float
    look_back_level: float
    look_back_saving: float
    falls_seen: int
    falls_a_year: float
    days: int
    returns: int = 0
