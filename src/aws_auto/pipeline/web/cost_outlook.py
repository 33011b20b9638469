"""The cost forecast as a page: sums first, then each series with its past, its forecast and its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_auto.pipeline.web.blocks import Block, Facts, Section, Table, number, render
from aws_auto.pipeline.web.report import SIMULATED
from aws_auto.results import Chart, Line

if TYPE_CHECKING:
    from aws_auto.ml.cost.cost_forecast import CostAhead, CostSeries
    from aws_auto.pipeline.forecast_cost import CostOutlook


#: How many members of a mixture are named, and from which weight a member is all of it.
_HEAVIEST, _ALL = 3, 0.995


def outlook_report(found: CostOutlook) -> str:
    """The page.

    Raises:
        MissingExtra: plotly is not installed.
    """
    said = found.forecast
    leading = {
        f"{ahead.what} ({total.currency}, 80 % interval)": _sum(ahead) for total in said.totals for ahead in total.sums
    }
    lead: list[Block] = [Facts(items=leading, leading=True), *said.notes]
    lead += [
        f"The total of {total.currency} is forecast by itself: {number(sum(total.expected))}. Its parts add up to"
        f" {number(said.parts[total.currency])}; both are forecasts, and neither is forced upon the other."
        for total in said.totals
        if said.by != "total"
    ]
    if said.apart:
        rows = [(a.category, a.currency, a.amount, a.lines, str(a.first), str(a.last)) for a in said.apart]
        columns = ("what", "currency", "amount", "lines", "first", "last")
        lead.append(Table(columns=columns, rows=rows, title="On the bill and not forecast"))
    shown = said.series if said.by == "total" else (*said.totals, *said.series)
    sections = [_section(one) for one in shown]
    return render(f"Cost ahead, by {said.by}", sections, lead=lead, banner=SIMULATED if found.simulated else "")


def _section(one: CostSeries) -> Section:
    past = Line(name="cost a day", x=one.past_days, y=one.past)
    ahead = Line(name="forecast, 80 % interval", x=one.days, y=one.expected, low=one.low, high=one.high, style="dashed")
    chart = Chart(title="Cost a day", x_title="day", y_title=one.currency, lines=(past, ahead))
    facts = {ahead.what: _sum(ahead) for ahead in one.sums} | {
        "forecast by": mixture(one),
        "why": one.why,
        "of its past days inside their 80 % interval": None if one.covered is None else f"{one.covered:.0%}",
    }
    return Section(title=f"{one.name} ({one.currency})", blocks=(Facts(items=facts), chart))


def mixture(one: CostSeries) -> str:
    """What was chosen, in words: ``last value``, or ``level, slow 60%; last value 30%; others``."""
    heaviest = list(one.weights.items())[:_HEAVIEST]
    if heaviest[0][1] > _ALL:
        return heaviest[0][0]
    words = [f"{name} {weight:.0%}" for name, weight in heaviest]
    rest = 1.0 - sum(weight for _, weight in heaviest)
    return "; ".join([*words, *(["others"] if rest > 1.0 - _ALL else [])])


def _sum(ahead: CostAhead) -> str:
    spent = f", of it {number(ahead.spent)} spent" if ahead.spent else ""
    return f"{number(ahead.expected)} ({number(ahead.interval.low)} to {number(ahead.interval.high)}){spent}"
