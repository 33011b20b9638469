"""The simple rules that every forecaster must beat, with the quantiles of their own past errors as interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Errors older than this many origins say little about today's.
MEMORY = 672
LEAST_ERRORS = 20


def error_quantiles(errors: Floats, scale: Floats, levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Quantiles of errors by resource, and of all errors in units of the scale for those with too few of their own.

    Args:
        errors: truth minus rule, shape ``(resources, origins, steps)``, newest last.
        scale: shape ``(resources,)``.
        levels: in (0, 1).

    Returns:
        ``(resources, steps, levels)`` and ``(steps, levels)``.
    """
    recent = errors[:, -MEMORY:]
    with np.errstate(all="ignore"):
        relative = recent / np.where(scale > 0, scale, np.nan)[:, None, None]
    pooled = _quantiles(relative.reshape(-1, relative.shape[2])[None], levels)[0]
    own = np.stack([_quantiles(recent[r][None], levels)[0] for r in range(len(recent))])
    few = np.isfinite(recent).sum(axis=1) < LEAST_ERRORS
    return np.where(few[..., None], pooled[None] * scale[:, None, None], own), pooled


def _quantiles(errors: Floats, levels: Sequence[float]) -> Floats:
    """``(n, origins, steps)`` -> ``(n, steps, levels)``, 0 where nothing was seen."""
    out = np.zeros((len(errors), errors.shape[2], len(levels)))
    for n in range(len(errors)):
        for step in range(errors.shape[2]):
            seen = errors[n, :, step]
            seen = seen[np.isfinite(seen)]
            if len(seen):
                out[n, step] = np.quantile(seen, levels)
    return out


@dataclass(frozen=True)
class ErrorBand:
    """Past errors of one rule: by resource, and relative to a resource's scale for one never seen before."""

    rule: str
    resources: tuple[str, ...]
    own: Floats
    pooled: Floats

    @classmethod
    def fit(
        cls, rule: str, resources: tuple[str, ...], errors: Floats, scale: Floats, levels: Sequence[float]
    ) -> ErrorBand:
        """Learn the quantiles of ``errors`` (resources, origins, steps)."""
        return cls(rule, resources, *error_quantiles(errors, scale, levels))

    def around(self, points: Floats, resources: Sequence[str], scale: Floats) -> Floats:
        """Quantiles around point forecasts ``(resources, origins, steps)`` -> ``(..., levels)``.

        Args:
            points: what the rule says.
            resources: names of the rows.
            scale: size of each row and origin, shape ``(resources, origins)``.
        """
        known = {name: i for i, name in enumerate(self.resources)}
        band = np.empty((*points.shape, self.pooled.shape[-1]))
        for row, name in enumerate(resources):
            at = known.get(name)
            band[row] = self.own[at][None] if at is not None else scale[row][:, None, None] * self.pooled[None]
        return points[..., None] + band

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "rule": self.rule,
            "resources": list(self.resources),
            "own": self.own.tolist(),
            "pooled": self.pooled.tolist(),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> ErrorBand:
        """The inverse of `to_json`."""
        own, pooled = np.asarray(said["own"], float), np.asarray(said["pooled"], float)
        return cls(str(said["rule"]), tuple(said["resources"]), own, pooled)
