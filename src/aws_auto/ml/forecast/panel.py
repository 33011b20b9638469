"""Forecasting many series with one model: what is known at each origin, and two ways to turn it into quantiles."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from aws_auto.ml.forecast import conformal
from aws_auto.ml.forecast.boosted import QuantileBooster
from aws_auto.ml.forecast.naive import ErrorBand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.grid import HourGrid

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEVELS = (0.1, 0.5, 0.9)
MOST_CELLS = 120_000


@dataclass(frozen=True, kw_only=True)
class Design:
    """What is known at each origin. Shapes in R resources, O origins, S steps.

    Attributes:
        resources: names of the R rows.
        scale: size of each series as known at each origin, ``(R, O)``; NaN where too little was seen to answer.
        base: columns of the line in units of the scale, finite where the scale is, ``(R, O, S, k)``.
        features: columns of the trees, NaN allowed, ``(R, O, S, m)``.
        truth: what came, NaN where unknown, ``(R, O, S)``.
        rules: the simple rules' forecasts by name, ``(R, O, S)``.
        center: level that ``base`` and ``features`` are measured from, ``(R, O)``; None for zero.
        points: further forecasts that an ensemble may weigh, by name, ``(R, O, S)``.
        steps: hours from the origin to each target; empty where targets are no single hours.
        grid: where it was taken, for members that read the series itself.
        origins: the columns of ``grid``, ``(R, O)``.
        marked: targets that something known ahead moves, or whose yesterday or last week it moved, ``(R, O, S)``; None
            where nothing is known ahead.
    """

    resources: tuple[str, ...]
    scale: Floats
    base: Floats
    features: Floats
    truth: Floats
    rules: Mapping[str, Floats]
    center: Floats | None = None
    points: Mapping[str, Floats] = field(default_factory=dict)
    steps: tuple[int, ...] = ()
    grid: HourGrid | None = None
    origins: Ints | None = None
    marked: NDArray[np.bool_] | None = None

    def rows(self, mask: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        """Line columns, tree columns and scale of the cells where the mask ``(R, O, S)`` is true."""
        return self.base[mask], self.features[mask], np.broadcast_to(self.scale[..., None], mask.shape)[mask]

    def part(self, rows: slice) -> Design:
        """The same of some of the resources."""

        def cut(named: Mapping[str, Floats]) -> dict[str, Floats]:
            return {name: table[rows] for name, table in named.items()}

        return replace(
            self,
            resources=self.resources[rows],
            scale=self.scale[rows],
            base=self.base[rows],
            features=self.features[rows],
            truth=self.truth[rows],
            rules=cut(self.rules),
            center=None if self.center is None else self.center[rows],
            points=cut(self.points),
            grid=self.grid and self.grid.part(rows),
            origins=None if self.origins is None else self.origins[rows],
            marked=None if self.marked is None else self.marked[rows],
        )

    def answerable(self) -> NDArray[np.bool_]:
        """Cells that can be forecast, ``(R, O, S)``."""
        known = np.isfinite(self.scale) & (self.scale > 0)
        return np.broadcast_to(known[..., None], self.truth.shape)


class Panel(Protocol):
    """A forecasting problem: a grid, and the design at any of its columns."""

    @property
    def grid(self) -> HourGrid:
        """Where the origins lie."""
        ...

    @property
    def reach(self) -> int:
        """How many columns after its origin the last target ends."""
        ...

    def design(self, origins: Ints) -> Design:
        """What is known at these columns; truth only where the grid holds it."""
        ...


class Forecaster(Protocol):
    """Turns a design into quantiles."""

    #: Whether what came changes its answers hour by hour.
    every_hour: ClassVar[bool]
    #: Quantile levels of its answers, ascending, those of `LEVELS` among them.
    levels: ClassVar[tuple[float, ...]]

    def quantiles(self, design: Design) -> Floats:
        """``(R, O, S, levels)`` with what was known when it was fitted, NaN where nothing can be said."""
        ...

    def played(self, design: Design) -> tuple[Floats, Self]:
        """What is said at origins in order of time, each knowing what came before it, and the forecaster after them.

        For one that follows every hour, origins are an hour apart, and the first ``max(steps)`` of them had their own
        hours told before.
        """
        ...

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Body and files of a bundle."""
        ...


