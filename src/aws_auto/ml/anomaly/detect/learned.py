"""Which members count for how much, learned from incidents that a user has labelled.

A few dozen mixes are tried: the profile's own, those of the other profiles, every member alone, every pair, and every
member beside the profile's mix. Each is judged by what it is used for: an incident is worth the share of `PRICES`
(other alarms per resource and week, in budgets) at which the mix finds it, with limits at which every mix raises the
same number of other alarms. Few mixes instead of free weights, because a handful of incidents cannot tell more apart.

The profile's mix stays unless the labels themselves say that another is better: each incident is held back once, the
mix is chosen by the others, and the gains on the held-back ones must lie above zero (`LEVEL`). What goes wrong on
several resources at once is one incident: it is held back as a whole. Points that nobody labelled count as calm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.detect.detector import episode_peaks
from aws_auto.ml.anomaly.detect.profile import DENSE, FRESH, HOURS, MEMBERS, Profile, limit
from aws_auto.ml.anomaly.detect.routine import Routine
from aws_auto.ml.evaluation.backtest import paired_bootstrap
from aws_auto.ml.evaluation.metrics import HOUR, Rhythm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.results import Interval

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    #: Spans that belong together: which lesson, first and last unix second.
    Event = list[tuple[int, float, float]]

#: Fewer incidents cannot show a difference: all of five being found better has a probability of 1/32 by chance.
LEAST = 5
#: Alarms beside the incidents at which mixes are compared, in budgets.
PRICES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
#: Shares that a member gets beside the profile's mix; all of it is the member alone.
SHARES = (0.25, 0.5, 0.75, 1.0)
#: Standard errors that are taken off a mix's gain before mixes are compared: the luckiest of many is not the best.
CAUTION = 0.5
#: Of the interval of the gain on held-back incidents.
LEVEL = 0.9
DAY, WEEK = 86_400, 7 * 86_400
#: Surprise of a point that was not judged.
SILENT = -3.0
#: Limits of calm points under this are none to compare by.
LEAST_LIMIT = 0.1


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
    def calm(self) -> Bools:
        """Columns at which an alarm has nothing to do with an incident."""
        rhythm = Rhythm(self.period)
        out = np.asarray(np.isfinite(self.surprise[:, 0]).any(axis=0))
        for start, end in self.incidents:
            last = max(end + rhythm.cool, start + rhythm.grace)
            out &= (self.times < start - 3 * self.period) | (self.times > last)
        return out

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


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What the labels say about a profile.

    Attributes:
        profile: with the learned mix, or as it was.
        incidents: how many of them were judged.
        ours: share of held-back incidents that mixes chosen by the others find; None with too few incidents.
        usual: the same of the profile's mix.
        gain: interval of the difference.
    """

    profile: Profile
    incidents: int
    ours: float | None = None
    usual: float | None = None
    gain: Interval | None = None

    @property
    def better(self) -> bool:
        """Whether the mix is a learned one."""
        return self.gain is not None and self.gain.low > 0

    @property
    def note(self) -> str:
        """What was decided, on what evidence, in one sentence."""
        if self.gain is None or self.ours is None or self.usual is None:
            return (
                f"the usual weights stay ({self.profile.name}): {self.incidents} labelled incidents,"
                f" at least {LEAST} are needed to tell a better mix from chance"
            )
        said = (
            f"found {self.ours:.2f} of {self.incidents} held-back incidents at the same number of alarms, the usual"
            f" ones {self.usual:.2f} (difference {self.gain.low:.2f} to {self.gain.high:.2f})"
        )
        if not self.better:
            return f"the usual weights stay ({self.profile.name}): weights learned from the other labels {said}"
        parts = ", ".join(f"{name} {share:.0%}" for name, share in self.profile.weights.items())
        return f"weights learned from labels ({self.profile.name}: {parts}): such {said}"


