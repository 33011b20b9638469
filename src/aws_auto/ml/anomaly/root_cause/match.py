"""Which known pattern fits the suspected resource best."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.anomaly.root_cause.patterns import PATTERNS, Fact, How, Pattern, Sign
from aws_auto.ml.anomaly.root_cause.results import PatternMatch
from aws_auto.ml.anomaly.root_cause.words import family, stem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.anomaly.root_cause.rank import Ranking
    from aws_auto.ml.anomaly.root_cause.results import Evidence, Factor

#: A pattern that fits less is not named.
LEAST_FIT = 0.5
#: Strength from which a change counts fully; about ten usual changes.
_CLEAR = 0.25
_BUSY = 0.15
#: Who lost more of its traffic than this is cut off.
_CUT_OFF = 0.7
_HOLDS = 0.5
#: So many points more of stolen CPU are felt.
_STOLEN = 5.0
#: What a release that was seen this long after the onset, or later, is worth.
_SEEN_LATE, _TOLERANCE = 0.7, timedelta(minutes=15)
_VERSION_COLUMNS = ("version", "tag_version", "image", "tag_release", "deployment_id")
_HOST_COLUMNS = ("host", "dedicated_host", "tag_host", "cluster")


@dataclass(frozen=True)
class Scene:
    """The suspect's evidence, and the facts around it (0 to 1 each)."""

    resource: str
    seen: Sequence[Evidence]
    facts: Mapping[Fact, float]

    def answer(self, sign: Sign) -> float | None:
        """How far the sign holds; None when no such metric is there."""
        if sign.fact is not None:
            return self.facts[sign.fact]
        answers = [_degree(e, sign.how) for e in self.seen if stem(e.metric) in sign.metrics]
        if not answers:
            return None
        return min(answers) if sign.how == "steady" else max(answers)


def match(ranking: Ranking, factors: Sequence[Factor], frame: MetricFrame) -> PatternMatch | None:
    """The best pattern of the first factor's resource, else of the symptom's own, or None.

    Where the symptom is the trouble itself (a full disk, stolen CPU), what is ranked first may be there by chance.
    """
    first = (factors[0].resource,) if factors else ()
    found = (_best(ranking, suspect, frame) for suspect in dict.fromkeys((*first, ranking.incident.resource)))
    return next((one for one in found if one is not None), None)


def _best(ranking: Ranking, suspect: str, frame: MetricFrame) -> PatternMatch | None:
    scene = Scene(suspect, ranking.found.get(suspect, ()), _facts(ranking, suspect, frame))
    scored = [(_score(pattern, scene), pattern) for pattern in PATTERNS]
    score, best = max(scored, key=lambda pair: pair[0])
    if score < LEAST_FIT:
        return None
    return PatternMatch(
        name=best.name,
        title=best.title,
        score=round(score, 4),
        resource=suspect,
        speaks_for=_said(scene, (*best.needs, *best.supports), missing=False),
        speaks_against=(*_said(scene, best.opposes, missing=False), *_said(scene, best.supports, missing=True)),
    )


def _score(pattern: Pattern, scene: Scene) -> float:
    """The weakest need, raised by what supports it (by 40 % at most), lowered by the worst that opposes it."""
    needs = min((scene.answer(sign) or 0.0) for sign in pattern.needs)
    known = [a for sign in pattern.supports if (a := scene.answer(sign)) is not None]
    support = float(np.mean(known)) if known else 0.5
    against = max((scene.answer(sign) or 0.0 for sign in pattern.opposes), default=0.0)
    return needs * (0.6 + 0.4 * support) * (1.0 - 0.8 * against)


def _said(scene: Scene, signs: Sequence[Sign], *, missing: bool) -> tuple[str, ...]:
    answers = ((sign.says, scene.answer(sign)) for sign in signs)
    if missing:
        return tuple(f"not seen: {says}" for says, a in answers if a is not None and a < 1 - _HOLDS)
    return tuple(says for says, a in answers if a is not None and a >= _HOLDS)


