"""What is printed of a detection."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from aws_auto.cli import detecting, options
from aws_auto.errors import DeliveryError, SchemaError, UsageError
from aws_auto.frame import TIME_DTYPE
from aws_auto.ml.anomaly.root_cause.results import Action, Evidence, Factor, Incident, PatternMatch, RootCause
from aws_auto.pipeline.detect import Detection
from aws_auto.pipeline.explain import Found, Severity
from aws_auto.pipeline.feedback import INCIDENTS, verdicts
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.web.incidents import incident_report
from fakes import FakeClock, memory_workspace

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Place:
    """As much of a workspace as a report needs."""

    root: Path
    clock: object = None

    def now(self):
        return NOW


def curve(*values):
    times = [NOW - HOUR + timedelta(minutes=5 * k) for k in range(len(values))]
    return pl.DataFrame({"timestamp": pl.Series(times, dtype=TIME_DTYPE), "value": list(values)})


def factor(resource, metric, weight):
    e = Evidence(
        resource=resource,
        metric=metric,
        before=10.0,
        during=90.0,
        z_past=9.0,
        z_local=9.0,
        strength=0.9,
        share=1.0,
        onset=NOW,
        correlation=0.9,
        lag=timedelta(0),
        trend=0.0,
        points=(500, 12),
    )
    return Factor(resource=resource, metric=metric, weight=weight, direction="up", own_share=1.0, evidence=e, why="x")


def cause():
    factors = (factor("db-1", "latency", 0.9), factor("web-1", "network_in", 0.095), factor("far", "latency", 0.005))
    return RootCause(
        incident=Incident("web-1", "cpu_utilization", NOW - HOUR, NOW),
        primary_cause=factors[0],
        contributing_factors=factors,
        correlated_metrics=(),
        pattern_match=PatternMatch(
            name="deploy", title="Release", score=0.9, resource="db-1", speaks_for=("a",), speaks_against=()
        ),
        recommended_actions=(Action(title="Look", command="aws x y", risk="reads only", changes=False),),
        confidence_score=0.87,
        evidence=tuple(f.evidence for f in factors) * 20,
        topology="given",
        notes=(),
    )


def alarm(number, *, explained=True, score=0.9, **changed):
    values = {
        "anomaly_id": f"web-{number}@x",
        "incident": "web-1@x",
        "resource": f"web-{number}",
        "metric": "cpu_utilization",
        "start": NOW - timedelta(minutes=30),
        "end": NOW - timedelta(minutes=10),
        "score": score,
        "severity": Severity.CRITICAL,
        "value": 95.0,
        "expected": 30.0,
        "low": 20.0,
        "high": 40.0,
        "cause": cause() if explained else None,
        "picture": curve(30.0, None, 95.0).with_columns(expected=30.0, low=pl.lit(-1e9), high=pl.lit(1e9)),
        "curves": {("db-1", "latency"): curve(1.0, 2.0, 3.0)},
    }
    return Found(**(values | changed))


def detection(*alarms, **changed):
    values = {
        "at": NOW,
        "window": Window(NOW - HOUR, NOW),
        "version": 3,
        "simulated": False,
        "incidents": alarms,
        "judged": 12,
        "unknown": {},
    }
    return Detection(**(values | changed))


def shown(capsys, found, tmp_path, *, as_json=False):
    place = Place(tmp_path)
    place.clock = place
    detecting.show(place, found, html=tmp_path / "r.html", as_json=as_json)
    return capsys.readouterr()


def test_the_table_names_the_cause_and_the_curves_stand_beside_the_ranked_causes(capsys, tmp_path):
    out, err = shown(capsys, detection(alarm(1)), tmp_path)
    assert "db-1 latency (87%) [Release]" in out
    assert "▁▅█" in out
    assert "▁ █" in out, "what is unknown is blank"
    assert "aws x y" in out
    assert "far" not in out, "a cause of half a per cent is not worth a line"
    assert f"severity critical: {Severity.CRITICAL.meaning}" in err
    assert "severity minor" not in err


def test_alarms_of_one_incident_are_explained_once(capsys, tmp_path):
    out, _ = shown(capsys, detection(alarm(1), alarm(2), alarm(3, explained=False)), tmp_path)
    assert out.count("ranked causes") == 1
    assert "with 2 more alarms at the same time" in out
    assert "see the incident" in out


def test_an_incident_that_nobody_explained_is_still_listed(capsys, tmp_path):
    out, _ = shown(capsys, detection(alarm(1, explained=False)), tmp_path)
    assert "web-1@x" in out
    assert "ranked causes" not in out
    assert "No cause was looked for" in (tmp_path / "r.html").read_text()


def test_no_alarm_prints_no_table(capsys, tmp_path):
    out, err = shown(capsys, detection(), tmp_path)
    assert out == ""
    assert "12 points judged, 0 alarms, 0 to tell" in err


def test_json_holds_curves_scale_and_no_more_evidence_than_can_be_read(capsys, tmp_path):
    out, _ = shown(capsys, detection(alarm(1), alarm(2, explained=False)), tmp_path, as_json=True)
    said = json.loads(out)
    first, second = said["incidents"]
    assert first["picture"]["value"] == [30.0, None, 95.0]
    assert first["curves"][0] | {"timestamp": None} == {
        "resource_id": "db-1",
        "metric": "latency",
        "timestamp": None,
        "value": [1.0, 2.0, 3.0],
    }
    assert len(first["cause"]["evidence"]) == detecting.MOST_EVIDENCE
    assert second["cause"] is None
    assert set(said["severity_scale"]) == {"notice", "minor", "major", "critical"}


def test_the_report_has_one_section_per_incident_and_its_band_cannot_hide_the_curve():
    other = alarm(4, incident="web-4@x", anomaly_id="web-4@x", score=0.7, severity=Severity.MINOR)
    html = incident_report(detection(alarm(1), alarm(2), other, alarm(5, suppressed="called false")))
    assert html.count("<section>") == 4, "two incidents, what is not told, the scale"
    for text in ("At the same time", "The alarm and its ranked causes", "called false", Severity.MINOR.meaning):
        assert text in html
    assert "1000000000" not in html


def test_a_report_of_nothing_says_how_much_was_judged():
    assert "12 points were judged" in incident_report(detection())


def test_a_curve_of_one_value_is_flat_and_an_empty_one_is_nothing():
    assert detecting.spark([5.0, 5.0]) == "▁▁"
    assert detecting.spark([]) == ""
    assert len(detecting.spark([float(k) for k in range(1000)])) <= 32


@pytest.mark.parametrize(
    ("severity", "word"),
    [("notice", "info"), ("minor", "warning"), ("major", "critical"), ("critical", "critical")],
)
def test_an_alert_is_as_urgent_as_its_alarm(severity, word):
    found = alarm(1, severity=Severity(severity))
    (alert,) = detecting.alerts(detection(found), [found])
    assert alert.severity == word
    assert "db-1 latency" in alert.text


def test_a_span_needs_a_slash_and_two_times():
    assert options.span("2026-01-31T22:00Z/2026-02-01") == Window(
        datetime(2026, 1, 31, 22, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    )
    for text in ("2026-01-31", "a/b", "2026-02-01/2026-01-31", "2026-02-01/2026-02-01"):
        with pytest.raises(UsageError) as caught:
            options.span(text)
        assert caught.value.where == "--maintenance"


GRAPH = {"Services": [{"ReferenceId": 0, "Name": "a", "Edges": [{"ReferenceId": 1}]}, {"ReferenceId": 1, "Name": "b"}]}


@pytest.mark.parametrize(("name", "text"), [("g.json", json.dumps(GRAPH)), ("g.csv", "caller,callee\na,b\n")])
def test_a_topology_is_a_table_or_x_rays_own_json(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    graph = detecting._graph(Place(tmp_path), tmp_path / name, Window(NOW - HOUR, NOW), None)
    assert [(e.caller, e.callee) for e in graph.edges] == [("a", "b")]


def test_a_topology_that_is_no_json_is_named(tmp_path):
    (tmp_path / "g.json").write_text("{")
    with pytest.raises(SchemaError, match="cannot be read as JSON") as caught:
        detecting._graph(Place(tmp_path), tmp_path / "g.json", Window(NOW - HOUR, NOW), None)
    assert caught.value.where.endswith("g.json")


def test_the_word_xray_asks_aws(tmp_path, capsys):
    def answer(_ws, window, *, region):
        assert (window.end, region) == (NOW, "eu-west-1")
        return GRAPH

    graph = detecting._graph(Place(tmp_path), Path("xray"), Window(NOW - HOUR, NOW), "eu-west-1", ask=answer)
    assert len(graph.edges) == 1
    assert "1 calls seen by X-Ray" in capsys.readouterr().err


class Channel:
    """A channel that may be absent, or refuse."""

    def __init__(self, *, configured=True, refuses=False):
        self.heard, self.configured, self.refuses = [], configured, refuses

    def __call__(self, _ws, alerts, _channels):
        if self.refuses:
            raise DeliveryError("no", where="slack")
        self.heard += [a.key for a in alerts]
        return self.configured


def test_people_are_told_once_of_an_alarm_and_again_when_it_becomes_worse():
    ws, channel = memory_workspace(FakeClock(NOW)), Channel()
    minor, major = alarm(1, severity=Severity.MINOR), alarm(1, severity=Severity.MAJOR)
    quiet = alarm(9, suppressed="called false")
    for found in (detection(minor, quiet), detection(minor), detection(), detection(major), detection(minor)):
        detecting.tell(ws, found, ["slack"], send=channel)
    assert channel.heard == ["web-1@x", "web-1@x"]


@pytest.mark.parametrize("deaf", [Channel(configured=False), Channel(refuses=True)])
def test_what_nobody_heard_is_told_by_the_next_run(deaf):
    ws, channel = memory_workspace(FakeClock(NOW)), Channel()
    with suppress(DeliveryError):
        detecting.tell(ws, detection(alarm(1)), ["slack"], send=deaf)
    detecting.tell(ws, detection(alarm(1)), ["slack"], send=channel)
    assert channel.heard == ["web-1@x"]


def test_without_a_channel_nobody_is_asked():
    detecting.tell(memory_workspace(FakeClock(NOW)), detection(alarm(1)), [], send=Channel(refuses=True))


def test_a_cause_that_was_not_found_is_said_and_so_is_what_was_not_judged(capsys, tmp_path):
    nothing = replace(
        cause(), primary_cause=None, contributing_factors=(), pattern_match=None, recommended_actions=(), notes=("n",)
    )
    blind = curve(None, None, None).with_columns(expected=30.0, low=20.0, high=40.0)
    found = alarm(1, cause=nothing, curves={}, picture=blind, low=None, high=None)
    out, err = shown(capsys, detection(found, unknown={"no metric has a value here": 7}, simulated=True), tmp_path)
    assert "unknown" in out
    assert "7 points not judged: no metric has a value here" in err
    assert "simulated" in err
    html = (tmp_path / "r.html").read_text()
    for text in ("No cause was found", "no range is known", "Not judged", "Simulated data"):
        assert text in html


def test_a_day_without_a_zone_is_utc():
    assert detecting.day("2026-12-31") == datetime(2026, 12, 31, tzinfo=UTC)
    assert detecting.day("2026-12-31T18:00+02:00") == datetime(2026, 12, 31, 16, tzinfo=UTC)


@pytest.fixture
def account():
    """A workspace with an hour of metrics of one resource."""
    ws = memory_workspace(FakeClock(NOW))
    times = pl.Series([NOW - HOUR + timedelta(minutes=5 * k) for k in range(12)], dtype=TIME_DTYPE)
    rows = pl.DataFrame({"resource_id": "web-1", "timestamp": times, "latency": 1.0})
    ws.lake.write(
        Batch(dataset="metrics", rows=rows, window=Window(NOW - HOUR, NOW), keys=("resource_id", "timestamp"))
    )
    return ws


def said_of(ws, about, verdict, **flags):
    words = {"until": None, "span": None, "note": "", **flags}
    return detecting.say(ws, about, options.Verdict(verdict), **words)


def test_a_missed_incident_is_told_by_resource_and_span(account):
    text = said_of(account, "web-1", "missed", span="2026-06-01T11:10Z/2026-06-01T11:30Z", note="pager")
    assert text == "1 missed incident"
    row = verdicts(account).row(0, named=True)
    assert (row["resource_id"], row["verdict"], row["note"]) == ("web-1", "missed", "pager")
    assert row["end"] - row["timestamp"] == timedelta(minutes=20)


def test_missed_incidents_are_read_from_a_file(account, tmp_path):
    file = tmp_path / "incidents.csv"
    file.write_text(
        "resource_id,timestamp,end\nweb-1,2026-06-01T11:00Z,2026-06-01T11:10Z\n"
        "web-1,2026-06-01T11:30Z,2026-06-01T11:40Z\n"
    )
    assert said_of(account, str(file), "missed") == "2 missed incidents"
    assert len(verdicts(account)) == 2


@pytest.mark.parametrize(
    ("about", "verdict", "flags", "where"),
    [
        ("web-1", "missed", {}, "--span"),
        ("x.csv", "missed", {"span": "2026-06-01T11:10Z/2026-06-01T11:30Z"}, "--span"),
        ("web-1", "missed", {"until": "2026-07-01"}, "--until"),
        ("web-1@2026", "false", {"span": "2026-06-01T11:10Z/2026-06-01T11:30Z"}, "--span"),
        ("web-1", "missed", {"span": "yesterday"}, "--span"),
    ],
)
def test_flags_that_do_not_fit_the_verdict_are_named(account, about, verdict, flags, where):
    with pytest.raises(UsageError) as caught:
        said_of(account, about, verdict, **flags)
    assert caught.value.where == where
    assert caught.value.hint


def test_a_verdict_on_an_alarm_is_stored_with_its_day(account):
    alarm = pl.DataFrame(
        {
            "resource_id": ["web-1"],
            "timestamp": pl.Series([NOW - HOUR], dtype=TIME_DTYPE),
            "end": pl.Series([NOW - HOUR], dtype=TIME_DTYPE),
            "anomaly_id": ["web-1@x"],
            "metric": ["latency"],
        }
    )
    window = Window(NOW - HOUR, NOW)
    keys = ("resource_id", "timestamp")
    account.lake.write(Batch(dataset=INCIDENTS, rows=alarm, window=window, keys=keys, final=False))
    assert said_of(account, "web-1@x", "ignore", until="2026-07-01", note="known") == "web-1@x: ignore"
    row = verdicts(account).row(0, named=True)
    assert (row["verdict"], row["until"], row["note"]) == ("ignore", datetime(2026, 7, 1, tzinfo=UTC), "known")