def learn(profile: Profile, lessons: Sequence[Lesson], *, per_week: float, seed: int) -> Learned:
    """The profile with the mix that finds the incidents best, where held-back incidents say that it does.

    Args:
        profile: of all these lessons.
        lessons: those with and without incidents.
        per_week: budget of alarms per resource and week.
        seed: of the interval.
    """
    events = together(lessons)
    if len(events) < LEAST:
        return Learned(profile=profile, incidents=len(events))
    tried = mixes(profile)
    units = gains(lessons, tried)
    worth = credits_of(lessons, events, tried, units, per_week=per_week)
    held = np.array([worth[choose(np.delete(worth, i, axis=1)), i] for i in range(len(events))])
    share = {"statistic": lambda total: total[..., 0] / len(events), "seed": seed, "level": LEVEL}
    gain = paired_bootstrap(held[:, None], worth[0][:, None], **share)  # type: ignore[arg-type] # one of each kind
    best = choose(worth)
    found = Learned(
        profile=profile, incidents=len(events), ours=float(held.mean()), usual=float(worth[0].mean()), gain=gain
    )
    if not found.better:
        return found
    weights = {name: float(share) for name, share in zip(MEMBERS, tried[best], strict=True) if share > 0}
    return replace(found, profile=replace(profile, weights=weights, gain=float(units[best])))


def observing(profile: Profile) -> Profile:
    """The profile with all members, for `Lesson.surprise`; only its own count."""
    return replace(profile, weights={name: profile.weights.get(name, 0.0) for name in MEMBERS})


def mixes(profile: Profile) -> Floats:
    """The mixes that are tried, shape ``(mixes, members)``; the first is the profile's own."""
    own, *others = (_shares(one) for one in (profile, *(p for p in (DENSE, HOURS, FRESH) if p.name != profile.name)))
    alone = np.eye(len(MEMBERS))
    beside = [(1 - share) * own + share * one for share in SHARES for one in alone]
    pairs = [(one + other) / 2 for one, other in combinations(alone, 2)]
    return np.array([own, *others, alone.mean(axis=0), *beside, *pairs])


def choose(worth: Floats) -> int:
    """The mix that finds most, by a margin that grows with its uncertainty; 0 when none does better than the first."""
    better = worth - worth[0]
    n = worth.shape[1]
    sure = better.mean(axis=1) - CAUTION * better.std(axis=1) / np.sqrt(max(n - 1, 1))
    return int(sure.argmax())


def together(lessons: Sequence[Lesson]) -> list[Event]:
    """Labelled spans that lie at most an hour apart, on whatever resource: ``(lesson, start, end)`` of each."""
    spans = sorted((start, end, i) for i, one in enumerate(lessons) for start, end in one.incidents)
    out: list[Event] = []
    reached = -np.inf
    for start, end, i in spans:
        if start > reached + HOUR:
            out.append([])
        out[-1].append((i, start, end))
        reached = max(reached, end)
    return out


def gains(lessons: Sequence[Lesson], tried: Floats) -> Floats:
    """By what each mix is multiplied so that calm points reach the limits as often as with the first."""
    calm = [np.concatenate([one.peaks((mix @ one.known).max(axis=0)) for one in lessons]) for mix in tried]
    weeks = sum(one.weeks for one in lessons)
    limits = np.maximum([_limits(some, weeks) for some in calm], LEAST_LIMIT)
    return np.asarray(np.exp(np.log(limits[0] / limits).mean(axis=1)))


def credits_of(
    lessons: Sequence[Lesson], events: Sequence[Event], tried: Floats, units: Floats, *, per_week: float
) -> Floats:
    """Share of prices at which each mix finds each incident, shape ``(mixes, incidents)``."""
    weeks = per_week * sum(one.weeks for one in lessons)
    out = np.zeros((len(tried), len(events)))
    for m, (mix, unit) in enumerate(zip(tried, units, strict=True)):
        over = [excess(one, mix, unit, per_week=per_week) for one in lessons]
        limits = _limits(np.concatenate([one.peaks(x) for one, x in zip(lessons, over, strict=True)]), weeks)
        for e, event in enumerate(events):
            out[m, e] = np.mean([lessons[i].highest(over[i], start, end) > limits for i, start, end in event])
    return out


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
    return out


def _shares(profile: Profile) -> Floats:
    weights = np.array([profile.weights.get(name, 0.0) for name in MEMBERS])
    return np.asarray(weights / weights.sum())


def _limits(calm: Floats, weeks: float) -> Floats:
    """The scores over which lie as many calm hours as `PRICES` allow in so many weeks."""
    highest = -np.sort(-calm)
    return highest[[min(int(price * weeks), len(highest) - 1) for price in PRICES]]
