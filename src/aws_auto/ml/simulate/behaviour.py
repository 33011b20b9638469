"""How each role turns load into metrics and money. One function per role, all pure in the `World`.

Metrics are means over five minutes, in the units of `aws_auto.frame.UNITS` (bytes and counts are sums of the slot).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.simulate import inventory as prices
from aws_auto.ml.simulate.noise import held
from aws_auto.ml.simulate.timeline import SLOTS_PER_DAY, SLOTS_PER_HOUR, STEP
from aws_auto.ml.simulate.world import SERVICES, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_auto.ml.simulate.inventory import Role, Thing
    from aws_auto.ml.simulate.noise import Floats


@dataclass(frozen=True)
class Part:
    """One priced part of a resource: units per hour, and USD per unit as listed and as charged."""

    usage_type: str
    unit: str
    quantity: Floats
    list_price: float
    price: Floats | float


@dataclass(frozen=True)
class Conduct:
    """What one resource did: metrics by name, and the parts of its cost."""

    metrics: Mapping[str, Floats]
    parts: tuple[Part, ...]

    def hourly_cost(self) -> Floats:
        """USD per hour, as charged."""
        return np.asarray(np.sum([part.quantity * part.price for part in self.parts], axis=0))


def conduct(thing: Thing, world: World) -> Conduct:
    """Metrics and cost of that resource over the time line of the world."""
    done = _ROLES[thing.role](thing, world)
    zonal = thing.resource_type in ("ec2", "rds", "service")
    return _unreachable(done, world.cut_off(thing.zone)) if zonal and world.can("zone_failure") else done


#: What is left of a metric in a zone that is cut off: nobody calls, nothing is fetched, the system idles.
_LEFT = {"network": 0.03, "cpu_utilization": 0.2, "storage_io": 0.05, "request_count": 0.03}


def _unreachable(done: Conduct, cut: Floats) -> Conduct:
    metrics = {}
    for name, values in done.metrics.items():
        left = next((left for stem, left in _LEFT.items() if name.startswith(stem)), 1.0)
        metrics[name] = values * (1.0 - (1.0 - left) * cut)
    return Conduct(metrics, done.parts)


def _balancer(thing: Thing, world: World) -> Conduct:
    service, facts = thing.service, SERVICES[thing.service]
    demand, busy = world.demand(service), world.utilisation(service)
    waits, failures = _troubles(thing, world)
    noise = np.exp(0.05 * world.wander(f"{thing.resource_id}/latency", phi=0.5))
    latency = facts.latency_ms * _queue(busy) * (1.0 + waits) * noise
    requests = demand * STEP
    errors = np.clip(0.06 + 0.02 * world.wander(f"{thing.resource_id}/errors") + _overload(busy) + failures, 0.0, 100.0)
    size = 2.6e4 * np.exp(0.05 * world.wander(f"{thing.resource_id}/bytes"))
    metrics = {
        "request_count": np.round(requests),
        "error_rate": errors,
        "error_count": np.round(requests * errors / 100.0),
        "latency": latency,
        "latency_p95": latency * (2.1 + 0.6 * busy),
        "active_users": np.round(demand * (9.0 if service == "shop" else 0.5)),
        **_network(requests * 900.0, requests * size),
    }
    parts = (
        _flat("LoadBalancerUsage", "Hrs", world, prices.ALB_HOUR),
        Part("LCUUsage", "LCU-Hrs", demand / 25.0, prices.LCU_HOUR, prices.LCU_HOUR),
    )
    return Conduct(metrics, parts)


def _fleet(thing: Thing, world: World) -> Conduct:
    service = thing.service
    requests = world.demand(service) * STEP
    count, busy = world.instances(service), world.utilisation(service)
    waiting = world.felt("dependency_failure", "shop-db-1") if service == "shop" else 0.0
    metrics = {
        **_cpu(thing, world, 100.0 * busy),
        "memory_utilization": np.clip(38.0 + 24.0 * busy + 1.2 * _slow(thing, world) + 14.0 * waiting, 1.0, 99.0),
        **_network(requests * 1.1e3, requests * 2.4e4),
        "request_count": np.round(requests),
        "instance_count": count,
    }
    return Conduct(metrics, (_instances(thing, world, count),))


def _database(thing: Thing, world: World) -> Conduct:
    share = thing.load * world.demand("shop") / SERVICES["shop"].peak
    locks = world.felt("dependency_failure", thing.resource_id)
    gone = world.cut_off(thing.zone)
    cpu = np.clip(9.0 + 46.0 * share + 1.5 * world.wander(f"{thing.resource_id}/cpu") + 22.0 * locks, 1.0, 100.0)
    reads = 4.0e7 * share * np.exp(0.1 * world.wander(f"{thing.resource_id}/io", phi=0.7))
    metrics = {
        **_cpu(thing, world, cpu),
        "memory_utilization": np.clip(71.0 + 4.0 * share + 0.8 * _slow(thing, world), 1.0, 99.0),
        "storage_io": reads * STEP / 60.0,
        "disk_utilization": np.clip(48.0 + 9.0 * world.line.years + 0.2 * _slow(thing, world), 5.0, 95.0),
        "latency": 2.4
        * _queue(cpu / 100.0)
        * (1.0 + 14.0 * locks + 8.0 * gone)
        * np.exp(0.06 * world.jitter(f"{thing.resource_id}/ms")),
        **_network(reads * 0.4, reads * 2.2),
    }
    return Conduct(metrics, (_instances(thing, world, np.ones(len(world.line))),))


def _container(thing: Thing, world: World) -> Conduct:
    demand = thing.load * world.demand(thing.service)
    leak = world.felt("memory_leak", thing.resource_id)
    broken = world.felt("dependency_failure", thing.resource_id)
    released = world.felt("bad_release", thing.resource_id)
    waiting = _upstream(thing, world)
    tasks = np.clip(np.ceil(demand / 7.0), 2.0, 12.0)
    heat = 100.0 * demand / (tasks * 11.0) * (1.0 + 0.3 * released)
    cpu = np.clip(heat + 1.5 * world.wander(f"{thing.resource_id}/cpu"), 1.0, 100.0)
    memory = np.clip(44.0 + 0.08 * cpu + 0.8 * _slow(thing, world) + 46.0 * leak, 1.0, 99.5)
    slower = 1.0 + 18.0 * broken + 9.0 * waiting + 2.0 * _swapping(memory) + 4.0 * released
    latency = 120.0 * _queue(cpu / 100.0) * slower
    failing = 55.0 * broken + 30.0 * waiting + 18.0 * released
    errors = 0.10 + 0.03 * world.wander(f"{thing.resource_id}/errors") + failing
    requests = demand * STEP
    metrics = {
        **_cpu(thing, world, cpu),
        "memory_utilization": memory,
        "request_count": np.round(requests),
        "latency": latency * np.exp(0.05 * world.jitter(f"{thing.resource_id}/ms")),
        "error_rate": np.clip(errors, 0.0, 100.0),
        "error_count": np.round(requests * np.clip(errors, 0.0, 100.0) / 100.0),
        "instance_count": tasks,
        **_network(requests * 2.0e3, requests * 3.0e3),
    }
    vcpu = Part("Fargate-vCPU-Hours:perCPU", "hours", tasks, prices.FARGATE_VCPU_HOUR, prices.FARGATE_VCPU_HOUR)
    memory_part = Part("Fargate-GB-Hours", "hours", 2.0 * tasks, prices.FARGATE_GB_HOUR, prices.FARGATE_GB_HOUR)
    return Conduct(metrics, (vcpu, memory_part))


def _function(thing: Thing, world: World) -> Conduct:
    nightly = thing.service not in SERVICES
    demand = 3.0 * _night(world) if nightly else thing.load * world.demand(thing.service)
    runaway = world.felt("cost_spike", thing.resource_id)
    released = world.felt("bad_release", thing.resource_id)
    asked = demand * STEP * (1.0 + 110.0 * runaway)
    calls = asked * _served(thing, world)
    duration = 180.0 * np.exp(0.08 * world.wander(f"{thing.resource_id}/ms", phi=0.5)) * (1.0 + 3.0 * released)
    failing = 1.5 * runaway + 28.0 * released
    errors = np.clip(0.15 + 0.05 * world.wander(f"{thing.resource_id}/errors") + failing, 0.0, 100.0)
    throttles = {"throttle_count": np.round(asked - calls)} if world.can("throttling") else {}
    metrics = {
        **throttles,
        "request_count": np.round(calls),
        "latency": duration,
        "latency_p95": duration * 1.9,
        "error_rate": errors,
        "error_count": np.round(calls * errors / 100.0),
    }
    hourly = calls * 3600.0 / STEP
    compute = hourly * duration / 1000.0 * 0.5
    parts = (
        Part("Request", "Requests", hourly, prices.LAMBDA_REQUEST, prices.LAMBDA_REQUEST),
        Part("Lambda-GB-Second", "Second", compute, prices.LAMBDA_GB_SECOND, prices.LAMBDA_GB_SECOND),
    )
    return Conduct(metrics, parts)


def _batch(thing: Thing, world: World) -> Conduct:
    running = _night(world)
    return _host(thing, world, cpu=2.0 + thing.load * running, memory=14.0 + 58.0 * running, traffic=3.0e7 * running)


def _cache(thing: Thing, world: World) -> Conduct:
    share = world.demand("shop") / SERVICES["shop"].peak
    leak = world.felt("memory_leak", thing.resource_id)
    memory = 64.0 + 3.0 * share + 33.0 * leak
    host = _host(thing, world, cpu=thing.load * (0.25 + 0.75 * share), memory=memory, traffic=2.0e7 * share)
    return _with_steal(thing, world, host)


def _oversized(thing: Thing, world: World) -> Conduct:
    busy = 0.3 + 0.7 * world.office()
    return _host(thing, world, cpu=thing.load * busy, memory=11.0 + thing.load * busy, traffic=4.0e6 * busy)


def _idle(thing: Thing, world: World) -> Conduct:
    still = np.ones(len(world.line))
    return _host(thing, world, cpu=thing.load * still, memory=7.0 * still, traffic=6.0e3 * still, unrest=0.15)


def _dev(thing: Thing, world: World) -> Conduct:
    busy = world.office()
    return _host(thing, world, cpu=1.2 + thing.load * busy, memory=18.0 + 30.0 * busy, traffic=2.5e6 * busy)


def _logs(thing: Thing, world: World) -> Conduct:
    share = world.demand("api") / SERVICES["api"].peak
    flood = world.felt("disk_filling", thing.resource_id)
    rebuild = world.disturbed(thing.resource_id)
    week = (world.line.slot % (7 * SLOTS_PER_DAY)) / (7.0 * SLOTS_PER_DAY)
    disk = np.clip(41.0 + 17.0 * week + 0.3 * world.jitter(f"{thing.resource_id}/disk") + 48.0 * flood, 1.0, 99.8)
    host = _host(
        thing,
        world,
        cpu=thing.load * (0.3 + 0.7 * share) + 9.0 * (flood > 0) + 55.0 * rebuild,
        memory=46.0 + 6.0 * share,
        traffic=1.2e7 * share,
    )
    written = 9.0e6 * STEP * (share + 2.5 * (flood > 0) + 4.0 * rebuild) / 60.0
    full = Conduct({**host.metrics, "disk_utilization": disk, "storage_io": written}, host.parts)
    return _with_steal(thing, world, full)


def _nat(thing: Thing, world: World) -> Conduct:
    copied = world.felt("cost_spike", thing.resource_id)
    noise = np.exp(0.1 * world.wander(f"{thing.resource_id}/bytes", phi=0.8))
    bytes_out = 2.5e4 * world.demand("shop") * STEP * noise + 5.5e8 * STEP / 10.0 * copied
    gigabytes = bytes_out * 3600.0 / STEP / 1e9
    parts = (
        _flat("NatGateway-Hours", "Hrs", world, prices.NAT_HOUR),
        Part("NatGateway-Bytes", "GB", gigabytes, prices.NAT_GB, prices.NAT_GB),
    )
    return Conduct(_network(bytes_out * 0.3, bytes_out), parts)


_ROLES: Mapping[Role, Callable[[Thing, World], Conduct]] = {
    "balancer": _balancer,
    "fleet": _fleet,
    "database": _database,
    "container": _container,
    "function": _function,
    "batch": _batch,
    "cache": _cache,
    "oversized": _oversized,
    "idle": _idle,
    "dev": _dev,
    "logs": _logs,
    "nat": _nat,
}


def _host(thing: Thing, world: World, *, cpu: Floats, memory: Floats, traffic: Floats, unrest: float = 1.0) -> Conduct:
    """A single machine: ``traffic`` in bytes a minute."""
    noisy = cpu * np.exp(0.12 * world.wander(f"{thing.resource_id}/cpu", phi=0.8)) + 0.2 * unrest
    moved = traffic * STEP / 60.0 * np.exp(0.2 * world.wander(f"{thing.resource_id}/bytes", phi=0.7))
    metrics = {
        **_cpu(thing, world, np.clip(noisy, 0.05, 100.0)),
        "memory_utilization": np.clip(memory + unrest * _slow(thing, world), 0.5, 99.5),
        "storage_io": 0.4 * moved,
        **_network(0.45 * moved, 0.55 * moved),
    }
    return Conduct(metrics, (_instances(thing, world, np.ones(len(world.line))),))


def _troubles(thing: Thing, world: World) -> tuple[Floats, Floats]:
    """How much longer requests take (as a multiple), and which per cent of them fail, for reasons behind a balancer."""
    releases = world.deploying(thing.service)
    waits, failures = 0.25 * releases, 0.4 * releases
    if thing.service == "shop":
        payments = world.felt("dependency_failure", "payments")
        database = world.felt("dependency_failure", "shop-db-1")
        leaks = sum(_swapping(64.0 + 33.0 * world.felt("memory_leak", root)) for root in ("checkout", "search-1"))
        waits = waits + 1.2 * payments + 4.0 * database + 0.8 * leaks
        failures = failures + 6.0 * payments + 9.0 * database
    if world.can("zone_failure"):
        cut = world.cut_off("a") + world.cut_off("b")
        waits, failures = waits + 1.5 * cut, failures + 20.0 * cut
    return waits + _slower(thing, world), failures + _refused(thing, world)


def _slower(thing: Thing, world: World) -> Floats:
    """What bad releases and stolen CPU behind a balancer add to its latency, as a multiple."""
    if thing.service == "shop":
        stolen = sum(world.felt("noisy_neighbour", root) for root in ("search-1", "search-2"))
        return np.asarray(0.5 * world.felt("bad_release", "checkout") + 0.6 * stolen)
    return np.asarray(0.15 * world.felt("bad_release", "webhooks") + 1.5 * world.felt("bad_release", "api-web"))


def _refused(thing: Thing, world: World) -> Floats:
    """Per cent of a balancer's requests that fail in a function or a release behind it."""
    if thing.service == "shop":
        unserved = 10.0 * (1.0 - _served_of("thumbnails", "shop", world))
        return np.asarray(unserved + 1.5 * world.felt("bad_release", "checkout"))
    unserved = 4.0 * (1.0 - _served_of("webhooks", "api", world))
    return np.asarray(
        unserved + 1.2 * world.felt("bad_release", "webhooks") + 5.0 * world.felt("bad_release", "api-web")
    )


