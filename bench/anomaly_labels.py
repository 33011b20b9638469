"""What labels are worth: users who label the incidents of the first half are scored on the second, later half.

    python bench/anomaly_labels.py [--suite iops,wsd,mscm,nab_core] [--group 100,4,1] [--json FILE]

Needs the development data and the scorer in ``shared`` beside the checkout; without them it says so and stops. A user
owns ``--group`` series of a suite (drawn at random, seeded; 100: all of them), has labelled everything before the
middle of the scored part, and trains there. From then on alarms are raised as ``detect`` raises them, and counted:

- ``usual``: the labels are known, weights and limits are not learned from them.
- ``learned``: the mix that fits the labels best, whatever held-back incidents say.
- ``decided``: what the product does: learned weights and limits where held-back incidents say that they are better.

Intervals are 95 % over series (bootstrap), for the difference to ``usual`` on the same series. `LEAST_FOR_MIX`,
`CAUTION` and the grid of mixes in `aws_auto.ml.anomaly.detect.learned` were chosen while looking at these suites.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from anomaly import DRAWS, METRIC, SHARED, interval, scorer, table
from aws_auto.errors import NotEnoughData
from aws_auto.ml.anomaly.answers import THRESHOLD
from aws_auto.ml.anomaly.detect.learned import choose, credits_of, gains, learn, mixes, observing
from aws_auto.ml.anomaly.detect.lessons import together
from aws_auto.ml.anomaly.detect.profile import MEMBERS
from aws_auto.ml.anomaly.detector import FleetDetector
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import grids
from aws_auto.ml.anomaly.labels import Labels
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.anomaly.teaching import by_profile, lesson_of
from aws_auto.ml.recipes.anomaly import borders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect import Profile
    from aws_auto.ml.anomaly.detect.lessons import Lesson
    from aws_auto.ml.anomaly.grid import ResourceGrid

    Floats = NDArray[np.float64]

KINDS = ("usual", "learned", "decided")
SETTINGS = AnomalySettings()
#: Series of a suite are moved apart, so that nothing happens to two of them at once by chance.
APART = 3e9


class Case:
    """One series: a past with labels, and the future that is scored."""

    def __init__(self, score: ModuleType, series: Any, place: int) -> None:  # noqa: ANN401 - of the scorer
        n, first = len(series.v), series.n_train
        middle = first + (n - first) // 2
        self.series = type(series)(series.name, series.ts, series.v, series.label, middle)
        past = table(series.ts[:middle].astype(float), series.v[:middle], "series")
        (self.past,) = grids(past, [METRIC]).values()
        (whole,) = grids(table(series.ts.astype(float), series.v, "series"), [METRIC]).values()
        self.future = whole.cut(self.past.end, None)
        spans = score.segments(series.label[:middle])
        self.labels = Labels(right=tuple((int(series.ts[a]), int(series.ts[b])) for a, b in spans))
        self.until = border(self.past)
        self.counts: dict[str, Floats] = {}
        ((self.profile, rows),) = by_profile(self.past, self.until)
        lesson = lesson_of(self.past, rows, observing(self.profile), self.until, self.labels, ())
        self.lesson = None if lesson is None else self._moved(lesson, APART * place)

    def _moved(self, lesson: Lesson, by: float) -> Lesson:
        known = [(a + by, b + by) for a, b in self.labels.right if b >= lesson.times[0]]
        return replace(lesson, times=lesson.times + by, incidents=tuple(known))

    def count(self, score: ModuleType, learned: Mapping[str, Profile]) -> Floats:
        """Found, missed and false of the scored half."""
        profile = learned.get(self.profile.name, self.profile)
        key = repr((profile.weights, profile.gain, profile.ease))
        if key not in self.counts:
            fleet, said = {"series": self.past}, {"series": self.labels}
            detector = FleetDetector.fit(
                Ensemble.kind, fleet, until=self.until, settings=SETTINGS, labels=said, mixes=learned
            )
            found = detector.found(self.future, SETTINGS)
            ratio = np.where(np.isfinite(found.judged.expected).any(axis=0), found.ratio, 0.0)
            at = (self.series.ts[self.series.test] - self.future.first) // self.future.period
            self.counts[key] = np.array(score.count(self.series, (ratio / (1 + ratio))[at], THRESHOLD)[:3], float)
        return self.counts[key]


def border(past: ResourceGrid) -> int:
    """Where calibration begins, as in the recipe."""
    try:
        return borders(past.first, past.end - past.period)[0]
    except NotEnoughData:
        return past.first + (past.end - past.first) // 2


def taught(cases: Sequence[Case]) -> tuple[dict[str, dict[str, Profile]], list[str]]:
    """Learned profiles of one user by kind of decision, and what the report would say."""
    out: dict[str, dict[str, Profile]] = {kind: {} for kind in KINDS}
    notes = []
    for name in sorted({case.profile.name for case in cases}):
        some = [case for case in cases if case.profile.name == name and case.lesson is not None]
        lessons, profile = [case.lesson for case in some if case.lesson is not None], some[0].profile
        events = together([lesson.incidents for lesson in lessons])
        if not events:
            continue
        found = learn(profile, lessons, per_week=SETTINGS.budget_per_week, seed=0)
        notes += found.notes
        if found.better:
            out["decided"][name] = found.profile
        tried = mixes(profile)
        units = gains(lessons, tried)
        best = choose(credits_of(lessons, events, tried, units, per_week=SETTINGS.budget_per_week))
        weights = {name: float(share) for name, share in zip(MEMBERS, tried[best], strict=True) if share > 0}
        if best:
            out["learned"][name] = replace(profile, weights=weights, gain=float(units[best]))
    return out, notes


def users(cases: Sequence[Case], size: int) -> list[list[Case]]:
    """The series dealt out to users of so many each."""
    order = np.random.default_rng(0).permutation(len(cases))
    return [[cases[i] for i in order[a : a + size]] for a in range(0, len(cases), size)]


@dataclass
class Row:
    """What users of one size have: counts by kind, ``(series, found missed false)``, calm weeks, and decisions."""

    suite: str
    size: int
    counts: dict[str, Floats]
    weeks: Floats
    labelled: int
    users: int = 1
    changed: int = 0
    better: int = 0
    worse: int = 0
    notes: list[str] = field(default_factory=list)

    @classmethod
    def together(cls, rows: Sequence[Row]) -> Row:
        """Several as one."""
        counts = {kind: np.concatenate([row.counts[kind] for row in rows]) for kind in KINDS}
        names = ("labelled", "users", "changed", "better", "worse")
        sums = {name: sum(getattr(row, name) for row in rows) for name in names}
        suite = rows[0].suite if len({row.suite for row in rows}) == 1 else "all"
        notes = [note for row in rows for note in row.notes]
        return cls(suite, rows[0].size, counts, np.concatenate([row.weeks for row in rows]), notes=notes, **sums)

    def figures(self, score: ModuleType) -> dict[str, Any]:
        """Figures and intervals."""
        n = len(self.weeks)
        pick = np.random.default_rng(0).integers(0, n, (DRAWS, n))
        base = score.f1(self.counts["usual"][pick].sum(axis=1))
        out: dict[str, Any] = {name: getattr(self, name) for name in ("suite", "size", "users", "labelled")}
        out |= {"scored": int(self.counts["usual"][:, :2].sum()), "series": n}
        out |= {name: getattr(self, name) for name in ("changed", "better", "worse", "notes")}
        for kind, some in self.counts.items():
            out[f"F1_{kind}"] = float(score.f1(some.sum(axis=0)))
            out[f"gain_{kind}_interval"] = interval(score.f1(some[pick].sum(axis=1)) - base)
            out[f"false_per_week_{kind}"] = float(some[:, 2].sum() / self.weeks.sum())
        return out


def measure(score: ModuleType, suite: str, sizes: Sequence[int]) -> list[Row]:
    """Users of each size; what they decide is scored on the same later halves."""
    cases = [Case(score, series, place) for place, series in enumerate(score.load(suite))]
    rows = [Row.together([one_user(score, suite, size, user) for user in users(cases, size)]) for size in sizes]
    for row in rows:
        print(as_line(row.figures(score)), flush=True)
    return rows


def one_user(score: ModuleType, suite: str, size: int, cases: Sequence[Case]) -> Row:
    """What a user who owns these series is told, and gets."""
    profiles, notes = taught(cases)
    counts = {kind: np.array([case.count(score, profiles[kind]) for case in cases]) for kind in KINDS}
    gain = float(score.f1(counts["decided"].sum(axis=0)) - score.f1(counts["usual"].sum(axis=0)))
    return Row(
        suite,
        size,
        counts,
        np.array([(c.series.label[c.series.test] == 0).sum() * c.series.dt / 604_800 for c in cases]),
        labelled=sum(len(case.labels.right) for case in cases),
        changed=int(bool(profiles["decided"])),
        better=int(gain > 0),
        worse=int(gain < 0),
        notes=notes,
    )


def as_line(row: dict[str, Any]) -> str:
    """One line of the table."""
    parts = [
        f"{kind} {row[f'F1_{kind}']:.3f} at {row[f'false_per_week_{kind}']:.2f}"
        + ("" if kind == "usual" else " [{:+.3f} {:+.3f}]".format(*row[f"gain_{kind}_interval"]))
        for kind in KINDS
    ]
    return (
        f"{row['suite']:9s} {row['users']:3d} users, {row['labelled']} labelled, {row['scored']} scored: F1 at false a"
        f" week: {', '.join(parts)}; {row['changed']} learned, {row['better']} better, {row['worse']} worse"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="iops,wsd,mscm,nab_core")
    parser.add_argument("--group", default="100,4,1", help="series a user owns; several are measured one by one")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    score = scorer()
    if score is None:
        print(f"no labelled series: {SHARED / 'score'} is absent, so nothing is measured")
        return
    sizes = [int(text) for text in options.group.split(",")]
    with threadpool_limits(1):
        suites = [measure(score, suite, sizes) for suite in options.suite.split(",")]
    rows = [row for suite in suites for row in suite]
    if len(suites) > 1:
        rows += (pooled := [Row.together(same) for same in zip(*suites, strict=True)])
        for row in pooled:
            print(as_line(row.figures(score)))
    if options.json:
        options.json.write_text(json.dumps([row.figures(score) for row in rows], indent=2))


if __name__ == "__main__":
    main()
