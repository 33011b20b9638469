"""From scores to alarms that a person can live with: one per episode, with a severity that says what to do.

Severity is rarity. By the series' own past a score of the threshold comes up about ``per_week`` times a week, and each
`Detector.decade` more is ten times rarer; so a score says how often such a thing would come up by chance:

======== ========================= =================================================
severity such a thing comes up     name and what it asks for
======== ========================= =================================================
0        at the threshold          ``notice``: look when you are there anyway
0.25     ten times rarer           ``minor``: look today
0.5      a hundred times rarer     ``major``: look now
0.75     a thousand times rarer    ``critical``: wake somebody
1        ten thousand times rarer  (the scale ends)
======== ========================= =================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from aws_auto.ml.anomaly.detect.detector import Scores

    Floats = NDArray[np.float64]

HOUR = 3600.0
LEVELS = ((0.75, "critical"), (0.5, "major"), (0.25, "minor"), (0.0, "notice"))
#: Factors of ten from one end of the severity scale to the other.
SCALE = 4.0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """When a score is worth an alarm.

    Attributes:
        threshold: lowest score that raises one; `Detector.threshold` gives it for a budget of false alarms a week.
        decade: how much higher a score is ten times rarer; `Detector.decade` gives it.
        merge: seconds; points at most this far apart are one episode.
        cool_down: seconds after the end of an alarm in which only a worse one (by a level) is told.
        least_effect: smallest distance from the expected value, in the unit of the series, that matters to anybody.
        least_share: the same as a share of the expected value.
        least_points: points over the threshold that an episode needs.
        ignore_above: values from here on are never alarmed.
        ignore_below: values up to here are never alarmed.
        quiet: maintenance windows as (start, end) in unix seconds; scores inside raise no alarm.
    """

    threshold: float
    decade: float = 1.0
    merge: float = HOUR
    cool_down: float = HOUR
    least_effect: float = 0.0
    least_share: float = 0.0
    least_points: int = 1
    ignore_above: float = float("inf")
    ignore_below: float = float("-inf")
    quiet: Sequence[tuple[float, float]] = field(default=())

    def __post_init__(self) -> None:
        for name in ("merge", "cool_down", "least_effect", "least_share"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{getattr(self, name)} is negative", where=name, hint="write 0 or more")
        if not self.decade > 0:
            raise UsageError(f"{self.decade} is not above 0", where="decade", hint="take the decade of the detector")
        for start, end in self.quiet:
            if not start < end:
                raise UsageError(f"the window {start} to {end} is empty", where="quiet", hint="write start before end")


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One episode.

    Attributes:
        start: first point over the threshold, unix seconds; the alarm is told at this moment.
        end: last such point.
        peak: the point with the highest score.
        score: its score.
        severity: 0 to 1, see the module.
        level: its name.
        value: value at the peak.
        expected: what was expected there.
        low: lower end of the usual band there.
        high: upper end.
        points: points over the threshold.
        driver: the member that was most surprised at the peak.
    """

    start: float
    end: float
    peak: float
    score: float
    severity: float
    level: str
    value: float
    expected: float
    low: float
    high: float
    points: int
    driver: str


def severity(score: float, threshold: float, decade: float = 1.0) -> float:
    """Rarity of a score beyond the threshold on a scale from 0 to 1."""
    return float(np.clip((score - threshold) / decade / SCALE, 0.0, 1.0))


def level(value: float) -> str:
    """Name of a severity."""
    return next(name for least, name in LEVELS if value >= least)


def alarming(times: Floats, values: Floats, scores: Scores, policy: Policy) -> NDArray[np.bool_]:
    """Which points raise an alarm by themselves: over the threshold, large enough, and nowhere excluded."""
    with np.errstate(invalid="ignore"):
        on = scores.score >= policy.threshold
        effect = np.abs(scores.value - scores.expected)
        on &= effect >= np.maximum(policy.least_effect, policy.least_share * np.abs(scores.expected))
        on &= (values < policy.ignore_above) & (values > policy.ignore_below)
    for start, end in policy.quiet:
        on &= (times < start) | (times > end)
    return np.asarray(on)


def alarms(times: ArrayLike, values: ArrayLike, scores: Scores, policy: Policy) -> list[Alarm]:
    """One alarm per episode, in order of time.

    Args:
        times: unix seconds of the judged points, ascending but for late points.
        values: their values.
        scores: of `Detector.score` for the same points.
        policy: when a score is worth an alarm.
    """
    t, v = np.asarray(times, float), np.asarray(values, float)
    at = np.flatnonzero(alarming(t, v, scores, policy))
    at = at[np.argsort(t[at], kind="stable")]
    cuts = np.flatnonzero(np.diff(t[at]) > policy.merge) + 1
    told: list[Alarm] = []
    for episode in np.split(at, cuts):
        if len(episode) < policy.least_points or not len(episode):
            continue
        alarm = _alarm(t, v, scores, policy, episode)
        before = told[-1] if told else None
        cooling = before is not None and alarm.start - before.end <= policy.cool_down
        worse = before is not None and _floor(alarm) > _floor(before)
        if not cooling or worse:
            told.append(alarm)
    return told


def _alarm(t: Floats, v: Floats, scores: Scores, policy: Policy, episode: NDArray[np.int64]) -> Alarm:
    peak = int(episode[np.argmax(scores.score[episode])])
    how = severity(float(scores.score[peak]), policy.threshold, policy.decade)
    return Alarm(
        start=float(t[episode[0]]),
        end=float(t[episode[-1]]),
        peak=float(t[peak]),
        score=float(scores.score[peak]),
        severity=how,
        level=level(how),
        value=float(v[peak]),
        expected=float(scores.expected[peak]),
        low=float(scores.low[peak]),
        high=float(scores.high[peak]),
        points=len(episode),
        driver=scores.members[int(scores.driver[peak])],
    )


def _floor(alarm: Alarm) -> float:
    return next(least for least, name in LEVELS if name == alarm.level)
