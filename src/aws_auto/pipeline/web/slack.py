"""Slack: an alert as a message in a channel, through an incoming webhook.

The address of a webhook is a secret: whoever has it can write to the channel. It comes from the environment, never from
a file, and stands in no error and no ``repr``.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from aws_auto.errors import DeliveryError
from aws_auto.pipeline.web.http import check_address, opener, post_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.pipeline.ports import Alert, Clock
    from aws_auto.pipeline.web.http import Answer, Opener

VARIABLE = "AWS_AUTO_SLACK_WEBHOOK"
HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")

#: Limits of Slack's blocks: header, section, field, and how many fields a section holds.
HEADER, SECTION, FIELD, FIELDS = 150, 3000, 2000, 10
#: How often a message is sent at most, and how long one wait for Slack may be.
ATTEMPTS, LONGEST_WAIT_S = 4, 120.0

_HINTS = {
    "no_service": "the webhook was removed or disabled: make a new one in Slack",
    "no_team": "the workspace is gone: make a new webhook",
    "invalid_token": "the webhook's address is not complete: copy it again from Slack",
    "channel_not_found": "the channel is gone: make a webhook for another one",
    "channel_is_archived": "the channel is archived: make a webhook for another one",
    "action_prohibited": "an administrator forbids posting there",
    "posting_to_general_channel_denied": "choose another channel than the general one",
}


class Slack:
    """`Notifier` for one webhook. A webhook that is not set is an error only when something is to be sent."""

    name = "slack"

    def __init__(
        self,
        webhook: str | None,
        *,
        clock: Clock,
        hosts: tuple[str, ...] = HOSTS,
        sender: Opener | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        """Args are the address, the clock that waits for Slack, the hosts that may be written to, and the transport."""
        self._webhook = webhook.strip() if webhook else None
        self._clock = clock
        self._hosts = hosts
        self._sender = sender or opener()
        self._timeout_s = timeout_s

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, clock: Clock) -> Slack:
        """The webhook that ``AWS_AUTO_SLACK_WEBHOOK`` names, if any."""
        return cls(environ.get(VARIABLE), clock=clock)

    def __repr__(self) -> str:
        return f"Slack({'configured' if self.configured else 'not configured'})"

    @property
    def configured(self) -> bool:
        """True when there is a webhook."""
        return bool(self._webhook)

    def send(self, alert: Alert) -> None:
        """Deliver, or raise; waits and tries again when Slack asks for it or is out of order.

        Raises:
            DeliveryError: no webhook, an address that is no Slack webhook, or Slack refused.
        """
        if not self._webhook:
            raise DeliveryError(
                "no webhook is set, so nobody was told",
                where="slack",
                hint=f"export {VARIABLE}=https://hooks.slack.com/services/... (Slack: Apps, Incoming Webhooks)",
            )
        check_address(self._webhook, variable=VARIABLE, hosts=self._hosts)
        body = message(alert)
        for attempt in range(1, ATTEMPTS + 1):
            answer = post_json(self._webhook, body, sender=self._sender, timeout_s=self._timeout_s)
            if answer.status == 200:
                return
            busy = answer.status == 429 or answer.status >= 500
            if not busy or attempt == ATTEMPTS:
                raise _refusal(answer, attempt)
            self._clock.sleep(self._wait(answer, attempt))

    def _wait(self, answer: Answer, attempt: int) -> float:
        """What ``Retry-After`` asks for, in seconds or as a date; else 1, 2, 4 seconds.

        Raises:
            DeliveryError: Slack asks for a longer wait than a command can be kept waiting.
        """
        asked = answer.headers.get("retry-after", "")
        if not asked:
            return 2.0 ** (attempt - 1)
        wait = float(asked) if asked.strip().isdigit() else self._until(asked)
        if wait > LONGEST_WAIT_S:
            raise DeliveryError(f"Slack asks to wait {wait:.0f} s", where="slack", hint="send fewer alerts, or later")
        return wait

    def _until(self, moment: str) -> float:
        try:
            then = parsedate_to_datetime(moment)
        except ValueError:
            return 1.0
        return max(0.0, (then.astimezone(UTC) - self._clock.now()).total_seconds())


def message(alert: Alert) -> dict[str, Any]:
    """The alert as Slack's blocks. The severity is a word, so that it does not hang on a colour."""
    title = f"{alert.severity.upper()}: {alert.title}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(title, HEADER), "emoji": False}}
    ]
    if alert.text.strip():
        blocks.append({"type": "section", "text": _marked(alert.text, SECTION)})
    facts = list(alert.facts.items())
    for start in range(0, len(facts), FIELDS):
        fields = [_marked(f"{name}: {value}", FIELD) for name, value in facts[start : start + FIELDS]]
        blocks.append({"type": "section", "fields": fields})
    foot = f"model {alert.model} | {alert.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC | {alert.key}"
    blocks.append({"type": "context", "elements": [_marked(foot, FIELD)]})
    # Shown in notifications and read aloud, where blocks are not.
    return {"text": _escaped(title), "blocks": blocks}


def _marked(text: str, most: int) -> dict[str, Any]:
    # Escaping makes text longer, so it is cut after it, and never inside an entity.
    cut = _cut(text, most)
    while len(_escaped(cut)) > most:
        cut = _cut(cut, len(cut) - 1)
    return {"type": "mrkdwn", "text": _escaped(cut), "verbatim": True}


def _escaped(text: str) -> str:
    """The three characters that Slack reads as its own; a name cannot call a whole channel then."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3].rstrip(".") + "..."


def _refusal(answer: Answer, attempts: int) -> DeliveryError:
    """Slack answers with a word; anything else is not repeated, because nobody knows what it holds."""
    word = answer.text.strip()
    known = word if re.fullmatch(r"[a-z]{2,20}(_[a-z]{2,20}){1,6}", word) else "no reason given"
    tries = f" after {attempts} attempts" if attempts > 1 else ""
    return DeliveryError(
        f"Slack refused the message{tries}: {answer.status}, {known}",
        where="slack",
        hint=_HINTS.get(word, "look at the webhook in Slack's app settings"),
    )
