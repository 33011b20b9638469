"""What a trained anomaly-detector answers: rows in, alarms out, at once or as they come."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import ArtifactError, SchemaError
from aws_auto.frame import RESOURCE, TIME_DTYPE, TIMESTAMP
from aws_auto.ml import files
from aws_auto.ml.anomaly import answers
from aws_auto.ml.anomaly.detector import FleetDetector, ResourceDetector
from aws_auto.ml.anomaly.grid import grid_of
from aws_auto.ml.anomaly.rules import RULES
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.anomaly.stream import Memory
from aws_auto.ml.recipes.panel import unique
from aws_auto.results import Field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class AnomalyPredictor:
    """Judges each row from the rows before it and from what was learned of its resource.

    Columns of the answer: ``score`` (r / (1 + r), where r is the deviation in units of the alarm threshold: 0 is as
    expected, 0.5 the threshold, 0.9 nine times the threshold), ``threshold`` (0.5), ``is_anomaly``, ``severity`` (0 at
    the threshold, 0.25 where such a thing is ten times rarer, and so on to 1; `aws_auto.ml.anomaly.detect.level` names
    it), ``metric`` (the one that deviates most), its ``value``, ``expected``, ``low`` and ``high`` (a value lies in
    between unless its score reaches the threshold), and ``note`` (why there is no answer: the resource was not there
    in training, or the row lies in the first part of training, which the model was fitted on, or in an excluded span).
    A row in a maintenance window or in an alarm that was called false has a score and is no anomaly.

    Rows of the later part of training are judged by the state that training had before it came to them, and rows after
    training by the last state, which goes on from there: give it the rows since training, or a few days of them.
    """

    recipe: str
    schema: tuple[Field, ...]
    detector: FleetDetector
    settings: AnomalySettings
    trained_until: datetime

    def configured(self, settings: AnomalySettings) -> AnomalyPredictor:
        """The same model with another budget, minimum effect, maintenance, excluded spans or cool-down."""
        return replace(self, settings=settings)

    def predict(self, rows: pl.DataFrame) -> pl.DataFrame:
        """One answer per row, in the order given; never looks past the row's own time.

        Raises:
            SchemaError: the rows hold none of the metrics.
        """
        self._check(rows)
        asked = _resources(rows)
        return _in_order(rows, asked, [self._judged(part) for part in asked])

    def stream(self, states: Mapping[str, bytes], rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, bytes]]:
        """Judge only what is new, for a detection that comes back every few minutes.

        The answers are those of `predict` on all rows since training at once, at the cost of the new rows alone. A row
        that comes after a newer one of its resource was judged, or comes again, may have no score (``note`` says so).

        Args:
            states: what the last call gave, by resource; empty at first. States of another model are not used: its
                resources go on from the end of training, so give rows from `reached` on.
            rows: since the last call.

        Returns:
            Answers as of `predict`, and the states for the next call (tens of kilobytes each).

        Raises:
            SchemaError: the rows hold none of the metrics.
            ArtifactError: a state is damaged.
        """
        self._check(rows)
        asked, after, parts = _resources(rows), self._memories(states), []
        for part in asked:
            name = part[RESOURCE][0]
            one, old = self.detector.resources.get(name), after.get(name)
            if one is None or not one.metrics:
                parts.append(answers.nothing(len(part)))
                continue
            grid = grid_of(part, one.metrics, one.period)
            judged, content = one.scorer.follow(self.settings.without_excluded(grid), old.content if old else None)
            found = self.detector.found(grid, self.settings, judged=judged)
            late = old.until if old else None
            parts.append(answers.columns(grid, one.metrics, found, self.settings, late=late))
            model = old.model if old else self._name(name)
            after[name] = Memory(model=model, until=max(grid.end, late or 0), content=content)
        return _in_order(rows, asked, parts), {name: memory.to_bytes() for name, memory in after.items()}

    def reached(self, states: Mapping[str, bytes]) -> dict[str, datetime]:
        """Until when each resource of the model was judged: the end of training without a state of this model.

        Raises:
            ArtifactError: a state is damaged.
        """
        known = self._memories(states)
        return {
            name: datetime.fromtimestamp(known[name].until, UTC) if name in known else self.trained_until
            for name in self.detector.resources
        }

    def _memories(self, states: Mapping[str, bytes]) -> dict[str, Memory]:
        every = {name: Memory.of(said) for name, said in states.items() if name in self.detector.resources}
        return {name: memory for name, memory in every.items() if memory.model == self._name(name)}

    def _name(self, resource: str) -> str:
        """Of what the model learned of a resource; two trainings on other data give other names."""
        said = [self.trained_until.isoformat(), self.detector.kind, self.detector.resources[resource].to_json()]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    def _check(self, rows: pl.DataFrame) -> None:
        known = [f.name for f in self.schema if f.kind == "number"]
        if not set(known) & set(rows.columns) or not {RESOURCE, TIMESTAMP} <= set(rows.columns):
            raise SchemaError(
                f"needs {RESOURCE}, {TIMESTAMP} and some of {', '.join(known)}",
                where=self.recipe,
                hint=f"there is {', '.join(rows.columns)}",
            )

    def band(self, rows: pl.DataFrame, resource: str, metric: str) -> pl.DataFrame:
        """What was expected of one metric at each of the resource's rows: ``timestamp, expected, low, high``.

        Between ``low`` and ``high`` no alarm is raised. Empty for a resource or metric that was not there in training.
        """
        part = unique(rows.filter(pl.col(RESOURCE) == resource))
        one = self.detector.resources.get(resource)
        if one is None or metric not in one.metrics or part.is_empty():
            return pl.DataFrame(
                schema={TIMESTAMP: TIME_DTYPE, **dict.fromkeys(("expected", "low", "high"), pl.Float64)}
            )
        grid = grid_of(part, one.metrics, one.period)
        found, m = self.detector.found(grid, self.settings), one.metrics.index(metric)
        at = np.maximum(grid.column, 0)
        expected, width = found.judged.expected[m, at], found.width[m, at]
        figures = {"expected": expected, "low": expected - width, "high": expected + width}
        return part.select(TIMESTAMP).with_columns(**{k: pl.Series(v).fill_nan(None) for k, v in figures.items()})

    def files(self) -> dict[str, bytes]:
        """A bundle that `restored` reads: one part for each resource whose scorer JSON cannot hold."""
        held = enumerate(one.scorer.content() for _, one in sorted(self.detector.resources.items()))
        return files.bundle(
            self.recipe,
            {
                "schema": [vars(f) for f in self.schema],
                "kind": self.detector.kind,
                "episodes": self.detector.episodes.tolist(),
                "weeks": self.detector.weeks,
                "resources": {name: one.to_json() for name, one in self.detector.resources.items()},
                "settings": self.settings.to_json(),
                "trained_until": self.trained_until.isoformat(),
            },
            {_part(place): content for place, content in held if content},
        )

    @classmethod
    def restored(cls, recipe: str, given: Mapping[str, bytes]) -> AnomalyPredictor:
        """The inverse of `files`.

        Raises:
            ArtifactError: the files are damaged or foreign.
        """
        body, parts = files.open_bundle(given, recipe)
        try:
            return cls(
                recipe=recipe,
                schema=tuple(Field(**f) for f in body["schema"]),
                detector=FleetDetector(
                    body["kind"],
                    {
                        n: ResourceDetector.restored(said, parts.get(_part(place), b""))
                        for place, (n, said) in enumerate(sorted(body["resources"].items()))
                    },
                    np.asarray(body["episodes"], np.int64),
                    float(body["weeks"]),
                ),
                settings=AnomalySettings.restored(body["settings"]),
                trained_until=datetime.fromisoformat(body["trained_until"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"does not hold what a model of {recipe} holds: {error}",
                where=files.META,
                hint=f"train it again: aws-auto ml train-models --models {recipe}",
            ) from error

    @property
    def is_rule(self) -> bool:
        """True when a simple rule answers."""
        return self.detector.kind in RULES

    def _judged(self, part: pl.DataFrame) -> answers.Columns:
        one = self.detector.resources.get(part[RESOURCE][0])
        if one is None or not one.metrics:
            return answers.nothing(len(part))
        grid = grid_of(part, one.metrics, one.period)
        return answers.columns(grid, one.metrics, self.detector.found(grid, self.settings), self.settings)


def _resources(rows: pl.DataFrame) -> list[pl.DataFrame]:
    return unique(rows).partition_by(RESOURCE, maintain_order=True)


def _in_order(rows: pl.DataFrame, asked: Sequence[pl.DataFrame], parts: Sequence[answers.Columns]) -> pl.DataFrame:
    """The answers in the order of the rows."""
    keys = (
        pl.concat([part.select(RESOURCE, TIMESTAMP) for part in asked]) if asked else rows.select(RESOURCE, TIMESTAMP)
    )
    return rows.select(RESOURCE, TIMESTAMP).join(
        answers.table(keys, parts), on=[RESOURCE, TIMESTAMP], how="left", maintain_order="left"
    )


def _part(place: int) -> str:
    return f"detectors-{place:05d}.bin"
