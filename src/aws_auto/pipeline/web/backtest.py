"""The report of a back-test of cost advice: saved against throttled, and commitments by week of decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_auto.pipeline.web.blocks import Block, Facts, Section, Table, render
from aws_auto.pipeline.web.report import SIMULATED
from aws_auto.results import Chart, Line

if TYPE_CHECKING:
    from aws_auto.ml.cost.backtest_commitments import CommitmentsReplayed
    from aws_auto.ml.cost.backtest_rightsizing import SizesReplayed
    from aws_auto.pipeline.backtest_cost import CostBackTest
    from aws_auto.results import Interval


def cost_report(found: CostBackTest) -> str:
    """Sizes first, then commitments.

    Raises:
        MissingExtra: plotly is not installed and there is something to draw.
    """
    sections = [_sizes(found.sizes, found.risk), *map(_commitments, found.commitments)]
    lead: list[Block] = [
        "Every decision is made from what was known on its day and judged on what came. Money is at list price."
    ]
    banner = SIMULATED if found.simulated else ""
    return render("Back-test of cost advice", sections, lead=lead, banner=banner)


def _sizes(found: SizesReplayed, risk: float) -> Section:
    if not found.methods:
        return Section(title="Smaller sizes", blocks=(f"Not replayed: {found.why}.",))
    rows = [
        (
            one.method,
            one.saved_usd,
            f"{one.saving:.1%} ({_span(one.interval_saving)})",
            f"{one.throttled:.1%} ({_span(one.interval_throttled)})",
            one.unmet_cpu_hours,
        )
        for one in found.methods
    ]
    facts = {
        "decisions": found.decisions,
        "machines": found.machines,
        "stated risk": f"{risk:.0%}",
        "judged": f"{found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}" if found.first and found.last else "never",
        "saving, ours less the rule (95 %)": _span(found.saving_difference),
        "throttled, ours less the rule (95 %)": _span(found.throttled_difference),
    }
    points = tuple(
        Line(name=one.method, x=(100 * one.throttled,), y=(100 * one.saving,), style="points") for one in found.methods
    )
    chart = Chart(
        title="Saving against throttled decisions",
        x_title="throttled, % of decisions",
        y_title="saved, % of the list price",
        lines=points,
        note="Up and to the left is better; clairvoyant is what could be had by who knows the future.",
    )
    columns = ("way", "saved USD", "saving (95 %)", "throttled (95 %)", "unmet vCPU hours")
    return Section(title="Smaller sizes", blocks=(Facts(items=facts), Table(columns=columns, rows=rows), chart))


def _commitments(found: CommitmentsReplayed) -> Section:
    title = f"Commitments ({found.currency})"
    if not found.methods:
        return Section(title=title, blocks=(f"Not replayed: {found.why}.",))
    rows = [
        (
            one.offer,
            f"{one.discount:.1%}",
            one.method,
            f"{one.saving:.1%}",
            f"{one.worst:.1%}",
            one.monthly,
            f"{one.lost:.0%}",
        )
        for one in found.methods
    ]
    columns = ("offer", "discount", "way", "saving", "worst", "saved a month", "lost money in")
    facts = {f"ours less the look-back, {name} (95 %)": _span(one) for name, one in found.difference.items()}
    facts = {"weekly decisions": str(found.decisions), **facts}
    return Section(title=title, blocks=(Facts(items=facts), Table(columns=columns, rows=rows)))


def _span(value: Interval | None) -> str:
    return "unknown" if value is None else f"{value.low:.1%} to {value.high:.1%}"
