"""The common time axis of an analysis: the symptom's own sampling, cut at the end of the incident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.root_cause.results import Incident

    Floats = NDArray[np.float64]

DAY = 86_400
_USUAL_PERIOD = 300
_MOST_SLOTS = 43_200  # thirty days of minutes


@dataclass(frozen=True)
class Axis:
    """Slots of ``period`` seconds from ``first`` (unix seconds); the incident is ``start <= slot < end``."""

    first: int
    period: int
    start: int
    end: int

    @classmethod
    def of(cls, data: pl.DataFrame, incident: Incident, history: timedelta) -> Axis:
        """Long enough for the history that is there, never past the end of the incident."""
        period = _period(data.filter(pl.col(RESOURCE) == incident.resource)[TIMESTAMP])
        begin, finish = int(incident.start.timestamp()), int(incident.end.timestamp())
        known = data[TIMESTAMP].min()
        reach = begin - int(known.timestamp()) if isinstance(known, datetime) else 0
        wanted = min(reach, int(history.total_seconds()))
        length = max(-(-(finish - begin) // period), 1)
        before = min(max(-(-wanted // period), 0), max(_MOST_SLOTS - length, 0))
        return cls(begin - before * period, period, before, before + length)

    @property
    def length(self) -> int:
        """Slots of the incident."""
        return self.end - self.start

    @property
    def seconds(self) -> tuple[int, int]:
        """``first <= t < last`` in unix seconds."""
        return self.first, self.first + self.end * self.period

    def moment(self, slot: int) -> datetime:
        """When a slot begins."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.first + slot * self.period)

    def span(self, slots: int) -> timedelta:
        """How long that many slots are."""
        return timedelta(seconds=slots * self.period)

    def window(self, data: pl.DataFrame) -> pl.DataFrame:
        """The rows on this axis."""
        low, high = self.seconds
        return data.filter(pl.col(TIMESTAMP).dt.epoch("s").is_between(low, high, closed="left"))

    def values(self, part: pl.DataFrame, metrics: Sequence[str]) -> Floats:
        """One row per metric, NaN where nothing was seen.

        Points that share a slot are averaged. A resource sampled more coarsely holds each value for its own period.
        """
        out = np.full((len(metrics), self.end), np.nan)
        if part.is_empty():
            return out
        slot = (part[TIMESTAMP].dt.epoch("s").to_numpy() - self.first) // self.period
        for i, metric in enumerate(metrics):
            column = part[metric].cast(pl.Float64).fill_null(np.nan).to_numpy()
            seen = np.isfinite(column)
            count = np.bincount(slot[seen], minlength=self.end)
            total = np.bincount(slot[seen], weights=column[seen], minlength=self.end)
            np.divide(total, count, out=out[i], where=count > 0)
        return _held(out, round(_period(part[TIMESTAMP], self.period) / self.period))


def _period(times: pl.Series, otherwise: int = _USUAL_PERIOD) -> int:
    steps = np.diff(np.unique(times.dt.epoch("s").to_numpy()))
    return max(int(np.median(steps)), 1) if len(steps) else otherwise


def _held(values: Floats, slots: int) -> Floats:
    """Each value repeated into the empty slots after it, up to ``slots`` in all."""
    out = values
    for back in range(1, min(slots, values.shape[1])):
        earlier = np.full_like(values, np.nan)
        earlier[:, back:] = values[:, :-back]
        out = np.where(np.isnan(out), earlier, out)
    return out
