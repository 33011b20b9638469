"""Slow, obvious twins of the weights and widths that follow what came, and of the net."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from aws_auto.ml.forecast import adaptive, lstm_fit
from aws_auto.ml.forecast.adaptive import Trust
from aws_auto.ml.forecast.lstm import Inputs, Lstm

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
STEPS = 4


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


def slow_play(members, values, scale, pooled):
    """Hour by hour for one series: answers, and the log widths at the end. Origin o knows values[:o + 1]."""
    width, losses, answers = [0.0, 0.0], [], []
    count = len(pooled)

    def say(o, s):
        if losses:
            weights = slow_weights(losses, pooled)
        else:
            raw = [math.exp(-adaptive.SHARP * p) for p in pooled]
            weights = [x / sum(raw) for x in raw]
        return slow_quantiles([members[m][o][s] for m in range(count)], weights, width)

    for o in range(len(scale)):
        y = values[o]
        if o >= STEPS and not math.isnan(y):
            said_of_it = [(o - s - 1, s) for s in range(STEPS)]
            now = [say(*at) for at in said_of_it]
            row = []
            for m in range(count):
                parts = [
                    max(level * (y - q), (level - 1) * (y - q)) / scale[at]
                    for at, s in said_of_it
                    for level, q in zip(LEVELS, members[m][at][s], strict=True)
                ]
                row.append(sum(parts) / len(parts))
            losses.append(row)
            for i, (low, high, nominal) in enumerate(((1, 3, 0.2), (0, 4, 0.05))):
                missed = sum(not q[low] <= y <= q[high] for q in now) / len(now)
                step = width[i] + adaptive.RATE * (missed - nominal) / math.sqrt(nominal)
                width[i] = min(max(step, adaptive.NARROWEST), adaptive.WIDEST)
        answers.append([say(o, s) for s in range(STEPS)])
    return answers, width


def table(seed, hours=16, rows=2):
    """Members, values by hour, the truth that origins see of them, and scale."""
    rng = np.random.default_rng(seed)
    shape = (3, rows, hours, STEPS, len(LEVELS))
    members = np.sort(rng.normal(size=shape) + rng.normal(size=(3, 1, 1, 1, 1)), axis=-1)
    values = rng.normal(size=(rows, hours))
    values[0, 9] = np.nan
    ahead = np.concatenate([values, np.full((rows, STEPS), np.nan)], axis=1)
    truth = np.stack([ahead[:, s + 1 : s + 1 + hours] for s in range(STEPS)], axis=2)
    return members, values, truth, rng.uniform(0.5, 2, (rows, hours))


@pytest.mark.parametrize("seed", range(5))
def test_weights_and_widths_that_follow_agree_with_plain_loops(seed):
    members, values, truth, scale = table(seed)
    pooled = np.array([0.9, 1.0, 1.1])
    fresh = replace(Trust.fresh("ab", 3), pooled=pooled)
    answers, trust = adaptive.played(fresh, members, truth, scale, steps=range(1, STEPS + 1), levels=LEVELS)
    for row in range(2):
        slow, width = slow_play(members[:, row], values[row], scale[row], pooled)
        np.testing.assert_allclose(answers[row], slow, rtol=1e-9)
        np.testing.assert_allclose(trust.width[row], width)


def test_an_answer_knows_the_hours_up_to_its_own_and_none_after():
    members, _, truth, scale = table(0)
    steps = range(1, STEPS + 1)
    usual, _ = adaptive.played(Trust.fresh("ab", 3), members, truth, scale, steps=steps, levels=LEVELS)
    for origin in range(members.shape[2]):
        changed = truth.copy()
        for o in range(members.shape[2]):
            for s in range(STEPS):
                if o + s + 1 > origin:
                    changed[:, o, s] += 100
        said, _ = adaptive.played(Trust.fresh("ab", 3), members, changed, scale, steps=steps, levels=LEVELS)
        np.testing.assert_array_equal(said[:, : origin + 1], usual[:, : origin + 1])


def test_the_lstm_in_numpy_says_what_the_one_in_torch_says():
    torch = pytest.importorskip("torch", reason="the extra deep is not installed")
    rng = np.random.default_rng(0)
    inputs = Inputs(
        rng.normal(size=(7, 24, 5)).astype(np.float32),
        rng.normal(size=(7, 4, 11)).astype(np.float32),
        rng.normal(size=(7, 4, 9)).astype(np.float32),
    )
    torch.manual_seed(0)
    net = lstm_fit.net_for(torch, inputs)
    ours = Lstm({name: value.numpy() for name, value in net.state_dict().items()})
    with torch.no_grad():
        np.testing.assert_allclose(ours.forward(inputs), net(inputs).numpy(), atol=1e-5)
