"""What was to be expected of each metric of a resource, and how far from it is usual.

With three days of past the expectation knows the time of day. With less it is a median. With next to no past it is the
level of those moments at which the symptom was absent: a far-away normal period may lend its spread, never its level,
because levels change between regimes while relative noise hardly does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aws_auto.ml.anomaly.root_cause.axis import DAY
from aws_auto.ml.anomaly.root_cause.words import least_spread, stem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.root_cause.axis import Axis, Floats

    Mask = NDArray[np.bool_]

#: 1 / Phi^-1(3/4): the median absolute deviation of a normal sample times this is its standard deviation.
MAD = 1.4826
#: Fewer observed points than this before the incident, and the calm moments inside it must help.
THIN = 6
_SEASON_DAYS = 3
_LOCAL = (6, 24)
_FEW_BLOCKS = 8
#: Relative noise that is assumed where nothing shows it.
_ASSUMED = 0.1


@dataclass(frozen=True)
class Trace:
    """Metrics (rows) of one resource on the axis.

    Attributes:
        resource: its id.
        metrics: row names.
        values: as seen, NaN where nothing was.
        expected: from the past alone, except for thin rows.
        offset: median distance from the expectation just before the incident, by row.
        point: usual spread of a point, by row.
        least: spread of a point below which nothing counts, by row.
        observed: points before the incident, by row.
    """

    resource: str
    metrics: tuple[str, ...]
    values: Floats
    expected: Floats
    offset: Floats
    point: Floats
    least: Floats
    observed: NDArray[np.int64]

    @property
    def residual(self) -> Floats:
        """Distance from the expectation."""
        return self.values - self.expected

    def spreads(self, axis: Axis, slots: int) -> tuple[Floats, Floats]:
        """Usual spread of a mean over that many slots, and of its change from one such stretch to the next."""
        count = axis.start // slots
        if count < _FEW_BLOCKS:
            return self.point, self.point * np.sqrt(2)
        past = self.residual[:, axis.start - count * slots : axis.start]
        blocks = past.reshape(len(past), count, slots)
        seen = np.isfinite(blocks)
        sums, sizes = np.where(seen, blocks, 0.0).sum(axis=2), seen.sum(axis=2)
        means = np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0)
        floor = np.maximum(0.1 * self.point, self.least / np.sqrt(slots))
        level, change = row_spread(means), _about_zero(np.diff(means, axis=1))
        level, change = (np.where(np.isfinite(x), x, self.point) for x in (level, change))
        return np.maximum(level, floor), np.maximum(change, floor)


def trace(
    resource: str,
    metrics: Sequence[str],
    values: Floats,
    axis: Axis,
    *,
    calm: Mask,
    reference: Mapping[str, Noise] | None = None,
) -> Trace:
    """Judge the rows of one resource.

    Args:
        resource: its id.
        metrics: row names.
        values: ``(metrics, axis.end)``.
        axis: the time axis.
        calm: by slot of the incident, whether the symptom was absent.
        reference: noise by metric in another period, used only where the own past is thin.
    """
    past = values[:, : axis.start]
    observed = np.isfinite(past).sum(axis=1)
    usual = np.where(observed >= THIN, row_median(past), _calm_level(values, axis, calm))
    expected = _season(past, usual, axis)
    residual = values - expected
    least = np.array([least_spread(m) for m in metrics])
    least = np.maximum(least, _one_failure(metrics, values, axis))
    known = residual[:, : axis.start]
    reach = _ranked(past, 0.95) - _ranked(past, 0.05)
    floor = np.maximum(least, 0.01 * np.nan_to_num(reach) + 0.005 * np.abs(usual) + 1e-9)
    lent = np.array([_lent(reference or {}, m, level) for m, level in zip(metrics, usual, strict=True)])
    point = np.where(observed >= THIN, row_spread(known), lent)
    point = np.fmax(np.nan_to_num(point), np.nan_to_num(floor, nan=1e-9))
    recent = known[:, -_between(axis.length, *_LOCAL) :]
    offset = np.nan_to_num(np.where(observed >= THIN, row_median(recent), 0.0))
    return Trace(resource, tuple(metrics), values, expected, offset, point, least, observed)


class Noise(NamedTuple):
    """Spread of a point from step to step in a normal period: over the level there, and as it is."""

    relative: float
    absolute: float

    def at(self, level: float) -> float:
        """The spread to expect at a level of one's own; at level 0 only the absolute one says anything."""
        return self.relative * abs(level) if level and np.isfinite(self.relative) else self.absolute


