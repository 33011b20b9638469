"""The incident report: what happened, with its expected band, what probably caused it, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.frame import TIMESTAMP
from aws_auto.pipeline.web.blocks import Block, Facts, Section, Table, number, render
from aws_auto.pipeline.web.report import SIMULATED
from aws_auto.results import Chart, Line

if TYPE_CHECKING:
    from datetime import datetime

    from aws_auto.ml.anomaly.root_cause.results import RootCause
    from aws_auto.pipeline.detect import Detection, Found

#: Ranked causes that are shown with a plot of their own.
PLOTTED = 3


def incident_report(found: Detection) -> str:
    """One section per alarm, the most severe first; what is not told stands at the end with its reason.

    Raises:
        MissingExtra: plotly is not installed.
    """
    told = sorted(found.told, key=lambda i: -i.score)
    lead: list[Block] = [
        Facts(
            items={i.anomaly_id: f"{i.severity}: {i.metric} was {number(i.value)}, {_usual(i)}" for i in told}
            or {"Nothing to tell": f"{found.judged} points were judged"},
            leading=True,
        ),
        f"Judged {_time(found.window.start)} to {_time(found.window.end)} (UTC) with version {found.version}.",
    ]
    sections = [_incident(i) for i in told]
    quiet = [i for i in found.incidents if i.suppressed]
    if quiet:
        rows = [(i.anomaly_id, i.metric, str(i.severity), i.suppressed) for i in quiet]
        table = Table(columns=("alarm", "metric", "severity", "why it is not told"), rows=rows)
        sections.append(Section(title="Not told", blocks=(table,)))
    if found.unknown:
        table = Table(columns=("why", "points"), rows=sorted(found.unknown.items()))
        sections.append(Section(title="Not judged", blocks=(table,)))
    return render("Incidents", sections, lead=lead, banner=SIMULATED if found.simulated else "")


def _incident(found: Found) -> Section:
    facts = {
        "from, to (UTC)": f"{_time(found.start)} to {_time(found.end)}",
        "severity": f"{found.severity} ({number(found.score)}; the alarm threshold is 0.5, 1 is the end of the scale)",
        "worst point": f"{number(found.value)}, {_usual(found)}",
    }
    blocks: list[Block] = [Facts(items=facts), _picture(found)]
    blocks += _cause(found, found.cause) if found.cause else ["No cause was looked for: too many alarms at once."]
    return Section(title=f"{found.metric} of {found.resource}", blocks=tuple(blocks))


def _picture(found: Found) -> Chart:
    data = found.picture
    times = tuple(data[TIMESTAMP].to_list())
    inside = data.filter(pl.col(TIMESTAMP).is_between(found.start, found.end))
    return Chart(
        title="What happened",
        x_title="time",
        y_title=found.metric,
        note="the band is where no alarm is raised",
        lines=(
            Line(
                name="expected",
                x=times,
                y=tuple(data["expected"].to_list()),
                low=tuple(data["low"].to_list()),
                high=tuple(data["high"].to_list()),
                style="dashed",
            ),
            Line(name="observed", x=times, y=tuple(data["value"].to_list())),
            Line(
                name="alarm", x=tuple(inside[TIMESTAMP].to_list()), y=tuple(inside["value"].to_list()), style="points"
            ),
        ),
    )


def _cause(found: Found, cause: RootCause) -> list[Block]:
    blocks: list[Block] = []
    first = cause.primary_cause
    if first is None:
        blocks.append("No cause was found: nothing else left its usual range.")
    else:
        blocks.append(
            f"Probable cause: {first.metric} of {first.resource} went {first.direction}. At such evidence the first "
            f"resource was the right one in {cause.confidence_score:.0%} of simulated incidents."
        )
        rows = [
            (
                f.resource,
                f.metric,
                f"{f.weight:.0%}",
                f"{number(f.evidence.before)} to {number(f.evidence.during)}",
                f.why,
            )
            for f in cause.contributing_factors[:5]
        ]
        columns = ("resource", "metric", "weight", "before to during", "why")
        blocks.append(Table(columns=columns, rows=rows, title="Ranked causes"))
        blocks += [_plot(found, resource, metric) for resource, metric in _plotted(found, cause)]
    if cause.pattern_match:
        match = cause.pattern_match
        blocks.append(
            Table(
                columns=("for", "against"),
                rows=[("; ".join(match.speaks_for) or "-", "; ".join(match.speaks_against) or "-")],
                title=f"Looks like: {match.title} ({match.score:.0%})",
            )
        )
    actions = [(a.title, a.command, a.risk) for a in cause.recommended_actions]
    if actions:
        table = Table(columns=("what", "how", "risk"), rows=actions, title="What to do (never executed by itself)")
        blocks.append(table)
    return [*blocks, *cause.notes]


def _plotted(found: Found, cause: RootCause) -> list[tuple[str, str]]:
    pairs = dict.fromkeys((f.resource, f.metric) for f in cause.contributing_factors)
    return [p for p in pairs if p in found.curves][:PLOTTED]


def _plot(found: Found, resource: str, metric: str) -> Chart:
    data = found.curves[resource, metric]
    times = tuple(data[TIMESTAMP].to_list())
    line = Line(name=metric, x=times, y=tuple(data["value"].to_list()))
    return Chart(title=f"{metric} of {resource}", x_title="time", y_title=metric, lines=(line,))


def _usual(found: Found) -> str:
    if found.low is None or found.high is None:
        return "no range is known"
    return f"{number(found.low)} to {number(found.high)} was expected"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
