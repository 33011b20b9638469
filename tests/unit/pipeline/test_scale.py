from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aws_auto.errors import ModelNotFound, UsageError
from aws_auto.ml.scaling.aws_plan import Address, Bounds
from aws_auto.ml.scaling.timeline import Constraints
from aws_auto.pipeline.plan import Create, Delete, Resource
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.scale import JOURNAL, Asked, apply, scale
from aws_auto.pipeline.web.scale_plan import scaling_report
from aws_auto.pipeline.workspace import open_workspace
from fakes import FakeClock
from scaling_estate import the_estate, trained

START, END = the_estate().span
NOW = END + timedelta(minutes=40)
SPAN = Window(START, NOW)
QUESTION = Asked(constraints=Constraints(most=30))
FACTS = ("resource_type", "service", "region", "instance_type")


class FakeScaling:
    """AWS as a dictionary."""

    def __init__(self, there=(), bounds=None):
        self.there = {r.key: r for r in there}
        self.given = bounds or {}
        self.done = []

    def bounds(self, addresses):
        return {a: self.given[a] for a in addresses if a in self.given}

    def observe(self, addresses):
        return self.there

    def apply(self, change):
        self.done.append(change)


def open_at(folder):
    return open_workspace(folder, target="local", environ={}, clock=FakeClock(NOW))


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    made = open_at(tmp_path_factory.mktemp("scale") / "w")
    data = the_estate().data
    made.lake.write(Batch(dataset="metrics", rows=data.drop(FACTS), window=SPAN))
    facts = data.group_by("resource_id", maintain_order=True).first().select("resource_id", "timestamp", *FACTS)
    made.lake.write(Batch(dataset="resources", rows=facts, window=SPAN))
    for name, model in trained().items():
        made.registry.promote(name, made.registry.register(name, model).version, reason="test")
    return made


@pytest.fixture(scope="module")
def found(ws):
    return scale(ws, SPAN, QUESTION)


def test_every_fleet_has_a_plan_with_latency_money_and_requests(found):
    assert {p.resource for p in found.plans} == {"web", "box"} == set(found.performance) == set(found.made)
    assert found.usd_difference == pytest.approx(sum(p.usd_difference for p in found.plans))
    assert found.versions == dict.fromkeys(trained(), 1)
    assert not found.simulated
    assert not found.observed
    assert found.changes.count(Create) == sum(map(len, found.made.values()))
    assert any("AWS was not looked at" in n for n in found.notes)
    assert any("ecs:service/default/box is assumed" in n for n in found.notes)


def test_the_report_shows_plans_requests_and_what_is_left_open(found):
    html = scaling_report(replace(found, left_out={"x": "its demand could not be forecast"}, simulated=True))
    for text in ("Scaling plan", "Simulated data", "web", "PredefinedMetricType", "gives the floor back", "Left out"):
        assert text in html
    bare = scaling_report(replace(found, plans=(), performance={}, made={}, observed=True))
    assert "no fleet has a plan" in bare
    assert "Against what is in AWS" in bare


def test_only_what_was_asked_for_is_planned_and_addressed_as_was_said(ws):
    address = Address.parse("ecs:service/prod/box")
    found = scale(ws, SPAN, replace(QUESTION, only=("box",), addresses={"box": address}, horizon=2))
    assert [p.resource for p in found.plans] == ["box"]
    assert {r.address for r in found.made["box"]} == {address}
    assert len(found.plans[0].steps) == 2
    with pytest.raises(UsageError, match="nothing is known of nobody"):
        scale(ws, SPAN, replace(QUESTION, only=("nobody",)))


def test_a_table_is_planned_from_the_requests_that_are_forecast(ws):
    table = {"web-alb": Address.parse("dynamodb:table/orders")}
    found = scale(ws, SPAN, replace(QUESTION, constraints=Constraints(), addresses=table, table_units=2.0))
    plan = next(p for p in found.plans if p.resource == "web-alb")
    assert plan.need == pytest.approx(2 * plan.demand)
    assert found.usd_difference is None
    assert "price unknown" in scaling_report(found)


