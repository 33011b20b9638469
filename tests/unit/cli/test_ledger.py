"""The commands of the ledger and of prices, from their words to what they print."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from aws_auto.cli import ledger, pricing
from aws_auto.ml.cost.findings import Money
from aws_auto.ml.cost.ledger import LedgerEntry
from aws_auto.ml.cost.price_book import Rate
from aws_auto.pipeline.workspace import open_workspace
from fakes import FakeClock

SAID = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "w"


@pytest.fixture
def ws(home):
    made = open_workspace(home, target="local", environ={})
    money = Money(expected=10.0, low=5.0, high=12.0, currency="USD")
    words = {"account": None, "region": None, "service": "x", "command": "c", "rollback": "r"}
    times = {"first_said": SAID, "last_said": SAID, "expires": SAID + timedelta(days=30)}
    facts = {"predicted": money, "trouble": None, **words, **times}
    made.ledger.say(
        [LedgerEntry(id=f"idle-{n}", kind="idle", resources=(f"i-{n}",), what=f"stop {n}", **facts) for n in (1, 2)]
    )
    return made


def run(app, home, *words):
    return CliRunner().invoke(app, [*words, "--workspace", str(home)], catch_exceptions=False)


def test_the_ledger_is_listed_with_what_expired(ws, home, tmp_path):
    found = run(ledger.app, home, "--csv", str(tmp_path / "l.csv"))
    assert found.exit_code == 0
    assert "idle-1" in found.output
    assert "expired" in found.output
    assert "10.00 USD (5.00 .. 12.00)" in found.output
    with (tmp_path / "l.csv").open(newline="") as file:
        rows = [(row["id"], row["status"]) for row in csv.DictReader(file)]
    assert rows == [("idle-1", "expired"), ("idle-2", "expired")]
    told = json.loads(CliRunner().invoke(ledger.app, ["--json", "--workspace", str(home)]).stdout)
    assert [one["status"] for one in told] == ["expired", "expired"]


def test_decisions_are_entered_and_what_to_do_next_is_said(ws, home):
    accepted = run(ledger.app, home, "accept", "idle-1")
    assert "it expired on 2026-04-01" in accepted.output
    assert "applied idle-1 --on DAY" in accepted.output
    rejected = run(ledger.app, home, "reject", "idle-2", "--because", "a spare", "--json")
    assert "rejected: a spare" in rejected.output
    run(ledger.app, home, "applied", "idle-1", "--on", "2026-03-10")
    assert [one.status for one in ws.ledger.entries()] == ["applied", "rejected"]
    assert "applied 2026-03-10" in run(ledger.app, home).output


def test_what_was_realised_is_shown_or_why_it_is_not_known(ws, home, tmp_path):
    assert "nothing was applied yet" in run(ledger.app, home, "realised").output
    run(ledger.app, home, "applied", "idle-1", "--on", "2026-03-10")
    found = run(ledger.app, home, "realised", "--csv", str(tmp_path / "r.csv"))
    assert "not known" in found.output
    assert "holds no bill" in found.output
    assert (tmp_path / "r.csv").exists()
    assert (
        json.loads(CliRunner().invoke(ledger.app, ["realised", "--json", "--workspace", str(home)]).stdout)["sums"]
        == []
    )


def test_an_empty_ledger_says_what_fills_it(home):
    assert "nothing was recommended yet" in run(ledger.app, home).output


class Lists:
    """A `PriceSource` of one rate, that has no plans."""

    calls = 4

    def machines(self, region):
        facts = {"unit": "Hrs", "currency": "USD", "as_of": SAID.date(), "source": "AWS"}
        return [Rate(kind="on-demand", region=region, item="m5.large", price=0.1, **facts)]

    def storage(self, region):
        return []

    def plans(self, region, types):
        return []

    def reservations(self, region, types):
        return []


def test_prices_are_refreshed_and_shown_with_their_age(home, capsys):
    made = open_workspace(home, target="local", environ={}, clock=FakeClock(SAID))
    pricing.run(made, Lists(), ["eu-west-1"], as_json=False)
    assert "1 rates of eu-west-1 in 4 calls" in capsys.readouterr().err
    pricing.run(made, Lists(), ["eu-west-1"], as_json=True)
    assert json.loads(capsys.readouterr().out)["rates"] == 1
    shown = run(pricing.app, home)
    assert "eu-west-1" in shown.output
    assert "us-east-1" in shown.output
    assert (
        json.loads(CliRunner().invoke(pricing.app, ["--json", "--workspace", str(home)]).stdout)["stale_after_days"]
        == 180
    )
