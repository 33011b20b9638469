from __future__ import annotations

import asyncio
import json
import sys

import httpx
import pytest

from aws_auto.errors import MissingExtra, UsageError
from aws_auto.pipeline.serve.app import create_app, servable
from aws_auto.pipeline.serve.capture import captured
from aws_auto.pipeline.serve.predict import MOST_BYTES

ROW = {"resource_id": "i-1", "timestamp": "2026-01-05T09:00:00Z", "cpu_utilization": 40}
BODY = json.dumps({"instances": [ROW]})
JSON = {"content-type": "application/json"}


def talk(app, *requests):
    """Answers to these requests, one after another, with the application started and shut down around them."""

    async def conversation():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://here") as c,
        ):
            return [await c.request(method, path, **options) for method, path, options in requests]

    return asyncio.run(conversation())


def post(path="/invocations", body=BODY, **headers):
    return "POST", path, {"content": body, "headers": JSON | headers}


def get(path):
    return "GET", path, {}


@pytest.fixture
def app(ws, recipe):
    return create_app(ws, ["times"], recipe=recipe)


def test_ping_is_503_with_the_reason_until_a_champion_can_answer(ws, app):
    (before,) = talk(app, get("/ping"))
    assert before.status_code == 503
    assert before.json()["models"]["times"]["reason"] == "times has no champion yet; train it first"
    ws.registry.crown("times", 2)
    (after,) = talk(app, get("/ping"))
    assert after.status_code == 200
    assert after.json()["models"]["times"]["version"] == 2


def test_an_invocation_before_training_says_what_to_run(app):
    (answer,) = talk(app, post())
    assert answer.status_code == 503
    assert answer.json()["hint"] == "aws-auto ml train-models --models times"


def test_the_champion_answers_and_says_who_it_is(ws, app):
    ws.registry.crown("times", 2)
    (answer,) = talk(app, post())
    assert answer.status_code == 200
    body = answer.json()
    assert (body["model"], body["version"]) == ("times", 2)
    assert body["predictions"][0]["answer"] == 80.0
    assert answer.headers["x-aws-auto-version"] == "2"
    assert answer.headers["x-aws-auto-request-id"] == body["request_id"]
    assert "simulated" not in body


def test_a_model_of_the_simulated_account_says_so_in_every_answer(ws, app):
    ws.registry.crown("times", 2, simulated=True)
    answer, ping, page = talk(app, post(), get("/ping"), get("/"))
    assert answer.json()["simulated"] is True
    assert ping.json()["models"]["times"]["simulated"] is True
    assert "Trained on simulated data" in page.text


def test_sagemaker_s_own_headers_do_no_harm(ws, app):
    ws.registry.crown("times", 2)
    (answer,) = talk(app, post(**{"X-Amzn-SageMaker-Custom-Attributes": "trace=1"}))
    assert answer.status_code == 200


def test_answers_are_in_the_lake_after_shutdown_under_their_request_id(ws, app):
    ws.registry.crown("times", 2)
    answer, _refused = talk(app, post(), post(body="[]"))
    rows = captured(ws.lake, "times")
    assert rows["request_id"].to_list() == [answer.json()["request_id"]]
    assert rows["version"].to_list() == [2]
    assert rows["latency_ms"][0] > 0


def test_a_refused_request_has_a_sentence_and_the_version_that_refused(ws, app):
    ws.registry.crown("times", 2)
    (answer,) = talk(app, post(body="[]"))
    assert answer.status_code == 400
    assert answer.json()["error"] == "the request holds no rows"
    assert answer.json()["version"] == 2


def test_a_bug_in_the_model_is_500_with_a_sentence_in_json(ws, app, caplog):
    ws.registry.crown("times", 2)
    (answer,) = talk(app, post(body=json.dumps([{**ROW, "resource_id": "bug"}])))
    assert answer.status_code == 500
    assert "the server's log has the reason" in answer.json()["error"]
    assert "ZeroDivisionError" in caplog.text


def test_a_body_over_the_limit_is_refused_declared_or_not(ws, app):
    ws.registry.crown("times", 2)

    async def pieces():
        for _ in range(7):
            yield b" " * (MOST_BYTES // 6)

    declared, streamed = talk(app, post(body=b" " * (MOST_BYTES + 1)), post(body=pieces()))
    assert declared.status_code == 413
    assert streamed.status_code == 413


def test_several_models_answer_under_their_names(ws, recipe):
    app = create_app(ws, ["times", "late"], recipe=recipe)
    ws.registry.crown("times", 3)
    named, unnamed, unknown, ping, late = talk(
        app,
        post("/models/times/invocations"),
        post(),
        post("/models/other/invocations"),
        get("/ping"),
        get("/models/late/ping"),
    )
    assert named.json()["predictions"][0]["answer"] == 120.0
    assert unnamed.status_code == 400
    assert "/models/late/invocations" in unnamed.json()["hint"]
    assert unknown.status_code == 404
    assert ping.status_code == 200
    assert late.status_code == 503


def test_a_wrong_path_or_method_is_answered_in_json_with_what_there_is(app):
    wrong_path, wrong_method = talk(app, get("/predict"), get("/invocations"))
    assert wrong_path.status_code == 404
    assert wrong_method.status_code == 405
    assert "POST /invocations" in wrong_path.json()["hint"]
    assert wrong_method.json()["error"] == "GET /invocations is nothing here"


def test_the_page_shows_model_version_schema_and_a_line_to_try(ws, recipe):
    app = create_app(ws, ["times", "<late>"], recipe=recipe)
    ws.registry.crown("times", 2)
    (page,) = talk(app, get("/"))
    assert "times version 2" in page.text
    assert "<code>cpu_utilization</code><td>a number<td>Percent<td>5 to 80" in page.text
    assert "curl -s http://here/models/times/invocations" in page.text
    assert "&lt;late&gt;: waiting for a champion" in page.text
    assert "<script" not in page.text


def test_without_the_extra_the_error_says_what_to_install(ws, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(MissingExtra, match="answering over HTTP needs fastapi") as caught:
        create_app(ws, ["times"])
    assert caught.value.hint == "pip install 'aws-auto[serve]'"


def test_no_model_is_a_usage_error(ws):
    with pytest.raises(UsageError, match="no model is named"):
        create_app(ws, [])


def test_what_is_deployed_or_has_a_champion_is_served_when_nothing_is_asked_for(ws):
    assert servable(ws) == []
    ws.registry.crown("times", 2)
    ws.target.deploy("function", "late-model", model="late")
    ws.target.deploy("rule", "error_rate", threshold="1%")
    assert servable(ws) == ["late", "times"]


def test_a_model_is_found_by_its_own_name_and_by_the_one_it_is_deployed_under(ws):
    ws.registry.crown("times", 2)
    ws.target.deploy("endpoint", "late-model", model="late")
    assert servable(ws, ["late-model", "times"]) == ["late", "times"]
