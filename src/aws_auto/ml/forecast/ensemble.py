"""The learned forecaster of demand: a line and boosted quantiles beside simple rules, weighed series by series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aws_auto.ml.forecast import adaptive
from aws_auto.ml.forecast.adaptive import Trust
from aws_auto.ml.forecast.boosted import PART, Growth, QuantileBooster
from aws_auto.ml.forecast.lines import line_of_all, on_line, own_lines
from aws_auto.ml.forecast.naive import error_quantiles
from aws_auto.ml.forecast.panel import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.panel import Design

    Floats = NDArray[np.float64]

DENSE = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
#: Truth beyond this many units of its series is drawn in before anything is learned from it.
WILD = 25.0
OWN, ALL = "own line", "line of all"
#: Trees of the residual: fewer and larger than for cost, as eleven levels cost eleven times as much.
GROWTH = Growth(rounds=70, depth=6, eta=0.12, bins=64, least=60, least_share=0.0, most_rows=40_000)
#: Stored figures are rounded to this many decimals in units of the series.
DECIMALS = 5


@dataclass(frozen=True)
class Ensemble:
    """Members, what their errors look like, and how far each is trusted.

    Attributes:
        lines: coefficients of the robust line of each step, the constant last, ``(S, k + 1)``.
        own_lines: the same for each series, ``(R, S, k + 1)``.
        boosters: quantiles of what a line misses, in units of the series, by the name of the line.
        rules: names of the members with a point forecast, in the order of ``own``.
        resources: rows of ``own_lines`` and ``own``.
        own: quantiles of each rule's errors by series in units of the series, ``(rules, R, S, levels)``.
        pooled: the same over all series, ``(rules, S, levels)``.
        trust: weights and widths.
        floor: bounds the answer from below.
    """

    lines: Floats
    own_lines: Floats
    boosters: Mapping[str, QuantileBooster]
    rules: tuple[str, ...]
    resources: tuple[str, ...]
    own: Floats
    pooled: Floats
    trust: Trust
    floor: float | None

    #: Trust is told every hour, so the held-back part is too.
    every_hour: ClassVar[bool] = True

    @property
    def levels(self) -> tuple[float, ...]:
        """Quantile levels of `dense`."""
        return DENSE

    @classmethod
    def fit(cls, design: Design, *, floor: float | None, seed: int) -> Ensemble:
        """Learn the members from the cells of a design whose truth is known; nothing is weighed yet."""
        mask = design.answerable() & np.isfinite(design.truth)
        target = np.where(mask, _to_unit(design, design.truth), np.nan)
        tame = target.clip(-WILD, WILD)
        chosen = _thinned(mask, seed)
        lines = line_of_all(design.base, tame, chosen).round(DECIMALS)
        own = own_lines(lines, design.base, tame).round(DECIMALS)
        straight = _lines(design, lines, own)
        boosters = {
            name: QuantileBooster.fit(
                line[chosen][:, None], _columns(design, line, chosen), tame[chosen], DENSE, seed=seed, growth=GROWTH
            )
            for name, line in straight.items()
        }
        points = _points(design, straight[OWN])
        bands = [error_quantiles(target - p, np.ones(len(target)), DENSE) for p in points.values()]
        return cls(
            lines=lines,
            own_lines=own,
            boosters=boosters,
            rules=tuple(points),
            resources=design.resources,
            own=np.stack([by_series for by_series, _ in bands]).round(DECIMALS),
            pooled=np.stack([of_all for _, of_all in bands]).round(DECIMALS),
            trust=Trust.fresh(design.resources, len(points) + len(boosters)),
            floor=floor,
        )

    def members(self, design: Design) -> Floats:
        """Quantiles of each member, the boosted ones first, ``(M, R, O, S, levels)``; NaN where none can answer."""
        mask = design.answerable()
        place = {name: i for i, name in enumerate(self.resources)}
        at = np.array([place.get(name, -1) for name in design.resources], dtype=np.int64)
        straight = _lines(design, self.lines, np.where(at[:, None, None] < 0, self.lines, self.own_lines[at]))
        members = np.full((len(self.boosters) + len(self.rules), *mask.shape, len(DENSE)), np.nan)
        for i, (name, booster) in enumerate(self.boosters.items()):
            line = straight[name]
            members[i, mask] = booster.predict(line[mask][:, None], _columns(design, line, mask))
        points = _points(design, straight[OWN])
        band = np.where(at[:, None, None] < 0, self.pooled[:, None], self.own[:, at])
        simple = np.stack([points[name] for name in self.rules])[..., None] + band[:, :, None]
        members[len(self.boosters) :, mask] = simple[:, mask]
        center = np.zeros_like(design.scale) if design.center is None else design.center
        return center[..., None, None] + members * design.scale[..., None, None]

    def dense(self, design: Design) -> Floats:
        """``(R, O, S, levels)`` at `levels`, with what is known now."""
        trust = self.trust.rows(design.resources)
        out = adaptive.mixed(self.members(design), trust.weights(self.trust.pooled()), trust.width, DENSE)
        return out if self.floor is None else np.maximum(out, self.floor)

    def quantiles(self, design: Design) -> Floats:
        """``(R, O, S, levels)`` at the levels of every forecaster."""
        return self.dense(design)[..., [DENSE.index(level) for level in LEVELS]]

    def observed(self, design: Design) -> Ensemble:
        """After the truth of these origins, oldest first, has come; nothing is fitted. O(1) for each of them."""
        return self.calibrated([(self, design)])

    def calibrated(self, held: Sequence[tuple[Ensemble, Design]]) -> Ensemble:
        """Trust carried through origins that the model beside each design was not fitted on, oldest first."""
        trust = self.trust
        for model, design in held:
            rows = trust.rows(design.resources)
            members = model.members(design)
            _, rows = adaptive.played(rows, members, design.truth, design.scale, DENSE, trust.pooled())
            trust = _merged(trust, rows)
        return replace(self, trust=trust)

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Body and files of a bundle."""
        packed = [booster.parts() for booster in self.boosters.values()]
        return {
            "kind": "ensemble",
            "lines": self.lines.tolist(),
            "own_lines": self.own_lines.tolist(),
            "boosters": {name: body for name, (body, _) in zip(self.boosters, packed, strict=True)},
            "rules": list(self.rules),
            "resources": list(self.resources),
            "own": self.own.tolist(),
            "pooled": self.pooled.tolist(),
            "trust": self.trust.to_json(),
            "floor": self.floor,
        }, {_file_of(name): parts[PART] for name, (_, parts) in zip(self.boosters, packed, strict=True)}

    @classmethod
    def of_parts(cls, body: Mapping[str, Any], parts: Mapping[str, bytes]) -> Ensemble:
        """The inverse of `parts`."""
        boosters = {
            name: QuantileBooster.of_parts(body["boosters"][name], {PART: parts[_file_of(name)]}) for name in (OWN, ALL)
        }
        return cls(
            lines=np.asarray(body["lines"], float),
            own_lines=np.asarray(body["own_lines"], float),
            boosters=boosters,
            rules=tuple(body["rules"]),
            resources=tuple(body["resources"]),
            own=np.asarray(body["own"], float),
            pooled=np.asarray(body["pooled"], float),
            trust=Trust.from_json(body["trust"]),
            floor=body["floor"],
        )


