"""One JSON request to a server outside, with what each of them must not do wrong.

An address is checked before anything is sent: https, a host that is allowed, no password in it. Redirects are not
followed, because they would carry the secret to whoever they name. Nothing of an address beyond its host, and nothing
of a header, ever stands in an error.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from aws_auto.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

#: An answer is a sentence or a few fields; what is longer is not what we asked for.
MOST_BYTES = 1_000_000


class Opener(Protocol):
    """What sends a request: `urllib.request.OpenerDirector`, or a stand-in for it."""

    def open(self, request: urllib.request.Request, *, timeout: float) -> AbstractContextManager[Any]:
        """The answer, or ``urllib.error.HTTPError``."""
        ...


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    text: str
    headers: Mapping[str, str]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:  # noqa: ANN401 - urllib's signature
        return None


def opener() -> Opener:
    """Sends through the proxy of the environment, if there is one, and follows no redirect."""
    return urllib.request.build_opener(_NoRedirect)


def check_address(url: str, *, variable: str, hosts: tuple[str, ...] | None = None) -> str:
    """The host of that address, when it may be spoken to.

    Args:
        url: the address; plain http is accepted for loopback only.
        variable: where the user set it.
        hosts: the only hosts that are allowed; None allows all.

    Raises:
        DeliveryError: not https, not a host of the list, or a password in it.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        parts, host = None, ""
    printable = all("!" <= letter <= "~" for letter in url)
    if parts is None or not host or not printable or parts.scheme not in ("http", "https"):
        raise DeliveryError("is not an address that starts with https://", where=variable)
    if parts.username or parts.password:
        raise DeliveryError("must not carry a user or a password", where=variable)
    if parts.scheme == "http" and not _is_loopback(host):
        raise DeliveryError(f"would send its secret to {host} in clear text", where=variable, hint="use https://")
    if hosts is not None and host not in hosts:
        raise DeliveryError(f"names the host {host}; allowed is {', '.join(hosts)}", where=variable)
    return host


def post_json(
    url: str, body: Mapping[str, Any], *, sender: Opener, timeout_s: float, headers: Mapping[str, str] | None = None
) -> Answer:
    """Send the body; an answer of any status is an answer.

    Raises:
        DeliveryError: the server cannot be reached, or does not speak HTTP.
    """
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked by `check_address`
        url,
        data=json.dumps(body, ensure_ascii=False, allow_nan=False).encode(),
        headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "aws-auto", **(headers or {})},
        method="POST",
    )
    host = urlsplit(url).hostname
    try:
        with sender.open(request, timeout=timeout_s) as response:
            return _answer(response.status, response.read(MOST_BYTES), response.headers)
    except urllib.error.HTTPError as refused:
        with refused:
            return _answer(refused.code, refused.read(MOST_BYTES), refused.headers)
    # A cause may hold the whole address, so none is passed on.
    except TimeoutError:
        raise DeliveryError(f"{host} did not answer within {timeout_s:g} s") from None
    except urllib.error.URLError as error:
        late = isinstance(error.reason, TimeoutError)
        why = f"did not answer within {timeout_s:g} s" if late else f"cannot be reached: {_reason(error.reason)}"
        raise DeliveryError(f"{host} {why}", hint="is there a network, or a proxy to be set?") from None
    except (http.client.HTTPException, OSError) as error:
        raise DeliveryError(f"{host} broke off the connection: {type(error).__name__}") from None


def _answer(status: int, body: bytes, headers: Any) -> Answer:  # noqa: ANN401 - an email.message.Message
    return Answer(status, body.decode(errors="replace"), {k.lower(): v for k, v in headers.items()})


def _reason(reason: object) -> str:
    return str(reason.strerror or reason) if isinstance(reason, OSError) else str(reason)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
