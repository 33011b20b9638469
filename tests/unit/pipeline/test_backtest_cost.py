from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.cli import backtesting
from aws_auto.errors import NotEnoughData
from aws_auto.ml.cost import prices
from aws_auto.ml.cost.bill import conformed
from aws_auto.ml.cost.commitments import Offer
from aws_auto.pipeline.backtest_cost import backtest
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.recommend import Wanted
from aws_auto.pipeline.web.backtest import cost_report
from aws_auto.pipeline.workspace import open_workspace

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SPAN = Window(NOW - timedelta(days=70), NOW)
KIND = "m5.2xlarge"
PLAN = Offer(name="plan", discount=0.3, source="a quote", term=timedelta(days=365))
MACHINES = [f"i-{k}" for k in range(3)]


class FixedClock:
    def now(self):
        return NOW

    def sleep(self, seconds):
        raise AssertionError("nothing waits here")


def moments(step=1):
    return [SPAN.start + timedelta(hours=h) for h in range(0, 70 * 24, step)]


def metrics(ws, *, facts=False):
    times = moments()
    cpu = np.where(np.arange(len(times)) % 24 == 10, 20.0, 18.0).tolist()
    columns = {"cpu_utilization_max": cpu, "memory_utilization_max": [20.0] * len(times)}
    said = {"instance_type": [KIND] * len(times), "region": ["us-east-1"] * len(times)} if facts else {}
    rows = [pl.DataFrame({"resource_id": [m] * len(times), "timestamp": times, **columns, **said}) for m in MACHINES]
    ws.lake.write(Batch(dataset="metrics", rows=pl.concat(rows), window=SPAN))


def bill(ws, *, step=1):
    times = moments(step)
    price = prices.table()[KIND].usd_per_hour
    for_all = [
        pl.DataFrame(
            {
                "timestamp": times,
                "charge_period_end": [at + timedelta(hours=step) for at in times],
                "resource_id": [name] * len(times),
                "usage_type": [f"BoxUsage:{KIND}"] * len(times),
                "instance_type": [KIND] * len(times),
                "region_id": ["us-east-1"] * len(times),
                "charge_category": ["Usage"] * len(times),
                "service_name": ["EC2"] * len(times),
                "billing_currency": ["USD"] * len(times),
                "consumed_quantity": [float(step)] * len(times),
                "billed_cost": [price * step] * len(times),
                "effective_cost": [price * step] * len(times),
            }
        )
        for name in MACHINES
    ]
    rows = conformed(pl.concat(for_all))
    ws.lake.write(Batch(dataset="billing", rows=rows, window=SPAN, keys=()))


@pytest.fixture
def ws(tmp_path):
    return open_workspace(tmp_path / "w", target="local", environ={}, clock=FixedClock())


def test_sizes_and_commitments_are_replayed_and_shown(ws, capsys):
    metrics(ws)
    bill(ws)
    found = backtest(ws, SPAN, Wanted(offers=(PLAN,), risk=0.5))
    assert found.sizes.machines == 3
    assert {one.method for one in found.sizes.methods} >= {"ours", "clairvoyant"}
    (plan,) = found.commitments
    assert (plan.currency, plan.methods[0].offer) == ("USD", "plan")
    html = cost_report(found)
    for text in ("Smaller sizes", "Commitments (USD)", "clairvoyant", "unmet vCPU hours"):
        assert text in html
    backtesting._tables(found)
    shown = capsys.readouterr()
    assert "maximum savings on the look-back" in shown.out
    assert "decisions on 3 machines, at a stated risk of 50%" in shown.err


def test_without_rates_and_history_each_says_why(ws, capsys):
    bill(ws)
    found = backtest(ws, SPAN)
    assert "no CPU maximum" in found.sizes.why
    assert "no rates are known" in found.commitments[0].why
    html = cost_report(found)
    assert html.count("Not replayed: ") == 2
    backtesting._tables(found)
    assert "sizes are not replayed" in capsys.readouterr().err


def test_without_a_bill_the_metrics_say_what_runs(ws):
    metrics(ws, facts=True)
    found = backtest(ws, SPAN, Wanted(risk=0.5))
    assert found.sizes.machines == 3
    assert found.commitments[0].why == "there is no bill"


def test_metrics_that_do_not_say_what_runs_are_not_enough(ws):
    metrics(ws)
    assert "no CPU maximum of a machine" in backtest(ws, SPAN).sizes.why


def test_a_bill_by_the_day_shows_no_hours(ws):
    bill(ws, step=24)
    assert backtest(ws, SPAN, Wanted(offers=(PLAN,))).commitments[0].why == "a bill by the day does not show the hours"


def test_an_empty_workspace_says_what_is_missing(ws):
    with pytest.raises(NotEnoughData, match="neither a bill nor metrics"):
        backtest(ws, SPAN)
