from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.cost.bill import conformed
from aws_auto.pipeline import ledger
from aws_auto.pipeline.collect import collect
from aws_auto.pipeline.local.sample import SampleSource
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.recommend import advise
from aws_auto.pipeline.web.advice import advice_report
from aws_auto.pipeline.workspace import open_workspace

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SPAN = Window(NOW - timedelta(days=45), NOW)


class FixedClock:
    def now(self):
        return NOW

    def sleep(self, seconds):
        raise AssertionError("nothing waits here")


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    made = open_workspace(tmp_path_factory.mktemp("w") / "w", target="local", environ={}, clock=FixedClock())
    collect(made, SampleSource(clock=made.clock), SPAN)
    return made, advise(made, SPAN)


@pytest.fixture
def ws(collected, tmp_path):
    """The lake of the sample, and a ledger of one's own."""
    made, found = collected
    fresh = open_workspace(tmp_path / "w", target="local", environ={}, clock=FixedClock())
    mine = replace(made, ledger=fresh.ledger)
    ledger.say(mine, found.recommendations.items)
    return mine


def test_what_is_recommended_stands_in_the_ledger(ws, collected):
    _, found = collected
    assert [one.id for one in ws.ledger.entries()] == [one.id for one in found.recommendations.items]
    assert {one.status for one in ws.ledger.entries()} == {"open"}
    assert set(found.ledger) == {one.id for one in found.recommendations.items}


def test_what_is_recommended_again_has_the_same_id(ws, collected):
    again = advise(ws, SPAN)
    assert set(again.ledger) == set(collected[1].ledger)


def test_the_beginning_of_an_id_is_enough_where_it_is_the_only_one(ws):
    first = ws.ledger.entries()[0]
    assert ledger.accept(ws, first.id[:-2]).id == first.id
    with pytest.raises(UsageError, match="begins"):
        ledger.accept(ws, "")
    with pytest.raises(UsageError, match="'nothing' was recommended"):
        ledger.accept(ws, "nothing")


def test_what_is_rejected_is_not_recommended_again_until_it_is_accepted(ws):
    first = ws.ledger.entries()[0]
    ledger.reject(ws, first.id, because=" people work at night ")
    found = advise(ws, SPAN)
    assert first.id not in {one.id for one in found.recommendations.items}
    assert [(one.id, one.because) for one in found.rejected] == [(first.id, "people work at night")]
    ledger.accept(ws, first.id)
    assert first.id in {one.id for one in advise(ws, SPAN).recommendations.items}


def test_a_rejection_says_why(ws):
    with pytest.raises(UsageError, match="needs its reason"):
        ledger.reject(ws, ws.ledger.entries()[0].id, because="  ")


def test_what_is_done_tomorrow_is_not_done(ws):
    with pytest.raises(UsageError, match="in the future"):
        ledger.applied(ws, ws.ledger.entries()[0].id, on=date(2026, 6, 2))


def test_metrics_of_a_machine_count_from_the_day_after_its_last_change(ws):
    one = replace(ws.ledger.entries()[0], kind="rightsize", resources=("i-1",), applied_on=date(2026, 5, 1))
    later = replace(one, applied_on=date(2026, 5, 9))
    schedule = replace(one, kind="schedule", applied_on=date(2026, 5, 20))
    assert ledger.changes([one, later, schedule]) == {"i-1": datetime(2026, 5, 10, tzinfo=UTC)}


def test_nothing_applied_is_an_empty_account(ws):
    assert ledger.account(ws) == ledger.Account(items=(), sums=())


def test_predicted_and_realised_are_summed_over_what_is_known(ws):
    known, unknown = ws.ledger.entries()[:2]
    ledger.applied(ws, known.id, on=date(2026, 5, 10))
    ledger.applied(ws, unknown.id, on=date(2026, 5, 31))
    found = ledger.account(ws)
    assert [one.saving is not None for one in found.items] == [True, False]
    (total,) = found.sums
    assert total.entries == 1
    assert total.predicted == pytest.approx(known.predicted.expected)
    assert total.realised == pytest.approx(found.items[0].saving.expected)


def test_without_a_bill_since_then_nothing_is_known(ws, tmp_path):
    empty = open_workspace(tmp_path / "empty", target="local", environ={}, clock=FixedClock())
    ledger.applied(ws, ws.ledger.entries()[0].id, on=date(2026, 5, 10))
    for found in (ledger.account(replace(ws, lake=empty.lake)), _with_old_bill(replace(ws, lake=empty.lake))):
        assert found.items[0].saving is None
        assert "no bill" in found.items[0].why
        assert found.sums == ()


def _with_old_bill(ws):
    at = datetime(2020, 1, 1, tzinfo=UTC)
    rows = conformed(pl.DataFrame({"timestamp": [at], "billed_cost": [1.0], "charge_category": ["Usage"]}))
    ws.lake.write(Batch(dataset="billing", rows=rows, window=Window(at, at + timedelta(days=1)), keys=()))
    return ledger.account(ws)


class Later(FixedClock):
    """Two months after the bill ended."""

    def now(self):
        return NOW + timedelta(days=61)


def test_what_an_old_bill_says_has_expired_when_it_is_said_and_every_list_says_so(collected, tmp_path):
    fresh = open_workspace(tmp_path / "w", target="local", environ={}, clock=Later())
    found = advise(replace(fresh, lake=collected[0].lake, journal=collected[0].journal), SPAN)
    assert {one.status for one in found.ledger.values()} == {"expired"}
    assert {one.id: one.status for one in fresh.ledger.entries()} == {i: e.status for i, e in found.ledger.items()}
    page = advice_report(found)
    assert "expired" in page
    assert ">open<" not in page
