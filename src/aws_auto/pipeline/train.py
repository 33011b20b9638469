"""Train: fit each recipe on the frame, register what it gives, and promote what has earned it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_auto.errors import AwsAutoError, ModelError
from aws_auto.ml.recipes import catalog
from aws_auto.pipeline.feedback import verdicts
from aws_auto.protocols import Progress, silent
from aws_auto.results import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from aws_auto.frame import MetricFrame
    from aws_auto.pipeline.ports import Workspace
    from aws_auto.protocols import Predictor, Recipe
    from aws_auto.results import ModelVersion, TrainReport


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A recipe that was trained.

    Attributes:
        name: of the recipe and the model.
        version: as it stands in the registry after the decision.
        report: what was found.
        promoted: whether this version is champion now.
    """

    name: str
    version: ModelVersion
    report: TrainReport
    promoted: bool


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A recipe that could not be trained, and why."""

    name: str
    error: AwsAutoError


def train(
    ws: Workspace,
    wanted: Iterable[str | Recipe],
    frame: MetricFrame,
    *,
    seed: int = 0,
    simulated: bool = False,
    progress: Progress = silent,
) -> list[Trained | Failed]:
    """Train these recipes, one after the other: names, ``--ai-features`` words, or recipes with settings of their own.

    What people said about earlier alarms goes into the training. A recipe that cannot be trained loses none of the
    others: its error stands in its place.

    Raises:
        ModelNotFound: there is no recipe of that name; nothing was trained.
    """
    recipes = {r.name: r for r in (catalog.get(w) if isinstance(w, str) else w for w in wanted)}
    labels = verdicts(ws)
    return [
        _one(ws, recipe, frame, seed=seed, simulated=simulated, labels=labels, progress=progress)
        for recipe in recipes.values()
    ]


def _one(
    ws: Workspace,
    recipe: Recipe,
    frame: MetricFrame,
    *,
    seed: int,
    simulated: bool,
    labels: pl.DataFrame,
    progress: Progress,
) -> Trained | Failed:
    def told(what: str, done: int, total: int) -> None:
        progress(f"{recipe.name}: {what}", done, total)

    try:
        champion = _champion(ws, recipe)
        model = recipe.fit(frame, seed=seed, champion=champion, simulated=simulated, labels=labels, progress=told)
        version = ws.registry.register(recipe.name, model)
        promoted = model.report.decision is not Decision.KEEP_CHAMPION
        if promoted:
            version = ws.registry.promote(
                recipe.name, version.version, reason=f"{model.report.decision}: {model.report.reason}"
            )
    except AwsAutoError as error:
        ws.journal.append("training failed", model=recipe.name, error=str(error))
        return Failed(name=recipe.name, error=error)
    ws.journal.append(
        "trained",
        model=recipe.name,
        version=version.version,
        decision=str(model.report.decision),
        reason=model.report.reason,
        data=model.report.lineage.data_fingerprint,
        simulated=simulated,
    )
    return Trained(name=recipe.name, version=version, report=model.report, promoted=promoted)


def _champion(ws: Workspace, recipe: Recipe) -> Predictor | None:
    """The present champion, None when there is none or it cannot be read; the latter is written down."""
    version = ws.registry.champion(recipe.name)
    if version is None:
        return None
    try:
        return recipe.load(ws.registry.files(version))
    except ModelError as error:
        ws.journal.append("champion unreadable", model=recipe.name, version=version.version, error=str(error))
        return None
