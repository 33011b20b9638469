"""Root cause: PetShop and SMD (public data beside the checkout), a simulated account and simulated call graphs.

    python bench/root_cause.py [--cases 200] [--fit] [--half dev|test|all] [--json FILE]

PetShop (20 issues here, all with ONE root cause, so nothing may be learned from names): even issues are for
development, odd ones are the test. SMD: machine-1-6 and machine-2-1 are for development, the other two are the test.
Simulated incidents have random roots. ``--fit`` fits the confidence on other seeds than those it is reported on. Of
incidents of the simulated account the named pattern is judged too, with a table of what was named instead: the six
kinds of the sample account, and ten kinds with facts that the sample does not tell.
Intervals: 95 %, bootstrap over cases (exact binomial where all are alike). Beside ours: correlation with the symptom,
n-sigma (against the own past, or, where only five rows are there, against the far-away normal period), a random order.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.root_cause.analyse import analyse, explain
from aws_auto.ml.anomaly.root_cause.confidence import sigmoid
from aws_auto.ml.anomaly.root_cause.results import Incident, RootCause
from aws_auto.ml.anomaly.root_cause.topology import Edge, Topology
from aws_auto.ml.simulate.account import simulate
from aws_auto.ml.simulate.incidents import EVERY, SCRIPTS
from aws_auto.ml.simulate.inventory import THINGS
from aws_auto.pipeline.stages.enrich import enrich

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aws_auto.ml.simulate.incidents import Script

DATA = Path(__file__).resolve().parents[1] / "../shared/data/rootcause"
START = datetime(2026, 3, 2, tzinfo=UTC)
#: The root sends no metrics, so every answer is wrong: only the confidence is judged on these (a tenth of the graphs).
UNSEEN = "graphs, root not observed"
#: No pattern was named.
NOTHING = "none"
STEP = timedelta(minutes=5)


@dataclass(frozen=True)
class Case:
    """An incident whose root is known; ``suite`` groups cases of one table row, ``also`` are as right as the truth."""

    suite: str
    frame: MetricFrame
    incident: Incident
    truth: str
    topology: Topology | None = None
    reference: MetricFrame | None = None
    pattern: str | None = None
    also: frozenset[str] = frozenset()

    def right(self, resource: str | None) -> bool:
        """Whether that resource is a right answer."""
        return resource is not None and (resource == self.truth or resource in self.also)


# ---------------------------------------------------------------- simulated call graphs


@dataclass
class Mesh:
    """A random call graph. Node 0 is the front door; a callee has a higher number than its callers.

    Attributes:
        edges: caller, callee, calls per call.
        twins: client-side views of a call, as leaves of the caller: node to edge.
        clients: nodes that call a service and that nobody calls: node to service.
        strangers: nodes without any call.
    """

    rng: np.random.Generator
    edges: list[tuple[int, int, float]]
    callable_nodes: int
    twins: dict[int, tuple[int, int, float]]
    clients: dict[int, int]
    strangers: range

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Mesh:
        """Services, what they store in, and how a tracer sees them."""
        services = int(rng.integers(5, 15))
        edges = []
        for v in range(1, services):
            callers = rng.choice(v, size=min(v, 1 + int(rng.random() < 0.3)), replace=False)
            edges += [(int(caller), v, float(rng.uniform(0.3, 1.0))) for caller in callers]
        nodes = services
        for v in range(services):  # stores, queues, third parties
            leaves = int(rng.integers(0, 4))
            edges += [(v, nodes + k, float(rng.uniform(0.2, 1.0))) for k in range(leaves)]
            nodes += leaves
        seen = [e for e in edges if e[1] < services and rng.random() < 0.3]
        twins = {nodes + k: e for k, e in enumerate(seen)}
        total = nodes + len(twins)
        clients = {total + k: v for k, v in enumerate(v for v in range(1, services) if rng.random() < 0.25)}
        total += len(clients)
        return cls(rng, edges, nodes, twins, clients, range(total, total + int(rng.integers(3, 12))))

    @property
    def total(self) -> int:
        """Nodes."""
        return self.strangers.stop

    def weights(self) -> dict[int, float]:
        """Calls of each node per call of the front door."""
        out = {0: 1.0}
        for caller, callee, weight in sorted(self.edges):
            if caller in out:
                out[callee] = out.get(callee, 0.0) + out[caller] * weight
        return out

    def felt(self, own: np.ndarray, *, errors: bool) -> np.ndarray:
        """What each node shows when its own part is ``own``: with what it calls, and as its views see it."""
        rng, t = self.rng, own.shape[1]
        shown = own.copy()
        for caller, callee, weight in sorted(self.edges, key=lambda e: -e[1]):
            shown[caller] += weight * shown[callee]
        for view, (_, callee, _) in self.twins.items():
            extra = np.abs(rng.normal(0, 0.1, t)) if errors else np.abs(rng.normal(5, 1, t))
            shown[view] = shown[callee] * (1.0 if errors else rng.uniform(1.0, 2.5)) + extra
        for view, callee in self.clients.items():
            if not errors:
                passes = rng.random() < 0.5
                shown[view] = shown[callee] * rng.uniform(0.9, 1.1, t) if passes else np.abs(rng.normal(3, 1, t))
        return np.clip(shown, 0, 100) if errors else shown

    def topology(self) -> Topology:
        """As a tracer would draw it: views and clients are nodes like any other."""
        rows = [(a, b) for a, b, _ in self.edges] + [(e[0], v) for v, e in self.twins.items()]
        return Topology(tuple(Edge(f"n{a}", f"n{b}") for a, b in rows + list(self.clients.items())))


def graph_case(rng: np.random.Generator, *, brief: bool, known: bool, unseen: bool) -> Case | None:
    """One node of a random call graph turns slow or faulty. None when the front door does not depend on it.

    ``brief``: five rows around the incident, and a normal period of another level, as in a tracing export. Otherwise
    two days of past. ``known``: the graph is handed over. ``unseen``: the root itself sends no metrics.
    """
    mesh = Mesh.drawn(rng)
    kind = "latency" if rng.random() < 0.6 else "error_rate"
    root = int(rng.integers(1, mesh.callable_nodes))
    weights = mesh.weights()
    if root not in weights:
        return None
    n, first = (5, int(rng.integers(1, 3))) if brief else (2 * 288 + 14, 2 * 288)
    last = first + (int(rng.integers(1, 3)) if brief else int(rng.integers(3, 13)))
    level = np.exp(rng.normal(np.log(20), 1.0, mesh.total))
    front = sum(level[v] * w for v, w in weights.items())
    share = float(np.exp(rng.uniform(np.log(0.08), np.log(1.5))))  # some are hardly felt at the front
    size = (front * share if kind == "latency" else 20 * share) / weights[root]
    felt = np.zeros(n)
    felt[first:last] = rng.uniform(0.5, 1.0, last - first)
    noise = rng.choice([0.04, 0.1, 0.25], mesh.total, p=[0.4, 0.4, 0.2])
    load = np.exp(rng.normal(6, 1)) * (1 + 0.4 * np.sin(np.arange(n) * 2 * np.pi / 288 + rng.uniform(0, 6)))
    trouble = {kind: size * felt}
    frame = _mesh_frame(START, mesh, level, noise, load, (root, trouble))
    if unseen:
        frame = MetricFrame(frame.data.filter(pl.col("resource_id") != f"n{root}"))
    regime, calm = level * np.exp(rng.normal(0, 0.4, mesh.total)), np.full(300, load.mean() * 2)
    far = START + timedelta(days=140)
    return Case(
        suite=UNSEEN
        if unseen
        else f"graphs, {'5 rows' if brief else '2 days'}, {'graph given' if known else 'no graph'}",
        frame=frame,
        incident=Incident("n0", kind, START + first * STEP, START + (n if brief else last) * STEP),
        truth=f"n{root}",
        topology=mesh.topology() if known else None,
        reference=_mesh_frame(far, mesh, regime, noise, calm, (root, {})) if brief else None,
    )


def _mesh_frame(
    start: datetime,
    mesh: Mesh,
    level: np.ndarray,
    noise: np.ndarray,
    load: np.ndarray,
    trouble: tuple[int, dict[str, np.ndarray]],
) -> MetricFrame:
    rng, total, t = mesh.rng, mesh.total, len(load)
    own_slow = level[:, None] * np.exp(noise[:, None] * rng.standard_t(4, (total, t)) * 0.7)
    own_bad = np.clip(0.2 * rng.gamma(0.5, 1.0, (total, t)), 0, 100)
    root, parts = trouble
    own_slow[root] += parts.get("latency", 0.0)
    own_bad[root] += parts.get("error_rate", 0.0)
    slow, bad = mesh.felt(own_slow, errors=False), mesh.felt(own_bad, errors=True)
    shape = next(iter(parts.values()), None)
    for s in mesh.strangers:  # some are slow at about the same time by chance
        if shape is not None and rng.random() < 0.25:
            slow[s] *= 1 + rng.uniform(0, 2) * np.roll(shape / shape.max(), int(rng.integers(-1, 2)))
    keep = rng.random((total, t)) > 0.03
    requests = np.round(load[None] * rng.uniform(0.2, 1.0, (total, 1)) * np.exp(rng.normal(0, 0.05, (total, t))))
    data = {
        "resource_id": np.repeat([f"n{v}" for v in range(total)], t),
        "timestamp": [start + k * STEP for k in range(t)] * total,
        "latency": np.where(keep, slow, np.nan).ravel(),
        "error_rate": np.where(keep, bad, np.nan).ravel(),
        "request_count": np.where(keep, requests, np.nan).ravel(),
    }
    return MetricFrame.of(pl.DataFrame(data))


def graph_cases(count: int, seed: int) -> Iterator[Case]:
    for brief in (True, False):
        for known in (True, False):
            rng = np.random.default_rng([seed, brief, known])
            made = 0
            while made < count // 4:
                case = graph_case(rng, brief=brief, known=known, unseen=made % 10 == 9)
                if case is not None:
                    made += 1
                    yield case


# ---------------------------------------------------------------- simulated account

ACCOUNT_CALLS = [
    ("shop-alb", "shop-web"),
    ("api-alb", "api-web"),
    *(
        ("shop-web", n)
        for n in ("shop-db-1", "shop-db-2", "checkout", "search-1", "search-2", "cache-1", "cache-2", "thumbnails")
    ),
    ("checkout", "payments"),
    ("checkout", "shop-db-1"),
    ("api-web", "webhooks"),
]
PATTERN_OF = {
    "memory_leak": "memory_leak",
    "cpu_saturation": "cpu_saturation",
    "traffic_surge": "traffic_surge",
    "dependency_failure": "dependency_failure",
    "disk_filling": "disk_full",
    "cost_spike": "runaway_usage",
    "bad_release": "deploy",
    "throttling": "throttling",
    "noisy_neighbour": "noisy_neighbour",
    "zone_failure": "zone_failure",
}
#: Facts that relate resources; without them and without a graph, dependence can only be learned.
RELATED = ("resource_type", "service", "instance_type", "account", "purchase_option")
SYMPTOM = {
    "memory_leak": ("latency", 0.7),
    "cpu_saturation": ("latency", 0.0),
    "traffic_surge": ("cpu_utilization", 0.0),
    "dependency_failure": ("latency", 0.0),
    "disk_filling": ("disk_utilization", 0.4),
    "cost_spike": ("hourly_cost", 0.0),
    "bad_release": ("error_rate", 0.0),
    "throttling": ("error_rate", 0.0),
    "noisy_neighbour": ("latency", 0.0),
    "zone_failure": ("error_rate", 0.0),
}


def account_cases(count: int, seed: int) -> Iterator[Case]:
    """Incidents of the sample account, noticed late and cut short, as a detector would hand them over."""
    return _account_cases("account", SCRIPTS, count, seed)


def kinds_cases(count: int, seed: int) -> Iterator[Case]:
    """The same with ten kinds of incidents, and the facts that show them: versions, hosts, zones, throttles, steal."""
    return _account_cases("ten kinds", EVERY, count, seed)


def _account_cases(suite: str, scripts: tuple[Script, ...], count: int, seed: int) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    given = Topology(tuple(Edge(*e) for e in ACCOUNT_CALLS))
    made = 0
    for account_seed in range(10_000 * seed, 10_000 * seed + 1000):
        account = simulate(START, START + timedelta(days=54), seed=account_seed, scripts=scripts)
        dated = enrich(account.metrics, resources=account.resources, price=lambda _, __: None).rows
        related = [c for c in account.resources.columns if c in RELATED or c.startswith("tag_")]
        for row in account.truth.sort("timestamp", "resource_id").to_dicts():
            alone = row["kind"] in ("disk_filling", "cost_spike")
            metric, since = SYMPTOM[row["kind"]]
            if row["timestamp"] < START + timedelta(days=8) or (row["resource_id"] == row["root_cause"]) != alone:
                continue
            if suite != "account" and not _has(account.metrics, row["resource_id"], metric):
                continue
            length = row["end"] - row["timestamp"]
            late = max(length * since, STEP * int(rng.integers(1, 5)))
            start = row["timestamp"] + late
            end = start + max((row["end"] - start) * rng.uniform(0.3, 1.0), 3 * STEP)
            near = dated.filter(pl.col("timestamp").is_between(start - timedelta(days=7), end, closed="left"))
            incident = Incident(row["resource_id"], metric, start, end)
            frame, bare = MetricFrame.of(near), MetricFrame.of(near.drop(related))
            for name, seen, graph in (
                ("graph given", frame, given),
                ("relations only", frame, None),
                ("no graph", bare, None),
            ):
                yield Case(
                    suite=f"{suite}, {name}",
                    frame=seen,
                    incident=incident,
                    truth=row["root_cause"],
                    topology=graph,
                    pattern=PATTERN_OF[row["kind"]],
                    also=_same_zone(row["root_cause"]) if row["kind"] == "zone_failure" else frozenset(),
                )
            made += 3
            if made >= count:
                return


def _has(metrics: pl.DataFrame, resource: str, metric: str) -> bool:
    return metrics.filter(pl.col("resource_id") == resource)[metric].count() > 0


def _same_zone(root: str) -> frozenset[str]:
    """What is cut off with it: each of them is a right answer."""
    zones = {t.resource_id: t.zone for t in THINGS if t.resource_type in ("ec2", "rds", "service")}
    return frozenset(r for r, zone in zones.items() if zone == zones[root])


# ---------------------------------------------------------------- PetShop


def petshop_cases(half: str) -> Iterator[Case]:
    """Even issues are ``dev``, odd ones ``test``."""
    for scenario in sorted(DATA.joinpath("petshop").iterdir()):
        graph = _petshop_graph(scenario / "graph.csv")
        normal = scenario / "noissue/metrics.csv"
        reference = _petshop_frame(normal) if normal.exists() else None
        for folder in sorted(scenario.joinpath("train").iterdir()):
            number = int(folder.name.rpartition("_")[2])
            if half != "all" and (number % 2 == 0) != (half == "dev"):
                continue
            said = json.loads(folder.joinpath("target.json").read_text())
            target, frame = said["target"], _petshop_frame(folder / "metrics.csv")
            noticed = datetime.fromtimestamp(target["timestamp"], UTC)
            times = frame.data["timestamp"].unique().sort()
            start = times.filter(times <= noticed)[-1] if (times <= noticed).any() else times[0]
            metric = {"latency": "latency", "availability": "error_rate"}[target["metric"]]
            incident = Incident(target["node"], metric, start, times[-1] + STEP)
            yield Case(f"PetShop {half}", frame, incident, said["root_cause"]["node"], graph, reference)


def planted_cases(count: int, seed: int) -> Iterator[Case]:
    """PetShop's own normal rows and graph, with trouble planted at a random node below the front: other roots."""
    rng = np.random.default_rng(seed)
    for scenario in ("low_traffic", "high_traffic"):
        graph = _petshop_graph(DATA / f"petshop/{scenario}/graph.csv")
        normal = _petshop_frame(DATA / f"petshop/{scenario}/noissue/metrics.csv").data
        times = normal["timestamp"].unique().sort()
        middle = len(times) // 2
        reference = MetricFrame(normal.filter(pl.col("timestamp") >= times[middle]))
        level = pl.col("latency", "latency_p95") * float(np.exp(rng.normal(0, 0.3)))
        reference = MetricFrame(reference.data.with_columns(level))
        roots = sorted(set(graph.below("PetSite")) - {"PetSite"})
        made = 0
        while made < count // 2:
            first = int(rng.integers(0, middle - 5))
            rows = normal.filter(pl.col("timestamp").is_between(times[first], times[first + 4]))
            case = _planted(rng, rows, graph, str(rng.choice(roots)))
            if case is not None:
                made += 1
                yield Case("PetShop, planted roots", *case, graph, reference)


