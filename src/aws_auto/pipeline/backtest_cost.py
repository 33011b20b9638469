"""Back-test of cost advice on the lake's own history: what it would have saved, and what it would have throttled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_auto.errors import NotEnoughData
from aws_auto.pipeline import prices
from aws_auto.pipeline.collect import is_simulated
from aws_auto.pipeline.process import process
from aws_auto.pipeline.recommend import Wanted
from aws_auto.protocols import silent

if TYPE_CHECKING:
    import polars as pl

    from aws_auto.ml.cost.backtest_commitments import CommitmentsReplayed
    from aws_auto.ml.cost.backtest_rightsizing import SizesReplayed
    from aws_auto.ml.cost.price_book import Book
    from aws_auto.pipeline.ports import Window, Workspace
    from aws_auto.protocols import Progress

_SEED = 0


@dataclass(frozen=True, kw_only=True)
class CostBackTest:
    """Sizes and commitments replayed; what could not be replayed says why in its ``why``."""

    window: Window
    risk: float
    sizes: SizesReplayed
    commitments: tuple[CommitmentsReplayed, ...]
    simulated: bool


def backtest(
    ws: Workspace, window: Window, wanted: Wanted | None = None, *, progress: Progress = silent
) -> CostBackTest:
    """Replay what the advice would have said.

    Raises:
        NotEnoughData: there is neither a bill nor a metric.
    """
    from aws_auto.ml.cost.rightsizing import RISK

    wanted = wanted or Wanted()
    risk = RISK if wanted.risk is None else wanted.risk
    bill = ws.lake.scan("billing", window).collect()
    try:
        metrics = process(ws, window).frame.data
    except NotEnoughData:
        metrics = None
    if metrics is None and bill.is_empty():
        raise NotEnoughData(
            "the lake holds neither a bill nor metrics", where=str(ws.root), hint="start with: aws-auto ml collect"
        )
    book = prices.book(ws)
    progress("sizes", 0, 2)
    sizes = _sizes(metrics, bill, risk, book)
    progress("commitments", 1, 2)
    commitments = _commitments(bill, wanted, book)
    progress("commitments", 2, 2)
    return CostBackTest(window=window, risk=risk, sizes=sizes, commitments=commitments, simulated=is_simulated(ws))


def _sizes(metrics: pl.DataFrame | None, bill: pl.DataFrame, risk: float, book: Book) -> SizesReplayed:
    import polars as pl

    from aws_auto.ml.cost.backtest_rightsizing import replay_sizes
    from aws_auto.ml.cost.rightsizing_advice import MACHINE, present, type_since
    from aws_auto.ml.cost.running import running

    if metrics is None:
        metrics = pl.DataFrame(schema={"resource_id": pl.String, "timestamp": pl.Datetime("us", "UTC")})
    if bill.is_empty():
        return replay_sizes(metrics, _types(metrics), seed=_SEED, risk=risk, book=book)
    machines = [one for one in running(bill) if one.what == MACHINE and one.instance_type]
    types = {one.resource_id: (one.instance_type or "", one.region) for one in machines}
    return replay_sizes(present(metrics, type_since(bill)), types, seed=_SEED, risk=risk, book=book)


def _types(metrics: pl.DataFrame) -> dict[str, tuple[str, str | None]]:
    """From the metrics' own facts, where there is no bill."""
    import polars as pl

    if "instance_type" not in metrics.columns:
        return {}
    region = pl.col("region") if "region" in metrics.columns else pl.lit(None, pl.String).alias("region")
    facts = metrics.filter(pl.col("instance_type").is_not_null()).select("resource_id", "instance_type", region)
    newest = facts.group_by("resource_id").last()
    return {
        name: (kind, place) for name, kind, place in newest.select("resource_id", "instance_type", "region").iter_rows()
    }


def _commitments(bill: pl.DataFrame, wanted: Wanted, book: Book) -> tuple[CommitmentsReplayed, ...]:
    from aws_auto.ml.cost.backtest_commitments import CommitmentsReplayed, replay_commitments
    from aws_auto.ml.cost.commitments_advice import on_demand_hours
    from aws_auto.ml.cost.offers import from_rates
    from aws_auto.ml.cost.running import by_the_hour

    def nothing(why: str) -> tuple[CommitmentsReplayed, ...]:
        return (CommitmentsReplayed(methods=(), difference={}, decisions=0, currency="unknown", why=why),)

    if bill.is_empty():
        return nothing("there is no bill")
    if not by_the_hour(bill):
        return nothing("a bill by the day does not show the hours")
    offers = (*wanted.offers, *from_rates(book, bill))
    found = [
        replay_commitments(
            {one.name: hours.of(one) for one in offers}, offers, first=hours.first, currency=currency, seed=_SEED
        )
        for currency, hours in on_demand_hours(bill)
    ]
    return tuple(found) or nothing("nothing on the bill is a machine on demand")
