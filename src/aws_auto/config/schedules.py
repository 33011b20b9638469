"""When something runs, as a value: a word, a cron line, or one of AWS's two schedule expressions. All times are UTC.

Semantics are those of Vixie cron: when day of month and day of week are both restricted, either one is enough; a field
that begins with ``*`` does not restrict. ``rate(N unit)`` counts from 1970-01-01 00:00 UTC, so that the next run
follows from the moment alone and two machines agree on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Self

from aws_auto.config.quantities import Parsed, UnitError, shown

WORDS = {"hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 0", "monthly": "0 0 1 * *"}

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_RATE_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_EXAMPLES = "write hourly, daily, weekly, monthly, a cron line such as '0 2 * * 1', or rate(6 hours)"


@dataclass(frozen=True)
class _Kind:
    """One of the five places of a cron line."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        if not re.fullmatch(r"[0-9]{1,3}", text):
            raise UnitError(f"{shown(text)} is not a {self.name}{self._range()}")
        value = int(text)
        if not self.low <= value <= self.high:
            raise UnitError(f"{self.name} {value} is out of range{self._range()}")
        return value

    def _range(self) -> str:
        names = f", or {self.names[0].upper()} to {self.names[-1].upper()}" if self.names else ""
        return f" ({self.low} to {self.high}{names})"

    def values(self, field: str) -> frozenset[int]:
        return frozenset(v for part in field.split(",") for v in self._part(part))

    def _part(self, part: str) -> range:
        span, slash, step_text = part.partition("/")
        step = int(step_text) if re.fullmatch(r"[0-9]{1,3}", step_text) else 0
        if slash and step < 1:
            raise UnitError(f"the step of {shown(part)} ({self.name}) is not a number from 1")
        if span == "*":
            return range(self.low, self.high + 1, step or 1)
        first, dash, last = span.partition("-")
        start = self.number(first)
        if slash and not dash:
            raise UnitError(f"{shown(part)} steps without a range; write {first}-{self.high}/{step}")
        stop = self.number(last) if dash else start
        if stop < start:
            raise UnitError(f"the range {shown(span)} ({self.name}) runs backwards")
        return range(start, stop + 1, step or 1)


_KINDS = (
    _Kind("minute", 0, 59),
    _Kind("hour", 0, 23),
    _Kind("day of month", 1, 31),
    _Kind("month", 1, 12, _MONTHS),
    _Kind("day of week", 0, 7, _DAYS),
)


@dataclass(frozen=True)
class _Cron:
    """A parsed five-field line."""

    line: str

    @cached_property
    def fields(self) -> tuple[frozenset[int], ...]:
        parts = self.line.split()
        return tuple(kind.values(part) for kind, part in zip(_KINDS, parts, strict=True))

    def on(self, day: date) -> bool:
        """Whether it runs at all on that day."""
        _, _, monthdays, months, weekdays = self.fields
        if day.month not in months:
            return False
        in_month = day.day in monthdays
        in_week = day.isoweekday() % 7 in {w % 7 for w in weekdays}
        _, _, month_field, _, week_field = self.line.split()
        if month_field.startswith("*") or week_field.startswith("*"):
            return in_month and in_week
        return in_month or in_week

    def next_after(self, moment: datetime) -> datetime | None:
        """The first run after the moment; None when there is none within 40 years (30 February)."""
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        day, limit = start.date(), start.year + 40
        while day.year <= limit:
            if day.month not in self.fields[3]:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
                continue
            times = self._times() if self.on(day) else []
            for hour, minute in times:
                run = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                if run >= start:
                    return run
            day += timedelta(days=1)
        return None

    def _times(self) -> list[tuple[int, int]]:
        return [(hour, minute) for hour in sorted(self.fields[1]) for minute in sorted(self.fields[0])]