class Learned(Forecaster, Protocol):
    """A forecaster that is fitted, and calibrated on what it was not fitted on."""

    def taught(self, *earlier: Self) -> Self:
        """This one with what earlier fits learned from the origins that they played and were not fitted on."""
        ...


class Family(Protocol):
    """Fits a learned forecaster."""

    def fit(
        self,
        design: Design,
        *,
        floor: float | None,
        seed: int,
        before: Any = None,  # noqa: ANN401 - a Learned of the same family
    ) -> Any:  # noqa: ANN401 - a Learned
        """Learn from the cells of a design whose truth is known; ``before`` was fitted on the older ones of them."""
        ...


@dataclass(frozen=True)
class Boosted:
    """The learned forecaster: booster and conformal factors by step; ``floor`` bounds the answer from below.

    Attributes:
        seen: designs that it answered and was not fitted on, with the answers before any stretching; not stored.
    """

    booster: QuantileBooster
    factors: Floats
    floor: float | None
    seen: tuple[tuple[Design, Floats], ...] = ()

    every_hour: ClassVar[bool] = False
    levels: ClassVar[tuple[float, ...]] = LEVELS

    @classmethod
    def fit(
        cls,
        design: Design,
        *,
        floor: float | None,
        seed: int,
        before: Boosted | None = None,  # noqa: ARG003 - trees are grown anew
    ) -> Boosted:
        """Learn from the cells of a design whose truth is known; intervals are not stretched yet."""
        mask = design.answerable() & np.isfinite(design.truth)
        base, features, scale = design.rows(mask)
        booster = QuantileBooster.fit(base, features, design.truth[mask] / scale, LEVELS, seed=seed)
        return cls(booster, np.ones((design.truth.shape[2], len(LEVELS))), floor)

    def taught(self, *earlier: Boosted) -> Boosted:
        """Stretched as far as all that the earlier ones answered asks for."""
        return replace(self, factors=joint_factors([pair for one in earlier for pair in one.seen]))

    def played(self, design: Design) -> tuple[Floats, Boosted]:
        """See `Forecaster.played`: the answers stay as they are."""
        bare = self.bare(design)
        return self._stretched(design, bare), replace(self, seen=(*self.seen, (design, bare)))

    def bare(self, design: Design) -> Floats:
        """Quantiles before any stretching or bound, ``(R, O, S, levels)``."""
        out = np.full((*design.truth.shape, len(LEVELS)), np.nan)
        mask = design.answerable()
        base, features, scale = design.rows(mask)
        out[mask] = self.booster.predict(base, features) * scale[:, None]
        return out

    def quantiles(self, design: Design) -> Floats:
        """``(R, O, S, levels)``."""
        return self._stretched(design, self.bare(design))

    def _stretched(self, design: Design, bare: Floats) -> Floats:
        out = bare.copy()
        for step, factors in enumerate(self.factors):
            out[:, :, step] = conformal.stretched(out[:, :, step], factors, LEVELS, design.scale)
        return out if self.floor is None else np.maximum(out, self.floor)

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Body and files of a bundle."""
        body, parts = self.booster.parts()
        return {"kind": "boosted", "booster": body, "factors": self.factors.tolist(), "floor": self.floor}, parts


@dataclass(frozen=True)
class Rule:
    """A simple rule with the quantiles of its own past errors around it."""

    band: ErrorBand
    floor: float | None

    every_hour: ClassVar[bool] = False
    levels: ClassVar[tuple[float, ...]] = LEVELS

    @classmethod
    def fit(cls, name: str, past: Design, *, floor: float | None) -> Rule:
        """Learn the errors that the rule made at the origins of ``past``."""
        errors = past.truth - past.rules[name]
        return cls(ErrorBand.fit(name, past.resources, errors, typical_size(past), LEVELS), floor)

    def quantiles(self, design: Design) -> Floats:
        """``(R, O, S, levels)``."""
        out = np.sort(
            self.band.around(design.rules[self.band.rule], design.resources, np.nan_to_num(design.scale)), axis=-1
        )
        return out if self.floor is None else np.maximum(out, self.floor)

    def played(self, design: Design) -> tuple[Floats, Rule]:
        """See `Forecaster.played`: a rule stays as it is."""
        return self.quantiles(design), self

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Body and files of a bundle."""
        return {"kind": "rule", "band": self.band.to_json(), "floor": self.floor}, {}


