"""Recommend: what the bill in the lake could do without, and what moved it. Advice only; nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aws_auto.errors import NotEnoughData
from aws_auto.pipeline import ledger, prices
from aws_auto.pipeline.bills import bill_of
from aws_auto.pipeline.collect import is_simulated
from aws_auto.pipeline.process import process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.cost.commitments import Offer
    from aws_auto.ml.cost.cost_anomaly import CostAnomalies
    from aws_auto.ml.cost.findings import Recommendations
    from aws_auto.ml.cost.ledger import LedgerEntry
    from aws_auto.pipeline.ports import Window, Workspace


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user brings.

    Attributes:
        offers: commitments at rates that the user knows; those of refreshed prices come beside them.
        risk: the probability of trouble that may be taken for each machine; None is the default of the advice.
        dollars: USD for one unit of another currency.
    """

    offers: tuple[Offer, ...] = ()
    risk: float | None = None
    dollars: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What could be saved and what moved the bill.

    Attributes:
        ledger: what was decided on what is recommended, by id.
        rejected: what is not recommended any more because it was rejected.
        with_metrics: whether utilisation was there to look at.
    """

    recommendations: Recommendations
    anomalies: CostAnomalies
    ledger: Mapping[str, LedgerEntry]
    rejected: tuple[LedgerEntry, ...]
    with_metrics: bool
    simulated: bool


def advise(ws: Workspace, window: Window, wanted: Wanted | None = None) -> Advice:
    """Read the bill of that window, and the metrics where there are any; what is recommended goes into the ledger.

    Raises:
        NotEnoughData: there is no bill.
    """
    from aws_auto.ml.cost.cost_anomaly import cost_anomalies
    from aws_auto.ml.cost.offers import from_rates
    from aws_auto.ml.cost.recommend import recommend
    from aws_auto.ml.cost.rightsizing import RISK
    from aws_auto.ml.cost.terms import Terms

    bill = bill_of(ws, window, command="recommend")
    metrics = _utilisation(ws, window)
    wanted, entries, book = wanted or Wanted(), ws.ledger.entries(), prices.book(ws)
    terms = Terms(
        offers=(*wanted.offers, *from_rates(book, bill)),
        risk=RISK if wanted.risk is None else wanted.risk,
        book=book,
        dollars=wanted.dollars,
        rejected=frozenset(one.id for one in entries if one.status == "rejected"),
        changed=ledger.changes(entries),
    )
    found = recommend(bill, now=ws.clock.now(), metrics=metrics, terms=terms)
    ledger.say(ws, found.items)
    names = {one.id for one in found.items}
    return Advice(
        recommendations=found,
        anomalies=cost_anomalies(bill),
        ledger={one.id: one for one in ws.ledger.entries() if one.id in names},
        rejected=tuple(one for one in entries if one.status == "rejected"),
        with_metrics=metrics is not None,
        simulated=is_simulated(ws),
    )


def _utilisation(ws: Workspace, window: Window) -> MetricFrame | None:
    """The metrics of that window; None where there are none but what the bill itself says of cost."""
    try:
        frame = process(ws, window).frame
    except NotEnoughData:
        return None
    return frame if {one.name for one in frame.metrics} - {"hourly_cost"} else None
