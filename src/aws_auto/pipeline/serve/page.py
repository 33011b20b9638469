"""The help page of the local endpoint: which models answer, what they read, and a line to try."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from aws_auto.pipeline.serve.parse import WORDS
from aws_auto.pipeline.serve.predict import example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.pipeline.serve.capture import Capture
    from aws_auto.pipeline.serve.champion import Champion, Loaded
    from aws_auto.results import Field

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;border-bottom:1px solid #ccc}"
    "pre{background:#f3f3f3;padding:.8rem;overflow-x:auto}"
)


def page(champions: Sequence[Champion], capture: Capture, *, base: str) -> str:
    """The page as HTML, without scripts or anything from elsewhere. ``base`` is the address it was asked at."""
    models = "".join(_model(one, one.current(), base) for one in champions)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>aws-auto ml serve</title><style>{_STYLE}</style>"
        f"<h1>aws-auto ml serve</h1><p><code>GET /ping</code> says whether a champion can answer,"
        f" <code>POST /invocations</code> asks it (JSON or CSV).</p>{models}"
        f"<p>Answers are captured for drift and quality checks: {capture.stored} rows stored,"
        f" {capture.buffered} in memory, {capture.dropped} dropped.</p></html>"
    )


def _model(champion: Champion, loaded: Loaded | None, base: str) -> str:
    title = f"<h2>{escape(champion.model)}"
    trouble = f"<p>{escape(champion.trouble)}</p>" if champion.trouble else ""
    if loaded is None:
        return f"{title}: waiting for a champion</h2>{trouble}"
    if loaded.simulated:
        trouble += "<p><strong>Trained on simulated data.</strong></p>"
    schema = loaded.version.schema
    curl = (
        f"curl -s {base}models/{champion.model}/invocations \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d '{example(schema)}'"
    )
    rows = "".join(map(_row, schema))
    return (
        f"{title} version {loaded.version.version}</h2>{trouble}<table><tr><th>column<th>what<th>unit<th>"
        f"range seen in training</tr>{rows}</table><pre>{escape(curl)}</pre>"
    )


def _row(field: Field) -> str:
    needed = WORDS[field.kind] + ("" if field.required else ", optional")
    seen = "" if field.low is None or field.high is None else f"{field.low:g} to {field.high:g}"
    unit = "" if field.unit == "None" else field.unit
    return f"<tr><td><code>{escape(field.name)}</code><td>{needed}<td>{escape(unit)}<td>{seen}</tr>"
