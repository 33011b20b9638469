"""From labels to weights: labelled resources are judged by all members, on what these had not learned from.

A few resources without labels are judged beside them, so that calm is that of the account and not that of its troubled
part. Every profile learns for itself (`aws_auto.ml.anomaly.detect.learned`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.detect import Detector, choose
from aws_auto.ml.anomaly.detect.learned import LEAST, LEAST_FOR_MIX, Standing, learn, observing, standing, too_few
from aws_auto.ml.anomaly.detect.lessons import SILENT, Lesson, excess, shares_of, together
from aws_auto.ml.anomaly.detect.profile import MEMBERS
from aws_auto.ml.anomaly.detector import calibrated_from
from aws_auto.ml.anomaly.ensemble import Ensemble, one_thread
from aws_auto.ml.anomaly.labels import NOTHING_SAID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect import Profile, Scores
    from aws_auto.ml.anomaly.detect.learned import Learned
    from aws_auto.ml.anomaly.detector import FleetDetector
    from aws_auto.ml.anomaly.grid import ResourceGrid
    from aws_auto.ml.anomaly.labels import Labels
    from aws_auto.ml.anomaly.settings import AnomalySettings

    Floats = NDArray[np.float64]
    Span = tuple[int, int]

#: Resources that lessons are made of: labelled ones first, and of others so many that there are enough in all.
MOST, ENOUGH = 60, 12
#: Limits that are the same.
NEAR = 0.1


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What the labels taught.

    Attributes:
        learned: what they say about each profile of a labelled resource.
        lessons: what it was learned from, by profile and resource.
        since: where the detectors' calibration begins, in unix seconds.
        incidents: how many could be used; what happens at the same time is one.
        unused: labelled spans of other times or resources.
    """

    learned: tuple[Learned, ...] = ()
    lessons: Mapping[str, Mapping[str, Lesson]] = field(default_factory=dict)
    since: int = 0
    incidents: int = 0
    unused: int = 0

    @property
    def mixes(self) -> dict[str, Profile]:
        """The learned profiles that are better, by the name of the usual one."""
        return {one.usual.name: one.profile for one in self.learned if one.better}

    @property
    def resources(self) -> list[str]:
        """Those that were looked at."""
        return sorted({name for some in self.lessons.values() for name in some})

    def known_to(self, rival: FleetDetector) -> bool:
        """Whether another detector was taught the same: the same weights, and limits less than `NEAR` apart."""
        theirs = {
            one.profile.name: one.profile
            for resource in rival.resources.values()
            if isinstance(resource.scorer, Ensemble)
            for one in resource.scorer.late
        }
        return all(
            (other := theirs.get(name)) is not None
            and other.weights == mine.weights
            and abs(other.ease - mine.ease) < NEAR
            for name, mine in self.mixes.items()
        )

    def beats(
        self, rival: FleetDetector, fleet: Mapping[str, ResourceGrid], settings: AnomalySettings
    ) -> tuple[bool, str]:
        """Whether what was learned finds labelled incidents better than another detector, each at its own limit.

        Only what both can judge counts: what came after ``since``.

        Args:
            rival: the other one.
            fleet: as of `teach`.
            settings: as of `teach`.

        Returns:
            The answer, and the figures that it rests on.
        """
        ours, theirs = [], []
        for one in self.learned:
            if one.better:
                pairs = [(n, lesson, lesson.after(self.since)) for n, lesson in self.lessons[one.usual.name].items()]
                known = [(n, whole, late) for n, whole, late in pairs if len(late.times)]
                said = [_excess(one.profile, whole, settings)[-len(late.times) :] for _, whole, late in known]
                over = [_over(rival, fleet[n], late, settings) for n, _, late in known]
                parts = [late for _, _, late in known]
                ours.append(standing(parts, said, at=-one.profile.ease))
                theirs.append(standing(parts, over))
        mine, other = _sum(ours), _sum(theirs)
        return mine.f1 > other.f1, f"labels: it finds {mine.words}, the other {other.words}"

    @property
    def summary(self) -> str:
        """What was decided, in a few words; nothing where there are no incidents."""
        if not self.incidents + self.unused:
            return ""
        if self.incidents < LEAST:
            return too_few(self.incidents)
        what = [
            f"{'weights' * (one.profile.weights != one.usual.weights)} {'limit' * (one.profile.ease > 0)}".split()
            for one in self.learned
        ]
        said = [
            f"{' and '.join(words)} of {one.usual.name} series"
            for one, words in zip(self.learned, what, strict=True)
            if words
        ]
        taught = ", ".join(said) or "nothing better than the usual weights and limits"
        return f"{self.incidents} labelled incidents taught {taught}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided, and on what."""
        said = [note for one in self.learned for note in one.notes] or [self.summary]
        if self.unused:
            said.append(f"{self.unused} labels lie where the members learn what is usual, or outside of the data")
        return tuple(note for note in said if note)


