"""From evidence to ranked causes: what a resource's callees do not explain, and what can explain the symptom.

Trouble (latency, errors) runs from callee to caller, demand from caller to callee. So a cause is either something that
went wrong below the symptom and is not explained by what is further below, or a demand that rose at or above it.
Cf. the "self time" of call graph profilers (Graham, Kessler and McKusick 1982), and own excess in place of self time.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.root_cause.results import Factor
from aws_auto.ml.anomaly.root_cause.words import DEPTH, family, stem, thing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.ml.anomaly.root_cause.results import Evidence, Incident
    from aws_auto.ml.anomaly.root_cause.topology import Topology

_MOST_FACTORS = 12
#: A callee with half of the caller's change explains it fully: the other half is waiting, retries, several calls.
_ENOUGH = 2.0
#: What remains of a cause that cannot be reached from the symptom, by what the graph rests on.
_UNREACHED = {"given": 0.05, "relations": 0.25, "learned": 0.3}
#: Errors beside a latency symptom of the same resource are another face of it, and money beside it follows from it.
_CO_SYMPTOM = 0.2
#: A callee that is asked more shows what its caller does; it may still be what breaks.
_ASKED = 0.2
#: Money follows what is used.
_ONLY_AN_EFFECT = 0.3
#: Trouble of one kind in a callee (slow) may be felt as another (errors) by its caller, less surely.
_OTHER_KIND = 0.85
#: A latency symptom is explained by errors, or errors by latency, less surely than by the same kind.
_OTHER_TROUBLE = 0.6
#: What a fall is worth as a cause.
_FALLS = {"symptom": 0.1, "demand": 0.2, "work": 0.5}
_LEAST = 1e-4
#: A change within so many usual ones is none, unless it moves with the symptom like this.
_UNUSUAL, _AS_ONE = 2.0, 0.8
_SHARPNESS = 2.0


@dataclass(frozen=True)
class Ranking:
    """The scene of one analysis: the incident, all evidence by resource, the graph."""

    incident: Incident
    found: Mapping[str, Sequence[Evidence]]
    graph: Topology
    symptom: Evidence | None

    @classmethod
    def of(cls, incident: Incident, found: Sequence[Evidence], graph: Topology) -> Ranking:
        """Group the evidence."""
        by_resource: dict[str, list[Evidence]] = defaultdict(list)
        for e in found:
            by_resource[e.resource].append(e)
        own = (e for e in by_resource.get(incident.resource, ()) if e.metric == incident.metric)
        return cls(incident, by_resource, graph, next(own, None))

    def factors(self) -> tuple[Factor, ...]:
        """Best first; weights sum to one over those kept."""
        unusual = (e for rows in self.found.values() for e in rows if not self.is_symptom(e) and self._unusual(e))
        scored = [(self._score(e), e) for e in unusual]
        order = sorted(((s, e) for s, e in scored if s > _LEAST), key=lambda p: (-p[0], p[1].resource, p[1].metric))
        best: dict[tuple[str, str], tuple[float, Evidence]] = {}
        for s, e in order:
            best.setdefault((e.resource, thing(e.metric)), (s, e))
        kept = list(best.values())[:_MOST_FACTORS]
        sharp = np.array([s for s, _ in kept]) ** _SHARPNESS
        weights = sharp / sharp.sum() if len(kept) else sharp
        return tuple(
            Factor(
                resource=e.resource,
                metric=e.metric,
                weight=float(w),
                direction=e.direction,
                own_share=self.own_share(e),
                evidence=e,
                why=self._why(e),
            )
            for w, (_, e) in zip(weights, kept, strict=True)
        )

    def score(self, resource: str) -> float:
        """Best score of a resource's metrics."""
        return max((self._score(e) for e in self.found.get(resource, ()) if not self.is_symptom(e)), default=0.0)

    def loudest(self, e: Evidence) -> tuple[float, str, str]:
        """Sort key of evidence: strongest first, the named resource by share when no single metric was named."""
        whole = self.incident.metric is None and e.resource == self.incident.resource
        return -(e.share if whole else e.strength), e.resource, e.metric

    def own_share(self, e: Evidence) -> float:
        """Share of the change, 0 to 1, that neither its callees, nor its twin, nor its demand explain."""
        return float(np.prod([1.0 - x for x in (self._below(e), self._twin(e), self._inside(e), self._above(e))]))

    def is_symptom(self, e: Evidence) -> bool:
        """Whether it is the symptom itself, another statistic of it, or another count of the same thing."""
        metric = self.incident.metric
        return e.resource == self.incident.resource and metric is not None and thing(e.metric) == thing(metric)

    def _unusual(self, e: Evidence) -> bool:
        """Whether there is anything to explain with: it left its usual range, or moves as one with the symptom."""
        whole = self.incident.metric is None and e.resource == self.incident.resource
        moved = max(abs(e.z_past), abs(e.z_local)) >= _UNUSUAL or abs(e.correlation or 0.0) >= _AS_ONE
        return whole or moved

    def _score(self, e: Evidence) -> float:
        if self.incident.metric is None and e.resource == self.incident.resource:
            return e.share
        return (
            e.strength
            * self._agreement(e)
            * self._reach(e)
            * self._size(e)
            * self._order(e)
            * self._sense(e)
            * self._undiluted(e)
            * self.own_share(e)
        )

    def _agreement(self, e: Evidence) -> float:
        return 0.4 + 0.6 * abs(e.correlation or 0.0)

    def _reach(self, e: Evidence) -> float:
        """How surely a change here can be felt at the symptom."""
        here, kind = self.incident.resource, family(e.metric)
        if e.resource == here:
            asked = family(self.incident.metric or "")
            return _CO_SYMPTOM if DEPTH[kind] > DEPTH[asked] or kind == asked == "symptom" else 1.0
        below, above = self.graph.below(here).get(e.resource, 0.0), self.graph.above(here).get(e.resource, 0.0)
        if kind == "demand":
            found = max(above, below if self.graph.basis == "learned" else _ASKED * below)
        else:
            found = max(above, below) if kind == "money" else below
        effect = kind == "money" and family(self.incident.metric or "") != "money"
        return max(found, _UNREACHED[self.graph.basis]) * (_ONLY_AN_EFFECT if effect else 1.0)

    def _size(self, e: Evidence) -> float:
        """Whether the change is large enough to explain the symptom.

        Only statistics of the same metric can be compared: a percentile must not claim what its average denies.
        """
        s = self.symptom
        if s is None or family(e.metric) != "symptom" or family(s.metric) != "symptom":
            return 1.0
        if stem(e.metric) != stem(s.metric):
            return _OTHER_TROUBLE
        trust = 0.5 if self.graph.basis == "given" else _OTHER_KIND
        rows = (o for o in self.found[e.resource] if o.metric in (e.metric, s.metric))
        return min(_sized(o, s, trust) if o.change * s.change > 0 else 0.05 for o in rows)

    def _sense(self, e: Evidence) -> float:
        """Getting faster, or being asked less, breaks nothing; it may follow from what broke."""
        if e.change >= 0 or family(e.metric) == family(self.incident.metric or ""):
            return 1.0
        return _FALLS.get(family(e.metric), 1.0)

    def _undiluted(self, e: Evidence) -> float:
        """Without a graph: trouble thins out on its way up, so the one that it hit hardest is nearest to its source."""
        if self.graph.basis != "learned" or family(e.metric) != "symptom":
            return 1.0
        rows = (o for found in self.found.values() for o in found if o.metric == e.metric and o.change * e.change > 0)
        worst = max((_thickness(o) for o in rows if o.strength >= 0.5 * e.strength), default=0.0)
        return 0.3 + 0.7 * _thickness(e) / worst if worst > 0 else 1.0

    def _order(self, e: Evidence) -> float:
        """A cause does not begin after its effect."""
        s = self.symptom
        if s is None or s.onset is None:
            return 1.0
        if e.onset is None:
            return 0.8
        late = (e.onset - s.onset).total_seconds()
        length = max((self.incident.end - self.incident.start).total_seconds(), 1.0)
        return float(np.exp(-max(late, 0.0) / max(length / 2, 600.0)))

    def _below(self, e: Evidence) -> float:
        """Explained by the worst callee."""
        if family(e.metric) not in ("symptom", "other"):
            return 0.0
        callees = self.graph.callees.get(e.resource, {})
        return max((w * self._explains(c, e) for c, w in callees.items() if c != e.resource), default=0.0)

    def _explains(self, callee: str, e: Evidence) -> float:
        best = 0.0
        for c in self.found.get(callee, ()):
            if family(c.metric) not in ("symptom", "other", "work"):
                continue
            if c.metric == e.metric:
                size = _sized(c, e, _OTHER_KIND) if c.change * e.change > 0 else 0.0
            else:
                size = _OTHER_KIND
            best = max(best, size * min(1.0, c.strength / max(e.strength, 1e-9)) * abs(c.correlation or 0.5))
        return best

    def _twin(self, e: Evidence) -> float:
        """Explained by what it is a view of.

        A node without callees of its own, beside an instrumented one (with callees) under the same caller, that moves
        as one with it and at least as far, is the client's view of the same call. Not so when the instrumented one
        calls it: then it is a true dependency of both.
        """
        if family(e.metric) != "symptom" or self.graph.callees.get(e.resource):
            return 0.0
        best = 0.0
        for caller in self.graph.callers.get(e.resource, {}):
            for sibling in self.graph.callees.get(caller, {}):
                callees = self.graph.callees.get(sibling, {})
                if sibling == e.resource or not callees or e.resource in self.graph.below(sibling):
                    continue
                best = max(best, self._mirrors(sibling, e))
        return best

    def _mirrors(self, sibling: str, e: Evidence) -> float:
        for s in self.found.get(sibling, ()):
            if s.metric == e.metric and s.change * e.change > 0 and abs(s.change) <= 1.5 * abs(e.change):
                agreement = min(abs(s.correlation or 0.0), abs(e.correlation or 0.0))
                return 0.9 * agreement * min(1.0, s.strength / max(e.strength, 1e-9))
        return 0.0

    def _inside(self, e: Evidence) -> float:
        """Explained by demand, or by work, on the same resource that changed as strongly."""
        mine = DEPTH[family(e.metric)]
        best = 0.0
        for o in self.found.get(e.resource, ()):
            if DEPTH[family(o.metric)] >= mine or self.is_symptom(o) or abs(o.relative) < 0.2:
                continue
            enough = min(1.0, _ENOUGH * abs(o.relative) / max(abs(e.relative), 1e-9))
            best = max(best, 0.7 * enough * min(1.0, o.strength / max(e.strength, 1e-9)))
        return best

    def _above(self, e: Evidence) -> float:
        """Demand that a caller passed on."""
        if family(e.metric) != "demand":
            return 0.0
        best = 0.0
        for caller, weight in self.graph.callers.get(e.resource, {}).items():
            for c in self.found.get(caller, ()):
                if family(c.metric) == "demand" and c.change * e.change > 0:
                    enough = min(1.0, _ENOUGH * abs(c.relative) / max(abs(e.relative), 1e-9))
                    best = max(best, 0.9 * weight * enough * min(1.0, c.strength / max(e.strength, 1e-9)))
        return best

    def _why(self, e: Evidence) -> str:
        parts = [f"{e.metric} of {e.resource} went {e.direction} from {e.before:.4g} to {e.during:.4g}"]
        parts.append(f"{abs(e.z_local):.1f} usual changes away")
        if e.correlation is not None and abs(e.correlation) >= 0.6:
            parts.append(f"moves with the symptom (r {e.correlation:.2f})")
        if self.symptom is not None and self.symptom.onset and e.onset and e.onset < self.symptom.onset:
            minutes = (self.symptom.onset - e.onset).total_seconds() / 60
            parts.append(f"began {minutes:.0f} min before it")
        share = self.own_share(e)
        parts.append(f"{share:.0%} of it explained by nothing it depends on")
        return ", ".join(parts)


def _thickness(e: Evidence) -> float:
    """Errors in points, times as the logarithm of their growth."""
    if thing(e.metric) == "errors":
        return abs(e.change)
    return abs(float(np.log(max(e.during, 1e-9) / max(e.before, 1e-9))))


def _sized(cause: Evidence, effect: Evidence, trust: float) -> float:
    """Whether a change of the same metric is large enough, 0 to 1.

    In absolute terms with one call per call. With several calls per call the relative change still bounds it: a caller
    that waits for one callee cannot grow by a larger factor than that callee; ``trust`` says how far that counts.
    """
    absolute = _ENOUGH * cause.change / effect.change
    relative = cause.relative / effect.relative if effect.relative else 0.0
    return max(min(1.0, absolute), trust * min(1.0, max(relative, 0.0)))
