from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ModelNotFound, UsageError
from aws_auto.pipeline.detect import detect
from aws_auto.pipeline.explain import Severity
from aws_auto.pipeline.feedback import FEEDBACK, Verdict, feedback
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.process import process
from aws_auto.pipeline.train import train
from aws_auto.pipeline.web.incidents import incident_report
from aws_auto.pipeline.workspace import open_workspace

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 21
BREAK = NOW - timedelta(hours=6)
AT_MOST = timedelta(hours=2)


class FixedClock:
    def now(self):
        return NOW

    def sleep(self, seconds):
        raise AssertionError("nothing waits here")


def metrics():
    """Two resources, one of which goes wrong six hours before now: its CPU triples for two hours."""
    n = 288 * DAYS
    start = NOW - timedelta(days=DAYS)
    times = [start + timedelta(minutes=5 * k) for k in range(n)]
    wave = 30 + 10 * np.sin(2 * np.pi * np.arange(n) / 288)
    frames = []
    for number, name in enumerate(("web-1", "web-2")):
        rng = np.random.default_rng(number)
        cpu, requests = wave + rng.normal(0, 1, n), 1000 + 20 * wave + rng.normal(0, 20, n)
        if name == "web-1":
            bad = np.array([BREAK <= t < BREAK + timedelta(hours=2) for t in times])
            cpu, requests = np.where(bad, 95, cpu), np.where(bad, 4 * requests, requests)
        frames.append(
            pl.DataFrame({"resource_id": name, "timestamp": times, "cpu_utilization": cpu, "request_count": requests})
        )
    return pl.concat(frames).with_columns(pl.col("timestamp").dt.cast_time_unit("us"))


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    made = open_workspace(tmp_path_factory.mktemp("ws") / "w", target="local", environ={}, clock=FixedClock())
    span = Window(NOW - timedelta(days=DAYS), NOW)
    made.lake.write(Batch(dataset="metrics", rows=metrics(), window=span))
    past = process(made, Window(span.start, NOW - timedelta(days=1))).frame
    train(made, ["anomaly-detector"], past)
    return made


@pytest.fixture(scope="module")
def found(ws):
    return detect(ws, Window(NOW - timedelta(days=1), NOW))


def the_alarm(found):
    return max((i for i in found.incidents if i.resource == "web-1"), key=lambda i: i.score)


def the_alarms(found):
    """Those of the resource that went wrong, while it did."""
    return [i for i in found.incidents if i.resource == "web-1" and i.end >= BREAK and i.start <= BREAK + AT_MOST]


def test_without_a_champion_the_next_step_is_said(tmp_path):
    empty = open_workspace(tmp_path / "w", target="local", environ={}, clock=FixedClock())
    with pytest.raises(ModelNotFound, match="no champion") as caught:
        detect(empty, Window(NOW - timedelta(days=1), NOW))
    assert "train-models" in caught.value.hint


def test_what_went_wrong_is_found_where_and_when_it_did(found):
    alarm = the_alarm(found)
    assert abs(alarm.start - BREAK) <= timedelta(minutes=10)
    assert alarm.severity in (Severity.MAJOR, Severity.CRITICAL)
    assert not alarm.low <= alarm.value <= alarm.high


def test_the_cause_is_another_metric_than_the_alarms_own(found):
    cause = the_alarm(found).cause
    assert (cause.primary_cause.resource, cause.primary_cause.metric) != ("web-1", the_alarm(found).metric)
    assert cause.recommended_actions


def test_the_picture_shows_the_band_at_every_point(found):
    picture = the_alarm(found).picture
    assert picture["expected"].null_count() == 0
    assert (picture["low"] <= picture["high"]).all()


def test_the_report_names_alarm_cause_and_actions(found):
    html = incident_report(found)
    for text in (the_alarm(found).anomaly_id, "Ranked causes", "What to do"):
        assert text in html


def test_a_maintenance_window_is_judged_but_not_told(ws):
    span = Window(BREAK - timedelta(hours=1), BREAK + timedelta(hours=4))
    quiet = detect(ws, Window(NOW - timedelta(days=1), NOW), maintenance=[span])
    assert the_alarm(quiet).suppressed == "maintenance window"


def test_an_alarm_called_false_is_not_told_again(ws, found):
    feedback(ws, the_alarm(found).anomaly_id, Verdict.FALSE, note="load test")
    again = detect(ws, Window(NOW - timedelta(days=1), NOW))
    assert the_alarm(again).suppressed == "called false"
    assert the_alarm(again) not in again.told


