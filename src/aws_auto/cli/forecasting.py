"""``aws-auto ml forecast-cost``: the coming days of the bill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import options, render
from aws_auto.cli.inputs import collected, opened

if TYPE_CHECKING:
    from aws_auto.ml.cost.cost_forecast import CostSeries
    from aws_auto.pipeline.forecast_cost import CostOutlook

_CSV = ("series", "currency", "day", "expected", "low", "high")


def forecast_cost(
    by: Annotated[str, typer.Option("--by", help="total, service, account or tag:KEY.")] = "service",
    horizon: Annotated[int, typer.Option("--horizon", min=1, help="Days ahead.")] = 14,
    window: options.WindowText = "180d",
    data_source: options.Sources = None,
    path: options.DataPath = None,
    since: options.Since = None,
    region: options.Region = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write every day to this CSV file as well.")] = None,
    report: options.Report = None,
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """Say what the coming days will cost, with 80 % intervals, and how each series is forecast.

    Example: aws-auto ml forecast-cost --data-source sample --window 90d --by service
    """
    from aws_auto.pipeline import forecast_cost as use_case
    from aws_auto.pipeline.web.cost_outlook import outlook_report

    ws = opened(workspace, target)
    span = options.window(window, ws.clock.now(), since=since)
    collected(ws, data_source or [], path, span, region)
    found = use_case.forecast_cost(ws, span, by=by, horizon=horizon)
    render.report(ws, "forecast-cost", lambda: outlook_report(found), asked=report)
    if csv is not None:
        _write(csv, found)
    if as_json:
        render.emit(found)
    else:
        _tables(found)


def _tables(found: CostOutlook) -> None:
    from aws_auto.pipeline.web.cost_outlook import mixture

    said = found.forecast
    shown = said.series if said.by == "total" else (*said.series, *said.totals)
    rows = [(one.name, *_sums(one), mixture(one), one.why) for one in shown]
    ahead = shown[0].sums
    columns = (said.by, *(f"{one.what} (80 %)" for one in ahead), "forecast by", "why")
    render.table(columns, rows)
    for total in said.totals:
        if said.by != "total":
            own, parts = sum(total.expected), said.parts[total.currency]
            render.talk(
                f"the total is forecast by itself: {own:.2f} {total.currency}; its parts add up to {parts:.2f}"
                f" ({(parts - own) / own if own else 0.0:+.1%})"
            )
    for one in said.apart:
        render.talk(
            f"not forecast: {one.category.lower()} of {one.amount:.2f} {one.currency} in {one.lines} lines,"
            f" {one.first} to {one.last}"
        )
    for note in said.notes:
        render.talk(f"note: {note}")
    if found.simulated:
        render.talk("simulated data: no figure of it is about your account")
    render.talk("next: aws-auto ml recommend")


def _sums(one: CostSeries) -> list[str]:
    return [f"{s.expected:.2f} {one.currency} ({s.interval.low:.2f} .. {s.interval.high:.2f})" for s in one.sums]


def _write(path: Path, found: CostOutlook) -> None:
    from aws_auto.cli import sheets

    said = found.forecast
    shown = said.series if said.by == "total" else (*said.totals, *said.series)
    rows = [
        (one.name, one.currency, day, round(expected, 4), round(low, 4), round(high, 4))
        for one in shown
        for day, expected, low, high in zip(one.days, one.expected, one.low, one.high, strict=True)
    ]
    sheets.write(path, _CSV, rows)