def _planted(
    rng: np.random.Generator, rows: pl.DataFrame, graph: Topology, root: str
) -> tuple[MetricFrame, Incident, str] | None:
    metric = "latency" if rng.random() < 0.7 else "error_rate"
    usual = dict(rows.group_by("resource_id").agg(pl.col(metric).median()).iter_rows())
    if usual.get(root) is None or usual.get("PetSite") is None:
        return None
    times = rows["timestamp"].unique().sort()
    start = int(rng.integers(1, 3))
    felt = dict.fromkeys(times, 0.0)
    felt |= {t: float(rng.uniform(0.5, 1.0)) for t in times[start : start + int(rng.integers(1, 3))]}
    if (usual[root] > usual["PetSite"] and metric == "latency") or not _waits(graph, root, rows):
        return None
    size = {root: usual["PetSite"] * rng.uniform(0.3, 1.5) if metric == "latency" else rng.uniform(3, 30)}
    front = [root]
    while front:  # callers wait for a part of it, once each
        node = front.pop(0)
        for caller in sorted(graph.callers.get(node, {})):
            if caller not in size:
                size[caller] = size[node] * rng.uniform(0.4, 1.0)
                front.append(caller)
    shape = pl.col("timestamp").replace_strict(felt, return_dtype=pl.Float64)
    extra = pl.col("resource_id").replace_strict(size, default=0.0, return_dtype=pl.Float64) * shape
    columns = [c for c in (metric, f"{metric}_p95") if c in rows.columns]
    planted = rows.with_columns(pl.col(columns) + extra)
    incident = Incident("PetSite", metric, times[start], times[-1] + STEP)
    return MetricFrame(planted), incident, root


