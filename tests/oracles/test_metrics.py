"""Slow, obvious twins of the figures of merit."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.ml.evaluation import metrics
from aws_auto.ml.evaluation.metrics import Rhythm
from aws_auto.ml.forecast import conformal


def slow_pinball(y, quantiles, levels):
    total = 0.0
    for q, level in zip(quantiles, levels, strict=True):
        total += 2 * (level * (y - q) if y >= q else (1 - level) * (q - y))
    return total / len(levels)


def test_pinball_and_weighted_quantile_loss_agree_with_plain_loops():
    rng = np.random.default_rng(0)
    levels = [0.1, 0.5, 0.9]
    y, q = rng.normal(size=50), rng.normal(size=(50, 3))
    slow = [slow_pinball(a, b, levels) for a, b in zip(y, q, strict=True)]
    np.testing.assert_allclose(metrics.pinball(y, q, levels), slow)
    assert metrics.weighted_quantile_loss(y, q, levels) == pytest.approx(sum(slow) / sum(abs(a) for a in y))


def slow_episodes(times, rhythm):
    out = []
    for t in times:
        if out and t - out[-1][-1] <= rhythm.cool and t - out[-1][0] <= rhythm.longest:
            out[-1].append(t)
        else:
            out.append([t])
    return [(e[0], e[-1]) for e in out]


def slow_counts(alarms, events, rhythm):
    found = 0
    for start, end in events:
        found += any(start <= t <= max(end, start + rhythm.grace) for t in alarms)
    false = 0
    for a, b in slow_episodes(alarms, rhythm):
        touches = [b >= s - 3 * rhythm.period and a <= e + rhythm.cool for s, e in events]
        false += not any(touches)
    return found, len(events) - found, false


@pytest.mark.parametrize("seed", range(30))
def test_episodes_and_event_counts_agree_with_plain_loops(seed):
    rng = np.random.default_rng(seed)
    rhythm = Rhythm(float(rng.choice([60, 300, 3600])))
    alarms = np.unique(rng.integers(0, 400, 60)) * rhythm.period
    starts = np.sort(rng.integers(0, 400, 5)) * rhythm.period
    events = np.stack([starts, starts + rng.integers(0, 20, 5) * rhythm.period], axis=1).astype(float)
    assert [tuple(e) for e in metrics.episodes(alarms, rhythm)] == slow_episodes(alarms, rhythm)
    counts = metrics.event_counts(alarms, events, rhythm)
    assert (counts.found, counts.missed, counts.false) == slow_counts(alarms, events, rhythm)


@pytest.mark.parametrize("seed", range(20))
def test_the_conformal_quantile_is_the_one_that_sorting_gives(seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=int(rng.integers(1, 60)))
    level = float(rng.choice([0.5, 0.8, 0.9, 0.99]))
    rank = int(np.ceil((len(scores) + 1) * level))
    assert conformal.conformal_quantile(scores, level) == sorted(scores)[min(rank, len(scores)) - 1]
