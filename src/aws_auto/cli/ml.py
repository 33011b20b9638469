"""The commands of ``aws-auto ml``: validate, ask, execute, say what to do next.

A command parses, opens the workspace, calls use cases and renders; it decides nothing about models or AWS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aws_auto.cli import (
    alarming,
    backtesting,
    demanding,
    detecting,
    forecasting,
    ledger,
    monitoring,
    options,
    pricing,
    recommending,
    render,
    scaling,
    simulating,
)
from aws_auto.cli.inputs import collected, opened
from aws_auto.cli.options import Switch

app = typer.Typer(
    name="ml",
    help="Train, deploy and monitor models of an AWS estate.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="YAML files that make one configuration.")],
    as_json: options.Json = False,
) -> None:
    """Check a configuration and show every problem with its line.

    Example: aws-auto ml validate pipeline.yaml
    """
    from aws_auto.config import document
    from aws_auto.errors import ConfigError

    try:
        loaded = document.load(files)
    except ConfigError as error:
        if not as_json:
            raise
        render.emit({"valid": False, "problems": error.problems})
        raise typer.Exit(error.exit_code) from error
    found = loaded.sections()
    if as_json:
        render.emit({"valid": True, "sections": found})
    else:
        render.talk(f"{', '.join(map(str, files))}: valid; holds {', '.join(found) or 'nothing'}")


@app.command()
def template(
    name: Annotated[str | None, typer.Argument(help="The one to print; without a name they are listed.")] = None,
) -> None:
    """Print a shipped configuration to start from.

    Example: aws-auto ml template pipelines/complete
    """
    from aws_auto.config import templates
    from aws_auto.errors import UsageError

    if name is None:
        render.table(("template",), [(n,) for n in templates.names()])
        return
    if name not in templates.names():
        raise UsageError(f"no template is called {name!r}", hint=f"there are {', '.join(templates.names())}")
    typer.echo(templates.template(name), nl=False)


@app.command()
def collect(
    data_source: options.Sources = None,
    path: options.DataPath = None,
    window: options.WindowText = "30d",
    since: options.Since = None,
    region: options.Region = None,
    dry_run: options.DryRun = False,
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """Fill the lake: only what is missing is asked for, and its price is shown first.

    Example: aws-auto ml collect --data-source sample --window 14d
    """
    from aws_auto.errors import UsageError

    if not data_source:
        raise UsageError("nothing to collect from", where="--data-source", hint="for example --data-source sample")
    ws = opened(workspace, target)
    reports = collected(
        ws, data_source, path, options.window(window, ws.clock.now(), since=since), region, dry_run=dry_run
    )
    if as_json:
        render.emit(reports)
        return
    rows = [(r["source"], r["calls"], f"{r['price_usd']:.2f}", r["rows"], r["pulled"], r["skipped"]) for r in reports]
    render.table(("source", "API calls", "USD", "rows", "windows pulled", "windows already there"), rows)
    render.talk("dry run: nothing was asked for" if dry_run else "next: aws-auto ml train-models")


@app.command("train-models")
def train_models(
    models: Annotated[
        str | None, typer.Option("--models", help="Comma-separated names; default all: see aws-auto ml recipes.")
    ] = None,
    data_source: options.Sources = None,
    path: options.DataPath = None,
    window: options.WindowText = "30d",
    since: options.Since = None,
    training_schedule: Annotated[
        str | None, typer.Option("--training-schedule", help="hourly, daily, weekly, monthly or a cron line (UTC).")
    ] = None,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Train only what its schedule says is due; safe to call every minute.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of every random choice.")] = 0,
    alarm_budget: alarming.Budget = None,
    minimum_effect: alarming.Effect = None,
    exclude: alarming.Exclude = None,
    cool_down: alarming.CoolDown = None,
    demand_metric: demanding.DemandMetric = None,
    demand_period: demanding.DemandPeriod = None,
    country: demanding.Country = None,
    events: demanding.Events = None,
    report: options.Report = None,
    region: options.Region = None,
    dry_run: options.DryRun = False,
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """Collect, process, back-test, fit, and promote what beats the best simple rule.

    What is said about alarms is stored in the model, and in its schedule.

    Example: aws-auto ml train-models --models cost-optimizer,anomaly-detector --data-source sample
    """
    from aws_auto.cli import training
    from aws_auto.errors import UsageError

    if since is not None and (training_schedule is not None or if_due):
        raise UsageError("is about one run, not about schedules", where="--since", hint="say --window instead")
    ws = opened(workspace, target)
    request = training.Request(
        models=tuple(options.words(models)),
        data_source=tuple(data_source or ()),
        path=tuple(path or ()),
        window=window,
        seed=seed,
        region=region,
        alarms=alarming.asked(alarm_budget, minimum_effect, exclude, cool_down),
        demand=demanding.Asked(
            metric=demand_metric,
            period=demand_period,
            country=country,
            events=None if events is None else str(events),
        ),
    )
    training.names(request)  # a name that does not exist is told before anything is pulled and paid for
    if training_schedule is not None and not dry_run:
        training.schedule(ws, request, training_schedule)
    if if_due:
        if dry_run:
            raise UsageError(
                "is about one run, not about schedules", where="--dry-run", hint="see: aws-auto ml schedules"
            )
        outcome = training.train_due(ws, progress=render.progress)
    else:
        span = options.window(window, ws.clock.now(), since=since)
        reports = collected(ws, data_source or [], path, span, region, dry_run=dry_run)
        if dry_run:
            if as_json:
                render.emit(reports)
            render.talk("dry run: nothing was asked for, nothing was trained")
            return
        outcome = training.train(ws, request, span, progress=render.progress)
    training.show(ws, outcome, html=report, as_json=as_json)
    if outcome.failed:
        raise typer.Exit(outcome.exit_code)


@app.command()
def recipes(as_json: options.Json = False) -> None:
    """List what can be trained.

    Example: aws-auto ml recipes
    """
    from aws_auto.ml.recipes import catalog

    known = [catalog.get(name) for name in catalog.names()]
    if as_json:
        render.emit([{"name": r.name, "feature": r.feature, "summary": r.summary} for r in known])
    else:
        render.table(("model", "--ai-features word", "what it does"), [(r.name, r.feature, r.summary) for r in known])


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="Only this model, with its promotion history.")] = None,
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """List model versions, who is champion, and who was when.

    Example: aws-auto ml models anomaly-detector
    """
    ws = opened(workspace, target)
    versions = ws.registry.versions(name)
    history = ws.registry.history(name) if name else []
    if as_json:
        render.emit({"versions": versions, "history": history})
        return
    rows = [(v.name, v.version, v.stage, f"{v.created_at:%Y-%m-%d %H:%MZ}", v.report.get("reason")) for v in versions]
    render.table(("model", "version", "stage", "trained", "why"), rows)
    if history:
        changes = [(f"{p.at:%Y-%m-%d %H:%MZ}", p.kind, p.previous, p.version, p.reason) for p in history]
        render.table(("when", "what", "from", "to", "why"), changes)
    if not versions:
        render.talk("no models yet; next: aws-auto ml train-models --data-source sample")


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The model whose former champion shall answer again.")],
    reason: Annotated[str, typer.Option("--reason", help="Kept in the promotion history.")] = "asked for by hand",
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """Make the champion before the present one champion again.

    Example: aws-auto ml rollback anomaly-detector --reason "too many alarms"
    """
    ws = opened(workspace, target)
    version = ws.registry.rollback(name, reason=reason)
    ws.journal.append("rollback", model=name, version=version.version, reason=reason)
    if as_json:
        render.emit(version)
    else:
        render.talk(f"{name} version {version.version} is champion again")


@app.command()
def schedules(workspace: options.Home = None, target: options.Target = "auto", as_json: options.Json = False) -> None:
    """List stored schedules and when each is due next.

    Example: aws-auto ml schedules
    """
    ws = opened(workspace, target)
    stored = ws.scheduler.all()
    if as_json:
        render.emit(stored)
        return
    rows = [
        (s.job, s.every, s.last_run and f"{s.last_run:%Y-%m-%d %H:%MZ}", f"{s.next_run:%Y-%m-%d %H:%MZ}")
        for s in stored
    ]
    render.table(("job", "every", "last run", "next run"), rows)


@app.command("deploy-pipeline")
def deploy_pipeline(
    pipeline_type: Annotated[
        str, typer.Option("--pipeline-type", help="A shipped template: complete, cost, scaling or anomaly.")
    ] = "complete",
    ai_features: Annotated[
        str | None, typer.Option("--ai-features", help="Comma-separated; default: those of the template.")
    ] = None,
    auto_scaling: Annotated[Switch | None, typer.Option("--auto-scaling", help="Overrides the configuration.")] = None,
    monitoring: Annotated[
        str | None, typer.Option("--monitoring", help="comprehensive, basic or none; overrides the configuration.")
    ] = None,
    config: options.Config = None,
    target: options.Target = "auto",
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a configuration that would have to be repaired.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Apply a plan that deletes much.")] = False,
    dry_run: options.DryRun = False,
    workspace: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Plan what is to be deployed, show it with its price, and apply it after a yes.

    Example: aws-auto ml deploy-pipeline --pipeline-type complete --target local --dry-run
    """
    from aws_auto.cli import deploying

    ws = opened(workspace, target)
    document = deploying.wanted(pipeline_type, options.words(ai_features), auto_scaling, monitoring, config)
    deploying.run(ws, document, strict=strict, yes=yes, force=force, dry_run=dry_run, as_json=as_json)


