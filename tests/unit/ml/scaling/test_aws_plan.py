from __future__ import annotations

from datetime import UTC, datetime, timedelta

import botocore.session
import numpy as np
import pytest
from botocore.validate import validate_parameters

from aws_auto.errors import UsageError
from aws_auto.ml.scaling.aws_plan import OPERATIONS, Address, Bounds, address_of, expiry, requests
from aws_auto.ml.scaling.capacity import Knee
from aws_auto.ml.scaling.fleet import Offer
from aws_auto.ml.scaling.timeline import LEVELS, Constraints, plan_fleet

START = datetime(2026, 1, 5, 13, tzinfo=UTC)
NOW = START - timedelta(minutes=20)
KNEE = Knee(utilisation=0.6, work=0.05, usual_load=50.0, usual_instances=5.0, price=0.1, measured=True)
ADDRESSES = (
    "autoscaling:web-asg",
    "ecs:service/prod/checkout",
    "sagemaker:endpoint/ranker/variant/main",
    "dynamodb:table/orders",
    "dynamodb:table/orders:write",
)
MODELS = botocore.session.get_session()


def planned(*needs, constraints=None, had=4):
    need = np.array([np.full(len(LEVELS), float(n)) for n in needs])
    return plan_fleet(
        "web",
        starts=[START + timedelta(hours=h) for h in range(len(needs))],
        demand=need * 10,
        need=need,
        reactive=0.0,
        running={("m6i.large", "on-demand"): had},
        constraints=constraints or Constraints(hold=timedelta(0), shrink=1.0),
        offers=(Offer(name="m6i.large", capacity=1.0, price=0.1),),
    )


def asked(plan, text="autoscaling:web-asg", *, constraints=None, now=NOW, bounds=None, knee=KNEE):
    address = Address.parse(text)
    knee = None if address.kind == "dynamodb" else knee
    return requests(plan, address, knee, constraints or Constraints(), now=now, bounds=bounds)


def actions(made):
    return [r for r in made if r.kind.endswith("::ScheduledAction")]


@pytest.mark.parametrize("bounds", [None, Bounds(1, 30)])
@pytest.mark.parametrize("text", ADDRESSES)
def test_every_request_is_one_that_the_service_model_accepts(text, bounds):
    made = asked(planned(5, 9, 3), text, bounds=bounds, constraints=Constraints(most=None if bounds else 20))
    assert {"ScalingPolicy", "ScheduledAction"} <= {r.kind.partition("::")[2] for r in made}
    for request in made:
        service, operation = OPERATIONS[request.kind]
        shape = MODELS.get_service_model(service).operation_model(operation).input_shape
        validate_parameters(dict(request.body), shape)
        for key, value in request.body.items():
            enum = getattr(shape.members[key], "enum", None)
            assert not enum or value in enum, key


@pytest.mark.parametrize("text", ADDRESSES)
def test_the_metric_of_target_tracking_is_one_that_the_service_knows(text):
    policy = next(r for r in asked(planned(5), text) if r.kind.endswith("::ScalingPolicy"))
    service, _ = OPERATIONS[policy.kind]
    told = policy.body.get("TargetTrackingConfiguration") or policy.body["TargetTrackingScalingPolicyConfiguration"]
    metric = told["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert metric in MODELS.get_service_model(service).shape_for("MetricType").enum
    assert policy.expires is None


def test_floors_rise_before_the_hour_fall_with_it_and_are_given_back_at_the_end():
    made = actions(asked(planned(5, 9, 9, 3)))
    told = [(r.body["StartTime"], r.body["MinSize"], r.expires) for r in made]
    hour = timedelta(hours=1)
    assert told == [
        ("2026-01-05T12:55:00Z", 5, START + hour - timedelta(minutes=5)),
        ("2026-01-05T13:55:00Z", 9, START + 3 * hour),
        ("2026-01-05T16:00:00Z", 3, START + 4 * hour),
        ("2026-01-05T17:00:00Z", 1, START + 4 * hour),
    ]
    assert expiry(made) == START + 4 * hour
    assert made[-1].why == "gives the floor back"


def test_nothing_is_scheduled_in_the_past():
    late = START + timedelta(minutes=58)
    made = actions(asked(planned(5, 9, 9), now=late))
    assert [(r.body["StartTime"], r.body["MinSize"]) for r in made] == [
        ("2026-01-05T14:00:00Z", 9),
        ("2026-01-05T16:00:00Z", 1),
    ]
    assert actions(asked(planned(5, 9), now=START + timedelta(hours=5))) == []
    assert expiry(()) is None


def test_a_floor_is_never_below_the_bounds_that_stand_and_a_ceiling_only_where_somebody_said_one():
    free = actions(asked(planned(5, 9)))
    assert all("MaxSize" not in r.body for r in free)
    there = actions(asked(planned(2, 9), bounds=Bounds(3, 7)))
    assert [r.body["MinSize"] for r in there] == [3, 9, 3]
    assert {r.body["MaxSize"] for r in there} == {9}
    said = actions(asked(planned(2, 9), constraints=Constraints(most=12), bounds=Bounds(1, 40)))
    assert {r.body["MaxSize"] for r in said} == {12}


def test_application_auto_scaling_gets_its_own_words():
    target, policy, *floors = asked(planned(5, 9), "ecs:service/prod/checkout")
    assert target.body == {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/prod/checkout",
        "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 1,
        "MaxCapacity": 18,
    }
    tracking = policy.body["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 60.0
    assert floors[0].body["Schedule"] == "at(2026-01-05T12:55:00)"
    assert floors[0].body["ScalableTargetAction"] == {"MinCapacity": 5}
    _, variant, *_ = asked(planned(5), "sagemaker:endpoint/ranker/variant/main")
    assert variant.body["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == pytest.approx(60 * 0.6 / 0.05)
    blind = KNEE.__class__(**{**vars(KNEE), "measured": False})
    assert "is assumed" in asked(planned(5), knee=blind)[0].why


def test_a_fleet_of_instances_is_no_table():
    with pytest.raises(UsageError, match="no fleet of instances"):
        requests(planned(5), Address.parse("autoscaling:web"), None, Constraints(), now=NOW)


@pytest.mark.parametrize(
    "text",
    ["web", "autoscaling:", "autoscaling:a/b", "ecs:prod/checkout", "lambda:function/x", "dynamodb:table/x:delete"],
)
def test_an_address_that_is_none_is_refused_with_examples(text):
    with pytest.raises(UsageError) as caught:
        Address.parse(text)
    assert "autoscaling:my-group" in caught.value.hint


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_reads_as_it_was_written(text):
    assert str(Address.parse(text)) == text


def test_addresses_are_read_from_arns_and_assumed_aloud_from_types():
    group = "arn:aws:autoscaling:eu-west-1:1:autoScalingGroup:*:autoScalingGroupName/web"
    assert address_of(group, None) == (Address("autoscaling", "web"), "")
    service = "arn:aws:ecs:eu-west-1:1:service/prod/checkout"
    assert address_of(service, "ecs") == (Address.parse("ecs:service/prod/checkout"), "")
    assert address_of("web", "asg") == (Address("autoscaling", "web"), "")
    address, remark = address_of("checkout", "ecs")
    assert str(address) == "ecs:service/default/checkout"
    assert "is assumed" in remark
    nothing, remark = address_of("i-1", "ec2")
    assert nothing is None
    assert "--aws i-1=" in remark
