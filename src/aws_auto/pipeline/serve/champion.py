"""The model that answers: the registry's champion, loaded once and exchanged when the champion changes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aws_auto.errors import AwsAutoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_auto.pipeline.ports import Workspace
    from aws_auto.protocols import Predictor, Recipe
    from aws_auto.results import ModelVersion

#: A champion that could not be loaded is tried again after this long: its files may have been repaired.
RETRY_AFTER = timedelta(seconds=30)


@dataclass(frozen=True)
class Loaded:
    """A version and its predictor."""

    version: ModelVersion
    predictor: Predictor

    @property
    def simulated(self) -> bool:
        """True when it learned from the simulated account: said wherever an answer of it is shown."""
        lineage = self.version.report.get("lineage") or {}
        return bool(lineage.get("simulated"))


class Champion:
    """Follows one model's champion. Safe to call from many threads.

    When a new champion cannot be loaded, the version before it goes on answering and `trouble` says why.
    """

    def __init__(self, ws: Workspace, model: str, *, recipe: Callable[[str], Recipe]) -> None:
        self.model = model
        self.trouble: str | None = None
        self._ws = ws
        self._recipe = recipe
        self._loaded: Loaded | None = None
        self._failed: tuple[int, datetime] | None = None
        self._lock = threading.Lock()

    def current(self) -> Loaded | None:
        """What answers now, None when nothing can; asks the registry for the champion's number each time."""
        try:
            champion = self._ws.registry.champion(self.model)
        except AwsAutoError as error:
            self.trouble = str(error)
            return self._loaded
        loaded = self._loaded
        if champion is None:
            self.trouble = f"{self.model} has no champion yet; train it first"
            return None
        if loaded is not None and loaded.version.version == champion.version:
            self.trouble = None
            return loaded
        with self._lock:
            return self._exchange(champion)

    def _exchange(self, champion: ModelVersion) -> Loaded | None:
        if self._loaded is not None and self._loaded.version.version == champion.version:
            return self._loaded
        now = self._ws.clock.now()
        if self._failed is not None and self._failed[0] == champion.version and now < self._failed[1] + RETRY_AFTER:
            return self._loaded
        try:
            predictor = self._recipe(champion.recipe).load(self._ws.registry.files(champion))
        except AwsAutoError as error:
            self.trouble = f"version {champion.version} cannot be loaded: {error}"
            self._failed = (champion.version, now)
            return self._loaded
        self._loaded, self._failed, self.trouble = Loaded(champion, predictor), None, None
        return self._loaded