def _file_of(line: str) -> str:
    return f"booster-{line.replace(' ', '-')}.ubj"


def _merged(all_of: Trust, rows: Trust) -> Trust:
    """Rows put back in their places; series never seen before are left out, as their errors are not known."""
    place = {name: i for i, name in enumerate(rows.resources)}
    at = np.array([place.get(name, -1) for name in all_of.resources], dtype=np.int64)
    there = at >= 0

    def put(old: Floats, new: Floats) -> Floats:
        out = old.copy()
        out[there] = new[at[there]]
        return out

    return replace(
        all_of,
        loss=put(all_of.loss, rows.loss),
        seen=put(all_of.seen, rows.seen),
        width=put(all_of.width, rows.width),
    )


def _to_unit(design: Design, table: Floats) -> Floats:
    center = 0.0 if design.center is None else design.center[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((table - center) / design.scale[..., None])


def _lines(design: Design, lines: Floats, own: Floats) -> dict[str, Floats]:
    """What the lines say by name in units of the series; each carries a booster."""
    return {
        OWN: on_line(own, design.base),
        ALL: on_line(np.broadcast_to(lines, own.shape), design.base),
    }


def _points(design: Design, line: Floats) -> dict[str, Floats]:
    """Point forecasts by name in units of the series."""
    named = {**design.rules, **design.points}
    return {OWN: line, **{name: _to_unit(design, table) for name, table in named.items()}}


def _columns(design: Design, line: Floats, mask: NDArray[np.bool_]) -> Floats:
    return np.concatenate([design.base[mask], design.features[mask], line[mask][:, None]], axis=1)


def _thinned(mask: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """At most `GROWTH.most_rows` true cells, chosen at random."""
    at = np.flatnonzero(mask)
    if len(at) <= GROWTH.most_rows:
        return mask
    out = np.zeros(mask.size, dtype=bool)
    out[np.random.default_rng(seed).choice(at, GROWTH.most_rows, replace=False)] = True
    return out.reshape(mask.shape)
