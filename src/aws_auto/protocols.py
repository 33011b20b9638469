"""Roles: what a thing must be able to do to be used here. Two or three methods each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl

    from aws_auto.frame import MetricFrame
    from aws_auto.results import DriftReport, Field, TrainedModel

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

    name: str
    #: The word of ``--ai-features`` that stands for it, None when it has none.
    feature: str | None
    #: One sentence for tables and help.
    summary: str

    def fit(
        self,
        frame: MetricFrame,
        *,
        seed: int,
        champion: Predictor | None = None,
        simulated: bool = False,
        progress: Progress = silent,
    ) -> TrainedModel:
        """Features, back-test, fit, calibration, and the comparison with the best simple rule and the champion.

        Deterministic: the same frame and seed give the same bytes.

        Raises:
            NotEnoughData: nothing honest can be said from this frame.
            SchemaError: a needed metric is missing.
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
