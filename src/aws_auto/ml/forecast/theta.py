"""Theta as a member: simple exponential smoothing with half the drift of a line, on a series without its season.

The theta method (Assimakopoulos and Nikolopoulos 2000) in the form of Hyndman and Billah (2003), for all origins of a
series in one pass: the season is the mean of the same hour of three weeks against the mean of the day about it, as a
difference or as a ratio; the level is smoothed with each of a few weights; the drift is that of a line through the
last three weeks. Season and weight are those whose forecasts of the next hour did best of late. Nothing looks past
its own hour, and nothing but the quantiles of its past errors is learned: a few milliseconds a series of a year.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aws_auto.ml.forecast.demand import mean_of
from aws_auto.ml.forecast.grid import trailing_mean
from aws_auto.ml.forecast.group import Bands, targets, to_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.panel import Design

    Floats = NDArray[np.float64]

#: Cycles of season behind a term of the season, and behind the line.
CYCLES = 21
#: Fewer points than so many cycles have no drift.
LEAST_CYCLES = 2
#: Share of a cycle that must be known for its mean: that of half a day is the mean of that half.
MOST = 0.75
#: How much of the newest value goes into the level.
WEIGHTS = (0.1, 0.3, 0.5, 0.7, 0.9)
#: Share of the line's drift: that of a theta line whose curvature is doubled.
SHARE = 0.5
#: An error this many cycles back counts half in the choice.
HALF_LIFE = 7
#: Weights below this are nothing.
FAINTEST = 1e-250
#: A ratio of a season lies between one over this and this.
STEEPEST = 20.0


@dataclass(frozen=True)
class Theta:
    """Point forecasts of the theta method with the quantiles of their own past errors."""

    bands: Bands

    kind: ClassVar[str] = "theta"
    names: ClassVar[tuple[str, ...]] = ("theta",)

    @classmethod
    def fit(cls, design: Design) -> Theta:
        """Learn what it missed."""
        return cls(Bands.fit(design.resources, [_points(design)], targets(design)))

    def members(self, design: Design) -> Floats:
        """See `Group.members`."""
        out = self.bands.around([_points(design)], design.resources)
        return np.where(design.answerable()[None, ..., None], out, np.nan)

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """See `Group.parts`."""
        return {"bands": self.bands.to_json()}, {}

    @classmethod
    def of_parts(cls, body: Mapping[str, Any], _parts: Mapping[str, bytes]) -> Theta:
        """The inverse of `parts`."""
        return cls(Bands.from_json(body["bands"]))


def _points(design: Design) -> Floats:
    """In units of the series, ``(R, O, S)``; the level of the last day where nothing can be smoothed."""
    assert design.grid is not None  # noqa: S101 - a demand design knows where it was taken
    assert design.origins is not None  # noqa: S101
    rows = np.arange(len(design.resources))[:, None]
    columns = np.clip(design.origins, 0, design.grid.hours - 1)
    said = theta(design.grid.values, design.steps, cycle=design.grid.cycle)[:, rows, columns]
    center = 0.0 if design.center is None else design.center
    return to_unit(design, np.stack([np.where(np.isfinite(x), x, center) for x in said], axis=-1))


def theta(values: Floats, steps: Sequence[int], *, cycle: int) -> Floats:
    """What is said at each column of the value so many columns later, ``(S, R, hours)``; NaN where nothing is known.

    Args:
        values: ``(R, hours)``, NaN where unknown.
        steps: how far ahead.
        cycle: columns of a season.
    """
    hours, ahead = values.shape[1], max(steps)
    wide = np.concatenate([values, np.full((len(values), ahead), np.nan)], axis=1)
    best, least = np.full((len(steps), *values.shape), np.nan), np.full(values.shape, np.inf)
    for ratio in (False, True):
        season = _season(wide, cycle, ahead, ratio=ratio)
        plain = (wide / season if ratio else wide - season)[:, :hours]
        drift = SHARE * _slope(plain, CYCLES * cycle, LEAST_CYCLES * cycle)
        for weight in WEIGHTS:
            level = smoothed(plain, weight)
            lines = [level + drift * (step - 1 + 1 / weight) for step in (1, *steps)]
            there = [season[:, step : step + hours] for step in (1, *steps)]
            said = [line * term if ratio else line + term for line, term in zip(lines, there, strict=True)]
            loss = smoothed(np.abs(values - shifted(said[0], 1)), 1 - 0.5 ** (1 / (HALF_LIFE * cycle)))
            better = loss < least
            least = np.where(better, loss, least)
            best = np.where(better, np.stack(said[1:]), best)
    return best


def smoothed(table: Floats, weight: float) -> Floats:
    """Mean of each column and all before it, each one back counting ``1 - weight`` as much; what is unknown does not.

    Simple exponential smoothing where nothing is unknown and enough came before. Sums of 1, 2, 4, ... columns.
    """
    known = np.isfinite(table)
    total, count, back = np.where(known, table, 0.0), known.astype(float), 1
    while back < table.shape[1] and (1 - weight) ** back > FAINTEST:
        for part in (total, count):
            part[:, back:] += (1 - weight) ** back * part[:, :-back]
        back *= 2
    return np.asarray(np.divide(total, count, out=np.full(table.shape, np.nan), where=count > FAINTEST))


def shifted(table: Floats, columns: int) -> Floats:
    """So many columns later, or earlier where negative; NaN where nothing comes from."""
    out = np.full_like(table, np.nan)
    if columns > 0:
        out[:, columns:] = table[:, :-columns]
    else:
        out[:, : table.shape[1] + columns] = table[:, -columns:]
    return out


def _season(values: Floats, cycle: int, ahead: int, *, ratio: bool) -> Floats:
    """Term of the season at each column from cycles whose mean about it was known ``ahead`` columns before."""
    half, least = cycle // 2, max(int(MOST * cycle), 1)
    mean = trailing_mean(values, cycle, least)
    about = shifted(mean, -half) if cycle % 2 else (shifted(mean, -half) + shifted(mean, 1 - half)) / 2
    if ratio:
        apart = np.divide(values, about, out=np.full(values.shape, np.nan), where=about > 0)
        apart = apart.clip(1 / STEEPEST, STEEPEST)
    else:
        apart = values - about
    first = -(-(ahead + half) // cycle)
    term = mean_of([shifted(apart, cycle * back) for back in range(first, first + CYCLES)])
    level = trailing_mean(term, cycle, least)
    out = term / level if ratio else term - level
    return np.where(np.isfinite(out), out, 1.0 if ratio else 0.0)


def _slope(table: Floats, width: int, least: int) -> Floats:
    """Of the least-squares line through the last ``width`` columns, 0 with fewer than ``least`` of them known."""
    known = np.isfinite(table)
    at = np.where(known, np.arange(table.shape[1], dtype=float), 0.0)
    value = np.where(known, table, 0.0)

    def total(x: Floats) -> Floats:
        out = np.cumsum(x, axis=1)
        out[:, width:] -= out[:, :-width].copy()
        return out

    n = np.maximum(total(known.astype(float)), 1)
    spread = total(at**2) - total(at) ** 2 / n
    together = total(at * value) - total(at) * total(value) / n
    return np.where(n >= least, together / np.maximum(spread, 1), 0.0)
