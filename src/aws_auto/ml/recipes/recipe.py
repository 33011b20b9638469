"""What every recipe does in the same way: lineage, schema, reference sample, and the decision."""

from __future__ import annotations

import platform
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import NotEnoughData
from aws_auto.frame import RESOURCE, TIMESTAMP, Metric
from aws_auto.ml import files
from aws_auto.ml.evaluation.backtest import split
from aws_auto.results import Decision, Field, Lineage, TrainedModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aws_auto.frame import MetricFrame
    from aws_auto.protocols import Predictor
    from aws_auto.results import BackTest, TrainReport

LEAST_DAYS = 8
_TICK = timedelta(microseconds=1)
#: A gain that is not beyond its interval counts from this share of the rule's figure on.
LEAST_GAIN = 0.05
#: A champion is compared on so much that it has not seen in its training; less says nothing.
LEAST_FRESH = timedelta(days=3)
REFERENCE = "reference.parquet"
REFERENCE_DAYS = 28
REFERENCE_ROWS = 50_000


def lineage(frame: MetricFrame, *, seed: int, simulated: bool) -> Lineage:
    """What the model is made of.

    Raises:
        NotEnoughData: the frame is empty.
    """
    import xgboost

    span = frame.span
    if span is None:
        raise NotEnoughData("there are no rows", where="frame")
    return Lineage(
        data_fingerprint=frame.fingerprint(),
        rows=len(frame.data),
        resources=len(frame.resources),
        start=span[0],
        end=span[1],
        seed=seed,
        versions={
            "python": platform.python_version(),
            "numpy": np.__version__,
            "polars": pl.__version__,
            "xgboost": xgboost.__version__,
        },
        simulated=simulated,
    )


def held_back_from(table: pl.DataFrame, *, where: str) -> datetime:
    """Where the days begin that a model of this table is judged on.

    Raises:
        NotEnoughData: fewer than eight days.
    """
    first, last = table[TIMESTAMP].min(), table[TIMESTAMP].max()
    assert isinstance(first, datetime)  # noqa: S101 - the dtype of the column is fixed
    assert isinstance(last, datetime)  # noqa: S101
    hours = int((last - first) / timedelta(hours=1)) + 1
    return first + timedelta(hours=split(hours, day=24, least_days=LEAST_DAYS, where=where).test)


def fresh_from(trained_until: datetime, *, border: datetime, end: datetime) -> tuple[datetime | None, tuple[str, ...]]:
    """Where the held-back time begins that a champion has not been trained on, and what the report says about it.

    Args:
        trained_until: the last moment of the champion's training.
        border: where the held-back time begins.
        end: where it ends.

    Returns:
        None when less than `LEAST_FRESH` is left, so that a comparison would be one of chance or of memory.
    """
    if trained_until < border:
        return border, ()
    left = max(end - trained_until, timedelta(0))
    days = f"{left / timedelta(days=1):.1f} of {(end - border) / timedelta(days=1):.1f} held-back days"
    if left < LEAST_FRESH:
        why = f"{days} came after its training, {LEAST_FRESH.days} are needed"
        return None, (f"the champion was not compared: {why}; the newer model follows it if it beats the simple rule",)
    return trained_until + _TICK, (f"the champion is compared on the {days} that came after its training",)


def schema(data: pl.DataFrame, *, required: Sequence[str], optional: Iterable[str] = ()) -> tuple[Field, ...]:
    """The columns that a model reads: keys, then ``required``, then ``optional`` numbers with the range they had."""
    fields = [Field(name=RESOURCE, kind="text"), Field(name=TIMESTAMP, kind="time")]
    optional = [name for name in optional if name not in required]
    for name in (*required, *optional):
        column = data[name].drop_nulls()
        low, high = (
            (float(np.min(column.to_numpy())), float(np.max(column.to_numpy()))) if len(column) else (None, None)
        )
        unit = Metric.named(name).unit
        fields.append(Field(name=name, kind="number", unit=unit, required=name in required, low=low, high=high))
    return tuple(fields)


