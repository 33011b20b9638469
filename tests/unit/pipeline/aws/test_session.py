from __future__ import annotations

import pytest

from aws_auto.errors import CredentialsError
from aws_auto.pipeline.aws.session import Clients, resolve

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}


@pytest.fixture
def files(tmp_path):
    """An environment whose AWS files are the given texts, and that is on no EC2 hardware."""

    def environ(config="", credentials="", **more):
        (tmp_path / "config").write_text(config)
        (tmp_path / "credentials").write_text(credentials)
        return {
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            **more,
        }

    return environ


def test_nothing_anywhere_is_nobody(files):
    assert resolve(files()) is None


def test_keys_in_the_environment_come_first(files):
    found = resolve(files("[default]\nregion = eu-west-1\naws_access_key_id = x\n", **KEYS))
    assert found.how == "environment variable AWS_ACCESS_KEY_ID"
    assert found.region == "eu-west-1"


def test_half_a_key_is_no_key(files):
    assert resolve(files(AWS_ACCESS_KEY_ID="AKIAEXAMPLE")) is None


@pytest.mark.parametrize(
    ("section", "method"),
    [
        ("sso_session = corp", "sso"),
        ("role_arn = arn:aws:iam::1:role/x\nsource_profile = base", "assumed role"),
        ("credential_process = /bin/give", "credential process"),
        ("login_session = arn:aws:iam::1:user/x", "login"),
    ],
)
def test_a_profile_is_found_and_its_way_is_named(files, section, method):
    found = resolve(files(f"[profile prod]\nregion = eu-central-1\n{section}\n", AWS_PROFILE="prod"))
    assert (found.how, found.profile, found.region) == (f"profile prod ({method})", "prod", "eu-central-1")


def test_the_default_profile_of_the_credentials_file_is_enough(files):
    assert resolve(files(credentials="[default]\naws_access_key_id = x\n")).how == "profile default (access key)"


def test_nested_settings_and_sso_sections_are_no_profiles(files):
    config = "[default]\ns3 =\n  max_concurrent_requests = 20\n[sso-session corp]\nsso_start_url = https://x\n"
    assert resolve(files(config)) is None


def test_a_profile_that_does_not_exist_is_refused_with_those_that_do(files):
    with pytest.raises(CredentialsError, match="AWS_PROFILE=prd: no such profile; there: dev, prod"):
        resolve(files("[profile prod]\nregion = x\n[profile dev]\nregion = x\n", AWS_PROFILE="prd"))


def test_a_damaged_file_is_named(files):
    with pytest.raises(CredentialsError, match="config: cannot be read"):
        resolve(files("no section = here\n"))


def test_region_of_the_environment_wins_over_the_profile(files):
    config = "[default]\nregion = eu-west-1\naws_access_key_id = x\n"
    assert resolve(files(config, AWS_REGION="us-east-2")).region == "us-east-2"
    assert resolve(files(config, AWS_DEFAULT_REGION="us-west-1")).region == "us-west-1"


@pytest.mark.parametrize(
    ("variables", "how"),
    [
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}, "web identity token"),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}, "container role"),
    ],
)
def test_roles_of_clusters_and_containers_are_seen(files, variables, how):
    assert resolve(files(**variables)).how == how


def test_the_metadata_service_is_asked_on_ec2_hardware_only(files, tmp_path):
    # Sockets are blocked here, so a question to the metadata service would fail this test.
    environ = files()
    del environ["AWS_EC2_METADATA_DISABLED"]
    vendor = tmp_path / "sys_vendor"
    vendor.write_text("QEMU\n")
    assert resolve(environ, dmi_vendor=vendor) is None
    assert resolve(environ, dmi_vendor=tmp_path / "absent") is None


def test_clients_go_where_the_environment_sends_their_service(files):
    environ = files(
        **KEYS,
        AWS_REGION="eu-west-1",
        AWS_ENDPOINT_URL="http://127.0.0.1:1",
        AWS_ENDPOINT_URL_COST_EXPLORER="http://127.0.0.1:2",
    )
    clients = Clients(environ)
    assert clients.client("cloudwatch").meta.endpoint_url == "http://127.0.0.1:1"
    assert clients.client("ce").meta.endpoint_url == "http://127.0.0.1:2"
    assert clients.client("ce") is clients.client("ce")
    ignoring = Clients({**environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"})
    assert ignoring.client("ce").meta.endpoint_url == "https://ce.us-east-1.amazonaws.com"


def test_clients_make_one_attempt_because_the_caller_repeats(files):
    client = Clients(files(**KEYS, AWS_REGION="eu-west-1")).client("ce")
    assert client.meta.config.retries["total_max_attempts"] == 1


def test_a_region_may_be_given(files):
    clients = Clients(files(**KEYS, AWS_REGION="eu-west-1"), region="ap-south-1")
    assert clients.client("cloudwatch").meta.region_name == "ap-south-1"
    assert clients.client("cloudwatch", region="us-east-1").meta.region_name == "us-east-1"


def test_a_profile_of_the_given_files_signs_the_calls(files):
    credentials = "[prod]\naws_access_key_id = from-file\naws_secret_access_key = x\n"
    clients = Clients(files("[profile prod]\nregion = eu-north-1\n", credentials, AWS_PROFILE="prod"))
    client = clients.client("sts")
    assert client.meta.region_name == "eu-north-1"
    assert client._request_signer._credentials.access_key == "from-file"
