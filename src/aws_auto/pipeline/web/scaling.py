"""The report of a replay: what each policy costs and breaks, and what it did while the load came."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.pipeline.web.blocks import Block, Facts, Section, Table, render
from aws_auto.pipeline.web.report import SIMULATED
from aws_auto.results import Chart, Line

if TYPE_CHECKING:
    from datetime import datetime

    from aws_auto.pipeline.simulate import Row, ScalingReplay

#: Points of a curve at most; of the steps that share a point the need shows its largest, the fleet its smallest.
MOST_POINTS = 1000
OPTIMUM = "clairvoyant optimum"
HOW = (
    "An instance is billed from its start, ready {boot} later, and carries {capacity:.4g} a step. Each policy was "
    "tuned on the days before, for the same promise; the optimum knows the future, and nobody can have it."
)
MIX = (
    "In each step the policy says how much is needed, an exact optimisation of which pools. A spot pool is reclaimed "
    "as a whole, by chance, at the probability that was given; both policies saw the same draws."
)
UNSURE = "Too few days were played for an interval."
SURE = (
    "Days drawn anew: {policy} saves {low:.1%} to {high:.1%} of the instance-hours of target tracking (95 %). Other "
    "weeks may differ more than the days of this one."
)


def scaling_report(found: ScalingReplay) -> str:
    """Table first, then demand and capacity, violations by day, and money.

    Raises:
        MissingExtra: plotly is not installed.
    """
    ours = found.rows[-1]
    told = {row.policy: f"{row.over_optimum:+.0%} over the optimum, {row.violated:.2%} violated" for row in found.rows}
    lead: list[Block] = [
        Facts(items={"Violated steps, promised at most": f"{found.slo:.2%}", **told}, leading=True),
        _span(found),
        HOW.format(boot=found.boot, capacity=found.capacity),
        *found.notes,
    ]
    columns = ("policy", "knob", "instance-hours", "over the optimum", "USD a month", "violated", "unserved", "actions")
    best = (OPTIMUM, "-", found.optimum_hours, "0.0%", found.optimum_usd_month, "0.00%", "0.00%", "-")
    table = Table(columns=columns, rows=[best, *map(_cells, found.rows)])
    sections = [
        Section(title="What each policy costs", blocks=(table,)),
        Section(title="Demand and capacity", blocks=(_capacity(found),)),
        Section(title="Violations", blocks=(_violations(found),)),
    ]
    if found.price is not None:
        sections.append(Section(title="Money", blocks=(_money(found),)))
    if found.mix:
        sections.append(Section(title="With the types and spot", blocks=(_mix(found), MIX)))
    sections.append(Section(title="How sure", blocks=(_sure(ours),)))
    return render("Scaling replay", sections, lead=lead, banner=SIMULATED if found.simulated else "")


def _cells(row: Row) -> tuple[object, ...]:
    return (
        row.policy,
        row.knob,
        row.instance_hours,
        f"{row.over_optimum:.1%}",
        row.usd_month,
        f"{row.violated:.2%}",
        f"{row.unserved:.2%}",
        row.actions,
    )


def _mix(found: ScalingReplay) -> Table:
    pools = tuple(found.mix[0].pools)
    return Table(
        columns=("policy", "USD a month", "violated", "on spot", "reclaimed", *pools),
        rows=[
            (
                row.policy,
                row.usd_month,
                f"{row.violated:.2%}",
                f"{row.spot_share:.1%}",
                row.reclaimed,
                *(f"{row.pools[pool]:.1%}" for pool in pools),
            )
            for row in found.mix
        ],
    )


def _times(found: ScalingReplay, every: int) -> tuple[datetime, ...]:
    return tuple(found.start + found.period * k for k in range(0, len(found.need), every))


def _capacity(found: ScalingReplay) -> Chart:
    every = -(-len(found.need) // MOST_POINTS)
    edges = np.arange(0, len(found.need), every)
    x = _times(found, every)
    lines = [Line(name="needed", x=x, y=tuple(np.maximum.reduceat(found.need, edges).tolist()))]
    for name, ready in found.curves.items():
        lines.append(Line(name=name, x=x, y=tuple(np.minimum.reduceat(ready, edges).tolist())))
    note = f"A point is {every} steps: the largest need and the fewest ready instances." if every > 1 else ""
    return Chart(title="", x_title="time", y_title="instances", lines=tuple(lines), note=note)


def _violations(found: ScalingReplay) -> Chart:
    day = max(1, round(timedelta(days=1) / found.period))
    edges = np.arange(0, len(found.need), day)
    x = _times(found, day)
    lines = []
    for name, ready in found.curves.items():
        violated = np.add.reduceat((found.need > ready + 1e-6).astype(float), edges)
        lines.append(Line(name=name, x=x, y=tuple(violated.tolist()), style="bars"))
    return Chart(title="", x_title="day", y_title="violated steps a day", lines=tuple(lines))


def _money(found: ScalingReplay) -> Chart:
    names = (OPTIMUM, *(row.policy for row in found.rows))
    usd = (found.optimum_usd_month, *(row.usd_month for row in found.rows))
    return Chart(
        title="",
        x_title="policy",
        y_title="USD a month",
        lines=(Line(name="USD a month", x=names, y=usd, style="bars"),),
        note=f"At {found.price:.4g} USD an instance-hour; the part played, as a month of 730 hours.",
    )


def _sure(ours: Row) -> str:
    if ours.saving_low is None or ours.saving_high is None:
        return UNSURE
    return SURE.format(policy=ours.policy, low=ours.saving_low, high=ours.saving_high)


def _span(found: ScalingReplay) -> str:
    learned = found.learned / timedelta(days=1)
    played = f"{_time(found.start)} to {_time(found.end)} (UTC) in steps of {found.period}"
    return f"{found.trace}: {played}, after {learned:.1f} days to learn from."


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
