"""Flags of ``train-models`` that say what demand is, and what is known of hours to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import options
from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_auto.ml.recipes.demand import DemandForecaster

METRIC, PERIOD, COUNTRY, EVENTS = "--demand-metric", "--demand-period", "--country", "--events"

DemandMetric = Annotated[
    str | None,
    typer.Option(METRIC, help="The column that demand-forecaster forecasts; default: request_count, else CPU."),
]
DemandPeriod = Annotated[
    str | None,
    typer.Option(
        PERIOD,
        help="Length of a step of demand-forecaster, such as 6h, 1d or 1w; default: an hour, or as long as points of"
        " most resources lie apart.",
    ),
]
Country = Annotated[
    str | None,
    typer.Option(COUNTRY, help="Two-letter code: demand-forecaster knows its public holidays, such as DE or US."),
]
Events = Annotated[
    Path | None,
    typer.Option(
        EVENTS,
        help="CSV with start,end,name[,resource_id]: events that demand-forecaster knows before they come, past and"
        " future.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The flags as written; every one may be absent."""

    metric: str | None = None
    period: str | None = None
    country: str | None = None
    events: str | None = None

    def argv(self) -> tuple[str, ...]:
        """The flags again, for a stored schedule that runs from any folder; empty when none was given."""
        events = None if self.events is None else str(Path(self.events).expanduser().absolute())
        pairs = [(METRIC, self.metric), (PERIOD, self.period), (COUNTRY, self.country), (EVENTS, events)]
        return tuple(word for flag, text in pairs if text is not None for word in (flag, text))

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Asked:
        """The inverse of `argv`, from pairs of flag and value; other flags are left out."""
        one = dict(pairs)
        return cls(metric=one.get(METRIC), period=one.get(PERIOD), country=one.get(COUNTRY), events=one.get(EVENTS))

    def recipe(self) -> DemandForecaster:
        """The recipe with these settings.

        Raises:
            SchemaError: the file of events cannot be read; says where.
            UsageError: no holidays are known for the country, or no step is so long.
        """
        from aws_auto.frame import read_table
        from aws_auto.ml.features.calendar import public_holidays
        from aws_auto.ml.forecast.ahead import Ahead, events_of
        from aws_auto.ml.recipes.demand import DemandForecaster
        from aws_auto.ml.recipes.demand_settings import DemandSettings

        if self.country is not None:
            public_holidays(self.country, subdivision=None, years=())
        events = () if self.events is None else events_of(read_table(self.events), where=self.events)
        ahead = Ahead(events=events, country=self.country)
        return DemandForecaster().configured(DemandSettings(metric=self.metric, ahead=ahead, hours=_hours(self.period)))


def _hours(period: str | None) -> int | None:
    """Hours of a step.

    Raises:
        UsageError: it is no duration, or no step is so long.
    """
    from aws_auto.ml.forecast.grid import STEPS, step_name

    if period is None:
        return None
    hours = options.length(period, PERIOD, example="1d") / timedelta(hours=1)
    if hours not in STEPS:
        steps = ", ".join(step_name(1, step) for step in STEPS)
        raise UsageError(f"no step is {period} long", where=PERIOD, hint=f"use {steps}")
    return int(hours)
