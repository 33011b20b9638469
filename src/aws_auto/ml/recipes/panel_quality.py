"""How a forecasting champion does on hours whose truth has arrived since: the monitor's question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import NotEnoughData
from aws_auto.ml.evaluation import metrics
from aws_auto.ml.evaluation.backtest import Contest, judge, plain_loss, rolling_origins
from aws_auto.ml.forecast import panel as panels
from aws_auto.ml.forecast.grid import columns_at
from aws_auto.ml.forecast.panel import LEVELS, Rule
from aws_auto.ml.recipes.panel import unique
from aws_auto.results import Quality

if TYPE_CHECKING:
    from datetime import datetime

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.recipes.panel import PanelPredictor


def quality(predictor: PanelPredictor, frame: MetricFrame, *, since: datetime, what: str) -> Quality | None:
    """The champion's quantile loss beside the best simple rule's on every hour (or longer period) from ``since`` on.

    The independent units are resources: a day of one resource is one story. Both answer from the hours before each
    origin only. None when no forecast made since then has met its truth on at least two resources.
    """
    try:
        panel = predictor.panel_of(unique(frame.data), predictor.settings)
    except NotEnoughData:
        return None
    start = int(columns_at(int(since.timestamp()), panel.grid.step)) - panel.grid.first
    origins = rolling_origins(start - 1, panel.grid.hours - panel.reach - 1, 1)
    if start < 1 or not len(origins):
        return None
    test, past = panel.design(origins), panel.design(panels.recent_origins(panel, start))
    floor = 0.0 if np.nanmin(panel.grid.values) >= 0 else None
    answers = {"ours": predictor.answers(panel, origins)}
    answers |= {name: Rule.fit(name, past, floor=floor).quantiles(test) for name in test.rules}
    size = panels.typical_size(past)[:, None, None]
    judged = np.isfinite(test.truth) & np.isfinite(size) & (size > 0)
    for quantiles in answers.values():
        judged &= np.isfinite(quantiles).all(axis=-1)
    units = judged.any(axis=(1, 2))
    if units.sum() < 2:
        return None
    losses = {
        name: metrics.pinball(test.truth / size, quantiles / size[..., None], LEVELS)
        for name, quantiles in answers.items()
    }
    parts = {
        name: np.stack([np.where(judged, loss, 0.0).sum(axis=(1, 2)), judged.sum(axis=(1, 2)).astype(float)], axis=-1)[
            units
        ][:, None]
        for name, loss in losses.items()
    }
    contest = Contest(
        metric="quantile loss",
        unit=f"share of mean {what}",
        unit_of_n="resources",
        ours=parts.pop("ours"),
        baselines=parts,
        statistic=plain_loss,
    )
    median = answers["ours"][..., 1]
    total = float(np.abs(test.truth[judged]).sum())
    missed = float(np.abs(test.truth[judged] - median[judged]).sum())
    return Quality(backtest=judge(contest, seed=0), accuracy=1 - missed / total if total else None)
