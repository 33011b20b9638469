"""Which members count for how much, and how low the limit may be, learned from incidents that a user has labelled.

Weights: some mixes are tried: the profile's own, those of the other profiles, all members alike, and every member
beside the profile's own mix, which always keeps a quarter. Each is judged by what it is used for: an incident is worth
the share of `PRICES` (other alarms per resource and week, in budgets) at which the mix finds it, with limits at which
every mix raises the same number of other alarms. Few mixes instead of free weights, because some dozens of incidents
cannot tell more apart.

The profile's mix stays unless the labels themselves say that another is better: each incident is held back once, the
mix is chosen by the others, and the gain on the held-back ones must lie above zero (`LEVEL`). What goes wrong on
several resources at once is one incident: it is held back as a whole.

Limit: with few false alarms on other series in mind it leaves a part of the budget unused. Where incidents are missed
that a lower one finds, it is lowered to the best F1 of incidents and other alarms, never beyond the budget, and only if
this is better for held-back incidents as well. It is never raised: false alarms have verdicts of their own.

Points that nobody labelled count as calm. Alarms that were called true are incidents that the usual detector has found,
so they speak for it: who wants another one has to say what was missed. ``bench/anomaly_labels.py`` simulates users.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.detect.lessons import excess, shares_of, together
from aws_auto.ml.anomaly.detect.profile import DENSE, FRESH, HOURS, MEMBERS, Profile
from aws_auto.ml.evaluation.backtest import paired_bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.lessons import Event, Lesson
    from aws_auto.results import Interval

    Floats = NDArray[np.float64]

#: Fewer incidents cannot show a difference: all of five being found better has a probability of 1/32 by chance.
LEAST = 5
#: Fewer cannot choose among so many mixes: simulated users with less were worse off with learned weights.
LEAST_FOR_MIX = 10
#: Alarms beside the incidents at which mixes are compared, in budgets.
PRICES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
#: Shares that a member gets beside the profile's mix. A member alone, or two, fitted the labels better and later
#: incidents worse.
SHARES = (0.25, 0.5, 0.75)
#: Standard errors that are taken off a mix's gain before mixes are compared: the luckiest of many is not the best.
CAUTION = 1.0
#: Of the interval of the gain on held-back incidents.
LEVEL = 0.9
#: Limits of calm points under this are none to compare by.
LEAST_LIMIT = 0.1
#: A limit lies this much under the peak that it is to find.
JUST = 1e-3


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Share of held-back incidents that mixes chosen by the others find, the profile's, and the gain."""

    ours: float
    usual: float
    gain: Interval


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a detector says at its own limit.

    Attributes:
        found: incidents.
        incidents: all of them.
        alarms: hours with an alarm beside the incidents.
        weeks: calm resource-weeks.
    """

    found: int
    incidents: int
    alarms: int
    weeks: float

    @property
    def words(self) -> str:
        """For a person."""
        a_week = self.alarms / self.weeks
        return f"{self.found} of {self.incidents} incidents at {a_week:.2g} other alarms per resource and week"

    @property
    def f1(self) -> float:
        """Of incidents, with every other alarm as a false one."""
        return f1(self.found, self.incidents, self.alarms)


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What the labels say about a profile.

    Attributes:
        usual: the profile.
        profile: what is better by the labels, or the same.
        incidents: how many there are.
        mix: how weights were compared; None with too few incidents.
        stands: what the profile says of the incidents; None with too few of them.
        before: the same at the usual limit.
    """

    usual: Profile
    profile: Profile
    incidents: int
    mix: Mix | None = None
    stands: Standing | None = None
    before: Standing | None = None

    @property
    def better(self) -> bool:
        """Whether something was learned."""
        return self.profile != self.usual

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided, and on what evidence, a sentence each."""
        said = [f"{self.usual.name}: {self._weights()}"] if self.incidents >= LEAST else [too_few(self.incidents)]
        if self.profile.ease and self.stands and self.before:
            said.append(
                f"{self.usual.name}: a lower limit finds {self.stands.words}, the usual one {self.before.words}"
            )
        return tuple(said)

    def _weights(self) -> str:
        if self.mix is None:
            return f"the usual weights stay: {self.incidents} labelled incidents, weights need at least {LEAST_FOR_MIX}"
        low, high = self.mix.gain.low, self.mix.gain.high
        compared = (
            f"found {self.mix.ours:.2f} of {self.incidents} held-back incidents at the same number of other alarms,"
            f" the usual ones {self.mix.usual:.2f} (difference {low:.2f} to {high:.2f})"
        )
        if low <= 0:
            return f"the usual weights stay: such learned from the other labels {compared}"
        parts = ", ".join(f"{name} {share:.0%}" for name, share in self.profile.weights.items())
        return f"weights are learned from labels ({parts}): such {compared}"


def learn(profile: Profile, lessons: Sequence[Lesson], *, per_week: float, seed: int) -> Learned:
    """The profile with what finds the incidents better, where held-back incidents say that it does.

    Args:
        profile: of all these lessons.
        lessons: those with and without incidents.
        per_week: budget of alarms per resource and week.
        seed: of the interval.
    """
    events = events_of(lessons)
    shares = shares_of(profile)
    known = Learned(usual=profile, profile=profile, incidents=len(events))
    if len(events) < LEAST:
        return known
    if len(events) >= LEAST_FOR_MIX:
        tried = mixes(profile)
        units = gains(lessons, tried)
        worth = credits_of(lessons, events, tried, units, per_week=per_week)
        best, mix = choose(worth), _held_back(worth, seed)
        known = replace(known, mix=mix)
        if mix.gain.low > 0 and best:
            shares = tried[best]
            weights = {name: float(share) for name, share in zip(MEMBERS, shares, strict=True) if share > 0}
            known = replace(known, profile=replace(profile, weights=weights, gain=float(units[best])))
    over = [excess(one, shares, known.profile.gain, per_week=per_week) for one in lessons]
    ease = lower(lessons, events, over, per_week=per_week)
    return replace(
        known,
        profile=replace(known.profile, ease=ease),
        stands=standing(lessons, over, at=-ease),
        before=standing(lessons, over),
    )


def too_few(incidents: int) -> str:
    """Why nothing was learned, in one sentence."""
    said = "labelled incident" if incidents == 1 else "labelled incidents"
    return f"the usual weights and limits stay: {incidents} {said}, at least {LEAST} are needed to learn from"


def observing(profile: Profile) -> Profile:
    """The profile with all members, for `Lesson.surprise`; only its own count."""
    return replace(profile, weights={name: profile.weights.get(name, 0.0) for name in MEMBERS})


def mixes(profile: Profile) -> Floats:
    """The mixes that are tried, shape ``(mixes, members)``; the first is the profile's own."""
    own, *others = (shares_of(one) for one in (profile, *(p for p in (DENSE, HOURS, FRESH) if p.name != profile.name)))
    alone = np.eye(len(MEMBERS))
    beside = [(1 - share) * own + share * one for share in SHARES for one in alone]
    return np.array([own, *others, alone.mean(axis=0), *beside])


