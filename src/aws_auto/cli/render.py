"""How values look in a terminal: data on standard output, talk on standard error, colour never alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from aws_auto.errors import MissingExtra, UsageError
from aws_auto.results import as_json

if TYPE_CHECKING:
    from aws_auto.pipeline.plan import Plan
    from aws_auto.pipeline.ports import Estimate, Workspace
    from aws_auto.protocols import Progress


def talk(text: str) -> None:
    """One line to the person; never data."""
    typer.echo(text, err=True)


def emit(value: Any) -> None:  # noqa: ANN401 - any result
    """The value as indented JSON on standard output."""
    typer.echo(json.dumps(as_json(value), indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """A table as wide as the terminal; piped, one line per row, aligned, so that it can be grepped."""
    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        for line in ([title], columns, *cells) if title else (columns, *cells):
            typer.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=False)).rstrip())
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in columns:
        grid.add_column(name, overflow="fold")
    for row in cells:
        grid.add_row(*row)
    Console(highlight=False, markup=False).print(grid)


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A bar on standard error for work over two seconds; silence where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)

        def tell(step: str, done: int, total: int) -> None:
            bars.update(task, description=f"{what}: {step}", completed=done, total=total)

        yield tell


def estimate(source: str, value: Estimate) -> None:
    """What a pull will cost, before it is made."""
    talk(f"{source}: {value.calls} API calls, {value.price_usd:.2f} USD")
    for line in value.lines:
        talk(f"  {line}")


def plan(value: Plan) -> None:
    """Every change of a plan, its money, its repairs."""
    from aws_auto.pipeline.plan import Create, Delete, Update

    rows: list[tuple[object, ...]] = []
    for change in value.changes:
        match change:
            case Create(new):
                rows.append(("create", new.key, _properties(dict(new.properties)), _money(new.monthly_usd)))
            case Update(_, new):
                changed = "; ".join(f"{n}: {_short(a)} -> {_short(b)}" for n, (a, b) in change.changed().items())
                rows.append(("update", new.key, changed, _money(new.monthly_usd)))
            case Delete(old):
                rows.append(("delete", old.key, "", _money(old.monthly_usd)))
    if rows:
        table(("change", "resource", "what", "USD/month"), rows)
    for repair in value.repairs:
        talk(f"repaired {repair.where}: {repair.was} -> {repair.became}: {repair.why}")
    for note in value.notes:
        talk(f"note: {note}")
    unpriced = value.unpriced()
    talk(
        f"plan {value.checksum()}: {value}; {value.monthly_usd():+.2f} USD/month"
        + (f", {len(unpriced)} without a known price" if unpriced else "")
    )


def number(value: float | None, digits: int = 3) -> str:
    """A figure for a table."""
    return "-" if value is None else f"{value:.{digits}g}"


def _money(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _properties(values: dict[str, Any]) -> str:
    return "; ".join(f"{name}={_short(value)}" for name, value in values.items() if value not in (None, {}, []))


def _short(value: object, width: int = 60) -> str:
    text = value if isinstance(value, str) else json.dumps(as_json(value), sort_keys=True)
    return text if len(text) <= width else text[: width - 1] + "…"


def write(path: Path, text: str) -> Path:
    """Write a file whole or not at all, and return its path.

    Raises:
        UsageError: the place cannot be written to.
    """
    import os

    half = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror}", where=str(path), hint="choose another place"
        ) from error
    return path


def report(ws: Workspace, kind: str, make: Callable[[], str], *, asked: Path | None) -> None:
    """Write an HTML report where asked, else into the workspace, and say where; without plotly say what to install.

    Raises:
        MissingExtra: a place was asked for and the page cannot be made.
        UsageError: the place cannot be written to.
    """
    try:
        text = make()
    except MissingExtra as missing:
        if asked is not None:
            raise
        talk(f"no HTML report: {missing.message}; {missing.hint}")
        return
    path = asked or ws.root / "reports" / f"{kind}-{ws.clock.now():%Y%m%dT%H%M%S}.html"
    talk(f"report: {write(path, text)}")
