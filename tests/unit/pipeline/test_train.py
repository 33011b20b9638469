from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError, ModelNotFound, NotEnoughData
from aws_auto.frame import MetricFrame
from aws_auto.pipeline.train import Failed, Trained, train
from aws_auto.results import Decision, ModelVersion, Stage

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@dataclass
class MemoryRegistry:
    models: dict = field(default_factory=dict)
    champions: dict = field(default_factory=dict)
    reasons: list = field(default_factory=list)
    damaged: bool = False

    def register(self, name, model):
        self.models.setdefault(name, []).append(model)
        return self._version(name, len(self.models[name]), Stage.CANDIDATE)

    def promote(self, name, version, *, reason):
        self.champions[name] = version
        self.reasons.append(reason)
        return self._version(name, version, Stage.CHAMPION)

    def champion(self, name):
        number = self.champions.get(name)
        return self._version(name, number, Stage.CHAMPION) if number else None

    def files(self, version):
        if self.damaged:
            raise ArtifactError("was changed", where="model.json")
        return dict(self.models[version.name][version.version - 1].files)

    def _version(self, name, number, stage):
        model = self.models[name][number - 1]
        return ModelVersion(
            name=name,
            version=number,
            stage=stage,
            created_at=NOW,
            recipe=name,
            files={},
            schema=model.schema,
            report={},
        )


@dataclass
class MemoryJournal:
    lines: list = field(default_factory=list)

    def append(self, kind, **detail):
        self.lines.append((kind, detail))


class EmptyLake:
    def scan(self, dataset):
        return pl.LazyFrame()


@pytest.fixture
def ws():
    return SimpleNamespace(registry=MemoryRegistry(), journal=MemoryJournal(), lake=EmptyLake())


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    hours = 14 * 24
    wander = np.cumsum(rng.normal(0, 0.02, hours))
    return MetricFrame.of(
        pl.DataFrame(
            {
                "resource_id": "a",
                "timestamp": [NOW - timedelta(hours=hours - h) for h in range(hours)],
                "request_count": 100 * np.exp(wander) * (1.5 + np.sin(np.arange(hours) / 24 * 2 * np.pi)),
            }
        )
    )


def test_a_model_is_registered_promoted_with_its_reason_and_written_down(ws, frame):
    (done,) = train(ws, ["demand-forecaster"], frame, seed=1, simulated=True)
    assert isinstance(done, Trained)
    assert done.promoted
    assert done.version.stage is Stage.CHAMPION
    assert done.report.lineage.seed == 1
    assert done.report.lineage.simulated
    assert done.report.reason in ws.registry.reasons[0]
    kind, detail = ws.journal.lines[0]
    assert (kind, detail["model"], detail["version"]) == ("trained", "demand-forecaster", 1)


def test_one_recipe_that_fails_loses_none_of_the_others(ws, frame):
    failed, done = train(ws, ["cost-optimizer", "predictive-scaling"], frame)
    assert failed.name == "cost-optimizer"
    assert "hourly_cost" in str(failed.error)
    assert isinstance(failed, Failed)
    assert done.name == "demand-forecaster"
    assert isinstance(done, Trained)
    assert [kind for kind, _ in ws.journal.lines] == ["training failed", "trained"]


def test_too_little_data_is_a_failure_with_its_own_exit_code(ws, frame):
    (failed,) = train(ws, ["anomaly-detector"], MetricFrame(frame.data.head(50)))
    assert isinstance(failed.error, NotEnoughData)
    assert failed.error.exit_code == 3


def test_an_unknown_name_is_refused_before_anything_is_trained(ws, frame):
    with pytest.raises(ModelNotFound):
        train(ws, ["demand-forecaster", "oracle"], frame)
    assert ws.registry.models == {}


def test_a_name_and_its_feature_word_are_one_model(ws, frame):
    assert len(train(ws, ["demand-forecaster", "predictive-scaling"], frame)) == 1


def test_a_later_training_meets_the_champion_on_days_that_are_new_to_both_and_keeps_it_when_it_is_as_good(ws, frame):
    early = frame.data.filter(pl.col("timestamp") < frame.span[1] - timedelta(days=4))
    (first,) = train(ws, ["demand-forecaster"], MetricFrame(early))
    (second,) = train(ws, ["demand-forecaster"], frame)
    fresh = second.report.backtests[0].fresh
    assert second.version.version == 2
    kept = fresh.champion <= fresh.ours
    assert (second.report.decision is Decision.KEEP_CHAMPION) == kept
    assert second.promoted == (not kept)
    assert ws.registry.champions["demand-forecaster"] == (first if kept else second).version.version


def test_a_champion_that_cannot_be_read_is_written_down_and_does_not_stop_training(ws, frame):
    train(ws, ["demand-forecaster"], frame)
    ws.registry.damaged = True
    (done,) = train(ws, ["demand-forecaster"], frame)
    assert isinstance(done, Trained)
    assert done.promoted
    assert [kind for kind, _ in ws.journal.lines] == ["trained", "champion unreadable", "trained"]


def test_progress_names_the_recipe(ws, frame):
    told = []
    train(ws, ["demand-forecaster"], frame, progress=lambda what, *_: told.append(what))
    assert all(what.startswith("demand-forecaster: ") for what in told)
