"""Slow, obvious twins of the weights and widths that follow what came."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aws_auto.ml.forecast import adaptive
from aws_auto.ml.forecast.adaptive import Trust

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)


def slow_weights(losses, pooled):
    """Weights of one series from the list of its members' losses, oldest first."""
    fade = [0.5 ** ((len(losses) - 1 - i) / adaptive.HALF_LIFE) for i in range(len(losses))]
    seen = sum(fade)
    mean = [sum(f * row[m] for f, row in zip(fade, losses, strict=True)) / seen for m in range(len(pooled))]
    usual = sum(mean) / len(mean)
    own = [seen / (seen + adaptive.PRIOR) * x / usual for x in mean]
    score = [
        math.exp(-adaptive.SHARP * (o + adaptive.PRIOR / (seen + adaptive.PRIOR) * p))
        for o, p in zip(own, pooled, strict=True)
    ]
    return [x / sum(score) for x in score]


def slow_quantiles(members, weights, width):
    """Quantiles of one series, origin and step."""
    mean = [sum(w * m[i] for w, m in zip(weights, members, strict=True)) for i in range(len(LEVELS))]
    factor = [math.exp(width[1] if level in (0.025, 0.975) else width[0]) for level in LEVELS]
    return sorted(mean[2] + (x - mean[2]) * f for x, f in zip(mean, factor, strict=True))


def slow_play(members, truth, scale, pooled):
    """Origin by origin for one series: answers, and the log widths at the end."""
    width, losses, answers = [0.0, 0.0], [], []
    for o in range(len(truth)):
        count = len(pooled)
        if losses:
            weights = slow_weights(losses, pooled)
        else:
            raw = [math.exp(-adaptive.SHARP * p) for p in pooled]
            weights = [x / sum(raw) for x in raw]
        said = [slow_quantiles([members[m][o][s] for m in range(count)], weights, width) for s in range(len(truth[o]))]
        answers.append(said)
        if any(math.isnan(y) for y in truth[o]):
            continue
        row = []
        for m in range(count):
            parts = [
                max(level * (y - q), (level - 1) * (y - q))
                for y, quantiles in zip(truth[o], members[m][o], strict=True)
                for level, q in zip(LEVELS, quantiles, strict=True)
            ]
            row.append(sum(parts) / len(parts) / scale[o])
        losses.append(row)
        for i, (low, high, nominal) in enumerate(((1, 3, 0.2), (0, 4, 0.05))):
            missed = sum(not q[low] <= y <= q[high] for y, q in zip(truth[o], said, strict=True)) / len(said)
            step = width[i] + adaptive.RATE * (missed - nominal) / math.sqrt(nominal)
            width[i] = min(max(step, adaptive.NARROWEST), adaptive.WIDEST)
    return answers, width


@pytest.mark.parametrize("seed", range(5))
def test_weights_and_widths_that_follow_agree_with_plain_loops(seed):
    rng = np.random.default_rng(seed)
    members = np.sort(rng.normal(size=(3, 2, 12, 4, len(LEVELS))) + rng.normal(size=(3, 1, 1, 1, 1)), axis=-1)
    truth, scale, pooled = rng.normal(size=(2, 12, 4)), rng.uniform(0.5, 2, (2, 12)), np.array([0.9, 1.0, 1.1])
    truth[0, 4, 1] = np.nan
    answers, trust = adaptive.played(Trust.fresh("ab", 3), members, truth, scale, LEVELS, pooled)
    for row in range(2):
        slow, width = slow_play(members[:, row], truth[row], scale[row], pooled)
        np.testing.assert_allclose(answers[row], slow, rtol=1e-9)
        np.testing.assert_allclose(trust.width[row], width)
