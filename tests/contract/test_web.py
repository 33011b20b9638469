"""Slack and Grafana against real HTTP servers on loopback."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from traceback import format_exception
from urllib.request import ProxyHandler, build_opener

import pytest

from aws_auto.errors import DeliveryError
from aws_auto.pipeline.ports import Alert
from aws_auto.pipeline.web.grafana import Grafana, dashboard
from aws_auto.pipeline.web.http import _NoRedirect
from aws_auto.pipeline.web.slack import Slack

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PATH = "/services/T0SECRET/B0SECRET/xoxSECRET"
TOKEN = "glsa_SECRETTOKEN"  # noqa: S105 - opens nothing


class FakeClock:
    def __init__(self):
        self.slept = []

    def now(self):
        return NOW + timedelta(seconds=sum(self.slept))

    def sleep(self, seconds):
        self.slept.append(seconds)


class Server(ThreadingHTTPServer):
    """Gives the answers in turn, the last one for ever, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = self.server.asked
        asked.append((self.path, dict(self.headers), body))
        status, headers, text = self.server.answers[min(len(asked), len(self.server.answers)) - 1]
        if status is None:
            self.server.held.wait(5)
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers), None))
        self.send_error(405)

    def log_message(self, *_):
        """Nothing: tests are silent."""


@contextmanager
def serving(*answers):
    server = Server(answers)
    server.held = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.held.set()
        server.shutdown()
        thread.join()
        server.server_close()


def alert(**changes):
    values = {
        "key": "demand:drift",
        "severity": "warning",
        "title": "demand version 2: drift",
        "text": "data_drift_score > 0.3: 0.5",
        "model": "demand",
        "at": NOW,
        "facts": {"wanted": "retrain"},
    }
    return Alert(**(values | changes))


def direct():
    """Loopback is not reached through the proxy of the machine that tests run on."""
    return build_opener(ProxyHandler({}), _NoRedirect)


def slack(server, clock=None, **more):
    return Slack(server.url + PATH, clock=clock or FakeClock(), hosts=("127.0.0.1",), sender=direct(), **more)


def grafana(url, **more):
    return Grafana(url, TOKEN, sender=direct(), **more)


def everything(caught):
    return "".join(format_exception(caught.value)) + str(caught.value.hint)


OK = (200, {}, "ok")


class TestSlack:
    def test_an_alert_arrives_with_its_severity_as_a_word_and_its_facts(self):
        with serving(OK) as server:
            slack(server).send(alert())
        [(path, headers, body)] = server.asked
        assert path == PATH
        assert headers["Content-Type"].startswith("application/json")
        assert body["text"] == "WARNING: demand version 2: drift"
        assert body["blocks"][0]["text"]["text"] == "WARNING: demand version 2: drift"
        assert "data_drift_score &gt; 0.3: 0.5" in json.dumps(body)
        assert "wanted: retrain" in json.dumps(body)

    @pytest.mark.parametrize(
        ("after", "waits"),
        [({"Retry-After": "7"}, [7.0]), ({"Retry-After": "Fri, 01 May 2026 12:00:30 GMT"}, [30.0]), ({}, [1.0])],
    )
    def test_a_busy_slack_is_waited_for_as_long_as_it_asks(self, after, waits):
        clock = FakeClock()
        with serving((429, after, "rate_limited"), OK) as server:
            slack(server, clock).send(alert())
        assert clock.slept == waits
        assert len(server.asked) == 2

    def test_a_wait_that_is_too_long_is_refused_and_not_slept(self):
        clock = FakeClock()
        with serving((429, {"Retry-After": "3600"}, "")) as server, pytest.raises(DeliveryError, match="wait 3600 s"):
            slack(server, clock).send(alert())
        assert clock.slept == []

    def test_a_slack_that_stays_out_of_order_is_given_up_after_four_attempts(self):
        clock = FakeClock()
        with serving((503, {}, "<html>")) as server, pytest.raises(DeliveryError, match="after 4 attempts: 503"):
            slack(server, clock).send(alert())
        assert clock.slept == [1.0, 2.0, 4.0]
        assert len(server.asked) == 4

    @pytest.mark.parametrize(
        ("status", "word", "hint"), [(404, "no_service", "make a new one"), (410, "channel_is_archived", "another one")]
    )
    def test_a_refusal_is_not_repeated_and_says_what_to_do(self, status, word, hint):
        with serving((status, {}, word)) as server, pytest.raises(DeliveryError, match=word) as caught:
            slack(server).send(alert())
        assert hint in caught.value.hint
        assert len(server.asked) == 1

    def test_a_redirect_is_not_followed_because_it_would_carry_the_secret_away(self):
        with (
            serving(OK) as elsewhere,
            serving((307, {"Location": elsewhere.url + "/x"}, "")) as server,
            pytest.raises(DeliveryError, match="307"),
        ):
            slack(server).send(alert())
        assert elsewhere.asked == []

    def test_a_server_that_does_not_answer_is_given_up_in_time(self):
        with serving((None, {}, "")) as server, pytest.raises(DeliveryError, match=r"did not answer within 0.2 s"):
            slack(server, timeout_s=0.2).send(alert())

    def test_a_server_that_is_not_there_is_said_to_be_unreachable(self):
        with serving(OK) as server:
            pass
        with pytest.raises(DeliveryError, match=r"127.0.0.1 cannot be reached: Connection refused"):
            slack(server).send(alert())

    @pytest.mark.parametrize(
        "answer", [(403, {}, f"no such hook {PATH}"), (200, {}, "ok"), (429, {"Retry-After": "999"}, PATH)]
    )
    def test_the_secret_stands_in_no_error_and_no_repr(self, answer):
        with serving(answer) as server:
            channel = slack(server)
            assert "SECRET" not in repr(channel)
            if answer[0] == 200:
                return
            with pytest.raises(DeliveryError) as caught:
                channel.send(alert())
        assert "SECRET" not in everything(caught)


