"""Where a command works and what it works on: the workspace, and what is pulled into it first."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from aws_auto.cli import options, render

if TYPE_CHECKING:
    from pathlib import Path

    from aws_auto.cli.options import DataSource
    from aws_auto.pipeline.ports import Window, Workspace


def opened(root: Path | None, target: str | None = None) -> Workspace:
    """The workspace, once it was said which target is meant and why; None where only the local one makes sense."""
    from aws_auto.pipeline.workspace import choose_target, open_workspace

    name, why = choose_target(target, os.environ) if target else ("local", "this command works on the workspace")
    render.talk(f"target: {name} ({why})")
    return open_workspace(root, target=name)


def collected(
    ws: Workspace,
    kinds: list[DataSource],
    paths: list[str] | None,
    span: Window,
    region: str | None,
    *,
    dry_run: bool = False,
) -> list[dict[str, object]]:
    """Pull what the sources named on the line have and the lake lacks; one report for each source.

    Raises:
        UsageError: a file source without a path, or a path that no source reads.
    """
    from aws_auto.pipeline.collect import collect as pull

    reports: list[dict[str, object]] = []
    for source in options.sources(kinds, paths or [], ws, region):
        if source.simulated:
            render.talk(f"{source.name}: simulated data; no figure of it is about your account")
        with render.progress(f"collect {source.name}") as tell:
            price = partial(render.estimate, source.name)
            done = pull(ws, source, span, progress=tell, dry_run=dry_run, announce=price)
        for note in done.notes:
            render.talk(f"{source.name}: {note}")
        reports.append(
            {
                "source": source.name,
                "simulated": source.simulated,
                "calls": done.estimate.calls,
                "price_usd": done.estimate.price_usd,
                "rows": done.rows,
                "pulled": len(done.pulled),
                "skipped": len(done.skipped),
            }
        )
    return reports