def teach(
    fleet: Mapping[str, ResourceGrid], said: Mapping[str, Labels], *, until: int, settings: AnomalySettings, seed: int
) -> Taught:
    """Learn weights from labelled incidents, as far as they say that these are better than the usual ones.

    Args:
        fleet: everything that may be known.
        said: labels by resource.
        until: unix seconds; where the detectors' calibration begins, which says which profile a series has.
        settings: what is excluded, and the budget.
        seed: of the resources without labels that are looked at, and of the interval.
    """
    spans = {
        name: tuple(span for span in labels.right if _judged(fleet[name], span, until))
        for name, labels in said.items()
        if name in fleet
    }
    labelled = {name: some for name, some in spans.items() if some}
    events = len(together(list(labelled.values())))
    unused = sum(len(labels.right) for labels in said.values()) - sum(map(len, labelled.values()))
    if events < LEAST:
        return Taught(incidents=events, unused=unused)
    lessons: dict[str, dict[str, Lesson]] = {}
    profiles: dict[str, Profile] = {}
    with one_thread():
        for name in _drawn(fleet, labelled, seed):
            grid, labels = settings.without_excluded(fleet[name]), said.get(name, NOTHING_SAID)
            for profile, rows in by_profile(grid, until):
                seen = observing(profile) if events >= LEAST_FOR_MIX else profile
                if lesson := lesson_of(grid, rows, seen, until, labels, labelled.get(name, ())):
                    lessons.setdefault(profile.name, {})[name] = lesson
                    profiles[profile.name] = profile
    learned = tuple(
        learn(profiles[name], list(some.values()), per_week=settings.budget_per_week, seed=seed)
        for name, some in sorted(lessons.items())
        if any(one.incidents for one in some.values())
    )
    return Taught(learned=learned, lessons=lessons, since=until, incidents=events, unused=unused)


def _excess(profile: Profile, lesson: Lesson, settings: AnomalySettings) -> Floats:
    return excess(lesson, shares_of(profile), profile.gain, per_week=settings.budget_per_week)


def _over(detector: FleetDetector, grid: ResourceGrid, lesson: Lesson, settings: AnomalySettings) -> Floats:
    """How far each column of a lesson is over the limit of a detector; far under where it knows nothing."""
    one = detector.resources.get(grid.resource)
    if one is None or not one.metrics:
        return np.full(len(lesson.times), -1.0)
    known = one.metrics
    rows = [grid.metrics.index(name) if name in grid.metrics else -1 for name in known]
    values = np.stack([grid.values[row] if row >= 0 else np.full(len(grid.times), np.nan) for row in rows])
    same = replace(grid, metrics=known, values=values)
    return np.asarray(detector.found(same, settings).ratio[-len(lesson.times) :] - 1)


def _sum(parts: Sequence[Standing]) -> Standing:
    return Standing(
        found=sum(one.found for one in parts),
        incidents=sum(one.incidents for one in parts),
        alarms=sum(one.alarms for one in parts),
        weeks=sum(one.weeks for one in parts),
    )


def _drawn(fleet: Mapping[str, ResourceGrid], labelled: Mapping[str, object], seed: int) -> list[str]:
    """Labelled resources, and so many of the others that there are enough."""
    rng = np.random.default_rng(seed)
    ours, others = (rng.permutation(sorted(some)).tolist() for some in (labelled, fleet.keys() - labelled))
    return sorted([*ours[:MOST], *others[: max(ENOUGH - len(ours), 0)]])


def _borders(grid: ResourceGrid, until: int) -> tuple[int, int]:
    """Where judging by all members begins, and where the detectors' own calibration does, in unix seconds."""
    own = calibrated_from(grid, until)
    return grid.first + (own - grid.first) // 2, own


def _judged(grid: ResourceGrid, span: Span, until: int) -> bool:
    return span[1] >= _borders(grid, until)[0] and span[0] < grid.end


def by_profile(grid: ResourceGrid, until: int) -> list[tuple[Profile, list[int]]]:
    """The rows of a resource by the profile that its detectors will have."""
    known = np.isfinite(grid.values[:, grid.times < _borders(grid, until)[1]]).sum(axis=1)
    out: dict[str, tuple[Profile, list[int]]] = {}
    for row, points in enumerate(known):
        profile = choose(grid.period, int(points))
        out.setdefault(profile.name, (profile, []))[1].append(row)
    return list(out.values())


def lesson_of(
    grid: ResourceGrid, rows: Sequence[int], profile: Profile, until: int, labels: Labels, incidents: Sequence[Span]
) -> Lesson | None:
    """The rows judged by the profile's members from the first border on; None where there are too few points.

    What a member that the profile lacks would say is unknown to the lesson: `SILENT`, wherever the others judge.
    """
    times, border = grid.times, _borders(grid, until)[0]
    new, said = times >= border, []
    for row in grid.values[rows]:
        one = Detector.fit(times[~new], row[~new], profile=profile)
        if one.ready:
            said.append(one.score(times[new], row[new]))
    if not said or not new.any():
        return None
    with np.errstate(invalid="ignore"):
        above = np.stack([one.value >= one.expected for one in said])
    return Lesson(
        times=times[new].astype(float),
        period=float(grid.period),
        surprise=np.stack([_of_all(one) for one in said]),
        above=above,
        usual=~labels.affected(grid)[new],
        incidents=tuple((float(start), float(end)) for start, end in incidents),
    )


def _of_all(scores: Scores) -> Floats:
    """The surprise of all `MEMBERS`."""
    rows = dict(zip(scores.members, scores.surprise, strict=True))
    absent = np.where(scores.judged, SILENT, np.nan)
    return np.stack([rows.get(name, absent) for name in MEMBERS])
