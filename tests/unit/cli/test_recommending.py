"""Flags become values, tables become CSV that a spreadsheet opens as text."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime

import pytest

from aws_auto.cli import recommending, sheets
from aws_auto.errors import UsageError
from aws_auto.ml.cost.findings import Abstained, Money, Recommendation
from aws_auto.ml.cost.ledger import LedgerEntry, Realised
from aws_auto.results import Line

MONEY = Money(expected=10.004, low=5.0, high=12.0, currency="USD")
AT = datetime(2026, 3, 2, tzinfo=UTC)


def entry(**facts):
    words = {"account": None, "region": None, "service": "x", "what": "=cmd()", "command": "c", "rollback": "r"}
    times = {"first_said": AT, "last_said": AT, "expires": AT}
    return LedgerEntry(
        id="idle-1", kind="idle", resources=("a", "b"), predicted=MONEY, trouble=None, **{**words, **times, **facts}
    )


def test_flags_become_what_the_user_brings():
    asked = recommending.wanted(None, "5%", ["eur=1.10", "CNY=0.14"])
    assert (asked.risk, dict(asked.dollars), asked.offers) == (0.05, {"EUR": 1.10, "CNY": 0.14}, ())
    assert recommending.wanted(None, None, []).risk is None


@pytest.mark.parametrize(
    ("text", "said"),
    [("0%", "is no share of a whole"), ("100%", "is no share of a whole"), ("some", "not a percentage")],
)
def test_a_risk_is_between_nothing_and_all(text, said):
    with pytest.raises(UsageError, match=said) as caught:
        recommending.wanted(None, text, [])
    assert caught.value.where == "--risk"


@pytest.mark.parametrize("text", ["EUR", "EUR=", "EUR=-1", "EU=1", "EURO=x"])
def test_what_is_no_worth_of_a_currency_is_refused(text):
    with pytest.raises(UsageError, match="is not what a currency is worth"):
        recommending.wanted(None, None, [text])


def test_advice_as_csv_has_a_cell_for_every_column(tmp_path, capsys):
    said = Recommendation(
        kind="idle",
        resources=("vol-1", "vol-2"),
        account="1",
        region="us-east-1",
        service="EBS volume",
        what="delete it",
        saving=MONEY,
        trouble=None,
        trouble_from="unknown",
        effort="low",
        risk="none",
        evidence=Line(name="", x=(), y=()),
        rollback="back",
        expires=AT,
        command="aws\nec2",
        alternatives=("one", "two"),
    )
    path = tmp_path / "advice.csv"
    sheets.write(path, sheets.ADVICE, [sheets.of_advice(said, "open")])
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["id"] == said.id
    assert (row["saving_expected"], row["trouble"], row["command"]) == ("10.0", "", "aws\nec2")
    assert (row["resources"], row["alternatives"]) == ("vol-1 vol-2", "one; two")
    assert "CSV: " in capsys.readouterr().err


def test_what_a_spreadsheet_would_run_is_written_as_text(tmp_path):
    path = tmp_path / "ledger.csv"
    sheets.write(path, sheets.LEDGER, [sheets.of_entry(entry(decided_at=AT, status="accepted"))])
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["what"] == "'=cmd()"
    assert row["decided_at"] == "2026-03-02T00:00:00+00:00"


def test_what_is_not_known_yet_is_an_empty_cell(tmp_path):
    path = tmp_path / "realised.csv"
    applied = entry(applied_on=date(2026, 3, 1))
    rows = [Realised(entry=applied, saving=None, why="too early"), Realised(entry=applied, saving=MONEY, why="known")]
    sheets.write(path, sheets.REALISED, [sheets.of_realised(one) for one in rows])
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["realised_expected"], first["from"]) == ("", "too early")
    assert second["realised_expected"] == "10.0"


def test_what_has_one_reason_is_told_in_one_line_dearest_first():
    cheap = Abstained(what="a volume", reason="it is not known", collect="metrics")
    dear = [Abstained(what=f"i-{k}", reason="no price", collect="prices", monthly=MONEY) for k in range(7)]
    first, second = recommending._left_open([cheap, *dear])
    assert first == (
        "nothing is said about i-0; i-1; i-2; i-3; i-4 and 2 more (70.03 USD a month): no price; collect prices"
    )
    assert second == "nothing is said about a volume: it is not known; collect metrics"
