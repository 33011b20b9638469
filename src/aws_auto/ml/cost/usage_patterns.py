"""How each resource is used: idle, steady, periodic, bursty, growing or always-on, by a random forest.

``always-on`` works in office hours and runs day and night for it; the other words mean what they say. No account has
labels, so the forest is taught by made series (`usage_patterns_made`) and its figures are of other made series; on real
traces only its consistency can be measured (``python bench/usage_patterns.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml import files
from aws_auto.ml.cost.usage_patterns_made import PATTERNS, made
from aws_auto.ml.cost.usage_patterns_shape import DAY, shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NAME = "usage-classifier"
#: What is looked at, best first, and whether it is in per cent of a capacity.
METRICS = {"cpu_utilization": True, "request_count": False, "network_io": False, "memory_utilization": True}
LEAST_DAYS, MOST_DAYS = 14, 60
_SEEN = 0.8
_PER_PATTERN, _TREES, _LEAF = 150, 100, 2
#: A percentage that never reaches this is idle, whatever its shape; see the finops notes on idle rules in use.
IDLE_BELOW = 5.0


@dataclass(frozen=True, kw_only=True)
class UsagePattern:
    """How one resource is used.

    Attributes:
        resource_id: whose.
        pattern: one of `PATTERNS`; None where nothing can be said.
        probability: the share of the trees that say so.
        metric: what was looked at.
        days: how long.
        why: what it rests on, or why nothing is said and what to collect.
    """

    resource_id: str
    pattern: str | None
    probability: float | None
    metric: str | None
    days: float
    why: str


@dataclass(frozen=True, eq=False)
class UsageClassifier:
    """A fitted forest."""

    forest: Any

    @classmethod
    def fit(cls, *, seed: int) -> UsageClassifier:
        """Learn from made series of 14 to 60 days, as many of each pattern."""
        from sklearn.ensemble import RandomForestClassifier

        known, labels = examples(_PER_PATTERN, seed=seed)
        forest = RandomForestClassifier(_TREES, min_samples_leaf=_LEAF, random_state=seed, n_jobs=1)
        return cls(forest.fit(known, labels))

    def probabilities(self, known: Floats) -> Floats:
        """Share of the trees for each of `PATTERNS`, ``(n, patterns)``, from the numbers of `shape`."""
        found = np.zeros((len(known), len(PATTERNS)))
        found[:, self.forest.classes_] = self.forest.predict_proba(known)
        return found

    def analyze(self, rows: pl.DataFrame) -> tuple[UsagePattern, ...]:
        """The pattern of every resource in these rows, from its last 60 days at most.

        Args:
            rows: the table of a `aws_auto.frame.MetricFrame`.

        Raises:
            SchemaError: none of `METRICS` is there.
        """
        there = [name for name in METRICS if name in rows.columns]
        if not there:
            raise SchemaError(f"none of {', '.join(METRICS)} is there", where=NAME, hint="collect cpu_utilization")
        grids = {name: _grids(rows, name) for name in there}
        return tuple(self._one(name, grids) for name in sorted(rows[RESOURCE].unique()))

    def _one(self, resource: str, grids: Mapping[str, Mapping[str, Floats]]) -> UsagePattern:
        usable = {metric: grid[resource] for metric, grid in grids.items() if resource in grid}
        metric = next((name for name, hours in usable.items() if _enough(hours)), None)
        if metric is None:
            longest = max((len(hours) / DAY for hours in usable.values()), default=0.0)
            return UsagePattern(
                resource_id=resource,
                pattern=None,
                probability=None,
                metric=None,
                days=longest,
                why=f"{longest:.1f} days are known; {LEAST_DAYS} days with {_SEEN:.0%} of the hours of"
                f" {' or '.join(METRICS)} are needed",
            )
        hours = usable[metric]
        days = len(hours) / DAY
        top = float(np.nanmax(hours))
        if top <= 0 or (METRICS[metric] and top < IDLE_BELOW):
            return UsagePattern(
                resource_id=resource,
                pattern="idle",
                probability=1.0,
                metric=metric,
                days=days,
                why=f"the hourly mean of {metric} never passed {top:.3g} in {days:.0f} days",
            )
        share = self.probabilities(shape(hours, percent=METRICS[metric])[None])[0]
        best = int(np.argmax(share))
        return UsagePattern(
            resource_id=resource,
            pattern=PATTERNS[best],
            probability=float(share[best]),
            metric=metric,
            days=days,
            why=f"{share[best]:.0%} of the trees, from the shape of {metric} in {days:.0f} days",
        )

    def files(self) -> dict[str, bytes]:
        """A bundle that `load` reads, without pickle."""
        return files.bundle(NAME, {"patterns": list(PATTERNS)}, {"forest.skops": files.to_skops(self.forest)})

    @classmethod
    def load(cls, given: Mapping[str, bytes]) -> UsageClassifier:
        """The inverse of `files`.

        Raises:
            ArtifactError: the files are damaged or foreign.
        """
        _, parts = files.open_bundle(given, NAME)
        return cls(files.from_skops(parts["forest.skops"]))


def examples(per_pattern: int, *, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Numbers and labels of made series, ``per_pattern`` of each."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(PATTERNS)), per_pattern)
    known = [
        shape(made(PATTERNS[label], days=int(rng.integers(LEAST_DAYS, MOST_DAYS + 1)), rng=rng), percent=True)
        for label in labels
    ]
    return np.stack(known), labels


def by_rule(known: Floats) -> NDArray[np.int64]:
    """What a short list of thresholds says, as places in `PATTERNS`: the simple rule that the forest must beat."""
    level, top, variation, _, daily, _, _, bursts, _, near_nothing, quiet, _, trend, steady = known.T
    del level
    named = {name: i for i, name in enumerate(PATTERNS)}
    return np.select(
        [
            top < IDLE_BELOW,
            (trend > 0.3) & (steady > 0.7),
            (quiet < 0.15) & (near_nothing > 0.5) & (daily > 0.4),
            daily > 0.5,
            (bursts > 3.0) | (variation > 1.0),
        ],
        [named["idle"], named["growing"], named["always-on"], named["periodic"], named["bursty"]],
        named["steady"],
    )


def _enough(hours: Floats) -> bool:
    return len(hours) >= LEAST_DAYS * DAY and float(np.isfinite(hours).mean()) >= _SEEN


def _grids(rows: pl.DataFrame, metric: str) -> dict[str, Floats]:
    """Hourly means without a gap by resource, the last `MOST_DAYS` of it; nan is unknown."""
    by_hour = (
        rows.filter(pl.col(metric).is_not_null())
        .group_by(RESOURCE, (pl.col(TIMESTAMP).dt.epoch("s") // 3600).alias("hour"))
        .agg(pl.col(metric).mean())
        .sort(RESOURCE, "hour")
    )
    found = {}
    for (name,), part in by_hour.group_by(RESOURCE, maintain_order=True):
        hour = part["hour"].to_numpy()
        grid = np.full(int(hour[-1] - hour[0]) + 1, np.nan)
        grid[hour - hour[0]] = part[metric].to_numpy()
        found[str(name)] = grid[-MOST_DAYS * DAY :]
    return found
