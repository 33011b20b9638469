"""What an unquoted YAML scalar means, and the traps of YAML 1.1: said, never guessed around."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_TAG = "tag:yaml.org,2002:"
_LONGEST_NUMBER = 18


@dataclass(frozen=True)
class Trap:
    """YAML reads this text as something else than it looks like; the sentence says what, and what to write."""

    sentence: str


def value_of(text: str, tag: str, *, quoted: bool) -> str | int | float | bool | Trap:
    """The value of a scalar, given the tag that YAML 1.1 resolves it to."""
    if any("\ud800" <= c <= "\udfff" for c in text):
        return Trap("holds half of a surrogate pair, which is no text; write the character itself")
    if quoted:
        return text
    return _READERS.get(tag.removeprefix(_TAG), _text)(text)


def _null(_text: str) -> Trap:
    return Trap("has no value; write one, or remove the line")


def _date(text: str) -> Trap:
    return Trap(f'YAML reads {text} as a date; quote it: "{text}"')


def _bool(text: str) -> bool | Trap:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    meant = "true" if text.lower() in ("yes", "on") else "false"
    return Trap(f'YAML reads {text} as {meant}; write {meant}, or quote it when it is text: "{text}"')


def _int(text: str) -> int | Trap:
    if len(text) > _LONGEST_NUMBER:
        return Trap("is too long for a number; quote it when it is text")
    if re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", text):
        return int(text)
    value, why, better = _odd_int(text.replace("_", ""))
    return Trap(f'YAML reads {text} as {value} ({why}); write {better}, or quote it when it is text: "{text}"')


def _odd_int(digits: str) -> tuple[int, str, str]:
    """What YAML makes of an integer that is not plain decimal, why, and what to write instead."""
    if ":" in digits:
        value = _base_60(digits)
        return value, "base 60", f"{value}"
    for prefix, base, why in ((r"[-+]?0[xX]", 16, "hexadecimal"), (r"[-+]?0[bB]", 2, "binary")):
        if re.match(prefix, digits):
            value = int(digits, base)
            return value, why, f"{value}"
    if re.match(r"[-+]?0[0-7]", digits):
        value = int(digits, 8)
        return value, "octal", f"{int(digits)} or {value}"
    return int(digits), "underscores are dropped", f"{int(digits)}"


def _float(text: str) -> float | Trap:
    if len(text) > 2 * _LONGEST_NUMBER:
        return Trap("is too long for a number; quote it when it is text")
    if ":" in text or "_" in text:
        return Trap(f'YAML reads {text} as a number in base 60 or with underscores; quote it: "{text}"')
    if re.search(r"inf|nan", text, re.IGNORECASE):
        return Trap(f"{text} is not a finite number; write one")
    value = float(text)
    return value if abs(value) < 1e300 else Trap(f"{text} is too large for a number")


def _text(text: str) -> str | Trap:
    if re.fullmatch(r"[-+]?([0-9]{1,9}\.?[0-9]{0,9}|\.[0-9]{1,9})[eE][-+]?[0-9]{1,2}", text):
        return Trap(f'YAML reads {text} as text, not as {float(text):g}; write the number out, or quote it: "{text}"')
    if re.fullmatch(r"[-+]?0[0-9]{1,17}", text):
        return Trap(f'YAML reads {text} as text because of its leading zero; write {int(text)}, or quote it: "{text}"')
    return text


def _base_60(text: str) -> int:
    value = 0
    for part in text.lstrip("+-").split(":"):
        value = value * 60 + int(part)
    return -value if text.startswith("-") else value


_READERS: dict[str, Callable[[str], str | int | float | bool | Trap]] = {
    "null": _null,
    "bool": _bool,
    "int": _int,
    "float": _float,
    "timestamp": _date,
}