def choose(worth: Floats) -> int:
    """The mix that finds most, by a margin that grows with its uncertainty; 0 when none does better than the first."""
    better = worth - worth[0]
    n = worth.shape[1]
    sure = better.mean(axis=1) - CAUTION * better.std(axis=1) / np.sqrt(max(n - 1, 1))
    return int(sure.argmax())


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


def lower(lessons: Sequence[Lesson], events: Sequence[Event], over: Sequence[Floats], *, per_week: float) -> float:
    """By how much a lower limit is better; 0 where the usual one stays.

    Args:
        lessons: resources.
        events: incidents.
        over: of each lesson how far each column is over the usual limit.
        per_week: budget.
    """
    calm, peaks = _calm_and_peaks(lessons, events, over)
    highest, n = -np.sort(-calm), len(peaks)
    floor = highest[min(int(per_week * sum(one.weeks for one in lessons)), len(highest) - 1)]

    def best(some: Floats) -> float:
        possible = np.unique(np.r_[np.maximum(some[(some < 0) & (some > floor)] - JUST, floor), 0.0])[::-1]
        return float(possible[np.argmax([f1((some > at).sum(), len(some), (calm > at).sum()) for at in possible])])

    at = best(peaks)
    held = sum(peak > best(np.delete(peaks, i)) for i, peak in enumerate(peaks))
    better = f1(held, n, (calm > at).sum()) > f1((peaks > 0).sum(), n, (calm > 0).sum())
    return -at if better else 0.0


def standing(lessons: Sequence[Lesson], over: Sequence[Floats], *, at: float = 0.0) -> Standing:
    """What a detector says of the incidents whose alarms begin ``at`` so much over the usual limit."""
    calm, peaks = _calm_and_peaks(lessons, events_of(lessons), over)
    weeks = sum(one.weeks for one in lessons)
    return Standing(
        found=int((peaks > at).sum()), incidents=len(peaks), alarms=int((calm > at).sum()), weeks=max(weeks, 1e-9)
    )


def events_of(lessons: Sequence[Lesson]) -> list[Event]:
    """The incidents that there was anything to see by."""
    return [
        event
        for event in together([one.incidents for one in lessons])
        if any(lessons[i].highest(lessons[i].judged.astype(float), start, end) > 0 for i, start, end in event)
    ]


def _calm_and_peaks(
    lessons: Sequence[Lesson], events: Sequence[Event], over: Sequence[Floats]
) -> tuple[Floats, Floats]:
    """The highest calm values of each hour, and of each incident the highest."""
    calm = np.concatenate([one.peaks(x) for one, x in zip(lessons, over, strict=True)])
    peaks = [max(lessons[i].highest(over[i], start, end) for i, start, end in event) for event in events]
    return calm, np.array(peaks)


def _held_back(worth: Floats, seed: int) -> Mix:
    """Each incident found by the mix that the others choose, beside the first mix."""
    n = worth.shape[1]
    held = np.array([worth[choose(np.delete(worth, i, axis=1)), i] for i in range(n)])
    gain = paired_bootstrap(held[:, None], worth[0][:, None], lambda total: total[..., 0] / n, seed=seed, level=LEVEL)
    return Mix(ours=float(held.mean()), usual=float(worth[0].mean()), gain=gain)


def f1(found: int, incidents: int, alarms: int) -> float:
    """Harmonic mean of the share of incidents found and of alarms that are right."""
    return 2 * found / (found + incidents + alarms)


def _limits(calm: Floats, weeks: float) -> Floats:
    """The scores over which lie as many calm hours as `PRICES` allow in so many weeks."""
    highest = -np.sort(-calm)
    return highest[[min(int(price * weeks), len(highest) - 1) for price in PRICES]]
