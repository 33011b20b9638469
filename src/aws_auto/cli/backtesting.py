"""``aws-auto ml backtest``: what advice would have come to on the account's own past."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import options, recommending, render
from aws_auto.cli.inputs import opened

if TYPE_CHECKING:
    from aws_auto.pipeline.backtest_cost import CostBackTest
    from aws_auto.results import Interval

app = typer.Typer(
    name="backtest",
    help="Replay advice on the account's own past: cost.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def group() -> None:
    """Replay advice on the account's own past."""


@app.command()
def cost(
    window: options.WindowText = "180d",
    since: options.Since = None,
    offers: Annotated[
        Path | None, typer.Option("--offers", help="YAML or CSV file of commitments at your own rates.")
    ] = None,
    risk: Annotated[
        str | None, typer.Option("--risk", help="Probability of trouble that a machine may take, such as 5%.")
    ] = None,
    report: options.Report = None,
    workspace: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Say what smaller sizes and commitments would have saved and throttled, beside a rule and who knows the future.

    Example: aws-auto ml backtest cost --window 90d
    """
    from aws_auto.pipeline.backtest_cost import backtest
    from aws_auto.pipeline.web.backtest import cost_report

    asked = recommending.wanted(offers, risk, [])
    ws = opened(workspace)
    with render.progress("backtest") as tell:
        found = backtest(ws, options.window(window, ws.clock.now(), since=since), asked, progress=tell)
    render.report(ws, "backtest-cost", lambda: cost_report(found), asked=report)
    if as_json:
        render.emit(found)
        return
    _tables(found)


def _tables(found: CostBackTest) -> None:
    sizes = found.sizes
    if sizes.methods:
        rows = [
            (
                one.method,
                f"{one.saved_usd:.2f}",
                f"{one.saving:.1%} ({_span(one.interval_saving)})",
                f"{one.throttled:.1%} ({_span(one.interval_throttled)})",
                f"{one.unmet_cpu_hours:.1f}",
            )
            for one in sizes.methods
        ]
        columns = ("smaller sizes", "saved USD", "saving (95 %)", "throttled (95 %)", "unmet vCPU hours")
        render.table(columns, rows)
        render.talk(f"{sizes.decisions} decisions on {sizes.machines} machines, at a stated risk of {found.risk:.0%}")
    else:
        render.talk(f"sizes are not replayed: {sizes.why}")
    for one in found.commitments:
        if one.methods:
            lines = [
                (
                    m.offer,
                    m.method,
                    f"{m.saving:.1%}",
                    f"{m.worst:.1%}",
                    f"{m.monthly:.2f} {one.currency}",
                    f"{m.lost:.0%}",
                )
                for m in one.methods
            ]
            render.table(("commitment", "way", "saving", "worst", "a month", "lost money in"), lines)
            render.talk(f"{one.decisions} weekly decisions from {one.first} on, each held to the end of the history")
        else:
            render.talk(f"commitments are not replayed: {one.why}")
    if found.simulated:
        render.talk("simulated data: no figure of it is about your account")
    render.talk("next: aws-auto ml recommend")


def _span(value: Interval) -> str:
    return f"{value.low:.1%} .. {value.high:.1%}"
