"""Whatever the table holds, there is an answer, and it keeps its promises."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.root_cause.analyse import analyse
from aws_auto.ml.anomaly.root_cause.topology import Edge, Topology

START = datetime(2026, 3, 2, tzinfo=UTC)
METRICS = ("latency", "error_rate", "request_count", "memory_utilization", "hourly_cost", "anything")
KINDS = ("noise", "zero", "constant", "empty", "spike", "huge", "infinite")


def column(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(size=n)
    spike = np.where(np.arange(n) == n - 1, 1e6, 1.0)
    made = {
        "noise": 50 + noise,
        "zero": np.zeros(n),
        "constant": np.full(n, 42.0),
        "empty": np.full(n, np.nan),
        "spike": spike,
        "huge": 1e15 * np.exp(noise),
        "infinite": np.where(rng.random(n) < 0.2, np.inf, noise),
    }
    return made[kind]


@st.composite
def scenes(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = []
    for number in range(draw(st.integers(1, 4))):
        n, minutes = draw(st.integers(1, 60)), draw(st.sampled_from([1, 5, 7, 60]))
        times = [START + timedelta(minutes=minutes * k) for k in range(n) if k == 0 or rng.random() > 0.2]
        columns = {m: column(draw(st.sampled_from(KINDS)), len(times), rng) for m in METRICS}
        parts.append(pl.DataFrame({"resource_id": [f"r{number}"] * len(times), "timestamp": times, **columns}))
    frame = MetricFrame.of(pl.concat(parts))
    begin = START + timedelta(minutes=draw(st.integers(-100, 400)))
    metric = draw(st.sampled_from([*METRICS, None]))
    graph = draw(st.sampled_from([None, Topology((Edge("r0", "r1"), Edge("r1", "r0"), Edge("r1", "gone")))]))
    return frame, ("r0", metric, begin, begin + timedelta(minutes=draw(st.integers(1, 200)))), graph


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_there_is_always_an_answer_whose_weights_sum_to_one(scene):
    frame, asked, graph = scene
    answer = analyse(frame, asked, topology=graph)
    factors = answer.contributing_factors
    assert sum(f.weight for f in factors) == pytest.approx(1.0 if factors else 0.0)
    assert (answer.primary_cause is None) == (not factors)
    assert 0.0 <= answer.confidence_score <= 1.0
    assert all(0.0 <= f.own_share <= 1.0 for f in factors)
    assert asked[1] is None or ("r0", asked[1]) not in {(f.resource, f.metric) for f in factors}
    assert all(
        np.isfinite([e.before, e.during, e.z_past, e.z_local, e.strength, e.share]).all() for e in answer.evidence
    )