def _served(thing: Thing, world: World) -> Floats:
    return _served_of(thing.resource_id, thing.service, world)


def _served_of(resource: str, service: str, world: World) -> Floats:
    """Share of the calls that a function takes; the rest is throttled."""
    if not world.can("throttling") or service not in SERVICES:
        return np.ones(len(world.line))
    ceiling = world.ceiling(resource, service) * (1.0 + 0.004 * world.jitter(f"{resource}/ceiling"))
    return np.minimum(1.0, ceiling / world.demand(service))


def _with_steal(thing: Thing, world: World, done: Conduct) -> Conduct:
    """With the per cent of CPU that the host gave to somebody else, where the host is shared."""
    if not world.can("noisy_neighbour") or thing.resource_id not in prices.HOSTS:
        return done
    stolen = world.felt("noisy_neighbour", thing.resource_id)
    usual = 0.3 * np.exp(0.5 * world.wander(f"{thing.resource_id}/steal", phi=0.5))
    return Conduct({**done.metrics, "cpu_steal": np.clip(usual + 24.0 * stolen, 0.0, 100.0)}, done.parts)


def _upstream(thing: Thing, world: World) -> Floats:
    """What a container feels of those it calls."""
    if thing.resource_id != "checkout":
        return np.zeros(len(world.line))
    gone = 0.5 * world.cut_off("a") if world.can("zone_failure") else 0.0
    return world.felt("dependency_failure", "payments") + world.felt("dependency_failure", "shop-db-1") + gone


