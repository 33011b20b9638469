"""The learned scorer: one causal detector per metric of a resource, see `aws_auto.ml.anomaly.detect`.

A detector is a state that has seen a series up to some moment; what lies before that moment it cannot judge any more.
People ask about both sides of the end of training, so two states are kept of every series: one that was fitted on the
first part of the training rows, and the same after it has been led through the rest. The first judges what lies in the
rest, each row from what came before it; the second judges what came after training. No row is judged by a state that
has seen it, or anything later.
"""

from __future__ import annotations

import lzma
import zlib
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.ml.anomaly.detect import Detector, pack
from aws_auto.ml.anomaly.detect.detector import PEAKS, episode_peaks
from aws_auto.ml.anomaly.detect.profile import DECADE, ONE_A_WEEK, USUAL, raised
from aws_auto.ml.anomaly.grid import DAY
from aws_auto.ml.anomaly.robust import Judged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.profile import Profile
    from aws_auto.ml.anomaly.grid import ResourceGrid

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Ensemble:
    """Detectors of one resource, by metric.

    Attributes:
        early: fitted on the columns before ``since``; they judge from there to ``until``.
        late: the same after the columns before ``until``; they judge from there on.
        since: unix seconds; earlier columns are not judged.
        until: unix seconds.
        mixes: learned profiles for whatever is fitted, by the name of the usual one.
        peaks: of several metrics together, by how much the highest episodes were over the limit of their metric for one
            false alarm a week, highest first; of columns that were judged without having been learned from.
        weeks: how many those are.
    """

    early: tuple[Detector, ...]
    late: tuple[Detector, ...]
    since: int
    until: int
    kind: str = "ensemble of detectors"
    mixes: Mapping[str, Profile] = field(default_factory=lambda: USUAL)
    peaks: Floats = field(default_factory=lambda: np.zeros(0))
    weeks: float = 0.0

    @classmethod
    def fit(cls, grid: ResourceGrid, *, mixes: Mapping[str, Profile] = USUAL) -> Ensemble:
        """Learn from a grid; what follows it can be judged."""
        with one_thread():
            fitted = tuple(Detector.fit(grid.times, row, mixes=mixes) for row in grid.values)
        return cls(fitted, fitted, grid.end, grid.end, mixes=mixes)

    def judge(self, grid: ResourceGrid) -> Judged:
        """The detectors' score as surprise, and half their band as scale."""
        return self.advance(grid)[0]

    def learn(self, grid: ResourceGrid, counts: Bools) -> tuple[Judged, Ensemble]:
        """Judge and learn the columns after ``until``, nothing else; those that count also say how strange is usual.

        A metric that had too few points before to be judged is fitted on all of them.
        """
        judged, late = self.onward(self.until).advance(grid)
        times, again = grid.times, self.until > self.since
        new = counts & (times >= self.until)
        with one_thread():
            late = tuple(
                one.measured(times[new], surprise[new], further=again)
                if one.ready
                else Detector.fit(times, row, mixes=self.mixes)
                for one, row, surprise in zip(late, grid.values, judged.known_surprise, strict=True)
            )
        known = replace(self, late=late, until=max(self.until, grid.end))
        if len(late) < 2:
            return judged, known
        surprise, seen = judged.known_surprise[:, new], np.isfinite(judged.known_surprise[:, new])
        # Over the usual limits: those that labels have lowered must not be raised again for what they let through.
        limits = known.apart(1.0) + [one.profile.ease for one in late]
        over = np.where(seen, surprise - limits[:, None], -np.inf).max(axis=0)
        some = np.isfinite(over)
        peaks = episode_peaks(times[new][some].astype(float), over[some] + ONE_A_WEEK, grid.period) - ONE_A_WEEK
        weeks = float(some.sum()) * grid.period / (7 * DAY)
        if again:
            peaks, weeks = -np.sort(-np.r_[self.peaks, peaks])[:PEAKS], self.weeks + weeks
        return judged, replace(known, peaks=peaks, weeks=weeks)

    def usual(self, per_week: float) -> Floats:
        """See `aws_auto.ml.anomaly.scorers.Scorer.usual`.

        Metrics of one resource mostly move together, so that the budget is shared by the square root of their number;
        how far that is true is seen where they were judged together.
        """
        rarer = DECADE * np.log10(per_week)
        together = raised(per_week, self.peaks + rarer, self.weeks) if self.weeks > 0 else 0.0
        return np.expm1(self.apart(per_week) + together)

    def apart(self, per_week: float) -> Floats:
        """The score of each metric that is worth an alarm, as if the root of their number were all that counts."""
        share = per_week / max(len(self.late), 1) ** 0.5
        return np.array([one.threshold(share) for one in self.late])

    def decades(self) -> Floats:
        """See `aws_auto.ml.anomaly.scorers.Scorer.decades`."""
        return np.exp([one.decade for one in self.late])

    def only(self, rows: Sequence[int]) -> Ensemble:
        """See `aws_auto.ml.anomaly.scorers.Scorer.only`."""
        early, late = (tuple(every[row] for row in rows) for every in (self.early, self.late))
        return replace(self, early=early, late=late)

    def onward(self, start: int) -> Ensemble:
        """See `aws_auto.ml.anomaly.scorers.Scorer.onward`."""
        return replace(self, since=self.until) if self.until <= start else self

    def follow(self, grid: ResourceGrid, memory: bytes | None) -> tuple[Judged, bytes]:
        """See `aws_auto.ml.anomaly.scorers.Scorer.follow`; the memory is the detectors as they stand."""
        try:
            ahead = self.late if memory is None else _unpacked(zlib.decompress(memory))
        except zlib.error as error:
            raise pack.damaged() from error
        judged, ahead = replace(self, early=ahead, late=ahead, since=self.until).advance(grid)
        return judged, zlib.compress(pack.join(one.to_bytes() for one in ahead), 1)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; the detectors themselves are in `content`."""
        said: dict[str, Any] = {"kind": self.kind, "since": self.since, "until": self.until}
        return said | {"peaks": self.peaks.tolist(), "weeks": self.weeks}

    def content(self) -> bytes:
        """The detectors, the two of a metric beside each other because they are alike."""
        pairs = zip(self.early, self.late, strict=True)
        return lzma.compress(pack.join(one.to_bytes() for pair in pairs for one in pair), preset=1)

    @classmethod
    def restored(cls, said: Mapping[str, Any], content: bytes) -> Ensemble:
        """The inverse of `to_json` and `content`.

        Raises:
            ArtifactError: a detector is damaged.
        """
        try:
            every = _unpacked(lzma.decompress(content))
        except lzma.LZMAError as error:
            raise pack.damaged() from error
        peaks, weeks = np.asarray(said["peaks"], float), float(said["weeks"])
        return cls(every[::2], every[1::2], int(said["since"]), int(said["until"]), peaks=peaks, weeks=weeks)

    def advance(self, grid: ResourceGrid) -> tuple[Judged, tuple[Detector, ...]]:
        """What `judge` says, and the late detectors after the grid."""
        times = grid.times
        inside, after = (times >= self.since) & (times < self.until), times >= self.until
        expected, scale, surprise = (np.full(grid.values.shape, np.nan) for _ in range(3))
        late = []
        with one_thread():
            for m, row in enumerate(grid.values):
                ahead = self.late[m]
                for part, one in ((inside, self.early[m]), (after, ahead)):
                    scores, ahead = one.advance(times[part], row[part])
                    # A counter is judged by its growth, and shown where it should have come to.
                    expected[m, part] = row[part] - scores.value + scores.expected
                    scale[m, part] = (scores.high - scores.low) / 2
                    surprise[m, part] = scores.score
                late.append(ahead)
        return Judged(expected, scale, surprise), tuple(late)


def _unpacked(content: bytes) -> tuple[Detector, ...]:
    return tuple(Detector.from_bytes(one) for one in pack.split(content))


@cache
def _controller() -> Any:  # noqa: ANN401 - threadpoolctl has no types
    """Found once: looking for the libraries of a process costs more than judging a point."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> Any:  # noqa: ANN401 - same
    """The products here are small: threads cost more than they save."""
    return _controller().limit(limits=1)
