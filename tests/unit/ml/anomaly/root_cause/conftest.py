"""Small made-up estates whose culprit is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
BEFORE, DURING = 288, 12
FELT = START + BEFORE * STEP
OVER = START + (BEFORE + DURING) * STEP


class Estate:
    """Adds resources, each metric quiet around its level with a change from the incident on."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.parts: list[pl.DataFrame] = []

    def add(
        self,
        resource: str,
        metrics: Mapping[str, tuple[float, float]],
        *,
        shape: np.ndarray | None = None,
        late: int = 0,
        **statics: str,
    ) -> Estate:
        """``metrics``: level and change by name. ``shape``: the change over the incident, 1 by default."""
        n = BEFORE + DURING
        felt = np.zeros(n)
        felt[BEFORE:] = 1.0 if shape is None else shape
        if late:
            felt = np.concatenate([np.zeros(late), felt[:-late]])
        columns = {
            name: level * (1 + 0.02 * self.rng.normal(size=n)) + change * felt * (1 + 0.05 * self.rng.normal(size=n))
            for name, (level, change) in metrics.items()
        }
        times = [START + k * STEP for k in range(n)]
        facts = {key: [value] * n for key, value in statics.items()}
        self.parts.append(pl.DataFrame({"resource_id": [resource] * n, "timestamp": times, **columns, **facts}))
        return self

    def frame(self) -> MetricFrame:
        return MetricFrame.of(pl.concat(self.parts, how="diagonal"))


@pytest.fixture
def estate() -> Callable[[], Estate]:
    return Estate


@pytest.fixture
def wobble() -> np.ndarray:
    """A change that comes and goes, so that correlation has something to see."""
    return np.array([1.0, 0.6, 0.9, 0.5, 1.0, 0.7, 0.4, 0.9, 1.0, 0.6, 0.8, 1.0])
