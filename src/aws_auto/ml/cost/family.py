"""Other families for machines that keep their size: newer or cheaper ones of the same architecture, and Graviton.

A move keeps virtual CPUs and memory at least, the letters that promise something (local disks, network), and the kind
of CPU time (a machine whose CPU is its own does not get one with credits). Whether software is faster or slower there
is not known from a bill: the probability of trouble is unknown, and what to measure is said.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from aws_auto.ml.cost import commands
from aws_auto.ml.cost.findings import Abstained, Money, Recommendation
from aws_auto.ml.cost.rightsizing_advice import MACHINE, against, billed_rates
from aws_auto.ml.cost.schedule import LEAST_HISTORY, free_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    import polars as pl

    from aws_auto.ml.cost.findings import Running
    from aws_auto.ml.cost.prices import Price
    from aws_auto.ml.cost.terms import Terms

#: A move that saves less than this share of the price is not worth a stop.
LEAST_SHARE = 0.05
#: In the currency of the bill, a month.
LEAST_MONEY = 1.0
#: A price list this much younger than the bill may hold types that the bill's time did not have.
_OTHER_TIME = timedelta(days=365)
_NAME = re.compile(r"^(?P<kind>[a-z]+?)(?P<generation>\d+)(?P<letters>[a-z]*)(?P<flex>-flex)?\.")
#: Letters that promise what software may rely on: local disks, network, EBS bandwidth, clock rate, more memory.
_PROMISES = frozenset("dnbze")
#: Families before these generations run on Xen: their images may lack the drivers of Nitro.
_NITRO_FROM: Mapping[str, int] = {"t": 3, "m": 5, "c": 5, "r": 5, "x": 2, "i": 3, "d": 3, "z": 1}


@dataclass(frozen=True)
class _Family:
    """The parts of a type's name."""

    kind: str
    generation: int
    letters: frozenset[str]
    flex: bool

    @classmethod
    def of(cls, instance_type: str) -> _Family | None:
        """None for a name of another form."""
        found = _NAME.match(instance_type)
        if found is None:
            return None
        return cls(found["kind"], int(found["generation"]), frozenset(found["letters"]), found["flex"] is not None)

    @property
    def nitro(self) -> bool:
        """Whether it runs on Nitro."""
        return self.generation >= _NITRO_FROM.get(self.kind, 1)

    def keeps(self, other: _Family) -> bool:
        """Whether a move there keeps what this family promises."""
        return (
            other.kind == self.kind
            and other.generation >= self.generation
            and other.letters & _PROMISES >= self.letters & _PROMISES
            and (self.flex or not other.flex)
        )


def proposals(
    things: Iterable[Running],
    bill: pl.DataFrame,
    base: Callable[[Running], Recommendation],
    *,
    terms: Terms,
    until: datetime,
) -> tuple[list[Recommendation], list[Abstained]]:
    """A cheaper family for machines that have been there for a fortnight, and why others get none.

    Args:
        things: machines that no earlier recommendation is about.
        bill: at what rate each is billed.
        base: a recommendation that carries what all about a thing share.
        terms: prices.
        until: the end of the bill.
    """
    rates = billed_rates(bill)
    items: list[Recommendation] = []
    silent: dict[str, list[Running]] = defaultdict(list)
    for one in things:
        if one.what != MACHINE or not one.still_there or not one.instance_type:
            continue
        if one.last - one.first < LEAST_HISTORY - timedelta(days=1):
            continue
        price = terms.book.price(one.instance_type, one.region)
        reason = against(one, rates.get(one.resource_id), terms) or _unpriced(one, price, until)
        if reason:
            silent[reason].append(one)
        elif price is not None:
            items += _said(one, price, terms.book.types(one.region).values(), base(one))
    return items, [_abstained(reason, mine) for reason, mine in silent.items()]


def _unpriced(thing: Running, price: Price | None, until: datetime) -> str:
    if price is None:
        place = thing.region or "an unknown region"
        return f"no price of {thing.instance_type} in {place} is known (aws-auto ml prices refresh asks for it)"
    if price.as_of - until.date() > _OTHER_TIME:
        return (
            f"the prices that are known are of {price.as_of}, more than a year after the bill: other types were there"
        )
    return ""


