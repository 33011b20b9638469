"""A simulated AWS account: a newcomer's first data, and a test's known truth.

What is modelled:

- two web services (``shop``, busy at noon and in the evening; ``api``, busy in working hours), each a load balancer
  before a fleet that target-tracks its CPU with launch delay and cooldown; a database pair, containers, functions,
  nightly batch, caches; and the usual waste: machines far too large, idle ones, orphaned volumes, a development fleet
  that runs day and night but works in office hours;
- New York's days, weeks, daylight saving and public holidays; growth; the mood of each day; autocorrelated noise;
  releases on Tuesdays and Thursdays, with a level shift of the work per request each week;
- latency that bends upwards with utilisation, errors when a fleet is full, average beside maximum and 95th percentile;
- money from public us-east-1 prices: on-demand, spot that wanders, a reservation with its monthly fee, a credit;
- one incident every three days, of six kinds, felt by those who depend on its root;
- the flaws of real collection: lost points, silent hours, NaN, repeated rows.

A value depends on the seed, the resource and its own moment, never on the window that was asked for: many small
windows give the same rows as one large one.

With ``scripts=EVERY`` four more kinds take part (a bad release, throttling, a noisy neighbour, a zone that is cut off),
and the facts that show them are told: versions with their dates, hosts, throttled calls, stolen CPU.

What is not modelled: minute detail, capacity shortages, price changes, more than one
region or account. Figures from this account show that a method works, not how well it works on yours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import TIME_DTYPE
from aws_auto.ml.simulate import inventory
from aws_auto.ml.simulate.behaviour import Conduct, conduct
from aws_auto.ml.simulate.charges import charges
from aws_auto.ml.simulate.incidents import SCRIPTS
from aws_auto.ml.simulate.noise import held, uniform
from aws_auto.ml.simulate.timeline import SLOTS_PER_DAY, SLOTS_PER_HOUR, STEP, Timeline, slot_of, times
from aws_auto.ml.simulate.world import LEAD, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.simulate.incidents import Incident, Script
    from aws_auto.ml.simulate.inventory import Thing

_LOST = 0.002
_SILENT_DAYS = 0.02
_NAN = 0.0006
_REPEATED = 0.0004
#: Types that AWS runs in several zones.
_SPREAD = ("elb", "asg", "ecs", "lambda")


@dataclass(frozen=True)
class Account:
    """What a window of the simulated account holds.

    Attributes:
        metrics: a row per resource and five minutes, unsorted flaws included; columns as in `aws_auto.frame.UNITS`.
        resources: a row per resource with its static facts, as known at the start of the window.
        billing: line items of the hours that start in the window, see `aws_auto.ml.cost.bill`.
        truth: incidents that start in the window: ``resource_id, timestamp, end, kind, root_cause, incident, note``.
            One row per resource that feels it; ``root_cause`` is the resource where it starts (which has its own row),
            ``incident`` its number, equal in all rows of one incident.
    """

    metrics: pl.DataFrame
    resources: pl.DataFrame
    billing: pl.DataFrame
    truth: pl.DataFrame


def simulate(start: datetime, end: datetime, *, seed: int, scripts: tuple[Script, ...] = SCRIPTS) -> Account:
    """The account during ``start <= t < end`` (aware times).

    The seed draws everything that is not structure; the inventory is the same for every seed. ``scripts`` is what can
    go wrong.
    """
    first, last = slot_of(start), slot_of(end)
    hour_first = first // SLOTS_PER_HOUR * SLOTS_PER_HOUR
    hour_last = -(-last // SLOTS_PER_HOUR) * SLOTS_PER_HOUR
    world = World(seed, Timeline.of(hour_first - LEAD, max(hour_last - hour_first, 0) + LEAD), scripts)
    conducts = {thing: _cut(conduct(thing, world), LEAD) for thing in inventory.THINGS}
    slot = world.line.slot[LEAD:]
    inside = slice(first - hour_first, max(last - hour_first, 0))
    metrics = pl.concat([_points(seed, thing, conducts[thing], slot, inside) for thing in conducts], how="diagonal")
    billing = charges(conducts, slot).filter(pl.col("timestamp").is_between(start, end, closed="left"))
    return Account(metrics, _resources(start, world), billing, _truth(world.incidents, start, end))


def _cut(done: Conduct, lead: int) -> Conduct:
    """Without the slots that were only there so that lags had a past."""
    metrics = {name: values[lead:] for name, values in done.metrics.items()}
    parts = tuple(
        replace(
            part,
            quantity=part.quantity[lead:],
            price=part.price if isinstance(part.price, float) else part.price[lead:],
        )
        for part in done.parts
    )
    return Conduct(metrics, parts)


def _points(seed: int, thing: Thing, done: Conduct, slot: NDArray[np.int64], inside: slice) -> pl.DataFrame:
    """The rows of one resource as a collector would deliver them, flaws included."""
    slot = slot[inside]
    values = {name: np.round(column[inside], 4) for name, column in done.metrics.items()}
    values["hourly_cost"] = np.round(done.hourly_cost()[inside], 6)
    rows = pl.DataFrame({"timestamp": times(slot), **values}).with_columns(resource_id=pl.lit(thing.resource_id))
    if not len(slot):
        return rows
    lost, broken, twice = uniform(seed, f"{thing.resource_id}/flaws", 3 * int(slot[0]), 3 * len(slot)).reshape(-1, 3).T
    metric = next(iter(done.metrics))
    rows = rows.with_columns(pl.when(pl.Series(broken < _NAN)).then(float("nan")).otherwise(metric).alias(metric))
    here = (lost >= _LOST) & ~_silent(seed, thing, slot)
    repeated = rows.filter(pl.Series(here & (twice < _REPEATED)))
    return pl.concat([rows.filter(pl.Series(here)), repeated])


def _silent(seed: int, thing: Thing, slot: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Hours in which the agent of this resource sent nothing: at most one gap a day, of one to three hours."""
    day = slot // SLOTS_PER_DAY
    happens, begins, lasts = (held(seed, f"{thing.resource_id}/silence/{part}", day) for part in ("day", "from", "for"))
    since = slot % SLOTS_PER_DAY - np.floor(begins * (SLOTS_PER_DAY - 3 * SLOTS_PER_HOUR))
    return np.asarray((happens < _SILENT_DAYS) & (since >= 0) & (since < SLOTS_PER_HOUR * (1 + 2 * lasts)))