def _degree(e: Evidence, how: How) -> float:
    clear = min(e.strength / _CLEAR, 1.0)
    if family(e.metric) == "demand":
        clear = max(clear, _multiplied(e))
    up = clear if e.change > 0 else 0.0
    answers: dict[How, float] = {
        "rises": up * min(abs(e.relative) / 0.15, 1.0),
        "falls": clear if e.change < 0 else 0.0,
        "steady": 1.0 - clear * min(abs(e.relative) / 0.3, 1.0),
        "climbs": up * float(np.clip((e.trend - 0.3) / 0.4, 0.0, 1.0)),
        "full": float(np.clip((e.during - 65.0) / 20.0, 0.0, 1.0)),
        "leaps": up * float(np.clip(e.relative - 0.5, 0.0, 1.0)),
        "drains": (clear if e.change < 0 else 0.0) * float(np.clip((-e.relative - 0.5) / 0.4, 0.0, 1.0)),
    }
    return answers[how]


def _multiplied(e: Evidence) -> float:
    """Demand that doubled hand in hand with the symptom has risen, even at night, when it is little beside the day."""
    together = float(np.clip(((e.correlation or 0.0) - 0.7) / 0.2, 0.0, 1.0))
    return together * float(np.clip(e.relative, 0.0, 1.0))


def _facts(ranking: Ranking, suspect: str, frame: MetricFrame) -> dict[Fact, float]:
    here = ranking.incident.resource
    statics = _statics(ranking, frame)
    return {
        "below": float(suspect != here) * min(1.0, 2.0 * ranking.graph.below(here).get(suspect, 0.0)),
        "alone": _alone(ranking.found.get(suspect, ())),
        "released": _released(ranking, suspect, frame),
        "capped": _capped(ranking, suspect, frame),
        "neighbour": max(_neighbour(ranking, suspect, statics), _stolen(ranking.found.get(suspect, ()))),
        "zone": _zone(ranking, suspect, statics),
    }


def _statics(ranking: Ranking, frame: MetricFrame) -> dict[str, dict[str, str]]:
    wanted = [c for c in ("availability_zone", "resource_type", *_HOST_COLUMNS) if c in frame.statics]
    if not wanted:
        return {}
    rows = frame.data.filter(pl.col(TIMESTAMP) < ranking.incident.end)
    last = rows.group_by(RESOURCE).agg(pl.col(wanted).drop_nulls().last().cast(pl.String))
    return {row.pop(RESOURCE): {k: v for k, v in row.items() if v is not None} for row in last.to_dicts()}


def _alone(seen: Sequence[Evidence]) -> float:
    """Cost leapt and nobody came: neither users rose nor does anybody wait."""
    cost = max((_degree(e, "leaps") for e in seen if stem(e.metric) == "hourly_cost"), default=0.0)
    users = [_degree(e, "rises") for e in seen if stem(e.metric) in ("active_users", "cpu_utilization", "latency")]
    return cost * (1.0 - max(users, default=0.0))


def _released(ranking: Ranking, suspect: str, frame: MetricFrame) -> float:
    """1 when a version column of the suspect changed within an incident's length (one to three hours) before the start.

    A change that was only seen during the incident counts less: it may have been collected late, or be the way back.
    """
    columns = [c for c in _VERSION_COLUMNS if c in frame.statics]
    start, end = ranking.incident.start, ranking.incident.end
    rows = frame.data.filter((pl.col(RESOURCE) == suspect) & (pl.col(TIMESTAMP) < end))
    found = 0.0
    for column in columns:
        known = rows.select(TIMESTAMP, column).drop_nulls()
        changed = known.filter(pl.col(column) != pl.col(column).shift(1))[TIMESTAMP]
        slack = min(max(end - start, timedelta(hours=1)), timedelta(hours=3))
        found = max(
            (_SEEN_LATE if t > start + _TOLERANCE else 1.0 for t in changed if start - t <= slack), default=found
        )
    return found