def reference(frame: MetricFrame, fields: Sequence[Field], *, seed: int) -> bytes:
    """What the model knew, for drift: the schema's columns of the last 28 days, thinned evenly in time when large.

    Every resource and every day stays; of the time steps every k-th is kept, starting at a seeded one. Where that is
    less than one an hour, k is made coprime to the day, so that no hour is preferred.
    """
    names = [f.name for f in fields]
    data = frame.data.select(names)
    newest = data[TIMESTAMP].max()
    recent = data.filter(pl.col(TIMESTAMP) > pl.lit(newest) - pl.duration(days=REFERENCE_DAYS))
    every = -(-len(recent) // REFERENCE_ROWS)
    if every > 1:
        step = max(int(min(frame.period().values(), default=3600.0)), 1)
        while every * step > 3600 and any(every % prime == 0 for prime in (2, 3, 5)):
            every += 1
        phase = int(np.random.default_rng(seed).integers(every))
        recent = recent.filter((pl.col(TIMESTAMP).dt.epoch("s") // step) % every == phase)
    return files.to_parquet(recent)


def packed(predictor: Predictor, frame: MetricFrame, report: TrainReport, *, seed: int) -> TrainedModel:
    """A model with its report and the reference for drift, which is of numbers."""
    numbers = [field for field in predictor.schema if field.kind != "text" or field.name == RESOURCE]
    return TrainedModel(
        recipe=report.recipe,
        files={**predictor.files(), REFERENCE: reference(frame, numbers, seed=seed)},
        schema=predictor.schema,
        report=report,
    )


def decide(tests: Sequence[BackTest], *, champion_is_rule: bool = False) -> tuple[Decision, str]:
    """Promote what beats the best simple rule and is not worse than the champion.

    The first back-test decides. A gain counts when it is beyond the interval, or at least `LEAST_GAIN`: the rule is
    already the best of several on these very points, and to ask for proof on top of that costs more than it saves where
    few days are held back. (17 real demand series with 14 days each, then judged on the week after: loss .84 of the
    rule's when a gain had to be beyond the interval, .72 by the figures alone.) A later back-test that is worse beyond
    its interval (a blow-up that a typical resource does not show) is a veto. Without a candidate the champion stays
    when it is at least as good as the simple rule; else the rule wins. The champion is compared on what it has not seen
    in its training.
    """
    test = tests[0]
    sign = 1.0 if test.lower_is_better else -1.0
    fresh = test.fresh
    against = f"{test.metric} {test.ours:.4g} against {test.baseline:.4g} of '{test.baseline_name}'"
    sure = f"difference {test.difference.low:.3g} to {test.difference.high:.3g}, {test.n} {test.unit_of_n}"
    beside = "" if fresh is None else f"{fresh.champion:.4g} against {fresh.ours:.4g} on {fresh.n} {test.unit_of_n}"
    if fresh is not None and sign * fresh.champion <= min(sign * fresh.ours, sign * fresh.baseline):
        what = "the simple rule that is champion" if champion_is_rule else "the champion"
        return Decision.KEEP_CHAMPION, f"{what} has {beside}; {against}"
    gain = sign * (test.baseline - test.ours)
    if not test.beats_baseline and (gain <= 0 or gain < LEAST_GAIN * abs(test.baseline)):
        return Decision.SIMPLE_RULE, f"{against} is no gain, or too small a one to be sure of ({sure})"
    if worse := [t for t in tests[1:] if _clearly_worse(t)]:
        bad = worse[0]
        return Decision.SIMPLE_RULE, f"{against}, but {bad.metric} {bad.ours:.4g} against {bad.baseline:.4g} is worse"
    if fresh is not None and sign * fresh.champion <= sign * fresh.ours:
        return Decision.KEEP_CHAMPION, f"the champion has {beside}; {against}"
    open_yet = "" if test.beats_baseline else ", so that the gain is likely and not proven"
    return Decision.PROMOTE, f"{against} ({sure}){open_yet}" + (f"; the champion has {beside}" if beside else "")


def _clearly_worse(test: BackTest) -> bool:
    return test.difference.low > 0 if test.lower_is_better else test.difference.high < 0
