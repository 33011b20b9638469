"""What ``train-models`` does between its flags and its table."""

from __future__ import annotations

import shlex
import shutil
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from aws_auto.cli import demanding, options, render
from aws_auto.cli.alarming import Asked
from aws_auto.cli.options import DataSource
from aws_auto.errors import AwsAutoError, DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aws_auto.pipeline.ports import Schedule, Window, Workspace
    from aws_auto.pipeline.train import Trained
    from aws_auto.protocols import Progress, Recipe

    Bar = Callable[[str], AbstractContextManager[Progress]]

JOB = "train:"
#: The models that settings of alarms and of demand are about.
ALARMING, DEMANDING = "anomaly-detector", "demand-forecaster"
#: A scheduled run that was killed or failed is due again after this long.
RETRY = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A training run as asked for, so that a schedule can repeat it."""

    models: tuple[str, ...] = ()
    data_source: tuple[DataSource, ...] = ()
    path: tuple[str, ...] = ()
    window: str = "30d"
    seed: int = 0
    region: str | None = None
    alarms: Asked = field(default_factory=Asked)
    demand: demanding.Asked = field(default_factory=demanding.Asked)

    def argv(self, model: str) -> tuple[str, ...]:
        """The command line that trains one of its models again, from whatever folder cron runs it in."""
        words = ["train-models", "--models", model, "--window", self.window, "--seed", str(self.seed)]
        for source in self.data_source:
            words += ["--data-source", source.value]
        for path in self.path:
            words += ["--path", path if "://" in path else str(Path(path).expanduser().absolute())]
        if model == ALARMING:
            words += self.alarms.argv()
        if model == DEMANDING:
            words += self.demand.argv()
        return (*words, *(("--region", self.region) if self.region else ()))

    @classmethod
    def of(cls, argv: tuple[str, ...]) -> Request:
        """The request that `argv` stored."""
        pairs = list(zip(argv[1::2], argv[2::2], strict=True))
        values = dict(pairs)
        return cls(
            models=(values["--models"],),
            data_source=tuple(DataSource(v) for k, v in pairs if k == "--data-source"),
            path=tuple(v for k, v in pairs if k == "--path"),
            window=values["--window"],
            seed=int(values["--seed"]),
            region=values.get("--region"),
            alarms=Asked.of(pairs),
            demand=demanding.Asked.of(pairs),
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was trained and what failed; a failure of one model loses none of the others.

    Attributes:
        trained: what was trained.
        failed: models that could not be trained, and why.
        left_out: models that nobody named and whose data are not there: no failure while others were trained.
    """

    trained: tuple[Trained, ...] = ()
    failed: tuple[tuple[str, AwsAutoError], ...] = field(default=())
    left_out: tuple[tuple[str, AwsAutoError], ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """Code of the first failure, 0 without one."""
        return self.failed[0][1].exit_code if self.failed else 0


def names(request: Request) -> tuple[str, ...]:
    """Full names of the models asked for; all when none is.

    Raises:
        ModelNotFound: there is no such recipe.
        SchemaError: the file of events cannot be read.
        UsageError: a setting cannot be read, or is about no model that is asked for.
    """
    from aws_auto.ml.recipes import catalog

    found = tuple(dict.fromkeys(catalog.get(m).name for m in request.models)) or tuple(catalog.names())
    if request.alarms.settings() and ALARMING not in found:
        raise UsageError(f"is about {ALARMING}", where=request.alarms.argv()[0], hint=f"add it to --models: {ALARMING}")
    if request.demand.argv():
        request.demand.recipe()
        if DEMANDING not in found:
            where = request.demand.argv()[0]
            raise UsageError(f"is about {DEMANDING}", where=where, hint=f"add it to --models: {DEMANDING}")
    return found


def schedule(ws: Workspace, request: Request, every: str) -> None:
    """Store one schedule per model and print the line for cron.

    Raises:
        UsageError: the schedule cannot be read.
    """
    from aws_auto.config.units import Schedule as Times
    from aws_auto.pipeline.ports import Schedule

    try:
        Times.parse(every)
    except ValueError as error:
        raise UsageError(str(error), where="--training-schedule") from error
    for name in names(request):
        stored = ws.scheduler.put(Schedule(job=JOB + name, every=every, command=request.argv(name)))
        render.talk(f"{name}: scheduled {every}, next run {stored.next_run:%Y-%m-%d %H:%MZ}")
    program = shutil.which("aws-auto") or f"{sys.executable} -m aws_auto"
    line = f"{program} ml train-models --if-due --workspace {shlex.quote(str(ws.root.resolve()))}"
    render.talk(f"for cron: */5 * * * * {line} --target {ws.target.name}")


def train_due(ws: Workspace, *, progress: Bar) -> Outcome:
    """Train every model whose schedule is due; of two callers at once only one trains each."""
    trained: list[Trained] = []
    failed: list[tuple[str, AwsAutoError]] = []
    for job in ws.scheduler.all():
        if not job.job.startswith(JOB) or not ws.scheduler.claim(job.job):
            continue
        regular = _again_soon(ws, job)
        request = Request.of(job.command)
        try:
            span = options.window(request.window, ws.clock.now())
            fill(ws, request, span, progress=progress)
            done = train(ws, request, span, progress=progress)
        except AwsAutoError as error:
            ws.journal.append("training failed", job=job.job, error=str(error))
            failed.append((request.models[0], error))
        else:
            trained += done.trained
            failed += done.failed
            if not done.failed:
                ws.scheduler.put(replace(job, last_run=None, next_run=regular))
    if not trained and not failed:
        render.talk("nothing is due")
    return Outcome(trained=tuple(trained), failed=tuple(failed))


def _again_soon(ws: Workspace, job: Schedule) -> datetime | None:
    """Make a claimed job due again within the hour, since it may be killed or fail; gives its regular next run."""
    (claimed,) = (j for j in ws.scheduler.all() if j.job == job.job)
    soon = ws.clock.now() + RETRY
    ws.scheduler.put(replace(claimed, next_run=min(claimed.next_run or soon, soon)))
    return claimed.next_run


def fill(ws: Workspace, request: Request, span: Window, *, progress: Bar) -> None:
    """Bring the lake up to date from the request's sources."""
    from aws_auto.pipeline.collect import collect

    for source in options.sources(list(request.data_source), list(request.path), ws, request.region):
        with progress(f"collect {source.name}") as tell:
            collect(ws, source, span, progress=tell)


def train(ws: Workspace, request: Request, span: Window, *, progress: Bar) -> Outcome:
    """Process the lake's window and train the models on it."""
    from aws_auto.pipeline import train as use_case
    from aws_auto.pipeline.collect import is_simulated
    from aws_auto.pipeline.process import process

    processed = process(ws, span)
    for report in processed.reports:
        for sentence in report.sentences():
            render.talk(f"{report.stage}: {sentence}")
    metrics = [m.name for m in processed.frame.metrics]
    with progress("train") as tell:
        done = use_case.train(
            ws,
            [_recipe(request, name, metrics) for name in names(request)],
            processed.frame,
            seed=request.seed,
            simulated=is_simulated(ws),
            progress=tell,
        )
    trained = tuple(d for d in done if isinstance(d, use_case.Trained))
    failed = tuple((d.name, d.error) for d in done if isinstance(d, use_case.Failed))
    # Who names no model means those that the data allow.
    lacking = tuple(f for f in failed if isinstance(f[1], DataError)) if trained and not request.models else ()
    return Outcome(trained=trained, failed=tuple(f for f in failed if f not in lacking), left_out=lacking)


def _recipe(request: Request, name: str, metrics: list[str]) -> str | Recipe:
    """The recipe with the settings asked for, or the name of one that has none."""
    if name == ALARMING:
        return request.alarms.recipe(metrics)
    return request.demand.recipe() if name == DEMANDING else name


def show(ws: Workspace, outcome: Outcome, *, html: Path | None, as_json: bool) -> None:
    """The summary table or JSON, the HTML report, and what to do next."""
    from aws_auto.pipeline.web.report import train_report

    if outcome.trained:
        reports = [t.report for t in outcome.trained]
        render.report(ws, "train", lambda: train_report(reports), asked=html)
    if as_json:
        render.emit(
            {
                "trained": [
                    {"version": t.version, "report": t.report, "promoted": t.promoted} for t in outcome.trained
                ],
                "failed": [{"model": n, "error": str(e), "exit_code": e.exit_code} for n, e in outcome.failed],
                "left_out": [{"model": n, "reason": str(e)} for n, e in outcome.left_out],
            }
        )
    else:
        rows = [row for t in outcome.trained for row in _rows(t)]
        if rows:
            render.table(("model", "decision", "measure", "ours", "best simple rule", "difference (95 %)", "n"), rows)
        for t in outcome.trained:
            data = "simulated data" if t.report.lineage.simulated else "your data"
            render.talk(f"{t.name}: {t.report.decision}: {t.report.reason} ({data})")
    for name, error in outcome.failed:
        render.talk(f"error: {error}" if error.where == name else f"error: {name}: {error}")
        if error.hint:
            render.talk(f"hint: {error.hint}")
    for name, error in outcome.left_out:
        render.talk(f"left out: {error}" if error.where == name else f"left out: {name}: {error}")
    if outcome.trained:
        render.talk("next: aws-auto ml deploy-pipeline, aws-auto ml serve, aws-auto ml monitor")


def _rows(trained: Trained) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for test in trained.report.backtests:
        difference = f"{render.number(test.difference.low)} .. {render.number(test.difference.high)}"
        rows.append(
            (
                f"{trained.name} v{trained.version.version}",
                trained.report.decision,
                f"{test.metric} ({test.unit})",
                render.number(test.ours),
                f"{render.number(test.baseline)} {test.baseline_name}",
                difference,
                f"{test.n} {test.unit_of_n}",
            )
        )
    return rows
