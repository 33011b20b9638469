"""A report in a real browser: its plots are drawn, nothing is complained about, nothing is fetched."""

import json
import math
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import polars as pl
import pytest

from aws_auto.frame import TIME_DTYPE
from aws_auto.ml.anomaly.root_cause.results import Evidence, Factor, Incident, RootCause
from aws_auto.pipeline.detect import Detection
from aws_auto.pipeline.explain import Found, Severity
from aws_auto.pipeline.ports import Window
from aws_auto.pipeline.web.incidents import incident_report
from aws_auto.pipeline.web.report import train_report
from aws_auto.results import BackTest, Calibration, Chart, Decision, Interval, Line, Lineage, TrainReport

pytestmark = pytest.mark.browser

START = datetime(2026, 5, 1, tzinfo=UTC)
#: Chromium phones home on its own; none of it is the page's doing.
CHROMIUMS_OWN = ("google.com", "googleapis.com", "gstatic.com", "gvt1.com")


def report():
    times = tuple(START + timedelta(hours=h) for h in range(72))
    wave = tuple(100 + 40 * math.sin(h / 24 * 2 * math.pi) for h in range(72))
    gapped = tuple(None if 30 < h < 36 else y for h, y in enumerate(wave))
    lines = (
        Line(name="observed", x=times, y=gapped),
        Line(name="forecast", x=times, y=wave, low=tuple(y - 9 for y in wave), high=tuple(y + 9 for y in wave)),
        Line(name="same hour last week", x=times, y=tuple(1.1 * y for y in wave), style="dashed"),
        Line(name="alarm", x=times[20:21], y=wave[20:21], style="points"),
    )
    bars = Line(name="now <i>", x=("m5", "c5"), y=(1200.0, 800.0), style="bars")
    test = BackTest(
        metric="pinball loss",
        unit="requests",
        ours=8.0,
        baseline=10.0,
        baseline_name="same hour last week",
        difference=Interval(-3.0, -1.0),
        n=28,
        unit_of_n="days",
    )
    return TrainReport(
        recipe="demand-forecaster",
        decision=Decision.PROMOTE,
        reason="Loss is 20 % lower.",
        backtests=(test,),
        calibration=(Calibration(what="80 % intervals", nominal=0.8, observed=0.78, n=672),),
        lineage=Lineage(
            data_fingerprint="9f2c",
            rows=864,
            resources=12,
            start=START,
            end=times[-1],
            seed=7,
            versions={},
            simulated=True,
        ),
        charts=(
            Chart(title="Last week", x_title="time", y_title="requests per hour", lines=lines),
            Chart(title="Cost", x_title="family", y_title="USD per month", lines=(bars,)),
        ),
    )


def look(folder, html):
    """The page after the browser ran it: its DOM, what the console said, and every address that was asked for."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no chromium here")
    (folder / "report.html").write_text(html, encoding="utf-8")
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={folder / 'net.json'}",
        "--enable-logging=stderr",
        "--window-size=1100,1800",
        "--virtual-time-budget=8000",
        "--dump-dom",
        (folder / "report.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    net = (folder / "net.json").read_text(encoding="utf-8")
    return done.stdout, re.findall(r"CONSOLE.*", done.stderr), re.findall(r'"url":"([^"]+)"', net)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    return look(tmp_path_factory.mktemp("browser"), train_report([report()]))


def test_every_plot_is_drawn_with_its_curves(seen):
    dom, _, _ = seen
    assert [dom.count(f'id="plot-{k}"') for k in range(4)] == [1, 1, 1, 0]
    assert dom.count('class="main-svg"') >= 3
    # One difference; observed, a band, forecast, the dashed rule and an alarm; two bars.
    assert len(re.findall(r'<g class="trace scatter', dom)) == 6
    assert len(re.findall(r'<g class="point">', dom)) == 2
    assert re.search(r'class="errorbar"', dom)


def test_axes_and_legend_are_read_as_they_were_written(seen):
    dom, _, _ = seen
    for words in ("time (UTC)", "requests per hour", "USD per month", "same hour last week", "Simulated data"):
        assert words in dom


def test_a_curve_with_a_gap_has_a_gap(seen):
    dom, _, _ = seen
    curves = re.findall(r'<path class="js-line" d="M([^"h]+)"', dom)
    # Observed in two pieces, the edge of the band, the forecast, the dashed rule; those of the legend have an h.
    assert len(curves) == 5


def test_no_button_sends_the_chart_anywhere(seen):
    dom, _, _ = seen
    assert "Download plot as a PNG" in dom
    assert "Share chart..." not in re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)


def test_the_console_is_silent(seen):
    _, console, _ = seen
    assert console == []


def test_nothing_is_asked_of_the_network(seen):
    _, _, urls = seen
    hosts = {urlsplit(json.loads(f'"{url}"')).hostname for url in urls if url.startswith(("http", "ws"))}
    assert [host for host in hosts if host and not host.endswith(CHROMIUMS_OWN)] == []


def curve(*values):
    times = [START + timedelta(minutes=5 * k) for k in range(len(values))]
    return pl.DataFrame({"timestamp": pl.Series(times, dtype=TIME_DTYPE), "value": list(values)})


def incident():
    """An alarm of a web server whose database became slow."""
    e = Evidence(
        resource="db <1>",
        metric="latency",
        before=2.0,
        during=40.0,
        z_past=30.0,
        z_local=30.0,
        strength=0.9,
        share=1.0,
        onset=START,
        correlation=0.9,
        lag=timedelta(0),
        trend=0.0,
        points=(500, 12),
    )
    factor = Factor(
        resource=e.resource, metric=e.metric, weight=1.0, direction="up", own_share=1.0, evidence=e, why="x"
    )
    cause = RootCause(
        incident=Incident("web-1", "cpu_utilization", START, START + timedelta(hours=1)),
        primary_cause=factor,
        contributing_factors=(factor,),
        correlated_metrics=(),
        pattern_match=None,
        recommended_actions=(),
        confidence_score=0.9,
        evidence=(e,),
        topology="given",
        notes=(),
    )
    values = (30.0, 31.0, None, 95.0, 94.0)
    return Found(
        anomaly_id="web-1@x",
        incident="web-1@x",
        resource="web-1",
        metric="cpu_utilization",
        start=START + timedelta(minutes=15),
        end=START + timedelta(minutes=20),
        score=0.9,
        severity=Severity.MAJOR,
        value=95.0,
        expected=30.0,
        low=20.0,
        high=40.0,
        cause=cause,
        picture=curve(*values).with_columns(expected=30.0, low=20.0, high=40.0),
        curves={("db <1>", "latency"): curve(2.0, 2.0, 2.0, 40.0, 41.0)},
    )


@pytest.fixture(scope="module")
def incidents(tmp_path_factory):
    window = Window(START, START + timedelta(hours=1))
    found = Detection(
        at=window.end, window=window, version=1, simulated=True, incidents=(incident(),), judged=5, unknown={}
    )
    return look(tmp_path_factory.mktemp("incidents"), incident_report(found))


def test_an_incident_shows_its_band_and_its_causes_one_above_the_other(incidents):
    dom, console, _ = incidents
    assert [dom.count(f'id="plot-{k}"') for k in range(3)] == [1, 1, 0]
    # Expectation, band, observed and alarm; then the alarm's own metric and one cause.
    assert len(re.findall(r'<g class="trace scatter', dom)) == 6
    drawn = re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    for words in ("cpu_utilization of web-1 (the alarm)", "latency of db &lt;1&gt;", "a hundred times rarer"):
        assert words in drawn
    assert console == []
