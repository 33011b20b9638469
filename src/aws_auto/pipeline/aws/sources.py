"""The AWS sources by the words of ``--data-source``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_auto.errors import CredentialsError, UsageError
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.aws.cloudwatch import CloudWatchSource
from aws_auto.pipeline.aws.cost_explorer import CostExplorerSource
from aws_auto.pipeline.aws.logs import LogsSource
from aws_auto.pipeline.aws.session import Clients, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from aws_auto.pipeline.ports import Clock, Source

NAMES = ("cloudwatch", "cost-explorer", "application-logs")


def open_source(
    name: str,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    rng: np.random.Generator,
    region: str | None = None,
    log_groups: Sequence[str] = (),
) -> Source:
    """The source of that name for the account that the environment gives us; one free call asks which account it is.

    Args:
        name: one of `NAMES`.
        environ: the process environment.
        clock: waits between attempts.
        rng: spreads the waits.
        region: default as environment or profile say.
        log_groups: for ``application-logs``.

    Raises:
        UsageError: no such source, or no log group.
        CredentialsError: there are no credentials, or AWS refuses them.
        AwsCallError: no region is set, or AWS cannot be reached.
    """
    if name not in NAMES:
        raise UsageError(f"{name!r} is no AWS source; there: {', '.join(NAMES)}", where="--data-source")
    if resolve(environ) is None:
        raise CredentialsError("no AWS credentials were found", where=name)
    clients = Clients(environ, region=region)
    caller = Caller(clients, clock, rng)
    place = clients.place(caller)
    if name == "cloudwatch":
        return CloudWatchSource(caller, clock, place)
    if name == "cost-explorer":
        return CostExplorerSource(caller, clock, place)
    return LogsSource(caller, clock, place, log_groups)
