"""The whole detector on real series: causal by the scorer's own audit, and better than the rules it replaces."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from aws_auto.ml.anomaly.detect import Detector

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared"


@pytest.fixture(scope="module")
def scorer():
    path = SHARED / "score" / "anomaly.py"
    if not path.is_file():
        pytest.skip("the development data are not beside the checkout")
    spec = importlib.util.spec_from_file_location("shared_score_anomaly", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def ours(train, train_times, test, test_times):
    with threadpool_limits(1):
        return np.nan_to_num(Detector.fit(train_times, train).score(test_times, test).score, nan=-3.0)


@pytest.mark.shared
@pytest.mark.parametrize("suite", ["nab_core", "mscm"])
def test_no_score_of_real_series_depends_on_the_future(scorer, suite):
    series = sorted(scorer.load(suite), key=lambda s: len(s.v))[:4]
    assert scorer.audit(ours, series) == []


@pytest.mark.shared
def test_real_cloud_metrics_are_judged_better_than_by_the_rolling_median_rule(scorer):
    series = scorer.load("mscm")
    found = scorer.event_figures(series, scorer.run(ours, series)[0])
    rule = scorer.event_figures(series, scorer.run(scorer.demo, series)[0])
    assert found["F1"] > rule["F1"] + 0.1
    assert found["false_per_week"] < 1
