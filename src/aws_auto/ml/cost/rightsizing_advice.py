"""Smaller sizes as recommendations on a bill: what they save of what is billed, and the commands both ways."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.frame import RESOURCE
from aws_auto.ml.cost import prices
from aws_auto.ml.cost.findings import Abstained, Money, Recommendation
from aws_auto.ml.cost.rightsizing import sizings
from aws_auto.ml.cost.running import HOURS_A_MONTH
from aws_auto.ml.cost.schedule import free_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.cost.findings import Running, Sizing

MACHINE = "EC2 instance"
#: Of the forest; the same bill and metrics give the same advice.
_SEED = 0
#: A billed rate that differs more than this from the list price is of another system, tenancy or contract.
_SAME_RATE = 0.05


def proposals(
    things: Iterable[Running],
    bill: pl.DataFrame,
    metrics: MetricFrame | None,
    base: Callable[[Running], Recommendation],
) -> tuple[list[Recommendation], list[Abstained]]:
    """Smaller sizes for machines that run and have metrics, and why others get none.

    Args:
        things: machines that no earlier recommendation is about.
        bill: where it is seen whether one changed its type; metrics from before would mislead.
        metrics: ids as on the bill; without any nothing is said.
        base: a recommendation that carries what all about a thing share.
    """
    if metrics is None:
        return [], []
    measured = set(metrics.data[RESOURCE].unique())
    known = [one for one in things if one.what == MACHINE and one.still_there and one.instance_type]
    known = [one for one in known if one.resource_id in measured]
    if not known:
        return [], []
    changed = _changed(bill)
    reasons = {one.resource_id: _against(one, changed) for one in known}
    abstained = [_abstain(one, reasons[one.resource_id]) for one in known if reasons[one.resource_id]]
    items = []
    for region in sorted({one.region or "" for one in known}):
        here = {one.resource_id: one for one in known if (one.region or "") == region and not reasons[one.resource_id]}
        types = {name: one.instance_type or "" for name, one in here.items()}
        found = sizings(metrics.data, types, region=region or None, seed=_SEED)
        abstained += found.abstained
        items += [_said(one, here[one.resource_id], base(here[one.resource_id])) for one in found.items]
    return items, abstained


def _changed(bill: pl.DataFrame) -> set[str]:
    types = bill.group_by("resource_id").agg(pl.col("instance_type").drop_nulls().n_unique().alias("types"))
    return set(types.filter(pl.col("types") > 1)["resource_id"].drop_nulls())


def _against(thing: Running, changed: set[str]) -> str:
    if thing.managed_by:
        return f"{thing.managed_by} decides its type: change it there"
    if thing.resource_id in changed:
        return "it changed its type in these weeks: metrics from before do not tell of the present one"
    if free_share(thing) < 1.0 - _SAME_RATE:
        return "a commitment pays for part of it: a smaller size saves nothing until that ends"
    price = prices.lookup(thing.instance_type or "", thing.region)
    rate = thing.billed / thing.hours if thing.hours else 0.0
    if price is not None and abs(rate / price.usd_per_hour - 1.0) > _SAME_RATE:
        return (
            f"it is billed at {rate:.4f} an hour and the list says {price.usd_per_hour:.4f} USD (Linux): another"
            " system, tenancy, contract or year, for which the price of a smaller size is not known"
        )
    return ""


def _abstain(thing: Running, reason: str) -> Abstained:
    what = f"{thing.resource_id} ({thing.instance_type})"
    return Abstained(what=what, reason=reason, collect="nothing; decide by hand", monthly=thing.monthly)


def _said(one: Sizing, thing: Running, base: Recommendation) -> Recommendation:
    expected = one.saving * HOURS_A_MONTH * thing.share
    month = thing.monthly
    spread = (month.low / month.expected, month.high / month.expected) if month.expected > 0 else (1.0, 1.0)
    most = one.saving * HOURS_A_MONTH
    return replace(
        base,
        kind="rightsize",
        what=f"make this {one.now} a {one.to}: {one.saving_share:.0%} less an hour; {one.memory}",
        saving=Money(
            expected=expected,
            low=expected * spread[0],
            high=max(min(expected * spread[1], most), expected),
            currency=month.currency,
        ),
        trouble=one.trouble,
        trouble_from=f"{one.trouble_from}; trouble is CPU above the new size in more than 0.5 % of the next 14 days",
        effort="medium",
        risk="it is slow at its peaks; a stop loses instance store data and an address that is not elastic",
        evidence=one.evidence,
        command=_resize(one.resource_id, one.to, thing.region),
        rollback=_resize(one.resource_id, one.now, thing.region),
    )


def _resize(resource: str, kind: str, region: str | None) -> str:
    found = re.search(r"(i-[0-9a-f]+)$", resource)
    if found is None or region is None:
        return f"console, EC2: stop {resource}; Actions > Instance settings > Change instance type: {kind}; start it"
    name, place = found.group(1), f"--region {shlex.quote(region)}"
    return "\n".join(
        (
            f"aws ec2 stop-instances {place} --instance-ids {name}",
            f"aws ec2 wait instance-stopped {place} --instance-ids {name}",
            f"aws ec2 modify-instance-attribute {place} --instance-id {name} --instance-type Value={kind}",
            f"aws ec2 start-instances {place} --instance-ids {name}",
        )
    )
