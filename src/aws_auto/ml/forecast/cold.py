"""A series that has just been born: forecast from 6 hours of history on by a booster that ships with the package.

It was trained on histories cut to between 6 hours and ten days, of series whose licence allows it: the AWS CloudWatch,
Twitter and taxi series of the Numenta Anomaly Benchmark (MIT), Microsoft's cloud monitoring series (MIT), virtual
machines of Azure's public trace of 2017 (CC-BY-4.0, Microsoft), bike sharing of Washington (BSD-3, skforecast), and
series made up by a seeded generator. ``tools/cold_start.py`` makes the file from these inputs.

Nothing is fitted here. What the history says about itself is among the inputs: how large its changes are, and how well
the simple rules did on it so far.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aws_auto.errors import ArtifactError
from aws_auto.ml.forecast.boosted import PART, QuantileBooster
from aws_auto.ml.forecast.demand import HORIZON
from aws_auto.ml.forecast.grid import DAY, WEEK
from aws_auto.ml.forecast.group import DENSE
from aws_auto.ml.forecast.levels import at_levels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.panel import Design

    Floats = NDArray[np.float64]

#: Fewer known hours are too few to say how much a series moves.
LEAST_HOURS = 6
#: Older hours are not looked at.
LOOK_BACK = 10 * DAY
#: Levels that were learned; those between are interpolated.
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
FAR = 50.0
LAGS = (0, 1, 2, 3, 4, 5, 7, 11, 23)
#: A series that hardly moves is measured in this share of its size.
STILL = 1e-3
NOTHING = 1e-9
FOLDER = "aws_auto.ml.forecast"
BOOSTER, HEAD = "cold_start.ubj", "cold_start.json"


@dataclass(frozen=True)
class Short:
    """What is known of ``n`` short histories.

    Attributes:
        center: level that all is measured from, ``(n,)``.
        scale: unit, ``(n,)``; NaN where too little was seen to answer.
        base: columns of the line, finite where the scale is, ``(n, S, k)``.
        features: columns of the trees, NaN allowed, ``(n, S, m)``.
        floor: bounds the answers from below, ``(n,)``.
    """

    center: Floats
    scale: Floats
    base: Floats
    features: Floats
    floor: Floats

    @classmethod
    def of(cls, windows: Floats) -> Short:
        """From the last `LOOK_BACK` hours of each, ``(n, LOOK_BACK)``, the newest last, NaN where unknown."""
        with np.errstate(all="ignore"):
            return cls._of(windows)

    @classmethod
    def _of(cls, w: Floats) -> Short:
        known = np.isfinite(w).sum(axis=1)
        size = _mean(np.abs(w))
        change = _mean(np.abs(np.diff(w[:, -WEEK:], axis=1)))
        scale = np.where(known >= LEAST_HOURS, np.maximum(change, np.maximum(STILL * size, NOTHING)), np.nan)
        center = _or(_mean(w[:, -DAY:]), _mean(w))
        last = _or(w[:, -1], w[:, -2], w[:, -3], center)
        day = w[:, DAY:] - w[:, :-DAY]
        week = w[:, WEEK:] - w[:, :-WEEK]
        shifts = [np.nan_to_num(_mean(day[:, -n:])) for n in (1, 3, 6)]
        week_shift = np.nan_to_num(_mean(week[:, -3:]))
        lags = [_or(w[:, -1 - lag], center) for lag in LAGS]
        errors = _errors(w, day, scale)
        about = [_std(w[:, -DAY:]), _std(w), *(_extreme(w[:, -DAY:], f) - center for f in (np.fmin, np.fmax))]
        steps, columns = [], []
        for step in range(1, HORIZON + 1):
            same = [w[:, step - 1 - DAY * d] for d in range(1, 8)]
            yesterday, usual = _or(same[0], last), _or(_mean(np.stack(same, 1)), last)
            weekly = _or(same[6], usual)
            near = _mean(np.stack([w[:, step - 2 - DAY], same[0], w[:, step - DAY]], 1))
            values = [*lags, yesterday, usual, weekly, _or(near, yesterday), yesterday + shifts[0]]
            values += [yesterday + shifts[1], yesterday + shifts[2], usual + shifts[1], weekly + week_shift]
            line = [*((v - center) / scale for v in values), *(s / scale for s in (*shifts, week_shift))]
            steps.append(np.clip(np.stack(line, -1), -FAR, FAR))
            seen = [(x - center) / scale for x in (same[0], same[1], same[6])]
            trees = [*seen, *(x / scale for x in about), *errors[step - 1], np.log1p(known), np.full(len(w), step)]
            columns.append(np.stack([*trees, np.log1p(np.abs(center) / scale)], -1))
        base = np.where(np.isfinite(scale)[:, None, None], np.stack(steps, 1), 0.0)
        floor = np.where(np.fmin.reduce(w, axis=1) >= 0, 0.0, -np.inf)
        return cls(center, scale, base, np.concatenate([base, np.stack(columns, 1)], -1), floor)

    def answerable(self) -> NDArray[np.bool_]:
        """``(n,)``."""
        return np.asarray(np.isfinite(self.scale))


@dataclass(frozen=True)
class Cold:
    """The shipped booster as a member: it knows no series, so it answers for those that nobody was fitted on."""

    booster: QuantileBooster

    kind: ClassVar[str] = "cold"
    names: ClassVar[tuple[str, ...]] = ("shipped booster",)

    def members(self, design: Design) -> Floats:
        """See `Group.members`."""
        mask = design.answerable()[..., 0]
        out = np.full((1, *design.truth.shape, len(DENSE)), np.nan)
        center = np.zeros_like(design.scale) if design.center is None else design.center
        out[0, mask] = (self.at(design, mask) - center[mask][:, None, None]) / design.scale[mask][:, None, None]
        return out

    def at(self, design: Design, mask: NDArray[np.bool_]) -> Floats:
        """Quantiles at the origins where the mask ``(R, O)`` is true, ``(n, S, levels)``; NaN under `LEAST_HOURS`."""
        assert design.grid is not None  # noqa: S101 - a demand design knows where it was taken
        assert design.origins is not None  # noqa: S101
        row, _ = np.nonzero(mask)
        hours = design.origins[mask][:, None] - np.arange(LOOK_BACK - 1, -1, -1)
        inside = (hours >= 0) & (hours < design.grid.hours)
        values = design.grid.values[row[:, None], np.clip(hours, 0, design.grid.hours - 1)]
        return self.after(np.where(inside, values, np.nan))

    def after(self, windows: Floats) -> Floats:
        """Quantiles of the hours after each window ``(n, LOOK_BACK)``, ``(n, S, levels)``."""
        short = Short.of(windows)
        known = short.answerable()
        out = np.full((len(windows), HORIZON, len(DENSE)), np.nan)
        base, features = (x[known].reshape(-1, x.shape[-1]) for x in (short.base, short.features))
        said = self.booster.predict(base, features).reshape(-1, HORIZON, len(LEVELS))
        said = short.center[known, None, None] + said * short.scale[known, None, None]
        out[known] = np.maximum(at_levels(said, LEVELS, DENSE), short.floor[known, None, None])
        return out

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """See `Group.parts`: a model keeps the booster it was made with when a later release ships another."""
        body, files = self.booster.parts()
        return {"booster": body}, {BOOSTER: files[PART]}

    @classmethod
    def of_parts(cls, body: Mapping[str, Any], parts: Mapping[str, bytes]) -> Cold:
        """The inverse of `parts`."""
        return cls(QuantileBooster.of_parts(body["booster"], {PART: parts[BOOSTER]}))


@cache
def shipped() -> Cold:
    """The booster of this release.

    Raises:
        ArtifactError: the installed file is not the one that was released.
    """
    return loaded(resources.files(FOLDER))


def loaded(folder: Traversable) -> Cold:
    """The booster that ``tools/cold_start.py`` put into a folder.

    Raises:
        ArtifactError: the file is not the one that its head was written for.
    """
    head = json.loads((folder / HEAD).read_text(encoding="utf-8"))
    data = (folder / BOOSTER).read_bytes()
    if hashlib.sha256(data).hexdigest() != head["sha256"]:
        raise ArtifactError("is not the file that was released", where=BOOSTER, hint="install aws-auto again")
    return Cold.of_parts(head["body"], {BOOSTER: data})


def _errors(w: Floats, day: Floats, scale: Floats) -> list[list[Floats]]:
    """By step: how far the last value, yesterday and yesterday moved were off on this history, in units of it."""
    moved = np.stack([day[:, i : day.shape[1] - 2 + i] for i in range(3)]).mean(axis=0)
    out = []
    for step in range(1, HORIZON + 1):
        naive = _mean(np.abs(w[:, step:] - w[:, :-step]))
        shifted = _mean(np.abs(day[:, 2 + step :] - moved[:, : moved.shape[1] - step]))
        out.append([x / scale for x in (naive, _mean(np.abs(day)), shifted)])
    return out


def _mean(table: Floats) -> Floats:
    seen = np.isfinite(table)
    count = seen.sum(axis=1)
    return np.asarray(np.where(count > 0, np.where(seen, table, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan))


def _std(table: Floats) -> Floats:
    return np.asarray(np.sqrt(_mean((table - _mean(table)[:, None]) ** 2)))


def _extreme(table: Floats, choose: np.ufunc) -> Floats:
    return np.asarray(choose.reduce(table, axis=1))


def _or(*choices: Floats) -> Floats:
    out = choices[0]
    for other in choices[1:]:
        out = np.where(np.isfinite(out), out, other)
    return out
