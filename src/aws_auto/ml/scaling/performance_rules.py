"""The simple rules that the performance predictor must beat: latency as it always is, or as it was an hour ago."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.ml.scaling.situation import FACTS, Situation, Usual

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RULES = ("as usual", "as an hour ago")
#: What is kept of an empirical distribution.
GRID = np.concatenate([[0.001, 0.005], np.linspace(0.01, 0.99, 99), [0.995, 0.999]])


@dataclass(frozen=True)
class RuleModel:
    """The distribution of latency over a reference, in logs, for each resource and the last row for strangers.

    Attributes:
        name: one of `RULES`; the reference is the usual latency, or the one that was seen.
        usual: see `Usual`.
        over: quantiles at `GRID`, ``(resources + 1, kinds, grid)``.
    """

    name: str
    usual: Usual
    over: Floats

    @classmethod
    def fit(cls, name: str, rows: Situation, truth: Floats) -> RuleModel:
        """Learn from latencies ``truth`` (NaN where unknown), ``(n, kinds)``."""
        judged = truth[:, rows.about]
        known = np.isfinite(judged) & np.isfinite(rows.objective)
        usual = Usual.fit(rows.take(known), (judged > rows.objective)[known].astype(float))
        bare = cls(name, usual, np.zeros(0))
        kinds = range(truth.shape[1])
        over = np.stack([np.log(truth[:, k].clip(1e-9)) - np.log(bare._reference(rows, k)) for k in kinds], axis=1)
        pooled = np.stack([_quantiles(over[:, k]) for k in kinds])
        own = [
            np.stack([_quantiles(over[rows.resource == r, k], otherwise=pooled[k]) for k in kinds]) for r in usual.names
        ]
        return cls(name, usual, np.stack([*own, pooled]))

    def risk(self, rows: Situation) -> Floats:
        """Probability that the judged latency passes the objective, ``(n,)``."""
        return self.passes(rows, rows.about, rows.objective)

    def passes(self, rows: Situation, kind: int, bound: Floats) -> Floats:
        """Probability that the latency of that kind passes ``bound``, ``(n,)``."""
        over = np.log(bound) - np.log(self._reference(rows, kind))
        table = self.over[self.usual.place(rows), kind]
        below = [np.interp(o, t, GRID, left=0.0, right=1.0) for o, t in zip(over, table, strict=True)]
        return np.where(np.isfinite(bound), 1.0 - np.array(below), np.nan)

    def quantiles(self, rows: Situation, kind: int, levels: Sequence[float]) -> Floats:
        """Quantiles of the latency of that kind, ``(n, levels)``."""
        table = np.stack([np.array([np.interp(level, GRID, t) for level in levels]) for t in self.over[:, kind]])
        return np.asarray(np.exp(table[self.usual.place(rows)]) * self._reference(rows, kind)[:, None])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"name": self.name, "usual": self.usual.to_json(), "over": self.over.tolist()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> RuleModel:
        """The inverse of `to_json`."""
        return cls(str(said["name"]), Usual.from_json(said["usual"]), np.asarray(said["over"], float))

    def _reference(self, rows: Situation, kind: int) -> Floats:
        usual, seen = self.usual.fact(rows, FACTS + kind), rows.latency[:, kind]
        if self.name == RULES[0]:
            return usual
        return np.where(np.isfinite(seen) & (seen > 0), seen, usual)


def _quantiles(values: Floats, otherwise: Floats | None = None) -> Floats:
    known = values[np.isfinite(values)]
    if not len(known):
        return np.zeros(len(GRID)) if otherwise is None else otherwise
    return np.asarray(np.quantile(known, GRID))
