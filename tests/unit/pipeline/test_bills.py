"""Two bills for one month: the finer one stays, the same payer's later one replaces, another payer's is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, UsageError
from aws_auto.ml.cost.bill import conformed
from aws_auto.pipeline.bills import bill_of
from aws_auto.pipeline.collect import collect
from aws_auto.pipeline.ports import Batch, Window
from fakes import MemoryLake, ScriptedSource, memory_workspace

OCTOBER = Window(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))


def source(cost, *, payer="111", usage_type="BoxUsage:m5.large", name="cur", rows=1):
    at = [OCTOBER.start] * rows
    facts = {"billed_cost": [cost] * rows, "billing_account_id": [payer] * rows, "usage_type": [usage_type] * rows}
    table = conformed(pl.DataFrame({"timestamp": at, **facts}, schema_overrides={"usage_type": pl.String}))

    def script(window):
        yield Batch(dataset="billing", rows=table, window=window, keys=())

    return ScriptedSource(script, name=name, scope=f"{name}:{cost}")


@pytest.fixture
def ws():
    return memory_workspace(lake=MemoryLake())


def costs(ws):
    return ws.lake.scan("billing", OCTOBER).collect()["billed_cost"].to_list()


def daily(cost):
    return source(cost, payer=None, usage_type=None, name="cost-explorer")


def test_a_bill_by_service_never_replaces_one_in_detail(ws):
    collect(ws, source(1.0), OCTOBER)
    found = collect(ws, daily(2.0), OCTOBER)
    assert costs(ws) == [1.0]
    assert found.rows == 0
    assert found.notes == (
        "2026-10: a bill in detail is there already and stays; the one by service and day is left out",
    )


def test_a_bill_in_detail_replaces_one_by_service(ws):
    collect(ws, daily(2.0), OCTOBER)
    found = collect(ws, source(1.0), OCTOBER)
    assert costs(ws) == [1.0]
    assert "replaces the one by service" in found.notes[0]


def test_a_bill_by_service_replaces_an_earlier_one(ws):
    collect(ws, daily(2.0), OCTOBER)
    assert collect(ws, daily(3.0), OCTOBER).notes == ()
    assert costs(ws) == [3.0]


@pytest.mark.parametrize("name", ["cur", "focus"])
def test_what_the_same_payer_restates_is_replaced_in_any_format(ws, name):
    collect(ws, source(1.0), OCTOBER)
    collect(ws, source(1.5, name=name), OCTOBER)
    assert costs(ws) == [1.5]


def test_a_bill_that_names_no_payer_replaces(ws):
    collect(ws, source(1.0), OCTOBER)
    collect(ws, source(1.5, payer=None), OCTOBER)
    assert costs(ws) == [1.5]


def test_the_bill_of_another_payer_is_refused_and_nothing_is_lost(ws):
    collect(ws, source(1.0), OCTOBER)
    with pytest.raises(UsageError, match="payer 222 would replace that of payer 111 for 2026-10") as caught:
        collect(ws, source(9.0, payer="222"), OCTOBER)
    assert "--workspace" in caught.value.hint
    assert costs(ws) == [1.0]


def test_a_month_without_lines_takes_away_what_was_there_as_before(ws):
    collect(ws, source(1.0), OCTOBER)
    collect(ws, source(2.0, rows=0), OCTOBER)
    assert costs(ws) == []


def test_without_a_bill_the_error_says_how_to_add_one(ws):
    with pytest.raises(NotEnoughData, match="holds no bill") as caught:
        bill_of(ws, OCTOBER, command="recommend")
    assert "--data-source cur" in caught.value.hint


def test_a_bill_of_another_time_is_named_with_the_line_that_reads_it(ws):
    collect(ws, source(1.0), OCTOBER)
    later = Window(OCTOBER.end + timedelta(days=90), OCTOBER.end + timedelta(days=120))
    with pytest.raises(NotEnoughData, match="of 2026-10-01 to 2026-10-01") as caught:
        bill_of(ws, later, command="forecast-cost")
    assert caught.value.hint == "read it: aws-auto ml forecast-cost --since 2026-10-01"
    assert len(bill_of(ws, OCTOBER, command="recommend")) == 1
