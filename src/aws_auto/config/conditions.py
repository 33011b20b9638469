"""Conditions on metrics, such as ``accuracy < 0.8``: a small grammar, parsed and never evaluated as code.

::

    condition  = clause ("or" clause)*            any of the clauses
    clause     = comparison ("and" comparison)*   all of the comparisons
    comparison = name op value ["for" N ["of" M]] N of the last M readings; 1 of 1 when not said
    op         = < | <= | > | >= | == | !=
    value      = number | duration | percentage

An absent or unknown reading makes the answer unknown (None) unless the others decide it already.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from aws_auto.config.quantities import Parsed, Threshold, UnitError, shown

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

#: Short names that the specification uses in conditions, and the metric that each stands for.
ALIASES = {"accuracy": "prediction_accuracy", "drift_score": "data_drift_score", "latency": "model_latency"}

_COMPARISON = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_.]{0,80})\s*(?P<op>[<>=!]{1,2})\s*(?P<value>[^\s<>=!]{1,30}(?:\s[a-z]+)??)"
    r"(?:\s+for\s+(?P<n>[0-9]{1,4})(?:\s+of\s+(?P<m>[0-9]{1,4}))?)?",
    re.ASCII,
)
_LONGEST = 500


@dataclass(frozen=True)
class Comparison:
    """One metric against one value. ``metric`` is as written; ``canonical`` is the name that metrics carry."""

    metric: str
    op: str
    threshold: Threshold
    least: int = 1
    of: int = 1

    @property
    def canonical(self) -> str:
        """The metric's full name."""
        return ALIASES.get(self.metric, self.metric)

    @property
    def value(self) -> float:
        """The limit in base units: seconds for a duration, 0 to 1 for a percentage."""
        return self.threshold.value

    def judge(self, readings: Sequence[float | None]) -> bool | None:
        """Whether enough of the newest readings hold; None when the missing ones could still decide it."""
        newest = list(readings)[-self.of :]
        known = [r for r in newest if r is not None and math.isfinite(r)]
        hits = sum(OPERATORS[self.op](r, self.value) for r in known)
        if hits >= self.least:
            return True
        return False if hits + self.of - len(known) < self.least else None

    def __str__(self) -> str:
        window = f" for {self.least} of {self.of}" if self.of > 1 else ""
        return f"{self.metric} {self.op} {self.threshold}{window}"


@dataclass(frozen=True)
class Condition(Parsed):
    """Any of some clauses, each of which is all of some comparisons; nearly always a single comparison."""

    clauses: tuple[tuple[Comparison, ...], ...]
    examples: ClassVar[tuple[Any, ...]] = ("accuracy < 0.8", "drift_score > 0.5 for 3 of 5 and model_latency > 200ms")

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a condition.

        Raises:
            UnitError: it does not follow the grammar; the sentence shows the part that does not.
        """
        if not isinstance(value, str) or not value.strip():
            raise UnitError(f"{shown(value)} is not a condition; write for example accuracy < 0.8")
        if len(value) > _LONGEST:
            raise UnitError(f"the condition is longer than {_LONGEST} characters; write several rules")
        if re.search(r"[()]", value):
            raise UnitError(f"{shown(value)} has parentheses; write several rules instead (and binds before or)")
        return cls(
            tuple(
                tuple(_comparison(part) for part in re.split(r"\band\b", clause))
                for clause in re.split(r"\bor\b", value)
            )
        )

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every comparison, in the order written."""
        return tuple(c for clause in self.clauses for c in clause)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Full names of the metrics that it reads, each once, in the order written."""
        return tuple(dict.fromkeys(c.canonical for c in self.comparisons))

    @property
    def metric(self) -> str:
        """The metric's name as written (single comparison only)."""
        return self._only().metric

    @property
    def canonical(self) -> str:
        """The metric's full name (single comparison only)."""
        return self._only().canonical

    @property
    def op(self) -> str:
        """The operator (single comparison only)."""
        return self._only().op

    @property
    def value(self) -> float:
        """The limit in base units (single comparison only)."""
        return self._only().value

    def holds(self, value: float) -> bool:
        """Whether this reading is on the far side of the limit; an unknown reading (NaN) is not."""
        only = self._only()
        return math.isfinite(value) and OPERATORS[only.op](value, only.value)

    def judge(self, readings: Mapping[str, Sequence[float | None]]) -> bool | None:
        """The answer over all comparisons; ``readings`` maps full metric names to values, oldest first."""
        return _any(_all(c.judge(readings.get(c.canonical, ())) for c in clause) for clause in self.clauses)

    def _only(self) -> Comparison:
        if len(self.comparisons) != 1:
            raise UnitError(f"{self} has several comparisons; look at them one by one")
        return self.comparisons[0]

    def __str__(self) -> str:
        return " or ".join(" and ".join(map(str, clause)) for clause in self.clauses)


def _comparison(part: str) -> Comparison:
    text = " ".join(part.split())
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise UnitError(f"{shown(text)} is not a comparison; write a metric, an operator and a value: accuracy < 0.8")
    if match["op"] not in OPERATORS:
        better = "==" if match["op"] == "=" else ", ".join(OPERATORS)
        raise UnitError(f"{shown(match['op'])} in {shown(text)} is no operator; write {better}")
    least = int(match["n"] or 1)
    of = int(match["m"] or least)
    if not 1 <= least <= of:
        raise UnitError(f"'for {least} of {of}' in {shown(text)} can never hold; write for example for 3 of 5")
    return Comparison(match["name"], match["op"], Threshold.parse(match["value"]), least, of)


def _all(answers: Iterable[bool | None]) -> bool | None:
    seen = set(answers)
    return False if False in seen else None if None in seen else True


def _any(answers: Iterable[bool | None]) -> bool | None:
    seen = set(answers)
    return True if True in seen else None if None in seen else False
