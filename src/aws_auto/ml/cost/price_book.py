"""What is known of prices: rates that were asked for, before those that ship; each with its source and its day.

A rate that is in neither is unknown and stays unknown. A rate is stale when it was last seen `MOST_AGE` or longer ago:
it is still used, and said to be stale wherever it is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from aws_auto.ml.cost import prices
from aws_auto.ml.cost.prices import Price

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

#: Of 1 370 on-demand prices in us-east-1 seven changed in four years (docs/data-sources.md): half a year is cautious.
MOST_AGE = timedelta(days=180)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One rate as a price list says it.

    Attributes:
        kind: ``on-demand`` is of an instance type by the hour (Linux, shared tenancy), ``storage`` of a usage type in
            its unit; ``savings-plan`` and ``reserved`` are what an hour of an instance type costs under them, with its
            part of what is paid at once.
        region: where it holds.
        item: instance type, or usage type without the prefix of its region.
        price: for one unit.
        unit: such as ``Hrs`` or ``GB-Mo``.
        currency: of the price.
        as_of: the day on which it was seen.
        source: where it was seen.
        plan: ``Compute``, ``EC2Instance``, ``standard`` or ``convertible``; None for what needs no commitment.
        payment: such as ``No Upfront``.
        term_days: how long it is paid for.
    """

    kind: Literal["on-demand", "storage", "savings-plan", "reserved"]
    region: str
    item: str
    price: float
    unit: str
    currency: str
    as_of: date
    source: str
    plan: str | None = None
    payment: str | None = None
    term_days: int | None = None
    vcpu: int | None = None
    memory_gib: float | None = None
    architecture: str | None = None
    generation: int | None = None
    gpus: int | None = None

    def stale(self, on: date) -> bool:
        """True when it was seen too long ago to be relied on."""
        return on - self.as_of >= MOST_AGE


@dataclass(frozen=True)
class Book:
    """All rates that are known: ``rates`` as last asked for, and the shipped table of us-east-1 behind them."""

    rates: tuple[Rate, ...] = field(default=(), repr=False)

    def price(self, instance_type: str, region: str | None) -> Price | None:
        """What that type costs there on demand, and what it is; None where it is not known."""
        return self.types(region).get(instance_type)

    def types(self, region: str | None) -> Mapping[str, Price]:
        """Every type whose price is known there."""
        known = self._by_region
        return known.get(region or "", prices.table() if region == prices.REGION else {})

    def storage(self, item: str, region: str | None, currency: str) -> Rate | None:
        """The rate of a usage type there."""
        return self._storage.get((item, region or "", currency))

    def commitments(self, region: str | None = None) -> tuple[Rate, ...]:
        """Rates under Savings Plans and reservations."""
        return tuple(
            one
            for one in self.rates
            if one.kind in {"savings-plan", "reserved"} and (region is None or one.region == region)
        )

    @cached_property
    def _by_region(self) -> Mapping[str, Mapping[str, Price]]:
        found: dict[str, dict[str, Price]] = defaultdict(dict)
        for one in self.rates:
            if one.kind == "on-demand" and one.currency == "USD":
                found[one.region][one.item] = _price(one)
        if prices.REGION in found:
            found[prices.REGION] = {**prices.table(), **found[prices.REGION]}
        return found

    @cached_property
    def _storage(self) -> Mapping[tuple[str, str, str], Rate]:
        return {(one.item, one.region, one.currency): one for one in self.rates if one.kind == "storage"}


SHIPPED = Book()


def _price(rate: Rate) -> Price:
    """With what is a fact of the type wherever it runs, where the answer did not say it."""
    known = prices.table().get(rate.item)
    return Price(
        instance_type=rate.item,
        region=rate.region,
        usd_per_hour=rate.price,
        as_of=rate.as_of,
        source=rate.source,
        vcpu=rate.vcpu or (known.vcpu if known else None),
        memory_gib=rate.memory_gib or (known.memory_gib if known else None),
        architecture=rate.architecture or (known.architecture if known else None),
        generation=rate.generation or (known.generation if known else None),
        gpus=rate.gpus if rate.gpus is not None else (known.gpus if known else None),
    )
