"""What reports are made of: text, tables, facts and charts, and the page that they become.

All text is escaped; a report may show what a stranger named their resource.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from aws_auto.errors import MissingExtra
from aws_auto.pipeline.web import figures
from aws_auto.pipeline.web.page import page
from aws_auto.results import Chart, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of plain values; numbers are aligned right and written with four figures."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and values, one a line; ``leading`` writes them large, for what a reader must not miss."""

    items: Mapping[str, object]
    title: str = ""
    leading: bool = False


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A plotly figure as data and layout, with a heading and a remark: what `Chart` cannot say."""

    title: str
    note: str
    figure: Mapping[str, Any]


#: Text is a paragraph; all of it is escaped.
Block = str | Table | Facts | Chart | Figure


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


def render(title: str, sections: Sequence[Section], *, lead: Sequence[Block] = (), banner: str = "") -> str:
    """One self-contained HTML file.

    Args:
        title: the heading of the page.
        sections: in reading order.
        lead: what is said before the first section.
        banner: a warning above everything, empty for none.

    Raises:
        MissingExtra: there is a chart, and plotly is not installed.
    """
    drawn: list[Mapping[str, Any]] = []
    parts = [f'<div class="banner" role="note">{escape(banner)}</div>'] if banner else []
    parts.append(f"<h1>{escape(title)}</h1>")
    parts += [_block(block, drawn) for block in lead]
    for section in sections:
        parts.append(f"<section>\n<h2>{escape(section.title)}</h2>")
        parts += [_block(block, drawn) for block in section.blocks]
        parts.append("</section>")
    # "<" would end the script element, or open a comment in it.
    data = json.dumps(as_json(drawn), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return page(title, "\n".join(parts), figures=data, library=_plotly_js() if drawn else "")


def _block(block: Block, drawn: list[Mapping[str, Any]]) -> str:
    match block:
        case str():
            return f"<p>{escape(block)}</p>"
        case Table():
            return _heading(block.title) + _table(block)
        case Facts():
            lines = (f"<dt>{escape(str(k))}</dt><dd>{escape(_cell(v))}</dd>" for k, v in block.items.items())
            return f"{_heading(block.title)}<dl{' class=lead' if block.leading else ''}>{''.join(lines)}</dl>"
        case Chart():
            return _figure(block.title, block.note, figures.figure(block), drawn)
        case Figure():
            return _figure(block.title, block.note, block.figure, drawn)


def _figure(title: str, note: str, figure: Mapping[str, Any], drawn: list[Mapping[str, Any]]) -> str:
    drawn.append(figure)
    caption = f"<figcaption>{escape(note)}</figcaption>" if note else ""
    place = f'<div class="plot" id="plot-{len(drawn) - 1}" role="img" aria-label="{escape(title)}"></div>'
    return f"<figure>\n{_heading(title)}{caption}\n{place}\n</figure>"


def _heading(title: str) -> str:
    return f"<h3>{escape(title)}</h3>\n" if title else ""


def _table(table: Table) -> str:
    def cells(tag: str, row: Sequence[object]) -> str:
        return "".join(
            f"<{tag}{' class=number' if numeric else ''}>{escape(_cell(v))}</{tag}>"
            for v, numeric in zip(row, right, strict=True)
        )

    right = [any(_is_number(v) for v in column) for column in zip(*table.rows, strict=True)] or [False] * len(
        table.columns
    )
    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in table.rows)
    head = f"<thead><tr>{cells('th', table.columns)}</tr></thead>"
    return f'<div class="scroll"><table>{head}\n<tbody>\n{body}\n</tbody></table></div>'


def _cell(value: object) -> str:
    if _is_number(value):
        return number(value)  # type: ignore[arg-type] # it is a number
    return "unknown" if value is None else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def number(value: float | None) -> str:
    """Four figures, thousands apart: ``1,234``, ``0.01235``; ``unknown`` for nothing."""
    if value is None or not math.isfinite(value):
        return "unknown"
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _plotly_js() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtra("plotly", "report", purpose="a report with charts") from error
    return str(get_plotlyjs())
