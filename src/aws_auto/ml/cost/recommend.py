"""What to do about a bill, in eight kinds; each thing once.

Idle things, unused commitments, schedules, smaller sizes, other families and Graviton, storage, new commitments.

The order is that of computation: what is deleted cannot be scheduled as well. Savings are of the part of a cost that no
commitment pays for: a stopped instance under a reservation saves nothing until the reservation ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.ml.cost import commands, commitments_advice, family, rightsizing_advice, schedule, storage, usage_types
from aws_auto.ml.cost.commitments_followed import RETURN_DAYS, RETURNED_AT_MOST
from aws_auto.ml.cost.commitments_used import PLAN, commitment_use, is_usage, last_moment, require
from aws_auto.ml.cost.findings import Abstained, Money, Recommendation, Recommendations, Total
from aws_auto.ml.cost.idle import CPU_MAX, idle
from aws_auto.ml.cost.price_book import MOST_AGE
from aws_auto.ml.cost.running import HOURS_A_MONTH, NEEDED, running
from aws_auto.ml.cost.schedule import LEAST_HISTORY
from aws_auto.ml.cost.terms import Terms
from aws_auto.ml.cost.waste import waste

if TYPE_CHECKING:
    from datetime import datetime

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.cost.findings import CommitmentUse, Running, Waste

_LASTS = timedelta(days=30)
_STALE = timedelta(days=7)
#: The end of a commitment is told this long before.
_SOON = timedelta(days=60)
#: Unused money under this share of a commitment is rounding and restarts.
_UNUSED = 0.02


def recommend(
    bill: pl.DataFrame, *, now: datetime, metrics: MetricFrame | None = None, terms: Terms | None = None
) -> Recommendations:
    """Recommendations from a bill alone, and better ones where metrics say what was busy.

    Args:
        bill: the rows of an `aws_auto.ml.cost.bill.Bill`.
        now: the present; nothing is said about resources from a bill that ended long before it without a note.
        metrics: utilisation by resource, ids as on the bill; ``cpu_utilization_max`` and ``memory_utilization_max``
            are what is read.
        terms: what else the caller knows and wants.

    Raises:
        SchemaError: a column of a bill is missing.
    """
    require(bill, NEEDED)
    used = bill.filter(is_usage())
    if used.is_empty():
        return _nothing("the bill holds no usage")
    first: datetime = used["timestamp"].min()  # type: ignore[assignment]
    until = last_moment(bill)
    if until - first < LEAST_HISTORY:
        days = (until - first) / timedelta(days=1)
        return _nothing(f"the bill covers {days:.1f} days; nothing is recommended from less than {LEAST_HISTORY.days}")
    if not used["resource_id"].count():
        return _nothing("the bill names no resources (Cost Explorer does not): nothing can be said of one")
    found = _Found(bill, until, metrics, terms or Terms())
    items = found.items()
    return Recommendations(
        items=items,
        abstained=tuple(found.abstained),
        totals=_totals(bill, items, until - max(first, until - _LASTS)),
        notes=(*_notes(until, now, metrics), *_ending(bill, until), *_stale_rates(used, found.terms, now)),
    )


def _nothing(reason: str) -> Recommendations:
    said = Abstained(
        what="the whole bill", reason=reason, collect="a month of a Cost and Usage Report with resource ids"
    )
    return Recommendations(items=(), abstained=(said,), totals={})


def _notes(until: datetime, now: datetime, metrics: MetricFrame | None) -> tuple[str, ...]:
    notes = []
    if now - until > _STALE:
        notes.append(f"the bill ends {(now - until).days} days ago: check that a thing is still there before you act")
    if metrics is None or CPU_MAX not in metrics.data.columns:
        notes.append(f"no {CPU_MAX}: whether a running machine is busy is not known, and nothing is called idle for it")
    return tuple(notes)


def _ending(bill: pl.DataFrame, until: datetime) -> list[str]:
    """Commitments that end soon, or have just ended, and what their usage then costs more."""
    said = {}
    for one in sorted(commitment_use(bill), key=lambda one: one.start):
        if one.ends is None or not until - _LASTS <= one.ends <= until + _SOON:
            continue
        hours = max((one.end - one.start) / timedelta(hours=1), 1.0)
        what = f"{one.count:g} x {one.instance_type}" if one.count and one.instance_type else "plan"
        verb = "ended" if one.ends < until else "ends"
        cost = ""
        if one.covers is not None and one.covers > 0:
            more = one.covers / hours * HOURS_A_MONTH
            cost = f"; without it the usage that it covers costs {more:,.2f} {one.currency} a month more"
        said[one.commitment_id] = f"the {one.kind} {what} {verb} on {one.ends:%Y-%m-%d}{cost}"
    return list(said.values())


def _stale_rates(used: pl.DataFrame, terms: Terms, now: datetime) -> list[str]:
    """A sentence for each region of machines, and for each offer, whose rates were seen too long ago."""
    machines = used.filter(pl.col("usage_type").str.contains("BoxUsage"), pl.col("instance_type").is_not_null())
    said = []
    for region, kinds in (
        machines.group_by("region_id").agg(pl.col("instance_type").unique()).sort("region_id").iter_rows()
    ):
        known = terms.book.types(region)
        oldest = min((known[kind].as_of for kind in kinds if kind in known), default=None)
        if oldest is not None and now.date() - oldest >= MOST_AGE:
            said.append(f"prices of {region} are of {oldest}, {(now.date() - oldest).days} days old: stale")
    dated = [one for one in terms.offers if one.as_of is not None and now.date() - one.as_of >= MOST_AGE]
    said += [f"the rate of {one.name} is of {one.as_of}: stale" for one in dated]
    return [f"{one} (over {MOST_AGE.days} days; aws-auto ml prices refresh)" for one in said]


@dataclass
class _Found:
    """One pass over a bill; ``abstained`` is complete when `items` returned."""

    bill: pl.DataFrame
    until: datetime
    metrics: MetricFrame | None
    terms: Terms

    def __post_init__(self) -> None:
        self.abstained: list[Abstained] = []
        self.taken: set[str] = set()
        self.things = running(self.bill, office=self.terms.office)

    def items(self) -> tuple[Recommendation, ...]:
        """In order of computation, within a kind by saving."""
        wasted = waste(self.bill, office=self.terms.office, things=self.things)
        ordered = [
            *self._taken([self._delete(one) for one in wasted if one.verdict == "idle"]),
            *self._taken(self._idle_by_metrics()),
            *self._taken(self._commitments()),
            *self._taken(self._schedules()),
            *self._taken(self._smaller()),
            *self._taken(self._families()),
            *self._taken(self._storage()),
        ]
        ordered += self._taken(self._new_commitments(ordered))
        self._unknown(wasted)
        return tuple(ordered)

    def _taken(self, proposed: list[Recommendation]) -> list[Recommendation]:
        """Dearest first; later kinds leave these resources alone. What was rejected is not said, and takes nothing."""
        proposed = [one for one in proposed if one.id not in self.terms.rejected]
        self.taken |= {resource for one in proposed for resource in one.resources}
        return sorted(
            proposed, key=lambda one: (one.saving.currency, -one.saving.expected, -one.saving.high, one.resources)
        )

    def _delete(self, one: Waste) -> Recommendation:
        command, rollback = commands.delete(one.what, one.resource_ids, one.region)
        many = f"{one.count} times {one.what}" if one.count > 1 else f"this {one.what}"
        return Recommendation(
            kind="idle",
            resources=one.resource_ids,
            account=one.account,
            region=one.region,
            service=one.what,
            what=f"delete {many}: {one.proof}",
            saving=one.monthly,
            trouble=None,
            trouble_from=one.collect,
            effort="low",
            risk="something may count on it that did not use it in these weeks",
            evidence=one.evidence,
            rollback=rollback,
            expires=self.until + _LASTS,
            command=command,
        )

    def _idle_by_metrics(self) -> list[Recommendation]:
        """Machines whose CPU maximum never rose, where it was collected."""
        if self.metrics is None or CPU_MAX not in self.metrics.data.columns:
            return []
        # `idle` asks for a cost only to price what it finds; the price here is the bill's.
        known = {one.resource_id: one for one in idle(self.metrics.data.with_columns(hourly_cost=pl.lit(1.0)))}
        found = []
        for thing in self.things:
            quiet = known.get(thing.resource_id)
            if (
                quiet is None
                or thing.resource_id in self.taken
                or not thing.still_there
                or usage_types.named(thing.what).off is None
            ):
                continue
            command, rollback = commands.stop(thing.what, thing.resource_id, thing.region)
            free = schedule.free_share(thing)
            proof = f"CPU maximum never above {quiet.highest_cpu:.1f} % in {quiet.days:.0f} days"
            found.append(
                replace(
                    self._of(thing),
                    kind="idle",
                    what=f"stop this {thing.what} ({thing.instance_type or thing.usage_type}): {proof}",
                    saving=Money(
                        expected=thing.monthly.expected * free,
                        low=thing.monthly.low * free,
                        high=thing.monthly.high * free,
                        currency=thing.monthly.currency,
                    ),
                    command=command,
                    rollback=rollback,
                    trouble_from="whether it answers seldom or waits as a spare: network and connections",
                    risk="disks go on to cost; a spare machine looks idle until it is needed",
                )
            )
        return found

    def _commitments(self) -> list[Recommendation]:
        """The last month of each commitment that is still paid for."""
        latest: dict[str, CommitmentUse] = {}
        for one in commitment_use(self.bill):
            if one.end >= self.until - timedelta(days=1) and one.end > latest.get(one.commitment_id, one).start:
                latest[one.commitment_id] = one
        return [
            self._sell(one)
            for one in latest.values()
            if one.unused and one.purchased and one.unused >= _UNUSED * one.purchased
        ]

    def _sell(self, one: CommitmentUse) -> Recommendation:
        return_by = self._return_by(one)
        command, rollback = commands.sell(one.commitment_id, one.region, return_by=return_by)
        verb = "return or use" if return_by else "use, exchange or sell"
        hours = max((one.end - one.start) / timedelta(hours=1), 1.0)
        monthly = max(one.unused_fee or 0.0, 0.0) / hours * HOURS_A_MONTH
        what = f"{one.count:g} x {one.instance_type}" if one.count and one.instance_type else "plan"
        return Recommendation(
            kind="unused commitment",
            resources=(one.commitment_id,),
            account=one.account,
            region=one.region,
            service=one.kind,
            what=f"{verb} this {one.kind} ({what}): {one.unused:,.0f} of {one.purchased:,.0f} {one.unit}"
            f" unused since {one.start:%Y-%m-%d}",
            # The fee is owed until the term ends: nothing is saved unless the rest is used or sold.
            saving=Money(expected=0.0, low=0.0, high=monthly, currency=one.currency),
            trouble=None,
            trouble_from="the end of its term, and what it could cover: aws ec2 describe-reserved-instances",
            effort="medium",
            risk="a sale brings less than was paid, and what it covered later is billed on demand",
            evidence=one.evidence,
            rollback=rollback,
            expires=self.until + _LASTS,
            command=command,
        )

    def _return_by(self, one: CommitmentUse) -> datetime | None:
        """Until when a plan can be returned that was bought in this month; None where it is too late or not known."""
        month = one.start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        hours = (one.end - one.start) / timedelta(hours=1)
        if one.kind != PLAN or one.start == month or (one.purchased or 0.0) > RETURNED_AT_MOST * hours:
            return None
        last = min(one.start + timedelta(days=RETURN_DAYS), (month + timedelta(days=32)).replace(day=1))
        return last if self.until < last else None

    def _schedules(self) -> list[Recommendation]:
        found = []
        for thing in self.things:
            if thing.resource_id in self.taken:
                continue
            said = schedule.proposal(thing, self._of(thing), metrics=self.metrics, office=self.terms.office)
            if isinstance(said, Abstained):
                self.abstained.append(said)
            elif said is not None:
                found.append(said)
        return found

    def _smaller(self) -> list[Recommendation]:
        left = [one for one in self.things if one.resource_id not in self.taken]
        found, silent = rightsizing_advice.proposals(left, self.bill, self.metrics, self._of, terms=self.terms)
        self.abstained += silent
        return found

    def _families(self) -> list[Recommendation]:
        left = [one for one in self.things if one.resource_id not in self.taken]
        found, silent = family.proposals(left, self.bill, self._of, terms=self.terms, until=self.until)
        self.abstained += silent
        return found

    def _storage(self) -> list[Recommendation]:
        found, silent = storage.proposals(self.bill, self.taken, terms=self.terms, until=self.until)
        self.abstained += silent
        return found

    def _new_commitments(self, earlier: list[Recommendation]) -> list[Recommendation]:
        """On what is left on demand when all that is done."""
        found, silent = commitments_advice.proposals(self.bill, self.terms.offers, earlier, until=self.until)
        self.abstained += silent
        return found

    def _of(self, thing: Running) -> Recommendation:
        """What every recommendation about a running thing shares."""
        return Recommendation(
            kind="idle",
            resources=(thing.resource_id,),
            account=thing.account,
            region=thing.region,
            service=thing.service,
            what="",
            saving=thing.monthly,
            trouble=None,
            trouble_from="",
            effort="low",
            risk="",
            evidence=thing.evidence,
            rollback="",
            expires=self.until + _LASTS,
            command="",
        )

    def _unknown(self, wasted: tuple[Waste, ...]) -> None:
        self.abstained += [
            Abstained(
                what=f"{one.count} x {one.what}, {one.region or 'no region'}",
                reason=one.proof,
                collect=one.collect,
                monthly=one.monthly,
            )
            for one in wasted
            if one.verdict == "unknown" and not set(one.resource_ids) <= self.taken
        ]


def _totals(bill: pl.DataFrame, items: tuple[Recommendation, ...], window: timedelta) -> dict[str, Total]:
    """Savings add up within a currency; low and high add up as if all went wrong, or right, together."""
    until = last_moment(bill)
    recent = bill.filter(is_usage(), pl.col("timestamp") >= until - window)
    cost = recent.group_by("billing_currency").agg(pl.coalesce("effective_cost", "billed_cost").sum())
    hours = window / timedelta(hours=1)
    monthly = {currency or "unknown": value / hours * HOURS_A_MONTH for currency, value in cost.iter_rows()}
    totals = {}
    for currency, value in sorted(monthly.items()):
        mine = [item.saving for item in items if item.saving.currency == currency]
        saving = Money(
            expected=sum(m.expected for m in mine),
            low=sum(m.low for m in mine),
            high=sum(m.high for m in mine),
            currency=currency,
        )
        totals[currency] = Total(saving=saving, monthly_cost=value)
    return totals
