"""Slack without a network: the message, and addresses that are refused before anything is sent."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from aws_auto.errors import DeliveryError
from aws_auto.pipeline.ports import Alert
from aws_auto.pipeline.web.slack import VARIABLE, Slack, message

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def alert(**changes):
    values = {"key": "k", "severity": "critical", "title": "t", "text": "x", "model": "demand", "at": AT}
    return Alert(**(values | changes))


def nobody():
    """A transport that must not be used."""

    def refuse(*_args, **_more):
        raise AssertionError("something was sent")

    return SimpleNamespace(open=refuse)


def test_without_a_webhook_the_error_says_which_variable_to_set():
    channel = Slack.from_environment({}, clock=None)
    assert not channel.configured
    with pytest.raises(DeliveryError, match="no webhook is set") as caught:
        channel.send(alert())
    assert f"export {VARIABLE}=https://hooks.slack.com/" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("hooks.slack.com/services/SECRET", "is not an address that starts with https"),
        ("ftp://hooks.slack.com/SECRET", "is not an address that starts with https"),
        ("https://hooks.slack.com/services/SE CRET", "is not an address that starts with https"),
        ("https://[SECRET", "is not an address that starts with https"),
        ("http://hooks.slack.com/services/SECRET", "in clear text"),
        (
            "https://evil.example/services/SECRET",
            "names the host evil.example; allowed is hooks.slack.com, hooks.slack-gov.com",
        ),
        ("https://hooks.slack.com.evil.example/SECRET", "allowed is hooks.slack.com, hooks.slack-gov.com"),
        ("https://169.254.169.254/SECRET", "allowed is hooks.slack.com, hooks.slack-gov.com"),
        ("https://hooks.slack.com@evil.example/SECRET", "must not carry a user"),
        ("https://user:SECRET@hooks.slack.com/services", "must not carry a user"),
        ("http://127.0.0.1:8000/SECRET", "allowed is hooks.slack.com, hooks.slack-gov.com"),
    ],
)
def test_an_address_that_is_no_slack_webhook_is_refused_before_anything_is_sent(url, why):
    with pytest.raises(DeliveryError, match=VARIABLE) as caught:
        Slack(url, clock=None, sender=nobody()).send(alert())
    assert why in str(caught.value)
    assert "SECRET" not in f"{caught.value}{caught.value.hint}"


def test_the_webhook_of_the_environment_is_used_and_not_shown():
    channel = Slack.from_environment({VARIABLE: " https://hooks.slack.com/services/SECRET\n"}, clock=None)
    assert channel.configured
    assert repr(channel) == "Slack(configured)"


@pytest.mark.parametrize("severity", ["info", "warning", "critical"])
def test_the_severity_is_a_word_in_the_heading_and_in_the_notification(severity):
    body = message(alert(severity=severity))
    assert body["text"].startswith(severity.upper())
    assert body["blocks"][0]["text"]["text"].startswith(severity.upper())


def test_a_name_cannot_call_the_channel_or_make_a_link():
    body = message(alert(title="<!channel>", text="<https://evil|x> & co", facts={"<!here>": "<@U1>"}))
    marked = [b["text"]["text"] for b in body["blocks"] if b["type"] == "section" and "text" in b]
    assert marked == ["&lt;https://evil|x&gt; &amp; co"]
    assert body["text"] == "CRITICAL: &lt;!channel&gt;"
    assert body["blocks"][2]["fields"][0]["text"] == "&lt;!here&gt;: &lt;@U1&gt;"
    assert body["blocks"][0]["text"]["type"] == "plain_text"


def test_what_is_too_long_for_slack_is_cut_and_nothing_is_left_out_in_between():
    facts = {f"fact {n}": "v" for n in range(23)}
    body = message(alert(title="t" * 500, text="<" * 5000, facts=facts))
    header, text, *sections, foot = body["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert len(text["text"]["text"]) <= 3000
    assert text["text"]["text"].endswith("...")
    assert [len(s["fields"]) for s in sections] == [10, 10, 3]
    assert "demand" in foot["elements"][0]["text"]


def test_an_alert_without_text_has_no_empty_block():
    assert [b["type"] for b in message(alert(text=" "))["blocks"]] == ["header", "context"]