def _waits(graph: Topology, root: str, rows: pl.DataFrame) -> bool:
    """Whether the front can wait for that node at all: not when each way to it leads through something slower."""
    usual = dict(rows.group_by("resource_id").agg(pl.col("latency").median()).iter_rows())
    quick = {n for n, ms in usual.items() if ms is not None and ms <= usual["PetSite"]} | {"PetSite", root}
    near = Topology(tuple(e for e in graph.edges if e.caller in quick and e.callee in quick))
    return root in near.below("PetSite")


def _petshop_frame(path: Path) -> MetricFrame:
    """Three header rows: node, metric, statistic. Seconds become milliseconds, availability becomes the error rate."""
    lines = path.read_text().splitlines()
    import csv

    nodes, kinds, statistics = (row[1:] for row in csv.reader(lines[:3]))
    rows = [[float(x) if x else float("nan") for x in row] for row in csv.reader(lines[3:]) if row and _number(row[0])]
    table = np.array(rows)
    times = [datetime.fromtimestamp(t, UTC) for t in table[:, 0]]
    names = {("latency", "Average"): "latency", ("latency", "p95"): "latency_p95", ("requests", "Sum"): "request_count"}
    names["availability", "Average"] = "error_rate"
    parts: dict[str, dict[str, np.ndarray]] = {}
    for i, key in enumerate(zip(nodes, kinds, statistics, strict=True)):
        if key[1:] in names:
            column = table[:, i + 1]
            name = names[key[1:]]
            scaled = 100.0 - column if name == "error_rate" else column * (1000.0 if "latency" in name else 1.0)
            parts.setdefault(key[0], {})[name] = scaled
    frames = [pl.DataFrame({"resource_id": [n] * len(times), "timestamp": times, **c}) for n, c in parts.items()]
    return MetricFrame.of(pl.concat(frames, how="diagonal"))


