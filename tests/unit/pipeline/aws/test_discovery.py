from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from botocore.exceptions import ClientError

from aws_auto.errors import AwsCallError
from aws_auto.pipeline.aws import cloudwatch, cost_explorer, discovery, logs, session, vocabulary
from aws_auto.pipeline.aws.calls import Caller, action
from aws_auto.pipeline.aws.discovery import discover, identify, name_of
from aws_auto.pipeline.aws.session import Place
from fakes import FakeClients, FakeClock

PLACE = Place(account="123456789012", region="eu-west-1")
CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/web"
BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c"


class Account:
    """One of everything, except 25 balancers on two pages and eleven services."""

    def describe_instances(self, **_):
        return {"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": "stopped"}}]}]}

    def describe_auto_scaling_groups(self, **_):
        instances = [{"InstanceType": t} for t in ("m5.large", "c5.large", "m5.large")]
        return {"AutoScalingGroups": [{"AutoScalingGroupName": "web", "Instances": instances}]}

    def describe_db_instances(self, **_):
        return {"DBInstances": [{"DBInstanceIdentifier": "orders"}]}

    def list_functions(self, **_):
        return {"Functions": [{"FunctionName": "checkout"}]}

    def get_resources(self, **_):
        arn = "arn:aws:lambda:eu-west-1:123456789012:function:checkout"
        return {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": [{"Key": "team", "Value": "x"}]}]}

    def list_clusters(self, **_):
        return {"clusterArns": [CLUSTER]}

    def list_services(self, **_):
        return {"serviceArns": [f"{CLUSTER}/s{i}" for i in range(11)]}

    def describe_services(self, *, services, **_):
        assert len(services) <= 10
        strategy = [{"capacityProvider": "FARGATE_SPOT"}]
        named = [{"serviceName": arn.rpartition("/")[2]} for arn in services]
        return {"services": [{**s, "capacityProviderStrategy": strategy} for s in named]}


class Balancers:
    def describe_load_balancers(self, *, Marker="0"):
        page = [{"LoadBalancerArn": f"{BALANCER}{Marker}{i}", "Type": "application"} for i in range(25)]
        return {"LoadBalancers": page, **({"NextMarker": "1"} if Marker == "0" else {})}

    def describe_tags(self, *, ResourceArns):
        assert len(ResourceArns) <= 20
        tags = [{"Key": "team", "Value": "shop"}]
        return {"TagDescriptions": [{"ResourceArn": arn, "Tags": tags} for arn in ResourceArns]}


class ClassicBalancers:
    def describe_load_balancers(self, **_):
        return {"LoadBalancerDescriptions": [{"LoadBalancerName": "old"}]}

    def describe_tags(self, *, LoadBalancerNames):
        return {"TagDescriptions": []}


@dataclass
class Recording(Caller):
    actions: set[str] = field(default_factory=set)

    def call(self, service, operation, params=None, **options):
        self.actions.add(action(service, operation))
        return super().call(service, operation, params, **options)


def caller_of(**others):
    services = dict.fromkeys(("ec2", "autoscaling", "rds", "lambda", "resourcegroupstaggingapi", "ecs"), Account())
    clients = FakeClients({**services, "elbv2": Balancers(), "elb": ClassicBalancers(), **others})
    return Recording(clients, FakeClock(), np.random.default_rng(0))


def test_every_page_and_every_handful_is_asked():
    found = discover(caller_of(), PLACE).resources
    by_type = {kind: [r for r in found if r["resource_type"] == kind] for kind in ("elb", "ecs", "ec2", "asg")}
    assert len(by_type["elb"]) == 51
    assert sum(r.get("tag_team") == "shop" for r in by_type["elb"]) == 50
    assert len(by_type["ecs"]) == 11
    assert {r["purchase_option"] for r in by_type["ecs"]} == {"spot"}
    assert by_type["asg"][0]["instance_type"] == "c5.large,m5.large"
    assert len({r["resource_id"] for r in found}) == len(found)


def test_the_permissions_declared_are_those_used():
    caller = caller_of()
    discover(caller, PLACE)
    assert caller.actions == set(discovery.PERMISSIONS)


def test_every_module_that_calls_declares_its_permissions():
    for module in (cloudwatch, cost_explorer, discovery, logs, session):
        assert all(":" in permission for permission in module.PERMISSIONS)
        assert list(module.PERMISSIONS) == sorted(module.PERMISSIONS)


class Refusing:
    def __init__(self, code):
        self.code = code

    def describe_db_instances(self, **_):
        raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "DescribeDBInstances")


def test_a_refused_service_is_named_with_what_it_needs_and_the_others_go_on():
    result = discover(caller_of(rds=Refusing("AccessDenied")), PLACE)
    (sentence,) = result.refused
    assert sentence.startswith("RDS instances: facts unknown, because rds:DescribeDBInstances in eu-west-1: no")
    assert {"ec2", "ecs"} <= {r["resource_type"] for r in result.resources}


def test_any_other_refusal_stops():
    with pytest.raises(AwsCallError, match="InternalFailure"):
        discover(caller_of(rds=Refusing("InternalFailure")), PLACE)


@pytest.mark.parametrize(
    ("template", "dimensions", "resource_id", "name"),
    [
        (vocabulary.INSTANCE, {"InstanceId": "i-1"}, "i-1", "i-1"),
        (
            vocabulary.BALANCER,
            {"LoadBalancer": "app/shop/50dc6c"},
            BALANCER,
            "app/shop/50dc6c",
        ),
        (
            vocabulary.GROUP,
            {"AutoScalingGroupName": "web"},
            "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/web",
            "web",
        ),
        (
            vocabulary.SERVICE,
            {"ClusterName": "web", "ServiceName": "api"},
            "arn:aws:ecs:eu-west-1:123456789012:service/web/api",
            "web/api",
        ),
    ],
)
def test_a_resource_is_called_what_the_bill_calls_it(template, dimensions, resource_id, name):
    assert identify(template, PLACE, dimensions) == resource_id
    assert name_of(resource_id) == name


class Released(Account):
    """The same with what says which version runs, and on which host."""

    def describe_instances(self, **_):
        placed = {"InstanceId": "i-1", "State": {"Name": "running"}, "Placement": {"HostId": "h-1"}}
        return {"Reservations": [{"Instances": [placed]}]}

    def describe_auto_scaling_groups(self, **_):
        instances = [{"LaunchTemplate": {"Version": v}} for v in ("8", "7", "8")] + [{}]
        return {"AutoScalingGroups": [{"AutoScalingGroupName": "web", "Instances": instances}]}

    def list_functions(self, **_):
        return {"Functions": [{"FunctionName": "checkout", "LastModified": "2026-05-01T00:00:00.000+0000"}]}

    def describe_services(self, *, services, **_):
        task = "arn:aws:ecs:eu-west-1:123456789012:task-definition/shop:42"
        return {"services": [{"serviceName": arn.rpartition("/")[2], "taskDefinition": task} for arn in services]}


def test_what_runs_and_where_is_a_fact():
    services = dict.fromkeys(("ec2", "autoscaling", "lambda", "ecs"), Released())
    found = {r["resource_type"]: r for r in discover(caller_of(**services), PLACE).resources}
    assert {kind: found[kind]["version"] for kind in ("asg", "lambda", "ecs")} == {
        "asg": "7,8",
        "lambda": "2026-05-01T00:00:00.000+0000",
        "ecs": "shop:42",
    }
    assert found["ec2"]["dedicated_host"] == "h-1"
