"""Recommend: what the bill in the lake could do without, and what moved it. Advice only; nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_auto.errors import NotEnoughData
from aws_auto.pipeline.collect import is_simulated
from aws_auto.pipeline.process import process

if TYPE_CHECKING:
    from aws_auto.ml.cost.cost_anomaly import CostAnomalies
    from aws_auto.ml.cost.findings import Recommendations
    from aws_auto.pipeline.ports import Window, Workspace


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What could be saved and what moved the bill; ``with_metrics`` says whether utilisation was there to look at."""

    recommendations: Recommendations
    anomalies: CostAnomalies
    with_metrics: bool
    simulated: bool


def advise(ws: Workspace, window: Window) -> Advice:
    """Read the bill of that window, and the metrics where there are any.

    Raises:
        NotEnoughData: there is no bill.
    """
    from aws_auto.ml.cost.cost_anomaly import cost_anomalies
    from aws_auto.ml.cost.recommend import recommend

    scan = ws.lake.scan("billing", window)
    bill = scan.collect()
    if bill.is_empty():
        raise NotEnoughData(
            "the lake holds no bill",
            where=str(ws.root),
            hint="add one: aws-auto ml recommend --data-source cur --path FILE, or --data-source sample",
        )
    try:
        metrics = process(ws, window).frame
    except NotEnoughData:
        metrics = None
    return Advice(
        recommendations=recommend(bill, now=ws.clock.now(), metrics=metrics),
        anomalies=cost_anomalies(bill),
        with_metrics=metrics is not None,
        simulated=is_simulated(ws),
    )
