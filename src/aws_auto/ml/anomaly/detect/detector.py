"""One series, judged point by point: fitted on its past, then advanced by whatever arrives."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.detect import pack
from aws_auto.ml.anomaly.detect.calibrate import NOTHING, Calibrator, Tail
from aws_auto.ml.anomaly.detect.clock import DAY, Clock
from aws_auto.ml.anomaly.detect.members import Members
from aws_auto.ml.anomaly.detect.profile import MILD, USUAL, Profile, choose, limit
from aws_auto.ml.anomaly.detect.routine import Routine
from aws_auto.ml.anomaly.detect.season import Season
from aws_auto.ml.anomaly.detect.view import PAST, View, squash, unsquash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Fewer values than this say nothing: such a detector judges no point.
LEAST = 16
#: The band holds all but one in a thousand points, by the series' own past.
BAND = 3.0
#: Episodes that are kept for a threshold.
PEAKS = 512
HOUR = 3600.0
#: Least and most of a score that may be worth a factor of ten.
DECADES = (0.1, 1.0)


@dataclass(frozen=True)
class Scores:
    """What was found, one row per point in the order given. NaN where a point was not judged (missing, late).

    Attributes:
        score: weighted mean of the members' surprise by the series' own past, less what is routine at this hour; 0
            for an ordinary point. Comparable between series and over time; `Detector.decade` says how much of it makes
            a point ten times rarer.
        expected: value that the past made likely, in the unit of the series.
        low: lower end of the band that holds all but one in a thousand points.
        high: upper end.
        driver: row of `members` that was most surprised, -1 where not judged.
        value: what was judged: the value, or the growth of a counter; `expected` and the band are in its unit.
        members: names of the members.
        surprise: of each member, shape ``(members, points)``.
    """

    score: Floats
    expected: Floats
    low: Floats
    high: Floats
    driver: Ints
    value: Floats
    members: tuple[str, ...]
    surprise: Floats

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Where a point was judged."""
        return np.isfinite(self.score)


@dataclass
class State:
    """Everything that a detector has learned and remembers. Arrays and numbers only."""

    clock: Clock
    season: Season
    members: Members
    calibrator: Calibrator
    routine: Routine
    z: NDArray[np.float32]
    center: float
    scale: float
    peaks: Floats
    weeks: float
    newest: Floats

    @classmethod
    def empty(cls, profile: Profile, clock: Clock, block: int) -> State:
        """A state that has learned nothing."""
        raw = np.zeros((len(profile.weights) + 1, 1))
        return cls(
            clock,
            Season.of(clock.per_day),
            Members.of(tuple(profile.weights), clock.per_day),
            Calibrator.fit(raw, np.zeros(1), tail=profile.tail, memory=profile.memory, block=block),
            Routine.of(clock.per_day),
            z=np.zeros(PAST, np.float32),
            center=0.0,
            scale=1.0,
            peaks=np.zeros(0),
            weeks=0.0,
            newest=unjudged(len(profile.weights))[:, 0],
        )

    def copy(self) -> State:
        """An independent twin."""
        return State(
            replace(self.clock),
            self.season.copy(),
            self.members.copy(),
            self.calibrator.copy(),
            self.routine.copy(),
            self.z,
            self.center,
            self.scale,
            self.peaks,
            self.weeks,
            self.newest,
        )


