import pytest

from aws_auto.ml.cost.commands import delete, schedule, sell, stop
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