@app.command()
def serve(
    model: Annotated[list[str] | None, typer.Argument(help="Models to serve; default: all with a champion.")] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to bind; loopback unless you say otherwise.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8080,
    workspace: options.Home = None,
) -> None:
    """Answer GET /ping and POST /invocations for the champions, as a SageMaker container does.

    Example: aws-auto ml serve anomaly-detector --port 8080
    """
    from aws_auto.pipeline.serve import app as server

    ws = opened(workspace)
    server.run(ws, tuple(model or ()), host=host, port=port, tell=render.talk)


app.command()(monitoring.monitor)
app.command()(detecting.detect)
app.command()(detecting.feedback)
app.command()(recommending.recommend)


@app.command()
def truth(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with request_id and observed columns.")],
    workspace: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Store what really happened for captured predictions, so that monitor can judge the model.

    Example: aws-auto ml truth observed.csv
    """
    from aws_auto.frame import read_table
    from aws_auto.pipeline.serve.capture import ingest_truth

    ws = opened(workspace)
    stored = ingest_truth(ws, read_table(file))
    if as_json:
        render.emit(stored)
    else:
        lost = f", {stored.unmatched} fit no captured answer" if stored.unmatched else ""
        render.talk(f"stored {stored.stored} observations{lost}; next: aws-auto ml monitor")


app.command("forecast-cost")(forecasting.forecast_cost)
app.command()(scaling.scale)
for group in (ledger, pricing, backtesting, simulating):
    app.add_typer(group.app)
