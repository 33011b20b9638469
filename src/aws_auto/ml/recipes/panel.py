"""The one way in which the forecasting recipes are packed and asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.errors import ArtifactError, NotEnoughData, SchemaError, UsageError
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml import files
from aws_auto.ml.forecast import panel as panels
from aws_auto.ml.forecast.asked import told_answers
from aws_auto.ml.forecast.grid import columns_at, cycles, hours_of, named, starts
from aws_auto.ml.forecast.levels import at_levels
from aws_auto.ml.forecast.panel import LEVELS, Forecaster, Panel, Rule
from aws_auto.results import Field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PanelPredictor:
    """Answers for each row with the forecast that could be made when the row's hour was over.

    A row in the middle of an hour (of a longer period, where the model was trained on points that lie farther apart) is
    answered from the one before. Columns of the answer, for each step such as
    ``1h`` or ``1d``: ``expected_1h`` (median), ``low_1h``, ``high_1h`` (80 % interval); ``forecast_from`` is the start
    of step 1; ``note`` says why there is no answer. History is what the rows themselves hold: send at least 24 points
    of a resource, better four weeks. Of the hours that came since the training and have a week before them in the rows,
    the last four to eight days also tell the model which of its members to believe and how wide to be, each answer by
    what came before it. Nothing is kept between two calls.
    """

    recipe: str
    metric: str
    steps: tuple[str, ...]
    schema: tuple[Field, ...]
    forecaster: Forecaster
    trained_until: datetime
    settings: Mapping[str, Any]
    panel_of: Callable[[pl.DataFrame, Mapping[str, Any]], Panel] = field(repr=False)
    further: Forecaster | None = None
    further_of: Callable[[Panel], Panel] | None = field(default=None, repr=False)
    hours: int = 1

    def predict(self, rows: pl.DataFrame) -> pl.DataFrame:
        """One answer per row, in the order given; never looks past the row's own time.

        Raises:
            SchemaError: a required column is missing.
        """
        self._check(rows)
        answers = np.full((len(rows), len(self.steps), len(LEVELS)), np.nan)
        origin = origins_of(rows, self.hours)
        try:
            panel = self.panel_of(unique(rows), self.settings)
        except NotEnoughData:
            return self._table(rows, origin, answers)
        column = origin - panel.grid.first
        inside = (column >= 0) & (column < panel.grid.hours)
        row_of = {name: i for i, name in enumerate(panel.grid.resources)}
        row = np.array([row_of.get(name, -1) for name in rows[RESOURCE].to_list()], dtype=np.int64)
        asked = inside & (row >= 0)
        if asked.any():
            origins, place = np.unique(column[asked], return_inverse=True)
            answers[asked] = self.answers(panel, origins)[row[asked], place]
        return self._table(rows, origin, answers)

    def quantiles(self, rows: pl.DataFrame, levels: Sequence[float], *, horizon: int | None = None) -> pl.DataFrame:
        """Quantiles of the next hours (or longer periods) of each resource, from the newest in its rows that was over.

        Args:
            rows: history as for `predict`, up to now.
            levels: in (0, 1), in any order; beyond those that were learned, a normal tail.
            horizon: how many of them ahead; default as far as `predict` looks. Those beyond are answered by the
                calendar of the last weeks (yesterday, last week, the usual day, weighed by how each did of late), up to
                a day of hours, or a week of days.

        Returns:
            ``resource_id``, ``timestamp`` (start of what is forecast), ``horizon`` (1 is the next one) and one
            column for each level, such as ``q0.5``; a resource whose history is too short has no rows.

        Raises:
            SchemaError: a required column is missing.
            UsageError: a level that is none, or a horizon beyond what the model looks at.
        """
        self._check(rows)
        at_levels(np.zeros(len(self.forecaster.levels)), self.forecaster.levels, levels)
        steps = tuple(hours_of(step) // self.hours for step in self.steps)
        wanted = steps[-1] if horizon is None else horizon
        reach = cycles(self.hours)[0] if self.further else steps[-1]
        if not 1 <= wanted <= reach:
            words = named(self.hours, many=True)
            raise UsageError(
                f"no forecast {wanted} {words} ahead: this model looks 1 to {reach} {words} ahead", where="horizon"
            )
        try:
            panel = self.panel_of(unique(rows), self.settings)
        except NotEnoughData:
            return _quantile_table(levels, [])
        newest = rows.select(RESOURCE, column=pl.Series(origins_of(rows, self.hours))).group_by(RESOURCE).max()
        column = dict(newest.iter_rows())
        at = np.array([column[name] for name in panel.grid.resources]) - panel.grid.first
        origins, place = np.unique(np.clip(at, 0, panel.grid.hours - 1), return_inverse=True)
        row = np.arange(len(at))
        found = at_levels(self._told(self.forecaster, panel, origins)[row, place], self.forecaster.levels, levels)
        if self.further and self.further_of and wanted > steps[-1]:
            later = self._told(self.further, self.further_of(panel), origins)[row, place]
            found = np.concatenate([found, at_levels(later, self.further.levels, levels)], axis=1)
            steps = tuple(range(1, reach + 1))
        return _quantile_table(
            levels,
            [
                (name, int(starts(at[r] + panel.grid.first + step, self.hours)), step, *found[r, s])
                for r, name in enumerate(panel.grid.resources)
                for s, step in enumerate(steps)
                if step <= wanted and np.isfinite(found[r, s]).all()
            ],
        )

    def answers(self, panel: Panel, origins: Ints) -> Floats:
        """What is said at these columns, ``(R, O, S, LEVELS)``; see `told_answers`."""
        return panels.usual(self._told(self.forecaster, panel, origins), self.forecaster.levels)

    def _told(self, forecaster: Forecaster, panel: Panel, origins: Ints) -> Floats:
        since = int(columns_at(int(self.trained_until.timestamp()), self.hours)) + 1 - panel.grid.first
        return told_answers(forecaster, panel, origins, since=since)

    def _check(self, rows: pl.DataFrame) -> None:
        missing = [f.name for f in self.schema if f.required and f.name not in rows.columns]
        if missing:
            raise SchemaError(f"missing {', '.join(missing)}", where=self.recipe, hint=f"there is {rows.columns}")

    def files(self) -> dict[str, bytes]:
        """A bundle that the recipe's ``load`` reads."""
        body, parts = self.forecaster.parts()
        further, more = self.further.parts() if self.further else (None, {})
        return files.bundle(
            self.recipe,
            {
                "metric": self.metric,
                "steps": list(self.steps),
                "hours": self.hours,
                "schema": [vars(f) for f in self.schema],
                "trained_until": self.trained_until.isoformat(),
                "settings": dict(self.settings),
                "forecaster": body,
                "further": further,
            },
            {**parts, **more},
        )

    @classmethod
    def load(
        cls,
        recipe: str,
        given: Mapping[str, bytes],
        panel_of: Callable[[pl.DataFrame, Mapping[str, Any]], Panel],
        further_of: Callable[[Panel], Panel] | None = None,
    ) -> PanelPredictor:
        """The inverse of `files`.

        Raises:
            ArtifactError: the files are damaged or foreign.
        """
        body, parts = files.open_bundle(given, recipe)
        try:
            return cls(
                recipe=recipe,
                metric=body["metric"],
                steps=tuple(body["steps"]),
                hours=int(body["hours"]),
                schema=tuple(Field(**f) for f in body["schema"]),
                forecaster=panels.forecaster_of(body["forecaster"], parts),
                trained_until=datetime.fromisoformat(body["trained_until"]),
                settings=body["settings"],
                panel_of=panel_of,
                further=panels.forecaster_of(body["further"], parts) if body["further"] else None,
                further_of=further_of,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"does not hold what a model of {recipe} holds: {error}", where=files.META) from error

    @property
    def is_rule(self) -> bool:
        """True when a simple rule answers."""
        return isinstance(self.forecaster, Rule)

    def _table(self, rows: pl.DataFrame, origin: Ints, answers: Floats) -> pl.DataFrame:
        start = (
            pl.Series("forecast_from", starts(origin + 1, self.hours))
            .cast(pl.Datetime("us"))
            .dt.replace_time_zone("UTC")
        )
        columns = {
            f"{word}_{step}": answers[:, s, level]
            for s, step in enumerate(self.steps)
            for word, level in (("expected", 1), ("low", 0), ("high", 2))
        }
        unknown = np.isnan(answers[:, 0, 1])
        return rows.select(RESOURCE, TIMESTAMP).with_columns(
            start,
            pl.lit(self.metric).alias("metric"),
            *(pl.Series(name, values).fill_nan(None) for name, values in columns.items()),
            note=pl.when(pl.Series(unknown)).then(pl.lit("too little history of this resource in the rows")),
        )


def _quantile_table(levels: Sequence[float], rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    columns = {RESOURCE: pl.String, TIMESTAMP: pl.Int64, "horizon": pl.Int64}
    table = pl.DataFrame(rows, schema={**columns, **{f"q{x:g}": pl.Float64 for x in levels}}, orient="row")
    return table.with_columns(pl.col(TIMESTAMP).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))


def unique(rows: pl.DataFrame) -> pl.DataFrame:
    """Sorted by resource and time, the last of equal ones kept."""
    return rows.unique([RESOURCE, TIMESTAMP], keep="last", maintain_order=True).sort(RESOURCE, TIMESTAMP)


def origins_of(rows: pl.DataFrame, hours: int) -> Ints:
    """The last period of so many hours since 1970 that was over when each row's own period was."""
    step = pl.col(TIMESTAMP).unique().sort().diff().dt.total_seconds().median().over(RESOURCE)
    whole = 3600.0 * hours
    over = rows.select(pl.col(TIMESTAMP).dt.epoch("s") + step.fill_null(whole).clip(1, whole)).to_series()
    return columns_at(over.to_numpy(), hours).astype(np.int64) - 1