class TestGrafana:
    MADE = (200, {}, json.dumps({"id": 1, "uid": "aws-auto-1", "url": "/d/aws-auto-1/models", "status": "success"}))

    def test_the_dashboard_is_posted_to_replace_the_one_of_its_uid_and_its_address_comes_back(self):
        board = dashboard(["demand"])
        with serving(self.MADE) as server:
            assert grafana(server.url + "/").publish(board) == f"{server.url}/d/aws-auto-1/models"
        [(path, headers, body)] = server.asked
        assert path == "/api/dashboards/db"
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert body["overwrite"] is True
        assert body["dashboard"] == {**board, "id": None}

    @pytest.mark.parametrize("given", ["/d/x/y", "/grafana/d/x/y"])
    def test_a_server_under_a_sub_path_keeps_it_in_the_address(self, given):
        with serving((200, {}, json.dumps({"url": given}))) as server:
            assert grafana(f"{server.url}/grafana").publish({}) == f"{server.url}/grafana/d/x/y"
        assert server.asked[0][0] == "/grafana/api/dashboards/db"

    @pytest.mark.parametrize(
        ("status", "text", "hint"),
        [
            (401, '{"message": "Invalid API key"}', "make a new one"),
            (403, '{"message": "no"}', "the role Editor"),
            (404, "not here", "sub-path"),
            (412, '{"status": "name-exists", "message": "exists"}', "rename"),
            (302, "", "leads elsewhere"),
        ],
    )
    def test_a_refusal_says_what_to_do(self, status, text, hint):
        with serving((status, {"Location": "/login"}, text)) as server, pytest.raises(DeliveryError) as caught:
            grafana(server.url).publish({})
        assert hint in caught.value.hint
        assert str(status) in str(caught.value)
        assert len(server.asked) == 1

    def test_an_answer_that_is_not_grafanas_is_a_refusal(self):
        with serving((200, {}, "<html>welcome</html>")) as server, pytest.raises(DeliveryError):
            grafana(server.url).publish({})

    def test_the_token_stands_in_no_error_and_no_repr(self):
        with serving((400, {}, json.dumps({"message": f"bad token {TOKEN}"}))) as server:
            channel = grafana(server.url)
            with pytest.raises(DeliveryError) as caught:
                channel.publish({})
        assert "SECRET" not in everything(caught) + repr(channel)
