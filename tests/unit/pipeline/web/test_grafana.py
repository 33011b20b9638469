"""The Grafana dashboard as JSON, and what is refused before anything is sent."""

import json
import re

import pytest

from aws_auto.errors import DeliveryError
from aws_auto.pipeline.web.grafana import NAMESPACE, PANELS, TOKEN, URL, Grafana, dashboard

MODELS = ("demand", "cost")
LIMITS = {"data_drift_score": 0.3, "prediction_accuracy": 0.85, "model_latency": 0.2}


def charts(board):
    return {p["title"]: p for p in board["panels"] if p["type"] == "timeseries"}


def test_equal_arguments_give_equal_json_and_another_title_another_uid():
    first, second = (json.dumps(dashboard(MODELS, limits=LIMITS)) for _ in range(2))
    assert first == second
    assert dashboard(MODELS)["uid"] == dashboard(("other",))["uid"]
    assert dashboard(MODELS, title="staging")["uid"] != dashboard(MODELS)["uid"]


def test_the_uid_is_one_that_grafana_accepts():
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", dashboard(MODELS, title="any title, however long " * 9)["uid"])


def test_there_is_a_chart_for_drift_quality_and_latency_and_each_says_who_writes_it():
    board = charts(dashboard(MODELS))
    assert set(board) == {"Data drift", "Prediction drift", "Quality", "Latency"}
    assert all("monitor --publish-readings" in panel["description"] for panel in board.values())


def test_every_chart_asks_cloudwatch_for_every_model():
    for panel in charts(dashboard(MODELS)).values():
        assert [t["label"] for t in panel["targets"]] == list(MODELS)
        for target in panel["targets"]:
            assert (target["namespace"], target["dimensions"]) == (NAMESPACE, {"Model": [target["label"]]})
            assert target["region"] == "$region"
            assert target["datasource"] == {"type": "cloudwatch", "uid": "${datasource}"}
            assert re.fullmatch(r"[a-z][a-zA-Z0-9_]*", target["id"])


def test_units_are_set_and_limits_are_drawn_on_the_side_that_is_bad():
    board = charts(dashboard(MODELS, limits=LIMITS))
    assert board["Latency"]["fieldConfig"]["defaults"]["unit"] == "s"
    steps = {title: board[title]["fieldConfig"]["defaults"]["thresholds"]["steps"] for title in board}
    assert steps["Data drift"] == [{"color": "green", "value": None}, {"color": "red", "value": 0.3}]
    assert steps["Quality"] == [{"color": "red", "value": None}, {"color": "green", "value": 0.85}]
    assert steps["Prediction drift"] == [{"color": "green", "value": None}]
    assert "Bad above 0.2." in board["Latency"]["description"]
    assert "Bad below 0.85." in board["Quality"]["description"]


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    board = dashboard(MODELS, readings={"demand": {"data_drift_score": 0.5}})
    ids = [p["id"] for p in board["panels"]]
    assert len(set(ids)) == len(ids) == len(PANELS) + 1
    cells = [
        (p["gridPos"]["x"] + dx, p["gridPos"]["y"] + dy)
        for p in board["panels"]
        for dx in range(p["gridPos"]["w"])
        for dy in range(p["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_reference_ids_go_on_after_z():
    targets = dashboard([f"m{n}" for n in range(30)])["panels"][0]["targets"]
    assert [t["refId"] for t in targets[24:29]] == ["Y", "Z", "AA", "AB", "AC"]


def test_the_newest_readings_stand_on_top_and_a_name_cannot_write_markup():
    board = dashboard(["a|<b>"], readings={"a|<b>": {"data_drift_score": 0.5, "model_latency": None}})
    content = board["panels"][0]["options"]["content"]
    assert content.splitlines() == [
        "| model | data_drift_score | model_latency |",
        "| --- | --- | --- |",
        "| a&#124;&#60;b&#62; | 0.5 | unknown |",
    ]


def test_the_dashboard_is_plain_json():
    board = dashboard(MODELS, limits=LIMITS, readings={"demand": {"data_drift_score": 0.5}})
    assert json.loads(json.dumps(board, allow_nan=False)) == board


@pytest.mark.parametrize(
    ("environ", "missing"),
    [({}, f"{URL} and {TOKEN}"), ({URL: "https://g.example"}, TOKEN), ({TOKEN: "x"}, URL)],
)
def test_without_a_server_the_error_says_which_variables_to_set(environ, missing):
    server = Grafana.from_environment(environ)
    assert not server.configured
    with pytest.raises(DeliveryError, match=f"{missing} not set") as caught:
        server.publish({})
    assert URL in caught.value.hint
    assert TOKEN in caught.value.hint
    assert "import the JSON" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "token", "why"),
    [
        ("http://grafana.example", "SECRET", "in clear text"),
        ("grafana.example", "SECRET", "starts with https"),
        ("https://grafana.example", "SECRET\nX-Evil: 1", "characters that no token has"),
    ],
)
def test_a_server_or_token_that_cannot_be_right_is_refused_before_anything_is_sent(url, token, why):
    with pytest.raises(DeliveryError, match=why) as caught:
        Grafana(url, token).publish({})
    assert "SECRET" not in f"{caught.value}{caught.value.hint}"
