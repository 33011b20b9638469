"""Words that several commands share: their flags, their choices, and how text becomes values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from aws_auto.pipeline.ports import Source, Window, Workspace


class Switch(StrEnum):
    """On or off, in the documented words."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class Verdict(StrEnum):
    """What a person says about an alarm, or about an incident without one."""

    TRUE = "true"
    FALSE = "false"
    IGNORE = "ignore"
    MISSED = "missed"


class DataSource(StrEnum):
    """Where data comes from."""

    CLOUDWATCH = "cloudwatch"
    COST_EXPLORER = "cost-explorer"
    CUR = "cur"
    FOCUS = "focus"
    FILE = "file"
    APPLICATION_LOGS = "application-logs"
    SAMPLE = "sample"


Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output instead of tables.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, with its price, and stop.")]
Home = Annotated[
    Path | None,
    typer.Option("--workspace", help="Folder of the workspace.", envvar="AWS_AUTO_HOME", show_default=".aws-auto"),
]
Target = Annotated[str, typer.Option("--target", help="auto, local or aws; AWS_AUTO_TARGET where not given.")]
Sources = Annotated[
    list[DataSource] | None,
    typer.Option("--data-source", help="Fill the lake from here first; may be repeated. Default: what is there."),
]
DataPath = Annotated[
    list[str] | None,
    typer.Option("--path", help="File, folder or s3:// prefix of the sources cur, focus, file, application-logs."),
]
WindowText = Annotated[str, typer.Option("--window", help="How far back to look, such as 14d or 12h.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Look back to this day instead, such as 2018-10-01, however long ago.")
]
Region = Annotated[str | None, typer.Option("--region", help="AWS region; default: as your AWS profile says.")]
Report = Annotated[
    Path | None, typer.Option("--report", help="Where to write the HTML report; default: in the workspace.")
]
SpotPrices = Annotated[
    list[str] | None,
    typer.Option("--spot-price", help="TYPE=USD an hour: may be bought on spot; may be repeated."),
]
Config = Annotated[
    list[Path] | None, typer.Option("--config", "-c", help="YAML file; may be repeated, one document in all.")
]


def words(text: str | None) -> list[str]:
    """``a,b , c`` as a list, empty for None."""
    return [w.strip() for w in (text or "").split(",") if w.strip()]


def length(text: str, where: str, *, example: str, least: timedelta = timedelta(seconds=1)) -> timedelta:
    """A duration, such as 30m or 7d.

    Raises:
        UsageError: it is none, or shorter than ``least``.
    """
    from aws_auto.config.units import Duration

    try:
        found = timedelta(seconds=Duration.parse(text).seconds)
    except ValueError as error:
        raise UsageError(str(error), where=where, hint=f"for example {where} {example}") from error
    if found < least:
        said = "must be longer than nothing" if least else "must not be less than nothing"
        raise UsageError(said, where=where, hint=f"for example {where} {example}")
    return found


def share(text: str, where: str, *, example: str) -> float:
    """``5%`` as 0.05.

    Raises:
        UsageError: it is no percentage, or does not lie between 0 and 100.
    """
    from aws_auto.config.units import Percent

    hint = f"between 0% and 100%, for example {where} {example}"
    try:
        found = Percent.parse(text).ratio
    except ValueError as error:
        raise UsageError(str(error), where=where, hint=hint) from error
    if not 0 < found < 1:
        raise UsageError(f"{text} is no share of a whole", where=where, hint=hint)
    return found


def window(text: str, now: datetime, *, since: str | None = None) -> Window:
    """The window of that length, or since that day, ending now, on whole minutes.

    Raises:
        UsageError: the text is no duration, or the day is none or in the future.
    """
    from aws_auto.pipeline.ports import Window as Span

    back = length(text, "--window", example="30d")
    end = now.replace(second=0, microsecond=0)
    start = end - back if since is None else moment(since, "--since")
    if start >= end:
        raise UsageError(f"{since} lies in the future", where="--since", hint="write a day that is over")
    return Span(start, end)


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


def span(text: str, where: str = "--maintenance") -> Window:
    """``START/END`` in ISO 8601 as a window.

    Raises:
        UsageError: it is none, or ends before it begins.
    """
    from aws_auto.pipeline.ports import Window as Span

    start, slash, end = text.partition("/")
    if not slash:
        raise UsageError(f"{text!r} is not START/END", where=where, hint="2026-01-31T22:00Z/2026-02-01T02:00Z")
    found = Span(moment(start, where), moment(end, where))
    if found.end <= found.start:
        raise UsageError(f"{text!r} ends before it begins", where=where, hint="write the earlier time first")
    return found


def sources(kinds: list[DataSource], paths: list[str], ws: Workspace, region: str | None) -> list[Source]:
    """The sources named on the command line, files matched to the kinds that read files.

    Raises:
        UsageError: a file source without a path, or a path that no source reads.
    """
    from aws_auto.pipeline.workspace import open_source

    readers = {DataSource.CUR, DataSource.FOCUS, DataSource.FILE, DataSource.APPLICATION_LOGS}
    reading = [k for k in kinds if k in readers]
    needing = [k for k in reading if k is not DataSource.APPLICATION_LOGS]
    if needing and not paths:
        raise UsageError(
            f"--data-source {needing[0]} reads a file", where="--path", hint="add --path FILE, a folder or s3://..."
        )
    if paths and not reading:
        raise UsageError("no data source on the line reads a path", where="--path", hint="add --data-source file")
    if len(reading) > 1 and paths:
        raise UsageError("one kind of file at a time", where="--data-source", hint="run the command once per kind")
    return [
        open_source(kind.value, ws, path=path, region=region)
        for kind in kinds
        for path in (paths if kind in readers and paths else [None])
    ]
