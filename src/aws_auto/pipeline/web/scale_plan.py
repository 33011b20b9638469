"""The scaling report: how many instances when, why, at what price and risk, and what AWS would be told."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from aws_auto.pipeline.web.blocks import Block, Facts, Section, Table, number, render
from aws_auto.pipeline.web.report import SIMULATED
from aws_auto.results import Chart, Line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.ml.scaling.aws_plan import Request
    from aws_auto.ml.scaling.requirements import Expected
    from aws_auto.ml.scaling.timeline import CapacityPlan
    from aws_auto.pipeline.scale import Scaled


def scaling_report(found: Scaled) -> str:
    """Money and advice first, then a section for each fleet.

    Raises:
        MissingExtra: plotly is not installed.
    """
    hours = max((len(p.steps) for p in found.plans), default=0)
    lead: list[Block] = [
        Facts(
            items={
                f"{p.resource}": f"{sum(p.now.values())} now, {min(s.total for s in p.steps)} to"
                f" {max(s.total for s in p.steps)} planned, {money(p.usd_difference)}"
                for p in found.plans
            }
            or {"Nothing is planned": "no fleet has a plan"},
            leading=True,
        ),
        f"Planned at {found.at:%Y-%m-%d %H:%M} (UTC) for {hours} hours. Nothing is executed.",
        f"{money(found.usd_difference)} against the fleets as they are.",
    ]
    if found.observed:
        lead.append(f"Against what is in AWS: {found.changes}.")
    lead += list(found.notes)
    sections = [_fleet(p, found.performance.get(p.resource, ()), found.made.get(p.resource, ())) for p in found.plans]
    if found.left_out:
        table = Table(columns=("fleet", "why it has no plan"), rows=sorted(found.left_out.items()))
        sections.append(Section(title="Left out", blocks=(table,)))
    return render("Scaling plan", sections, lead=lead, banner=SIMULATED if found.simulated else "")


def money(usd: float | None) -> str:
    """``+0.79 USD``, or that it is unknown."""
    return "price unknown" if usd is None else f"{usd:+.2f} USD"


def _fleet(plan: CapacityPlan, told: Sequence[Expected], made: Sequence[Request]) -> Section:
    expected = told or (None,) * len(plan.steps)
    rows = [
        (
            f"{step.start:%m-%d %H:%M}",
            f"{number(step.expected)} ({number(step.demand.low)} to {number(step.demand.high)})",
            f"{step.need.low:.1f} to {step.need.high:.1f}",
            ", ".join(f"{n} {pool}" for pool, n in step.instances.items()),
            f"{step.short:.1%}",
            _latency(hour),
            step.usd,
        )
        for step, hour in zip(plan.steps, expected, strict=True)
    ]
    columns = ("from (UTC)", "requests a second", "needed", "instances", "too few", "p95 and risk", "USD")
    blocks: list[Block] = [_picture(plan), Table(columns=columns, rows=rows), *plan.notes]
    if made:
        calls = [
            (r.kind, r.name, f"{r.expires:%Y-%m-%d %H:%M}" if r.expires else "stays", r.why, json.dumps(r.body))
            for r in made
        ]
        title = "What AWS would be told"
        blocks.append(Table(columns=("kind", "name", "until (UTC)", "why", "request"), rows=calls, title=title))
    return Section(title=plan.resource, blocks=tuple(blocks))


def _latency(hour: Expected | None) -> str:
    if hour is None or hour.p95 is None:
        return "unknown"
    risk = "risk unknown" if hour.breach is None else f"{hour.breach:.1%} over {number(hour.objective)} ms"
    return f"{number(hour.p95)} ms, {risk}"


def _picture(plan: CapacityPlan) -> Chart:
    starts = tuple(step.start for step in plan.steps)
    edges = tuple(moment for start in starts for moment in (start, start + timedelta(minutes=59)))
    planned = tuple(step.capacity for step in plan.steps for _ in range(2))
    middle = len(plan.need[0]) // 2
    return Chart(
        title=f"Instances of {plan.resource}",
        x_title="time",
        y_title="present instances",
        lines=(
            Line(
                name="needed, with 80 % interval",
                x=starts,
                y=tuple(float(row[middle]) for row in plan.need),
                low=tuple(step.need.low for step in plan.steps),
                high=tuple(step.need.high for step in plan.steps),
            ),
            Line(name="planned", x=edges, y=planned, style="dashed"),
        ),
        note="one present instance is the unit; larger types count as several",
    )
