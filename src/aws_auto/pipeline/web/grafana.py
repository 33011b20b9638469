"""Grafana: a dashboard of the models, as JSON that can be imported, and a way to publish it.

The panels read CloudWatch: the namespace ``aws-auto``, one metric per reading of the monitor, dimension ``Model``, as
``monitor --publish-readings`` writes them. The data source and the region are chosen in Grafana. The newest readings
stand in a table above, so that the dashboard says something before the first point is in CloudWatch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_auto.errors import DeliveryError
from aws_auto.pipeline.web.http import check_address, opener, post_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.pipeline.web.http import Opener

URL, TOKEN = "AWS_AUTO_GRAFANA_URL", "AWS_AUTO_GRAFANA_TOKEN"
NAMESPACE, DIMENSION = "aws-auto", "Model"
#: The schema of Grafana 10; later versions migrate it when they load it.
SCHEMA_VERSION = 39


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One chart: a metric of every model. ``worse`` says on which side of its limit a value is bad."""

    metric: str
    title: str
    unit: str
    statistic: str
    meaning: str
    worse: str = "above"
    low: float | None = 0.0
    high: float | None = None


PANELS = (
    Panel(
        metric="data_drift_score",
        title="Data drift",
        unit="percentunit",
        statistic="Maximum",
        meaning="Share of input columns that no longer look like the training data.",
        high=1.0,
    ),
    Panel(
        metric="prediction_drift_score",
        title="Prediction drift",
        unit="percentunit",
        statistic="Maximum",
        meaning="Share of answer columns that no longer look like those of the reference.",
        high=1.0,
    ),
    Panel(
        metric="prediction_accuracy",
        title="Quality",
        unit="percentunit",
        statistic="Minimum",
        meaning="Accuracy on points whose truth has arrived; for forecasts 1 - WAPE.",
        worse="below",
        low=None,
        high=1.0,
    ),
    Panel(
        metric="model_latency",
        title="Latency",
        unit="s",
        statistic="Maximum",
        meaning="Time to answer one request, 95th percentile of the monitor's window.",
    ),
)


class Grafana:
    """`Dashboard` of one server. A server that is not set is an error only when something is to be published."""

    name = "grafana"

    def __init__(
        self, url: str | None, token: str | None, *, sender: Opener | None = None, timeout_s: float = 15.0
    ) -> None:
        """Args are the server's address, the token of a service account, and the transport."""
        self._url = url.strip().rstrip("/") if url else None
        self._token = token.strip() if token else None
        self._sender = sender or opener()
        self._timeout_s = timeout_s

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Grafana:
        """The server that ``AWS_AUTO_GRAFANA_URL`` and ``AWS_AUTO_GRAFANA_TOKEN`` name, if any."""
        return cls(environ.get(URL), environ.get(TOKEN))

    def __repr__(self) -> str:
        return f"Grafana({'configured' if self.configured else 'not configured'})"

    @property
    def configured(self) -> bool:
        """True when there is a server and a token."""
        return bool(self._url and self._token)

    def publish(self, dashboard: Mapping[str, Any]) -> str:
        """Create the dashboard, or replace the one of the same ``uid``; returns its address.

        Raises:
            DeliveryError: not configured, refused or unreachable.
        """
        missing = [name for name, value in ((URL, self._url), (TOKEN, self._token)) if not value]
        if not self._url or not self._token:
            raise DeliveryError(
                f"{' and '.join(missing)} not set, so the dashboard was not published",
                where="grafana",
                hint=f"export {URL}=https://... and {TOKEN}=<token of a service account with the role Editor>, "
                "or import the JSON file by hand (Dashboards, New, Import)",
            )
        check_address(self._url, variable=URL)
        if any(ord(letter) < 33 or ord(letter) > 126 for letter in self._token):
            raise DeliveryError("holds characters that no token has", where=TOKEN)
        answer = post_json(
            f"{self._url}/api/dashboards/db",
            {"dashboard": {**dashboard, "id": None}, "overwrite": True, "message": "written by aws-auto"},
            sender=self._sender,
            timeout_s=self._timeout_s,
            headers={"Authorization": f"Bearer {self._token}"},
        )
        path = _field(answer.text, "url")
        if answer.status != 200 or not path:
            raise _refusal(answer.status, _field(answer.text, "message").replace(self._token, "..."))
        # The path may hold the sub-path that Grafana is served under; the base has it as well.
        base = self._url.split("/", 3)
        prefix = f"/{base[3]}" if len(base) > 3 else ""
        return f"{'/'.join(base[:3])}{path if path.startswith(f'{prefix}/') else prefix + path}"


