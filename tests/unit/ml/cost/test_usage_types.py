import pytest

from aws_auto.ml.cost.usage_types import TABLE, meaning, named, not_production, plain, tags_that_tell


@pytest.mark.parametrize(
    ("usage_type", "word"),
    [
        ("EUW2-BoxUsage:m5.large", "BoxUsage:m5.large"),
        ("USE1-DEVED-DPU-Hour", "DEVED-DPU-Hour"),
        ("EU-EBS:VolumeUsage.gp2", "EBS:VolumeUsage.gp2"),
        ("APS2-NatGateway-Hours", "NatGateway-Hours"),
        ("BoxUsage:t2.micro", "BoxUsage:t2.micro"),
        ("ca-central-1-KMS-Requests", "KMS-Requests"),
        ("Multi-AZUsage:db.m4.large", "Multi-AZUsage:db.m4.large"),
    ],
)
def test_the_prefix_of_a_region_is_no_part_of_the_meaning(usage_type, word):
    assert plain(usage_type) == word


@pytest.mark.parametrize(
    ("usage_type", "name"),
    [
        ("BoxUsage:c5.large", "EC2 instance"),
        ("USW2-SpotUsage:m5.large", "EC2 instance"),
        ("InstanceUsage:db.r4.large", "RDS instance"),
        ("Multi-AZUsage:db.m4.large", "RDS instance"),
        ("USE1-DEVED-DPU-Hour", "Glue development endpoint"),
        ("USE1-Notebk:ml.t3.medium", "SageMaker notebook"),
        ("LoadBalancerUsage", "load balancer"),
        ("EUC1-NatGateway-Hours", "NAT gateway"),
        ("USE1-VpcEndpoint-Hours", "VPC endpoint"),
        ("ElasticIP:IdleAddress", "unused public address"),
        ("USE2-PublicIPv4:IdleAddress", "unused public address"),
        ("EBS:VolumeUsage.gp3", "EBS volume"),
        ("EBS:VolumeUsage", "magnetic volume"),
        ("EBS:SnapshotUsage", "EBS snapshot"),
    ],
)
def test_usage_types_that_aws_writes_have_their_meaning(usage_type, name):
    assert meaning(usage_type).name == name


@pytest.mark.parametrize(
    "usage_type", ["HeavyUsage:c4.large", "Requests-Tier1", "EBSOptimized:c5.large", "EBS:VolumeIOUsage"]
)
def test_what_is_not_in_the_table_is_unknown(usage_type):
    assert meaning(usage_type) is None


def test_every_class_of_the_table_says_what_would_settle_it():
    assert all(one.collect for one in TABLE)
    assert all(named(one.name) is one for one in TABLE)


@pytest.mark.parametrize("value", ["dev", "Development", "team-a-test", "QA", "sandbox 3", "Glue Notebook", "poc"])
def test_tags_that_say_development(value):
    assert not_production({"tag_environment": value}) == f"environment={value}"


@pytest.mark.parametrize("value", ["production", "Prod", "prod-test", "latest", "device", "contest", None, ""])
def test_tags_that_do_not(value):
    assert not_production({"tag_environment": value}) is None


def test_production_in_any_tag_wins():
    assert not_production({"tag_name": "test", "tag_environment": "Production"}) is None


def test_only_tags_of_an_environment_are_asked():
    assert tags_that_tell(["tag_environment", "tag_team", "tag_aws_created_by", "tag_name", "tag_workload_type"]) == [
        "tag_environment",
        "tag_name",
        "tag_workload_type",
    ]
