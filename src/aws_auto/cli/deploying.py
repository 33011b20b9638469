"""What ``deploy-pipeline`` does between its flags and its table: plan, show, ask, apply, say what is next."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, cast

import typer

from aws_auto.cli import render
from aws_auto.errors import NotYet, UnsafePlan, UsageError
from aws_auto.results import as_json as to_json

if TYPE_CHECKING:
    from pathlib import Path

    from aws_auto.cli.options import Switch
    from aws_auto.config.document import Document
    from aws_auto.pipeline.plan import Plan
    from aws_auto.pipeline.ports import Workspace

DEPTHS = ("comprehensive", "basic", "none")


def wanted(
    pipeline_type: str,
    features: list[str],
    auto_scaling: Switch | None,
    monitoring: str | None,
    config: list[Path] | None,
) -> Document:
    """The document to deploy: the files given, or the template of the pipeline type, with the flags laid over it.

    Raises:
        ConfigError: a file has problems.
        UsageError: no template of that name, or no such depth of monitoring.
    """
    from aws_auto.config import document, templates
    from aws_auto.pipeline.deploy import overlay

    if monitoring is not None and monitoring not in DEPTHS:
        raise UsageError(f"{monitoring!r} is none of {', '.join(DEPTHS)}", where="--monitoring")
    if config:
        loaded = document.load(config)
    else:
        name = f"pipelines/{pipeline_type}"
        if name not in templates.names():
            types = [n.partition("/")[2] for n in templates.names() if n.startswith("pipelines/")]
            raise UsageError(f"{pipeline_type!r} is none of {', '.join(types)}", where="--pipeline-type")
        loaded = document.loads(templates.template(name), file=f"templates/{name}.yaml")
    return overlay(
        loaded,
        features=features,
        auto_scaling=auto_scaling.value if auto_scaling else None,
        monitoring=cast("Literal['comprehensive', 'basic', 'none'] | None", monitoring),
    )


def run(
    ws: Workspace, document: Document, *, strict: bool, yes: bool, force: bool, dry_run: bool, as_json: bool
) -> None:
    """Plan and show; unless ``dry_run``, ask and apply.

    Raises:
        UnsafePlan: the plan deletes much or breaks the budget, or nobody is there to approve it.
        NotYet: the target cannot be deployed to yet.
    """
    from aws_auto.pipeline import deploy

    plan = deploy.plan(ws, document, strict=strict)
    if as_json:
        render.emit(_plain(plan) | {"target": ws.target.name, "dry_run": dry_run})
    else:
        render.plan(plan)
    if dry_run:
        render.talk("dry run: nothing was changed")
        return
    if not plan:
        return
    if ws.target.name == "aws":
        raise NotYet(
            "applying a plan on AWS is not built yet; nothing was changed",
            where="--target aws",
            hint="look at the plan with --dry-run, or deploy here with --target local",
        )
    _approve(plan, yes=yes)
    budget = document.budget.monthly_usd if document.budget else None
    with render.progress("deploy") as tell:
        deploy.apply(ws, plan, force=force, budget_usd=budget, progress=tell)
    render.talk(f"done: {plan}")
    trained = [v.name for v in ws.registry.versions()]
    render.talk("next: aws-auto ml serve" if trained else "next: aws-auto ml train-models --data-source sample")


def _plain(plan: Plan) -> dict[str, object]:
    from aws_auto.pipeline.plan import Create, Delete, Update

    kinds = {Create: "create", Update: "update", Delete: "delete"}
    return {
        "checksum": plan.checksum(),
        "summary": str(plan),
        "monthly_usd": plan.monthly_usd(),
        "unpriced": plan.unpriced(),
        "changes": [{"change": kinds[type(c)], **to_json(c)} for c in plan.changes],
        "repairs": plan.repairs,
        "notes": plan.notes,
    }


def _approve(plan: Plan, *, yes: bool) -> None:
    """Ask a person; where none is there, a plan that only creates goes ahead, because it takes nothing away."""
    from aws_auto.pipeline.plan import Create

    if yes:
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        if not typer.confirm(f"apply plan {plan.checksum()} ({plan})?", err=True):
            render.talk("nothing was changed")
            raise typer.Exit(0)
        return
    if plan.count(Create) < len(plan.changes):
        raise UnsafePlan(
            f"the plan changes or deletes what is there ({plan}), and nobody is at the terminal to approve it",
            hint="look at it with --dry-run, then repeat with --yes",
        )
