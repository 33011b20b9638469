"""What a workload is asked to do, with what, and how it was of late: the inputs of the performance predictor.

Everything is relative to what is usual for the resource, so that one network serves fleets of any size and a resource
that was not there in training is judged like the others.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Names = NDArray[np.object_]

#: How a resource's own share of breaches is drawn to that of all: as if it had this many more rows.
SHRINK = 5.0
#: Facts of a resource before those about its latency: load, instances, cpu, memory, log-odds of a breach.
FACTS = 5
#: Less than this share of the usual is as good as nothing.
LEAST = 0.01
#: In logs of latency, how near the objective is near: 15 % off.
NEAR = 0.15
#: Names and directions of the inputs: 1 can only raise the risk, -1 only lower it, 0 may do either.
INPUTS = (
    ("load", 1),
    ("rise of load", 1),
    ("expected utilisation", 1),
    ("instances", -1),
    ("memory", 0),
    ("errors", 0),
    ("latency is unknown", 0),
    ("usual share of breaches", 0),
    ("latency is near its objective", 0),
)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One row a question. Shapes ``(n,)`` unless said; NaN where unknown.

    Attributes:
        resource: whose.
        load: requests a second that are to be served.
        instances: that are to serve them.
        load_before: when the state was seen, as the four below it.
        instances_before: when the state was seen.
        cpu: per cent.
        memory: in any unit, the same for all rows of a resource.
        errors: per cent of requests.
        latency: one column for each statistic, milliseconds, ``(n, q)``; the objective is about the column ``about``.
        objective: latency that shall not be passed, milliseconds.
        about: see ``latency``.
    """

    resource: Names
    load: Floats
    instances: Floats
    load_before: Floats
    instances_before: Floats
    cpu: Floats
    memory: Floats
    errors: Floats
    latency: Floats
    objective: Floats
    about: int

    def __len__(self) -> int:
        return len(self.resource)

    def take(self, rows: NDArray[Any]) -> Situation:
        """Those rows: a mask, or places."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "about"}
        return replace(self, **arrays)


@dataclass(frozen=True)
class Usual:
    """What is usual for each resource: medians of training, and of all resources for one that was not there."""

    names: tuple[str, ...]
    values: Floats  # one row a resource, the last for strangers; columns: load, instances, cpu, memory, ...
    base: float

    @classmethod
    def fit(cls, rows: Situation, breach: Floats) -> Usual:
        """Learn from rows whose ``breach`` (0 or 1) is known."""
        names = tuple(sorted({str(n) for n in rows.resource}))
        base = float(breach.mean())
        table = [_medians(rows, breach, rows.resource == name, base) for name in names]
        everyone = np.array([_median(np.array(column)) for column in zip(*table, strict=True)])
        everyone[FACTS - 1] = _log_odds(base)
        return cls(names, np.vstack([*table, everyone]), base)

    def inputs(self, rows: Situation) -> tuple[Floats, Floats]:
        """The network's inputs ``(n, d)`` and their directions ``(d,)``."""
        usual = self.values[self.place(rows)].T
        load, many, cpu, memory, odds = usual[:FACTS]
        instances = _or(rows.instances, many)
        before = _or(rows.load_before, load)
        known, latency = usual[FACTS:], rows.latency[:, rows.about]
        over = np.log(np.maximum(_or(latency, known[rows.about]), 1e-3) / rows.objective)
        columns = (
            _logs(rows.load, load),
            _logs(rows.load, load) - _logs(before, load),
            _expected(rows, instances, before, _or(rows.instances_before, many), cpu),
            np.log(instances / many),
            np.log(np.maximum(_or(rows.memory, memory) / memory, LEAST)),
            np.log1p(_or(rows.errors, 0.0)),
            np.isnan(latency).astype(float),
            odds,
            np.tanh(over / NEAR),
            *(np.log(np.maximum(_or(rows.latency[:, q], known[q]) / known[q], LEAST)) for q in range(_width(rows))),
        )
        signs = [float(sign) for _, sign in INPUTS] + [0.0] * _width(rows)
        return np.nan_to_num(np.stack(columns, axis=1)), np.array(signs)

    def fact(self, rows: Situation, column: int) -> Floats:
        """One of ``values`` for each row."""
        return np.asarray(self.values[self.place(rows), column])

    def place(self, rows: Situation) -> list[int]:
        """The row of ``values`` for each row."""
        place = {name: i for i, name in enumerate(self.names)}
        return [place.get(str(n), len(self.names)) for n in rows.resource]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"names": list(self.names), "values": self.values.tolist(), "base": self.base}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Usual:
        """The inverse of `to_json`."""
        return cls(tuple(said["names"]), np.asarray(said["values"], float), float(said["base"]))


def _medians(rows: Situation, breach: Floats, mine: NDArray[np.bool_], base: float) -> list[float]:
    share = (breach[mine].sum() + SHRINK * base) / (mine.sum() + SHRINK)
    columns = (rows.load, rows.instances, rows.cpu, rows.memory)
    latencies = (_median(rows.latency[mine, q], 1.0) for q in range(_width(rows)))
    return [*(_median(c[mine], 1.0) for c in columns), _log_odds(float(share)), *latencies]


def _expected(rows: Situation, instances: Floats, before: Floats, had: Floats, cpu: Floats) -> Floats:
    """Busy share if a request costs what it cost when the state was seen, 0 to 2; the usual one where that is unknown.

    Utilisation law: utilisation = throughput x service demand / servers (Denning and Buzen 1978).
    """
    with np.errstate(all="ignore"):
        ratio = (rows.load / instances) / (before / had)
    ratio = np.where(np.isfinite(ratio), ratio, 1.0)
    return np.asarray(np.clip(_or(rows.cpu, cpu) / 100.0 * ratio, 0.0, 2.0))


def _logs(values: Floats, usual: Floats) -> Floats:
    """0 for nothing, log 2 for the usual, and as the logarithm from there on."""
    return np.asarray(np.log1p(np.maximum(values, 0.0) / usual))


def _or(values: Floats, otherwise: Floats | float) -> Floats:
    return np.asarray(np.where(np.isfinite(values), values, otherwise))


def _median(values: Floats, otherwise: float = 0.0) -> float:
    """Of what is positive: a machine that rests says nothing about what is usual for it."""
    known = values[np.isfinite(values) & (values > 0)]
    return float(np.median(known)) if len(known) else otherwise


def _log_odds(share: float) -> float:
    share = min(max(share, 1e-4), 1 - 1e-4)
    return float(np.log(share / (1 - share)))


def _width(rows: Situation) -> int:
    return int(rows.latency.shape[1])