def _number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _petshop_graph(path: Path) -> Topology:
    table = pl.read_csv(path)
    first = table.columns[0]
    edges = [
        {"caller": row[first], "callee": callee}
        for row in table.to_dicts()
        for callee, there in row.items()
        if callee != first and there
    ]
    return Topology.of(pl.DataFrame(edges))


# ---------------------------------------------------------------- SMD

SMD_HALVES = {"dev": ("machine-1-6", "machine-2-1"), "test": ("machine-2-7", "machine-3-3")}


def smd(half: str) -> dict:
    """Hit rate at 100 %: share of the true dimensions among the first as many, mean over incidents; and top-1.

    One resource, no single symptom: dimensions are ranked by strength. Dimension numbers count from 1.
    """
    rng = np.random.default_rng(0)
    rows: dict[str, list[tuple[float, float]]] = {"ours": [], "n-sigma": [], "random": []}
    for machine in SMD_HALVES[half]:
        values = np.load(DATA / f"smd/{machine}.npz")
        whole = np.concatenate([values["train"], values["test"]]).astype(float)
        minutes = [START + timedelta(minutes=k) for k in range(len(whole))]
        names = [f"d{k + 1}" for k in range(whole.shape[1])]
        columns = {
            "resource_id": [machine] * len(whole),
            "timestamp": minutes,
            **dict(zip(names, whole.T, strict=True)),
        }
        frame = MetricFrame.of(pl.DataFrame(columns))
        for line in (DATA / f"smd/{machine}.interpretation.txt").read_text().split():
            (first, last), dims = line.split(":")[0].split("-"), {f"d{d}" for d in line.split(":")[1].split(",")}
            begin, end = (len(values["train"]) + int(x) for x in (first, last))
            incident = Incident(machine, None, minutes[begin], minutes[end] + timedelta(minutes=1))
            answer = analyse(frame, incident, history=timedelta(days=30))
            by_z = sorted(answer.evidence, key=lambda e: -abs(e.z_past))
            orders = {
                "ours": [e.metric for e in answer.evidence],
                "n-sigma": [e.metric for e in by_z],
                "random": list(rng.permutation(names)),
            }
            for method, got in orders.items():
                hits = len(dims & set(got[: len(dims)])) / len(dims)
                rows[method].append((hits, float(bool(got) and got[0] in dims)))
    table = {}
    for method, figures in rows.items():
        both = np.array(figures)
        table[method] = {
            "n": len(both),
            **{
                name: [round(float(both[:, i].mean()), 3), *(round(x, 2) for x in interval(both[:, i], rng))]
                for i, name in enumerate(("hit@100%", "top1"))
            },
        }
    return {f"SMD {half}": table}


