"""Simple rules as members: yesterday, last week, the usual day, each also moved to the present level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aws_auto.ml.forecast.group import Bands, targets, to_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.panel import Design

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """The rules and further points of a design, each with the quantiles of its own past errors."""

    names: tuple[str, ...]
    bands: Bands

    kind: ClassVar[str] = "rules"

    @classmethod
    def fit(cls, design: Design) -> Rules:
        """Learn what each rule missed."""
        points = _points(design)
        return cls(tuple(points), Bands.fit(design.resources, list(points.values()), targets(design)))

    def members(self, design: Design) -> Floats:
        """See `Group.members`."""
        points = _points(design)
        out = self.bands.around([points[name] for name in self.names], design.resources)
        return np.where(design.answerable()[None, ..., None], out, np.nan)

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """See `Group.parts`."""
        return {"names": list(self.names), "bands": self.bands.to_json()}, {}

    @classmethod
    def of_parts(cls, body: Mapping[str, Any], _parts: Mapping[str, bytes]) -> Rules:
        """The inverse of `parts`."""
        return cls(tuple(body["names"]), Bands.from_json(body["bands"]))


def _points(design: Design) -> dict[str, Floats]:
    return {name: to_unit(design, table) for name, table in {**design.rules, **design.points}.items()}
