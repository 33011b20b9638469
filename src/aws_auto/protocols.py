"""Roles: what a thing must be able to do to be used here. Two or three methods each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import polars as pl

    from aws_auto.frame import MetricFrame
    from aws_auto.results import DriftReport, Field, Quality, TrainedModel

#: Told how far a long job is: ``progress("back-test", 3, 8)``.
Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


class Predictor(Protocol):
    """A fitted model, ready to answer."""

    @property
    def schema(self) -> tuple[Field, ...]:
        """The columns that `predict` reads."""
        ...

    def predict(self, rows: pl.DataFrame) -> pl.DataFrame:
        """One answer per row, in the order given, with ``resource_id`` and ``timestamp`` in front.

        ``rows`` has the columns of `schema`, times in UTC. Never refits, never looks past a row's own time.

        Raises:
            SchemaError: a required column is missing.
        """
        ...

    def files(self) -> dict[str, bytes]:
        """Everything `Recipe.load` needs, without pickle."""
        ...


class Recipe(Protocol):
    """A trainable thing with a name; the command line and the doors train the same ones."""

    @property
    def name(self) -> str:
        """What the command line and the registry call it."""
        ...

    @property
    def feature(self) -> str | None:
        """The word of ``--ai-features`` that stands for it, None when it has none."""
        ...

    @property
    def summary(self) -> str:
        """One sentence for tables and help."""
        ...

    def fit(
        self,
        frame: MetricFrame,
        *,
        seed: int,
        champion: Predictor | None = None,
        simulated: bool = False,
        labels: pl.DataFrame | None = None,
        progress: Progress = silent,
    ) -> TrainedModel:
        """Features, back-test, fit, calibration, and the comparison with the best simple rule and the champion.

        Deterministic: the same frame, labels and seed give the same bytes. ``labels`` is what people said about
        earlier alarms and missed incidents: ``resource_id, timestamp`` (start), ``end, verdict``.

        Raises:
            NotEnoughData: nothing honest can be said from this frame.
            SchemaError: a needed metric is missing.
        """
        ...

    @property
    def history(self) -> timedelta:
        """How far back a prediction looks: what `evaluate` needs before its window."""
        ...

    def evaluate(self, files: Mapping[str, bytes], frame: MetricFrame, *, since: datetime) -> Quality | None:
        """The figures of a model on the points from ``since`` on whose truth has arrived, beside the simple rule's.

        ``frame`` holds `history` before ``since`` as well. None when nothing can be judged without labels.

        Raises:
            ArtifactError: as `load`.
        """
        ...

    def load(self, files: Mapping[str, bytes]) -> Predictor:
        """The predictor that these files hold.

        Raises:
            ArtifactError: the files are damaged, foreign, or hold a type outside the allow-list.
        """
        ...


class DriftTest(Protocol):
    """Judges whether a current window differs from a reference."""

    def compare(self, reference: pl.DataFrame, current: pl.DataFrame) -> DriftReport:
        """Judge every column that both frames share."""
        ...
