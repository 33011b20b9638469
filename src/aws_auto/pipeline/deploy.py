"""deploy-pipeline: what a document asks for against what is there, as a plan; then the plan, change by change.

``overlay`` lays the command line's flags over a document, ``plan`` reads and decides, ``apply`` does. A killed
``apply`` leaves every change either done or not done; the next plan holds the rest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from aws_auto.config.deployment import AutoScaling, LambdaInference, MLModelDeployment, Monitoring, SageMakerEndpoint
from aws_auto.config.monitoring import ModelMonitoring, WatchedMetric
from aws_auto.config.quantities import Threshold
from aws_auto.errors import ConfigError, UnsafePlan, UsageError
from aws_auto.pipeline.decisions import FEATURES, decide, problem, recipe_of
from aws_auto.pipeline.plan import Create, Delete, Update, diff
from aws_auto.protocols import silent

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aws_auto.config.deployment import ServedModel
    from aws_auto.config.document import Document
    from aws_auto.pipeline.plan import Change, Plan
    from aws_auto.pipeline.ports import Workspace
    from aws_auto.protocols import Progress

OnOff = Literal["enabled", "disabled"]
Depth = Literal["comprehensive", "basic", "none"]

#: What is watched when a depth of monitoring is asked for and the document names nothing: the specification's limits.
WATCHED = {
    "basic": (("data_drift_score", 0.3),),
    "comprehensive": (("prediction_accuracy", 0.85), ("data_drift_score", 0.3), ("model_latency", "200ms")),
}
#: Instances of an endpoint that is to scale and has no bounds of its own: enough for one to fail or be exchanged.
BOUNDS = (2, 4)

PLANNED = "deploy.plan"
APPLIED = "deploy.change"
DONE = "deploy.done"


def overlay(
    document: Document,
    *,
    features: Sequence[str] = (),
    auto_scaling: OnOff | None = None,
    monitoring: Depth | None = None,
) -> Document:
    """The document with the command line's flags laid over it; what no flag names stays.

    Args:
        document: a file's, or a template's.
        features: words of ``--ai-features``: only models behind them stay, and one that is missing is added as a Lambda
            function, which costs nothing while nobody asks it.
        auto_scaling: of every endpoint.
        monitoring: ``comprehensive`` watches data, predictions and quality, ``basic`` data drift, ``none`` nothing.

    Raises:
        UsageError: a word is not one of the documented ones.
    """
    models = document.ml_model_deployment.models if document.ml_model_deployment else ()
    if features:
        document, models = _chosen(document, _recipes(features))
    if auto_scaling is not None:
        models = tuple(_scaled(m, auto_scaling) for m in models)
    if monitoring is not None:
        models = tuple(_observed(m, monitoring) for m in models)
    update: dict[str, Any] = {}
    if models:
        before = document.ml_model_deployment
        update["ml_model_deployment"] = (
            MLModelDeployment(models=models) if before is None else before.model_copy(update={"models": models})
        )
    if monitoring is not None:
        update["model_monitoring"] = _monitored(document.model_monitoring, monitoring)
    return document.model_copy(update=update)


def _recipes(features: Sequence[str]) -> list[str]:
    if unknown := [word for word in features if word not in FEATURES]:
        raise UsageError(
            f"no AI feature is called {', '.join(unknown)}",
            where="--ai-features",
            hint=f"there is {', '.join(FEATURES)}",
        )
    return [FEATURES[word] for word in features]


def _chosen(document: Document, recipes: Sequence[str]) -> tuple[Document, tuple[ServedModel, ...]]:
    models = document.ml_model_deployment.models if document.ml_model_deployment else ()
    kept = [position for position, model in enumerate(models) if recipe_of(model) in recipes]
    there = {recipe_of(models[position]) for position in kept}
    words = {recipe: word for word, recipe in FEATURES.items()}
    added = (
        LambdaInference(name=f"{words[recipe]}-model", recipe=recipe, type="lambda_inference")
        for recipe in dict.fromkeys(recipes)
        if recipe not in there
    )
    return _renumbered(document, kept), (*(models[position] for position in kept), *added)


def _renumbered(document: Document, kept: Sequence[int]) -> Document:
    """A copy in which the models that stay keep their lines under their new positions."""
    moved = {str(before): after for after, before in enumerate(kept)}
    copy = document.model_copy()
    head = ("ml_model_deployment", "models")
    copy._marks = {  # noqa: SLF001 - what is told about a model must still name its line
        path if path[:2] != head or len(path) < 3 else (*head, moved[str(path[2])], *path[3:]): mark
        for path, mark in document._marks.items()  # noqa: SLF001 - same
        if path[:2] != head or len(path) < 3 or str(path[2]) in moved
    }
    return copy


def _scaled(model: ServedModel, wanted: OnOff) -> ServedModel:
    if not isinstance(model, SageMakerEndpoint):
        return model
    bounds = model.auto_scaling or AutoScaling(min_capacity=BOUNDS[0], max_capacity=BOUNDS[1])
    return model.model_copy(update={"auto_scaling": bounds.model_copy(update={"enabled": wanted == "enabled"})})


def _observed(model: ServedModel, depth: Depth) -> ServedModel:
    watched = Monitoring(
        data_drift=depth != "none",
        model_quality=depth == "comprehensive",
        prediction_drift=depth == "comprehensive",
    )
    return model.model_copy(update={"monitoring": watched})


def _monitored(before: ModelMonitoring | None, depth: Depth) -> ModelMonitoring | None:
    if depth == "none":
        return None
    before = before or ModelMonitoring()
    named = {m.canonical for m in before.metrics}
    added = (
        WatchedMetric(name=name, threshold=Threshold.parse(limit), alert_on_degradation=True)
        for name, limit in WATCHED[depth]
        if name not in named
    )
    return before.model_copy(update={"metrics": (*before.metrics, *added)})


def plan(ws: Workspace, document: Document, *, strict: bool = False, recipes: Collection[str] | None = None) -> Plan:
    """What would be created, updated and deleted; changes nothing.

    Models may be deployed before they are trained: they wait for their champion, and a note says what to train.

    Args:
        ws: the workspace; its target says what the document means there.
        document: what is wanted.
        strict: refuse what would have to be repaired.
        recipes: names that can be trained; default: the catalogue's.

    Raises:
        ConfigError: a model names a recipe that does not exist; or ``strict`` and something has to be decided.
        TargetError: the target cannot be read.
    """
    decided, repairs = decide(document, strict=strict)
    _refuse_unknown(document, _catalogue() if recipes is None else recipes)
    resources, notes = ws.target.desired(decided, _champions(ws, decided))
    return diff(ws.target.observe(), resources, repairs=repairs, notes=tuple(notes))


def apply(
    ws: Workspace, plan: Plan, *, force: bool = False, budget_usd: float | None = None, progress: Progress = silent
) -> None:
    """Do the plan, change by change, each written to the journal.

    Args:
        ws: the workspace.
        plan: from `plan`, as it was shown and approved.
        force: do it even when it deletes much or costs more than the budget.
        budget_usd: dollars a month that the plan may add.
        progress: told about every change.

    Raises:
        UnsafePlan: it deletes a large share of what is there, or is over the budget; nothing was done.
        TargetError: the target refused a change; those before it are done, the next plan holds the rest.
    """
    if not force:
        plan.refuse_if_unsafe()
        refuse_over_budget(plan, budget_usd)
    if not plan:
        return
    checksum, total = plan.checksum(), len(plan.changes)
    ws.journal.append(PLANNED, plan=checksum, target=ws.target.name, changes=[describe(c) for c in plan.changes])
    for number, change in enumerate(plan.changes):
        progress(describe(change), number, total)
        ws.target.apply(change)
        ws.journal.append(APPLIED, plan=checksum, change=describe(change))
    ws.journal.append(DONE, plan=checksum, target=ws.target.name)
    progress("done", total, total)


def deployed_monitoring(ws: Workspace) -> ModelMonitoring | None:
    """The rules that are deployed on this machine, for commands that are given no configuration; None without any.

    Raises:
        TargetError: the target cannot be read.
    """
    there = ws.target.observe().values()
    metrics = [{"name": r.name, **r.properties} for r in there if r.kind == "rule"]
    alerting = [dict(r.properties) for r in there if r.kind == "alerting"]
    if not metrics and not alerting:
        return None
    text = json.dumps({"metrics": metrics, **({"alerting": alerting[0]} if alerting else {})})
    return ModelMonitoring.model_validate_json(text)


def refuse_over_budget(plan: Plan, budget_usd: float | None) -> None:
    """Refuse a plan whose known prices add more than the budget.

    Raises:
        UnsafePlan: it does.
    """
    adds = plan.monthly_usd()
    if budget_usd is not None and adds > budget_usd:
        raise UnsafePlan(
            f"the plan adds {adds:.2f} USD a month, more than the budget of {budget_usd:.2f}",
            hint="raise budget.monthly_usd, ask for less, or repeat with --force",
        )


def describe(change: Change) -> str:
    """``create endpoint/cost-optimization-model``."""
    match change:
        case Create(new):
            return f"create {new.key}"
        case Update(_, new):
            return f"update {new.key}"
        case Delete(old):
            return f"delete {old.key}"


def _champions(ws: Workspace, document: Document) -> dict[str, int]:
    deployment = document.ml_model_deployment
    names = {recipe_of(model) for model in (deployment.models if deployment else ())}
    found = {name: ws.registry.champion(name) for name in sorted(names)}
    return {name: champion.version for name, champion in found.items() if champion is not None}


def _refuse_unknown(document: Document, recipes: Collection[str]) -> None:
    deployment = document.ml_model_deployment
    hint = f"name one of {', '.join(sorted(recipes))} with recipe:"
    problems = [
        problem(
            document,
            ("ml_model_deployment", "models", position, "name" if model.recipe is None else "recipe"),
            f"nothing that can be trained is called {recipe_of(model)!r}",
            hint=hint,
        )
        for position, model in enumerate(deployment.models if deployment else ())
        if recipe_of(model) not in recipes
    ]
    if problems:
        raise ConfigError(problems)


def _catalogue() -> Collection[str]:
    from aws_auto.ml.recipes import catalog

    return catalog.names()