def dashboard(
    models: Sequence[str],
    *,
    limits: Mapping[str, float] | None = None,
    readings: Mapping[str, Mapping[str, float | None]] | None = None,
    title: str = "aws-auto models",
) -> dict[str, Any]:
    """The dashboard of these models, equal for equal arguments.

    Args:
        models: names, in the order of their curves.
        limits: by metric, where a reading becomes bad; drawn as a line.
        readings: by model and metric, the newest figures, for the table on top.
        title: its name in Grafana; the ``uid`` follows from it, so that publishing again replaces it.
    """
    panels = [_readings(models, readings)] if readings else []
    top = sum(p["gridPos"]["h"] for p in panels)
    for index, panel in enumerate(PANELS):
        place = {"h": 9, "w": 12, "x": 12 * (index % 2), "y": top + 9 * (index // 2)}
        panels.append(_chart(panel, models, (limits or {}).get(panel.metric), place))
    return {
        "uid": f"aws-auto-{hashlib.sha256(title.encode()).hexdigest()[:12]}",
        "title": title,
        "tags": ["aws-auto"],
        "timezone": "utc",
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "5m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, start=1)],
    }


def _variables() -> list[dict[str, Any]]:
    source = {"type": "datasource", "name": "datasource", "label": "CloudWatch", "query": "cloudwatch", "current": {}}
    region = {
        "type": "query",
        "name": "region",
        "label": "Region",
        "datasource": _source(),
        "query": {"queryType": "regions", "refId": "regions"},
        "refresh": 1,
        "current": {"text": "default", "value": "default"},
    }
    return [source, region]


def _source() -> dict[str, str]:
    return {"type": "cloudwatch", "uid": "${datasource}"}


def _chart(panel: Panel, models: Sequence[str], limit: float | None, place: Mapping[str, int]) -> dict[str, Any]:
    below = panel.worse == "below"
    steps: list[dict[str, Any]] = [{"color": "red" if below and limit is not None else "green", "value": None}]
    if limit is not None:
        steps.append({"color": "green" if below else "red", "value": limit})
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": {
            "drawStyle": "line",
            "lineWidth": 2,
            "showPoints": "auto",
            "spanNulls": False,
            "thresholdsStyle": {"mode": "line" if limit is not None else "off"},
        },
    }
    defaults |= {name: value for name, value in (("min", panel.low), ("max", panel.high)) if value is not None}
    bound = "" if limit is None else f" Bad {panel.worse} {limit:g}."
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": f"{panel.meaning}{bound} Drawn from what aws-auto ml monitor --publish-readings wrote.",
        "datasource": _source(),
        "gridPos": dict(place),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [_target(index, model, panel) for index, model in enumerate(models)],
    }


def _target(index: int, model: str, panel: Panel) -> dict[str, Any]:
    return {
        "refId": _letters(index),
        "id": f"m{index}",
        "datasource": _source(),
        "queryMode": "Metrics",
        "metricQueryType": 0,
        "metricEditorMode": 0,
        "region": "$region",
        "namespace": NAMESPACE,
        "metricName": panel.metric,
        "dimensions": {DIMENSION: [model]},
        "matchExact": True,
        "statistic": panel.statistic,
        "period": "",
        "expression": "",
        "label": model,
    }


def _letters(index: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _readings(models: Sequence[str], readings: Mapping[str, Mapping[str, float | None]]) -> dict[str, Any]:
    metrics = [p.metric for p in PANELS if any(p.metric in readings.get(m, {}) for m in models)]
    lines = [["model", *metrics], ["---"] * (len(metrics) + 1)]
    for model in models:
        values = (readings.get(model, {}).get(name) for name in metrics)
        lines.append([_plain(model), *("unknown" if v is None else f"{v:.4g}" for v in values)])
    return {
        "type": "text",
        "title": "Newest readings",
        "gridPos": {"h": 3 + len(models), "w": 24, "x": 0, "y": 0},
        "options": {"mode": "markdown", "content": "\n".join(f"| {' | '.join(line)} |" for line in lines)},
    }


def _plain(text: str) -> str:
    """Text that Markdown and HTML have nothing to say about."""
    return "".join(c if c.isalnum() or c in " -_." else f"&#{ord(c)};" for c in text)


def _field(text: str, name: str) -> str:
    try:
        body = json.loads(text)
    except ValueError:
        return ""
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


def _refusal(status: int, said: str) -> DeliveryError:
    hints = {
        401: f"the token in {TOKEN} is not valid: make a new one (Administration, Service accounts)",
        403: f"the token in {TOKEN} may not write dashboards: give its service account the role Editor",
        404: f"is {URL} the address of Grafana itself, with its sub-path?",
        412: "a dashboard of that name is kept by another tool: rename one of the two",
    }
    redirected = 300 <= status < 400
    return DeliveryError(
        f"Grafana refused the dashboard: {status}" + (f", {said[:200]}" if said else ""),
        where="grafana",
        hint=f"{URL} leads elsewhere: write the address it leads to" if redirected else hints.get(status),
    )
