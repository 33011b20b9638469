from __future__ import annotations

import numpy as np
import pytest
from botocore import exceptions as boto

from aws_auto.errors import AwsCallError, CredentialsError
from aws_auto.pipeline.aws.calls import Caller, Tokens, denied, translated
from fakes import FakeClients, FakeClock


class Scripted:
    """A client whose one operation raises or returns, in order."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def list_metrics(self, **params):
        self.asked.append(params)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    describe_tags = list_metrics


def refusal(code, message="no", status=400):
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(answer, "ListMetrics")


def caller(*answers, clock=None):
    client = Scripted(*answers)
    return Caller(FakeClients({"cloudwatch": client, "elbv2": client}), clock or FakeClock(), np.random.default_rng(7))


def test_an_answer_comes_back_as_it_is_and_is_counted():
    one = caller({"Metrics": []})
    assert one.call("cloudwatch", "ListMetrics", {"Namespace": "AWS/EC2"}) == {"Metrics": []}
    assert one.made == 1
    assert one.clients.client("cloudwatch").asked == [{"Namespace": "AWS/EC2"}]


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "RequestLimitExceeded", "SlowDown"])
def test_throttling_is_waited_out(code):
    clock = FakeClock()
    one = caller(refusal(code), refusal(code), {"Metrics": []}, clock=clock)
    assert one.call("cloudwatch", "ListMetrics") == {"Metrics": []}
    assert one.made == 3
    assert len(clock.slept) == 2


def test_every_attempt_passes_the_gate():
    passed = []
    one = caller(refusal("Throttling"), {"Metrics": []})
    one.call("cloudwatch", "ListMetrics", gate=lambda: passed.append(1))
    assert len(passed) == 2


def test_endless_throttling_ends_with_advice():
    one = caller(*[refusal("Throttling", "Rate exceeded")] * 20)
    with pytest.raises(AwsCallError, match=r"cloudwatch:ListMetrics in eu-west-1: still throttled after 8") as caught:
        one.call("cloudwatch", "ListMetrics")
    assert "later" in caught.value.hint
    assert one.made == 8


def test_a_server_that_always_fails_is_not_asked_for_ever():
    one = caller(*[refusal("500", "<html>", status=500)] * 20)
    with pytest.raises(AwsCallError, match="8 attempts"):
        one.call("cloudwatch", "ListMetrics")


def test_a_host_that_does_not_answer_is_given_up_sooner():
    one = caller(*[boto.EndpointConnectionError(endpoint_url="http://127.0.0.1:9")] * 20)
    with pytest.raises(AwsCallError, match="cannot be reached after 3 attempts") as caught:
        one.call("cloudwatch", "ListMetrics")
    assert "AWS_ENDPOINT_URL" in caught.value.hint


@pytest.mark.parametrize(
    ("service", "operation", "needs"),
    [
        ("cloudwatch", "ListMetrics", "cloudwatch:ListMetrics"),
        ("elbv2", "DescribeTags", "elasticloadbalancing:DescribeTags"),
    ],
)
def test_a_denial_names_the_permission_that_is_missing_and_is_not_repeated(service, operation, needs):
    one = caller(refusal("AccessDenied", "User: arn:x is not authorized", status=403))
    with pytest.raises(AwsCallError, match=r"not authorized \(AccessDenied\)") as caught:
        one.call(service, operation)
    assert needs in caught.value.hint
    assert denied(caught.value)
    assert one.made == 1


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"])
def test_a_stranger_is_told_to_log_in(code):
    with pytest.raises(CredentialsError, match=code) as caught:
        caller(refusal(code, status=403)).call("cloudwatch", "ListMetrics")
    assert "aws sso login" in caught.value.hint
    assert not denied(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (boto.NoCredentialsError(), CredentialsError),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), CredentialsError),
        (boto.ProfileNotFound(profile="x"), CredentialsError),
        (boto.UnauthorizedSSOTokenError(), CredentialsError),
        (boto.SSOTokenLoadError(error_msg="gone"), CredentialsError),
        (boto.TokenRetrievalError(provider="sso", error_msg="old"), CredentialsError),
        (boto.CredentialRetrievalError(provider="process", error_msg="x"), CredentialsError),
        (boto.NoRegionError(), AwsCallError),
        (boto.ReadTimeoutError(endpoint_url="http://x"), AwsCallError),
        (boto.ConnectionClosedError(endpoint_url="http://x"), AwsCallError),
        (boto.SSLError(endpoint_url="http://x", error="bad"), AwsCallError),
        (boto.ParamValidationError(report="Missing required parameter"), AwsCallError),
        (boto.UnknownServiceError(service_name="x", known_service_names="y"), AwsCallError),
    ],
    ids=lambda e: type(e).__name__ if isinstance(e, Exception) else "",
)
def test_each_botocore_error_becomes_one_of_ours_with_its_address(error, expected):
    ours = translated(error, service="ce", operation="GetCostAndUsage", region="us-east-1")
    assert type(ours) is expected
    assert str(ours).startswith("ce:GetCostAndUsage in us-east-1: ")


def test_pages_follow_the_token_under_the_names_that_the_service_uses():
    one = caller({"Tags": [1], "NextMarker": "a"}, {"Tags": [2], "NextMarker": "b"}, {"Tags": [3]})
    pages = one.pages("elbv2", "DescribeTags", {"PageSize": 1}, tokens=Tokens("Marker", "NextMarker"))
    assert [t for page in pages for t in page["Tags"]] == [1, 2, 3]
    assert one.clients.client("elbv2").asked == [
        {"PageSize": 1},
        {"PageSize": 1, "Marker": "a"},
        {"PageSize": 1, "Marker": "b"},
    ]


def test_a_token_that_repeats_itself_is_refused_instead_of_followed_for_ever():
    one = caller({"NextToken": "a"}, {"NextToken": "a"})
    with pytest.raises(AwsCallError, match="never end"):
        list(one.pages("cloudwatch", "ListMetrics"))
