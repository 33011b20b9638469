"""Quantities with a unit: durations, percentages, sizes, S3 addresses and thresholds.

Each is a frozen value with ``parse``, which takes what YAML or a command line gives and refuses with a sentence, and
``str()``, which writes it so that ``parse`` reads it back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"


class UnitError(UsageError, ValueError):
    """A text is not the quantity, schedule or condition that it should be.

    It is a ``ValueError`` too, so that pydantic collects it with the other problems of a document.
    """


def shown(value: object) -> str:
    """The value as an error shows it: quoted when it is text, cut when it is long."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, tuple | list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:56] + "..." + text[-1]


class Parsed:
    """Base of everything that is parsed from one YAML scalar; teaches pydantic to call ``parse``."""

    examples: ClassVar[tuple[Any, ...]] = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read the value.

        Raises:
            UnitError: it is not one; the sentence says what to write.
        """
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.parse(value),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        kinds = sorted({"string" if isinstance(e, str) else "number" for e in cls.examples} | {"string"})
        return {"type": kinds if len(kinds) > 1 else kinds[0], "examples": list(cls.examples)}


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0, "y": 365 * 86400.0}
_WORDS = {"millisecond": "ms", "second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w", "year": "y"}
_UNIT = {**{u: u for u in _SECONDS}, **_WORDS, **{f"{w}s": u for w, u in _WORDS.items()}}
_CENTURY = 100 * _SECONDS["y"]


@dataclass(frozen=True, order=True)
class Duration(Parsed):
    """A length of time in seconds. A year is 365 days; months have no fixed length and are refused."""

    seconds: float
    examples: ClassVar[tuple[Any, ...]] = ("200ms", "30s", "30m", "1h", "30d", "2y")

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``30m``, ``1.5h``, ``90 days``.

        Raises:
            UnitError: not a number and a unit, or longer than a hundred years.
        """
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise UnitError(f"{shown(value)} has no unit; write {value:g}s, {value:g}m or {value:g}h")
        if not isinstance(value, str):
            raise UnitError(f"{shown(value)} is not a duration; write a number and a unit, such as 30m")
        match = re.fullmatch(rf"({_NUMBER})\s*([A-Za-z]+)", value.strip())
        if match is None:
            raise UnitError(f"{shown(value)} is not a duration; write a number and a unit, such as 30m")
        unit = _UNIT.get(match[2])
        if unit is None:
            known = ", ".join(_SECONDS)
            raise UnitError(f"{shown(value)} is not a duration: the unit is one of {known}; m is minutes")
        seconds = round(float(match[1]) * _SECONDS[unit], 6)
        if seconds > _CENTURY:
            raise UnitError(f"{shown(value)} is longer than a hundred years")
        return cls(seconds)

    @property
    def days(self) -> float:
        """The same length in days of 24 hours."""
        return self.seconds / 86400

    @property
    def milliseconds(self) -> float:
        """The same length in milliseconds."""
        return self.seconds * 1000

    def timedelta(self) -> timedelta:
        """The same length for arithmetic with times."""
        return timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        millis = round(self.seconds * 1000, 3)
        for unit in ("y", "d", "h", "m", "s"):
            size = _SECONDS[unit] * 1000
            if millis and millis % size == 0:
                return f"{millis / size:.0f}{unit}"
        return f"{millis:.3f}".rstrip("0").rstrip(".") + "ms"