def noise(values: Floats, metrics: Sequence[str]) -> dict[str, Noise]:
    """Of the rows with enough points."""
    level = np.abs(row_median(values))
    step = _about_zero(np.diff(values, axis=1)) / np.sqrt(2)
    enough = np.isfinite(values).sum(axis=1) >= 4 * THIN
    return {
        m: Noise(float(step[i] / level[i]) if level[i] > 0 else np.inf, float(step[i]))
        for i, m in enumerate(metrics)
        if enough[i] and np.isfinite(step[i])
    }


def row_median(values: Floats) -> Floats:
    """Median of what was seen along the last axis, NaN where nothing was."""
    return _ranked(values, 0.5)


def row_spread(values: Floats) -> Floats:
    """Spread along the last axis, as a standard deviation."""
    return _about_zero(values - row_median(values)[..., None])


def _about_zero(values: Floats) -> Floats:
    """The larger of two robust spreads, equal for a normal sample.

    The median absolute deviation alone would call every working hour of a machine that sleeps most of the time unusual.
    """
    apart = np.abs(values)
    return np.maximum(MAD * row_median(apart), _ranked(apart, 0.9) / 1.645)


def _ranked(values: Floats, level: float) -> Floats:
    """Quantile along the last axis, linear between ranks; sorting puts NaN last, so each row has its own count."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1)
    rank = level * np.maximum(np.isfinite(values).sum(axis=-1) - 1, 0)
    low = np.floor(rank).astype(np.int64)
    high = np.ceil(rank).astype(np.int64)
    below, above = (np.take_along_axis(ordered, at[..., None], axis=-1)[..., 0] for at in (low, high))
    return np.asarray(below + (rank - low) * (above - below))


def _one_failure(metrics: Sequence[str], values: Floats, axis: Axis) -> Floats:
    """What a single failed request is on the scale of error rates: with two requests a slot, 50 % is no event."""
    out = np.zeros(len(metrics))
    if "request_count" in metrics:
        lately = values[metrics.index("request_count"), max(axis.start - axis.length, 0) :]
        requests = float(np.nan_to_num(row_median(lately[None])[0]))
        out[[stem(m) == "error_rate" for m in metrics]] = 100.0 / max(requests, 1.0)
    return out


def _season(past: Floats, usual: Floats, axis: Axis) -> Floats:
    """Median by time of day where at least three days are known, else the usual level."""
    flat = np.repeat(usual[:, None], axis.end, axis=1)
    per_day, rest = divmod(DAY, axis.period)
    if rest or per_day < 2 or axis.start < _SEASON_DAYS * per_day:
        return flat
    days = axis.start // per_day
    table = past[:, axis.start - days * per_day :].reshape(len(past), days, per_day)
    profile = _smooth(row_median(table.swapaxes(1, 2)))
    place = (np.arange(axis.end) - axis.start) % per_day
    seasonal = profile[:, place]
    return np.where(np.isfinite(seasonal), seasonal, flat)


def _smooth(profile: Floats) -> Floats:
    """Mean with the neighbours, around midnight too; unknown next to unknown."""
    return np.asarray((np.roll(profile, 1, axis=1) + profile + np.roll(profile, -1, axis=1)) / 3)


def _lent(reference: Mapping[str, Noise], metric: str, level: float) -> float:
    known = reference.get(metric)
    return known.at(level) if known is not None else _ASSUMED * abs(level)


def _calm_level(values: Floats, axis: Axis, calm: Mask) -> Floats:
    keep = np.concatenate([np.ones(axis.start, dtype=bool), calm])
    level = row_median(values[:, keep])
    first = np.array([row[np.isfinite(row)][0] if np.isfinite(row).any() else np.nan for row in values])
    return np.where(np.isfinite(level), level, first)


def _between(value: int, low: int, high: int) -> int:
    return max(min(value, high), low)
