"""The incident report: what happened, with its expected band, what probably caused it, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from aws_auto.frame import TIMESTAMP
from aws_auto.pipeline.explain import Severity
from aws_auto.pipeline.web.blocks import Block, Facts, Figure, Section, Table, number, render
from aws_auto.pipeline.web.figures import COLOURS, literal
from aws_auto.pipeline.web.report import SIMULATED
from aws_auto.results import Chart, Line, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aws_auto.ml.anomaly.root_cause.results import Factor, RootCause
    from aws_auto.pipeline.detect import Detection
    from aws_auto.pipeline.explain import Found

#: Ranked causes that are listed at most, and the least weight of one.
LISTED, LEAST = 5, 0.01
#: Height of the small plot of a cause, in pixels.
SMALL = 84


def incident_report(found: Detection) -> str:
    """One section per incident, the most severe first; what is not told stands at the end with its reason.

    Raises:
        MissingExtra: plotly is not installed.
    """
    incidents = by_incident(found.told)
    lead: list[Block] = [
        Facts(
            items={heads[0].anomaly_id: _headline(heads) for heads in incidents}
            or {"Nothing to tell": f"{found.judged} points were judged"},
            leading=True,
        ),
        f"Judged {_time(found.window.start)} to {_time(found.window.end)} (UTC) with version {found.version}.",
    ]
    sections = [_incident(alarms) for alarms in incidents]
    quiet = [i for i in found.incidents if i.suppressed]
    if quiet:
        rows = [(i.anomaly_id, i.metric, str(i.severity), i.suppressed) for i in quiet]
        table = Table(columns=("alarm", "metric", "severity", "why it is not told"), rows=rows)
        sections.append(Section(title="Not told", blocks=(table,)))
    if found.unknown:
        table = Table(columns=("why", "points"), rows=sorted(found.unknown.items()))
        sections.append(Section(title="Not judged", blocks=(table,)))
    if incidents:
        scale = Table(columns=("severity", "what it means"), rows=[(str(s), s.meaning) for s in reversed(Severity)])
        sections.append(Section(title="Severity", blocks=(scale,)))
    return render("Incidents", sections, lead=lead, banner=SIMULATED if found.simulated else "")


def by_incident(told: Sequence[Found]) -> list[list[Found]]:
    """Alarms of the same time together, the most severe incident first, in each an explained alarm first."""
    groups: dict[str, list[Found]] = {}
    for alarm in sorted(told, key=lambda i: (i.cause is None, -i.severity.rank, -i.score)):
        groups.setdefault(alarm.incident, []).append(alarm)
    return sorted(groups.values(), key=lambda alarms: max((i.severity.rank, i.score) for i in alarms), reverse=True)


def _headline(alarms: Sequence[Found]) -> str:
    first = alarms[0]
    more = f"; {len(alarms) - 1} more at the same time" if len(alarms) > 1 else ""
    return f"{first.severity}: {first.metric} was {number(first.value)}, {_usual(first)}{more}"


def _incident(alarms: Sequence[Found]) -> Section:
    found = alarms[0]
    facts = {
        "alarm": found.anomaly_id,
        "from, to (UTC)": f"{_time(found.start)} to {_time(found.end)}",
        "severity": f"{found.severity}: {found.severity.meaning}",
        "worst point": f"{number(found.value)}, {_usual(found)}",
    }
    blocks: list[Block] = [Facts(items=facts)]
    if found.cause is None:
        blocks.append("No cause was looked for: too many incidents at once.")
    else:
        blocks += [_picture(found), *_cause(found, found.cause)]
    if len(alarms) > 1:
        rows = [(i.anomaly_id, str(i.severity), i.metric, number(i.value), _usual(i), first(i)) for i in alarms[1:]]
        columns = ("alarm", "severity", "metric", "worst", "usual", "probable cause")
        blocks.append(Table(columns=columns, rows=rows, title="At the same time"))
    return Section(title=f"{found.metric} of {found.resource}", blocks=tuple(blocks))


def first(found: Found) -> str:
    """The probable cause of an alarm in a few words."""
    if found.cause is None:
        return "see the incident"
    suspect, match = found.cause.primary_cause, found.cause.pattern_match
    if suspect is None:
        return f"itself [{match.title}]" if match else "unknown"
    elsewhere = "" if match is None or match.resource == suspect.resource else f" on {match.resource}"
    pattern = f" [{match.title}{elsewhere}]" if match else ""
    return f"{suspect.resource} {suspect.metric} ({found.cause.confidence_score:.0%}){pattern}"


def listed(cause: RootCause) -> list[Factor]:
    """The ranked causes that are worth a line."""
    return [f for f in cause.contributing_factors if f.weight >= LEAST][:LISTED]


def _picture(found: Found) -> Chart:
    data = _cropped(found.picture)
    times = tuple(data[TIMESTAMP].to_list())
    inside = data.filter(pl.col(TIMESTAMP).is_between(found.start, found.end))
    return Chart(
        title="What happened",
        x_title="time",
        y_title=found.metric,
        note="the band is where no alarm is raised; it is cut off where it leaves the picture",
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


def _cropped(picture: pl.DataFrame) -> pl.DataFrame:
    """Expectation and band no further from the observed values than these reach, which they would make invisible."""
    low, high = picture.select(low=pl.col("value").min(), high=pl.col("value").max()).row(0)
    if low is None:
        return picture
    reach = (high - low) or abs(high) or 1.0
    return picture.with_columns(pl.col("expected", "low", "high").clip(low - reach, high + reach))


def _cause(found: Found, cause: RootCause) -> list[Block]:
    blocks: list[Block] = []
    suspect = cause.primary_cause
    if suspect is None:
        blocks.append("No cause was found: nothing else left its usual range.")
    else:
        blocks.append(
            f"Probable cause: {suspect.metric} of {suspect.resource} went {suspect.direction}. At such evidence the "
            f"first resource was the right one in {cause.confidence_score:.0%} of simulated incidents."
        )
        rows = [
            (
                f.resource,
                f.metric,
                f"{f.weight:.0%}",
                f"{number(f.evidence.before)} to {number(f.evidence.during)}",
                f.why,
            )
            for f in listed(cause)
        ]
        columns = ("resource", "metric", "weight", "before to during", "why")
        blocks.append(Table(columns=columns, rows=rows, title="Ranked causes"))
        if found.curves:
            note = "the same hours one above the other; the alarm is shaded"
            blocks.append(Figure(title="The alarm and its ranked causes", note=note, figure=_stacked(found)))
    if cause.pattern_match:
        match = cause.pattern_match
        blocks.append(
            Table(
                columns=("for", "against"),
                rows=[("; ".join(match.speaks_for) or "-", "; ".join(match.speaks_against) or "-")],
                title=f"Looks like: {match.title} on {match.resource} ({match.score:.0%})",
            )
        )
    actions = [(a.title, a.command, a.risk) for a in cause.recommended_actions]
    if actions:
        table = Table(columns=("what", "how", "risk"), rows=actions, title="What to do (never executed by itself)")
        blocks.append(table)
    return [*blocks, *cause.notes]


def _stacked(found: Found) -> dict[str, Any]:
    """Small plots one above the other on one time axis: the alarm's own metric, then its ranked causes."""
    curves: dict[tuple[str, str], pl.DataFrame] = {(found.resource, found.metric): found.picture, **found.curves}
    count = len(curves)
    data, axes, names = [], {}, []
    for row, ((resource, metric), curve) in enumerate(curves.items()):
        top = 1 - row / count
        data.append(_trace(curve, row))
        axes[f"yaxis{row + 1 if row else ''}"] = {
            "domain": [top - 0.72 / count, top - 0.14 / count],
            "nticks": 3,
            "automargin": True,
            "zeroline": False,
        }
        names.append(_name(f"{metric} of {resource}" + ("" if row else " (the alarm)"), top))
    shade = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 0}, "layer": "below"}
    span = {"x0": _plain(found.start), "x1": _plain(found.end), "fillcolor": "rgba(213, 94, 0, 0.16)"}
    return {
        "data": data,
        "layout": {
            "xaxis": {"type": "date", "anchor": f"y{count if count > 1 else ''}", "automargin": True},
            **axes,
            "annotations": names,
            "shapes": [shade | span],
            "showlegend": False,
            "margin": {"l": 60, "r": 20, "t": 10, "b": 40},
            "height": 60 + SMALL * count,
            "hovermode": "x unified",
        },
    }


def _trace(curve: pl.DataFrame, row: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [_plain(t) for t in curve[TIMESTAMP]],
        "y": as_json(curve["value"].to_list()),
        "yaxis": f"y{row + 1 if row else ''}",
        "name": "",
        "line": {"width": 1.5, "color": COLOURS[row % len(COLOURS)]},
    }


def _name(text: str, top: float) -> Mapping[str, Any]:
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": top, "xanchor": "left", "yanchor": "top"}
    return {"text": literal(text), "showarrow": False, "font": {"size": 12}, **place}


def _usual(found: Found) -> str:
    if found.low is None or found.high is None:
        return "no range is known"
    return f"{number(found.low)} to {number(found.high)} was expected"


def _plain(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