def _abstained(reason: str, things: Sequence[Running]) -> Abstained:
    kinds = sorted({one.instance_type or "" for one in things})
    monthly = [one.monthly for one in things if one.monthly.currency == things[0].monthly.currency]
    return Abstained(
        what=f"another family for {len(things)} machines ({', '.join(kinds[:5])})",
        reason=reason,
        collect="prices of that region: aws-auto ml prices refresh",
        monthly=Money(
            expected=sum(m.expected for m in monthly),
            low=sum(m.low for m in monthly),
            high=sum(m.high for m in monthly),
            currency=things[0].monthly.currency,
        ),
    )


def cheapest(now: Price, known: Iterable[Price], *, architecture: str) -> Price | None:
    """The cheapest type of that architecture that keeps what this one has, the newest of equals; None for none."""
    mine = _Family.of(now.instance_type)
    if mine is None or not now.vcpu or not now.memory_gib or now.gpus:
        return None
    fit = [
        (one.usd_per_hour, -theirs.generation, one.instance_type, one)
        for one in known
        if one.architecture == architecture
        and one.usd_per_hour <= now.usd_per_hour * (1.0 - LEAST_SHARE)
        and (one.vcpu or 0) >= now.vcpu
        and (one.memory_gib or 0.0) >= now.memory_gib
        and one.burstable == now.burstable
        and not one.gpus
        and "metal" not in one.instance_type
        and (theirs := _Family.of(one.instance_type)) is not None
        and mine.keeps(theirs)
    ]
    return min(fit)[3] if fit else None


def _said(thing: Running, now: Price, known: Iterable[Price], base: Recommendation) -> list[Recommendation]:
    """The move that needs no other image where there is one, with Graviton as its alternative; else Graviton."""
    known = list(known)
    same = cheapest(now, known, architecture="x86_64") if now.architecture == "x86_64" else None
    arm = cheapest(now, known, architecture="arm64")
    to = same or arm
    if to is None:
        return []
    saving = _saving(thing, now, to)
    if saving.expected < LEAST_MONEY:
        return []
    newer = [arm] if same and arm and arm.usd_per_hour < same.usd_per_hour else []
    alternatives = tuple(
        f"{one.instance_type} (Graviton, needs arm64 images) would save {_saving(thing, now, one).expected:.2f}"
        f" {saving.currency} a month in its place"
        for one in newer
    )
    less = f"{1.0 - to.usd_per_hour / now.usd_per_hour:.0%} less an hour"
    said = replace(
        base,
        what=f"make this {now.instance_type} a {to.instance_type}: {less} for {to.vcpu} vCPU and {to.memory_gib:g} GiB"
        f" (it has {now.vcpu} and {now.memory_gib:g}); prices of {to.as_of}",
        saving=saving,
        trouble_from="not measured: run the new type under its own load, and compare its CPU and latency of 7 days",
        subject=now.instance_type,
        alternatives=alternatives,
    )
    return [_graviton(said, thing, now, to) if to.architecture != now.architecture else _newer(said, thing, now, to)]


def _newer(said: Recommendation, thing: Running, now: Price, to: Price) -> Recommendation:
    """The same architecture: a stop, a change, a start."""
    old, new = _Family.of(now.instance_type), _Family.of(to.instance_type)
    nitro = old is not None and new is not None and new.nitro and not old.nitro
    risk = "a stop loses instance store data and an address that is not elastic"
    if nitro:
        risk = f"without drivers for ENA and NVMe in its image it does not start; {risk}"
    if new is not None and old is not None and "a" in new.letters - old.letters:
        risk = f"an AMD processor in place of an Intel one: single threads may be slower; {risk}"
    check = f"{commands.look(thing.resource_id, thing.region)}\n" if nitro else ""
    return replace(
        said,
        kind="family",
        effort="medium" if nitro else "low",
        risk=risk,
        command=check + commands.resize(thing.resource_id, to.instance_type, thing.region),
        rollback=commands.resize(thing.resource_id, now.instance_type, thing.region),
    )


def _graviton(said: Recommendation, thing: Running, now: Price, to: Price) -> Recommendation:
    """Another architecture: a new machine from another image."""
    command, rollback = commands.other_architecture(thing.resource_id, to.instance_type, thing.region)
    return replace(
        said,
        kind="graviton",
        effort="high",
        risk=f"images, packages and agents must be there for arm64: what is built for {now.architecture} does not run",
        command=command,
        rollback=rollback,
    )


def _saving(thing: Running, now: Price, to: Price) -> Money:
    """The share of the list price, of what is billed and no commitment pays for."""
    share = (1.0 - to.usd_per_hour / now.usd_per_hour) * free_share(thing)
    month = thing.monthly
    return Money(
        expected=month.expected * share, low=month.low * share, high=month.high * share, currency=month.currency
    )
