"""One series, judged point by point: fitted on its past, then advanced by whatever arrives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.detect import pack
from aws_auto.ml.anomaly.detect.calibrate import NOTHING, Calibrator, Tail
from aws_auto.ml.anomaly.detect.clock import DAY, Clock
from aws_auto.ml.anomaly.detect.members import Members
from aws_auto.ml.anomaly.detect.profile import DECADE, ONE_A_WEEK, OWN_WEEKS, Profile, choose
from aws_auto.ml.anomaly.detect.season import Season
from aws_auto.ml.anomaly.detect.view import PAST, View, squash, unsquash

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Fewer values than this say nothing: such a detector judges no point.
LEAST = 16
#: The band holds all but one in a thousand points, by the series' own past.
BAND = 3.0
#: Highest training scores that are kept for a threshold.
PEAKS = 64
HOUR = 3600.0
#: Least and most of a score that may be worth a factor of ten.
DECADES = (0.1, 1.0)


@dataclass(frozen=True)
class Scores:
    """What was found, one row per point in the order given. NaN where a point was not judged (missing, late).

    Attributes:
        score: weighted mean of the members' surprise by the series' own past, 0 for an ordinary point. Comparable
            between series and over time; `Detector.decade` says how much of it makes a point ten times rarer.
        expected: value that the past made likely, in the unit of the series.
        low: lower end of the band that holds all but one in a thousand points.
        high: upper end.
        driver: row of `members` that was most surprised, -1 where not judged.
        members: names of the members.
        surprise: of each member, shape ``(members, points)``: what `score` is the weighted mean of.
    """

    score: Floats
    expected: Floats
    low: Floats
    high: Floats
    driver: Ints
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
    z: Floats
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
            z=np.zeros(PAST),
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
    def fit(cls, times: ArrayLike, values: ArrayLike, *, profile: Profile | None = None) -> Detector:
        """Learn what is usual from a training part, without labels.

        Nothing is random: the same points give the same detector.

        Args:
            times: unix seconds, in order of arrival.
            values: NaN where missing.
            profile: members and weights; chosen from the length and the sampling period when None.
        """
        t, v = np.asarray(times, float), np.asarray(values, float)
        clock = Clock.of(t, v)
        profile = profile or choose(clock.step, int(np.isfinite(v).sum()))
        slots = clock.arrive(t, v)
        block = max(16, min(60, clock.per_day // 24))
        if int(slots.seen.sum()) < LEAST:
            return cls(profile, State.empty(profile, clock, block), ready=False)
        season = Season.of(clock.per_day)
        members = Members.of(tuple(profile.weights), clock.per_day)
        center, scale = center_and_scale(slots.values[slots.seen])
        z = squash((slots.values - center) / scale)
        seen = slots.seen.astype(float)
        view = View(np.r_[np.full(PAST, z[0]), z], seen, 0, clock.per_day, *season.advance(z, seen, 0))
        members.fit(view)
        raw, _ = members.advance(view, learn=False)
        calibrator = Calibrator.fit(raw, seen, tail=profile.tail, memory=profile.memory, block=block)
        score = _mean(calibrator.judge(raw), profile)[slots.seen]
        peaks = episode_peaks(np.flatnonzero(slots.seen).astype(np.float64) * clock.step, score, clock.step)
        weeks = len(z) * clock.step / (7 * DAY)
        newest = unjudged(len(profile.weights))[:, 0]
        state = State(clock, season, members, calibrator, view.z[-PAST:], center, scale, peaks, weeks, newest)
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
        """The score that comes up in about ``per_week`` false episodes a week.

        A mean of two opinions, weighed by the weeks of training: what other series show, and what this training part
        reached that often. The second counts every episode of training as false, so it errs to the quiet side.
        """
        usual = ONE_A_WEEK - DECADE * float(np.log10(max(per_week, 1e-6)))
        weeks = self.state.weeks
        own = self._reached(max(per_week, 1e-6) * weeks) if len(self.state.peaks) else usual
        return (weeks * own + OWN_WEEKS * usual) / (weeks + OWN_WEEKS)

    def _reached(self, episodes: float) -> float:
        """Just above the score that more than ``episodes`` of training reached; beyond the highest by its decades."""
        peaks = self.state.peaks
        if episodes < 1:
            return float(peaks[0] - self.decade * np.log10(episodes))
        return float(np.nextafter(peaks[min(int(episodes), len(peaks) - 1)], np.inf))

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
        tail = self.profile.tail
        settings = {
            "name": self.profile.name,
            "weights": list(self.profile.weights.items()),
            "tail": [tail.low, tail.high, tail.prior, tail.weight, tail.least],
            "memory": self.profile.memory,
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
        profile = Profile(settings["name"], weights, Tail(*settings["tail"]), settings["memory"])
        clock = Clock(0.0, DAY / settings["per_day"], rhythmic=True, counter=False)
        state = State.empty(profile, clock, settings["block"])
        pack.restore(state, values)
        return cls(profile, state, ready=settings["ready"])

    def _judge(self, state: State, values: Floats, seen: Floats, first: int) -> Floats:
        """Rows of `as_scores` for new slots. Changes ``state``."""
        z = squash((values - state.center) / state.scale)
        season = state.season.advance(z, seen, first)
        view = View(np.r_[state.z, z], seen, first, state.clock.per_day, *season)
        raw, expected = state.members.advance(view, learn=True)
        surprise, known = state.calibrator.advance(raw, seen, first)
        state.z = view.z[-PAST:]
        log = known[0, -1] + BAND * known[1, -1]
        half = np.maximum(np.exp(log) - NOTHING, 0)
        low, middle, high = (
            unsquash(e) * state.scale + state.center for e in (expected - half, expected, expected + half)
        )
        return np.stack(
            [
                _mean(surprise, self.profile),
                middle,
                low,
                high,
                surprise[:-1].argmax(axis=0).astype(float),
                *surprise[:-1],
            ]
        )


def unjudged(members: int, points: int = 1) -> Floats:
    """Rows of `as_scores` for points that are not judged."""
    rows = np.full((5 + members, points), np.nan)
    rows[4] = -1
    return rows


def as_scores(rows: Floats, members: tuple[str, ...]) -> Scores:
    """Name the rows: score, expected, low, high, driver, and the surprise of each member."""
    return Scores(rows[0], rows[1], rows[2], rows[3], rows[4].astype(np.int64), members, rows[5:])


def _mean(surprise: Floats, profile: Profile) -> Floats:
    weights = np.array(list(profile.weights.values()), float)
    mean: Floats = weights @ surprise[:-1] / weights.sum()
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


def episode_peaks(times: Floats, score: Floats, step: float) -> Floats:
    """Highest scores of separate episodes (an hour or three points apart), highest first, at most `PEAKS`."""
    cool = max(HOUR, 3 * step)
    order = np.argsort(-score, kind="stable")
    taken: list[int] = []
    for at in order[: 40 * PEAKS]:
        if all(abs(times[at] - times[other]) > cool for other in taken):
            taken.append(int(at))
            if len(taken) == PEAKS:
                break
    return np.asarray(score[taken])
