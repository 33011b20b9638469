"""The learned scorer: one causal detector per metric of a resource, see `aws_auto.ml.anomaly.detect`.

A detector is a state that has seen a series up to some moment; what lies before that moment it cannot judge any more.
People ask about both sides of the end of training, so two states are kept of every series: one that was fitted on the
first part of the training rows, and the same after it has been led through the rest. The first judges what lies in the
rest, each row from what came before it; the second judges what came after training. No row is judged by a state that
has seen it, or anything later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.ml.anomaly.detect import Detector, pack
from aws_auto.ml.anomaly.robust import Judged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.ml.anomaly.grid import ResourceGrid


@dataclass(frozen=True)
class Ensemble:
    """Detectors of one resource, by metric.

    Attributes:
        early: fitted on the columns before ``since``; they judge from there to ``until``.
        late: the same after the columns before ``until``; they judge from there on.
        since: unix seconds; earlier columns are not judged.
        until: unix seconds.
    """

    early: tuple[Detector, ...]
    late: tuple[Detector, ...]
    since: int
    until: int
    kind: str = "ensemble of detectors"

    @classmethod
    def fit(cls, grid: ResourceGrid) -> Ensemble:
        """Learn from a grid; what follows it can be judged."""
        with _one_thread():
            fitted = tuple(Detector.fit(grid.times, row) for row in grid.values)
        return cls(fitted, fitted, grid.end, grid.end)

    def judge(self, grid: ResourceGrid) -> Judged:
        """The detectors' score as surprise, and half their band as scale."""
        return self.advance(grid)[0]

    def learn(self, grid: ResourceGrid) -> tuple[Judged, Ensemble]:
        """Judge, and keep what the columns after ``until`` teach.

        A metric that had too few points before to be judged is fitted on all of them.
        """
        judged, late = self.advance(grid)
        with _one_thread():
            late = tuple(
                one if one.ready else Detector.fit(grid.times, row) for one, row in zip(late, grid.values, strict=True)
            )
        return judged, replace(self, late=late, until=max(self.until, grid.end))

    def follow(self, grid: ResourceGrid, memory: bytes | None) -> tuple[Judged, bytes]:
        """See `aws_auto.ml.anomaly.scorers.Scorer.follow`; the memory is the detectors as they stand."""
        ahead = self.late if memory is None else _unpacked(memory)
        judged, ahead = replace(self, early=ahead, late=ahead, since=self.until).advance(grid)
        return judged, pack.join(one.to_bytes() for one in ahead)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; the detectors themselves are in `content`."""
        return {"kind": self.kind, "since": self.since, "until": self.until}

    def content(self) -> bytes:
        """The detectors, one after the other."""
        return pack.join(one.to_bytes() for one in (*self.early, *self.late))

    @classmethod
    def restored(cls, said: Mapping[str, Any], content: bytes) -> Ensemble:
        """The inverse of `to_json` and `content`.

        Raises:
            ArtifactError: a detector is damaged.
        """
        every = _unpacked(content)
        half = len(every) // 2
        return cls(every[:half], every[half:], int(said["since"]), int(said["until"]))

    def advance(self, grid: ResourceGrid) -> tuple[Judged, tuple[Detector, ...]]:
        """What `judge` says, and the late detectors after the grid."""
        times = grid.times
        inside, after = (times >= self.since) & (times < self.until), times >= self.until
        expected, scale, surprise = (np.full(grid.values.shape, np.nan) for _ in range(3))
        late = []
        with _one_thread():
            for m, row in enumerate(grid.values):
                ahead = self.late[m]
                for part, one in ((inside, self.early[m]), (after, ahead)):
                    scores, ahead = one.advance(times[part], row[part])
                    expected[m, part] = scores.expected
                    scale[m, part] = (scores.high - scores.low) / 2
                    surprise[m, part] = scores.score
                late.append(ahead)
        return Judged(expected, scale, surprise), tuple(late)


def _unpacked(content: bytes) -> tuple[Detector, ...]:
    return tuple(Detector.from_bytes(one) for one in pack.split(content))


def _one_thread() -> Any:  # noqa: ANN401 - threadpoolctl has no types
    """The products here are small: threads cost more than they save."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
