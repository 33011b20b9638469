"""Plans of scaling against moto, in this process: real boto3 clients, moto's answers.

moto checks little of what it is asked, and carries no schedule out; what AWS accepts is shown by its service models in
``tests/unit/ml/scaling/test_aws_plan.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aws_auto.ml.scaling.aws_plan import Address, Bounds, requests
from aws_auto.ml.scaling.capacity import Knee
from aws_auto.ml.scaling.fleet import Offer
from aws_auto.ml.scaling.timeline import LEVELS, Constraints, plan_fleet
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.aws.scaling import READS, WRITES, AwsScaling, open_scaling, resource
from aws_auto.pipeline.aws.session import Clients
from aws_auto.pipeline.plan import Create, Delete, Update, diff
from fakes import FakeClock

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
KNEE = Knee(utilisation=0.6, work=0.05, usual_load=50.0, usual_instances=5.0, price=0.1, measured=True)
GROUP = Address.parse("autoscaling:web")
SERVICE = Address.parse("ecs:service/prod/checkout")
TABLE = Address.parse("dynamodb:table/orders:write")
VARIANT = Address.parse("sagemaker:endpoint/ranker/variant/main")


@pytest.fixture
def scaling(monkeypatch):
    moto = pytest.importorskip("moto")
    for name in list(ENVIRON):
        monkeypatch.setenv(name, ENVIRON[name])
    with moto.mock_aws():
        clients = Clients(ENVIRON)
        caller = Caller(clients, FakeClock(), np.random.default_rng(0))
        _furnish(clients)
        yield AwsScaling(caller)


def _furnish(clients):
    ec2 = clients.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    group = clients.client("autoscaling")
    group.create_launch_configuration(LaunchConfigurationName="lc", ImageId=image, InstanceType="t3.micro")
    group.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="lc",
        MinSize=2,
        MaxSize=6,
        AvailabilityZones=["us-east-1a"],
    )
    sagemaker = clients.client("sagemaker")
    role = "arn:aws:iam::123456789012:role/r"
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": "i"})
    variant = {"VariantName": "main", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="ranker", EndpointConfigName="c")
    ecs = clients.client("ecs")
    ecs.create_cluster(clusterName="prod")
    ecs.register_task_definition(family="t", containerDefinitions=[{"name": "c", "image": "i", "memory": 128}])
    ecs.create_service(cluster="prod", serviceName="checkout", taskDefinition="t", desiredCount=1)


def wanted(address, *needs, bounds=None):
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    need = np.array([np.full(len(LEVELS), float(n)) for n in needs])
    plan = plan_fleet(
        "web",
        starts=[start + timedelta(hours=h) for h in range(len(needs))],
        demand=need,
        need=need,
        reactive=0.0,
        running={("m", "on-demand"): 2},
        constraints=Constraints(),
        offers=(Offer(name="m", capacity=1.0, price=0.1),),
    )
    knee = None if address.kind == "dynamodb" else KNEE
    made = requests(plan, address, knee, Constraints(), now=start - timedelta(hours=1), bounds=bounds)
    return [resource(r.kind, r.address, r.name, r.body) for r in made]


@pytest.mark.parametrize("address", [GROUP, SERVICE, TABLE, VARIANT], ids=str)
def test_what_was_applied_is_what_is_seen_and_then_there_is_nothing_to_do(scaling, address):
    want = wanted(address, 4, 7, bounds=Bounds(2, 10))
    plan = diff(scaling.observe([address]), want)
    assert plan.count(Create) == len(want)
    for change in plan.changes:
        scaling.apply(change)
    again = diff(scaling.observe([address]), want)
    assert not again, [(c, getattr(c, "changed", dict)()) for c in again.changes]


def test_a_new_plan_takes_the_floors_of_the_old_one_away(scaling):
    for change in diff(scaling.observe([GROUP]), wanted(GROUP, 4, 7, bounds=Bounds(2, 10))).changes:
        scaling.apply(change)
    newer = diff(scaling.observe([GROUP]), wanted(GROUP, 4, 4, 4, bounds=Bounds(2, 10)))
    assert newer.count(Delete) == 2
    assert newer.count(Update) == 0
    for change in newer.changes:
        scaling.apply(change)
    assert not diff(scaling.observe([GROUP]), wanted(GROUP, 4, 4, 4, bounds=Bounds(2, 10)))


def test_bounds_are_those_that_stand_without_our_floors(scaling):
    assert scaling.bounds([GROUP, SERVICE, Address.parse("autoscaling:nobody")]) == {GROUP: Bounds(2, 6)}
    for address in (GROUP, SERVICE):
        for change in diff({}, wanted(address, 4, 7, bounds=Bounds(2, 10))).changes:
            scaling.apply(change)
    client = scaling.caller.clients.client("autoscaling")
    client.update_auto_scaling_group(AutoScalingGroupName="web", MinSize=4, MaxSize=10)
    assert scaling.bounds([GROUP, SERVICE]) == {GROUP: Bounds(2, 10), SERVICE: Bounds(2, 10)}


def test_what_others_made_is_not_ours(scaling):
    client = scaling.caller.clients.client("autoscaling")
    client.put_scheduled_update_group_action(
        AutoScalingGroupName="web", ScheduledActionName="nightly", Recurrence="0 1 * * *", MinSize=0
    )
    assert scaling.observe([GROUP]) == {}


def test_every_call_has_its_permission():
    from aws_auto.ml.scaling.aws_plan import OPERATIONS

    made = {f"{service}:{operation}" for service, operation in OPERATIONS.values()}
    assert made <= set(WRITES)
    assert all(":Describe" in action for action in READS)


def test_it_opens_from_the_environment():
    assert open_scaling(ENVIRON, FakeClock(), region="eu-west-1").caller.clients.region == "eu-west-1"
