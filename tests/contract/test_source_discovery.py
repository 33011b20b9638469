"""Discovery and the Cost Explorer source against moto, in this process: real boto3 clients, moto's answers.

moto checks little of what it is asked and its Cost Explorer only knows canned replies, so this shows that requests are
well formed and answers are read, not that AWS agrees.
"""

from __future__ import annotations

from datetime import timedelta

import boto3
import numpy as np
import pytest

from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.aws.cost_explorer import CostExplorerSource
from aws_auto.pipeline.aws.discovery import discover
from aws_auto.pipeline.aws.session import Clients
from aws_auto.pipeline.ports import Window
from fakes import NOW, FakeClock

REGION = "eu-west-1"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
TAGS = [{"Key": "team", "Value": "shop"}]


@pytest.fixture
def caller():
    moto = pytest.importorskip("moto")
    environ = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
    with moto.mock_aws():
        yield Caller(Clients(environ), FakeClock(), np.random.default_rng(0))


def client(service):
    return boto3.client(service, **KEYS)


def found(caller):
    place = caller.clients.place(caller)
    discovery = discover(caller, place)
    assert discovery.refused == ()
    return {r["resource_id"]: r for r in discovery.resources}


def subnets():
    return [s["SubnetId"] for s in client("ec2").describe_subnets()["Subnets"]][:2]


def image():
    return client("ec2").describe_images()["Images"][0]["ImageId"]


def test_an_empty_account_has_nothing(caller):
    assert found(caller) == {}


def test_instances_with_their_facts_and_without_the_terminated(caller):
    ec2 = client("ec2")
    specification = [{"ResourceType": "instance", "Tags": TAGS}]
    common = {"ImageId": image(), "MinCount": 1, "MaxCount": 1, "InstanceType": "m5.large"}
    plain = ec2.run_instances(**common, TagSpecifications=specification)["Instances"][0]
    spot = ec2.run_instances(**common, InstanceMarketOptions={"MarketType": "spot"})["Instances"][0]
    gone = ec2.run_instances(**common)["Instances"][0]
    ec2.terminate_instances(InstanceIds=[gone["InstanceId"]])
    resources = found(caller)
    assert set(resources) == {plain["InstanceId"], spot["InstanceId"]}
    facts = resources[plain["InstanceId"]]
    assert (facts["resource_type"], facts["instance_type"]) == ("ec2", "m5.large")
    assert facts["availability_zone"].startswith(REGION)
    assert (facts["purchase_option"], facts["tag_team"]) == ("on-demand", "shop")
    assert (facts["region"], facts["account"]) == (REGION, "123456789012")
    assert resources[spot["InstanceId"]]["purchase_option"] == "spot"


def test_groups_balancers_databases(caller):
    group = client("autoscaling")
    group.create_launch_configuration(LaunchConfigurationName="lc", ImageId=image(), InstanceType="c5.large")
    group.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="lc",
        MinSize=1,
        MaxSize=2,
        AvailabilityZones=[f"{REGION}a"],
        Tags=[{**TAGS[0], "ResourceId": "web", "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}],
    )
    arn = client("elbv2").create_load_balancer(Name="shop", Subnets=subnets(), Tags=TAGS)["LoadBalancers"][0]
    client("elbv2").create_load_balancer(Name="tcp", Subnets=subnets(), Type="network")
    client("elb").create_load_balancer(
        LoadBalancerName="old",
        Listeners=[{"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 80}],
        AvailabilityZones=[f"{REGION}a"],
        Tags=TAGS,
    )
    client("rds").create_db_instance(
        DBInstanceIdentifier="orders", DBInstanceClass="db.r5.large", Engine="postgres", AllocatedStorage=20, Tags=TAGS
    )
    resources = {r["resource_name"]: r for r in found(caller).values() if r["resource_type"] != "ec2"}
    assert set(resources) == {"web", arn["LoadBalancerArn"].split("loadbalancer/")[1], "old", "orders"}
    assert all(r["tag_team"] == "shop" for r in resources.values())
    assert (resources["web"]["resource_type"], resources["web"]["instance_type"]) == ("asg", "c5.large")
    assert resources["web"]["availability_zone"] == f"{REGION}a"
    assert resources["orders"]["instance_type"] == "db.r5.large"
    assert resources["orders"]["resource_id"] == f"arn:aws:rds:{REGION}:123456789012:db:orders"
    # The id made from CloudWatch's dimension is the ARN that the service gives.
    assert arn["LoadBalancerArn"] in {r["resource_id"] for r in resources.values()}


def test_functions_and_services(caller):
    role = client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    function = client("lambda").create_function(
        FunctionName="checkout",
        Runtime="python3.13",
        Role=role,
        Handler="h.h",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        Tags={"team": "shop"},
    )
    ecs = client("ecs")
    ecs.create_cluster(clusterName="web")
    ecs.register_task_definition(family="t", containerDefinitions=[{"name": "c", "image": "i", "memory": 64}])
    service = ecs.create_service(
        cluster="web",
        serviceName="api",
        taskDefinition="t",
        desiredCount=1,
        tags=[{"key": "team", "value": "shop"}],
    )["service"]
    resources = found(caller)
    assert resources[function["FunctionArn"]]["tag_team"] == "shop"
    assert resources[function["FunctionArn"]]["resource_type"] == "lambda"
    facts = resources[service["serviceArn"]]
    assert (facts["resource_name"], facts["service"], facts["tag_team"]) == ("web/api", "api", "shop")


def test_cost_explorer_reads_what_moto_answers(caller):
    clock = FakeClock()
    source = CostExplorerSource(caller, clock, caller.clients.place(caller))
    batches = list(source.pull(Window(NOW - timedelta(days=40), NOW)))
    assert [b.window.start.month for b in batches] == [1, 2, 3]
    assert all(b.dataset == "billing" and b.keys == () for b in batches)
    assert source.scope == "cost-explorer:123456789012"
