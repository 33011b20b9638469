"""A `Chart` as plotly draws it: plain dicts, no plotly objects.

Curves differ in dash and marker as well as in colour, so that colour never carries meaning alone. Colours are those of
Okabe and Ito (2008), which people with any colour vision can tell apart; each is a pair for light and dark paper.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from aws_auto.results import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aws_auto.results import Chart, Line

#: (on light paper, on dark paper); the yellow of the original is too pale on white and was left out.
COLOURS = (
    ["#0072B2", "#56B4E9"],
    ["#D55E00", "#FF8A3D"],
    ["#007A5A", "#2BC48A"],
    ["#A6457F", "#E08BBF"],
    ["#6B6B6B", "#B5B5B5"],
    ["#8A6D00", "#E6B93C"],
)
#: "dash" is left to lines that ask to be dashed.
DASHES = ("solid", "longdash", "dashdot", "dot", "longdashdot")
MARKERS = ("circle", "diamond", "square", "triangle-up", "x", "cross")

_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?$")


def figure(chart: Chart) -> dict[str, Any]:
    """``data`` and ``layout`` of that chart. Times are shown in UTC."""
    timed = any(isinstance(x, (datetime, date)) or _is_time(x) for line in chart.lines for x in line.x[:1])
    traces = [trace for index, line in enumerate(chart.lines) for trace in _traces(index, line)]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": literal(f"{chart.x_title} (UTC)" if timed else chart.x_title)}, "automargin": True},
        "yaxis": {"title": {"text": literal(chart.y_title)}, "automargin": True},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "showlegend": len(chart.lines) > 1,
        "margin": {"l": 60, "r": 20, "t": 45 if len(chart.lines) > 1 else 30, "b": 50},
        "height": 380,
        "hovermode": "x unified" if timed else "closest",
    }
    if timed:
        layout["xaxis"] |= {"type": "date"}
    return {"data": traces, "layout": layout}


def differences(rows: Sequence[tuple[str, float, float, float]], *, title: str) -> dict[str, Any]:
    """Intervals on one axis with a line at zero: ``(name, low, middle, high)``, the first on top."""
    below = list(reversed(rows))
    arms = {
        "type": "data",
        "symmetric": False,
        "array": [high - middle for _, _, middle, high in below],
        "arrayminus": [middle - low for _, low, middle, _ in below],
        "color": COLOURS[0],
        "thickness": 2,
    }
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [middle for _, _, middle, _ in below],
        "y": [literal(name) for name, *_ in below],
        "error_x": arms,
        "marker": {"color": COLOURS[0], "size": 10},
        "hovertemplate": "%{y}: %{x:.3g} %<extra></extra>",
    }
    zero = {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 1.5, "dash": "dot"}}
    return {
        "data": [trace],
        "layout": {
            "xaxis": {"title": {"text": literal(title)}, "ticksuffix": " %", "zeroline": False, "automargin": True},
            "yaxis": {"type": "category", "automargin": True},
            "shapes": [zero],
            "showlegend": False,
            "margin": {"l": 20, "r": 20, "t": 30, "b": 50},
            "height": 130 + 42 * len(rows),
        },
    }


def _traces(index: int, line: Line) -> Iterator[dict[str, Any]]:
    colour, x = COLOURS[index % len(COLOURS)], [_shown(v) for v in line.x]
    if line.low is not None and line.high is not None:
        yield from _band(index, line, x)
    trace: dict[str, Any] = {"name": literal(line.name), "x": x, "y": as_json(line.y), "legendgroup": str(index)}
    match line.style:
        case "bars":
            yield trace | {"type": "bar", "marker": {"color": colour}}
        case "points":
            marker = {"color": colour, "size": 7, "symbol": MARKERS[index % len(MARKERS)]}
            yield trace | {"type": "scatter", "mode": "markers", "marker": marker}
        case style:
            dash = "dash" if style == "dashed" else DASHES[index % len(DASHES)]
            # A point between two gaps has no line to be seen by.
            mode = "lines+markers" if len(x) < 2 else "lines"
            yield trace | {"type": "scatter", "mode": mode, "line": {"color": colour, "width": 2, "dash": dash}}


def _band(index: int, line: Line, x: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The band as one closed shape per stretch without gaps: a band that jumps a gap claims what was not said."""
    assert line.low is not None  # noqa: S101 - the caller asked
    assert line.high is not None  # noqa: S101
    low, high = as_json(line.low), as_json(line.high)
    light, dark = COLOURS[index % len(COLOURS)]
    stretches: list[list[int]] = [[]]
    for k in range(len(x)):
        if low[k] is None or high[k] is None:
            stretches.append([])
        else:
            stretches[-1].append(k)
    for stretch in filter(None, stretches):
        yield {
            "type": "scatter",
            "mode": "lines",
            "x": [x[k] for k in stretch] + [x[k] for k in reversed(stretch)],
            "y": [high[k] for k in stretch] + [low[k] for k in reversed(stretch)],
            "fill": "toself",
            "fillcolor": [f"{light}33", f"{dark}33"],
            "line": {"width": 0, "color": [light, dark]},
            "legendgroup": str(index),
            "showlegend": False,
            "hoverinfo": "skip",
        }


def _shown(x: Any) -> Any:  # noqa: ANN401 - a time, a number or a name
    """Times as plotly reads them: it drops an offset without a word, so they are turned to UTC before."""
    if isinstance(x, str) and _is_time(x):
        x = datetime.fromisoformat(x)
    if isinstance(x, datetime):
        return (x.astimezone(UTC) if x.tzinfo else x).strftime("%Y-%m-%d %H:%M:%S")
    return literal(x) if isinstance(x, str) else as_json(x)


def literal(text: str) -> str:
    """Text that plotly shows as it is: it reads a few HTML tags otherwise, links among them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _is_time(x: object) -> bool:
    return isinstance(x, str) and _ISO.match(x) is not None
