"""How a window of time is cut before CloudWatch is asked.

CloudWatch keeps points of one minute for 15 days, of five minutes for 63 days and of one hour for 455 days (API
reference, GetMetricData). A span is asked at the finest period that still exists over all of it. Borders between
retention classes lie on whole hours, so that every period fits on both sides, and an hour inside what AWS promises,
so that nothing expires between planning and asking.

The newest points are still moving: a period that is not over is not asked for, because it would look like a fall; one
whose samples may be on their way is delivered, but not final. Ten minutes are allowed for arrival; basic monitoring
publishes every five.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aws_auto.pipeline.ports import Window

MINUTE, FIVE_MINUTES, HOUR = 60, 300, 3600
RETENTION = (
    (MINUTE, timedelta(days=15)),
    (FIVE_MINUTES, timedelta(days=63)),
    (HOUR, timedelta(days=455)),
)
SETTLE = timedelta(minutes=10)
#: Points of one query in one request: a week of minutes, 35 days of five minutes. A request bills each of its metrics
#: once, however long the span, so ten long queries cost a fiftieth of 500 short ones with the same number of points.
#: Longer still would cost even less, but a killed pull asks again for what was not finished.
CHUNK_POINTS = 10_080

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Span:
    """A part of a window at one period (seconds). ``period`` 0 means that CloudWatch keeps nothing that old."""

    window: Window
    period: int
    final: bool

    @property
    def points(self) -> int:
        """Most points that one query can return."""
        return int(self.window.length.total_seconds()) // self.period if self.period else 0


def spans(window: Window, *, now: datetime, finest: int = MINUTE) -> list[Span]:
    """The window as spans, oldest first, each aligned to its period.

    The first and last span may reach a little over the window, to whole periods, so that a period is asked for once
    and whole. Nothing after ``now`` is asked.

    Args:
        window: what is wanted.
        now: decides what is retained and what is settled.
        finest: seconds; a coarser period where minutes are not needed (60, 300 or 3600).
    """
    oldest = ceil(now - RETENTION[-1][1] + timedelta(hours=1), HOUR)
    cut: list[Span] = []
    if window.start < (end := min(window.end, oldest)):
        cut.append(Span(Window(window.start, end), 0, final=True))
    newer = now
    parts = []
    for period, kept in RETENTION:
        border = ceil(now - kept + timedelta(hours=1), HOUR)
        start, end = max(window.start, border), min(window.end, newer)
        if start < end:
            parts.append((start, end, max(period, finest)))
        newer = border
    for start, end, period in reversed(parts):
        cut.extend(_settled(start, end, period, now=now))
    return cut


def _settled(start: datetime, end: datetime, period: int, *, now: datetime) -> list[Span]:
    start, settled = floor(start, period), floor(now - SETTLE, period)
    final_end = min(ceil(end, period), settled)
    cut = []
    cursor = start
    while cursor < final_end:
        step = min(cursor + timedelta(seconds=CHUNK_POINTS * period), final_end)
        cut.append(Span(Window(cursor, step), period, final=True))
        cursor = step
    moving_end = min(ceil(end, period), floor(now, period))
    if cursor < moving_end:
        cut.append(Span(Window(cursor, moving_end), period, final=False))
    return cut


def floor(moment: datetime, period: int) -> datetime:
    """The start of the period that holds the moment."""
    return moment - (moment - _EPOCH) % timedelta(seconds=period)


def ceil(moment: datetime, period: int) -> datetime:
    """The first start of a period at or after the moment."""
    down = floor(moment, period)
    return down if down == moment else down + timedelta(seconds=period)