# ---------------------------------------------------------------- rivals and figures


def order(case: Case, method: str, rng: np.random.Generator, answer: RootCause) -> list[str]:
    """Resources, best first; the symptom's resource is left out unless it is the truth, for every method."""
    here = case.incident.resource
    others = [r for r in case.frame.resources if r != here or case.right(here)]
    if method == "ours":
        return [r for r in answer.ranked_resources if r in set(others)]
    if method == "random":
        return list(rng.permutation(others))
    score = plain_correlation(case) if method == "correlation" else n_sigma(case)
    return sorted(others, key=lambda r: (-score.get(r, 0.0), r))


def n_sigma(case: Case) -> dict[str, float]:
    """Largest robust z over the metrics of each resource: mean during the incident against the normal period."""
    i = case.incident
    normal = case.reference.data if case.reference else case.frame.between(None, i.start).data
    during = case.frame.between(i.start, i.end).data
    metrics = [m.name for m in case.frame.metrics if m.name in normal.columns]
    level = normal.group_by("resource_id").agg(pl.col(metrics).median())
    spread = (
        normal.join(level, on="resource_id", suffix="_level")
        .group_by("resource_id")
        .agg(((pl.col(m) - pl.col(f"{m}_level")).abs().median() * 1.4826).alias(f"{m}_spread") for m in metrics)
    )
    table = during.group_by("resource_id").agg(pl.col(metrics).mean())
    table = table.join(level, on="resource_id", suffix="_level").join(spread, on="resource_id")
    score: dict[str, float] = {}
    for row in table.to_dicts():
        for m in metrics:
            now, usual, wide = row[m], row[f"{m}_level"], row[f"{m}_spread"]
            if None in (now, usual, wide) or (row["resource_id"], m) == (i.resource, i.metric):
                continue
            z = abs(now - usual) / max(wide, 1e-3 * abs(usual), 1e-6)
            score[row["resource_id"]] = max(score.get(row["resource_id"], 0.0), z)
    return score


