"""What a scorer is, and how scorers are made and stored.

A scorer gives, for each metric and column, what was expected and how much deviation is usual. Everything is causal: a
column is judged from earlier columns and from what was learned in training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from aws_auto.ml.anomaly.detect.profile import USUAL
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.robust import array
from aws_auto.ml.anomaly.rules import RULES, Rolling, Static

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.profile import Profile
    from aws_auto.ml.anomaly.grid import ResourceGrid
    from aws_auto.ml.anomaly.robust import Judged

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]


class Scorer(Protocol):
    """Judges a grid of the resource that it was fitted on."""

    @property
    def kind(self) -> str:
        """Its name in reports and files."""
        ...

    def judge(self, grid: ResourceGrid) -> Judged:
        """Causal expectation and scale."""
        ...

    def learn(self, grid: ResourceGrid, counts: Bools) -> tuple[Judged, Scorer]:
        """What `judge` says, and the scorer that has learned from the grid, which starts where the fitted one did.

        Args:
            grid: columns that it has learned from, then new ones.
            counts: new columns that say what is usual.
        """
        ...

    def usual(self, per_week: float) -> Floats:
        """The deviation of each metric that is worth an alarm, at a budget of alarms for all metrics together.

        A rule knows no rarity: it gives what most points stay under, and the fleet finds the factor for the budget.
        """
        ...

    def decades(self) -> Floats:
        """By what factor a deviation over that is ten times rarer, for each metric."""
        ...

    def only(self, rows: Sequence[int]) -> Scorer:
        """The scorer of these metrics alone."""
        ...

    def onward(self, start: int) -> Scorer:
        """The same for who asks about columns from ``start`` on only: nothing is spent on those before."""
        ...

    def follow(self, grid: ResourceGrid, memory: bytes | None) -> tuple[Judged, bytes]:
        """Judge only what is new, from a memory instead of from the rows before.

        Args:
            grid: columns since the last call; older ones again are allowed and stay unjudged.
            memory: of the last call, None to go on from the end of training.

        Returns:
            What `judge` says when it is given all rows since training at once, and the memory for the next call.

        Raises:
            ArtifactError: the memory is damaged.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """Plain JSON that `scorer_of` reads."""
        ...

    def content(self) -> bytes:
        """What is too large for JSON; `scorer_of` reads it as well."""
        ...


def fit_scorer(kind: str, grid: ResourceGrid, *, mixes: Mapping[str, Profile] = USUAL) -> Scorer:
    """A scorer of that kind, fitted on the grid; ``mixes`` as of `Ensemble`, rules have none."""
    if kind == Ensemble.kind:
        return Ensemble.fit(grid, mixes=mixes)
    return Static.fit(grid) if kind == Static.kind else Rolling.fit(kind, grid)


def scorer_of(said: Mapping[str, Any], content: bytes) -> Scorer:
    """The inverse of ``to_json`` and ``content``.

    Raises:
        ArtifactError: the content is damaged.
        ValueError: it is none of ours.
    """
    kind = said["kind"]
    if kind == Ensemble.kind:
        return Ensemble.restored(said, content)
    if kind == Static.kind:
        return Static(array(said["centre"]), array(said["spread"]), array(said["quiet"]))
    if kind in RULES:
        return Rolling(kind, array(said["floor"]), array(said["quiet"]))
    raise ValueError(f"this release knows no scorer called {kind!r}")