def joint_factors(answers: Sequence[tuple[Design, Floats]]) -> Floats:
    """Stretch factors by step, ``(S, levels)``, from designs and what was said of them, ``(R, O, S, levels)``.

    Resources that never change say nothing about the width that the others need.
    """
    factors = []
    for step in range(answers[0][0].truth.shape[2]):
        y = np.concatenate([np.where(moves(d.truth), d.truth[:, :, step], np.nan).ravel() for d, _ in answers])
        quantiles = np.concatenate([q[:, :, step].reshape(-1, len(LEVELS)) for _, q in answers])
        scale = np.concatenate([d.scale.ravel() for d, _ in answers])
        factors.append(conformal.stretch(y, quantiles, LEVELS, scale))
    return np.stack(factors)


def usual(answers: Floats, levels: Sequence[float]) -> Floats:
    """The levels `LEVELS` out of all that a forecaster answers."""
    return answers[..., [list(levels).index(level) for level in LEVELS]]


def forecaster_of(body: Mapping[str, Any], parts: Mapping[str, bytes]) -> Forecaster:
    """The inverse of ``parts()`` of any kind.

    Raises:
        KeyError: the body is none of ours.
        ArtifactError: a file is damaged.
    """
    if body["kind"] == "rule":
        return Rule(ErrorBand.from_json(body["band"]), body["floor"])
    if body["kind"] == "ensemble":
        from aws_auto.ml.forecast.ensemble import Ensemble

        return Ensemble.of_parts(body, parts)
    return Boosted(QuantileBooster.of_parts(body["booster"], parts), np.asarray(body["factors"], float), body["floor"])


def typical_size(design: Design) -> Floats:
    """Mean absolute truth of each resource, ``(R,)``; 0 where nothing was seen."""
    seen = np.isfinite(design.truth)
    total = np.where(seen, np.abs(design.truth), 0.0).sum(axis=(1, 2))
    return np.asarray(total / np.maximum(seen.sum(axis=(1, 2)), 1))


def moves(truth: Floats) -> NDArray[np.bool_]:
    """Which resources change at all, ``(R, 1)``."""
    flat = truth.reshape(len(truth), -1)
    seen = np.isfinite(flat)
    high = np.where(seen, flat, -np.inf).max(axis=1)
    low = np.where(seen, flat, np.inf).min(axis=1)
    size = np.where(seen, np.abs(flat), 0.0).max(axis=1)
    return np.asarray(high - low > 1e-6 * size)[:, None]


def sampled_origins(panel: Panel, limit: int, seed: int) -> Ints:
    """Origins to learn from: all whose targets end before ``limit``, thinned at random when they are too many."""
    origins = np.arange(0, limit - panel.reach, dtype=np.int64)
    most = max(MOST_CELLS // max(len(panel.grid.resources), 1), 24)
    if len(origins) > most:
        origins = np.sort(np.random.default_rng(seed).choice(origins, most, replace=False))
    return origins


def recent_origins(panel: Panel, limit: int, most: int = 672) -> Ints:
    """The last ``most`` origins whose targets end before ``limit``."""
    return np.arange(max(limit - panel.reach - most, 0), limit - panel.reach, dtype=np.int64)