@dataclass(frozen=True)
class Detector:
    """A fitted detector. Never changes: `advance` gives the one that has seen more.

    Attributes:
        profile: which members, and why.
        ready: False when the training part had too few values; then no point is judged.
    """

    profile: Profile
    state: State
    ready: bool = True

    @classmethod
    def fit(
        cls,
        times: ArrayLike,
        values: ArrayLike,
        *,
        profile: Profile | None = None,
        mixes: Mapping[str, Profile] = USUAL,
    ) -> Detector:
        """Learn what is usual from a training part, without labels.

        Nothing is random: the same points give the same detector.

        Args:
            times: unix seconds, in order of arrival.
            values: NaN where missing.
            profile: members and weights; chosen from the length and the sampling period when None.
            mixes: profiles to choose instead of the usual ones, by their names.
        """
        t, v = np.asarray(times, float), np.asarray(values, float)
        clock = Clock.of(t, v)
        profile = profile or choose(clock.step, int(np.isfinite(v).sum()), mixes=mixes)
        slots = clock.arrive(t, v)
        block = max(16, min(60, clock.per_day // 6))
        if int(slots.seen.sum()) < LEAST:
            return cls(profile, State.empty(profile, clock, block), ready=False)
        season = Season.of(clock.per_day)
        members = Members.of(tuple(profile.weights), clock.per_day)
        center, scale = center_and_scale(slots.values[slots.seen])
        z = kept((slots.values - center) / scale)
        seen = slots.seen.astype(float)
        view = View(np.r_[np.full(PAST, z[0]), z], seen, 0, clock.per_day, *season.advance(z, seen, 0))
        members.fit(view)
        raw, expected = members.advance(view, learn=False)
        calibrator = Calibrator.fit(raw, seen, tail=profile.tail, memory=profile.memory, block=block)
        routine = Routine.of(clock.per_day)
        score = _mean(calibrator.judge(raw), profile)
        score = score - routine.advance(score, z >= expected, seen, 0)
        newest = unjudged(len(profile.weights))[:, 0]
        state = State(
            clock,
            season,
            members,
            calibrator,
            routine,
            z=view.z[-PAST:].astype(np.float32),
            center=center,
            scale=scale,
            peaks=episode_peaks(
                clock.step * np.flatnonzero(slots.seen).astype(np.float64), score[slots.seen], clock.step
            ),
            weeks=len(z) * clock.step / (7 * DAY),
            newest=newest,
        )
        return cls(profile, state)

    def score(self, times: ArrayLike, values: ArrayLike) -> Scores:
        """Judge points, each by what came before it."""
        return self.advance(times, values)[0]

    def advance(self, times: ArrayLike, values: ArrayLike) -> tuple[Scores, Detector]:
        """Judge points and learn from them: one point, or a month of them, with the same scores.

        Args:
            times: unix seconds, in order of arrival.
            values: NaN where missing.
        """
        t, v = np.asarray(times, float), np.asarray(values, float)
        names = tuple(self.profile.weights)
        if not self.ready:
            return as_scores(unjudged(len(names), len(t)), names), self
        state = self.state.copy()
        first = state.clock.next
        slots = state.clock.arrive(t, v)
        rows = unjudged(len(names), 0)
        if len(slots.values):
            rows = self._judge(state, slots.values, slots.seen.astype(float), first)
        found = np.concatenate([unjudged(len(names)), state.newest[:, None], rows], axis=1)
        state.newest = found[:, -1].copy()
        return as_scores(found[:, slots.point + 2], names), replace(self, state=state)

    def threshold(self, per_week: float = 1.0) -> float:
        """The score that comes up in at most about ``per_week`` false episodes a week, see `profile.limit`."""
        return limit(per_week, self.state.peaks, self.state.weeks) - self.profile.ease

    def measured(self, times: ArrayLike, scores: ArrayLike, *, further: bool = False) -> Detector:
        """The same with a threshold by these scores of points that it had not learned from.

        Training scores of its own are flattered a little; a part that was held back says more.

        Args:
            times: unix seconds, ascending.
            scores: NaN where not judged, or where a score is known to be no measure of the usual.
            further: beside what was measured before, not instead of it.
        """
        t, x = np.asarray(times, np.float64), np.asarray(scores, np.float64)
        known = np.isfinite(x)
        state = self.state.copy()
        peaks = episode_peaks(t[known], x[known], state.clock.step)
        weeks = int(known.sum()) * state.clock.step / (7 * DAY)
        state.peaks = -np.sort(-np.r_[state.peaks, peaks])[:PEAKS] if further else peaks
        state.weeks = state.weeks + weeks if further else weeks
        return replace(self, state=state)

    @property
    def decade(self) -> float:
        """How much higher a score has to be to come up ten times rarer, by the highest episodes of training."""
        peaks = self.state.peaks
        first, last = min(2, len(peaks) - 1), min(29, len(peaks) - 1)
        if last <= first:
            return 1.0
        slope = (peaks[first] - peaks[last]) / np.log10((last + 1) / (first + 1))
        return float(np.clip(slope, *DECADES))

    def to_bytes(self) -> bytes:
        """Everything, without pickle: tens of kilobytes."""
        settings = {
            "name": self.profile.name,
            "weights": list(self.profile.weights.items()),
            "tail": astuple(self.profile.tail),
            "memory": self.profile.memory,
            "gain": self.profile.gain,
            "ease": self.profile.ease,
            "block": self.state.calibrator.block,
            "per_day": self.state.clock.per_day,
            "ready": self.ready,
        }
        return pack.dump(settings, self.state)

    @classmethod
    def from_bytes(cls, content: bytes) -> Detector:
        """The detector that `to_bytes` wrote.

        Raises:
            ArtifactError: the bytes are damaged or of another format.
        """
        settings, values = pack.load(content)
        weights: dict[str, float] = dict(settings["weights"])
        tail, numbers = Tail(*settings["tail"]), (settings[name] for name in ("memory", "gain", "ease"))
        profile = Profile(settings["name"], weights, tail, *numbers)
        clock = Clock(0.0, DAY / settings["per_day"], rhythmic=True, counter=False)
        state = State.empty(profile, clock, settings["block"])
        pack.restore(state, values)
        return cls(profile, state, ready=settings["ready"])

    def _judge(self, state: State, values: Floats, seen: Floats, first: int) -> Floats:
        """Rows of `as_scores` for new slots. Changes ``state``."""
        z = kept((values - state.center) / state.scale)
        season = state.season.advance(z, seen, first)
        view = View(np.r_[state.z.astype(np.float64), z], seen, first, state.clock.per_day, *season)
        raw, expected = state.members.advance(view, learn=True)
        surprise, known = state.calibrator.advance(raw, seen, first)
        state.z = view.z[-PAST:].astype(np.float32)
        log = known[0, -1] + BAND * known[1, -1]
        half = np.maximum(np.exp(log) - NOTHING, 0)
        low, middle, high = (
            unsquash(e) * state.scale + state.center for e in (expected - half, expected, expected + half)
        )
        score = _mean(surprise, self.profile)
        score -= state.routine.advance(score, z >= expected, seen, first)
        return np.stack(
            [
                score,
                middle,
                low,
                high,
                surprise[:-1].argmax(axis=0).astype(float),
                values,
                *surprise[:-1],
            ]
        )


def unjudged(members: int, points: int = 1) -> Floats:
    """Rows of `as_scores` for points that are not judged."""
    rows = np.full((6 + members, points), np.nan)
    rows[4] = -1
    return rows


def as_scores(rows: Floats, members: tuple[str, ...]) -> Scores:
    """Name the rows: score, expected, low, high, driver, value, and the surprise of each member."""
    return Scores(rows[0], rows[1], rows[2], rows[3], rows[4].astype(np.int64), rows[5], members, rows[6:])


def _mean(surprise: Floats, profile: Profile) -> Floats:
    weights = np.array(list(profile.weights.values()), float)
    mean: Floats = profile.gain * (weights @ surprise[:-1]) / weights.sum()
    return mean


def center_and_scale(values: Floats) -> tuple[float, float]:
    """Median and robust deviation; a thousandth of the level for a constant, so that no step is infinite."""
    center = float(np.median(values))
    for low, high, normal in ((25, 75, 1.349), (5, 95, 3.29)):
        scale = float(np.subtract(*np.percentile(values, [high, low]))) / normal
        if scale > 0:
            return center, scale
    spread = float(np.ptp(values)) / 6
    return center, spread if spread > 0 else max(abs(center), 1.0) * 1e-3


def kept(z: Floats) -> Floats:
    """Drawn in, and rounded to what a stored state holds."""
    return squash(z).astype(np.float32).astype(np.float64)


def episode_peaks(times: Floats, score: Floats, step: float) -> Floats:
    """Highest scores of the episodes over `MILD` (an hour or three points apart), highest first, at most `PEAKS`."""
    at = np.flatnonzero(score >= MILD)
    if not len(at):
        return np.zeros(0)
    starts = np.r_[0, np.flatnonzero(np.diff(times[at]) > max(HOUR, 3 * step)) + 1]
    return np.asarray(-np.sort(-np.maximum.reduceat(score[at], starts))[:PEAKS])
