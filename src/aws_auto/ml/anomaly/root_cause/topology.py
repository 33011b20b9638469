"""Who depends on whom: an explicit table, relations between AWS resources, or what lagged correlation suggests."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from aws_auto.errors import DataError, SchemaError
from aws_auto.frame import RESOURCE, to_polars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.anomaly.root_cause.results import Basis, Evidence

#: What one more hop costs a cause.
_HOP = 0.95
_MOST_HOPS = 12


class Edge(NamedTuple):
    """``caller`` depends on ``callee``; ``weight`` in (0, 1] says how surely."""

    caller: str
    callee: str
    weight: float = 1.0


@dataclass(frozen=True)
class Topology:
    """A call graph; cycles are allowed.

    Attributes:
        edges: caller, callee, weight.
        basis: what it rests on.
    """

    edges: tuple[Edge, ...]
    basis: Basis = "given"
    _near: dict[tuple[str, bool], dict[str, float]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, table: Any) -> Topology:  # noqa: ANN401 - pandas must not be imported to be named
        """From a pandas or Polars table with ``caller``, ``callee`` and, if wanted, ``weight``; loops are dropped.

        Raises:
            SchemaError: a column is missing or a name is empty.
            DataError: a weight lies outside (0, 1].
        """
        frame = to_polars(table)
        missing = [c for c in ("caller", "callee") if c not in frame.columns]
        if missing:
            raise SchemaError(
                f"{' and '.join(missing)} missing; there: {', '.join(frame.columns)}",
                where="topology",
                hint="give one row per dependency: caller, callee and, if wanted, weight",
            )
        if "weight" not in frame.columns:
            frame = frame.with_columns(weight=pl.lit(1.0))
        frame = frame.select(pl.col("caller", "callee").cast(pl.String), pl.col("weight").cast(pl.Float64))
        if frame["caller"].null_count() or frame["callee"].null_count():
            raise SchemaError("a caller or callee is empty", where="topology", hint="fill it, or drop the row")
        bad = frame.filter(~pl.col("weight").fill_null(1.0).fill_nan(0.0).is_between(0.0, 1.0, closed="right"))
        if len(bad):
            raise DataError(
                f"weight {bad['weight'][0]} of {bad['caller'][0]} -> {bad['callee'][0]} is not in (0, 1]",
                where="topology",
                hint="divide the weights by the largest one, and drop rows without weight",
            )
        rows = frame.with_columns(pl.col("weight").fill_null(1.0)).iter_rows()
        return cls(tuple(Edge(*row) for row in rows if row[0] != row[1]))

    @classmethod
    def of_xray(cls, graph: Mapping[str, Any]) -> Topology:
        """From the answer of X-Ray's ``GetServiceGraph`` (``aws xray get-service-graph``).

        Services of one name are one node: a function and its invocation, a service and the client that a tracer infers.

        Raises:
            SchemaError: it has no ``Services`` with ``ReferenceId`` and ``Name``, or an edge leads nowhere.
        """
        try:
            names = {service["ReferenceId"]: str(service["Name"]) for service in graph["Services"]}
            pairs = [
                (str(service["Name"]), names[edge["ReferenceId"]])
                for service in graph["Services"]
                for edge in service.get("Edges", ())
            ]
        except (KeyError, TypeError) as error:
            raise SchemaError(
                f"not a service graph: {error} is missing",
                where="topology",
                hint="give the JSON of `aws xray get-service-graph` as it is",
            ) from error
        return cls(tuple(Edge(*pair) for pair in dict.fromkeys(pairs) if pair[0] != pair[1]))

    def resolved(self, frame: MetricFrame) -> Topology:
        """The same with names turned into the ids of the frame: of a resource that alone is called so.

        A person and a tracer say ``checkout`` where the bill says
        ``arn:aws:ecs:us-east-1:111122223333:service/prod/checkout``.
        """
        ids = set(frame.resources)
        called: dict[str, set[str]] = defaultdict(set)
        for resource, name in _names(frame):
            called[name].add(resource)

        def known(name: str) -> str:
            return name if name in ids or len(called[name]) != 1 else next(iter(called[name]))

        edges = (Edge(known(e.caller), known(e.callee), e.weight) for e in self.edges)
        return Topology(tuple(e for e in dict.fromkeys(edges) if e.caller != e.callee), self.basis)

    @cached_property
    def callees(self) -> Mapping[str, Mapping[str, float]]:
        """By caller, those it calls."""
        return _index((e.caller, e.callee, e.weight) for e in self.edges)

    @cached_property
    def callers(self) -> Mapping[str, Mapping[str, float]]:
        """By callee, those who call it."""
        return _index((e.callee, e.caller, e.weight) for e in self.edges)

    def below(self, resource: str) -> Mapping[str, float]:
        """Everything it depends on, with the weight of the best path; itself has 1."""
        return self._reach(resource, down=True)

    def above(self, resource: str) -> Mapping[str, float]:
        """Everything that depends on it, with the weight of the best path; itself has 1."""
        return self._reach(resource, down=False)

    def _reach(self, resource: str, *, down: bool) -> dict[str, float]:
        if (resource, down) not in self._near:
            self._near[resource, down] = _best_paths(resource, self.callees if down else self.callers)
        return self._near[resource, down]


def _names(frame: MetricFrame) -> Iterator[tuple[str, str]]:
    """What each resource is called: as it was discovered, else the end of its ARN."""
    column = "resource_name" if "resource_name" in frame.statics else None
    if column is not None:
        last = frame.data.group_by(RESOURCE).agg(pl.col(column).drop_nulls().last().cast(pl.String))
        yield from ((str(resource), name) for resource, name in last.iter_rows() if name)
    yield from ((r, re.split("[:/]", r)[-1]) for r in frame.resources if r.startswith("arn:"))


def _index(edges: Iterable[tuple[str, str, float]]) -> dict[str, dict[str, float]]:
    out: dict[str, dict[str, float]] = defaultdict(dict)
    for a, b, weight in edges:
        out[a][b] = max(weight, out[a].get(b, 0.0))
    return dict(out)


def _best_paths(resource: str, steps: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    best, front = {resource: 1.0}, {resource}
    for _ in range(_MOST_HOPS):
        nearer: set[str] = set()
        for node in front:
            for other, weight in steps.get(node, {}).items():
                worth = best[node] * weight * _HOP
                if worth > best.get(other, 0.0):
                    best[other] = worth
                    nearer.add(other)
        front = nearer
    return best


#: In one service, a resource of the first type is taken to call each of the second. Guesses, so none weighs 1. Which
#: container calls which is unknown, so each is taken to call each.
_TIERS: tuple[tuple[str, str, float], ...] = (
    ("elb", "asg", 0.9),
    ("elb", "ecs", 0.8),
    ("elb", "lambda", 0.7),
    ("elb", "ec2", 0.7),
    ("elb", "rds", 0.5),
    ("asg", "ecs", 0.7),
    ("asg", "lambda", 0.6),
    ("asg", "ec2", 0.7),
    ("asg", "rds", 0.9),
    ("ecs", "ecs", 0.4),
    ("ecs", "rds", 0.8),
    ("lambda", "rds", 0.8),
    ("ec2", "rds", 0.8),
)
#: Columns that name the service, the first that is filled.
_SERVICE_COLUMNS = ("service", "tag_service", "tag_application", "tag_app")
#: Columns that name the scaling group of an instance, as AWS tags it.
_GROUP_COLUMNS = ("tag_aws:autoscaling:groupName", "autoscaling_group", "asg")


def relations(frame: MetricFrame) -> Topology | None:
    """From static columns: membership of a group (certain), types within one service (a guess). None without any."""
    facts = _facts(frame)
    edges = [*_members(facts), *_tiers(facts)]
    return Topology(tuple(edges), "relations") if edges else None


def _facts(frame: MetricFrame) -> dict[str, dict[str, str]]:
    wanted = [c for c in ("resource_type", *_SERVICE_COLUMNS, *_GROUP_COLUMNS) if c in frame.statics]
    if not wanted:
        return {}
    last = frame.data.group_by(RESOURCE, maintain_order=True).agg(pl.col(wanted).drop_nulls().last())
    return {row.pop(RESOURCE): {k: v for k, v in row.items() if v is not None} for row in last.to_dicts()}


def _members(facts: Mapping[str, Mapping[str, str]]) -> list[Edge]:
    return [
        Edge(group, resource)
        for resource, known in facts.items()
        for group in [next((known[c] for c in _GROUP_COLUMNS if c in known), None)]
        if group is not None and group in facts and group != resource
    ]


def _tiers(facts: Mapping[str, Mapping[str, str]]) -> list[Edge]:
    services: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for resource, known in facts.items():
        service = next((known[c] for c in _SERVICE_COLUMNS if known.get(c)), None)
        if service is not None and "resource_type" in known:
            services[service][known["resource_type"]].append(resource)
    return [
        Edge(caller, callee, weight)
        for types in services.values()
        for above, under, weight in _TIERS
        for caller in types.get(above, ())
        for callee in types.get(under, ())
        if callee != caller
    ]


def learned(symptom: str, found: Sequence[Evidence]) -> Topology:
    """From correlation with the symptom, which is weaker: who leads it, or moves with it, may be what it depends on.

    A resource that follows the symptom is taken to depend on it instead. No chain between causes is claimed.
    """
    best: dict[str, Evidence] = {}
    for e in found:
        if e.resource == symptom or e.correlation is None or e.lag is None or e.strength == 0:
            continue
        if e.resource not in best or abs(e.correlation) > abs(best[e.resource].correlation or 0.0):
            best[e.resource] = e
    edges = []
    for resource, e in best.items():
        weight = 0.3 + 0.5 * abs(e.correlation or 0.0) ** 2
        if e.lag is None:
            continue
        leads = e.lag.total_seconds() >= 0
        edges.append(Edge(symptom, resource, weight) if leads else Edge(resource, symptom, weight))
    return Topology(tuple(edges), "learned")


def joined(first: Topology, second: Topology) -> Topology:
    """The first, and of the second what touches resources that the first does not know."""
    known = {e.caller for e in first.edges} | {e.callee for e in first.edges}
    extra = tuple(e for e in second.edges if e.caller not in known or e.callee not in known)
    return Topology((*first.edges, *extra), first.basis)
