from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aws_auto.errors import NotEnoughData
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
def ws(tmp_path_factory):
    made = open_workspace(tmp_path_factory.mktemp("w") / "w", target="local", environ={}, clock=FixedClock())
    collect(made, SampleSource(clock=made.clock), SPAN)
    return made


def test_without_a_bill_the_next_step_is_said(tmp_path):
    empty = open_workspace(tmp_path / "w", target="local", environ={}, clock=FixedClock())
    with pytest.raises(NotEnoughData, match="no bill") as caught:
        advise(empty, SPAN)
    assert "--data-source cur" in caught.value.hint


def test_the_machines_that_develop_day_and_night_are_found_and_each_is_counted_once(ws):
    said = advise(ws, SPAN).recommendations
    resources = [r for item in said.items for r in item.resources]
    assert len(resources) == len(set(resources))
    assert said.items
    assert all(i.saving.low <= i.saving.expected <= i.saving.high for i in said.items)


def test_the_total_is_the_sum_of_its_parts(ws):
    said = advise(ws, SPAN).recommendations
    (currency,) = said.totals
    parts = sum(i.saving.expected for i in said.items)
    assert said.totals[currency].saving.expected == pytest.approx(parts)


def test_the_report_says_simulated_and_names_every_recommendation(ws):
    found = advise(ws, SPAN)
    html = advice_report(found)
    assert "Simulated data" in html
    for item in found.recommendations.items:
        assert item.resources[0] in html


def test_the_report_shows_ids_and_what_was_decided_and_rejected(ws):
    first, second = advise(ws, SPAN).recommendations.items[:2]
    ledger.accept(ws, first.id)
    ledger.reject(ws, second.id, because="a spare <for> the weekend")
    html = advice_report(advise(ws, SPAN))
    assert "<td>accepted</td>" in html
    assert "a spare &lt;for&gt; the weekend" in html
    assert "Expected saving a month by kind (USD)" in html
    ledger.accept(ws, second.id)


def test_a_bill_alone_is_no_utilisation(ws, tmp_path):
    bill = ws.lake.scan("billing", SPAN).collect()
    alone = open_workspace(tmp_path / "w", target="local", environ={}, clock=FixedClock())
    alone.lake.write(Batch(dataset="billing", rows=bill, window=SPAN, keys=()))
    found = advise(alone, SPAN)
    assert not found.with_metrics
    assert not [one for one in found.recommendations.abstained if "its CPU is not known" in one.reason]
