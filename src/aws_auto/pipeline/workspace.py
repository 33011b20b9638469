"""The only wiring: a folder becomes a `Workspace`.

Opening reads one page of ``state.db`` and imports neither Polars nor boto3, unless ``auto`` has to ask boto3's chain
whether credentials exist.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_auto.errors import CredentialsError, UsageError
from aws_auto.pipeline.local.artifacts import Artifacts
from aws_auto.pipeline.local.checkpoints import LocalCheckpoints
from aws_auto.pipeline.local.clock import SystemClock
from aws_auto.pipeline.local.files import make_folder, refusals
from aws_auto.pipeline.local.journal import LocalJournal
from aws_auto.pipeline.local.lake import LocalLake
from aws_auto.pipeline.local.ledger import LocalLedger
from aws_auto.pipeline.local.registry import LocalRegistry
from aws_auto.pipeline.local.scheduler import LocalScheduler
from aws_auto.pipeline.local.state import State
from aws_auto.pipeline.ports import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_auto.pipeline.monitor import MonitorReport
    from aws_auto.pipeline.ports import Clock, Source, Target, Window

HOME = "AWS_AUTO_HOME"
TARGET = "AWS_AUTO_TARGET"
TARGETS = ("auto", "local", "aws")
LOG_GROUPS = "AWS_AUTO_LOG_GROUPS"


@dataclass(frozen=True, kw_only=True)
class Published:
    """Readings that were written to CloudWatch.

    Attributes:
        metrics: how many.
        usd_a_month: what these metrics cost where each is written in every hour.
        simulated: models that were left out, because no figure of theirs is about the account.
    """

    metrics: int
    usd_a_month: float
    simulated: tuple[str, ...]


def open_workspace(
    root: Path | None = None,
    *,
    target: str = "auto",
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Workspace:
    """The workspace in that folder, made when there is none.

    Args:
        root: default ``$AWS_AUTO_HOME``, else ``.aws-auto`` in the current folder.
        target: ``auto``, ``local`` or ``aws``; see `choose_target`.
        environ: default the process's environment.
        clock: default the machine's.

    Raises:
        UsageError: ``target`` or ``$AWS_AUTO_TARGET`` is none of the three.
        TargetError: the folder cannot be used: read-only, full, a file in its place, damaged, of a newer aws-auto.
    """
    environ = os.environ if environ is None else environ
    clock = clock or SystemClock()
    name, _ = choose_target(target, environ)
    root = (root or Path(environ.get(HOME) or ".aws-auto")).expanduser().absolute()
    _make(root)
    state = State(root / "state.db")
    return Workspace(
        root=root,
        clock=clock,
        lake=LocalLake(root / "lake", state, clock),
        registry=LocalRegistry(state, Artifacts(root / "artifacts"), clock),
        scheduler=LocalScheduler(state, clock),
        target=_target(name, state, clock),
        journal=LocalJournal(state, clock),
        ledger=LocalLedger(state, clock),
        checkpoints=LocalCheckpoints(state),
    )


def choose_target(target: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Where to deploy, ``local`` or ``aws``, and why, in words for the first line that the user sees.

    A ``target`` other than ``auto`` decides, then ``$AWS_AUTO_TARGET``, then whether AWS credentials resolve.

    Raises:
        UsageError: it is none of ``auto``, ``local`` and ``aws``.
    """
    for wanted, source in ((target, "--target"), (environ.get(TARGET) or "auto", TARGET)):
        if wanted not in TARGETS:
            raise UsageError(f"{wanted!r} is not a target", where=source, hint=f"use one of {', '.join(TARGETS)}")
        if wanted != "auto":
            return wanted, f"{source} says so"
    from aws_auto.pipeline.aws.session import resolve

    identity = resolve(environ)
    if identity is None:
        return "local", "no AWS credentials were found"
    return "aws", f"AWS credentials were found ({identity.how})"


