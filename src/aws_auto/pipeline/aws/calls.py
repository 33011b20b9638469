"""The one place where AWS is called, and where its errors get their meaning.

Every adapter calls AWS through `Caller.call` or `Caller.pages`. botocore's own retries are switched off, so that each
attempt that reaches the network was let through by the caller's rate limit first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aws_auto.errors import AwsAutoError, AwsCallError, CredentialsError
from aws_auto.pipeline.aws.pace import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from aws_auto.pipeline.ports import Clock

#: "Slow down", in the words of the services.
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
#: "I do not know you", in the words of the services.
UNKNOWN_CALLER = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
#: "I know you, but no", in the words of the services.
DENIED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedAccess", "UnauthorizedOperation"}
)
#: The IAM prefix of a service where it is not the name of its client.
IAM_PREFIX = {"elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}


class ClientMaker(Protocol):
    """Gives boto3 clients; `aws_auto.pipeline.aws.session.Clients` is the real one."""

    @property
    def region(self) -> str | None:
        """The region of clients that ask for none."""
        ...

    def client(self, service: str, *, region: str | None = None) -> Any:  # noqa: ANN401 - boto3 clients have no type
        """The client of that service."""
        ...


@dataclass(frozen=True)
class Tokens:
    """How an API turns pages: ``receive`` names the token in an answer, ``send`` the argument that takes it."""

    send: str
    receive: str


NEXT_TOKEN = Tokens("NextToken", "NextToken")


def free() -> None:
    """No rate limit of ours."""


@dataclass
class Caller:
    """Calls AWS by the names of its API: ``call("cloudwatch", "ListMetrics", {})``.

    Attributes:
        made: attempts that went to the network, retries included.
    """

    clients: ClientMaker
    clock: Clock
    rng: np.random.Generator
    backoff: Backoff = field(default_factory=Backoff)
    made: int = 0

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any] | None = None,
        *,
        gate: Callable[[], None] = free,
    ) -> dict[str, Any]:
        """The answer, after as many attempts as it takes and `Backoff` allows.

        Args:
            service: boto3's name of the service.
            operation: the API's name of the operation, such as ``GetMetricData``.
            params: its arguments.
            gate: called before each attempt; waits where a rate limit demands it.

        Raises:
            CredentialsError: AWS does not know who we are.
            AwsCallError: AWS refused, or kept saying "slow down", or cannot be reached.
        """
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        attempt = 0
        while True:
            try:
                method = getattr(self.clients.client(service), xform_name(operation))
                gate()
                self.made += 1
                answer: dict[str, Any] = method(**(params or {}))
            except (BotoCoreError, ClientError) as error:
                attempt += 1
                if attempt >= self._allowed(error):
                    raise translated(
                        error, service=service, operation=operation, region=self.clients.region, attempts=attempt
                    ) from error
                self.clock.sleep(self.backoff.delay(attempt - 1, self.rng))
            else:
                return answer

    def pages(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any] | None = None,
        *,
        tokens: Tokens = NEXT_TOKEN,
        gate: Callable[[], None] = free,
    ) -> Iterator[dict[str, Any]]:
        """Every page.

        Raises:
            AwsCallError: as `call`, or the service hands out the same token twice, which would never end.
        """
        token: str | None = None
        while True:
            page = self.call(
                service, operation, {**(params or {}), **({tokens.send: token} if token else {})}, gate=gate
            )
            yield page
            following = page.get(tokens.receive)
            if not following:
                return
            if following == token:
                raise AwsCallError(
                    "the answer repeats its page token, so its pages would never end",
                    where=address(service, operation, self.clients.region),
                    hint="run the command again; if it happens again, report it to AWS support",
                )
            token = following

    def _allowed(self, error: Exception) -> int:
        from botocore import exceptions as boto

        if isinstance(error, boto.ClientError):
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
            return self.backoff.attempts if _code(error) in THROTTLED or status in (429, 500, 502, 503, 504) else 1
        return self.backoff.unreachable if isinstance(error, (boto.ConnectionError, boto.HTTPClientError)) else 1


def address(service: str, operation: str, region: str | None) -> str:
    """``cloudwatch:GetMetricData in eu-west-1``."""
    return f"{service}:{operation} in {region or 'no region'}"


def action(service: str, operation: str) -> str:
    """The IAM action that allows a call, such as ``elasticloadbalancing:DescribeTags``."""
    return f"{IAM_PREFIX.get(service, service)}:{operation}"


def denied(error: AwsAutoError) -> bool:
    """True when AWS knows us and said no: the caller may go on without that answer, and must say so."""
    from botocore.exceptions import ClientError

    return isinstance(error.__cause__, ClientError) and _code(error.__cause__) in DENIED


def translated(
    error: Exception, *, service: str, operation: str, region: str | None, attempts: int = 1
) -> CredentialsError | AwsCallError:
    """A botocore error as ours, with service, operation, region, code and what to do next."""
    from botocore import exceptions as boto

    where = address(service, operation, region)
    strangers = (
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.ProfileNotFound,
        boto.TokenRetrievalError,
        boto.SSOError,
        boto.LoginError,
        boto.NoAuthTokenError,
        boto.RefreshWithMFAUnsupportedError,
    )
    if isinstance(error, boto.ClientError):
        return _refusal(error, where=where, needs=action(service, operation), attempts=attempts)
    if isinstance(error, strangers):
        return CredentialsError(_sentence(error), where=where)
    if isinstance(error, boto.NoRegionError):
        return AwsCallError("no AWS region is set", where=where, hint="set AWS_REGION, or pass --region eu-west-1")
    if isinstance(error, (boto.ConnectionError, boto.HTTPClientError)):
        return AwsCallError(
            f"cannot be reached after {attempts} attempts: {_sentence(error)}",
            where=where,
            hint="check the network, the proxy, and that AWS_ENDPOINT_URL (if set) is right",
        )
    if isinstance(error, boto.ParamValidationError):
        return AwsCallError(f"the request is not valid: {_sentence(error)}", where=where, hint="report this as a bug")
    return AwsCallError(f"{_sentence(error)} ({type(error).__name__})", where=where)


def _refusal(error: Any, *, where: str, needs: str, attempts: int) -> CredentialsError | AwsCallError:  # noqa: ANN401 - botocore has no types
    code = _code(error)
    said = str(error.response.get("Error", {}).get("Message") or "no message")
    text = f"{said} ({code})"
    if code in UNKNOWN_CALLER:
        return CredentialsError(text, where=where)
    if code in DENIED:
        return AwsCallError(text, where=where, hint=f"allow the IAM action {needs} for the role or user that runs this")
    if code in THROTTLED:
        return AwsCallError(
            f"still throttled after {attempts} attempts: {text}",
            where=where,
            hint="run the command again later: what was stored is not asked for again",
        )
    if code in ("ValidationException", "ValidationError", "InvalidParameterValue", "InvalidParameterCombination"):
        return AwsCallError(text, where=where, hint="ask for another window, region or name")
    return AwsCallError(f"{text}, {attempts} attempts" if attempts > 1 else text, where=where)


def _code(error: Any) -> str:  # noqa: ANN401 - botocore has no types
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
