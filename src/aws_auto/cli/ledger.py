"""``aws-auto ml ledger``: what was recommended, decided and done, and what it has saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import options, render, sheets
from aws_auto.cli.inputs import opened

if TYPE_CHECKING:
    from aws_auto.ml.cost.findings import Money
    from aws_auto.ml.cost.ledger import LedgerEntry
    from aws_auto.pipeline.ledger import Account

app = typer.Typer(
    name="ledger",
    help="What became of recommendations: list, accept, reject, applied, realised.",
    rich_markup_mode=None,
)

_Id = Annotated[str, typer.Argument(help="The recommendation, or how its id begins; aws-auto ml ledger lists them.")]


@app.callback(invoke_without_command=True)
def list_entries(
    context: typer.Context,
    csv: sheets.Csv = None,
    workspace: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """List what was recommended and what became of it.

    Example: aws-auto ml ledger
    """
    if context.invoked_subcommand is not None:
        return
    ws = opened(workspace)
    entries = ws.ledger.entries()
    if csv is not None:
        sheets.write(csv, sheets.LEDGER, [sheets.of_entry(one) for one in entries])
    if as_json:
        render.emit(entries)
        return
    rows = [(one.id, _status(one), _money(one.predicted), f"{one.first_said:%Y-%m-%d}", one.what) for one in entries]
    if rows:
        render.table(("id", "status", "predicted a month (range)", "first said", "what to do"), rows)
        render.talk("next: aws-auto ml ledger accept ID, reject ID --because WHY, or applied ID --on DAY")
    else:
        render.talk("nothing was recommended yet; next: aws-auto ml recommend --data-source sample --window 60d")


@app.command()
def accept(entry: _Id, workspace: options.Home = None, as_json: options.Json = False) -> None:
    """Say that it will be done.

    Example: aws-auto ml ledger accept schedule-1a2b3c4d
    """
    from aws_auto.pipeline import ledger

    ws = opened(workspace)
    said = ledger.accept(ws, entry)
    if said.expires < ws.clock.now():
        render.talk(f"its evidence ended long ago, it expired on {said.expires:%Y-%m-%d}: check it before you act")
    _said(said, f"accepted; when it is done: aws-auto ml ledger applied {said.id} --on DAY", as_json=as_json)


@app.command()
def reject(
    entry: _Id,
    because: Annotated[str, typer.Option("--because", help="Why; it is kept, and not recommended again.")],
    workspace: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Say that it will not be done, and why.

    Example: aws-auto ml ledger reject schedule-1a2b3c4d --because "the team works in three time zones"
    """
    from aws_auto.pipeline import ledger

    said = ledger.reject(opened(workspace), entry, because=because)
    _said(said, f"rejected: {said.because}; aws-auto ml ledger accept {said.id} takes it back", as_json=as_json)


@app.command()
def applied(
    entry: _Id,
    on: Annotated[str, typer.Option("--on", help="The day on which it was done (UTC), such as 2026-03-01.")],
    workspace: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Say on which day it was done; what it saves is then read from the bill before and after.

    Example: aws-auto ml ledger applied schedule-1a2b3c4d --on 2026-03-01
    """
    from aws_auto.pipeline import ledger

    said = ledger.applied(opened(workspace), entry, on=options.moment(on, "--on").date())
    _said(said, f"applied on {said.applied_on}; next: aws-auto ml ledger realised", as_json=as_json)


@app.command()
def realised(
    csv: sheets.Csv = None,
    workspace: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Compare what was predicted with what the bill shows before and after.

    Example: aws-auto ml ledger realised
    """
    from aws_auto.pipeline import ledger

    ws = opened(workspace)
    found = ledger.account(ws)
    if csv is not None:
        sheets.write(csv, sheets.REALISED, [sheets.of_realised(one) for one in found.items])
    if as_json:
        render.emit(found)
        return
    _account(found)


def _account(found: Account) -> None:
    rows = [
        (
            one.entry.id,
            one.entry.applied_on,
            _money(one.entry.predicted),
            _money(one.saving) if one.saving else "not known",
            "-" if one.held is None else "yes" if one.held else "no",
            one.why,
        )
        for one in found.items
    ]
    if rows:
        columns = ("id", "applied on", "predicted a month (range)", "realised a month (80 %)", "as predicted", "from")
        render.table(columns, rows)
    for one in found.sums:
        render.talk(
            f"{one.entries} applied: {one.predicted:.2f} {one.currency} a month predicted, {one.realised:.2f} realised"
        )
    if not rows:
        render.talk("nothing was applied yet; next: aws-auto ml ledger applied ID --on DAY")


def _said(entry: LedgerEntry, text: str, *, as_json: bool) -> None:
    if as_json:
        render.emit(entry)
    render.talk(f"{entry.id}: {text}")


def _status(entry: LedgerEntry) -> str:
    return entry.status if entry.applied_on is None else f"applied {entry.applied_on}"


def _money(value: Money) -> str:
    return f"{value.expected:.2f} {value.currency} ({value.low:.2f} .. {value.high:.2f})"