def test_other_types_and_spot_are_chosen_among_where_they_are_named(ws):
    asked = replace(QUESTION, only=("web",), types=("m6i.xlarge",), spot_prices={"m6i.large": 0.02})
    plan = scale(ws, SPAN, asked).plans[0]
    assert "m6i.large spot" in plan.resources
    assert any("memory is not looked at" in n for n in plan.notes)
    remarks = scale(ws, SPAN, asked).notes
    assert any("mixed policy" in n for n in remarks)


def test_an_objective_can_be_asked_about(ws, found):
    strict = scale(ws, SPAN, replace(QUESTION, objective_ms=1.0))
    assert strict.performance["web"][0].objective == 1.0
    assert strict.performance["web"][0].breach > found.performance["web"][0].breach


def test_what_is_there_is_compared_with_and_bounds_are_kept(ws):
    web = Address("autoscaling", "web")
    old = Resource(kind="AutoScaling::ScheduledAction", name="autoscaling:web/aws-auto-old", properties={"MinSize": 1})
    policy = Resource(kind="AutoScaling::ScalingPolicy", name="autoscaling:gone/aws-auto-target-tracking")
    box = Address.parse("ecs:service/default/box")
    target = Resource(
        kind="ApplicationAutoScaling::ScalableTarget",
        name=f"{box}/{box.name}",
        properties={"MinCapacity": 3, "MaxCapacity": 30},
    )
    where = FakeScaling([old, policy, target], {web: Bounds(2, 40)})
    found = scale(ws, SPAN, QUESTION, where=where)
    assert found.observed
    assert [c.old for c in found.changes.changes if isinstance(c, Delete)] == [old]
    assert not any("ScalableTarget" in getattr(c, "new", old).key for c in found.changes.changes)
    assert min(r.body["MinSize"] for r in found.made["web"] if "MinSize" in r.body) >= 2
    assert any("ecs:service/default/box is not there" in n for n in found.notes)
    small = Resource(kind=target.kind, name=target.name, properties={"MinCapacity": 1, "MaxCapacity": 1})
    grown = scale(ws, SPAN, QUESTION, where=FakeScaling([small]))
    assert any("ScalableTarget" in getattr(c, "new", old).key for c in grown.changes.changes)


def test_an_approved_plan_is_carried_out_change_by_change_and_written_down(ws):
    where = FakeScaling()
    found = scale(ws, SPAN, QUESTION, where=where)
    told = []
    assert apply(ws, found, where, progress=lambda *step: told.append(step)) == len(found.changes.changes)
    assert where.done == list(found.changes.changes)
    written = ws.journal.entries(JOURNAL)
    assert len(written) == len(where.done) == len(told)
    assert {e.detail["plan"] for e in written} == {found.changes.checksum()}


def test_a_plan_that_was_not_compared_is_not_applied(ws, found):
    with pytest.raises(UsageError, match="not compared"):
        apply(ws, found, FakeScaling())


def test_without_a_performance_predictor_latency_is_unknown_and_without_the_others_there_is_no_plan(ws, tmp_path):
    bare = open_at(tmp_path / "w")
    with pytest.raises(ModelNotFound, match="no champion of demand-forecaster") as caught:
        scale(bare, SPAN, QUESTION)
    assert "capacity-planner" in caught.value.hint
    for name in ("demand-forecaster", "capacity-planner"):
        bare.registry.promote(name, bare.registry.register(name, trained()[name]).version, reason="test")
    found = scale(replace(ws, registry=bare.registry), SPAN, QUESTION)
    assert found.performance == {}
    assert any("no champion of performance-predictor" in n for n in found.notes)
    assert "unknown" in scaling_report(found)
