"""What labels are learned from: the surprise of every member on a resource, and when something was wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.detect.detector import episode_peaks
from aws_auto.ml.anomaly.detect.profile import MEMBERS, ONE_A_WEEK, limit, raised
from aws_auto.ml.anomaly.detect.routine import Routine
from aws_auto.ml.evaluation.metrics import HOUR, Rhythm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.profile import Profile

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    #: Spans that belong together: which resource, first and last unix second.
    Event = list[tuple[int, float, float]]

DAY, WEEK = 86_400, 7 * 86_400
#: Surprise of a point that was not judged.
SILENT = -3.0


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One resource with labels, or one without to learn from what calm is.

    Attributes:
        times: unix seconds of its columns.
        period: seconds between them.
        surprise: of every member, ``(metrics, members, columns)`` in the order of `MEMBERS`, by detectors that had not
            learned from these columns; NaN where not judged.
        above: whether a value lay above the expected, ``(metrics, columns)``.
        usual: columns that say what is usual.
        incidents: first and last unix second of each.
    """

    times: Floats
    period: float
    surprise: Floats
    above: Bools
    usual: Bools
    incidents: tuple[tuple[float, float], ...] = ()

    @cached_property
    def known(self) -> Floats:
        """The surprise, `SILENT` where not judged."""
        return np.nan_to_num(self.surprise, nan=SILENT)

    @cached_property
    def judged(self) -> Bools:
        """Columns of which something is known."""
        return np.asarray(np.isfinite(self.surprise[:, 0]).any(axis=0))

    @cached_property
    def calm(self) -> Bools:
        """Columns at which an alarm has nothing to do with an incident."""
        rhythm, out = Rhythm(self.period), self.judged.copy()
        for start, end in self.incidents:
            last = max(end + rhythm.cool, start + rhythm.grace)
            out &= (self.times < start - 3 * self.period) | (self.times > last)
        return out

    def after(self, start: float) -> Lesson:
        """The columns from that second on."""
        new = self.times >= start
        return replace(
            self,
            times=self.times[new],
            surprise=self.surprise[..., new],
            above=self.above[:, new],
            usual=self.usual[new],
            incidents=tuple(span for span in self.incidents if span[1] >= start),
        )

    @property
    def weeks(self) -> float:
        """Of calm."""
        return float(self.calm.sum() * self.period / WEEK)

    def peaks(self, score: Floats) -> Floats:
        """The highest calm score of each hour, or of three columns where that is more."""
        hour = (self.times // Rhythm(self.period).cool).astype(np.int64)
        starts = np.r_[0, np.flatnonzero(np.diff(hour)) + 1]
        return np.asarray(np.maximum.reduceat(np.where(self.calm, score, -np.inf), starts))

    def highest(self, score: Floats, start: float, end: float) -> float:
        """The highest score while an incident lasts or may still be found."""
        until = max(end, start + Rhythm(self.period).grace)
        inside = (self.times + self.period > start) & (self.times <= until)
        return float(score[inside].max(initial=-np.inf))


def together(incidents: Sequence[Sequence[tuple[float, float]]]) -> list[Event]:
    """Spans that lie at most an hour apart, of whatever resource: ``(resource, start, end)`` of each."""
    out: list[Event] = []
    reached = -np.inf
    for start, end, i in sorted((start, end, i) for i, spans in enumerate(incidents) for start, end in spans):
        if start > reached + HOUR:
            out.append([])
        out[-1].append((i, start, end))
        reached = max(reached, end)
    return out


def shares_of(profile: Profile) -> Floats:
    """The weights of all `MEMBERS`, as shares."""
    weights = np.array([profile.weights.get(name, 0.0) for name in MEMBERS])
    return np.asarray(weights / weights.sum())


def excess(lesson: Lesson, mix: Floats, unit: float, *, per_week: float) -> Floats:
    """How far each column is over the limit, of whichever metric is most so, as the detector would say."""
    share, out = per_week / len(lesson.known) ** 0.5, np.full(len(lesson.times), SILENT)
    for said, above, seen in zip(lesson.known, lesson.above, np.isfinite(lesson.surprise[:, 0]), strict=True):
        score = unit * (mix @ said)
        score = score - Routine.of(max(1, round(DAY / lesson.period))).advance(score, above, seen.astype(float), 0)
        usual = seen & lesson.usual
        peaks = episode_peaks(lesson.times[usual], score[usual], lesson.period)
        own = limit(share, peaks, int(usual.sum()) * lesson.period / WEEK)
        out = np.maximum(out, np.where(seen, score - own, SILENT))
    usual = lesson.judged & lesson.usual
    if len(lesson.known) < 2 or not usual.any():
        return out
    peaks = episode_peaks(lesson.times[usual], out[usual] + ONE_A_WEEK, lesson.period) - ONE_A_WEEK
    return np.asarray(out - raised(per_week, peaks, int(usual.sum()) * lesson.period / WEEK))