def _cpu(thing: Thing, world: World, mean: Floats) -> dict[str, Floats]:
    """Mean, 95th percentile and maximum of the minutes in a slot: spread grows with load and is never negative."""
    spread = (0.6 + 0.10 * mean) * (1.0 + np.abs(world.jitter(f"{thing.resource_id}/cpu/spread")))
    return {
        "cpu_utilization": mean,
        "cpu_utilization_p95": np.minimum(mean + 0.8 * spread, 100.0),
        "cpu_utilization_max": np.minimum(mean + 1.3 * spread, 100.0),
    }


def _network(received: Floats, sent: Floats) -> dict[str, Floats]:
    return {"network_in": received, "network_out": sent, "network_io": received + sent}


def _instances(thing: Thing, world: World, count: Floats) -> Part:
    listed = thing.price
    if thing.purchase_option == "spot":
        share = 0.36 + 0.04 * world.wander(f"{thing.instance_type}/spot", phi=0.98)
        return Part(f"SpotUsage:{thing.instance_type}", "Hrs", count, listed, listed * np.clip(share, 0.2, 0.9))
    kind = "InstanceUsage" if thing.role == "database" else "BoxUsage"
    charged = listed * (prices.RESERVED_SHARE if thing.purchase_option == "reserved" else 1.0)
    return Part(f"{kind}:{thing.instance_type}", "Hrs", count, listed, charged)


