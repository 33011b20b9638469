"""The documented LSTM as a member: 24 hours in, four hours out, with features of the hour that is forecast.

Each hour of the sequence is seen beside the same hour of the day and of the week before, all as distances from the
level of the last day in units of the series, so that no window is large or small. The last state of the LSTM goes to
a head with the seasonal values, spreads, calendar and known events of the target hour; the head mixes the simple
rules' forecasts, corrects the mix, and spreads quantiles around it that cannot cross. All inputs are bounded, so that
no window, however odd, makes the answer explode.

Fitting needs torch (`aws_auto.ml.forecast.lstm_fit`); answering is the same arithmetic in numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aws_auto.errors import ArtifactError
from aws_auto.ml.forecast.demand import SEQUENCE
from aws_auto.ml.forecast.grid import DAY, WEEK
from aws_auto.ml.forecast.group import DENSE, to_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.panel import Design

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

PART = "lstm.bin"
#: Inputs are drawn in to this many units, and squashed by a logarithm.
BOUND = 30.0
#: The rules' forecasts are mixed and not learned from, so theirs is a bound of arithmetic only.
FURTHEST = 1e5
#: Windows that are answered at a time: their states stay in the processor's cache.
BATCH = 2048
MIDDLE = DENSE.index(0.5)
#: Calendar columns that end a design's features: hour of the day, day of the week, step.
CALENDAR = 3


@dataclass(frozen=True)
class Inputs:
    """What the net reads of ``n`` windows: sequence ``(n, 24, c)``, head ``(n, S, k)``, rules ``(n, S, p)``."""

    sequence: Singles
    head: Singles
    rules: Singles

    @classmethod
    def of(cls, design: Design, mask: NDArray[np.bool_]) -> Inputs:
        """Of the windows where the mask ``(R, O)`` is true."""
        points = np.stack([to_unit(design, x)[mask] for x in (*design.rules.values(), *design.points.values())], -1)
        trees = design.features[mask]
        head = [_squashed(design.base[mask]), _squashed(trees[..., :-CALENDAR]), _turns(trees[..., -CALENDAR:])]
        return cls(
            _sequence(design, mask),
            np.concatenate(head, axis=-1, dtype=np.float32),
            np.clip(np.nan_to_num(points), -FURTHEST, FURTHEST).astype(np.float32),
        )

    def rows(self, at: NDArray[np.int64] | slice) -> Inputs:
        """Some of the windows."""
        return Inputs(self.sequence[at], self.head[at], self.rules[at])


@dataclass(frozen=True)
class Lstm:
    """A fitted net as plain arrays, named as torch names them."""

    weights: Mapping[str, Singles]

    kind: ClassVar[str] = "lstm"
    names: ClassVar[tuple[str, ...]] = ("LSTM",)

    @classmethod
    def fit(cls, design: Design, *, seed: int, before: Lstm | None = None) -> Lstm:
        """Learn from the windows whose four hours are known, from scratch or on from an earlier net.

        Raises:
            MissingExtra: torch is not installed.
        """
        from aws_auto.ml.forecast.lstm_fit import fitted

        return cls(fitted(design, seed=seed, before=before.weights if before else None))

    def members(self, design: Design) -> Floats:
        """See `Group.members`."""
        mask = design.answerable()[..., 0]
        out = np.full((1, *design.truth.shape, len(DENSE)), np.nan)
        inputs = Inputs.of(design, mask)
        parts = [inputs.rows(slice(i, i + BATCH)) for i in range(0, len(inputs.sequence), BATCH)]
        out[0, mask] = np.concatenate([self.forward(part) for part in parts] or [np.empty((0, *out.shape[3:]))])
        return out

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """See `Group.parts`: shapes in the body, little-endian single floats in the file."""
        shapes = {name: list(table.shape) for name, table in sorted(self.weights.items())}
        return {"shapes": shapes}, {
            PART: b"".join(np.ascontiguousarray(self.weights[n], dtype="<f4").tobytes() for n in shapes)
        }

    @classmethod
    def of_parts(cls, body: Mapping[str, Any], parts: Mapping[str, bytes]) -> Lstm:
        """The inverse of `parts`.

        Raises:
            ArtifactError: the file does not hold what the body says.
        """
        sizes = [int(np.prod(shape)) for shape in body["shapes"].values()]
        if len(parts[PART]) != 4 * sum(sizes):
            raise ArtifactError(f"holds {len(parts[PART])} bytes, not {4 * sum(sizes)}", where=PART)
        flat = np.split(np.frombuffer(parts[PART], dtype="<f4"), np.cumsum(sizes)[:-1])
        return cls({name: x.reshape(shape) for (name, shape), x in zip(body["shapes"].items(), flat, strict=True)})

    def forward(self, inputs: Inputs) -> Singles:
        """Quantiles in units of the series, ``(n, S, levels)``; what `lstm_fit.net_for` gives."""
        w = self.weights
        state = self._last_state(inputs.sequence)
        steps = inputs.head.shape[1]
        wide = np.concatenate([np.repeat(state[:, None], steps, axis=1), inputs.head], axis=-1)
        for layer in ("first", "second"):
            wide = _silu(wide @ w[f"{layer}.weight"].T + w[f"{layer}.bias"])
        out = wide @ w["last.weight"].T + w["last.bias"]
        mix, spread = out[..., : inputs.rules.shape[-1]], out[..., inputs.rules.shape[-1] :]
        mix = np.exp(mix - mix.max(axis=-1, keepdims=True))
        middle = (mix * inputs.rules).sum(-1) / mix.sum(-1) + spread[..., MIDDLE]
        apart = _softplus(spread)
        down = np.cumsum(apart[..., MIDDLE - 1 :: -1], axis=-1)[..., ::-1]
        up = np.cumsum(apart[..., MIDDLE + 1 :], axis=-1)
        zero = np.zeros_like(middle)[..., None]
        return np.asarray(middle[..., None] + np.concatenate([-down, zero, up], axis=-1))

    def _last_state(self, sequence: Singles) -> Singles:
        w = self.weights
        size = w["lstm.weight_hh_l0"].shape[1]
        hidden = np.zeros((len(sequence), size), np.float32)
        cell = np.zeros_like(hidden)
        bias = w["lstm.bias_ih_l0"] + w["lstm.bias_hh_l0"]
        for t in range(sequence.shape[1]):
            gates = sequence[:, t] @ w["lstm.weight_ih_l0"].T + hidden @ w["lstm.weight_hh_l0"].T + bias
            into, keep, new, out = (gates[:, i * size : (i + 1) * size] for i in range(4))
            cell = _sigmoid(keep) * cell + _sigmoid(into) * np.tanh(new)
            hidden = _sigmoid(out) * np.tanh(cell)
        return np.asarray(hidden)


def _sequence(design: Design, mask: NDArray[np.bool_]) -> Singles:
    """Each hour of the last day, the same hour a day and a week before it, and the turn of the day."""
    assert design.grid is not None  # noqa: S101 - a demand design knows where it was taken
    assert design.origins is not None  # noqa: S101
    grid, (row, _) = design.grid, np.nonzero(mask)
    hours = design.origins[mask][:, None] - np.arange(SEQUENCE - 1, -1, -1)
    center = 0.0 if design.center is None else design.center[mask][:, None]

    def at(columns: NDArray[np.int64]) -> Floats:
        inside = (columns >= 0) & (columns < grid.hours)
        values = np.where(inside, grid.values[row[:, None], np.clip(columns, 0, grid.hours - 1)], np.nan)
        return (values - center) / design.scale[mask][:, None]

    now, day, week = at(hours), at(hours - grid.cycle), at(hours - grid.long_cycle)
    now = np.where(np.isfinite(now), now, np.where(np.isfinite(day), day, 0.0))
    day = np.where(np.isfinite(day), day, now)
    week = np.where(np.isfinite(week), week, day)
    turn = grid.hour_of_day(hours) * (2 * np.pi / DAY)
    return np.stack([*(_squashed(x) for x in (now, day, week)), np.sin(turn), np.cos(turn)], -1).astype(np.float32)


def _turns(calendar: Floats) -> Floats:
    """Hour, weekday and step as points on circles."""
    hour, weekday, step = (calendar[..., i] for i in range(CALENDAR))
    day, week = hour * (2 * np.pi / DAY), (weekday * DAY + hour) * (2 * np.pi / WEEK)
    return np.stack([np.sin(day), np.cos(day), np.sin(week), np.cos(week), step / 4, 1 / step], axis=-1)


def _squashed(table: Floats) -> Floats:
    bounded = np.clip(np.nan_to_num(table), -BOUND, BOUND)
    return np.asarray(np.sign(bounded) * np.log1p(np.abs(bounded)))


def _sigmoid(x: Singles) -> Singles:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def _silu(x: Singles) -> Singles:
    return np.asarray(x * _sigmoid(x))


def _softplus(x: Singles) -> Singles:
    return np.asarray(np.logaddexp(np.float32(0), x))