def open_source(
    name: str,
    ws: Workspace,
    *,
    path: str | None = None,
    region: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Source:
    """The source of that ``--data-source`` word.

    Args:
        name: ``sample``, ``cur``, ``focus``, ``file``, ``application-logs``, ``cloudwatch`` or ``cost-explorer``.
        ws: gives the clock.
        path: file, folder, pattern or ``s3://`` prefix; of ``application-logs`` without one, log groups are read that
            the environment variable ``AWS_AUTO_LOG_GROUPS`` names (comma-separated).
        region: of AWS sources.
        environ: default the process's environment.

    Raises:
        UsageError: no such source, or what it needs is missing.
        CredentialsError: it needs AWS, and there are no credentials.
    """
    environ = os.environ if environ is None else environ
    if name == "sample":
        from aws_auto.pipeline.local.sample import SampleSource

        return SampleSource(clock=ws.clock)
    if path is not None:
        return _file_source(name, path, ws, region, environ)
    import numpy as np

    from aws_auto.pipeline.aws.sources import open_source as open_aws

    groups = tuple(g.strip() for g in environ.get(LOG_GROUPS, "").split(",") if g.strip())
    # Only spreads waits between attempts: two processes must not wait in step, so nothing is seeded here.
    rng = np.random.default_rng()
    return open_aws(name, environ=environ, clock=ws.clock, rng=rng, region=region, log_groups=groups)


def service_graph(
    ws: Workspace, window: Window, *, region: str | None = None, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Who called whom at the end of that window, as X-Ray saw it.

    Raises:
        CredentialsError: there are no credentials.
        AwsCallError: X-Ray refused or could not be reached.
    """
    import numpy as np

    from aws_auto.pipeline.aws import xray
    from aws_auto.pipeline.aws.calls import Caller
    from aws_auto.pipeline.aws.session import Clients, resolve

    environ = os.environ if environ is None else environ
    if resolve(environ) is None:
        raise CredentialsError("no AWS credentials were found", where="xray")
    return xray.service_graph(Caller(Clients(environ, region=region), ws.clock, np.random.default_rng()), window)


def may_publish(ws: Workspace) -> None:
    """Refuse before anything is judged.

    Raises:
        UsageError: the target is not AWS.
    """
    if ws.target.name != "aws":
        raise UsageError(
            "readings are put into CloudWatch only where the target is AWS",
            where="--publish-readings",
            hint="add --target aws, or leave it out: the report and the dashboard's table show the same figures",
        )


def publish_readings(
    ws: Workspace, found: MonitorReport, *, region: str | None = None, environ: Mapping[str, str] | None = None
) -> Published:
    """Write the readings of models of real data to CloudWatch, where the dashboard draws them.

    Raises:
        UsageError: the target is not AWS.
        CredentialsError: there are no credentials.
        AwsCallError: CloudWatch refused or could not be reached.
    """
    import numpy as np

    from aws_auto.pipeline.aws import readings
    from aws_auto.pipeline.aws.calls import Caller
    from aws_auto.pipeline.aws.session import Clients, resolve
    from aws_auto.pipeline.web.grafana import DIMENSION, NAMESPACE

    may_publish(ws)

    environ = os.environ if environ is None else environ
    if resolve(environ) is None:
        raise CredentialsError("no AWS credentials were found", where="cloudwatch")
    real = {m.model: m.readings for m in found.models if not m.simulated}
    caller = Caller(Clients(environ, region=region), ws.clock, np.random.default_rng())
    count = readings.publish(caller, real, at=found.at, namespace=NAMESPACE, dimension=DIMENSION) if real else 0
    return Published(
        metrics=count,
        usd_a_month=count * readings.USD_PER_METRIC_AND_MONTH,
        simulated=tuple(m.model for m in found.models if m.simulated),
    )


def _file_source(name: str, path: str, ws: Workspace, region: str | None, environ: Mapping[str, str]) -> Source:
    from aws_auto.pipeline.local import sources

    kinds: dict[str, Callable[..., Source]] = {
        "cur": sources.CurSource,
        "focus": sources.FocusSource,
        "file": sources.MetricsFileSource,
        "application-logs": sources.LogFileSource,
    }
    if name not in kinds:
        raise UsageError(f"{name!r} reads no file; these do: {', '.join(kinds)}", where="--data-source")
    if not path.startswith("s3://"):
        return kinds[name](path)
    import numpy as np

    from aws_auto.pipeline.aws.calls import Caller
    from aws_auto.pipeline.aws.s3 import S3Shelf
    from aws_auto.pipeline.aws.session import Clients

    return kinds[name](path, S3Shelf(Caller(Clients(environ, region=region), ws.clock, np.random.default_rng())))


def _make(root: Path) -> None:
    with refusals(root):
        if root.is_dir():
            return
        make_folder(root)
        # What is in here is large, private and made again at will: none of it belongs into the user's repository.
        (root / ".gitignore").write_text("*\n", encoding="utf-8")


def _target(name: str, state: State, clock: Clock) -> Target:
    if name == "aws":
        from aws_auto.pipeline.aws.target import AwsTarget

        return AwsTarget()
    from aws_auto.pipeline.local.target import LocalTarget

    return LocalTarget(state, clock)