@dataclass(frozen=True, order=True)
class Percent(Parsed):
    """A share of a whole. ``value`` counts in hundredths (10 is ten percent), ``ratio`` from 0 to 1."""

    value: float
    examples: ClassVar[tuple[Any, ...]] = (10, "10%")

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``10`` and ``10%`` as ten percent.

        Raises:
            UnitError: not between 0 and 100, or a bare fraction such as 0.1, which could mean either.
        """
        number, marked = _percentage(value)
        if not marked and 0 < number < 1:
            raise UnitError(f"{shown(value)} could mean {number:g}% or {number:.0%}; write one of them")
        return cls._within(number, value, "10 or 10%")

    @classmethod
    def share(cls, value: object) -> Self:
        """Read ``0.95`` and ``95%`` as ninety-five percent: for keys that the specification writes as a fraction.

        Raises:
            UnitError: not between 0 and 1, or not between 0% and 100%.
        """
        number, marked = _percentage(value)
        if not marked and number > 1:
            raise UnitError(f"{shown(value)} is not between 0 and 1; write a fraction such as 0.95, or 95%")
        return cls._within(number if marked else number * 100, value, "0.95 or 95%")

    @classmethod
    def _within(cls, number: float, value: object, example: str) -> Self:
        if not 0 <= number <= 100:
            raise UnitError(f"{shown(value)} is not between 0% and 100%; write for example {example}")
        return cls(round(number, 9) + 0.0)  # minus zero becomes zero

    @property
    def ratio(self) -> float:
        """The share between 0 and 1."""
        return round(self.value / 100, 11)

    def __str__(self) -> str:
        return f"{self.value:.9f}".rstrip("0").rstrip(".") + "%"


def _percentage(value: object) -> tuple[float, bool]:
    """The number, and whether a percent sign stood behind it."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value), False
    match = re.fullmatch(rf"({_NUMBER})\s*(%?)", value.strip()) if isinstance(value, str) else None
    if match is None:
        raise UnitError(f"{shown(value)} is not a percentage; write a number such as 10, or 10%")
    return float(match[1]), bool(match[2])


@dataclass(frozen=True)
class S3Uri(Parsed):
    """The address of an object or of everything under a prefix."""

    bucket: str
    key: str = ""
    examples: ClassVar[tuple[Any, ...]] = ("s3://bucket/prefix/",)

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``s3://bucket/key``.

        Raises:
            UnitError: the scheme is missing, or S3 would refuse the bucket's name.
        """
        if not isinstance(value, str) or not value.startswith("s3://"):
            raise UnitError(f"{shown(value)} is not an S3 address; write s3://bucket/prefix/")
        bucket, _, key = value.removeprefix("s3://").partition("/")
        return cls(bucket_name(bucket), key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def bucket_name(value: str) -> str:
    """The name, when S3 would accept it (3 to 63 lower-case letters, digits, dots and hyphens).

    Raises:
        UnitError: S3 would refuse it.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value) or ".." in value:
        raise UnitError(
            f"{shown(value)} is not a bucket name: S3 wants 3 to 63 lower-case letters, digits, dots and hyphens"
        )
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", value):
        raise UnitError(f"{shown(value)} is not a bucket name: S3 refuses names that look like an IP address")
    return value


@dataclass(frozen=True)
class Threshold(Parsed):
    """A limit: a plain number, a duration or a percentage.

    ``value`` is in base units, so that it can be compared at once: seconds for a duration, 0 to 1 for a percentage.
    """

    value: float
    kind: Literal["number", "duration", "percent"] = "number"
    examples: ClassVar[tuple[Any, ...]] = (0.85, "200ms", "95%")

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``0.85``, ``200ms`` or ``95%``.

        Raises:
            UnitError: it is none of them.
        """
        text = value.strip() if isinstance(value, str) else ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return cls._limit(value)
        if re.fullmatch(r"-?[0-9]{1,16}(\.[0-9]{1,20})?(e[-+]?[0-9]{1,3})?", text):
            return cls._limit(float(text))
        if text.endswith("%"):
            return cls(Percent.parse(text).ratio, "percent")
        if re.match(r"[0-9]", text):
            return cls(Duration.parse(text).seconds, "duration")
        raise UnitError(f"{shown(value)} is not a threshold; write a number (0.85), a duration (200ms) or a percentage")

    @classmethod
    def _limit(cls, value: float) -> Self:
        if not math.isfinite(value) or abs(value) > 1e15:
            raise UnitError(f"{shown(value)} is not a usable limit; write a finite number below 10^15")
        return cls(float(value))

    def __str__(self) -> str:
        match self.kind:
            case "duration":
                return str(Duration(self.value))
            case "percent":
                return str(Percent(self.value * 100))
            case "number":
                return repr(self.value).removesuffix(".0")
