"""How the performance predictor is judged: contests on held-back days, what was promised, and pictures of both."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.frame import TIMESTAMP
from aws_auto.ml.evaluation.backtest import Contest, judge, plain_loss, typical_loss
from aws_auto.ml.evaluation.metrics import pinball
from aws_auto.ml.recipes.charts import daily, numbers
from aws_auto.ml.scaling.situation import FACTS
from aws_auto.results import BackTest, Calibration, Chart, Line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import polars as pl
    from numpy.typing import NDArray

    from aws_auto.ml.scaling.performance import PerformanceModel
    from aws_auto.ml.scaling.performance_rules import RuleModel
    from aws_auto.ml.scaling.situation import Situation

    Floats = NDArray[np.float64]
    Model = PerformanceModel | RuleModel

LEVELS = (0.5, 0.95, 0.99)
#: Bins of stated risk, for what came of each.
RISKS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)


def contests_of(
    models: Mapping[str, Model],
    asked: Situation,
    test: pl.DataFrame,
    *,
    seed: int,
    fresh_from: datetime | None = None,
) -> tuple[BackTest, ...]:
    """Quantile loss of the judged latency, then the Brier score of the risk; ours against the others.

    Args:
        models: ``ours``, the rules, and perhaps ``champion``.
        asked: the situations.
        test: the rows behind them.
        seed: of the intervals.
        fresh_from: where that begins which the champion has not seen; None leaves it out.
    """
    usual = models["ours"].usual.fact(asked, FACTS + asked.about)
    truth = test["judged"].to_numpy() / usual
    event = (test["judged"].to_numpy() > asked.objective).astype(float)
    event[~np.isfinite(asked.objective)] = np.nan
    losses = {
        name: (
            pinball(truth, model.quantiles(asked, asked.about, LEVELS) / usual[:, None], LEVELS),
            (model.risk(asked) - event) ** 2,
        )
        for name, model in models.items()
    }
    new = np.zeros(len(test), bool) if fresh_from is None else (test[TIMESTAMP] >= fresh_from).to_numpy()
    unit = ("share of usual latency", "squared probability")
    words = ("latency quantile loss, typical workload", "Brier score of breaking the objective")
    tests = []
    for i, statistic in enumerate((typical_loss, plain_loss)):
        parts = {name: _by_day(both[i], asked, test) for name, both in losses.items() if name != "champion"}
        later = asked.take(new), test.filter(new)
        contest = Contest(
            metric=words[i],
            unit=unit[i],
            unit_of_n="held-back days",
            ours=parts.pop("ours"),
            baselines=parts,
            statistic=statistic,
            fresh={n: _by_day(both[i][new], *later) for n, both in losses.items()} if new.any() else None,
        )
        tests.append(judge(contest, seed=seed))
    return tuple(tests)


def promised_of(model: Model, asked: Situation, truth: Floats) -> tuple[Calibration, ...]:
    """Shares below the quantiles, and how often the objective was broken at each stated risk."""
    judged = truth[:, asked.about]
    quantiles = model.quantiles(asked, asked.about, LEVELS)
    known = np.isfinite(judged) & np.isfinite(quantiles[:, 0])
    said = [
        Calibration(
            what=f"judged latency at or below the {level:.0%} quantile",
            nominal=level,
            observed=float((judged <= quantiles[:, i])[known].mean()),
            n=int(known.sum()),
        )
        for i, level in enumerate(LEVELS)
    ]
    risk = model.risk(asked)
    event = judged > asked.objective
    for low, high in itertools.pairwise(RISKS):
        inside = known & (risk >= low) & ((risk < high) | (high == RISKS[-1]))
        if inside.any():
            said.append(
                Calibration(
                    what=f"objective broken where the risk was {low:.0%} to {high:.0%}",
                    nominal=float(risk[inside].mean()),
                    observed=float(event[inside].mean()),
                    n=int(inside.sum()),
                )
            )
    return tuple(said)


def charts_of(models: Mapping[str, Model], rule: str, asked: Situation, test: pl.DataFrame) -> tuple[Chart, ...]:
    """Risk by load, quantile loss by day, and what was promised."""
    said = [c for c in promised_of(models["ours"], asked, _judged(test, asked)) if "risk" in c.what]
    days = sorted(set(test[TIMESTAMP].dt.date()))
    usual = models["ours"].usual.fact(asked, FACTS + asked.about)
    truth = test["judged"].to_numpy() / usual
    losses = {
        name: plain_loss(
            _by_day(
                pinball(truth, models[key].quantiles(asked, asked.about, LEVELS) / usual[:, None], LEVELS), asked, test
            )
        )
        for name, key in (("ours", "ours"), (rule, rule))
    }
    return (
        _by_load(models["ours"], asked),
        daily("Latency quantile loss per day", days=days, losses=losses, y_title="share of usual latency"),
        Chart(
            title="Risk that was stated, and how often the objective was broken",
            x_title="stated risk",
            y_title="share of rows that broke it",
            lines=(
                Line(name="observed", x=tuple(c.nominal for c in said), y=tuple(c.observed for c in said)),
                Line(name="as stated", x=(0.0, 1.0), y=(0.0, 1.0), style="dashed"),
            ),
            note=f"{sum(c.n for c in said)} held-back rows",
        ),
    )


def _by_load(model: Model, asked: Situation) -> Chart:
    """The busiest workload at its usual size: what more load would do."""
    loads = {r: float(np.nanmedian(asked.load[asked.resource == r])) for r in sorted(set(asked.resource))}
    name = max(loads, key=lambda r: loads[r])
    place = np.flatnonzero(asked.resource == name)
    middle = place[np.argsort(asked.load[place])[len(place) // 2]]
    factors = np.linspace(0.25, 3.0, 23)
    at = replace(asked.take(np.repeat(middle, len(factors))), load=asked.load[middle] * factors)
    return Chart(
        title=f"Risk of breaking the objective by load: {name}",
        x_title="requests a second",
        y_title="probability",
        lines=(Line(name="risk", x=tuple(map(float, at.load)), y=numbers(model.risk(at))),),
        note="one held-back moment with its instances and state, at other loads",
    )


def _judged(test: pl.DataFrame, asked: Situation) -> Floats:
    out = np.full((len(test), asked.latency.shape[1]), np.nan)
    out[:, asked.about] = test["judged"].to_numpy()
    return out


def _by_day(loss: Floats, asked: Situation, test: pl.DataFrame) -> Floats:
    """Sum and count by held-back day and workload, ``(days, workloads, 2)``."""
    _, day = np.unique(test[TIMESTAMP].dt.date().to_numpy(), return_inverse=True)
    _, who = np.unique(asked.resource.astype(str), return_inverse=True)
    seen = np.isfinite(loss)
    out = np.zeros((day.max() + 1, who.max() + 1, 2))
    np.add.at(out[..., 0], (day[seen], who[seen]), loss[seen])
    np.add.at(out[..., 1], (day[seen], who[seen]), 1.0)
    return out
