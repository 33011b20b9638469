"""``aws-auto ml monitor``: check, show, tell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import options, render
from aws_auto.cli.inputs import collected, opened
from aws_auto.errors import EXIT_DRIFT, AwsAutoError, DeliveryError, TargetError, UsageError
from aws_auto.results import BackTest
from aws_auto.results import as_json as to_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aws_auto.config.monitoring import ModelMonitoring
    from aws_auto.pipeline.monitor import MonitorReport
    from aws_auto.pipeline.ports import Alert, Window, Workspace

#: Rules of the specification, used when no configuration is given.
TEMPLATE = "pipelines/complete"
CHANNELS = ("slack",)
VARIABLES = {"slack": "AWS_AUTO_SLACK_WEBHOOK"}


def monitor(
    models: Annotated[str | None, typer.Option("--models", help="Comma-separated; default: all champions.")] = None,
    drift_detection: Annotated[
        options.Switch, typer.Option("--drift-detection", help="Compare with the training data.")
    ] = (options.Switch.ENABLED),
    alerts: Annotated[str | None, typer.Option("--alerts", help="Channels to tell, comma-separated: slack.")] = None,
    dashboard: Annotated[str | None, typer.Option("--dashboard", help="grafana.")] = None,
    publish_readings: Annotated[
        bool,
        typer.Option("--publish-readings", help="Write the readings to CloudWatch, which the dashboard draws; billed."),
    ] = False,
    window: options.WindowText = "1d",
    since: options.Since = None,
    data_source: options.Sources = None,
    path: options.DataPath = None,
    region: options.Region = None,
    config: options.Config = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 10 when drift or degradation was found.")
    ] = False,
    report: options.Report = None,
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """Compare the newest window with what the champions were trained on, and tell whom it concerns.

    Example: aws-auto ml monitor --data-source sample --drift-detection enabled --exit-code
    """
    from aws_auto.pipeline.workspace import may_publish

    known(options.words(alerts), dashboard)
    ws = opened(workspace, target)
    if publish_readings:
        may_publish(ws)
    rules = rules_of(ws, config)  # a faulty file is told before anything is pulled and paid for
    span = options.window(window, ws.clock.now(), since=since)
    collected(ws, data_source or [], path, span, region)
    found = check(ws, options.words(models), span, rules=rules, drift=drift_detection is options.Switch.ENABLED)
    show(ws, found, html=report, as_json=as_json)
    tell(ws, found, channels=options.words(alerts), dashboard=dashboard, publish=publish_readings, region=region)
    if exit_code and found.trouble:
        raise typer.Exit(EXIT_DRIFT)


def known(channels: list[str], dashboard: str | None) -> None:
    """Refuse names that cannot be told, before anything is judged.

    Raises:
        UsageError: no such channel or dashboard.
    """
    for name in channels:
        if name not in CHANNELS:
            known = ", ".join(CHANNELS)
            raise UsageError(f"{name!r} is no channel that can be told yet; there: {known}", where="--alerts")
    if dashboard not in (None, "grafana"):
        raise UsageError(f"{dashboard!r} is no dashboard; there: grafana", where="--dashboard")


def check(
    ws: Workspace, models: list[str], span: Window, *, rules: ModelMonitoring | None, drift: bool
) -> MonitorReport:
    """Judge the champions on the window.

    Raises:
        ModelNotFound: there is no champion.
    """
    from aws_auto.ml.drift.test import BlockDriftTest
    from aws_auto.ml.recipes import catalog
    from aws_auto.pipeline import monitor

    names = [catalog.get(m).name for m in models]
    return monitor.check(ws, span, rules=rules, models=names, drift=BlockDriftTest() if drift else None)


def rules_of(ws: Workspace, config: list[Path] | None) -> ModelMonitoring | None:
    """From the files given, else as deployed, else the specification's.

    Raises:
        ConfigError: a file has problems.
    """
    from aws_auto.config import document, templates
    from aws_auto.pipeline.deploy import deployed_monitoring

    if config:
        return document.load(config).model_monitoring
    shipped = document.loads(templates.template(TEMPLATE), file=f"templates/{TEMPLATE}.yaml").model_monitoring
    return deployed_monitoring(ws) or shipped


def show(ws: Workspace, found: MonitorReport, *, html: Path | None, as_json: bool) -> None:
    """The table or JSON, the HTML report, and what to do next."""
    from aws_auto.pipeline.web.report import monitor_report

    render.report(ws, "monitor", lambda: monitor_report(found), asked=html)
    if as_json:
        plain = to_json(found)
        for model, health in zip(plain["models"], found.models, strict=True):
            model["status"] = str(health.status)
        render.emit(plain | {"trouble": found.trouble})
        return
    _tables(found)


def _tables(found: MonitorReport) -> None:
    rows = [
        (
            f"{m.model} v{m.version}",
            m.status,
            *(render.number(m.readings.get(name)) for name in ("data_drift_score", "prediction_accuracy")),
            _against(m.quality.backtest) if m.quality else None,
            "; ".join(b.rule for b in m.breaches) or None,
        )
        for m in found.models
    ]
    columns = ("model", "status", "drift score", "accuracy", "ours / simple rule", "rules that hold")
    render.table(columns, rows)
    drifted = [
        (m.model, c.column, render.number(c.distance), render.number(c.threshold), render.number(c.p_value))
        for m in found.models
        if m.drift
        for c in m.drift.columns
        if c.drifted
    ]
    if drifted:
        render.table(("model", "drifted column", "distance (sd)", "threshold", "p adjusted"), drifted)
    for stage in found.data:
        for sentence in stage.sentences():
            render.talk(f"{stage.stage}: {sentence}")
    for m in found.models:
        for note in m.notes:
            render.talk(f"{m.model}: {note}")
        if m.simulated:
            render.talk(f"{m.model}: trained on simulated data")
    if found.trouble:
        names = ",".join(m.model for m in found.models if m.status in ("drift", "degraded"))
        render.talk(f"next: look at the report, then aws-auto ml train-models --models {names}")


def _against(test: BackTest) -> str:
    return f"{render.number(test.ours)} / {render.number(test.baseline)} ({test.metric}, n={test.n})"


def tell(
    ws: Workspace,
    found: MonitorReport,
    *,
    channels: list[str],
    dashboard: str | None,
    publish: bool = False,
    region: str | None = None,
) -> None:
    """Send alerts, write readings to CloudWatch, publish the dashboard; what is not configured is said.

    Raises:
        DeliveryError: a configured channel or dashboard server refused; everything else was still done.
        TargetError: CloudWatch refused; everything else was still done.
    """
    failures = _sent(ws, found.alerts, channels)
    if publish:
        try:
            _write_readings(ws, found, region)
        except TargetError as error:
            failures.append(error)
    if dashboard is not None:
        try:
            _publish(ws, found)
        except DeliveryError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def send(ws: Workspace, alerts: Sequence[Alert], channels: list[str]) -> bool:
    """Send alerts to channels; one that is not configured is said. Gives whether any is.

    Raises:
        DeliveryError: a configured channel refused; the others were still told.
    """
    if failures := _sent(ws, alerts, channels):
        raise failures[0]
    return any(os.environ.get(VARIABLES[name]) for name in channels)


def _sent(ws: Workspace, alerts: Sequence[Alert], channels: list[str]) -> list[AwsAutoError]:
    from aws_auto.pipeline.web.slack import Slack

    failures: list[AwsAutoError] = []
    for name in channels:
        notifier = Slack.from_environment(os.environ, clock=ws.clock)
        if not notifier.configured:
            render.talk(f"{name}: nobody is told, {VARIABLES[name]} is not set")
            continue
        for alert in alerts:
            try:
                notifier.send(alert)
            except DeliveryError as error:
                failures.append(error)
        render.talk(
            f"{name}: {len(alerts)} alert{'s' * (len(alerts) > 1)} to tell" if alerts else f"{name}: nothing to tell"
        )
    return failures


def _write_readings(ws: Workspace, found: MonitorReport, region: str | None) -> None:
    from aws_auto.pipeline.workspace import publish_readings

    done = publish_readings(ws, found, region=region)
    if done.simulated:
        render.talk(f"cloudwatch: simulated, so not written: {', '.join(done.simulated)}")
    render.talk(
        f"cloudwatch: {done.metrics} readings written; as metrics written every hour they cost"
        f" {done.usd_a_month:.2f} USD a month"
    )


def _publish(ws: Workspace, found: MonitorReport) -> None:
    """Write the dashboard's JSON, and send it to the server when one is configured."""
    import json

    from aws_auto.pipeline.web.grafana import Grafana, dashboard

    body = dashboard([m.model for m in found.models], readings={m.model: m.readings for m in found.models})
    path = render.write(ws.root / "dashboards" / "grafana.json", json.dumps(body, indent=2))
    render.talk(f"dashboard: {path}")
    grafana = Grafana.from_environment(os.environ)
    if grafana.configured:
        render.talk(f"grafana: {grafana.publish(body)}")
    else:
        render.talk(
            "grafana: not published, AWS_AUTO_GRAFANA_URL and AWS_AUTO_GRAFANA_TOKEN are not set; import the file"
        )