def _resources(start: datetime, world: World) -> pl.DataFrame:
    rows = [
        {
            "resource_id": thing.resource_id,
            "timestamp": start,
            "resource_type": thing.resource_type,
            "instance_type": thing.instance_type,
            "availability_zone": thing.availability_zone,
            "region": inventory.REGION,
            "purchase_option": thing.purchase_option,
            "service": thing.service,
            "account": inventory.ACCOUNT,
            **{f"tag_{key}": value for key, value in thing.tags.items()},
        }
        for thing in inventory.THINGS
    ]
    facts = pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col("timestamp").cast(TIME_DTYPE))
    if world.can("zone_failure"):
        spread = pl.col("resource_type").is_in(_SPREAD)
        facts = facts.with_columns(availability_zone=pl.when(~spread).then("availability_zone"))
    if world.can("noisy_neighbour"):
        facts = facts.with_columns(host=pl.col("resource_id").replace_strict(inventory.HOSTS, default=None))
    if world.can("bad_release"):
        facts = pl.concat([facts.with_columns(version=pl.lit("r0")), _versions(start, world)], how="diagonal")
    return facts


def _versions(start: datetime, world: World) -> pl.DataFrame:
    """A row per release, at its moment."""
    rows = [
        {"resource_id": thing.resource_id, "timestamp": _moment(slot), "version": version}
        for thing in inventory.THINGS
        if thing.resource_type in ("asg", "ecs", "lambda")
        for slot, version in world.releases(thing.resource_id, thing.service)
        if _moment(slot) > start
    ]
    return pl.DataFrame(rows, schema={"resource_id": pl.String, "timestamp": TIME_DTYPE, "version": pl.String})


def _truth(found: tuple[Incident, ...], start: datetime, end: datetime) -> pl.DataFrame:
    rows = [
        {
            "resource_id": resource_id,
            "timestamp": _moment(incident.first),
            "end": _moment(incident.end),
            "kind": incident.kind,
            "root_cause": incident.scene.root,
            "incident": incident.number,
            "note": incident.scene.note,
        }
        for incident in found
        for resource_id in (incident.scene.root, *incident.scene.reaches)
    ]
    frame = pl.DataFrame(rows, schema=_TRUTH)
    return frame.filter(pl.col("timestamp").is_between(start, end, closed="left"))


_TRUTH: Mapping[str, pl.DataType] = {
    "resource_id": pl.String(),
    "timestamp": TIME_DTYPE,
    "end": TIME_DTYPE,
    "kind": pl.String(),
    "root_cause": pl.String(),
    "incident": pl.Int64(),
    "note": pl.String(),
}


def _moment(slot: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=slot * STEP)
