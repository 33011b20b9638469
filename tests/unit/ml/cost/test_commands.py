import re
from datetime import UTC, datetime

import botocore.session
import pytest
from botocore import xform_name

from aws_auto.ml.cost import commands
from aws_auto.ml.cost.commands import (
    delete,
    infrequent,
    look,
    other_architecture,
    resize,
    schedule,
    sell,
    stop,
    volume,
)
from aws_auto.ml.cost.running import Office


def test_a_volume_is_copied_before_it_is_deleted():
    command, rollback = delete("EBS volume", ("vol-0a1b2c3d",), "us-east-1")
    first, second = command.splitlines()
    assert first.startswith("aws ec2 create-snapshot --region us-east-1 --volume-id vol-0a1b2c3d")
    assert second == "aws ec2 delete-volume --region us-east-1 --volume-id vol-0a1b2c3d"
    assert "snapshot" in rollback


def test_several_volumes_get_a_command_each():
    command, _ = delete("EBS volume", ("vol-0a", "vol-0b"), "us-east-1")
    assert len(command.splitlines()) == 4


@pytest.mark.parametrize("resource", ["i-0; rm -rf /", "dev-1", "$(date)", "i-0123 && date"])
def test_an_id_that_is_not_the_services_own_gets_the_console_and_no_shell(resource):
    command, _ = stop("EC2 instance", resource, "us-east-1")
    assert command.startswith("console")


def test_without_a_region_there_is_no_exact_command():
    assert stop("EC2 instance", "i-0123456789abcdef0", None)[0].startswith("console, global")


def test_a_database_is_called_by_its_name():
    command, rollback = stop("RDS instance", "arn:aws:rds:us-east-1:111122223333:db:orders", "us-east-1")
    assert command == "aws rds stop-db-instance --region us-east-1 --db-instance-identifier orders"
    assert rollback == "aws rds start-db-instance --region us-east-1 --db-instance-identifier orders"


def test_hours_after_midnight_belong_to_the_next_day():
    command, _ = schedule("EC2 instance", "i-0123456789abcdef0", "us-east-1", Office(opens=14, closes=26, tz="UTC"))
    assert "0 2 * * 2-6 aws ec2 stop-instances" in command
    assert "0 14 * * 1-5 aws ec2 start-instances" in command


def test_a_glue_endpoint_is_saved_before_it_is_deleted():
    endpoint = "arn:aws:glue:us-east-1:111122223333:devEndpoint/notebook"
    command, _ = schedule("Glue development endpoint", endpoint, "us-east-1", Office())
    lines = command.splitlines()
    assert "get-dev-endpoint" in lines[0]
    assert lines[0].endswith("> notebook.json")
    assert lines[1] == "CRON_TZ=UTC"
    assert "delete-dev-endpoint" in lines[2]
    assert "create-dev-endpoint" in lines[3]


def test_a_plan_has_no_market():
    assert "cannot be sold" in sell("arn:aws:savingsplans::111122223333:savingsplan/0", None)[0]


def test_a_new_plan_can_be_returned():
    command, rollback = NEW_PLAN
    assert command.endswith("--savings-plan-id 12345678-1234-1234-1234-123456789012")
    assert "until 2026-04-08 05:00 UTC" in rollback


NEW_PLAN = sell(
    "arn:aws:savingsplans::111122223333:savingsplan/12345678-1234-1234-1234-123456789012",
    None,
    return_by=datetime(2026, 4, 8, 5, tzinfo=UTC),
)


WORDS = {
    "volume": (volume("vol-0a1b", "us-east-1", "gp3", iops=4000, throughput=250),),
    "resize": (resize("i-0123456789abcdef0", "m6a.large", "us-east-1"),),
    "look": (look("i-0123456789abcdef0", "us-east-1"),),
    "other architecture": other_architecture("i-0123456789abcdef0", "m7g.large", "us-east-1"),
    "infrequent": infrequent("logs"),
    "return": NEW_PLAN,
    "sell": sell("arn:aws:ec2:us-east-1:1:reserved-instances/12345678-1234-1234-1234-123456789012", "us-east-1"),
    **{f"off {name}": tuple(filter(None, (way.first, way.off))) for name, way in commands._DELETE.items()},
    **{f"back {name}": (way.on,) for name, way in commands._DELETE.items()},
}


def operations(text):
    """Every AWS CLI command in a text, as service, operation and options."""
    for found in re.finditer(
        r"aws (?P<service>[a-z0-9]+) (?P<wait>wait )?(?P<name>[a-z0-9-]+)(?P<rest>[^\n|;>]*)", text
    ):
        options = re.findall(r"--([a-z0-9-]+)", found["rest"])
        yield found["service"], found["wait"] is not None, found["name"], options


@pytest.mark.parametrize("what", WORDS)
def test_every_command_is_an_operation_of_its_service_with_options_that_it_has(what):
    session = botocore.session.get_session()
    everywhere = {"region", "query", "filters", "cli-input-json", "recursive", "storage-class"}
    for text in WORDS[what]:
        for service, waits, name, options in operations(text):
            if (service, name) == ("s3", "cp"):
                continue
            model = session.get_service_model("s3" if service == "s3api" else service)
            known = {xform_name(one, "-"): one for one in model.operation_names}
            if waits:
                assert xform_name(name, "_").replace("-", "_") in {
                    xform_name(one) for one in session.get_waiter_model(service).waiter_names
                }
                continue
            assert name in known, f"{service} has no {name}"
            members = {xform_name(one, "-") for one in model.operation_model(known[name]).input_shape.members}
            assert set(options) - everywhere <= members, f"{service} {name} has no {set(options) - members}"


def test_without_an_id_there_is_a_step_in_the_console():
    for text in (look("x", None), resize("x", "m5.large", "us-east-1"), *other_architecture("x", "m7g.large", None)):
        assert text.startswith("console")
