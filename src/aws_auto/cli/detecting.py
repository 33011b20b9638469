"""What ``detect`` and ``feedback`` do between their flags and their tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_auto.cli import render
from aws_auto.errors import UsageError
from aws_auto.pipeline.ports import Alert, Window
from aws_auto.results import as_json as to_json

if TYPE_CHECKING:
    from pathlib import Path

    from aws_auto.pipeline.detect import Detection, Found
    from aws_auto.pipeline.ports import Workspace


def span(text: str) -> Window:
    """``START/END`` in ISO 8601 as a window.

    Raises:
        UsageError: it is none.
    """
    start, slash, end = text.partition("/")
    if not slash:
        raise UsageError(
            f"{text!r} is not START/END", where="--maintenance", hint="2026-01-31T22:00Z/2026-02-01T02:00Z"
        )
    return Window(moment(start, "--maintenance"), moment(end, "--maintenance"))


def day(text: str) -> datetime:
    """The end of that day, or that moment.

    Raises:
        UsageError: it is no day.
    """
    return moment(text, "--until")


def moment(text: str, where: str) -> datetime:
    """An ISO 8601 moment; without a zone it is UTC.

    Raises:
        UsageError: it is none.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a time", where=where, hint="write 2026-12-31 or 2026-12-31T18:00Z"
        ) from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def run(ws: Workspace, window: Window, *, topology: Path | None, maintenance: list[Window]) -> Detection:
    """Judge the window and explain its alarms.

    Raises:
        SchemaError: the topology file cannot be used.
        ModelNotFound: there is no champion.
    """
    from aws_auto.frame import read_table
    from aws_auto.ml.anomaly.root_cause.topology import Topology
    from aws_auto.pipeline.detect import detect

    graph = Topology.of(read_table(topology)) if topology else None
    with render.progress("detect") as tell:
        return detect(ws, window, topology=graph, maintenance=maintenance, progress=tell)


def show(ws: Workspace, found: Detection, *, html: Path | None, as_json: bool) -> None:
    """The table or JSON, the incident report, and what to do next."""
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
                "incidents": [_plain(i) for i in found.incidents],
            }
        )
        return
    rows = [
        (
            i.anomaly_id,
            i.severity,
            i.metric,
            f"{render.number(i.value)} ({render.number(i.low)} .. {render.number(i.high)})",
            _cause(i),
            i.suppressed or "told",
        )
        for i in found.incidents
    ]
    if rows:
        table = ("alarm", "severity", "metric", "value (expected)", "probable cause", "told")
        render.table(table, rows)
    render.talk(f"{found.judged} points judged, {len(found.incidents)} alarms, {len(found.told)} to tell")
    for why, points in sorted(found.unknown.items()):
        render.talk(f"{points} points not judged: {why}")
    if found.simulated:
        render.talk("the model was trained on simulated data")
    if found.told:
        first = found.told[0].anomaly_id
        render.talk(f"next: look at the report, then say whether it was right: aws-auto ml feedback {first} true")


def alerts(found: Detection) -> list[Alert]:
    """One alert per alarm that is told."""
    severities = {"low": "info", "medium": "warning", "high": "critical"}
    return [
        Alert(
            key=i.anomaly_id,
            severity=severities[i.severity],  # type: ignore[arg-type] # the three words of Alert
            title=f"{i.resource}: {i.metric} is not as usual",
            text=f"{render.number(i.value)} where {render.number(i.low)} to {render.number(i.high)} was expected; "
            f"probable cause: {_cause(i)}" + (" (simulated data)" if found.simulated else ""),
            model="anomaly-detector",
            at=found.at,
            facts={"from": f"{i.start:%Y-%m-%d %H:%MZ}", "to": f"{i.end:%Y-%m-%d %H:%MZ}"},
        )
        for i in found.told
    ]


def _cause(found: Found) -> str:
    cause = found.cause
    if cause is None or cause.primary_cause is None:
        return "unknown"
    pattern = f" [{cause.pattern_match.title}]" if cause.pattern_match else ""
    return f"{cause.primary_cause.resource} {cause.primary_cause.metric} ({cause.confidence_score:.0%}){pattern}"


def _plain(found: Found) -> dict[str, object]:
    """Everything but the curves, which the report draws."""
    skipped = ("picture", "curves", "cause")
    body = {k: to_json(v) for k, v in vars(found).items() if k not in skipped}
    return body | {"cause": to_json(found.cause) if found.cause else None}