def test_the_last_word_counts(ws, found):
    alarm = the_alarm(found)
    feedback(ws, alarm.anomaly_id, Verdict.FALSE)
    feedback(ws, alarm.anomaly_id, Verdict.TRUE)
    assert the_alarm(detect(ws, Window(NOW - timedelta(days=1), NOW))).suppressed == ""
    assert ws.lake.scan(FEEDBACK).collect().height == 1


def test_an_alarm_can_be_ignored_until_a_day_and_not_longer(ws, found):
    alarm = the_alarm(found)
    feedback(ws, alarm.anomaly_id, Verdict.IGNORE, until=NOW + timedelta(days=3))
    assert the_alarm(detect(ws, Window(NOW - timedelta(days=1), NOW))).suppressed == "ignored until 2026-06-04"
    feedback(ws, alarm.anomaly_id, Verdict.IGNORE, until=NOW - timedelta(days=3))
    assert the_alarm(detect(ws, Window(NOW - timedelta(days=1), NOW))).suppressed == ""


def test_ignoring_needs_a_day(ws, found):
    with pytest.raises(UsageError, match="ignore needs a day"):
        feedback(ws, the_alarm(found).anomaly_id, Verdict.IGNORE)


def test_an_unknown_alarm_is_named(ws):
    with pytest.raises(UsageError, match="no alarm is called 'nothing'"):
        feedback(ws, "nothing", Verdict.TRUE)


@pytest.mark.parametrize(
    ("severity", "level"), [(0.0, "notice"), (0.25, "minor"), (0.6, "major"), (0.75, "critical"), (1.0, "critical")]
)
def test_severity_is_how_rare_such_a_thing_is(severity, level):
    assert Severity.of(severity) == level


def test_settings_of_a_run_are_laid_over_those_of_the_model(ws):
    span = Window(NOW - timedelta(days=1), NOW)
    assert not the_alarms(detect(ws, span, settings={"minimum_effect": {"cpu_utilization": 1e6, "request_count": 1e9}}))
    spared = detect(ws, span, settings={"excluded": ((BREAK - timedelta(hours=1), BREAK + timedelta(hours=3)),)})
    assert not the_alarms(spared)
    assert spared.unknown["this span is excluded"] > 0
    assert the_alarms(detect(ws, span))


def test_a_setting_of_a_metric_that_the_model_does_not_watch_is_refused(ws):
    with pytest.raises(UsageError, match="watches no metric 'latncy'") as caught:
        detect(ws, Window(NOW - timedelta(days=1), NOW), settings={"minimum_effect": {"latncy": 5.0}})
    assert "cpu_utilization" in caught.value.hint


@pytest.fixture
def retrained(tmp_path):
    """A workspace whose model has seen everything, the trouble included, after a person's word about it."""

    def after(verdict):
        made = open_workspace(tmp_path / str(verdict), target="local", environ={}, clock=FixedClock())
        made.lake.write(Batch(dataset="metrics", rows=metrics(), window=Window(NOW - timedelta(days=DAYS), NOW)))
        whole = process(made, Window(NOW - timedelta(days=DAYS), NOW)).frame
        train(made, ["anomaly-detector"], whole)
        first = detect(made, Window(NOW - timedelta(days=1), NOW))
        feedback(made, the_alarm(first).anomaly_id, verdict)
        (again,) = train(made, ["anomaly-detector"], whole)
        made.registry.promote(again.name, again.version.version, reason="test")
        return again, the_alarm(first), detect(made, Window(NOW - timedelta(days=1), NOW))

    return after


def test_an_alarm_called_false_is_not_raised_by_the_next_model(retrained):
    again, alarm, found = retrained(Verdict.FALSE)
    assert any("1 alarms called false, 0 incidents" in note for note in again.report.notes)
    assert not [i for i in found.incidents if i.resource == "web-1" and i.start <= alarm.end and i.end >= alarm.start]


def test_an_alarm_called_true_is_raised_by_the_next_model_as_well(retrained):
    again, alarm, found = retrained(Verdict.TRUE)
    assert any("0 alarms called false, 1 incidents" in note for note in again.report.notes)
    assert any("1 labelled incident, at least 5 are needed" in note for note in again.report.notes)
    assert the_alarm(found).start == alarm.start
    assert the_alarm(found).score >= alarm.score
