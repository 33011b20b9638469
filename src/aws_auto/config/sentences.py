"""Pydantic's complaints as plain sentences, each at a path that exists in the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from aws_auto.config.marks import Path
from aws_auto.config.model import MisfitError
from aws_auto.config.quantities import shown
from aws_auto.errors import AwsAutoError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


@dataclass(frozen=True)
class Complaint:
    """What is wrong at a path of the document."""

    path: Path
    message: str
    hint: str | None = None


def complaints(errors: list[ErrorDetails], data: Mapping[str, Any], model: type[BaseModel]) -> Iterator[Complaint]:
    """One complaint per error; a missing key that is there under a misspelt name is not counted twice."""
    misspelt: set[Path] = set()
    for error in errors:
        if error["type"] == "extra_forbidden":
            path = existing(error["loc"], data)
            known = known_keys(model, data, path[:-1])
            near = _near(str(path[-1]), known)
            if near:
                misspelt.add((*path[:-1], near))
            yield Complaint(path, "is not a known key", _suggestion(near, known))
    for error in errors:
        if error["type"] == "extra_forbidden":
            continue
        path = existing(error["loc"], data)
        if error["type"] == "missing":
            if (*path, error["loc"][-1]) not in misspelt:
                yield _needs(str(error["loc"][-1]), path)
            continue
        yield _complaint(error, path)


def existing(loc: tuple[str | int, ...], data: Any) -> Path:  # noqa: ANN401 - plain YAML data
    """The part of pydantic's location that exists in the document: union tags and validators are no keys."""
    path: list[str | int] = []
    for step in loc:
        is_key = isinstance(data, Mapping) and step in data
        is_entry = isinstance(data, tuple) and isinstance(step, int) and step < len(data)
        if is_key or is_entry:
            data = data[step]
            path.append(step)
    return tuple(path)


def known_keys(model: type[BaseModel], data: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """The keys that may stand in the mapping at this path, sorted."""
    kind: Any = model
    value: Any = data
    for step in path:
        value = value[step]
        annotation = kind.model_fields[step].annotation if isinstance(step, str) else get_args(kind)[0]
        kind = _narrowed(annotation, value)
    fields = getattr(kind, "model_fields", {})
    return tuple(sorted(fields))


def _narrowed(annotation: Any, value: Any) -> Any:  # noqa: ANN401 - annotations have no common type
    """The member of a union that the value chose: by its ``type``, or the only one that is not None."""
    if hasattr(annotation, "__metadata__"):
        return _narrowed(annotation.__origin__, value)
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    members = [m for m in get_args(annotation) if m is not type(None)]
    chosen = value.get("type") if isinstance(value, Mapping) else None
    for member in members:
        field = getattr(member, "model_fields", {}).get("type")
        if field is not None and len(members) > 1 and chosen in get_args(field.annotation):
            return member
    return members[0]


def _near(word: str, known: tuple[str, ...]) -> str | None:
    near = get_close_matches(word[:60].lower().replace("-", "_"), known, 1, 0.6)
    return near[0] if near else None


def _suggestion(near: str | None, known: tuple[str, ...]) -> str:
    return f"did you mean {near!r}?" if near else f"known here: {', '.join(known)}"


def _complaint(error: ErrorDetails, path: Path) -> Complaint:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "value_error":
        cause = context["error"]
        if isinstance(cause, MisfitError):
            return Complaint((*path, *cause.at), str(cause), cause.hint)
        return Complaint(path, cause.message if isinstance(cause, AwsAutoError) else str(cause))
    if kind == "union_tag_not_found":
        near = _near("type", tuple(value))
        return Complaint((*path, near), "is not a known key", "did you mean 'type'?") if near else _needs("type", path)
    if kind == "union_tag_invalid":
        tags = tuple(t.strip(" '") for t in str(context["expected_tags"]).split(","))
        return _choice((*path, "type"), value["type"], tags)
    if kind == "literal_error":
        return _choice(path, value, _choices(str(context["expected"])))
    return Complaint(path, _plain(kind, value, context))


def _needs(key: str, path: Path) -> Complaint:
    return Complaint(path, f"needs the key {key!r}")


def _choices(expected: str) -> tuple[str, ...]:
    return tuple(part.strip(" '") for part in expected.replace(" or ", ",").split(","))


def _choice(path: Path, value: object, known: tuple[str, ...]) -> Complaint:
    near = _near(str(value), known) if isinstance(value, str) else None
    message = (
        f"{shown(value)} is not one of {', '.join(known)}" if len(known) > 1 else f"{shown(value)} is not {known[0]}"
    )
    return Complaint(path, message, f"did you mean {near!r}?" if near else None)


_LIMITS = {
    "greater_than": ("gt", "is not more than"),
    "greater_than_equal": ("ge", "is less than"),
    "less_than": ("lt", "is not less than"),
    "less_than_equal": ("le", "is more than"),
}
_KINDS = {
    "bool": "is not true or false",
    "int": "is not a whole number",
    "float": "is not a number",
    "string": "is not text",
    "tuple": "is not a list; write each entry on a line of its own, behind a dash",
    "model": "is not a mapping of keys to values",
    "finite": "is not a finite number",
}


def _plain(kind: str, value: object, context: Mapping[str, Any]) -> str:
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"{shown(value)} {words} {context[key]:g}"
    said = _KINDS.get(kind.partition("_")[0], "does not fit here")
    quotes = "; remove the quotes" if isinstance(value, str) and said != _KINDS["tuple"] and _bare(value) else ""
    if isinstance(value, int | float) and said == _KINDS["string"]:
        quotes = "; quote it"
    return f"{shown(value)} {said}{quotes}"


def _bare(text: str) -> bool:
    """Whether the text would be a number or a truth value without its quotes."""
    return text in ("true", "false") or text.lstrip("-").replace(".", "", 1).isdecimal()
