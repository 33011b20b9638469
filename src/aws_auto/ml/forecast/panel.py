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
    """

    resources: tuple[str, ...]
    scale: Floats
    base: Floats
    features: Floats
    truth: Floats
    rules: Mapping[str, Floats]
    center: Floats | None = None
    points: Mapping[str, Floats] = field(default_factory=dict)

    def rows(self, mask: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        """Line columns, tree columns and scale of the cells where the mask ``(R, O, S)`` is true."""
        return self.base[mask], self.features[mask], np.broadcast_to(self.scale[..., None], mask.shape)[mask]

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

    def quantiles(self, design: Design) -> Floats:
        """``(R, O, S, levels)``, NaN where nothing can be said."""
        ...

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Body and files of a bundle."""
        ...


class Learned(Forecaster, Protocol):
    """A forecaster that is fitted, and calibrated on what it was not fitted on."""

    #: Whether it is calibrated on every held-back hour, or on those that it is judged on.
    every_hour: ClassVar[bool]

    @classmethod
    def fit(cls, design: Design, *, floor: float | None, seed: int) -> Self:
        """Learn from the cells of a design whose truth is known."""
        ...

    def calibrated(self, held: Sequence[tuple[Self, Design]]) -> Self:
        """This model with what designs that the model beside each was not fitted on say, oldest first."""
        ...


@dataclass(frozen=True)
class Boosted:
    """The learned forecaster: booster and conformal factors by step; ``floor`` bounds the answer from below."""

    booster: QuantileBooster
    factors: Floats
    floor: float | None

    every_hour: ClassVar[bool] = False

    @classmethod
    def fit(cls, design: Design, *, floor: float | None, seed: int) -> Boosted:
        """Learn from the cells of a design whose truth is known; intervals are not stretched yet."""
        mask = design.answerable() & np.isfinite(design.truth)
        base, features, scale = design.rows(mask)
        booster = QuantileBooster.fit(base, features, design.truth[mask] / scale, LEVELS, seed=seed)
        return cls(booster, np.ones((design.truth.shape[2], len(LEVELS))), floor)

    def calibrated(self, held: Sequence[tuple[Boosted, Design]]) -> Boosted:
        """Stretched as far as held-back designs ask for."""
        return replace(self, factors=joint_factors(held))

    def bare(self, design: Design) -> Floats:
        """Quantiles before any stretching or bound, ``(R, O, S, levels)``."""
        out = np.full((*design.truth.shape, len(LEVELS)), np.nan)
        mask = design.answerable()
        base, features, scale = design.rows(mask)
        out[mask] = self.booster.predict(base, features) * scale[:, None]
        return out

    def quantiles(self, design: Design) -> Floats:
        """``(R, O, S, levels)``."""
        out = self.bare(design)
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

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Body and files of a bundle."""
        return {"kind": "rule", "band": self.band.to_json(), "floor": self.floor}, {}


def joint_factors(held: Sequence[tuple[Boosted, Design]]) -> Floats:
    """Stretch factors by step, ``(S, levels)``, from designs that the model beside each was not fitted on.

    Resources that never change say nothing about the width that the others need.
    """
    answers = [(d, model.bare(d)) for model, d in held]
    factors = []
    for step in range(answers[0][0].truth.shape[2]):
        y = np.concatenate([np.where(moves(d.truth), d.truth[:, :, step], np.nan).ravel() for d, _ in answers])
        quantiles = np.concatenate([q[:, :, step].reshape(-1, len(LEVELS)) for _, q in answers])
        scale = np.concatenate([d.scale.ravel() for d, _ in answers])
        factors.append(conformal.stretch(y, quantiles, LEVELS, scale))
    return np.stack(factors)


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
