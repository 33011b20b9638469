"""The causes of a simulation: who asks for how much, which releases are live, which incidents are felt where."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.simulate.incidents import SCRIPTS, Incident, Kind, Script, incidents
from aws_auto.ml.simulate.noise import held, normal, red
from aws_auto.ml.simulate.timeline import SLOTS_PER_DAY, SLOTS_PER_HOUR, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_auto.ml.simulate.noise import Floats


@dataclass(frozen=True)
class Service:
    """Requests per second at the usual peak, growth per year, size and speed of its fleet."""

    peak: float
    growth: float
    per_instance: float
    most: int
    latency_ms: float


SERVICES: Mapping[str, Service] = {
    "shop": Service(peak=260.0, growth=0.35, per_instance=38.0, most=20, latency_ms=95.0),
    "api": Service(peak=420.0, growth=0.15, per_instance=85.0, most=14, latency_ms=38.0),
}
_LEAST = 2
_TARGET = 0.55
_COOLDOWN = 12
_LAUNCH = 2
_RELEASE_DAYS = (1, 3)
_RELEASE_HOUR = 15.0


@dataclass(frozen=True)
class World:
    """The simulated hours of one seed, and what can go wrong in them."""

    seed: int
    line: Timeline
    scripts: tuple[Script, ...] = SCRIPTS
    _known: dict[tuple[str, str], Floats] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """Those that touch this time line."""
        return incidents(self.seed, self.line.first, len(self.line), self.scripts)

    def can(self, kind: Kind) -> bool:
        """Whether that kind of incident exists here, so that the facts which show it are told."""
        return any(script.kind == kind for script in self.scripts)

    def felt(self, kind: Kind, root: str) -> Floats:
        """Strength of the incidents of that kind that start at ``root``, by slot."""
        total = np.zeros(len(self.line))
        for incident in self.incidents:
            if incident.kind == kind and incident.scene.root == root:
                total += incident.shape(self.line.slot)
        return total

    def disturbed(self, neighbour: str) -> Floats:
        """Strength of the incidents in which that machine is the busy one beside the root."""
        total = np.zeros(len(self.line))
        for incident in self.incidents:
            if incident.scene.beside == neighbour:
                total += incident.shape(self.line.slot)
        return total

    def ceiling(self, root: str, service: str) -> Floats:
        """Share of the service's demand that a throttled function still serves: a level, not a share, once throttled.

        Somebody set the limit to what half of the demand of that moment needs. Infinite while there is no limit.
        """
        out = np.full(len(self.line), np.inf)
        for incident in self.incidents:
            if incident.kind == "throttling" and incident.scene.root == root:
                then = World(self.seed, Timeline.of(incident.first - LEAD, LEAD + 1), self.scripts)
                out[incident.shape(self.line.slot) > 0] = 0.6 / incident.strength * then.demand(service)[-1]
        return out

    def cut_off(self, zone: str) -> Floats:
        """0 to 1: how far what lies in that zone is unreachable."""
        root = {"a": "shop-db-1", "b": "shop-db-2"}[zone]
        return np.minimum(self.felt("zone_failure", root), 1.0)

    def wander(self, stream: str, *, phi: float = 0.9) -> Floats:
        """Autocorrelated noise of unit variance."""
        return red(self.seed, stream, self.line.first, len(self.line), phi=phi)

    def jitter(self, stream: str) -> Floats:
        """Independent noise of unit variance."""
        return normal(self.seed, stream, self.line.first, len(self.line))

    def office(self) -> Floats:
        """How busy the office is: 0 to 1, working days from eight to half past six, a dip at noon."""
        hour = self.line.hour
        present = np.clip((hour - 7.5) / 1.5, 0, 1) * np.clip((18.5 - hour) / 1.5, 0, 1)
        lunch = 0.35 * np.exp(-(((hour - 12.5) / 0.6) ** 2))
        return np.asarray(np.where(self.line.free, 0.03, 1.0) * present * (1.0 - lunch))

    def demand(self, service: str) -> Floats:
        """Requests per second. Growth, day, week, holidays, weather of the day, noise, and surges."""
        return self._once("demand", service, self._demand)

    def instances(self, service: str) -> Floats:
        """Size of the fleet: target tracking that launches after ten minutes and scales in after an hour."""
        return self._once("instances", service, self._instances)

    def utilisation(self, service: str) -> Floats:
        """Busy share of the fleet, 0 to 1."""
        return self._once("utilisation", service, self._utilisation)

    def _once(self, what: str, service: str, compute: Callable[[str], Floats]) -> Floats:
        if (what, service) not in self._known:
            self._known[what, service] = compute(service)
        return self._known[what, service]

    def _demand(self, service: str) -> Floats:
        facts = SERVICES[service]
        growth = np.clip(1.0 + facts.growth * self.line.years, 0.4, 3.0)
        today = 1.0 + 0.16 * (held(self.seed, f"{service}/day", self.line.day) - 0.5)
        noise = np.exp(0.07 * self.wander(f"{service}/demand", phi=0.95) + 0.02 * self.jitter(f"{service}/demand/fine"))
        surge = 1.0 + 2.2 * self.felt("traffic_surge", f"{service}-alb")
        return np.asarray(facts.peak * growth * self._shape(service) * today * noise * surge)

    def work(self, service: str) -> Floats:
        """Instances' worth of work: demand over what one instance serves, times the weight of the live release."""
        week = self.line.slot // (7 * SLOTS_PER_DAY)
        weight = 1.0 + 0.12 * (held(self.seed, f"{service}/release", week) - 0.5)
        return np.asarray(self.demand(service) / SERVICES[service].per_instance * weight)

    def spin(self, service: str) -> Floats:
        """Share of every instance that a bad release burns."""
        return np.minimum(0.9 * self.felt("cpu_saturation", f"{service}-web"), 0.95)

    def _instances(self, service: str) -> Floats:
        work = self.work(service) / _TARGET
        spinning = self.spin(service) > 0.3
        wanted = np.where(spinning, SERVICES[service].most, np.ceil(work))
        recent = _delayed(wanted, _LAUNCH)
        for back in range(_LAUNCH + 1, _LAUNCH + _COOLDOWN):
            recent = np.maximum(recent, _delayed(wanted, back))
        size = np.clip(recent, _LEAST, SERVICES[service].most)
        return np.maximum(np.round(size * (1.0 - self._fallen())), 1.0)

    def _fallen(self) -> Floats:
        """Share of every fleet that was lost with a zone and is not yet replaced: a half, for twenty minutes."""
        total = np.zeros(len(self.line))
        for incident in self.incidents:
            if incident.kind == "zone_failure":
                total += 0.5 * ((self.line.slot >= incident.first) & (self.line.slot < incident.first + 4))
        return total

    def releases(self, resource: str, service: str) -> list[tuple[int, str]]:
        """Slots at which another version of a resource goes live, and its name, in order; the harmless ones too.

        A fleet is released with its service, everything else on a working day out of four at some hour of it.
        """
        if resource.endswith("-web"):
            begins = np.diff(self.deploying(service), prepend=0.0) > 0
            found = [(int(s), f"r{s}") for s in self.line.slot[begins]]
        else:
            chosen, when = (held(self.seed, f"{resource}/release/{part}", self.line.day) for part in ("day", "hour"))
            at = np.floor((13.0 + 8.0 * when) * SLOTS_PER_HOUR)
            now = (chosen < 0.25) & ~self.line.free & (self.line.slot % SLOTS_PER_DAY == at)
            found = [(int(s), f"r{s}") for s in self.line.slot[now]]
        for incident in self.incidents:
            if incident.kind == "bad_release" and incident.scene.root == resource:
                before = max((r for r in found if r[0] < incident.first), default=(0, "r0"))
                found = [r for r in found if not incident.first <= r[0] <= incident.end]
                found += [(incident.first, f"r{incident.first}"), (incident.end, before[1])]
        return sorted(found)

    def _utilisation(self, service: str) -> Floats:
        noise = 1.0 + 0.03 * self.wander(f"{service}/busy", phi=0.6)
        busy = (
            self.work(service) / self.instances(service) * noise
            + self.spin(service)
            + self.deploying(service) * 0.12
            + 0.3 * self.felt("bad_release", f"{service}-web")
        )
        return np.clip(busy, 0.01, 1.0)

    def deploying(self, service: str) -> Floats:
        """1 during the half hour of a release (Tuesdays and Thursdays at three, four times out of five), else 0."""
        chosen = held(self.seed, f"{service}/deploys", self.line.day) < 0.8
        hour = self.line.hour
        now = (hour >= _RELEASE_HOUR) & (hour < _RELEASE_HOUR + 0.5)
        return np.asarray(
            (chosen & now & ~self.line.free & np.isin(self.line.weekday, _RELEASE_DAYS)).astype(np.float64)
        )

    def _shape(self, service: str) -> Floats:
        hour, free, holiday = self.line.hour, self.line.free, self.line.holiday
        if service == "shop":
            noon, evening = _bump(hour, 12.5, 3.0), _bump(hour, 20.5, 2.4)
            shape = 0.10 + np.where(free, 0.75, 0.50) * noon + np.where(free, 0.72, 0.85) * evening
            return np.asarray(shape * np.where(holiday, 1.25, 1.0))
        return np.asarray(0.18 + np.where(free, 0.22, 0.80) * _bump(hour, 14.0, 4.2))


def _bump(hour: Floats, centre: float, width: float) -> Floats:
    distance = (hour - centre + 12.0) % 24.0 - 12.0
    return np.asarray(np.exp(-((distance / width) ** 2)))


def _delayed(values: Floats, slots: int) -> Floats:
    """``values`` of ``slots`` earlier. The first ones repeat: callers start their time line early and cut it off."""
    return np.concatenate([np.repeat(values[:1], min(slots, len(values))), values[:-slots]])


#: Slots that a time line must start early, so that lags inside it see true values.
LEAD = 2 * SLOTS_PER_HOUR
