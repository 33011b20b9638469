"""``aws-auto ml prices``: what rates are known and how old they are, and asking AWS for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import options, render
from aws_auto.cli.inputs import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.pipeline.ports import Workspace
    from aws_auto.pipeline.prices import PriceSource

app = typer.Typer(
    name="prices", help="Which rates are known, how old they are; refresh asks AWS.", rich_markup_mode=None
)

_Regions = Annotated[
    list[str] | None, typer.Option("--region", help="Ask for this region; may be repeated. Default: those of the bill.")
]


@app.callback(invoke_without_command=True)
def show(context: typer.Context, workspace: options.Home = None, as_json: options.Json = False) -> None:
    """Show which rates are known, from where and of which day.

    Example: aws-auto ml prices
    """
    if context.invoked_subcommand is not None:
        return
    from aws_auto.ml.cost.price_book import MOST_AGE
    from aws_auto.pipeline import prices

    ws = opened(workspace)
    found = prices.known(ws)
    if as_json:
        render.emit({"stale_after_days": MOST_AGE.days, "rates": found})
        return
    rows = [
        (
            one.kind,
            one.region,
            one.rates,
            one.oldest,
            one.newest,
            f"{one.stale} stale" if one.stale else "fresh",
            one.source,
        )
        for one in found
    ]
    render.table(("rates of", "region", "n", "oldest", "newest", "age", "source"), rows)
    stale = sum(one.stale for one in found)
    render.talk(f"{stale} rates were last seen {MOST_AGE.days} days ago or longer" if stale else "no rate is stale")
    render.talk("next: aws-auto ml prices refresh (needs AWS credentials)")


@app.command()
def refresh(region: _Regions = None, workspace: options.Home = None, as_json: options.Json = False) -> None:
    """Ask AWS for the rates of what is on the bill, and keep them with their day.

    Example: aws-auto ml prices refresh --region eu-west-1
    """
    import numpy as np

    from aws_auto.errors import CredentialsError
    from aws_auto.pipeline.aws.prices import PriceLists
    from aws_auto.pipeline.aws.session import Clients, resolve

    ws = opened(workspace)
    if resolve(os.environ) is None:
        raise CredentialsError("no AWS credentials were found", where="prices refresh")
    # Only spreads waits between attempts, so nothing is seeded here.
    run(ws, PriceLists(Clients(os.environ), ws.clock, np.random.default_rng()), region or (), as_json=as_json)


def run(ws: Workspace, source: PriceSource, regions: Sequence[str], *, as_json: bool) -> None:
    """Refresh and show.

    Raises:
        UsageError: no region is given and there is no bill.
        TargetError: nothing at all could be had.
    """
    from aws_auto.pipeline import prices

    with render.progress("prices") as tell:
        found = prices.refresh(ws, source, regions=regions, progress=tell)
    for text in found.refused:
        render.talk(f"not known: {text}")
    if as_json:
        render.emit(found)
        return
    render.talk(f"{found.rates} rates of {', '.join(found.regions)} in {found.calls} calls (free of charge)")
    render.talk("next: aws-auto ml recommend")
