"""The saving report: what could be saved, on what evidence, at what risk, and what moved the bill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_auto.pipeline.web.blocks import Block, Facts, Section, Table, number, render
from aws_auto.pipeline.web.report import SIMULATED
from aws_auto.results import Chart, Line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.ml.cost.cost_anomaly import CostEvent
    from aws_auto.ml.cost.findings import Money, Recommendation
    from aws_auto.pipeline.recommend import Advice


def advice_report(found: Advice) -> str:
    """Totals first, then one section per recommendation and per event.

    Raises:
        MissingExtra: plotly is not installed and there is something to draw.
    """
    said = found.recommendations
    lead: list[Block] = [
        Facts(
            items={
                f"Could be saved a month ({c})": f"{_money(t.saving)}, {t.share:.0%}" for c, t in said.totals.items()
            }
            or {"Nothing is recommended": said.abstained[0].reason if said.abstained else "nothing was found"},
            leading=True,
        ),
        "Nothing is executed. Savings are of what no commitment pays for anyway, and are counted once.",
    ]
    lead += _overview(found)
    sections = [_recommendation(r, found.ledger[r.id].status) for r in said.items]
    sections += [_event(e) for e in found.anomalies.events]
    if said.abstained:
        rows = [(a.what, _money(a.monthly) if a.monthly else "unknown", a.reason, a.collect) for a in said.abstained]
        table = Table(columns=("what", "costs a month", "why nothing is said", "what to collect"), rows=rows)
        sections.append(Section(title="Left open", blocks=(table,)))
    if found.anomalies.bookings:
        booked = [(f"{b.day:%Y-%m-%d}", b.category, b.service, b.amount) for b in found.anomalies.bookings]
        table = Table(columns=("day", "category", "service", "amount"), rows=booked)
        sections.append(Section(title="Booked at once, no event", blocks=(table,)))
    return render("Savings", sections, lead=lead, banner=SIMULATED if found.simulated else "")


def _overview(found: Advice) -> list[Block]:
    """Every recommendation in a line, savings by kind as a picture, and what was rejected before."""
    items = found.recommendations.items
    blocks: list[Block] = []
    if items:
        rows = [
            (r.id, found.ledger[r.id].status, r.what, r.saving.expected, r.saving.currency, r.effort) for r in items
        ]
        columns = ("id", "status", "what to do", "saves a month", "currency", "effort")
        blocks += [Table(columns=columns, rows=rows, title="In the order of netting"), *_kinds(items)]
    if found.rejected:
        rejected = [(one.id, one.what, one.because) for one in found.rejected]
        blocks.append(Table(columns=("id", "what", "because"), rows=rejected, title="Rejected before, not said again"))
    return blocks


def _kinds(items: Sequence[Recommendation]) -> list[Block]:
    """Savings a month by kind, a picture for each currency."""
    charts: list[Block] = []
    for currency in sorted({one.saving.currency for one in items}):
        by_kind: dict[str, float] = {}
        for one in items:
            if one.saving.currency == currency:
                by_kind[one.kind] = by_kind.get(one.kind, 0.0) + one.saving.expected
        line = Line(name="expected", x=tuple(by_kind), y=tuple(by_kind.values()), style="bars")
        title = f"Expected saving a month by kind ({currency})"
        charts.append(Chart(title=title, x_title="kind", y_title=currency, lines=(line,)))
    return charts


def _recommendation(said: Recommendation, status: str) -> Section:
    facts = {
        "id": said.id,
        "status": status,
        "saves a month": _money(said.saving),
        "resources": ", ".join(said.resources[:10])
        + (f" and {len(said.resources) - 10} more" if len(said.resources) > 10 else ""),
        "probability that it is missed": "unknown" if said.trouble is None else f"{said.trouble:.0%}",
        "that figure is from": said.trouble_from,
        "risk": said.risk,
        "effort": said.effort,
        "how": said.command,
        "way back": said.rollback,
        "act before": f"{said.expires:%Y-%m-%d}",
        **({"in its place": "; ".join(said.alternatives)} if said.alternatives else {}),
    }
    chart = Chart(title="Evidence", x_title="time", y_title=said.evidence.name, lines=(said.evidence,))
    return Section(title=said.what, blocks=(Facts(items=facts), chart))


def _event(event: CostEvent) -> Section:
    steps = [(s.dimension, s.value, f"{s.share:.0%}") for s in event.cause.steps]
    chart = Chart(
        title="Cost a day", x_title="time", y_title=f"{event.evidence.name} ({event.currency})", lines=(event.evidence,)
    )
    table = Table(columns=("dimension", "value", "share of the change"), rows=steps, title="What stands behind it")
    return Section(title=f"{event.kind} of {number(event.money)} {event.currency}", blocks=(str(event), table, chart))


def _money(value: Money) -> str:
    return f"{value.expected:,.2f} {value.currency} ({value.low:,.2f} to {value.high:,.2f})"