@dataclass(frozen=True)
class Schedule(Parsed):
    """A repeated moment. ``text`` is as written; exactly one of ``line`` (five fields) and ``every_s`` is set."""

    text: str
    line: str | None = None
    every_s: int | None = None
    examples: ClassVar[tuple[Any, ...]] = (*WORDS, "0 2 * * 1", "rate(6 hours)")

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``weekly``, ``0 2 * * MON``, ``rate(6 hours)`` or AWS's six-field ``cron(...)``.

        Raises:
            UnitError: it is none of them, or it never happens; the sentence says why.
        """
        if not isinstance(value, str) or len(value) > 200:
            raise UnitError(f"{shown(value)} is not a schedule; {_EXAMPLES}")
        text = " ".join(value.split())
        if text.lower() in WORDS:
            return cls(text.lower(), WORDS[text.lower()])
        call = re.fullmatch(r"(rate|cron|at)\s*\((.*)\)", text)
        if call is None:
            return cls(text, _checked(text, shown(value)))
        if call[1] == "rate":
            return cls(text, every_s=_rate(call[2].strip()))
        if call[1] == "at":
            raise UnitError(f"{shown(value)} runs once; a schedule runs again and again: {_EXAMPLES}")
        return cls(text, _checked(_from_aws(call[2]), shown(value)))

    def cron(self) -> str:
        """The five-field line that means the same.

        Raises:
            UnitError: no such line exists: a rate that does not divide an hour or a day evenly.
        """
        if self.line is not None:
            return self.line
        every = self.every_s or 0
        if every < 3600 and 3600 % every == 0:
            return f"*/{every // 60} * * * *" if every > 60 else "* * * * *"
        if 3600 <= every < 86400 and 86400 % every == 0 and every % 3600 == 0:
            return f"0 */{every // 3600} * * *" if every > 3600 else "0 * * * *"
        if every == 86400:
            return "0 0 * * *"
        raise UnitError(
            f"no cron line means {self.text}, which does not divide an hour or a day evenly",
            hint="write a cron line, or a rate such as rate(15 minutes) or rate(6 hours)",
        )

    def next_after(self, moment: datetime) -> datetime:
        """The first run strictly after the moment, in UTC.

        Raises:
            UnitError: the moment has no time zone.
        """
        if moment.tzinfo is None:
            raise UnitError("the moment has no time zone; pass an aware datetime")
        utc = moment.astimezone(UTC)
        if self.every_s is not None:
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            return epoch + timedelta(seconds=((utc - epoch) // timedelta(seconds=self.every_s) + 1) * self.every_s)
        found = _Cron(self.cron()).next_after(utc)
        if found is None:
            raise UnitError(f"{self.text} never happens")
        return found

    def __str__(self) -> str:
        return self.text


def _checked(line: str, written: str) -> str:
    """The line with single spaces, when it is a five-field line that happens now and then."""
    parts = line.split()
    if len(parts) != 5:
        count = f" (a cron line has five fields, this has {len(parts)})" if len(parts) > 1 else ""
        raise UnitError(f"{written} is not a schedule{count}; {_EXAMPLES}")
    cron = _Cron(" ".join(parts))
    try:
        cron.fields  # noqa: B018 - parses
    except UnitError as problem:
        raise UnitError(f"{written} is not a schedule: {problem.message}") from None
    if cron.next_after(datetime(2024, 1, 1, tzinfo=UTC)) is None:
        raise UnitError(f"{written} never happens: those months have no such day")
    return cron.line


def _rate(inside: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6}) (minute|hour|day)(s?)", inside)
    if match is None or int(match[1]) == 0:
        raise UnitError(f"rate({inside}) is not a rate; write rate(1 hour), rate(15 minutes) or rate(2 days)")
    count, unit, plural = int(match[1]), match[2], match[3]
    if (count == 1) == bool(plural):
        right = unit if count == 1 else f"{unit}s"
        raise UnitError(f"AWS refuses rate({inside}); write rate({count} {right})")
    return count * _RATE_SECONDS[unit]


def _from_aws(inside: str) -> str:
    """The five-field line for AWS's ``minute hour day-of-month month day-of-week year``."""
    fields = inside.split()
    if len(fields) != 6:
        raise UnitError(
            f"cron({inside}) has {len(fields)} fields; AWS wants six: minute hour day-of-month month day-of-week year"
        )
    minute, hour, monthday, month, weekday, year = fields
    if year != "*":
        raise UnitError(f"cron({inside}) names a year; a repeated schedule has * there")
    if (monthday == "?") == (weekday == "?"):
        raise UnitError(f"cron({inside}): AWS wants ? in exactly one of day-of-month and day-of-week")
    if re.search(r"[LW#]", re.sub(r"[A-Za-z]{3}", "", f"{monthday} {weekday}")):
        raise UnitError(f"cron({inside}) uses L, W or #, which only AWS knows; name the days instead")
    # AWS counts the days of the week from 1 (Sunday), cron from 0; numbers behind a slash are steps, not days.
    weekday = re.sub(r"(?<![/0-9])[0-9]+", _one_less, weekday)
    line = (minute, hour, monthday.replace("?", "*"), month, weekday.replace("?", "*"))
    highs = (59, 23, 31, 12, 6)
    return " ".join(_open_ended(part, high) for part, high in zip(line, highs, strict=True))


def _open_ended(field: str, high: int) -> str:
    """AWS's ``5/15`` (from 5 on) as cron's ``5-59/15``."""
    return re.sub(r"(?<![-\w])(\w+)/", rf"\1-{high}/", field)


def _one_less(match: re.Match[str]) -> str:
    number = int(match[0][:4])
    if not 1 <= number <= 7:
        raise UnitError(f"day of week {match[0][:4]} is out of range: AWS counts from 1 (Sunday) to 7")
    return str(number - 1)
