"""Flags become a question, answers become tables and JSON, and nothing is applied unasked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import typer
from typer.testing import CliRunner

from aws_auto.cli import scaling
from aws_auto.cli.scaling import Mode
from aws_auto.errors import UsageError
from aws_auto.pipeline import workspace
from aws_auto.pipeline.plan import Plan
from aws_auto.pipeline.ports import Batch
from aws_auto.pipeline.workspace import open_workspace
from fakes import FakeClock
from scaling_estate import the_estate, trained

START, END = the_estate().span
NOW = END + timedelta(minutes=40)


class FakeScaling:
    """AWS where nothing is yet; remembers what was done."""

    def __init__(self):
        self.done = []

    def bounds(self, addresses):
        return {}

    def observe(self, addresses):
        return {}

    def apply(self, change):
        self.done.append(change)


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    made = open_workspace(tmp_path_factory.mktemp("cli") / "w", target="local", environ={}, clock=FakeClock(NOW))
    made.lake.write(Batch(dataset="metrics", rows=the_estate().data, window=workspace_window()))
    for name, model in trained().items():
        made.registry.promote(name, made.registry.register(name, model).version, reason="test")
    return made


def workspace_window():
    from aws_auto.pipeline.ports import Window

    return Window(START, NOW)


@pytest.fixture
def run(ws, monkeypatch):
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command()(scaling.scale)
    monkeypatch.setattr(scaling, "opened", lambda *_: ws)
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*words, **options):
        return CliRunner().invoke(app, ["scale", *words], **options)

    return invoke


def test_the_tables_show_the_timeline_and_the_requests_and_say_what_comes_next(run):
    done = run("--max", "20", "--window", "30d")
    assert done.exit_code == 0, done.output
    assert "m6i.large on-demand" in done.stdout
    assert "ASGAverageCPUUtilization at" in done.stdout
    assert "gives the floor back" in done.stdout
    assert "next: compare with what is there" in done.stderr
    assert "USD against the fleets as they are" in done.stderr


def test_json_holds_every_request_as_aws_takes_it(run):
    done = run("--json", "--horizon", "2", "--resource", "web")
    told = json.loads(done.stdout)
    assert told["mode"] == "forecast-only"
    assert {r["operation"] for r in told["requests"]} == {"PutScalingPolicy", "PutScheduledUpdateGroupAction"}
    assert [len(p["steps"]) for p in told["plans"]] == [2]
    assert {c["change"] for c in told["changes"]} == {"create"}
    assert not told["compared_with_aws"]


def test_every_flag_becomes_a_part_of_the_question():
    asked = scaling.asked(
        horizon=6,
        least=2,
        most=9,
        risk=0.02,
        boot="10m",
        hold="2h",
        spot_share=0.5,
        budget=3.0,
        types=["m6i.xlarge"],
        spot_prices=["m6i.large=0.04"],
        objective=250.0,
        addresses=["orders=dynamodb:table/orders:write"],
        table_units=2.0,
        resources=["web"],
    )
    rules = asked.constraints
    assert (rules.least, rules.most, rules.slo, rules.spot_share, rules.budget) == (2, 9, 0.02, 0.5, 3.0)
    assert (rules.boot, rules.hold) == (timedelta(minutes=10), timedelta(hours=2))
    assert (asked.horizon, asked.types, asked.spot_prices) == (6, ("m6i.xlarge",), {"m6i.large": 0.04})
    assert str(asked.addresses["orders"]) == "dynamodb:table/orders:write"
    assert (asked.objective_ms, asked.table_units, asked.only) == (250.0, 2.0, ("web",))


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("--boot", "soon"), "--boot"),
        (("--spot-price", "m6i.large"), "--spot-price"),
        (("--spot-price", "m6i.large=cheap"), "--spot-price"),
        (("--spot-price", "m6i.large=-1"), "--spot-price"),
        (("--aws", "web=lambda:x"), "--aws"),
        (("--risk", "2"), "constraints"),
        (("--apply",), "--apply"),
    ],
)
def test_a_flag_that_cannot_be_read_is_refused_before_anything_is_done(run, words, where):
    error = run(*words).exception
    assert isinstance(error, UsageError)
    assert error.where == where


@pytest.fixture
def found(ws):
    from aws_auto.pipeline.scale import scale

    question = scaling.asked(
        horizon=2,
        least=1,
        most=None,
        risk=0.05,
        boot="5m",
        hold="1h",
        spot_share=1.0,
        budget=None,
        types=[],
        spot_prices=[],
        objective=None,
        addresses=[],
        table_units=1.0,
        resources=[],
    )
    return scale(ws, workspace_window(), question, where=FakeScaling())


def test_a_plan_is_carried_out_after_a_yes_only(ws, found, monkeypatch):
    where = FakeScaling()
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
    scaling.carry_out(ws, found, where, yes=False)
    assert where.done == []
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: True)
    scaling.carry_out(ws, found, where, yes=False)
    assert len(where.done) == len(found.changes.changes)
    more = FakeScaling()
    scaling.carry_out(ws, found, more, yes=True)
    assert len(more.done) == len(found.changes.changes)


def test_nothing_is_applied_where_there_is_no_aws_or_figures_are_simulated_or_nothing_is_to_do(ws, found, capsys):
    with pytest.raises(UsageError, match="only AWS"):
        scaling.carry_out(ws, found, None, yes=True)
    with pytest.raises(UsageError, match="simulated figures"):
        scaling.carry_out(ws, replace(found, simulated=True), FakeScaling(), yes=True)
    scaling.carry_out(ws, replace(found, changes=Plan(changes=())), FakeScaling(), yes=True)
    assert "nothing to apply" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mode", "text"), [(Mode.FORECAST_ONLY, "watch a few forecasts"), (Mode.FORECAST_AND_SCALE, "next: add --apply")]
)
def test_what_comes_next_depends_on_the_mode(ws, found, tmp_path, capsys, mode, text):
    shown = replace(found, simulated=True, left_out={"x": "why"})
    scaling.show(ws, shown, mode=mode, html=tmp_path / "r.html", as_json=False)
    said = capsys.readouterr()
    assert text in said.err
    assert "against what is in AWS" in said.err
    assert "no plan for x: why" in said.err
    assert "simulated data" in said.err
    assert (tmp_path / "r.html").exists()


def test_the_aws_target_looks_at_aws(ws, found, monkeypatch):
    class Named:
        name = "aws"

        def observe(self):
            return {}

    seen = []
    from aws_auto.pipeline.aws import scaling as adapter

    fake = FakeScaling()
    monkeypatch.setattr(adapter, "open_scaling", lambda environ, clock, region: seen.append(region) or fake)
    question = scaling.asked(
        horizon=1, least=1, most=None, risk=0.05, boot="5m", hold="1h", spot_share=1.0, budget=None, types=[],
        spot_prices=[], objective=None, addresses=[], table_units=1.0, resources=["web"],
    )  # fmt: skip
    told, where = scaling.run(replace(ws, target=Named()), workspace_window(), question, region="eu-west-1")
    assert seen == ["eu-west-1"]
    assert where is fake
    assert told.observed
    assert workspace.TARGETS == ("auto", "local", "aws")
