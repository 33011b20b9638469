"""Every command is one that AWS has, with options that it has, whatever the resource is called."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta

import botocore.session
import polars as pl
import pytest
from botocore import xform_name

from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.root_cause.actions import STEPS, UNKNOWN, actions
from aws_auto.ml.anomaly.root_cause.patterns import PATTERNS
from aws_auto.ml.anomaly.root_cause.results import Incident, PatternMatch

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLACE = "us-east-1:111122223333"
IDS = {
    "ec2": "i-0123456789abcdef0",
    "asg": f"arn:aws:autoscaling:{PLACE}:autoScalingGroup:*:autoScalingGroupName/web",
    "elb": f"arn:aws:elasticloadbalancing:{PLACE}:loadbalancer/app/front/50dc6c495c0c9188",
    "rds": f"arn:aws:rds:{PLACE}:db:orders",
    "lambda": f"arn:aws:lambda:{PLACE}:function:resize",
    "dynamodb": f"arn:aws:dynamodb:{PLACE}:table/orders",
    "ecs": f"arn:aws:ecs:{PLACE}:service/prod/checkout",
    "service": "nat-0a1b2c3d",
}
#: Of the command line itself.
GLOBAL = {"region", "query", "max-items", "cli-input-json", "output"}


def said(name, resource, kind, **facts):
    row = {"resource_id": [resource], "timestamp": [NOW], "resource_type": [kind], "latency": [1.0], **facts}
    frame = MetricFrame.of(pl.DataFrame(row))
    asked = Incident(resource, "latency", NOW, NOW + timedelta(hours=1))
    match = name and PatternMatch(name=name, title=name, score=1.0, resource=resource, speaks_for=(), speaks_against=())
    return actions(match, resource, frame, asked)


@pytest.fixture(scope="module")
def session():
    return botocore.session.get_session()


def check(session, command):
    for part in command.split(" && "):
        words = shlex.split(re.sub(r"<[^>]*>", "PLACEHOLDER", part))
        assert words[0] == "aws", part
        model = session.get_service_model(words[1])
        if words[2] == "wait":
            waiters = session.get_waiter_model(words[1]).waiter_names
            assert words[3].replace("-", "_") in {xform_name(w) for w in waiters}
            continue
        operations = {xform_name(o, "-"): o for o in model.operation_names}
        assert words[2] in operations, f"{words[1]} has no {words[2]}"
        shape = model.operation_model(operations[words[2]]).input_shape
        options = {w[2:] for w in words[3:] if w.startswith("--")}
        members = {xform_name(m, "-") for m in shape.members}
        assert options - GLOBAL <= members, f"{words[1]} {words[2]} has no {options - GLOBAL - members}"
        if "cli-input-json" not in options:
            required = {xform_name(m, "-") for m in shape.required_members}
            assert required <= options, f"{words[1]} {words[2]} needs {required - options}"


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("name", [*(p.name for p in PATTERNS), None])
def test_every_command_is_an_operation_of_its_service_with_the_options_that_it_needs(session, name, kind):
    steps = said(name, IDS[kind], kind)
    assert steps
    for step in steps:
        if step.command.startswith("aws "):
            check(session, step.command)
        else:
            assert step.command.startswith("console: ")


@pytest.mark.parametrize("name", STEPS)
def test_there_is_something_to_look_at_and_something_to_do_somewhere(name):
    steps = [step for kind, resource in IDS.items() for step in said(name, resource, kind)]
    assert {step.changes for step in steps} == {True, False}


def test_without_a_pattern_one_only_looks():
    assert not any(step.changes for step in UNKNOWN)


def command(kind, title, name="memory_leak", **facts):
    return next(a.command for a in said(name, IDS[kind], kind, **facts) if a.title == title)


def test_a_service_is_called_by_the_name_and_cluster_in_its_arn_and_in_its_region():
    assert command("ecs", "Restart it") == (
        "aws ecs update-service --region us-east-1 --cluster prod --service checkout --force-new-deployment"
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [("ec2", "i-0123456789abcdef0"), ("asg", "web"), ("rds", "orders"), ("lambda", "resize"), ("elb", "front")],
)
def test_a_resource_is_called_what_its_own_service_calls_it(kind, name):
    assert f"AttributeValue={name}" in command(kind, "See who changed it shortly before")


def test_a_fact_cannot_smuggle_a_command():
    bad = "x; rm -rf /"
    for step in said("throttling", "web", "ec2", service=[bad], region=[bad], availability_zone=[bad]):
        if step.command.startswith("aws "):
            assert bad not in step.command.replace(f"'{bad}'", "")