def _flat(usage_type: str, unit: str, world: World, price: float) -> Part:
    return Part(usage_type, unit, np.ones(len(world.line)), price, price)


def _queue(busy: Floats) -> Floats:
    """Growth of response time with load: flat, then steep, as in a queue with one server; at most fifteenfold."""
    return np.minimum(1.0 + 0.35 * busy**3 / np.maximum(1.02 - busy, 0.024), 15.0)


def _overload(busy: Floats) -> Floats:
    """Per cent of requests that fail because every instance is full."""
    return np.asarray(90.0 * np.maximum(busy - 0.9, 0.0))


def _swapping(memory: Floats) -> Floats:
    """0 below 85 per cent of memory, 1 at 97."""
    return np.clip((memory - 85.0) / 12.0, 0.0, 1.5)


def _slow(thing: Thing, world: World) -> Floats:
    return world.wander(f"{thing.resource_id}/memory", phi=0.97)


def _night(world: World) -> Floats:
    """1 while the nightly jobs run (05:00 to 08:00 UTC, longer on some days), else 0."""
    late = held(world.seed, "batch/late", world.line.day)
    hour = (world.line.slot % SLOTS_PER_DAY) / SLOTS_PER_HOUR
    return np.asarray(((hour >= 5.0) & (hour < 8.0 + 1.5 * late)).astype(np.float64))
