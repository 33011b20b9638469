"""Fill the lake from a source: only what it does not have for good, in an order that survives being killed.

A window is closed after its rows are stored, never before. Killed between the two, the next run pulls that window once
more and the lake merges equal rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aws_auto.errors import UsageError
from aws_auto.pipeline.bills import admitted
from aws_auto.pipeline.ports import Estimate, Window
from aws_auto.protocols import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aws_auto.pipeline.ports import Source, Workspace
    from aws_auto.protocols import Progress


#: Journal line that marks a workspace, by whether the source is simulated.
KIND = {True: "holds simulated data", False: "holds real data"}


@runtime_checkable
class Metered(Protocol):
    """A source that counts the calls that it makes."""

    @property
    def calls(self) -> int:
        """Calls so far, retries included."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A source that says what a reader of its data must know."""

    @property
    def notes(self) -> list[str]:
        """Sentences about the last pull."""
        ...


@dataclass(frozen=True, kw_only=True)
class CollectReport:
    """What was, or with ``dry_run`` would be, collected.

    Attributes:
        source: its name.
        scope: what it reads.
        simulated: no figure of it is about a real account.
        estimate: calls and price of what was open when the run began.
        dry_run: nothing was pulled.
        batches: stored.
        rows: stored.
        pulled: the windows that were (or would be) asked for.
        skipped: the parts of the window that the lake holds for good.
        calls: made in all, those for the estimate included; None when the source does not count.
        notes: what the source says about its data.
    """

    source: str
    scope: str
    simulated: bool
    estimate: Estimate
    dry_run: bool
    batches: int = 0
    rows: int = 0
    pulled: tuple[Window, ...] = ()
    skipped: tuple[Window, ...] = ()
    calls: int | None = None
    notes: tuple[str, ...] = ()


def unannounced(_estimate: Estimate) -> None:
    """Show the price to nobody."""


def collect(
    ws: Workspace,
    source: Source,
    window: Window,
    *,
    progress: Progress = silent,
    dry_run: bool = False,
    announce: Callable[[Estimate], None] = unannounced,
) -> CollectReport:
    """Pull what the lake does not yet hold for good.

    Args:
        ws: its lake is filled, its journal gets one line.
        source: where from.
        window: what is wanted.
        progress: told after each batch, in seconds of the window.
        dry_run: stop after the estimate.
        announce: shown the estimate before the first batch is pulled; raise in it to stop there.

    Raises:
        UsageError: simulated and real data would lie in one workspace.
        DataError: the source's data is not what it should be.
        TargetError: the source refused. What was stored until then stays, and is not asked for again.
    """
    refuse_mixing(ws, source)
    missing = window.without(ws.lake.closed(source.scope))
    estimate = _sum(source.estimate(part) for part in missing)
    announce(estimate)
    said: list[str] = []
    batches, rows = (0, 0) if dry_run else _pull(ws, source, missing, progress, said)
    report = CollectReport(
        source=source.name,
        scope=source.scope,
        simulated=source.simulated,
        estimate=estimate,
        dry_run=dry_run,
        batches=batches,
        rows=rows,
        pulled=tuple(missing),
        skipped=tuple(window.without(missing)),
        calls=source.calls if isinstance(source, Metered) else None,
        notes=(*(source.notes if isinstance(source, Noting) else ()), *said),
    )
    if batches:
        ws.journal.append(
            "collect",
            source=source.name,
            scope=source.scope,
            windows=[[w.start.isoformat(), w.end.isoformat()] for w in missing],
            batches=batches,
            rows=rows,
            calls=report.calls,
            price_usd=estimate.price_usd,
        )
    return report


def is_simulated(ws: Workspace) -> bool:
    """Whether the lake holds the simulated account: every figure made from it must say so."""
    return bool(ws.journal.entries(KIND[True], limit=1))


def refuse_mixing(ws: Workspace, source: Source) -> None:
    """Refuse to put simulated and real data into one lake, where no figure could say any more what it is about.

    Raises:
        UsageError: the workspace holds the other kind.
    """
    if ws.journal.entries(KIND[not source.simulated], limit=1):
        there, new = ("real", "simulated") if source.simulated else ("simulated", "real")
        raise UsageError(
            f"this workspace holds {there} data; {new} data would make its figures meaningless",
            where=str(ws.root),
            hint="use another one, for example --workspace .aws-auto-sample",
        )


def _mark(ws: Workspace, source: Source) -> None:
    """Say what the workspace holds, before the first row of it is stored."""
    if not ws.journal.entries(KIND[source.simulated], limit=1):
        ws.journal.append(KIND[source.simulated], scope=source.scope)


def _pull(ws: Workspace, source: Source, missing: list[Window], progress: Progress, said: list[str]) -> tuple[int, int]:
    total = sum(map(_seconds, missing))
    batches = rows = before = done = 0
    for part in missing:
        for batch in source.pull(part):
            kept, note = admitted(ws, batch)
            said += [note] if note else []
            if kept is not None and (len(batch.rows) or not batch.keys):
                _mark(ws, source)
                rows += ws.lake.write(kept)
            if batch.final:
                ws.lake.close(source.scope, batch.window)
                done = before + _seconds(Window(part.start, min(batch.window.end, part.end)))
            batches += 1
            progress(batch.dataset, done, total)
        done = before = before + _seconds(part)
        progress(source.name, done, total)
    return batches, rows


def _seconds(window: Window) -> int:
    return int(window.length.total_seconds())


def _sum(estimates: Iterable[Estimate]) -> Estimate:
    found = list(estimates)
    if not found:
        return Estimate(calls=0, price_usd=0.0, lines=("nothing to ask for: the lake holds this window",))
    lines = tuple(dict.fromkeys(line for one in found for line in one.lines))
    return Estimate(calls=sum(e.calls for e in found), price_usd=sum(e.price_usd for e in found), lines=lines)
