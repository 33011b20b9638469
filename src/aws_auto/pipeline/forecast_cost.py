"""Forecast cost: what the bill in the lake will come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_auto.pipeline.bills import bill_of
from aws_auto.pipeline.collect import is_simulated

if TYPE_CHECKING:
    from aws_auto.ml.cost.cost_forecast import CostForecast
    from aws_auto.pipeline.ports import Window, Workspace


@dataclass(frozen=True, kw_only=True)
class CostOutlook:
    """A forecast, and whether the bill is a made-up one."""

    forecast: CostForecast
    simulated: bool


def forecast_cost(ws: Workspace, window: Window, *, by: str, horizon: int, seed: int = 0) -> CostOutlook:
    """Forecast from the bill of that window.

    Raises:
        NotEnoughData: there is no bill, or less than eight whole days of it.
        UsageError: an unknown grouping, tag or horizon.
    """
    from aws_auto.ml.cost import cost_forecast

    bill = bill_of(ws, window, command="forecast-cost")
    found = cost_forecast.forecast_cost(bill, by=by, horizon=horizon, seed=seed)
    return CostOutlook(forecast=found, simulated=is_simulated(ws))