def _capped(ranking: Ranking, suspect: str, frame: MetricFrame) -> float:
    """1 when served demand is far steadier from step to step than just before, or when calls were throttled."""
    if any(stem(e.metric) == "throttle_count" and _degree(e, "rises") > _HOLDS for e in ranking.found.get(suspect, ())):
        return 1.0
    if "request_count" not in frame.data.columns:
        return 0.0
    start, end = ranking.incident.start, ranking.incident.end
    rows = frame.data.filter(pl.col(RESOURCE) == suspect).select(TIMESTAMP, "request_count").drop_nulls()
    rows = rows.filter(pl.col("request_count").is_finite())
    inside = rows.filter(pl.col(TIMESTAMP).is_between(start, end, closed="left"))["request_count"].to_numpy()
    before = rows.filter(pl.col(TIMESTAMP) < start)["request_count"].tail(max(len(inside), 12)).to_numpy()
    if min(len(inside), len(before)) < 6 or np.diff(before).std() == 0:
        return 0.0
    flatness = 1.0 - np.diff(inside).std() / np.diff(before).std()
    return float(np.clip((flatness - 0.5) / 0.3, 0.0, 1.0))


def _neighbour(ranking: Ranking, suspect: str, statics: Mapping[str, Mapping[str, str]]) -> float:
    """How busy something became that shares a host (fully) with it and neither calls it nor is called."""
    mine = statics.get(suspect, {})
    related = {*ranking.graph.below(suspect), *ranking.graph.above(suspect)}
    busiest = 0.0
    for other, theirs in statics.items():
        shared = any(c in mine and mine[c] == theirs.get(c) for c in _HOST_COLUMNS)
        if other == suspect or other in related or not shared:
            continue
        rows = (e for e in ranking.found.get(other, ()) if family(e.metric) in ("work", "demand"))
        busiest = max(busiest, max((_degree(e, "rises") for e in rows), default=0.0))
    return busiest


def _stolen(seen: Sequence[Evidence]) -> float:
    """How far its host gave its CPU to others: whoever took it may be another customer, whom nobody sees."""
    steals = (e for e in seen if stem(e.metric) == "cpu_steal")
    return max((_degree(e, "rises") * min(e.change / _STOLEN, 1.0) for e in steals if e.change > 0), default=0.0)


def _zone(ranking: Ranking, suspect: str, statics: Mapping[str, Mapping[str, str]]) -> float:
    """How much more of one zone is in trouble than of the others; 0 with fewer than two resources on either side.

    The zone is the suspect's own. For a suspect that spans zones, as balancers and groups do, it is the worst one.
    """
    troubled: dict[str, list[bool]] = defaultdict(list)
    for resource, facts in statics.items():
        zone = _one_zone(facts)
        if zone is not None and resource in ranking.found:
            troubled[zone].append(any(_troubled(e) for e in ranking.found[resource]))
    mine = _one_zone(statics.get(suspect, {}))
    return max((_apart(troubled, zone) for zone in troubled if mine in (None, zone)), default=0.0)


def _one_zone(facts: Mapping[str, str]) -> str | None:
    """The zone of what lies in a single one; discovery joins several with commas."""
    zone = facts.get("availability_zone")
    return None if zone is None or "," in zone else zone


def _apart(troubled: Mapping[str, Sequence[bool]], zone: str) -> float:
    inside, outside = troubled[zone], [t for z, rest in troubled.items() if z != zone for t in rest]
    if len(inside) < 2 or len(outside) < 2:
        return 0.0
    return float(np.clip((np.mean(inside) - np.mean(outside) - 0.2) / 0.4, 0.0, 1.0))


def _troubled(e: Evidence) -> bool:
    """Worse than usual, or cut off: to lose most of the traffic is telling in company, however quiet it was before."""
    kind = family(e.metric)
    lost = kind == "demand" and e.relative < -_CUT_OFF
    worse = kind == "symptom" and e.change > 0 and e.strength > _BUSY
    return lost or worse
