"""Secrets are refused, and never repeated."""

import pytest

from aws_auto.config import document
from aws_auto.config.secrets import redacted, secret_kind
from aws_auto.errors import ConfigError

# Put together here, so that no scanner mistakes this file for a leak.
SECRETS = {
    "an AWS access key": "AKIA" + "IOSFODNN7EXAMPLE",
    "a Slack token": "xoxb-" + "123456789012-abcdefABCDEF",
    "a Slack webhook": "https://hooks.slack.com" + "/services/T000/B000/XXXX",
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "a GitHub token": "ghp_" + "a1B2" * 9,
    "a Grafana token": "glsa_" + "a1B2" * 8,
    "a signed token (JWT)": "eyJhbGciOiJI" + ".eyJzdWIiOiIx" + ".c2ln",
    "a password in an address": "postgres://admin:" + "hunter2@db/x",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_a_located_problem_that_does_not_repeat_it(kind):
    with pytest.raises(ConfigError) as caught:
        document.loads(f"model_monitoring:\n  metrics:\n    - name: '{SECRETS[kind]}'\n      threshold: 1", "t.yaml")
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"t.yaml:3:7: model_monitoring.metrics.0.name: this looks like {kind} (")
    assert SECRETS[kind] not in str(caught.value)


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_as_a_key_or_an_alias_is_not_repeated_either(kind):
    for text in (
        f"'{SECRETS[kind]}': 1",
        f"a: *{SECRETS[kind]}",
        f"target: &{SECRETS[kind]} [",
        f"a: {{'x{SECRETS[kind]}",
    ):
        with pytest.raises(ConfigError) as caught:
            document.loads(text)
        assert SECRETS[kind] not in str(caught.value)


@pytest.mark.parametrize("name", ["api_key", "slack_token", "clientSecret", "password", "webhook"])
def test_random_text_under_a_telling_name_counts_as_a_secret(name):
    with pytest.raises(ConfigError) as caught:
        document.loads(f"{name}: aB3dE5fG7hI9jK1lM3n", "t.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "this looks like a key, token or password"
    assert "aB3dE5" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("aB3dE5fG7hI9jK1lM3n", "name"),
        ("short", "password"),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf", "slack_secret"),
        ("secret://pagerduty-routing-key-7Hq2", "token"),
        ("${SLACK_WEBHOOK_FOR_PRODUCTION}", "webhook"),
        ("s3://scaling-predictions-bucket/", "input_data"),
        ("every word of this is plain English", "secret"),
    ],
)
def test_references_names_and_prose_are_no_secrets(text, name):
    assert secret_kind(text, name=name) is None


def test_redaction_hides_every_known_kind():
    for secret in SECRETS.values():
        assert secret[:24] not in redacted(f"found {secret} here")
