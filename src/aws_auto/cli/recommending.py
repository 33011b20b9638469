"""What ``recommend`` does between its flags and its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_auto.cli import render

if TYPE_CHECKING:
    from pathlib import Path

    from aws_auto.ml.cost.findings import Money
    from aws_auto.pipeline.ports import Window, Workspace
    from aws_auto.pipeline.recommend import Advice


def run(ws: Workspace, window: Window, *, html: Path | None, as_json: bool) -> None:
    """Advise and show.

    Raises:
        NotEnoughData: there is no bill.
    """
    from aws_auto.pipeline.recommend import advise
    from aws_auto.pipeline.web.advice import advice_report

    found = advise(ws, window)
    render.report(ws, "recommend", lambda: advice_report(found), asked=html)
    if as_json:
        render.emit(found)
        return
    _tables(found)


def _tables(found: Advice) -> None:
    said = found.recommendations
    rows = [
        (r.kind, r.resources[0] if r.resources else "-", len(r.resources), _money(r.saving), r.effort, r.what)
        for r in said.items
    ]
    if rows:
        render.table(("kind", "resource", "n", "saving a month (range)", "effort", "what to do"), rows)
    events = [(e.kind, f"{e.start:%Y-%m-%d}", f"{e.money:+.2f} {e.currency}", str(e)) for e in found.anomalies.events]
    if events:
        render.table(("event", "from", "money", "what moved the bill"), events)
    for currency, total in said.totals.items():
        render.talk(
            f"{_money(total.saving)} of {total.monthly_cost:.2f} {currency} a month ({total.share:.0%}) could be saved"
        )
    for left in said.abstained:
        render.talk(f"nothing is said about {left.what}: {left.reason}; collect {left.collect}")
    for note in (*said.notes, *found.anomalies.not_judged):
        render.talk(f"note: {note}")
    if not found.with_metrics:
        render.talk("note: there are no metrics, so nothing is said about how busy anything is")
    if found.simulated:
        render.talk("simulated data: no figure of it is about your account")


def _money(value: Money) -> str:
    return f"{value.expected:.2f} {value.currency} ({value.low:.2f} .. {value.high:.2f})"
