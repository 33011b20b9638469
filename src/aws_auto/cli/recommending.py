"""``aws-auto ml recommend``: what the bill could do without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import options, render, sheets
from aws_auto.cli.inputs import collected, opened
from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.ml.cost.findings import Abstained, Money
    from aws_auto.pipeline.ports import Window, Workspace
    from aws_auto.pipeline.recommend import Advice, Wanted

#: Of things with one reason so many are named.
_SHOWN = 5


def recommend(
    window: options.WindowText = "90d",
    data_source: options.Sources = None,
    path: options.DataPath = None,
    since: options.Since = None,
    offers: Annotated[
        Path | None, typer.Option("--offers", help="YAML or CSV file of commitments at your own rates.")
    ] = None,
    risk: Annotated[
        str | None, typer.Option("--risk", help="Probability of trouble that a machine may take, such as 5%.")
    ] = None,
    dollars: Annotated[
        list[str] | None,
        typer.Option("--dollars", help="What a currency of the bill is worth, such as EUR=1.10; may be repeated."),
    ] = None,
    csv: sheets.Csv = None,
    region: options.Region = None,
    report: options.Report = None,
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """Say what the bill could do without, and what moved it.

    Example: aws-auto ml recommend --data-source sample --window 60d
    """
    asked = wanted(offers, risk, dollars or [])  # a faulty file is told before anything is pulled
    ws = opened(workspace, target)
    span = options.window(window, ws.clock.now(), since=since)
    collected(ws, data_source or [], path, span, region)
    run(ws, span, asked, html=report, csv=csv, as_json=as_json)


def wanted(offers: Path | None, risk: str | None, dollars: list[str]) -> Wanted:
    """What the user brings, read from the flags.

    Raises:
        UsageError: a flag cannot be read.
        ConfigError: the file of offers holds something that is none.
    """
    from aws_auto.pipeline.offers import read
    from aws_auto.pipeline.recommend import Wanted

    return Wanted(
        offers=read(offers) if offers else (),
        risk=options.share(risk, "--risk", example="5%") if risk else None,
        dollars=dict(map(_worth, dollars)),
    )


def run(
    ws: Workspace, window: Window, asked: Wanted | None = None, *, html: Path | None, csv: Path | None, as_json: bool
) -> None:
    """Advise and show.

    Raises:
        NotEnoughData: there is no bill.
    """
    from aws_auto.pipeline.recommend import advise
    from aws_auto.pipeline.web.advice import advice_report

    found = advise(ws, window, asked)
    render.report(ws, "recommend", lambda: advice_report(found), asked=html)
    if csv is not None:
        rows = [sheets.of_advice(one, found.ledger[one.id].status) for one in found.recommendations.items]
        sheets.write(csv, sheets.ADVICE, rows)
    if as_json:
        render.emit(found)
        return
    _tables(found)


def _tables(found: Advice) -> None:
    said = found.recommendations
    rows = [(r.id, found.ledger[r.id].status, len(r.resources), _money(r.saving), r.effort, r.what) for r in said.items]
    if rows:
        render.table(("id", "status", "n", "saving a month (range)", "effort", "what to do"), rows)
    events = [(e.kind, f"{e.start:%Y-%m-%d}", f"{e.money:+.2f} {e.currency}", str(e)) for e in found.anomalies.events]
    if events:
        render.table(("event", "from", "money", "what moved the bill"), events)
    for currency, total in said.totals.items():
        render.talk(
            f"{_money(total.saving)} of {total.monthly_cost:.2f} {currency} a month ({total.share:.0%}) could be saved"
        )
    for line in _left_open(said.abstained):
        render.talk(line)
    for note in (*said.notes, *found.anomalies.not_judged):
        render.talk(f"note: {note}")
    if found.rejected:
        render.talk(f"note: {len(found.rejected)} rejected before are not said again: aws-auto ml ledger")
    if not found.with_metrics:
        render.talk("note: there are no metrics, so nothing is said about how busy anything is")
    if found.simulated:
        render.talk("simulated data: no figure of it is about your account")
    if rows:
        render.talk("next: aws-auto ml ledger accept ID, reject ID --because WHY, or applied ID --on DAY")


def _left_open(abstained: Sequence[Abstained]) -> list[str]:
    """What nothing is said about, dearest first; what has one reason is told in one line."""
    groups: dict[tuple[str, str], list[Abstained]] = {}
    for one in abstained:
        groups.setdefault((one.reason, one.collect), []).append(one)
    lines = []
    for (reason, collect), mine in groups.items():
        names = "; ".join(one.what for one in mine[:_SHOWN])
        more = f" and {len(mine) - _SHOWN} more" if len(mine) > _SHOWN else ""
        money: dict[str, float] = {}
        for cost in (one.monthly for one in mine if one.monthly is not None):
            money[cost.currency] = money.get(cost.currency, 0.0) + cost.expected
        said = ", ".join(f"{value:,.2f} {currency}" for currency, value in money.items())
        what = f"{names}{more}" + (f" ({said} a month)" if said else "")
        lines.append((-sum(money.values()), f"nothing is said about {what}: {reason}; collect {collect}"))
    return [line for _, line in sorted(lines, key=lambda one: one[0])]


def _worth(text: str) -> tuple[str, float]:
    """``EUR=1.10`` as a currency and what one is worth in USD.

    Raises:
        UsageError: it is not that.
    """
    currency, _, worth = text.partition("=")
    try:
        value = float(worth)
    except ValueError:
        value = 0.0
    if not (currency.isalpha() and len(currency) == 3 and value > 0.0):
        raise UsageError(
            f"{text!r} is not what a currency is worth", where="--dollars", hint="write --dollars EUR=1.10"
        )
    return currency.upper(), value


def _money(value: Money) -> str:
    return f"{value.expected:.2f} {value.currency} ({value.low:.2f} .. {value.high:.2f})"
