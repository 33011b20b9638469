"""The named recipes: the command line and the doors train the same ones."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from aws_auto.errors import ModelNotFound

if TYPE_CHECKING:
    from aws_auto.protocols import Recipe


def names() -> tuple[str, ...]:
    """Names of all recipes, in the order in which they are trained."""
    return tuple(_all())


def get(name: str) -> Recipe:
    """The recipe of that name, or of that word of ``--ai-features``.

    Raises:
        ModelNotFound: there is none; the nearest name is suggested.
    """
    recipes = _all()
    aliases = {r.feature: r for r in recipes.values() if r.feature}
    found = recipes.get(name) or aliases.get(name)
    if found is None:
        known = [*recipes, *aliases]
        near = difflib.get_close_matches(name, known, n=1)
        raise ModelNotFound(
            f"no recipe is called {name!r}",
            hint=f"did you mean {near[0]!r}?" if near else f"there are {', '.join(recipes)}",
        )
    return found


def _all() -> dict[str, Recipe]:
    from aws_auto.ml.recipes.anomaly import AnomalyDetector
    from aws_auto.ml.recipes.capacity import CapacityPlanner
    from aws_auto.ml.recipes.cost import CostOptimizer
    from aws_auto.ml.recipes.demand import DemandForecaster
    from aws_auto.ml.recipes.performance import PerformancePredictor
    from aws_auto.ml.recipes.resource import ResourceOptimizer

    recipes: tuple[Recipe, ...] = (
        AnomalyDetector(),
        CostOptimizer(),
        DemandForecaster(),
        ResourceOptimizer(),
        CapacityPlanner(),
        PerformancePredictor(),
    )
    return {r.name: r for r in recipes}
