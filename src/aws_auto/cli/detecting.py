"""``aws-auto ml detect`` and ``feedback``: what is wrong, why, and what people say about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aws_auto.cli import alarming, monitoring, options, render
from aws_auto.cli.inputs import collected, opened
from aws_auto.errors import EXIT_DRIFT, SchemaError, UsageError
from aws_auto.results import as_json as to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from aws_auto.cli.alarming import Asked
    from aws_auto.ml.anomaly.root_cause.topology import Topology
    from aws_auto.pipeline.detect import Detection
    from aws_auto.pipeline.explain import Found
    from aws_auto.pipeline.ports import Alert, Window, Workspace

#: The word of ``--topology`` that asks AWS.
XRAY = "xray"
#: Incidents whose causes are shown.
MOST_SHOWN = 3
#: Pieces of evidence of an alarm that are printed as JSON, the strongest; there is one for every metric.
MOST_EVIDENCE = 25
BLOCKS = "▁▂▃▄▅▆▇█"


def detect(
    window: options.WindowText = "1d",
    since: options.Since = None,
    data_source: options.Sources = None,
    path: options.DataPath = None,
    topology: Annotated[
        Path | None,
        typer.Option(
            "--topology",
            help="Who calls whom: CSV or Parquet with caller, callee and, if known, weight (0 to 1); a .json file of"
            " aws xray get-service-graph; or the word xray, which asks X-Ray about the last six hours. Names may be"
            " ids or what only one resource is called. Without it: groups, services and tags, then lagged correlation.",
        ),
    ] = None,
    maintenance: Annotated[
        list[str] | None,
        typer.Option("--maintenance", help="Span in which nothing is told: START/END in ISO 8601; may be repeated."),
    ] = None,
    alarm_budget: alarming.Budget = None,
    minimum_effect: alarming.Effect = None,
    exclude: alarming.Exclude = None,
    cool_down: alarming.CoolDown = None,
    alerts: Annotated[str | None, typer.Option("--alerts", help="Channels to tell, comma-separated: slack.")] = None,
    region: options.Region = None,
    report: options.Report = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 10 when there is something to tell.")] = False,
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """Find what is wrong in the newest window, and why.

    It goes on from where its last run stood, so it may run every five minutes: with --window 1h a run costs the newest
    points only.

    Example: aws-auto ml detect --data-source sample --window 4d
    """
    monitoring.known(options.words(alerts), None)
    spans = [options.span(text) for text in maintenance or ()]
    asked = alarming.asked(alarm_budget, minimum_effect, exclude, cool_down)
    asked.settings()  # what cannot be read is told before anything is pulled and paid for
    ws = opened(workspace, target)
    span = options.window(window, ws.clock.now(), since=since)
    collected(ws, data_source or [], path, span, region)
    found = run(ws, span, topology=topology, maintenance=spans, asked=asked, region=region)
    show(ws, found, html=report, as_json=as_json)
    tell(ws, found, options.words(alerts))
    if exit_code and found.told:
        raise typer.Exit(EXIT_DRIFT)


def feedback(
    anomaly_id: Annotated[
        str,
        typer.Argument(
            help="The alarm, as aws-auto ml detect lists it. With missed: the resource, or a CSV or Parquet file of"
            " incidents with resource_id, timestamp (or start), end and, if you like, note.",
        ),
    ],
    verdict: Annotated[
        options.Verdict, typer.Argument(help="true, false or ignore; missed for an incident that raised no alarm.")
    ],
    until: Annotated[str | None, typer.Option("--until", help="With ignore: a day, such as 2026-12-31.")] = None,
    span: Annotated[str | None, typer.Option("--span", help="With missed: when it was, START/END in ISO 8601.")] = None,
    note: Annotated[str, typer.Option("--note", help="Kept beside the verdict.")] = "",
    workspace: options.Home = None,
) -> None:
    """Say whether an alarm was right, or what was missed; a false or ignored alarm is not told again.

    The next training learns from it: from five incidents on how low the limit may be, from ten on which members of the
    detector count for how much, where incidents that were held back say that this is better. So tell what was missed:
    aws-auto ml feedback web-1 missed --span 2026-01-01T10:00Z/2026-01-01T11:30Z

    Example: aws-auto ml feedback web-1@2026-01-01T00:00:00Z false --note "planned load test"
    """
    ws = opened(workspace)
    said = say(ws, anomaly_id, verdict, until=until, span=span, note=note)
    render.talk(f"{said}; next: aws-auto ml train-models --models anomaly-detector")


def day(text: str) -> datetime:
    """The end of that day, or that moment.

    Raises:
        UsageError: it is no day.
    """
    return options.moment(text, "--until")


def say(ws: Workspace, about: str, verdict: options.Verdict, *, until: str | None, span: str | None, note: str) -> str:
    """Store a verdict on an alarm, or incidents without one; what was stored, in a few words.

    Raises:
        UsageError: no such alarm, no such resource, or a flag that the verdict needs is missing or foreign to it.
        SchemaError: a file of incidents cannot be used.
    """
    from aws_auto.pipeline import feedback

    if verdict is not options.Verdict.MISSED:
        if span is not None:
            raise UsageError("it belongs to missed", where="--span", hint="an alarm knows its own time")
        ends = day(until) if until else None
        feedback.feedback(ws, about, feedback.Verdict(verdict.value), until=ends, note=note)
        return f"{about}: {verdict.value}"
    if until is not None:
        raise UsageError("it belongs to ignore", where="--until", hint="say when the incident was: --span START/END")
    stored = feedback.missed(ws, _incidents(about, span, note), where=about)
    return f"{stored} missed incident{'' if stored == 1 else 's'}"


def _incidents(about: str, span: str | None, note: str) -> pl.DataFrame:
    """One incident of a resource, or those of a file."""
    import polars as pl

    from aws_auto.frame import RESOURCE, TIMESTAMP, read_table

    if about.endswith((".csv", ".csv.gz", ".parquet")):
        if span is not None:
            raise UsageError("a file has times of its own", where="--span", hint="leave it out")
        return read_table(about)
    if span is None:
        raise UsageError("when was it?", where="--span", hint="for example --span 2026-01-01T10:00Z/2026-01-01T11:30Z")
    when = options.span(span, "--span")
    return pl.DataFrame({RESOURCE: [about], TIMESTAMP: [when.start], "end": [when.end], "note": [note]})


def run(
    ws: Workspace,
    window: Window,
    *,
    topology: Path | None,
    maintenance: list[Window],
    asked: Asked | None = None,
    region: str | None = None,
) -> Detection:
    """Judge the window and explain its alarms.

    Raises:
        SchemaError: the topology file cannot be used.
        AwsCallError: X-Ray was asked and refused.
        ModelNotFound: there is no champion.
        UsageError: a setting names a metric that the model does not watch.
    """
    from aws_auto.pipeline.detect import detect

    settings = asked.settings() if asked else {}
    graph = _graph(ws, topology, window, region) if topology else None
    with render.progress("detect") as tell:
        return detect(ws, window, topology=graph, maintenance=maintenance, settings=settings, progress=tell)


def _graph(
    ws: Workspace,
    topology: Path,
    window: Window,
    region: str | None,
    *,
    ask: Callable[..., dict[str, Any]] | None = None,
) -> Topology:
    """A table, the JSON of X-Ray's service graph, or what X-Ray says now.

    Raises:
        SchemaError: the file cannot be used.
        AwsCallError: X-Ray refused.
    """
    import json

    from aws_auto.frame import read_table
    from aws_auto.ml.anomaly.root_cause.topology import Topology
    from aws_auto.pipeline.workspace import service_graph

    if str(topology) == XRAY:
        found = Topology.of_xray((ask or service_graph)(ws, window, region=region))
        render.talk(f"topology: {len(found.edges)} calls seen by X-Ray")
        return found
    if topology.suffix != ".json":
        return Topology.of(read_table(topology))
    try:
        return Topology.of_xray(json.loads(topology.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise SchemaError(
            f"cannot be read as JSON: {error}",
            where=str(topology),
            hint="give the output of aws xray get-service-graph",
        ) from error


def show(ws: Workspace, found: Detection, *, html: Path | None, as_json: bool) -> None:
    """The table or JSON, the incident report, and what to do next."""
    from aws_auto.pipeline.explain import Severity
    from aws_auto.pipeline.web.incidents import incident_report

    render.report(ws, "incidents", lambda: incident_report(found), asked=html)
    if as_json:
        render.emit(
            {
                "at": found.at,
                "window": found.window,
                "version": found.version,
                "simulated": found.simulated,
                "judged": found.judged,
                "not_judged": found.unknown,
                "severity_scale": {level: level.meaning for level in Severity},
                "incidents": [_plain(i) for i in found.incidents],
            }
        )
        return
    _tables(found)
    render.talk(f"{found.judged} points judged, {len(found.incidents)} alarms, {len(found.told)} to tell")
    for why, points in sorted(found.unknown.items()):
        render.talk(f"{points} points not judged: {why}")
    if found.simulated:
        render.talk("the model was trained on simulated data")
    if found.told:
        first = found.told[0].anomaly_id
        render.talk(f"next: look at the report, then say whether it was right: aws-auto ml feedback {first} true")


def _tables(found: Detection) -> None:
    """All alarms; then of each incident that is told the ranked causes with their curves, and what to do."""
    from aws_auto.pipeline.explain import Severity
    from aws_auto.pipeline.web.incidents import by_incident, first

    rows = [
        (
            i.anomaly_id,
            i.severity,
            i.metric,
            f"{render.number(i.value)} ({render.number(i.low)} .. {render.number(i.high)})",
            first(i),
            i.suppressed or "told",
        )
        for i in found.incidents
    ]
    if not rows:
        return
    render.table(("alarm", "severity", "metric", "value (expected)", "probable cause", "told"), rows)
    for alarms in by_incident(found.told)[:MOST_SHOWN]:
        _explained(alarms[0], len(alarms))
    told = {i.severity for i in found.told}
    for level in (level for level in reversed(Severity) if level in told):
        render.talk(f"severity {level}: {level.meaning}")


def _explained(alarm: Found, count: int) -> None:
    """The causes and actions of one incident."""
    from aws_auto.pipeline.web.incidents import listed

    cause = alarm.cause
    if cause is None:
        return
    more = f", with {count - 1} more alarms at the same time" if count > 1 else ""
    curves = {(alarm.resource, alarm.metric): alarm.picture, **alarm.curves}
    rows = [("alarm", alarm.resource, alarm.metric, "", "", _spark(curves, alarm.resource, alarm.metric))]
    for place, f in enumerate(listed(cause), start=1):
        change = f"{render.number(f.evidence.before)} -> {render.number(f.evidence.during)}"
        rows.append((str(place), f.resource, f.metric, f"{f.weight:.0%}", change, _spark(curves, f.resource, f.metric)))
    columns = ("", "resource", "metric", "weight", "before -> during", f"{_time(alarm, first=True)} to {_time(alarm)}")
    render.table(columns, rows, title=f"\n{alarm.anomaly_id}: ranked causes{more}")
    steps = [(a.title, a.command, a.risk) for a in cause.recommended_actions]
    render.table(("what to do (never executed by itself)", "how", "risk"), steps)


def _time(alarm: Found, *, first: bool = False) -> str:
    times = alarm.picture["timestamp"]
    return f"{times[0 if first else -1]:%d %H:%MZ}"


def _spark(curves: Mapping[tuple[str, str], pl.DataFrame], resource: str, metric: str) -> str:
    curve = curves.get((resource, metric))
    return "" if curve is None else spark(curve["value"].to_list())


def spark(values: Sequence[float | None], width: int = 32) -> str:
    """A curve in one line of text, each character the mean of its share; a space where nothing is known."""
    size = max(-(-len(values) // width), 1)
    parts = [[v for v in values[k : k + size] if v is not None] for k in range(0, len(values), size)]
    means = [sum(part) / len(part) if part else None for part in parts]
    known = [m for m in means if m is not None]
    low, reach = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)
    steps = len(BLOCKS) - 1
    return "".join(" " if m is None else BLOCKS[round((m - low) / reach * steps) if reach else 0] for m in means)


def tell(ws: Workspace, found: Detection, channels: list[str], *, send: Callable[..., bool] = monitoring.send) -> None:
    """Send the alarms that nobody was told of yet to the channels, and remember them once all were delivered.

    Raises:
        DeliveryError: a configured channel refused; the alarms are sent again by the next run.
    """
    from aws_auto.pipeline import detect as use_case

    if not channels:
        return
    new = use_case.untold(ws, found)
    if send(ws, alerts(found, new), channels):
        use_case.tell(ws, new)


def alerts(found: Detection, told: Sequence[Found]) -> list[Alert]:
    """One alert per alarm."""
    from aws_auto.pipeline.ports import Alert
    from aws_auto.pipeline.web.incidents import first

    severities = {"notice": "info", "minor": "warning", "major": "critical", "critical": "critical"}
    return [
        Alert(
            key=i.anomaly_id,
            severity=severities[i.severity],  # type: ignore[arg-type] # the three words of Alert
            title=f"{i.resource}: {i.metric} is not as usual",
            text=f"{render.number(i.value)} where {render.number(i.low)} to {render.number(i.high)} was expected; "
            f"probable cause: {first(i)}" + (" (simulated data)" if found.simulated else ""),
            model="anomaly-detector",
            at=found.at,
            facts={"from": f"{i.start:%Y-%m-%d %H:%MZ}", "to": f"{i.end:%Y-%m-%d %H:%MZ}"},
        )
        for i in told
    ]


def _plain(found: Found) -> dict[str, object]:
    """One alarm with its cause, and the curves that the report draws."""
    skipped = ("picture", "curves", "cause")
    body = {k: to_json(v) for k, v in vars(found).items() if k not in skipped}
    curves = [
        {"resource_id": resource, "metric": metric, **to_json(curve.to_dict(as_series=False))}
        for (resource, metric), curve in found.curves.items()
    ]
    cause = found.cause and replace(found.cause, evidence=found.cause.evidence[:MOST_EVIDENCE])
    return body | {
        "cause": to_json(cause),
        "picture": to_json(found.picture.to_dict(as_series=False)),
        "curves": curves,
    }