def plain_correlation(case: Case) -> dict[str, float]:
    """Largest absolute Pearson correlation of raw values with the symptom: the incident and as long before it."""
    i = case.incident
    length = max(i.end - i.start, 12 * STEP)
    near = case.frame.between(i.start - length, i.end).data
    symptom = near.filter(pl.col("resource_id") == i.resource).select("timestamp", symptom=i.metric)
    rest = near.filter(pl.col("resource_id") != i.resource)
    if case.truth == i.resource:
        rest = near.drop(i.metric)
    metrics = [m.name for m in case.frame.metrics if m.name in rest.columns]
    same = [i.metric] if i.metric in metrics else metrics
    table = (
        rest.join(symptom, on="timestamp")
        .group_by("resource_id")
        .agg(pl.corr(m, "symptom").fill_nan(0.0).fill_null(0.0).abs() for m in same)
    )
    return {row[0]: max(row[1:]) for row in table.iter_rows()}


def first_of(case: Case, answer: RootCause) -> str | None:
    """The first resource of our order."""
    return next(iter(order(case, "ours", np.random.default_rng(0), answer)), None)


def interval(values: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    edge = 0.025 ** (1 / len(values))  # a bootstrap of equal values shows no doubt; the exact binomial bound does
    if values.min() == values.max() and values.min() in (0, 1):
        return (edge, 1.0) if values.min() else (0.0, 1 - edge)
    means = rng.choice(values, (2000, len(values))).mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


#: Suites whose answers say whether the confidence holds.
SIMULATED = ("graphs", "account", "kinds")
METHODS = ("ours", "correlation", "n-sigma", "random")


def judge(
    cases: Iterable[Case], methods: tuple[str, ...] = METHODS
) -> tuple[dict, list[tuple[tuple[float, ...], bool, str]]]:
    """Top-1 and top-3 by suite and method, and the signals of each answer with whether it was right."""
    rng = np.random.default_rng(0)
    hits: dict[str, dict[str, list[int]]] = {}
    seen = []
    named: dict[str, list[tuple[str, str]]] = {}
    for case in cases:
        answer, signals = explain(case.frame, case.incident, topology=case.topology, reference=case.reference)
        for method in methods if case.suite != UNSEEN else ():
            got = order(case, method, rng, answer)
            place = next((k for k, resource in enumerate(got, start=1) if case.right(resource)), 999)
            hits.setdefault(case.suite, {}).setdefault(method, []).append(place)
            if method == "ours" and case.pattern is not None:
                named.setdefault(case.suite, []).append((case.pattern, _named(answer) or NOTHING))
        if signals is not None:
            right = case.right(first_of(case, answer))
            seen.append((signals.vector(), right, case.suite))
    table = {}
    for suite, by_method in hits.items():
        table[suite] = {
            method: {
                "n": len(places),
                **{
                    f"top{k}": [round(float(np.mean(np.array(places) <= k)), 3)]
                    + [round(x, 2) for x in interval(np.array(places) <= k, rng)]
                    for k in (1, 3)
                },
            }
            for method, places in by_method.items()
        }
    for suite, pairs in named.items():
        rows = {
            "named": np.array([said != NOTHING for _, said in pairs], dtype=float),
            "right": np.array([said == true for true, said in pairs], dtype=float),
        }
        table[f"{suite}: pattern"] = {
            "ours": {"n": len(pairs)}
            | {k: [round(float(v.mean()), 3), *(round(x, 2) for x in interval(v, rng))] for k, v in rows.items()},
            "confusion": confusion(pairs),
        }
    return table, seen


def confusion(pairs: list[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """By true pattern, how often which one was named."""
    out: dict[str, dict[str, int]] = {}
    for true, said in sorted(pairs):
        row = out.setdefault(true, {})
        row[said] = row.get(said, 0) + 1
    return out


def _named(answer: RootCause) -> str | None:
    return None if answer.pattern_match is None else answer.pattern_match.name


def fitted(seen: list[tuple[tuple[float, ...], bool, str]], ridge: float = 1.0) -> tuple[float, ...]:
    """Logistic regression by Newton's method; the constant is not shrunk."""
    x = np.array([s[0] for s in seen])
    y = np.array([s[1] for s in seen], dtype=float)
    shrink = ridge * np.diag([0.0] + [1.0] * (x.shape[1] - 1))
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (y - p) - shrink @ beta
        beta += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + shrink, gradient)
    return tuple(round(float(b), 3) for b in beta)


def reliability(seen: list[tuple[tuple[float, ...], bool, str]]) -> dict:
    """Expected calibration error over ten bins of equal size, Brier score, and the bins."""
    p = np.array([sigmoid(s[0]) for s in seen])
    y = np.array([s[1] for s in seen], dtype=float)
    rng = np.random.default_rng(0)
    draws = (rng.integers(0, len(p), len(p)) for _ in range(500))
    spread = [calibration_error(p[d], y[d]) for d in draws]
    order = np.argsort(p, kind="stable")
    return {
        "n": len(p),
        "right": round(float(y.mean()), 3),
        "mean_confidence": round(float(p.mean()), 3),
        "ece": [round(calibration_error(p, y), 3), *(round(float(np.quantile(spread, q)), 3) for q in (0.025, 0.975))],
        "brier": round(float(((p - y) ** 2).mean()), 3),
        "brier_constant": round(float(y.var()), 3),
        "bins": [
            [round(float(p[b].mean()), 3), round(float(y[b].mean()), 3), len(b)]
            for b in np.array_split(order, 10)
            if len(b)
        ],
    }


def calibration_error(p: np.ndarray, y: np.ndarray) -> float:
    order = np.argsort(p, kind="stable")
    return float(sum(len(b) * abs(p[b].mean() - y[b].mean()) for b in np.array_split(order, 10) if len(b)) / len(p))


def show(table: dict) -> None:
    for suite, methods in table.items():
        for method, row in methods.items():
            if method == "confusion":
                for true, said in row.items():
                    right = f"{said.get(true, 0)}/{sum(said.values())}"
                    rest = ", ".join(f"{k} {v}" for k, v in said.items() if k != true)
                    print(f"{'':34} {true:20} {right:>7}  {rest and 'also named: ' + rest}")
                continue
            cells = "  ".join(f"{k} {v[0]:.3f} [{v[1]:.2f}, {v[2]:.2f}]" for k, v in row.items() if k != "n")
            print(f"{suite:34} {method:12} n={row['n']:3}  {cells}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200, help="simulated incidents of each kind")
    parser.add_argument("--half", choices=("dev", "test", "all"), default="dev", help="of PetShop and SMD")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fit", action="store_true", help="fit the confidence on seeds 101 and 102 and print it")
    parser.add_argument("--only", default="", help="suites that contain this word")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    makers = {
        "graphs": lambda: graph_cases(options.cases, options.seed),
        "account": lambda: account_cases(options.cases, options.seed),
        "kinds": lambda: kinds_cases(options.cases, options.seed),
        "planted": lambda: planted_cases(options.cases, options.seed),
        "petshop": lambda: petshop_cases(options.half),
    }
    there = DATA.exists()
    if not there:
        print("PetShop and SMD are skipped: shared/data/rootcause does not lie beside the checkout")
        makers = {name: make for name, make in makers.items() if name in SIMULATED}
    if options.fit:
        cases = (
            c for s in (101, 102) for make in (graph_cases, account_cases, kinds_cases) for c in make(options.cases, s)
        )
        _, seen = judge(cases, ("ours",))
        print("COEFFICIENTS =", fitted(seen), f"on {len(seen)} answers")
        return
    result, simulated = {}, []
    for name, make in makers.items():
        if options.only in name:
            begin = time.process_time()
            table, seen = judge(make())
            show(table)
            print(f"  {time.process_time() - begin:.1f} CPU s")
            result |= table
            simulated += seen if name in SIMULATED else []
            if name not in SIMULATED and seen:
                p = [sigmoid(x[0]) for x in seen]
                print(f"  mean confidence {np.mean(p):.3f}, right {np.mean([x[1] for x in seen]):.3f}")
    if there and options.only in "smd":
        for half in SMD_HALVES if options.half == "all" else (options.half,):
            table = smd(half)
            show(table)
            result |= table
    if simulated:
        result["confidence"] = reliability(simulated)
        print("confidence", result["confidence"])
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
