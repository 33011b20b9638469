"""Members of the ensemble: what a group of forecasters that are fitted together must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from aws_auto.ml.forecast.naive import error_quantiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.panel import Design

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

DENSE = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
#: Truth beyond this many units of its series is drawn in before anything is learned from it.
WILD = 25.0
#: Stored figures are rounded to this many decimals in units of the series.
DECIMALS = 5


class Group(Protocol):
    """One or more forecasters that answer at the levels `DENSE`, in units of the series."""

    kind: ClassVar[str]

    @property
    def names(self) -> tuple[str, ...]:
        """Of its members."""
        ...

    def members(self, design: Design) -> Floats:
        """Quantiles in units of the series, ``(m, R, O, S, levels)``; NaN where none can answer."""
        ...

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Body and files of a bundle; a file's name begins with the kind."""
        ...


@dataclass(frozen=True)
class Bands:
    """Quantiles of the past errors of point forecasts, in units of the series.

    Attributes:
        resources: rows of ``own``.
        own: by series, ``(m, R, S, levels)``.
        pooled: over all series, for those never seen, ``(m, S, levels)``.
    """

    resources: tuple[str, ...]
    own: Floats
    pooled: Floats

    @classmethod
    def fit(cls, resources: tuple[str, ...], points: Sequence[Floats], target: Floats) -> Bands:
        """From what each point forecast, ``(R, O, S)``, missed; the newest origin is the last."""
        found = [error_quantiles(target - p, np.ones(len(target)), DENSE) for p in points]
        own, pooled = (np.stack(tables).round(DECIMALS) for tables in zip(*found, strict=True))
        return cls(resources, own, pooled)

    def around(self, points: Sequence[Floats], resources: Sequence[str]) -> Floats:
        """``(m, R, O, S, levels)``."""
        at = places(resources, self.resources)
        band = np.where(at[:, None, None] < 0, self.pooled[:, None], self.own[:, at])
        return np.asarray(np.stack(list(points))[..., None] + band[:, :, None])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"resources": list(self.resources), "own": self.own.tolist(), "pooled": self.pooled.tolist()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Bands:
        """The inverse of `to_json`."""
        return cls(tuple(said["resources"]), np.asarray(said["own"], float), np.asarray(said["pooled"], float))


def to_unit(design: Design, table: Floats) -> Floats:
    """A table ``(R, O, S)`` as distances from the level of the series, in its unit."""
    center = 0.0 if design.center is None else design.center[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((table - center) / design.scale[..., None])


def from_unit(design: Design, members: Floats) -> Floats:
    """The inverse of `to_unit` for ``(m, R, O, S, levels)``."""
    center = np.zeros_like(design.scale) if design.center is None else design.center
    return np.asarray(center[..., None, None] + members * design.scale[..., None, None])


def targets(design: Design) -> Floats:
    """Truth in units of the series where it is known and can be learned from, else NaN, ``(R, O, S)``."""
    mask = design.answerable() & np.isfinite(design.truth)
    return np.where(mask, to_unit(design, design.truth), np.nan)


def places(names: Sequence[str], among: Sequence[str]) -> Ints:
    """Where each name stands, -1 where it does not."""
    at = {name: i for i, name in enumerate(among)}
    return np.array([at.get(name, -1) for name in names], dtype=np.int64)
